# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Looking at the directory under a mount, without unmounting anything and without a namespace of its own.

PRIVATE to the collection: no stability is promised to other users.

open_tree(2) makes a detached copy of the mount that holds a directory, in which nothing is mounted on top. Where the kernel
has no such call (before 5.2), or a filter forbids it, a short-lived child looks in a private mount namespace.
"""

from __future__ import annotations

import ctypes
import dataclasses
import errno
import fcntl
import os
import sys
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands

#: The same number on every architecture (include/uapi/asm-generic/unistd.h; Alpha, which has others, knows no Docker).
_OPEN_TREE = 428
_OPEN_TREE_CLONE = 1
_OPEN_TREE_CLOEXEC = os.O_CLOEXEC
_AT_FDCWD = -100
#: ioctl_iflags(2); the request holds the size of a long, what is written is an int.
GETFLAGS = 0x80086601 if ctypes.sizeof(ctypes.c_long) == 8 else 0x80046601
IMMUTABLE = 0x10
_SETFLAGS = 0x40086602 if ctypes.sizeof(ctypes.c_long) == 8 else 0x40046602
_READING = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: How many names are told.
_MOST = 20


@dataclasses.dataclass(frozen=True)
class Bare:
    """The directory under a mount.

    Attributes:
        immutable: whether it carries the immutable flag; None where its filesystem knows none, or it cannot be looked at.
        entries: the names in it, at most twenty; None where it cannot be looked at.
        changed_at: when it was last changed, in seconds since the epoch.
        why: what kept it from being seen whole.
    """

    immutable: bool | None = None
    entries: tuple[str, ...] | None = None
    changed_at: float | None = None
    why: str = ""


def look(path: str, covered: bool) -> Bare:
    """Return what can be seen of a mount point's own directory.

    Args:
        path: absolute.
        covered: whether something is mounted on it.
    """
    try:
        descriptor = opened(path) if covered else _directory(path)
    except OSError as error:
        if covered and error.errno in (errno.ENOSYS, errno.EPERM, errno.EINVAL):
            # Without the call only the flag can be told; where it is set, nothing was written there since.
            immutable = flag_by_child(path)
            return Bare(immutable, () if immutable else None, None, "" if immutable else "this kernel does not let it be looked at")
        return Bare(why=f"{path} cannot be looked at: {error.strerror}")
    try:
        flags = _flags(descriptor)
        with os.scandir(descriptor) as entries:
            names = sorted(entry.name for entry, _number in zip(entries, range(_MOST)))
        return Bare(None if flags is None else bool(flags & IMMUTABLE), tuple(names), os.fstat(descriptor).st_ctime)
    except OSError as error:
        return Bare(why=f"{path} cannot be looked at: {error.strerror}")
    finally:
        os.close(descriptor)


def flag_by_child(path: str) -> bool | None:
    """Tell whether the directory *below* whatever is mounted on the path carries the immutable flag.

    The mount is detached in a private mount namespace of a short-lived child and the directory looked at there; the host's
    own mounts stay as they are.

    Returns:
        None where the filesystem knows no such flag.
    """
    script = 'while mountpoint --quiet -- "$1"; do umount --lazy --no-mtab -- "$1" || exit 1; done; exec lsattr -d -- "$1"'
    looked = commands.run(["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", script, "sh", path], check=False)
    if looked.rc != 0:
        return None
    return "i" in looked.stdout.split(" ", 1)[0]


def opened(path: str) -> int:
    """Return a descriptor of the directory under whatever is mounted on a path; the caller closes it.

    Raises:
        OSError: it cannot be had, with ENOSYS where the kernel is too old.
    """
    parent, name = os.path.split(path.rstrip("/"))
    tree = open_tree(parent or "/")
    try:
        return os.open(name, _READING, dir_fd=tree)
    finally:
        os.close(tree)


def _directory(path: str) -> int:
    return os.open(path, _READING)


def open_tree(path: str) -> int:
    """Return a descriptor of the root of a detached copy of the mount on which a path lies, from that path on; the caller closes it.

    Raises:
        OSError: see opened.
    """
    library = ctypes.CDLL(None, use_errno=True)
    result = library.syscall(ctypes.c_long(_OPEN_TREE), ctypes.c_int(_AT_FDCWD), os.fsencode(path), ctypes.c_uint(_OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return t.cast("int", result)


def make_mutable(descriptor: int) -> None:
    """Take the immutable flag off an open directory, where it has one.

    Raises:
        OSError: it cannot be taken off.
    """
    flags = _flags(descriptor)
    if flags is not None and flags & IMMUTABLE:
        fcntl.ioctl(descriptor, _SETFLAGS, (flags & ~IMMUTABLE).to_bytes(4, "little" if sys.byteorder == "little" else "big") + bytes(4))


def _flags(descriptor: int) -> int | None:
    """Return the flags of an open file, None where its filesystem knows none."""
    answer = bytearray(8)
    try:
        fcntl.ioctl(descriptor, GETFLAGS, answer)
    except OSError as error:
        if error.errno in (errno.ENOTTY, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
            return None
        raise
    return int.from_bytes(answer[:4], "little" if sys.byteorder == "little" else "big")
