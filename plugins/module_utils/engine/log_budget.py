# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""How many bytes the logs of containers can take at most, and whether a filesystem holds them.

PRIVATE to the collection: no stability is promised to other users.

Bytes are sizes of files below ``<effective root>/containers``. Sources: moby daemon/logger/loggerutils/logfile.go
(WriteLogEntry, rotate, compressFile), jsonfilelog and local for the encoding, copier.go for the length of a message,
loggerutils/cache for the copy that ``docker logs`` reads when the driver cannot be read.

Three things make max-size times max-file too little. A file is rotated before the message after the one that filled it.
The newest rotated file and its compressed copy exist together until the compression is done. Docker 20.10 keeps a
rotated file even with a max-file of 1.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import log_delivery, log_drivers, log_values
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import format_size
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import Version, within

#: What is done about a budget that does not fit.
WARN, ENFORCE, IGNORE = "warn", "enforce", "ignore"
VERDICTS = (WARN, ENFORCE, IGNORE)

_LOCAL_SIZE, _LOCAL_FILES = 20 * 1024 * 1024, 5
_LINE = 16 * 1024
# A byte that is no UTF-8, or a control character, takes six in JSON.
_ENCODED = {"json-file": 6 * _LINE + 512, "local": _LINE + 512}
# awslogs asks for longer messages, which the cache gets too.
_LONG_LINES = {"awslogs": 256 * 1024}
_ATTRIBUTES = 64 * 1024
_ATTRIBUTE_OPTIONS = ("labels", "labels-regex", "env", "env-regex", "tag")


@dataclasses.dataclass(frozen=True)
class LogConfig:
    """The log settings of one container, or those that new containers get."""

    name: str
    driver: str
    options: t.Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Filesystem:
    """Where the logs lie: mount point, size, free for anybody, and the bytes of logs that are there already."""

    target: str
    size: int
    free: int
    logs: int = 0


@dataclasses.dataclass(frozen=True)
class Budget:
    """What logs can take.

    Attributes:
        driver, mode: of new containers.
        per_container: bytes of a new container, None where nothing ends them.
        containers: how many were counted: those that exist, and those that are expected; None when nobody asked.
        unlimited: names of existing containers whose logs nothing ends.
        total: bytes of all counted ones whose logs end; None when nobody asked.
        at_best: bytes of all counted ones once those that may take more than a new one have been created again.
        filesystem: that has to hold them; None where that is not known.
    """

    driver: str
    mode: str
    per_container: int | None
    containers: int | None
    unlimited: tuple[str, ...]
    total: int | None
    at_best: int | None
    filesystem: Filesystem | None

    @property
    def room(self) -> int | None:
        """What logs can take: what is free and what they have already; None where the filesystem is not known."""
        return None if self.filesystem is None else self.filesystem.free + self.filesystem.logs

    @property
    def fits(self) -> bool | None:
        """Whether the filesystem has room for all of it beside what else lies there; None where that is not known."""
        if self.total is None or self.room is None:
            return None
        return self.per_container is not None and not self.unlimited and self.total <= self.room

    def as_dict(self) -> dict[str, t.Any]:
        """Return it as a module returns it."""
        place = self.filesystem
        return {
            "driver": self.driver,
            "mode": self.mode,
            "per_container": self.per_container,
            "containers": self.containers,
            "unlimited": list(self.unlimited),
            "total": self.total,
            "filesystem": place.target if place else None,
            "size": place.size if place else None,
            "free": place.free if place else None,
            "used": place.logs if place else None,
            "fits": self.fits,
        }


def share(driver: str, options: t.Mapping[str, str], version: Version) -> int | None:
    """Return the bytes that the logs of one container can take on its host, or None where nothing ends them.

    Args:
        driver, options: of the container; options that the engine would refuse count as absent.
        version: of the engine that writes.
    """
    if driver in ("json-file", "local"):
        return _rotated(driver, options, version, _ENCODED[driver])
    if log_delivery.reads(driver, options) != log_drivers.CACHE:
        return 0
    # The cache is a log of the driver local that reads the container's options; those that begin with cache- are never
    # looked at, and only a plugin can have others that mean something to it.
    encoded = _ENCODED["local"] + _LONG_LINES.get(driver, 0)
    return _rotated("local", options, version, encoded)


def budget(
    default: LogConfig,
    expected: int,
    existing: t.Iterable[LogConfig] | None,
    filesystem: Filesystem | None,
    version: Version,
) -> Budget:
    """Add up what containers can write.

    Args:
        default: what new containers get.
        expected: how many of those shall have room beside the existing ones.
        existing: containers with their own settings; None when nobody asked.
        filesystem: that holds the logs, None where it is not known.
        version: of the engine.
    """
    each = share(default.driver, default.options, version)
    mode = log_delivery.delivery(default.driver, default.options).mode
    if existing is None:
        return Budget(default.driver, mode, each, None, (), None, None, filesystem)
    shares = {entry.name: share(entry.driver, entry.options, version) for entry in existing}
    unlimited = tuple(sorted(name for name, size in shares.items() if size is None))
    new = (each or 0) * expected
    total = new + sum(size or 0 for size in shares.values())
    at_best = new + sum((each or 0) if size is None else min(size, each or 0) for size in shares.values())
    return Budget(default.driver, mode, each, len(shares) + expected, unlimited, total, at_best, filesystem)


def shortage(found: Budget) -> str:
    """Return why new settings cannot keep logs within their filesystem, a sentence without a final stop, or nothing.

    What containers from earlier take is no reason: to refuse the new settings would keep them as they are.
    """
    if found.per_container is None:
        return (
            f"lets every new container write without end ({found.driver} without max-size); add max-size and max-file "
            "to log-opts, or use the driver local"
        )
    if found.at_best is None or found.room is None or found.at_best <= found.room:
        return ""
    return _too_much(found, found.at_best) + "; lower max-size or max-file, or give containers a larger filesystem"


def leftovers(found: Budget) -> str:
    """Return what is wrong with containers from earlier, a sentence without a final stop, or nothing."""
    if found.unlimited:
        names = ", ".join(found.unlimited[:5]) + (" …" if len(found.unlimited) > 5 else "")
        return f"does not reach containers that log without end ({names}); create them again"
    if found.total is None or found.room is None or found.total <= found.room or shortage(found):
        return ""
    return _too_much(found, found.total) + "; create containers from earlier again, with the new settings it fits"


def _too_much(found: Budget, total: int) -> str:
    place = t.cast(Filesystem, found.filesystem)
    return (
        f"lets {found.containers} containers write {format_size(total)} ({format_size(found.per_container or 0)} for each "
        f"new one), but {place.target} has room for {format_size(found.room or 0)} of {format_size(place.size)}"
    )


def _rotated(driver: str, options: t.Mapping[str, str], version: Version, message: int) -> int | None:
    """Return the sizes of all files that one rotated log can consist of at a time."""
    local = driver == "local"
    size = _read(log_values.decimal_size, options.get("max-size"), _LOCAL_SIZE if local else None)
    if size is None:
        return None
    files = max(1, _read(int, options.get("max-file"), _LOCAL_FILES if local else 1) or 1)
    compress = files > 1 and log_values.is_true(options.get("compress", "true" if local else "false"))
    if any(options.get(name) for name in _ATTRIBUTE_OPTIONS) and (not local or within(version, "29.5")):
        message += _ATTRIBUTES
    if files == 1 and not within(version, "23.0"):
        files = 2
    # What cannot be compressed grows a little by the attempt (RFC 1952, stored blocks).
    overhead = size // 1024 + 1024 if compress else 0
    return (files + compress) * (size + message + overhead)


def _read(reader: t.Callable[[str], int], text: str | None, default: int | None) -> int | None:
    if text is None:
        return default
    try:
        return reader(text)
    except ValueError:
        return default
