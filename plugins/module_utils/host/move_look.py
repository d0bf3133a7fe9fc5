# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Looking at the two places of a move: what lies there, and what forbids to move it, before anything is stopped or written.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import id_ranges, id_shift
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    disks,
    docker_data,
    files,
    mounts,
    storage,
    tree_measure,
    trees,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import move as moves
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move import Inventory, Listing, Move, Tree
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.plan import Target

# Directories whose content in an engine that was never used is known by name.
_KNOWN = ("overlay2", "volumes", "containers")
#: Mount options that take the power of files, and how the kernel tells of them.
_TAKE_POWER = {"nosuid": os.ST_NOSUID, "nodev": os.ST_NODEV, "noexec": os.ST_NOEXEC}


def listing(move: Move) -> Listing:
    """Return what lies in the old root, without what belongs to another one, such as the new one that lies in it."""
    root = move.before.path
    top = [(name, mode) for name, mode in entries(root) if not f"{move.after.path}/".startswith(f"{root}/{name}/")]
    return Listing(
        directories=tuple(name for name, mode in top if stat.S_ISDIR(mode) and moves.of_this_root(name)),
        files=tuple(name for name, mode in top if stat.S_ISREG(mode)),
        others=tuple(name for name, mode in top if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode)),
        layers=tuple(name for name, mode in entries(f"{root}/overlay2") if name != "l" and stat.S_ISDIR(mode)),
        containers=tuple(name for name, mode in entries(f"{root}/containers") if stat.S_ISDIR(mode)),
        linked_volumes=tuple(_linked_volumes(f"{root}/volumes")),
    )


def scope(move: Move, tree: Tree) -> trees.Scope:
    """Return which part of a tree is copied, and where its ids are shifted."""
    if not tree.below:
        return trees.Scope(exclude=tree.exclude)
    return trees.Scope(id_shift.Shift(_mapping(move.before.ids), _mapping(move.after.ids)), tree.below, tree.exclude)


def obstacles(move: Move, held: Inventory, sizes: t.Mapping[str, int], taken: t.Mapping[str, int]) -> list[Problem]:
    """Return which filesystems are too small for what would be copied to them, which files have owners that nobody can shift, and
    what lies or is mounted in the old root that would be left behind.

    Args:
        held: what the daemon says that it holds.
        sizes: by mount point, the room of filesystems that are still to be made or mounted.
        taken: by path, the room that files are going to take before that, such as loop images.
    """
    link = mounts.first_link(move.before.path)
    if link:
        return [
            Problem(
                move.before.path,
                f"passes through the symbolic link {link}, so containers know their data by another path; "
                f"give dockerd {os.path.realpath(move.before.data_root)} as its data-root first, which is the same place",
            )
        ]
    wanted: dict[str, int] = {}
    free: dict[str, int] = {}
    outside: list[str] = []
    mounted: list[str] = []
    there = listing(move)
    for tree in moves.trees(move, there, {place.name: place.path for place in move.places}):
        usage = tree_measure.measure(tree.source, scope(move, tree))
        outside += [f"{tree.source}/{found.path} ({found.uid}:{found.gid})" for found in usage.outside]
        mounted += [f"{tree.source}/{path}" for path in usage.mounts]
        place = next((point for point in sorted(sizes, key=len, reverse=True) if f"{tree.target}/".startswith(point + "/")), "")
        mount = mounts.mount_of(tree.target)
        where = place or (mount.target if mount is not None else "/")
        wanted[where] = wanted.get(where, 0) + usage.disk_bytes
        free[where] = sizes[place] if place else disks.free_bytes(tree.target)
    for path, size in taken.items():
        mount = mounts.mount_of(path)
        if mount is not None and mount.target in free:
            free[mount.target] = max(0, free[mount.target] - size)
    found = [*moves.left_out(move, there), *_no_texts(move, there), *moves.mounted_within(move, held, mounted), *_not_in_fstab(move)]
    found += moves.room(move, wanted, free)
    return [*found, moves.without_owner(outside, move)] if outside else found


def powerless(move: Move, targets: t.Sequence[Target]) -> list[str]:
    """Return what of volumes loses its power to the mount options of their new filesystem, in words.

    Only there do those options reach containers: the mount of a container's root has its own.
    """
    told = []
    for tree in moves.trees(move, listing(move), {place.name: place.path for place in move.places}):
        target = next((target for target in targets if target.name == "volumes" and target.mount_point == tree.target), None)
        flags = os.statvfs(tree.source).f_flag
        lost = [] if target is None else [option for option, flag in _TAKE_POWER.items() if option in target.options and not flags & flag]
        if target is None or not lost:
            continue
        usage = tree_measure.measure(tree.source)
        counted = {"nosuid": (usage.setuid, "setuid or setgid programs"), "nodev": (usage.devices, "device nodes"), "noexec": (usage.programs, "programs")}
        told += [
            f"Volumes hold {count} {what}, which have no effect on a filesystem with {option}; give volumes options without it in the layout if "
            "containers need them."
            for option in lost
            for count, what in [counted[option]]
            if count
        ]
    return told


def left_behind(paths: t.Sequence[str]) -> list[Problem]:
    """Return which names are taken that old directories are to get."""
    return [
        Problem(
            path,
            "lies there already, but is the name that the old directory is to get; remove it; if a move has left it, "
            "by docker_storage_old_data: remove in a run with the settings as they are now",
        )
        for path in paths
        if os.path.lexists(path)
    ]


def in_the_way(move: Move) -> list[Problem]:
    """Return what lies in the new root where a new move would copy to, which the copy would remove."""
    after = move.after.path
    inside = os.path.relpath(after, move.before.path).split("/", maxsplit=1)[0]
    if storage.belongs("data-root", inside) and moves.of_this_root(inside):
        return [Problem(after, f"lies in {move.before.path}/{inside}, which the engine itself fills; name a data-root of Docker's own")]
    held = docker_data.inventory(after)
    if held.any:
        return [Problem(after, f"holds {held.describe()}, which nobody uses and which what lies in {move.before.path} would replace; remove it first")]
    # An engine that was never used leaves databases, which are no loss; of others nobody knows.
    of_docker = all(storage.belongs("data-root", name) or f"{move.before.path}/".startswith(f"{after}/{name}/") for name, _mode in entries(after))
    problems = []
    for tree in moves.trees(move, listing(move), {}):
        name = os.path.basename(tree.target)
        lying = storage.foreign(name, tree.target) if name in _KNOWN else occupants(tree.target)
        if lying and (name in _KNOWN or not (of_docker and storage.belongs("data-root", name))):
            problems.append(moves.occupied(tree.target, lying))
    return problems


def occupants(path: str) -> list[str]:
    """Return what lies in a directory, but for what a new filesystem has."""
    return [name for name, _mode in entries(path) if name != "lost+found"]


def entries(path: str) -> list[tuple[str, int]]:
    """Return the names in a directory, each with its mode; none where there is no such directory."""
    there = []
    try:
        with os.scandir(path) as found:
            for entry in found:
                # One that has gone meanwhile, such as the volume of a container with --rm, takes no others along.
                with contextlib.suppress(FileNotFoundError):
                    there.append((entry.name, entry.stat(follow_symlinks=False).st_mode))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(there)


def _no_texts(move: Move, there: Listing) -> list[Problem]:
    """Return which files at the top are none of the engine's small ones, and would only be noticed when all else was copied."""
    found = []
    for name in there.files if move.changes_root else ():
        path = f"{move.before.path}/{name}"
        try:
            files.read_text(path)
        except files.FileError:
            found.append(Problem(path, "is no text, or a large one, so none of the engine's files, which alone are copied from there; move it away"))
    return found


def _linked_volumes(path: str) -> t.Iterator[tuple[str, str]]:
    for name, mode in entries(path):
        place = f"{path}/{name}" if stat.S_ISLNK(mode) else f"{path}/{name}/_data"
        if os.path.islink(place):
            yield place, os.path.realpath(place)


def _not_in_fstab(move: Move) -> list[Problem]:
    path = f"{move.before.path}/overlay2"
    if not mounts.is_mount_point(path) or any(line.target == path for line in mounts.fstab()):
        return []
    return [Problem(path, "has a filesystem that /etc/fstab does not name, and dockerd unmounts it when it stops (moby#36149); write it into /etc/fstab first")]


def _mapping(ids: moves.Ids | None) -> id_ranges.Mapping | None:
    if ids is None:
        return None
    ranges = (id_ranges.Range("", *ids),)
    return id_ranges.Mapping(ranges, ranges)
