# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Moving what does not belong where it lies to a place where nobody stumbles over it; nothing is ever deleted.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import stat
import sys
import time
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, files, mounts, under_mounts

STATE_DIRECTORY = "/var/lib/bulkhead"
PLACE = STATE_DIRECTORY + "/set-aside"
#: On a filesystem that does not hold PLACE.
HIDDEN_PLACE = ".bulkhead-set-aside"
#: ioctl_iflags(2), as in under_mounts.
_FS_IOC_SETFLAGS = 0x40086602 if ctypes.sizeof(ctypes.c_long) == 8 else 0x40046602
_READING = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Aside:
    """Where one run puts things: a directory that is named after the time, made when the first thing comes.

    Attributes:
        places: the new paths of what was moved.
    """

    def __init__(self, now: float | None = None) -> None:
        self._name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        self.places: list[str] = []

    def move(self, path: str) -> str:
        """Move whatever lies at a path, a link as a link, and return where it is now.

        Raises:
            files.FileError, commands.CommandError: it cannot be moved.
        """
        destination = self._free(f"{PLACE}/{self._name}{path}")
        files.ensure_directory(STATE_DIRECTORY, mode=0o700)
        files.ensure_directory(PLACE, mode=0o700)
        files.ensure_directory(os.path.dirname(destination))
        # It copies where the two are not on one filesystem, and removes the old one only after that.
        commands.run(["mv", "--no-target-directory", "--", path, destination], timeout=600)
        files.sync_directory(os.path.dirname(path))
        self.places.append(destination)
        return destination

    def uncover(self, path: str, keep: t.Collection[str]) -> list[str]:
        """Move what lies in the directory under the mount on a path, be it mounted now or not, within the filesystem that holds it.

        Args:
            path: the mount point.
            keep: names that stay.

        Returns:
            The names that were moved.

        Raises:
            files.FileError: it cannot be moved.
        """
        below = _below(path)
        same = mounts.mount_of(PLACE)
        hidden = f"{PLACE}/{self._name}{path}"
        if same is None or same.target != below:
            hidden = f"{below.rstrip('/')}/{HIDDEN_PLACE}/{self._name}{path}"
        try:
            with contextlib.ExitStack() as stack:
                # One copy of the mount for both ends: between two of them, the kernel does not rename.
                tree = _closing(stack, under_mounts.open_tree(below))
                source = _closing(stack, os.open(_relative(path, below), _READING, dir_fd=tree))
                names = sorted(set(os.listdir(source)) - set(keep))
                if not names:
                    return []
                target = _closing(stack, _make(tree, _relative(hidden, below)))
                with _writable(source):
                    for name in names:
                        os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
                os.fsync(source)
        except OSError as error:
            raise files.FileError(f"what lies under {path} cannot be moved: {error.strerror}; unmount {path} and move it by hand") from error
        self.places.append(hidden)
        return names

    def _free(self, path: str) -> str:
        for number in range(100):
            candidate = f"{path}.{number}" if number else path
            if not os.path.lexists(candidate):
                return candidate
        raise files.FileError(f"{path} and a hundred like it exist; remove them")


def _closing(stack: contextlib.ExitStack, descriptor: int) -> int:
    stack.callback(os.close, descriptor)
    return descriptor


def _below(path: str) -> str:
    """Return the mount point of the filesystem that holds the directory on which something is mounted."""
    holding = [mount.target for mount in mounts.mountinfo() if path != mount.target and path.startswith(mount.target.rstrip("/") + "/")]
    return max(holding, key=len)


def _relative(path: str, top: str) -> str:
    return os.path.relpath(path, top)


def _make(tree: int, path: str) -> int:
    """Make a directory and those above it, for root only, and return a descriptor of it."""
    current = os.dup(tree)
    for name in path.split("/"):
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=current)
        inner = os.open(name, _READING, dir_fd=current)
        os.close(current)
        current = inner
    return current


@contextlib.contextmanager
def _writable(descriptor: int) -> t.Iterator[None]:
    """Take the immutable flag off a directory; who put it there puts it back, as the role docker_storage does."""
    answer = bytearray(8)
    try:
        fcntl.ioctl(descriptor, under_mounts.GETFLAGS, answer)
    except OSError:
        # A filesystem without flags.
        yield
        return
    order: t.Literal["little", "big"] = "little" if sys.byteorder == "little" else "big"
    flags = int.from_bytes(answer[:4], order)
    if flags & under_mounts.IMMUTABLE:
        fcntl.ioctl(descriptor, _FS_IOC_SETFLAGS, (flags & ~under_mounts.IMMUTABLE).to_bytes(4, order) + bytes(4))
    try:
        yield
    finally:
        if flags & under_mounts.IMMUTABLE:
            fcntl.ioctl(descriptor, _FS_IOC_SETFLAGS, flags.to_bytes(4, order) + bytes(4))


def open_to_others(path: str) -> str:
    """Return the directory above a path in which others than root may put something, such as a link to elsewhere; empty where none is.

    What is no absolute path has none.
    """
    if not path.startswith("/"):
        return ""
    above = os.path.dirname(path)
    for directory in dict.fromkeys((*_up(above), *_up(os.path.realpath(above)))):
        try:
            status = os.lstat(directory)
        except OSError:
            continue
        shared = not stat.S_ISLNK(status.st_mode) and status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX
        if status.st_uid not in (0, os.geteuid()) or shared:
            return directory
    return ""


def _up(path: str) -> list[str]:
    return [path] if path == "/" else [path, *_up(os.path.dirname(path))]


def set_attributes(path: str, kind: int, mode: int | None, owner: tuple[int, int] | None) -> None:
    """Give what lies at a path another mode and owner, if it is still of the kind that was looked at; a link is never followed.

    Args:
        kind: the type, as stat.S_IFMT tells it.
        mode, owner: None leaves it as it is.
    """
    try:
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise files.FileError(f"{path} cannot be opened: {error.strerror}") from error
    try:
        if stat.S_IFMT(os.fstat(descriptor).st_mode) != kind:
            raise files.FileError(f"{path} was replaced while it was looked at; run again")
        # chmod(2) takes no descriptor that was opened like this, but its name in /proc, which is the thing itself.
        itself = f"/proc/self/fd/{descriptor}"
        if owner is not None:
            os.chown(itself, *owner)
        if mode is not None:
            os.chmod(itself, mode)
    except OSError as error:
        raise files.FileError(f"{path} cannot be given its mode and owner: {error.strerror}") from error
    finally:
        os.close(descriptor)
