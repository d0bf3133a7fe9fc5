# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What a tree holds and takes, before anything is done with it.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import os
import stat

from ansible_collections.bulkhead.docker.plugins.module_utils.host import tree_copy, trees
from ansible_collections.bulkhead.docker.plugins.module_utils.host.trees import Crossing, Moved, Outside, Scope, Tree


@dataclasses.dataclass
class Usage:
    """What a tree holds.

    Attributes:
        disk_bytes: what it takes on its disk, each file counted once however many names it has.
        apparent_bytes: the sum of the sizes of its files, holes included.
        files, directories, links, special: how many regular files (each counted once), directories, symbolic links, and devices, pipes and sockets.
        hard_links: how many names there are beyond the first of each file.
        largest: the size on the disk of the largest file, which a pass that replaces it needs room for.
        setuid, devices, programs: how many files there are whose power a mount option takes (nosuid, nodev, noexec; see mount(8)).
        mounts: where something else is mounted, which was not entered.
        outside: what has ids that are no container's.
    """

    disk_bytes: int = 0
    apparent_bytes: int = 0
    files: int = 0
    directories: int = 0
    links: int = 0
    special: int = 0
    hard_links: int = 0
    largest: int = 0
    setuid: int = 0
    devices: int = 0
    programs: int = 0
    mounts: list[str] = dataclasses.field(default_factory=list)
    outside: list[Outside] = dataclasses.field(default_factory=list)


def measure(root: str, scope: Scope | None = None) -> Usage:
    """Look at everything in a tree, reading no file.

    Raises:
        SourceGone: there is no such directory.
        TreeError: something in it cannot be looked at.
    """
    scope = scope or Scope()
    tree = Tree(root)
    try:
        return _Measure(tree, scope).run()
    finally:
        tree.close()


class _Measure:
    def __init__(self, tree: Tree, scope: Scope) -> None:
        self._tree, self._scope = tree, scope
        self._usage = Usage()
        self._seen: set[int] = set()

    def run(self) -> Usage:
        waiting = [""]
        while waiting:
            path = waiting.pop()
            try:
                descriptor = self._tree.directory(path)
                self._count(path, os.fstat(descriptor), trees.attributes(descriptor))
                for name, status in self._tree.entries(descriptor, path).items():
                    below = trees.below(path, name)
                    if self._scope.excludes(below):
                        continue
                    if stat.S_ISDIR(status.st_mode):
                        waiting.append(below)
                    else:
                        self._entry(descriptor, name, below, status)
            except Moved:
                continue
            except Crossing:
                self._usage.mounts.append(path)
        self._usage.mounts.sort()
        self._usage.outside.sort()
        return self._usage

    def _entry(self, descriptor: int, name: str, path: str, status: os.stat_result) -> None:
        found = {}
        if self._scope.shift is not None:
            try:
                found = self._tree.attributes(descriptor, name, path)
            except Moved:
                return
        self._count(path, status, found)

    def _count(self, path: str, status: os.stat_result, found: dict[str, bytes]) -> None:
        usage = self._usage
        shift = self._scope.shift_at(path)
        if shift is not None:
            if shift.uid(status.st_uid) is None or shift.gid(status.st_gid) is None:
                usage.outside.append(Outside(path, status.st_uid, status.st_gid))
            usage.outside += tree_copy.shifted_attributes(shift, path, status, found)[1]
        if not stat.S_ISDIR(status.st_mode) and status.st_nlink > 1:
            if status.st_ino in self._seen:
                usage.hard_links += 1
                return
            self._seen.add(status.st_ino)
        usage.disk_bytes += status.st_blocks * 512
        if stat.S_ISDIR(status.st_mode):
            usage.directories += 1
        elif stat.S_ISREG(status.st_mode):
            usage.files += 1
            usage.apparent_bytes += status.st_size
            usage.largest = max(usage.largest, status.st_blocks * 512)
            usage.programs += bool(status.st_mode & 0o111)
            usage.setuid += bool(status.st_mode & 0o111 and status.st_mode & (stat.S_ISUID | stat.S_ISGID))
        elif stat.S_ISLNK(status.st_mode):
            usage.links += 1
        else:
            usage.special += 1
            usage.devices += stat.S_ISBLK(status.st_mode) or stat.S_ISCHR(status.st_mode)
