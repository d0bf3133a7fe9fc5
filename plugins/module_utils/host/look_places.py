# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Where mounts of containers lead on the host: links resolved, engines' sockets found, who can put something else there.

PRIVATE to the collection: no stability is promised to other users.

A socket is known by its inode, so neither another name for it nor a directory above it hides it. Each path is looked at
once, however many containers mount it.
"""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import text_lines
from ansible_collections.bulkhead.docker.plugins.module_utils.host.path_owners import Paths, Unreadable
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import ContainerLook, Json, Place

# Names of sockets by which engines take orders; whoever listens under one of them is taken for an engine.
_NAMES = frozenset("docker.sock containerd.sock containerd.sock.ttrpc podman.sock crio.sock buildkitd.sock nri.sock".split())
# Where engines listen when nobody says otherwise.
_USUAL = (
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/docker/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
    "/run/buildkit/buildkitd.sock",
    "/run/nri/nri.sock",
)
_LISTENING = 0x10000
_MOST_USERS = 500

_Inode = tuple[int, int]


class Sockets:
    """The sockets of container engines on this host.

    Args:
        paths: how paths are looked at.
        listeners: paths on which the daemon is told to listen.
        proc: where the kernel shows its tables.
    """

    def __init__(self, paths: Paths, listeners: t.Iterable[str] = (), proc: str = "/proc") -> None:
        self._paths = paths
        self._found: dict[str, os.stat_result] = {}
        # By inode, the sockets that are reached through what lies there: themselves, and every directory above.
        self._through: dict[_Inode, list[str]] = {}
        for path in (*_USUAL, *listeners, *self._of_users(), *_listening(proc)):
            self._add(path)

    @property
    def found(self) -> tuple[str, ...]:
        """The paths, without links, in their order."""
        return tuple(sorted(self._found))

    def reached_through(self, status: os.stat_result, with_filesystems_below: bool = True) -> tuple[str, ...]:
        """Return the sockets that are reached through a file or directory.

        Args:
            with_filesystems_below: whether what is mounted below a directory comes with it.
        """
        paths = self._through.get((status.st_dev, status.st_ino), ())
        return tuple(path for path in paths if with_filesystems_below or self._found[path].st_dev == status.st_dev)

    def _add(self, path: str) -> None:
        try:
            walk = self._paths.walk(path)
        except Unreadable:
            return
        if walk.status is None or not stat.S_ISSOCK(walk.status.st_mode) or walk.real in self._found:
            return
        self._found[walk.real] = walk.status
        current = walk.real
        while True:
            try:
                status = self._paths.walk(current).status
            except Unreadable:
                status = None
            if status is not None:
                self._through.setdefault((status.st_dev, status.st_ino), []).append(walk.real)
            if current == "/":
                return
            current = current.rpartition("/")[0] or "/"

    def _of_users(self) -> list[str]:
        try:
            users = [name for name in self._paths.names("/run/user", _MOST_USERS) if name.isdecimal()]
        except Unreadable:
            return []
        return [f"/run/user/{user}/{name}" for user in users for name in ("docker.sock", "podman/podman.sock", "buildkit/buildkitd.sock")]


class Places:
    """Says where the mounts of containers lead.

    Args:
        paths: how paths are looked at.
        sockets: of engines.
        volumes: what the engine says of its volumes.
    """

    def __init__(self, paths: Paths, sockets: Sockets, volumes: t.Iterable[Json] = ()) -> None:
        self._paths = paths
        self._sockets = sockets
        self._devices = {str(volume.get("Name", "")): _device(volume) for volume in volumes}
        self._known: dict[tuple[str, bool], Place | None] = {}
        # By path without links, a container that writes there.
        self._writers: dict[str, str] = {}

    def of_all(self, looks: t.Sequence[ContainerLook]) -> list[dict[str, Place]]:
        """Return the places of each container, by target of the mount; what could not be looked at is left out."""
        mounted = [_mounts(look.inspect) for look in looks]
        for look, mounts in zip(looks, mounted):
            name = str(look.inspect.get("Name", "")).lstrip("/")
            for mount in mounts:
                source = self._source(mount)
                if mount.get("RW") and source:
                    self._writers.setdefault(self._paths.real(source), name)
        return [self._of_one(look, mounts) for look, mounts in zip(looks, mounted)]

    def _of_one(self, look: ContainerLook, mounts: t.Sequence[Json]) -> dict[str, Place]:
        shallow = _shallow(look.inspect)
        found = {}
        for mount in mounts:
            target, source = str(mount.get("Destination", "")), self._source(mount)
            place = self._place(source, target not in shallow) if source else None
            if place is not None:
                found[target] = place
        return found

    def _source(self, mount: Json) -> str:
        """Return the absolute path of the host that a mount shows; empty where it shows none."""
        kind = mount.get("Type")
        source = mount.get("Source")
        if kind == "volume":
            device = self._devices.get(str(mount.get("Name", "")), "")
            source = device or source
        return source if isinstance(source, str) and source.startswith("/") and "\0" not in source else ""

    def _place(self, source: str, deep: bool) -> Place | None:
        key = (source, deep)
        if key not in self._known:
            self._known[key] = self._looked(source, deep)
        return self._known[key]

    def _looked(self, source: str, deep: bool) -> Place | None:
        try:
            walk = self._paths.walk(source)
            replaceable = self._paths.replaceable(source)
        except Unreadable:
            return None
        sockets = self._sockets.reached_through(walk.status, deep) if walk.status is not None else ()
        return Place(walk.real, sockets, replaceable or self._written(source, walk.real))

    def _written(self, source: str, real: str) -> str:
        """Return the directory above a path in which a container can put something else at the path; empty for none."""
        for path in dict.fromkeys((real, source)):
            above = path.rpartition("/")[0]
            while above:
                if above in self._writers:
                    return f"{above} (container {self._writers[above]} writes in it)"
                above = above.rpartition("/")[0]
        return ""


def linked_volumes(paths: Paths, volumes: t.Iterable[Json]) -> tuple[str, ...]:
    """Return the names of volumes of the driver local whose ``_data`` is a symbolic link.

    Raises:
        Unreadable: the volumes cannot be looked at.
    """
    found = []
    for volume in volumes:
        mountpoint = volume.get("Mountpoint")
        local = volume.get("Driver") == "local" and isinstance(mountpoint, str) and mountpoint.startswith("/")
        if local and paths.walk(str(mountpoint)).linked:
            found.append(str(volume.get("Name", "")))
    return tuple(sorted(found))


def _listening(proc: str) -> list[str]:
    """Return paths under names of engines on which somebody listens in this network namespace (proc_net_unix)."""
    try:
        with open(f"{proc}/net/unix", encoding="utf-8", errors="surrogateescape", newline="") as handle:
            lines = text_lines.lines_of(handle.read(16 * 1024 * 1024))[1:]
    except OSError:
        return []
    found = []
    for line in lines:
        fields = line.split(None, 7)
        if len(fields) == 8 and fields[7].startswith("/") and fields[7].rpartition("/")[2] in _NAMES:
            try:
                listens = int(fields[3], 16) & _LISTENING
            except ValueError:
                continue
            if listens:
                found.append(fields[7])
    return found


def _device(volume: Json) -> str:
    """Return the path that a volume's options bind instead of its own directory; empty for none."""
    options = volume.get("Options")
    if not isinstance(options, dict):
        return ""
    device = options.get("device")
    words = str(options.get("o", "")).split(",")
    binds = "bind" in words or "rbind" in words or str(options.get("type", "")) in ("none", "")
    return device if binds and isinstance(device, str) and device.startswith("/") else ""


def _mounts(inspect: Json) -> list[Json]:
    mounts = inspect.get("Mounts")
    return [mount for mount in mounts if isinstance(mount, dict)] if isinstance(mounts, list) else []


def _shallow(inspect: Json) -> frozenset[str]:
    """Return the targets of binds that leave out what is mounted below their source."""
    config = inspect.get("HostConfig")
    mounts = config.get("Mounts") if isinstance(config, dict) else None
    found = set()
    for mount in mounts if isinstance(mounts, list) else ():
        options = mount.get("BindOptions") if isinstance(mount, dict) else None
        if isinstance(options, dict) and options.get("NonRecursive"):
            found.add(str(mount.get("Target", "")))
    return frozenset(found)
