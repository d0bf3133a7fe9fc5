# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What a log driver does to containers when its receiver stalls or is away, and how ``docker logs`` reads.

PRIVATE to the collection: no stability is promised to other users.

Sources: moby daemon/container (StartLogger), daemon/logger/ring.go, New and Log of each driver, and the clients that they
use: srslog, go-gelf, fluent-logger-golang.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import log_drivers, log_values

BLOCKING = "blocking"
NON_BLOCKING = "non-blocking"
#: What happens to the output of a container while the receiver takes nothing.
BLOCKS = "blocks"
DROPS = "drops"
#: What happens to a container that is started while the receiver is away.
FAILS = "fails"
STARTS = "starts"

_RING = 1_000_000
_FLUENTD_BUFFER = 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Delivery:
    """How a log driver with its options delivers.

    Attributes:
        mode: BLOCKING or NON_BLOCKING.
        buffer: bytes of messages that the engine keeps in memory for each container when the mode is NON_BLOCKING, else 0.
        stalled: BLOCKS or DROPS, or empty where there is no receiver.
        absent: FAILS or STARTS.
        reads: how ``docker logs`` reads: native, cache or none.
        remote: whether logs leave the host or its own services.
        remarks: sentences that a person should know.
    """

    mode: str
    buffer: int
    stalled: str
    absent: str
    reads: str
    remote: bool
    remarks: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, t.Any]:
        """Return it as a module returns it."""
        return {**dataclasses.asdict(self), "remarks": list(self.remarks)}


def delivery(driver: str, options: t.Mapping[str, str]) -> Delivery:
    """Return how a driver with options delivers; both must be right (log_drivers.problems)."""
    waits, absent, remote, said = _receiver(driver, options)
    remarks = list(said)
    non_blocking = options.get("mode") == NON_BLOCKING
    if non_blocking and driver != "none":
        if absent == FAILS:
            remarks.append("The mode non-blocking does not help a container to start: the driver connects first.")
        if waits and remote:
            remarks.append(_ENGINE_WAITS)
        buffer = log_values.binary_size(options.get("max-buffer-size", str(_RING)))
        return Delivery(NON_BLOCKING, buffer, DROPS, absent, reads(driver, options), remote, tuple(remarks))
    stalled = "" if driver == "none" else BLOCKS if waits else DROPS
    return Delivery(BLOCKING, 0, stalled, absent, reads(driver, options), remote, tuple(remarks))


def reads(driver: str, options: t.Mapping[str, str]) -> str:
    """Return how ``docker logs`` reads; of a plugin it is assumed that it cannot be read, so that the cache counts."""
    known = log_drivers.DRIVERS.get(driver)
    way = known.reads if known else log_drivers.CACHE
    if way == log_drivers.CACHE and log_values.is_true(options.get("cache-disabled", "")):
        return log_drivers.NOT_AT_ALL
    return way


def warning(driver: str, options: t.Mapping[str, str]) -> str:
    """Return a sentence where a receiver on the network can stop containers and nobody said that this is wanted."""
    how = delivery(driver, options)
    if not how.remote or how.stalled != BLOCKS or "mode" in options:
        return ""
    also = ", and no container starts while it is away" if how.absent == FAILS else ""
    return (
        f"log-driver {driver} is blocking: a container stands still as soon as the receiver of its logs does{also}; "
        "set mode to non-blocking and max-buffer-size in log-opts, or set mode to blocking if that is wanted."
    )


def _receiver(driver: str, options: t.Mapping[str, str]) -> tuple[bool, str, bool, t.Sequence[str]]:
    """Return whether the driver waits for its receiver, what an absent one means, whether it is remote, and remarks."""
    if driver in ("none", "json-file", "local"):
        return True, STARTS, False, []
    if driver == "journald":
        return True, FAILS, False, _JOURNALD
    if driver == "fluentd" and any(
        log_values.is_true(options.get(name, "")) for name in ("fluentd-async", "fluentd-async-connect")
    ):
        limit = options.get("fluentd-buffer-limit")
        events = log_values.binary_size(limit) if limit else _FLUENTD_BUFFER
        return False, STARTS, True, [
            f"fluentd-buffer-limit counts messages, not bytes: dockerd keeps up to {events} of them in memory for each "
            "container while the receiver is away, and then drops new ones.",
            _ENGINE_WAITS,
        ]
    if driver == "splunk":
        checks = not options.get("splunk-verify-connection") or log_values.is_true(options["splunk-verify-connection"])
        return True, FAILS if checks else STARTS, True, []
    if driver == "awslogs":
        return True, STARTS if options.get("mode") == NON_BLOCKING else FAILS, True, []
    if driver == "gcplogs":
        return False, FAILS, True, []
    place = log_drivers.address(driver, options)
    if place is None:
        return True, FAILS, True, []  # A plugin: what it does is its own affair, so the worst is assumed.
    if place.scheme == "udp":
        return False, STARTS, True, ["Over UDP nobody notices that a message was lost."]
    return True, FAILS, place.scheme not in ("unix", "unixgram"), []


_ENGINE_WAITS = (
    "A container that ends while the receiver stalls is not cleared away before the receiver goes on or the driver gives "
    "it up: until then docker inspect and docker rm of it do not answer."
)
_JOURNALD = [
    "How much the journal keeps is set in journald.conf (SystemMaxUse, SystemKeepFree), not by log options.",
    "All containers share the rate limit of docker.service (RateLimitIntervalSec, RateLimitBurst in journald.conf, or "
    "LogRateLimitIntervalSec of the unit); what exceeds it is dropped.",
]
