# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Writes metrics about the slices of containers and the filesystems of Docker for the node exporter's textfile collector.

Managed by the role bulkhead.docker.docker_limits. Needs nothing but Python. Looks once; a timer starts it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import sys
import tempfile
import time
import typing as t

CONFIG = "/etc/bulkhead/docker-limits.json"
STATE = "/var/lib/bulkhead-limits/usage.json"
METRICS = "bulkhead_limits.prom"
PREFIX = "bulkhead_limits_"
RESOURCES = ("cpu", "memory", "io")

#: Filesystems that hold no data of their own.
_HOLLOW = frozenset("overlay tmpfs proc sysfs nsfs cgroup cgroup2 mqueue devpts devtmpfs bpf tracefs debugfs fuse.lxcfs squashfs".split())
#: Those of volumes that lie on other machines, which make whoever looks at them wait while those are away.
_REMOTE = re.compile(r"nfs4?|cifs|smb3|smbfs|ceph|9p|afs|glusterfs|lustre|fuse\..*")
#: How far back the memory of filling goes, how close its entries lie, and how much of it a forecast needs, in seconds.
_LONGEST, _BETWEEN, _LEAST = 6 * 3600, 300, 1800
#: Of a later time than this nobody needs a forecast.
_FARTHEST = 90 * 86400
_MOST_PATHS, _MOST_SLICES = 64, 256
_SCOPE = re.compile(r"docker-[0-9a-f]{64}\.scope")
_LABEL = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

_HELP = {
    "timestamp_seconds": "When this was looked at, in seconds since 1970.",
    "threshold_ratio": "From which part on a threshold is crossed.",
    "threshold_seconds": "Within which time a filesystem must not become full.",
    "controller": "1 for each controller of cgroup v2 that the host has; without one its limits are not in force.",
    "containers_outside": "Containers that lie outside of the slice, so that no limit of it counts for them.",
    "pressure_ratio": "Part of the time in which some, or all, tasks of a slice waited for a resource, over a window in seconds.",
    "pressure_seconds_total": "Time in which some, or all, tasks of a slice waited for a resource.",
    "memory_bytes": "Memory of a slice, caches included.",
    "memory_max_bytes": "What a slice may have of it; absent where that is no limit.",
    "memory_events_total": "How often a slice came to a limit of memory, by event; oom_kill counts what was killed.",
    "tasks": "Processes and threads of a slice.",
    "tasks_max": "What a slice may have of them; absent where that is no limit.",
    "tasks_refused_total": "How often a slice was refused a new task.",
    "cpu_throttled_seconds_total": "Time in which a slice was kept from the processors that it had used up.",
    "filesystem_size_bytes": "Size of a filesystem of Docker.",
    "filesystem_available_bytes": "What is free of it for those who are not root.",
    "filesystem_inodes": "Files that it can have; absent where it has no such limit.",
    "filesystem_inodes_free": "Files that it can still have.",
    "filesystem_full_seconds": "When it is full if it goes on filling as in the last hours; absent where it does not fill.",
}
_COUNTERS = frozenset(name for name in _HELP if name.endswith("_total"))

Json = dict[str, t.Any]
Rows = dict[str, list[str]]


@dataclasses.dataclass(frozen=True)
class Places:
    """Where things are; tests have others."""

    config: str = CONFIG
    state: str = STATE
    cgroups: str = "/sys/fs/cgroup"
    pressure: str = "/proc/pressure"
    mountinfo: str = "/proc/self/mountinfo"


def add(rows: Rows, metric: str, value: float, **labels: str) -> None:
    """Add one sample."""
    inside = ",".join(f'{key}="{label.translate(_LABEL)}"' for key, label in labels.items())
    text = repr(float(value)) if not float(value).is_integer() else str(int(value))
    rows.setdefault(metric, []).append(f"{PREFIX}{metric}{{{inside}}} {text}\n" if inside else f"{PREFIX}{metric} {text}\n")


def render(rows: Rows) -> str:
    """Return the text (format 0.0.4, no timestamps)."""
    parts = []
    for name, told in _HELP.items():
        if name in rows:
            parts.append(f"# HELP {PREFIX}{name} {told}\n# TYPE {PREFIX}{name} {'counter' if name in _COUNTERS else 'gauge'}\n{''.join(rows[name])}")
    return "".join(parts)


# Slices ------------------------------------------------------------------------------------------------------------------------


def of_slice(rows: Rows, name: str, directory: str, pressure: str = "") -> None:
    """Add what the kernel tells of a slice.

    Args:
        pressure: the directory of the pressure where the slice is the whole host, which tells it elsewhere.
    """
    for resource in RESOURCES:
        of_pressure(rows, name, resource, _text(os.path.join(pressure, resource) if pressure else os.path.join(directory, f"{resource}.pressure")))
    for metric, file in (("memory_bytes", "memory.current"), ("memory_max_bytes", "memory.max"), ("tasks", "pids.current"), ("tasks_max", "pids.max")):
        number = _text(os.path.join(directory, file)).strip()
        if number.isdigit():
            add(rows, metric, int(number), slice=name)
    for event, count in _numbers(_text(os.path.join(directory, "memory.events"))).items():
        add(rows, "memory_events_total", count, slice=name, event=event)
    refused = _numbers(_text(os.path.join(directory, "pids.events"))).get("max")
    if refused is not None:
        add(rows, "tasks_refused_total", refused, slice=name)
    throttled = _numbers(_text(os.path.join(directory, "cpu.stat"))).get("throttled_usec")
    if throttled is not None:
        add(rows, "cpu_throttled_seconds_total", throttled / 1e6, slice=name)


def of_pressure(rows: Rows, name: str, resource: str, text: str) -> None:
    """Add what a file of pressure says, as ``some avg10=0.00 avg60=0.00 avg300=0.00 total=0``."""
    for line in text.splitlines():
        kind, _blank, rest = line.partition(" ")
        values = dict(word.partition("=")[::2] for word in rest.split())
        if kind not in ("some", "full") or "total" not in values:
            continue
        for window in ("10", "60", "300"):
            with contextlib.suppress(KeyError, ValueError):
                add(rows, "pressure_ratio", round(float(values[f"avg{window}"]) / 100, 6), slice=name, resource=resource, kind=kind, window=window)
        with contextlib.suppress(ValueError):
            add(rows, "pressure_seconds_total", int(values["total"]) / 1e6, slice=name, resource=resource, kind=kind)


def place(cgroups: str, name: str) -> str:
    """Return the directory of a slice, which lies in those of its name's beginnings (systemd.slice(5))."""
    words = name[: -len(".slice")].split("-")
    return os.path.join(cgroups, *("-".join(words[: number + 1]) + ".slice" for number in range(len(words))))


def outside(cgroups: str, slice_: str) -> int:
    """Return how many containers lie elsewhere than in a slice."""
    inside = place(cgroups, slice_) + os.sep
    top = cgroups.rstrip("/").count("/")
    found = 0
    for directory, names, _files in os.walk(cgroups):
        found += sum(1 for name in names if _SCOPE.fullmatch(name) and not os.path.join(directory, name).startswith(inside))
        names[:] = [] if directory.count("/") - top >= 8 else [name for name in names if not _SCOPE.fullmatch(name)]
    return found


# Filesystems -------------------------------------------------------------------------------------------------------------------


def filesystems(mountinfo: str, roots: t.Sequence[str]) -> list[str]:
    """Return the mount points of the filesystems on which directories lie, and of those below them; each filesystem once."""
    mounts: dict[str, tuple[str, str]] = {}
    for line in mountinfo.splitlines():
        left, dash, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if dash and len(fields) > 4 and kind:
            mounts[re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4])] = (fields[2], kind[0])
    wanted: list[str] = []
    remote = {point for point, (_device, kind) in mounts.items() if _REMOTE.fullmatch(kind)}
    for root in (root.rstrip("/") or "/" for root in roots):
        above = [point for point in mounts if point == "/" or root == point or root.startswith(point + "/")]
        wanted += [max(above, key=len)] if above else []
        wanted += sorted(point for point in mounts if point.startswith(root.rstrip("/") + "/") and point not in remote)
    found: dict[str, str] = {}
    for point in wanted:
        device, kind = mounts[point]
        if kind not in _HOLLOW:
            found.setdefault(device, point)
    return list(found.values())[:_MOST_PATHS]


def slope(samples: t.Sequence[tuple[float, float]]) -> float:
    """Return how much a value grows in a second, by least squares."""
    count = len(samples)
    middle, mean = sum(at for at, _value in samples) / count, sum(value for _at, value in samples) / count
    spread = sum((at - middle) ** 2 for at, _value in samples)
    return sum((at - middle) * (value - mean) for at, value in samples) / spread if spread else 0.0


def forecast(samples: t.Sequence[tuple[float, float]], free: float) -> float | None:
    """Return in how many seconds nothing is free, None where that cannot be said or is far away.

    Args:
        samples: times, and what was used then.
        free: what is free now.
    """
    if free <= 0:
        return 0.0
    if len(samples) < 3 or samples[-1][0] - samples[0][0] < _LEAST:
        return None
    # What was freed in between counts for half of the time only: a cleaned disk that fills again is warned of.
    recent = [sample for sample in samples if sample[0] >= samples[-1][0] - _LEAST]
    growth = max(slope(samples), slope(recent) if len(recent) >= 3 else 0.0)
    if growth <= 0 or free / growth > _FARTHEST:
        return None
    return free / growth


def remember(samples: t.Sequence[tuple[float, float]], now: float, used: float) -> list[tuple[float, float]]:
    """Return the memory with what is used now; times that lie in the future belong to another clock."""
    kept = [(at, value) for at, value in samples if now - _LONGEST <= at < now]
    if kept and now - kept[-1][0] < _BETWEEN:
        return kept
    return [*kept, (now, used)]


def of_filesystem(rows: Rows, point: str, memory: Json, now: float) -> None:
    """Add what is free of a filesystem and when it is full, and remember it."""
    found = os.statvfs(point)
    add(rows, "filesystem_size_bytes", found.f_blocks * found.f_frsize, path=point)
    add(rows, "filesystem_available_bytes", found.f_bavail * found.f_frsize, path=point)
    known = [("bytes", (found.f_blocks - found.f_bfree) * found.f_frsize, found.f_bavail * found.f_frsize)]
    if found.f_files:
        add(rows, "filesystem_inodes", found.f_files, path=point)
        add(rows, "filesystem_inodes_free", found.f_ffree, path=point)
        known.append(("inodes", found.f_files - found.f_ffree, found.f_ffree))
    for what, used, free in known:
        key = f"{what} {point}"
        samples = remember(_samples(memory.get(key)), now, used)
        memory[key] = samples
        current = samples if samples[-1][0] == now else [*samples, (now, used)]
        seconds = forecast(current, free)
        if seconds is not None:
            add(rows, "filesystem_full_seconds", round(seconds), path=point, of=what)


def _samples(value: t.Any) -> list[tuple[float, float]]:
    found = []
    for entry in value if isinstance(value, list) else ():
        if isinstance(entry, list) and len(entry) == 2 and all(isinstance(number, (int, float)) for number in entry):
            found.append((float(entry[0]), float(entry[1])))
    return sorted(found)


# All of it ---------------------------------------------------------------------------------------------------------------------


def look(config: Json, memory: Json, places: Places, now: float) -> Rows:
    """Return all metrics, and keep what has to be remembered in ``memory``."""
    rows: Rows = {}
    add(rows, "timestamp_seconds", round(now))
    for name, value in config["thresholds"].items():
        if name.endswith("_hours"):
            add(rows, "threshold_seconds", value * 3600, name=name[: -len("_within_hours")])
        else:
            add(rows, "threshold_ratio", value / 100, name=name)
    have = _text(os.path.join(places.cgroups, "cgroup.controllers")).split()
    for controller in ("cpu", "io", "memory", "pids"):
        add(rows, "controller", int(controller in have), controller=controller)
    slices = config["slices"][:_MOST_SLICES]
    if slices:
        add(rows, "containers_outside", outside(places.cgroups, slices[0]), slice=slices[0])
    of_slice(rows, "-.slice", places.cgroups, places.pressure)
    for name in slices:
        of_slice(rows, name, place(places.cgroups, name))
    points = filesystems(_text(places.mountinfo), config["roots"])
    for point in points:
        # One that is gone by now, or hangs in an error, must not hide the others.
        with contextlib.suppress(OSError):
            of_filesystem(rows, point, memory, now)
    for key in [key for key in memory if key.partition(" ")[2] not in points]:
        del memory[key]
    return rows


def _numbers(text: str) -> dict[str, int]:
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return ""


def _json(path: str) -> Json:
    try:
        found = json.loads(_text(path))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: str, text: str, mode: int) -> None:
    """Replace a file atomically. The name of the new file does not end as that of metrics does, so nobody reads a part of it."""
    descriptor, temporary = tempfile.mkstemp(prefix=".docker-limits.", dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(text)
            os.fchmod(handle.fileno(), mode)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def main(places: Places, now: float) -> int:
    """Look once and return the exit status."""
    config = _json(places.config)
    if not {"directory", "slices", "roots", "thresholds"} <= set(config):
        print(f"docker-limits-metrics: {places.config} is not what the role docker_limits writes; run that role.", file=sys.stderr)
        return 1
    memory = _json(places.state)
    rows = look(config, memory, places, now)
    try:
        _write(os.path.join(config["directory"], METRICS), render(rows), 0o644)
        # A full filesystem must not hide that it is full: the metrics come first.
        _write(places.state, json.dumps(memory), 0o600)
    except OSError as error:
        print(f"docker-limits-metrics: {error.filename or config['directory']} cannot be written: {error.strerror}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Places(), time.time()))
