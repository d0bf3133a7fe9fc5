# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The log drivers of the Docker engine, their options, and what is wrong with a pair of log-driver and log-opts.

PRIVATE to the collection: no stability is promised to other users.

``dockerd --validate`` looks at none of this; a bad option keeps the daemon from starting, or logs from being rotated.
Sources: ValidateLogOpt of each driver in moby daemon/logger/*, logger/factory.go for what every driver takes, and
logger/loggerutils/cache for the local copy of logs that remote drivers keep.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import parse_size
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import Version, within

_COMMON = ("labels", "labels-regex", "env", "env-regex", "tag")
_BOOLEANS = ("1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False")
_SIZES = ("max-size", "max-buffer-size", "fluentd-buffer-limit")


@dataclasses.dataclass(frozen=True)
class LogDriver:
    """One driver: its options with the releases that brought and dropped each, and what it cannot do without."""

    options: dict[str, tuple[str, str]]
    required: tuple[str, ...] = ()
    since: str = ""
    removed: str = ""


def _options(*plain: str, **dated: tuple[str, str]) -> dict[str, tuple[str, str]]:
    return {**dict.fromkeys(plain, ("", "")), **{name.replace("_", "-"): span for name, span in dated.items()}}


DRIVERS: dict[str, LogDriver] = {
    "none": LogDriver({}),
    "json-file": LogDriver(_options(*_COMMON, "max-size", "max-file", "compress")),
    "local": LogDriver({**_options("max-size", "max-file", "compress"), **dict.fromkeys(_COMMON, ("29.5", ""))}),
    "journald": LogDriver(_options(*_COMMON)),
    "syslog": LogDriver(
        _options(
            *_COMMON,
            "syslog-address",
            "syslog-facility",
            "syslog-tls-ca-cert",
            "syslog-tls-cert",
            "syslog-tls-key",
            "syslog-tls-skip-verify",
            "syslog-format",
        )
    ),
    "gelf": LogDriver(
        _options(
            *_COMMON,
            "gelf-address",
            "gelf-compression-type",
            "gelf-compression-level",
            "gelf-tcp-max-reconnect",
            "gelf-tcp-reconnect-delay",
        ),
        required=("gelf-address",),
    ),
    "fluentd": LogDriver(
        _options(
            *_COMMON,
            "fluentd-address",
            "fluentd-async",
            "fluentd-buffer-limit",
            "fluentd-max-retries",
            "fluentd-request-ack",
            "fluentd-retry-wait",
            "fluentd-sub-second-precision",
            fluentd_async_connect=("", "28.0"),
            fluentd_async_reconnect_interval=("23.0", ""),
            fluentd_write_timeout=("28.2", ""),
            fluentd_read_timeout=("29.0", ""),
        )
    ),
    "splunk": LogDriver(
        _options(
            *_COMMON,
            "splunk-token",
            "splunk-url",
            "splunk-source",
            "splunk-sourcetype",
            "splunk-index",
            "splunk-capath",
            "splunk-caname",
            "splunk-insecureskipverify",
            "splunk-format",
            "splunk-verify-connection",
            "splunk-gzip",
            "splunk-gzip-level",
            "splunk-index-acknowledgment",
        ),
        required=("splunk-token", "splunk-url"),
    ),
    "awslogs": LogDriver(
        _options(
            "tag",
            "awslogs-region",
            "awslogs-endpoint",
            "awslogs-group",
            "awslogs-stream",
            "awslogs-create-group",
            "awslogs-datetime-format",
            "awslogs-multiline-pattern",
            "awslogs-credentials-endpoint",
            "awslogs-force-flush-interval-seconds",
            "awslogs-max-buffered-events",
            awslogs_create_stream=("29.0", ""),
            awslogs_format=("23.0", ""),
        ),
        required=("awslogs-group",),
    ),
    "gcplogs": LogDriver(
        _options(
            "labels",
            "labels-regex",
            "env",
            "env-regex",
            "gcp-project",
            "gcp-log-cmd",
            "gcp-meta-zone",
            "gcp-meta-name",
            "gcp-meta-id",
        )
    ),
    "logentries": LogDriver(
        _options(*_COMMON, "logentries-token", "line-only"), required=("logentries-token",), removed="25.0"
    ),
}

_EVERY_DRIVER = ("mode", "max-buffer-size", "cache-disabled")
_CACHE_IGNORED = ("cache-max-size", "cache-max-file", "cache-compress")


def problems(driver: str, options: t.Mapping[str, t.Any], version: Version) -> list[tuple[str, str]]:
    """Return what is wrong with a log driver and its options.

    Args:
        driver: the value of log-driver, or json-file where it is absent.
        options: the value of log-opts.
        version: of the engine that shall read them.

    Returns:
        Pairs of a path, ``log-driver`` or ``log-opts.<name>``, and a sentence without a final stop.
    """
    known = DRIVERS.get(driver)
    if known is None and ":" in driver:
        return []  # A log plugin has options of its own.
    if known is None or not within(version, known.since, known.removed):
        names = ", ".join(name for name, entry in DRIVERS.items() if within(version, entry.since, entry.removed))
        gone = f"was removed in {known.removed}" if known else "is unknown"
        return [("log-driver", f"'{driver}' {gone}; Docker {version} has {names}, and plugins named name:tag")]
    found = []
    for name, value in options.items():
        path = f"log-opts.{name}"
        problem = _option_problem(driver, known, name, version) or _value_problem(name, value)
        if problem:
            found.append((path, problem))
    found += [
        ("log-opts", f"the driver {driver} cannot do without {name}; add it")
        for name in known.required
        if not options.get(name)
    ]
    # Rules between options need options that can be read.
    return found or _between(driver, t.cast("t.Mapping[str, str]", options))


def _option_problem(driver: str, known: LogDriver, name: str, version: Version) -> str:
    if name in _EVERY_DRIVER:
        return ""
    if name in _CACHE_IGNORED:
        return (
            "is accepted and then ignored by the engine, which keeps up to 100 MB for each container whatever it says; "
            'remove it, or set cache-disabled to "true"'
        )
    span = known.options.get(name)
    if span is None:
        possible = [*known.options, *_EVERY_DRIVER]
        near = difflib.get_close_matches(name, possible, n=1)
        owner = next((other for other, entry in DRIVERS.items() if other != driver and name in entry.options), "")
        if near:
            return f"is no option of the driver {driver}; did you mean {near[0]}"
        return f"is no option of the driver {driver}" + (f" but of {owner}" if owner else "") + "; remove it"
    if not within(version, span[0]):
        return f"came to the driver {driver} with Docker {span[0]}, but {version} is installed; remove it"
    if not within(version, "", span[1]):
        return f"left the driver {driver} with Docker {span[1]}, and {version} is installed; remove it"
    return ""


def _value_problem(name: str, value: t.Any) -> str:
    if not isinstance(value, str):
        quoted = {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
        hint = f', such as "{quoted}"' if isinstance(value, (bool, int, float)) and "token" not in name else ""
        return f"must be a string, or dockerd does not start; put it in quotes{hint}"
    if name in _SIZES:
        try:
            size = parse_size(value)
        except ValueError:
            # Unlimited is json-file's own default and may be spelt out.
            return "" if name == "max-size" and value == "-1" else f"is '{value}', which is no size; write it like 10m"
        if size == 0:
            return "is 0; write a size such as 10m"
    if name == "max-file" and (not value.isdigit() or int(value) < 1):
        return f"is '{value}', but it must be a whole number of 1 or more"
    if (
        name in ("compress", "cache-disabled", "awslogs-create-group", "awslogs-create-stream", "fluentd-async")
        and value not in _BOOLEANS
    ):
        return f'is \'{value}\', but it must be "true" or "false"'
    if name == "mode" and value not in ("blocking", "non-blocking"):
        return f"is '{value}', but only blocking and non-blocking exist"
    if name == "syslog-format" and value not in ("", "rfc3164", "rfc5424", "rfc5424micro"):
        return f"is '{value}', but only rfc3164, rfc5424 and rfc5424micro exist"
    if name == "gelf-compression-type" and value not in ("gzip", "zlib", "none"):
        return f"is '{value}', but only gzip, zlib and none exist"
    if name == "gelf-address" and not value.startswith(("udp://", "tcp://")):
        return f"is '{value}', but it must begin with udp:// or tcp://"
    if name == "syslog-address" and not value.startswith(("udp://", "tcp://", "tcp+tls://", "unix://", "unixgram://")):
        return f"is '{value}', but it must begin with udp://, tcp://, tcp+tls://, unix:// or unixgram://"
    return ""


def _between(driver: str, options: t.Mapping[str, str]) -> list[tuple[str, str]]:
    found = []
    if "max-buffer-size" in options and options.get("mode") != "non-blocking":
        found.append(
            (
                "log-opts.max-buffer-size",
                "works only with mode set to non-blocking, and dockerd does not start otherwise; set the mode or "
                "remove it",
            )
        )
    if driver == "json-file":
        unlimited = options.get("max-size", "-1") == "-1"
        if "max-file" in options and unlimited:
            found.append(
                (
                    "log-opts.max-file",
                    "rotates nothing without max-size, so logs grow until the disk is full; add max-size",
                )
            )
        if _is_true(options.get("compress", "false")) and (unlimited or int(options.get("max-file", "1")) < 2):
            found.append(
                (
                    "log-opts.compress",
                    "needs max-size and a max-file of 2 or more, or containers do not start; add them or remove it",
                )
            )
    if driver == "local" and int(options.get("max-file", "5")) < 2 and _is_true(options.get("compress", "true")):
        found.append(
            (
                "log-opts.max-file",
                'is 1, but the driver local compresses and needs 2 or more; raise it or set compress to "false"',
            )
        )
    if driver == "awslogs" and "awslogs-datetime-format" in options and "awslogs-multiline-pattern" in options:
        found.append(("log-opts.awslogs-multiline-pattern", "excludes awslogs-datetime-format; keep one of the two"))
    address = options.get("gelf-address", "")
    for name in options:
        if name.startswith("gelf-tcp-") and address.startswith("udp://"):
            found.append((f"log-opts.{name}", "works only with a tcp:// address; remove it"))
        if name.startswith("gelf-compression-") and address.startswith("tcp://"):
            found.append((f"log-opts.{name}", "works only with a udp:// address; remove it"))
    return found


def _is_true(value: str) -> bool:
    return value in _BOOLEANS[:6]
