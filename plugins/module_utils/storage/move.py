# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Moving what Docker holds to other filesystems, to another data-root or to other ids: what goes where, and what cannot.

PRIVATE to the collection: no stability is promised to other users.

Either the daemon's root becomes another one (data-root, userns-remap): then everything is copied into the new root while the
old one serves, and the change of daemon.json is the moment from which the new one counts. Or the root stays and directories
in it get filesystems of their own: then each is copied to its filesystem, which is mounted aside until it takes the
directory's place.

Only what containers see has the ids of containers: the contents of layers and of volumes. All else in the root belongs to
dockerd, which runs as root whatever userns-remap says; only some of its directories carry the group of a container's root
(moby: daemon/daemon_unix.go setupDaemonRoot, daemon/graphdriver/overlay2/overlay.go create, daemon/create.go).
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_ranges import Mapping
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import format_size

REFUSE = "refuse"
MOVE = "move"
KEEP = "keep"
REMOVE = "remove"
#: Where filesystems are filled before they take the places of directories.
STAGING = "/var/lib/bulkhead/move"
#: What the old tree of a directory is called that was replaced by a filesystem.
ASIDE = ".bulkhead-before-move"
#: Names in a root that belong to other roots, to us, or to the filesystem.
_NOT_OF_THIS_ROOT = re.compile(rf"\d+\.\d+|lost\+found|.*{re.escape(ASIDE)}")
#: What in a directory has the ids of containers: contents of layers, what the kernel needs to change them, and contents of volumes.
_OF_CONTAINERS = {"overlay2": ("*/diff", "*/work"), "volumes": ("*/_data",)}
#: A device node that is made anew at every start (moby: daemon/internal/quota/projectquota.go, makeBackingFsDev).
_LEFT_ALONE = {"overlay2": ("backingFsBlockDev",), "volumes": ("backingFsBlockDev",)}
#: Directories that dockerd empties or makes anew whenever it starts (moby: daemon/runtime_unix.go initRuntimesDir, daemon/daemon.go prepareTempDir).
_MADE_AT_START = ("runtimes", "tmp", "tmp-old")
#: What must stay free on a filesystem, as a share of what is copied to it: directories and metadata differ by filesystem.
_RESERVE = 0.05
_SMALLEST_RESERVE = 64 * 1024 * 1024

#: Drivers whose layers are plain files in directories; those of others are parts of a filesystem or pool.
_PLAIN_DRIVERS = ("overlay2", "fuse-overlayfs", "overlay", "aufs", "vfs")
#: What the engine itself mounts in a root while containers run and images are built.
_MOUNTED_BY_THE_ENGINE = re.compile(
    r"(?:overlay2|overlay|fuse-overlayfs)/[^/]+/merged(?:/.*)?|containers/[^/]+/(?:mounts|shm|mqueue|secrets)(?:/.*)?|buildkit/.*|rootfs/[^/]+/[^/]+"
)
#: How many files with an id of nobody are named.
_NAMED = 20

Ids = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Root:
    """Where a daemon keeps its data: the effective root, the data-root that it lies in, and the range of its containers' ids.

    Attributes:
        ids: first id and count; None where the ids of containers are those of the host.
    """

    path: str
    data_root: str
    ids: Ids | None = None


@dataclasses.dataclass(frozen=True)
class Place:
    """A directory in the root that gets a filesystem.

    Attributes:
        path: of the directory, where the filesystem will be mounted.
        device, fstype, options, source: what is mounted, and what fstab calls it.
        uuid: of the filesystem, empty until it exists.
    """

    name: str
    path: str
    device: str
    fstype: str
    options: tuple[str, ...]
    source: str = ""
    uuid: str = ""


@dataclasses.dataclass(frozen=True)
class Move:
    """What has to be moved: from one root to another, or, within one, some directories to filesystems."""

    before: Root
    after: Root
    places: tuple[Place, ...] = ()

    @property
    def changes_root(self) -> bool:
        """Whether dockerd itself has to be told of another place."""
        return self.before.path != self.after.path

    @property
    def shifts_ids(self) -> bool:
        """Whether the ids of containers become others."""
        return self.before.ids != self.after.ids

    def describe(self) -> str:
        """Return the move in words."""
        if self.changes_root:
            ids = f", ids from {_range(self.before.ids)} to {_range(self.after.ids)}" if self.shifts_ids else ""
            return f"from {self.before.path} to {self.after.path}{ids}"
        return f"{' and '.join(place.path for place in self.places)} to {'its own filesystem' if len(self.places) == 1 else 'their own filesystems'}"


@dataclasses.dataclass(frozen=True)
class Tree:
    """A directory that is copied as a whole.

    Attributes:
        below: where the ids of containers are, as paths in it in which ``*`` is any one name.
        exclude: paths in it that are left alone.
    """

    source: str
    target: str
    below: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Listing:
    """What lies in a root.

    Attributes:
        directories, files, others: of this root, at its top; others are links and the like.
        layers: directories of overlay2.
        linked_volumes: volumes, or their contents, that are symbolic links, each with where it leads.
    """

    directories: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    linked_volumes: tuple[tuple[str, str], ...] = ()
    layers: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Container:
    """A container as far as moving it matters.

    Attributes:
        status: as the engine calls it: running, exited, paused …
        removed_at_stop: whether the engine removes it when it ends (``--rm``).
        host_parts: namespaces of the host that it shares, and ``privileged``; userns-remap allows neither.
        own_userns: whether it opted out of userns-remap.
        binds: directories of the host that it sees.
        needs: containers whose network or volumes it uses, by id or name.
        started: when it was last started, as the engine writes it.
    """

    identifier: str
    name: str
    status: str = "exited"
    removed_at_stop: bool = False
    host_parts: tuple[str, ...] = ()
    own_userns: bool = False
    binds: tuple[str, ...] = ()
    started: str = ""

    @property
    def running(self) -> bool:
        """Whether it has a process."""
        return self.status in ("running", "paused", "restarting")


@dataclasses.dataclass(frozen=True)
class Volume:
    """A volume of the driver ``local`` may be a mount of something else, which is its device."""

    name: str
    driver: str = "local"
    device: str = ""


@dataclasses.dataclass(frozen=True)
class Inventory:
    """What a daemon says that it holds.

    Attributes:
        driver: of the layers.
        in_containerd: whether images and layers lie in containerd's store instead of the root.
        swarm: the state of this node, ``inactive`` where it is in no swarm.
        plugins: names of managed plugins.
    """

    containers: tuple[Container, ...] = ()
    images: tuple[str, ...] = ()
    volumes: tuple[Volume, ...] = ()
    driver: str = "overlay2"
    in_containerd: bool = False
    swarm: str = "inactive"
    plugins: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return the counts in words."""
        counted = ((len(self.containers), "container"), (len(self.images), "image"), (len(self.volumes), "volume"))
        words = [f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counted]
        return f"{words[0]}, {words[1]} and {words[2]}"


def ids_of(mapping: Mapping | None) -> Ids | None:
    """Return the one range of a mapping.

    Raises:
        ValueError: it has several, or not the same for users and groups.
    """
    if mapping is None:
        return None
    ranges = {(found.start, found.count) for found in (*mapping.uid_ranges, *mapping.gid_ranges)}
    if len(ranges) != 1 or len(mapping.uid_ranges) != 1 or len(mapping.gid_ranges) != 1:
        raise ValueError("has more than one range in /etc/subuid and /etc/subgid, or not the same in both")
    return ranges.pop()


def impossible(move: Move, held: Inventory) -> list[Problem]:
    """Return every reason why what a daemon holds cannot be moved."""
    problems = []
    source = move.before.path
    if held.swarm != "inactive":
        problems.append(
            Problem(source, "belongs to a node of a swarm, whose tasks and keys cannot be moved; drain the node and let it leave the swarm first")
        )
    if held.in_containerd:
        problems.append(Problem(source, "holds no images, because they lie in containerd's store, which cannot be moved; remove what is there first"))
    elif held.driver not in _PLAIN_DRIVERS and (move.changes_root or any(place.name == "data-root" for place in move.places)):
        problems.append(
            Problem(source, f"holds layers of the driver {held.driver}, which are no plain files and cannot be copied; remove images and containers first")
        )
    elif move.shifts_ids and held.driver != "overlay2":
        problems.append(Problem(source, f"holds layers of the driver {held.driver}, whose ids cannot be shifted; only those of overlay2 can"))
    if held.plugins:
        problems.append(Problem(source, f"holds managed plugins ({_some(held.plugins)}), which cannot be moved; remove them and install them again afterwards"))
    problems += _against_containers(move, held)
    if move.changes_root:
        for volume in held.volumes:
            if volume.device and _within(volume.device, source):
                problems.append(
                    Problem(
                        f"volume {volume.name}",
                        f"is a mount of {volume.device}, which lies in the old place and would be written there afterwards; make the volume again without it",
                    )
                )
    return problems


def _against_containers(move: Move, held: Inventory) -> list[Problem]:
    def told(container: Container, message: str) -> Problem:
        return Problem(f"container {container.name}", message)

    problems = []
    for container in held.containers:
        if container.status in ("removing", "dead"):
            problems.append(told(container, f"is {container.status}; remove it first"))
        if container.status == "paused":
            problems.append(told(container, "is paused and would not be so afterwards; unpause or stop it first"))
        if container.removed_at_stop and not container.running:
            problems.append(
                told(container, "was made with --rm and rests, so the engine removes it with its anonymous volumes at its next start; remove it yourself first")
            )
        if container.running and container.removed_at_stop:
            problems.append(
                told(container, "was started with --rm, so stopping it would remove it with its anonymous volumes; stop it yourself if it may go")
            )
        if move.after.ids is not None and container.host_parts and not container.own_userns:
            problems.append(
                told(
                    container,
                    f"uses {' and '.join(container.host_parts)}, with which userns-remap does not let it start; make it again with --userns=host or without",
                )
            )
        inside = [bind for bind in container.binds if _within(bind, move.before.path)]
        if move.changes_root and inside:
            problems.append(
                told(container, f"mounts {_some(inside)}, which lies in the old place and would be written there afterwards; create it again with a volume")
            )
    return problems


def warnings(move: Move, held: Inventory) -> list[str]:
    """Return what a person should know before: who looks for Docker's data where it was, and whose files keep their ids.

    The latter are directories of the host, and volumes that lie elsewhere.
    """
    told = [
        f"Container {container.name} mounts {bind} of the host, and finds Docker's data in it at {move.after.path} afterwards, not at {move.before.path}."
        for container in (held.containers if move.changes_root else ())
        for bind in container.binds
        if _within(move.before.path, bind) and not _within(bind, move.before.path)
    ]
    if not move.shifts_ids:
        return told
    told += [
        f"Volume {volume.name} {f'is a mount of {volume.device}' if volume.device else f'belongs to the driver {volume.driver}'}, whose files keep their "
        "ids, while those of containers become others; give them to the new ids where containers have to write."
        for volume in held.volumes
        if volume.driver != "local" or (volume.device and volume.device != "tmpfs")
    ]
    for container in held.containers:
        outside = [bind for bind in container.binds if not _within(bind, move.before.path)]
        if outside and not container.own_userns:
            told.append(
                f"Container {container.name} mounts {_some(outside)} of the host, whose files keep their ids, while the container's become others; "
                "give them to the new ids where it has to write."
            )
    return told


def room(move: Move, needed: t.Mapping[str, int], free: t.Mapping[str, int]) -> list[Problem]:
    """Return which filesystems are too small.

    Args:
        needed: by the place where a filesystem is or will be mounted, the bytes that will be copied to it.
        free: by the same places, the bytes that are free there.
    """
    problems = []
    for path, size in needed.items():
        wanted = size + max(int(size * _RESERVE), _SMALLEST_RESERVE)
        if wanted > free.get(path, 0):
            problems.append(
                Problem(
                    path,
                    f"has room for {format_size(free.get(path, 0))}, but what has to be moved there from {move.before.path} takes {format_size(size)} "
                    f"and {format_size(wanted)} must be free; give it a larger filesystem",
                )
            )
    return problems


def without_owner(files: t.Sequence[str], move: Move) -> Problem:
    """Return that files have owners of whom nobody can say who they become."""
    known = _range(move.before.ids or (0, move.after.ids[1] if move.after.ids else 0))
    return Problem(
        move.before.path,
        f"holds {len(files)} file{'' if len(files) == 1 else 's'} with ids outside the range of containers, {known}, and nobody can say "
        f"whose they become: {_some(files, _NAMED)}; give them to ids of the range, or remove them",
    )


def left_out(move: Move, listing: Listing) -> list[Problem]:
    """Return what lies in the old root that would not be copied, or not as what it is."""
    if not move.changes_root:
        return []
    top = _dir(move.before.path)
    problems = [
        Problem(f"{top}/{name}", "is neither a file nor a directory, and what it leads to would be left behind; put what is meant in its place")
        for name in listing.others
    ]
    for path, leads in listing.linked_volumes:
        if move.shifts_ids or _within(leads, top):
            problems.append(Problem(path, f"is a symbolic link to {leads}, which would be left behind; put what is meant in its place"))
    return problems


def mounted_within(move: Move, held: Inventory, paths: t.Iterable[str]) -> list[Problem]:
    """Return which of the mount points in what would be copied are none of the engine's own, so that what is mounted there would be left behind."""
    top = _dir(move.before.path)
    own = {f"{top}/volumes/{volume.name}/_data" for volume in held.volumes if volume.device or volume.driver != "local"}
    return [
        Problem(path, "has something mounted on it, which would be left behind; unmount it, and put what it holds in its place if that is to be moved")
        for path in paths
        if path not in own and not mounted_by_the_engine(path[len(top) + 1:])
    ]


def mounted_by_the_engine(path: str) -> bool:
    """Tell whether a mount point, as a path in a root, is one that the engine makes for a container or a build and takes away after it."""
    return bool(_MOUNTED_BY_THE_ENGINE.fullmatch(path))


def occupied(where: str, names: t.Sequence[str]) -> Problem:
    """Return that something lies where a new move would copy to."""
    return Problem(
        where,
        f"is where existing data is to go, but holds {_some(names)} already, which would be replaced; look what that is, move it away or name another place",
    )


def of_this_root(name: str) -> bool:
    """Tell whether a name at the top of a root belongs to the daemon of this root."""
    return not _NOT_OF_THIS_ROOT.fullmatch(name)


def trees(move: Move, listing: Listing, staged: t.Mapping[str, str]) -> list[Tree]:
    """Return what is copied where.

    Args:
        listing: of the old root.
        staged: where the filesystems of the places are mounted for now, by the name of the place.
    """
    if not move.changes_root:
        return [Tree(place.path, staged[place.name], (), (*_nested(place, move.places), *_LEFT_ALONE.get(place.name, ()))) for place in move.places]
    return [
        Tree(
            f"{_dir(move.before.path)}/{name}",
            f"{_dir(move.after.path)}/{name}",
            _OF_CONTAINERS.get(name, ()) if move.shifts_ids else (),
            _LEFT_ALONE.get(name, ()),
        )
        for name in listing.directories
        if name not in _MADE_AT_START
    ]


def _nested(place: Place, places: t.Sequence[Place]) -> list[str]:
    return [other.path[len(_dir(place.path)) + 1:] for other in places if other is not place and _within(other.path, place.path)]


def outermost(places: t.Sequence[Place]) -> list[Place]:
    """Return the places that lie in no other one: their directories are set aside, and what lies in them with them."""
    return [place for place in places if not any(other is not place and _within(place.path, other.path) for other in places)]


def owners(move: Move, listing: Listing) -> list[tuple[str, int, int]]:
    """Return the directories of the new root that belong to dockerd and carry ids of a container's root, with uid and gid."""
    if not move.shifts_ids:
        return []
    root = move.after.ids[0] if move.after.ids else 0
    top = _dir(move.after.path)
    found = [(move.after.path, 0, root)]
    if "overlay2" in listing.directories:
        found.append((f"{top}/overlay2", 0, root))
        for layer in listing.layers:
            found.append((f"{top}/overlay2/{layer}", 0, root))
    if "containers" in listing.directories:
        found += [(f"{top}/containers", 0, root), *((f"{top}/containers/{name}", 0, root) for name in listing.containers)]
    return found


#: Keys of a container's configuration that hold paths in its root (moby: daemon/container/container.go).
_PATHS = ("ResolvConfPath", "HostnamePath", "HostsPath", "ShmPath", "LogPath")


def relocated(config: dict[str, t.Any], move: Move) -> dict[str, t.Any]:
    """Return a container's configuration with the paths of the new root.

    dockerd computes them anew when it starts the container, but until then it shows the old ones to whoever inspects it, and a
    backup would go by them.
    """
    result = dict(config)
    for key in _PATHS:
        if isinstance(result.get(key), str):
            result[key] = _moved(result[key], move)
    mounts = result.get("MountPoints")
    if isinstance(mounts, dict):
        result["MountPoints"] = {
            place: {**mount, "Source": _moved(mount["Source"], move)}
            if isinstance(mount, dict) and mount.get("Driver") and isinstance(mount.get("Source"), str)
            else mount
            for place, mount in mounts.items()
        }
    return result


def restart_policy(config: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return by which rule the engine starts a container by itself, as its host configuration has it; nothing where it does not."""
    policy = config.get("RestartPolicy")
    return dict(policy) if isinstance(policy, dict) and policy.get("Name") not in (None, "", "no") else {}


def resting(config: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return a container's host configuration with which the engine does not start it by itself.

    As long as there is a way back to the old root, nobody may write in the new one: that would be lost on the way back.
    """
    return {**config, "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}} if restart_policy(config) else config


def _moved(path: str, move: Move) -> str:
    inside = _within(path, move.before.path) and not (_within(move.after.path, move.before.path) and _within(path, move.after.path))
    return _dir(move.after.path) + path[len(_dir(move.before.path)):] if inside else path


def starting_order(containers: t.Sequence[Container]) -> list[Container]:
    """Return the containers in the order in which they were started, so that those that others lean on come first."""
    return sorted(containers, key=lambda container: (container.started, container.name))


def missing(expected: t.Sequence[str], found: t.Collection[str]) -> list[str]:
    """Return what was there and is not there any more."""
    return [name for name in expected if name not in found]


def _within(path: str, root: str) -> bool:
    return path.rstrip("/") == root.rstrip("/") or path.startswith(_dir(root) + "/")


def _dir(path: str) -> str:
    return path.rstrip("/")


def _some(names: t.Sequence[str], most: int = 3) -> str:
    return f"{', '.join(names[:most])}{' …' if len(names) > most else ''}"


def _range(ids: Ids | None) -> str:
    return f"{ids[0]}-{ids[0] + ids[1] - 1}" if ids else "those of the host"
