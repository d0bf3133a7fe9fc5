# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Walking a tree of files that others may be changing, as root, without ever leaving it.

PRIVATE to the collection: no stability is promised to other users.

Containers write in the trees that are walked here, and may swap what lies there at any moment. Hence:

- A directory is opened name by name below one that is held open, never through a link, and everything in it is reached
  through its descriptor. Who swaps a directory for a link makes the opening fail, and what was open stays what it was.
- Nothing but regular files and directories is ever opened. A file is first taken hold of without opening it (O_PATH), then
  looked at, then opened through that hold: between look and opening there is nothing to swap, so that no device is touched
  and no pipe waited for.
- What is mounted in the tree is not entered. The number of the mount decides (fdinfo in proc(5)), as a bind mount of the same
  filesystem has the same device number.
"""

from __future__ import annotations

import ctypes
import dataclasses
import errno
import os
import stat
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_shift import Shift

# A walk holds one descriptor for each level, twice for a copy, and a process may have 1024 of them on many systems.
MOST_DEEP = 400
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOATIME
_HOLD = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOATIME
# What an opening or a look answers when somebody took the thing away or put something else there, or holds a lease on it.
_MOVED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE, errno.EAGAIN, errno.EINVAL, errno.ENXIO})
_OF_THE_FILESYSTEM = "lost+found"
# XFS shows each access list a second time in a form of its own, with ids that nobody shifts (fs/xfs/xfs_acl.h).
_ACL_OF_XFS = "trusted.SGI_ACL_"


class TreeError(Exception):
    """A tree cannot be copied, compared or measured; the message is one sentence for a person, with what to do."""


class SourceGone(TreeError):
    """There is nothing where the tree should be."""


class Moved(Exception):
    """What was there a moment ago is not there any more, or is something else."""


class Crossing(Exception):
    """Something else is mounted there."""


class Outside(t.NamedTuple):
    """Something with ids that are no container's.

    Attributes:
        path: below the root of the tree.
        uid, gid: its owner.
        attribute: the extended attribute that holds the ids; empty when they are the owner's.
        ids: the ids in that attribute.
    """

    path: str
    uid: int
    gid: int
    attribute: str = ""
    ids: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Scope:
    """Which part of a tree is meant, and what becomes of the ids in it.

    Attributes:
        shift: what happens to ids; None keeps them all.
        below: where they are shifted, as paths below the root in which a component * is any one name; the directory that
            is named, and what lies in it. An empty path is the root.
        exclude: paths that are left alone, in the target too, with all that lies in them.
        keep_outside: what has ids that are no container's keeps them. Otherwise it is an error.
    """

    shift: Shift | None = None
    below: t.Sequence[str] = ("",)
    exclude: t.Sequence[str] = ()
    keep_outside: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "exclude", tuple(path.strip("/") for path in self.exclude))
        object.__setattr__(self, "below", tuple(path.strip("/") for path in self.below))

    def excludes(self, path: str) -> bool:
        """Tell whether a path is left alone."""
        return path == _OF_THE_FILESYSTEM or any(path == left or path.startswith(left + "/") for left in self.exclude)

    def holds_excluded(self, path: str) -> bool:
        """Tell whether something in a directory is left alone."""
        return not path or any(left.startswith(path + "/") for left in self.exclude)

    def shift_at(self, path: str) -> Shift | None:
        """Return what happens to the ids of a path."""
        if self.shift is None or "" in self.below:
            return self.shift
        components = path.split("/") if path else []
        for pattern in self.below:
            wanted = pattern.split("/")
            if len(wanted) <= len(components) and all(want in ("*", have) for want, have in zip(wanted, components)):
                return self.shift
        return None


class Tree:
    """A directory that is held open, and what lies in it.

    Directories on the way to the last one that was asked for stay open, so that a walk in depth opens each once.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        try:
            self.descriptor = os.open(root, _DIRECTORY)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise SourceGone(f"{root} is no directory; nothing was copied or compared") from error
        except OSError as error:
            raise TreeError(f"{root} cannot be opened: {error.strerror}") from error
        self.status = os.fstat(self.descriptor)
        self._device = self.status.st_dev
        self._mount = self._mount_of(self.descriptor)
        self._open: list[tuple[str, int]] = []

    def close(self) -> None:
        """Let go of everything."""
        self._close_below(0)
        os.close(self.descriptor)

    def gone(self) -> bool:
        """Tell whether the root itself was removed while it was held."""
        return os.fstat(self.descriptor).st_nlink == 0

    def directory(self, path: str) -> int:
        """Return the descriptor of a directory, which stays good until another one is asked for.

        Raises:
            Moved: it is not there, or is no directory.
            Crossing: something else is mounted there or on the way.
            TreeError: it lies too deep.
        """
        names = path.split("/") if path else []
        if len(names) > MOST_DEEP:
            raise TreeError(f"{self.root}/{'/'.join(names[:3])}/… holds directories {MOST_DEEP} levels deep; remove them, nothing sensible lies that deep")
        if not {"", ".", ".."}.isdisjoint(names):
            raise TreeError(f"{shown(self.root, path)} is no plain path below {self.root}; name it without . and ..")
        same = 0
        while same < min(len(names), len(self._open)) and names[same] == self._open[same][0]:
            same += 1
        self._close_below(same)
        descriptor = self._open[-1][1] if self._open else self.descriptor
        for name in names[same:]:
            try:
                descriptor = os.open(name, _DIRECTORY, dir_fd=descriptor)
            except OSError as error:
                raise self._failed(error, path) from error
            self._open.append((name, descriptor))
            if self._mount_of(descriptor) != self._mount:
                self._close_below(len(self._open) - 1)
                raise Crossing(path)
        return descriptor

    def entries(self, descriptor: int, path: str) -> dict[str, os.stat_result]:
        """Return what lies in a directory, links not followed, in the order of inodes, in which disks read fastest."""
        found = {}
        try:
            with os.scandir(descriptor) as entries:
                for entry in sorted(entries, key=os.DirEntry.inode):
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    found[entry.name] = status
        except OSError as error:
            raise self._failed(error, path) from error
        return found

    def file(self, directory: int, name: str, path: str) -> tuple[int, os.stat_result]:
        """Open a regular file for reading; return its descriptor, and what it was just before it was opened.

        Raises:
            Moved: it is not there, or no regular file, or somebody's lease forbids it.
            Crossing: something else is mounted there.
        """
        try:
            hold = os.open(name, _HOLD, dir_fd=directory)
        except OSError as error:
            raise self._failed(error, path) from error
        try:
            status = os.fstat(hold)
            if not stat.S_ISREG(status.st_mode):
                raise Moved(path)
            if status.st_dev != self._device:
                raise Crossing(path)
            return os.open(f"/proc/self/fd/{hold}", _READ), status
        except OSError as error:
            raise self._failed(error, path) from error
        finally:
            os.close(hold)

    def link_text(self, directory: int, name: str, path: str) -> str:
        """Return where a symbolic link points."""
        try:
            return os.readlink(name, dir_fd=directory)
        except OSError as error:
            raise self._failed(error, path) from error

    def attributes(self, directory: int, name: str, path: str) -> dict[str, bytes]:
        """Return the extended attributes of anything, links not followed; for what can be opened see `attributes`."""
        try:
            return attributes(f"/proc/self/fd/{directory}/{name}", follow=False)
        except OSError as error:
            raise self._failed(error, path) from error

    def _failed(self, error: OSError, path: str) -> Exception:
        if error.errno in _MOVED:
            return Moved(path)
        return TreeError(f"{shown(self.root, path)} cannot be read: {error.strerror}")

    def _close_below(self, level: int) -> None:
        while len(self._open) > level:
            os.close(self._open.pop()[1])

    def _mount_of(self, descriptor: int) -> bytes:
        try:
            told = os.open(f"/proc/self/fdinfo/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise TreeError(f"/proc does not tell what is mounted at {self.root}: {error.strerror}; mount /proc") from error
        try:
            lines = os.read(told, 4096).splitlines()
        finally:
            os.close(told)
        for line in lines:
            if line.startswith(b"mnt_id:"):
                return line
        raise TreeError(f"/proc does not tell what is mounted at {self.root}; a kernel from 3.15 on is needed")


def attributes(where: int | str, follow: bool = True) -> dict[str, bytes]:
    """Return the extended attributes of all namespaces; none where the filesystem has no such thing.

    A descriptor can only be followed.
    """
    found = {}
    try:
        names = os.listxattr(where, follow_symlinks=follow)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return {}
        raise
    for name in names:
        if name.startswith(_ACL_OF_XFS):
            continue
        try:
            found[name] = os.getxattr(where, name, follow_symlinks=follow)
        except OSError as error:
            if error.errno != errno.ENODATA:
                raise
    return found


def look(directory: int, name: str) -> os.stat_result | None:
    """Return what lies at a name in a directory, links not followed; None where nothing does."""
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def look_at(directory: int, names: t.Iterable[str]) -> dict[str, os.stat_result]:
    """Return what lies at names in a directory, without those where nothing does."""
    found = ((name, look(directory, name)) for name in names)
    return {name: status for name, status in found if status is not None}


def below(path: str, name: str) -> str:
    """Return the path of a name in a directory, both below the root."""
    return f"{path}/{name}" if path else name


def flush(descriptor: int, root: str) -> None:
    """Write everything that is not yet on the disk of a directory's filesystem (syncfs(2))."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.syncfs(descriptor):
        number = ctypes.get_errno()
        raise TreeError(f"{root} cannot be written to its disk: {os.strerror(number)}; look at the kernel's log for errors of the disk")


def shown(root: str, path: str) -> str:
    """Return a path for a message: printable, whatever bytes its name has."""
    whole = f"{root}/{path}" if path else root
    return os.fsencode(whole).decode("utf-8", "backslashreplace")


def refuse_nesting(source: Tree, target: Tree, scope: Scope) -> None:
    """Refuse a tree that would be copied into itself.

    Raises:
        TreeError: both are the same directory, or one holds the other and does not exclude it.
    """
    if (source.status.st_dev, source.status.st_ino) == (target.status.st_dev, target.status.st_ino):
        raise TreeError(f"{source.root} and {target.root} are the same directory; choose another target")
    first, second = (os.path.realpath(tree.root) for tree in (source, target))
    for outer, inner in ((first, second), (second, first)):
        if inner.startswith(outer.rstrip("/") + "/") and not scope.excludes(inner[len(outer.rstrip("/")) + 1:]):
            raise TreeError(f"{inner} lies in {outer} and would be copied into itself; exclude it")
