# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What the kernel says about the first process of a container: identity, filters, namespaces, mounts, limits.

PRIVATE to the collection: no stability is promised to other users.

The directory of the process is opened once and everything is read through it: a process that takes over the number of one
that ended is never taken for it (proc(5)). That it belongs to the container is shown by its control group, or by the shim
above it. Whatever is read is bounded, and no link in it is followed.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import text_lines
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import Json, Process

_STATUS = frozenset("Uid Gid Groups NoNewPrivs Seccomp Seccomp_filters CapInh CapPrm CapEff CapBnd CapAmb NSpid".split())
_NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")
_LARGEST = 1024 * 1024
_MOST_PROGRAMS = 2000
_MOST_GROUPS = 100
# Files of a control group of version 2; of version 1 by controller, under the names that version 2 has.
_LIMITS = ("memory.max", "pids.max", "cpu.max", "cpu.weight")
_LIMITS_V1 = {
    "memory": {"memory.max": "memory.limit_in_bytes"},
    "pids": {"pids.max": "pids.max"},
    "cpu": {"cpu.cfs_quota_us": "cpu.cfs_quota_us", "cpu.cfs_period_us": "cpu.cfs_period_us", "cpu.shares": "cpu.shares"},
}
_OCTAL = re.compile(r"\\([0-7]{3})")
_VANISHED = "the process ended while it was looked at"


class _TooLong(Exception):
    """There is more of it than is read, and a part would look like the whole."""


class Processes:
    """Looks at the first processes of containers.

    Args:
        proc, cgroups: where the kernel shows processes and control groups.
    """

    def __init__(self, proc: str = "/proc", cgroups: str = "/sys/fs/cgroup") -> None:
        self._proc = proc
        self._cgroups = cgroups
        self._unified: bool | None = None
        self._roots: dict[str, str] | None = None
        self._host_namespaces: dict[str, int] | None = None

    def look(self, inspect: Json) -> Process | None:
        """Return what the kernel says about the process of a container, None for one that does not run.

        Args:
            inspect: ``GET /containers/{id}/json``.
        """
        state = inspect.get("State")
        identifier = inspect.get("Id")
        if not isinstance(state, dict) or not isinstance(identifier, str):
            return None
        pid = state.get("Pid")
        if not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0:
            running = bool(state.get("Running"))
            return Process(error="the engine does not say which process it is") if running else None
        return self.read(pid, identifier)

    def read(self, pid: int, identifier: str) -> Process:
        """Return what the kernel says about a process that should be the first one of a container.

        Args:
            identifier: the container's id.
        """
        try:
            directory = os.open(f"{self._proc}/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            # The kernel hides processes of others from those without the right to see them (proc(5), hidepid).
            return Process(error=f"there is no process {pid} that this account may see")
        try:
            groups = _lines(directory, "cgroup")
            if not any(identifier in line for line in groups) and not self._has_shim(directory, identifier):
                return Process(error=f"process {pid} does not belong to the container any more")
            return self._read(directory, groups, identifier)
        except PermissionError:
            return Process(error="denied: reading about processes of others needs root")
        except _TooLong:
            return Process(error=f"what the kernel says about process {pid} is longer than {_LARGEST} bytes")
        except (OSError, ValueError):
            return Process(error=_VANISHED)
        finally:
            os.close(directory)

    def _read(self, directory: int, groups: t.Sequence[str], identifier: str) -> Process:
        status = {}
        for line in _lines(directory, "status"):
            name, colon, value = line.partition(":")
            if colon and name in _STATUS:
                status[name] = value.strip()
        if "CapBnd" not in status:
            raise ValueError("a part of the status is missing")
        namespaces = _namespaces(directory)
        limits, programs = self._groups(groups, identifier)
        # Read last: once it is there, the process was there for all that was read before.
        uid_map = tuple(_uid_row(line) for line in _lines(directory, "uid_map"))
        return Process(
            status=status,
            uid_map=uid_map,
            label=_label(directory),
            namespaces=namespaces,
            host_namespaces=self._of_host(),
            mounts=_mounts(directory),
            limits=limits,
            programs=programs,
        )

    def _has_shim(self, directory: int, identifier: str) -> bool:
        # Without control groups (cgroup driver none, rootless) the shim above a container is called with its id.
        parent = next((line.split()[1] for line in _lines(directory, "status") if line.startswith("PPid:")), "0")
        try:
            with open(f"{self._proc}/{int(parent)}/cmdline", "rb") as handle:
                return identifier.encode() in handle.read(_LARGEST).split(b"\0")
        except OSError:
            return False

    def _of_host(self) -> dict[str, int]:
        if self._host_namespaces is None:
            self._host_namespaces = self._read_of_host()
        return self._host_namespaces

    def _read_of_host(self) -> dict[str, int]:
        try:
            directory = os.open(f"{self._proc}/1", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return {}
        try:
            return _namespaces(directory)
        except OSError:
            return {}
        finally:
            os.close(directory)

    def _groups(self, lines: t.Sequence[str], identifier: str) -> tuple[dict[str, str], frozenset[str] | None]:
        """Return the limits of a container, and the names of its programs; None where they cannot all be listed."""
        if self._unified is None:
            self._unified = os.path.exists(f"{self._cgroups}/cgroup.controllers")
        places = {}
        for line in lines:
            _number, _colon, rest = line.partition(":")
            controllers, _colon, path = rest.partition(":")
            own = _of_container(path, identifier)
            if own:
                places.update(dict.fromkeys(controllers.split(",") if controllers else [""], own))
        if not places:
            # Without a group of its own a container has no limits, and its programs are among others.
            return {}, None
        if self._unified:
            base = self._group(self._cgroups, places.get("", ""))
            limits = {name: text for name in _LIMITS for text in (_text(f"{base}/{name}"),) if text is not None}
            return limits, self._programs(base)
        limits, base = {}, ""
        for controller, names in _LIMITS_V1.items():
            if controller not in places:
                continue
            # A controller may be mounted together with another (cpu,cpuacct), with a link for each.
            here = self._group(f"{self._cgroups}/{controller}", places[controller])
            base = base or here
            limits.update({name: text for name, file in names.items() for text in (_text(f"{here}/{file}"),) if text is not None})
        return limits, self._programs(base) if base else None

    def _group(self, mount_point: str, path: str) -> str:
        """Return the directory of a control group.

        Args:
            mount_point: where the tree is mounted. Of a host that is a container it may be a branch only (proc_pid_mountinfo(5)).
            path: of the group, from the top of the whole tree.
        """
        if self._roots is None:
            self._roots = _roots(f"{self._proc}/self/mountinfo", self._cgroups)
        root = self._roots.get(mount_point, "/").rstrip("/")
        return mount_point + (path[len(root) :] if root and (path == root or path.startswith(root + "/")) else path)

    def _programs(self, base: str) -> frozenset[str] | None:
        found: set[str] = set()
        groups, seen, programs = [base], 0, 0
        while groups:
            group = groups.pop()
            seen += 1
            listed = _text(f"{group}/cgroup.procs")
            if listed is None:
                if group == base:
                    return None
                continue
            numbers = listed.split()
            programs += len(numbers)
            if seen > _MOST_GROUPS or programs > _MOST_PROGRAMS:
                return None
            for number in numbers:
                name = _text(f"{self._proc}/{number}/comm") if number.isdecimal() else None
                if name:
                    found.add(name)
            # An init in the container makes groups of its own below.
            groups += _below(group)
        return frozenset(found)


def _roots(path: str, below: str) -> dict[str, str]:
    """Return what of its filesystem is mounted at each mount point at or below a directory."""
    rows = (line.split(" ") for line in text_lines.lines_of(_text(path) or ""))
    return {row[4]: row[3] for row in rows if len(row) > 4 and (row[4] == below or row[4].startswith(below + "/"))}


def _of_container(path: str, identifier: str) -> str:
    """Return the group that the engine made, empty for none; the process may be in one that was made in the container."""
    parts = path.rstrip("/").split("/")
    for number, part in enumerate(parts):
        if identifier in part and ".." not in parts:
            return "/".join(parts[: number + 1])
    return ""


def _below(group: str) -> list[str]:
    try:
        if os.stat(group).st_nlink == 2:
            return []
        with os.scandir(group) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _lines(directory: int, name: str) -> list[str]:
    return _read_at(directory, name).decode("utf-8", "surrogateescape").splitlines()


def _read_at(directory: int, name: str) -> bytes:
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=directory)
    try:
        return _whole(descriptor)
    finally:
        os.close(descriptor)


def _text(path: str) -> str | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        return _whole(descriptor).decode("utf-8", "replace").strip()
    except (OSError, _TooLong):
        return None
    finally:
        os.close(descriptor)


def _whole(descriptor: int) -> bytes:
    # The kernel gives such files a page at a time, however much is asked for.
    part = os.read(descriptor, 65536)
    whole = part
    while part:
        part = os.read(descriptor, 65536)
        whole += part
        if len(whole) > _LARGEST:
            raise _TooLong
    return whole


def _label(directory: int) -> str:
    # Where several modules are stacked, each has a directory of its own, and the plain file belongs to one of them.
    for name in ("attr/apparmor/current", "attr/current"):
        try:
            return _read_at(directory, name).decode("utf-8", "replace").strip("\0\n ")
        except PermissionError:
            raise
        except OSError:
            continue
    return ""


def _namespaces(directory: int) -> dict[str, int]:
    found = {}
    for name in _NAMESPACES:
        try:
            target = os.readlink(f"ns/{name}", dir_fd=directory)
        except FileNotFoundError:
            continue
        number = target.partition("[")[2].rstrip("]")
        if number.isdecimal():
            found[name] = int(number)
    return found


def _uid_row(line: str) -> tuple[int, int, int]:
    inside, outside, count = (int(word) for word in line.split()[:3])
    return inside, outside, count


def _mounts(directory: int) -> tuple[tuple[str, str, str], ...]:
    found = []
    for line in _lines(directory, "mountinfo"):
        fields = line.split(" ")
        try:
            kind = fields[fields.index("-", 6) + 1]
        except (ValueError, IndexError):
            continue
        target = fields[4]
        found.append((_OCTAL.sub(lambda match: chr(int(match[1], 8)), target) if "\\" in target else target, fields[5], kind))
    return tuple(found)
