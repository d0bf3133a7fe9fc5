# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Reading and replacing files of the host.

PRIVATE to the collection: no stability is promised to other users.

Every write goes to a new file in the same directory, is flushed to the disk and then renamed over the old one, so a
crash leaves the old file or the new file, never a part of one (rename(2), fsync(2)). Nothing here follows a symbolic
link in the last component of a path: a managed file that somebody replaced by a link is an error, not a way to write
elsewhere.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile


class FileError(Exception):
    """A file of the host is not what it has to be; the message says which, why and what to do."""


class NotText(FileError):
    """The file is there and in order, but it does not hold UTF-8 text."""


def read_text(path: str, limit: int = 4 * 1024 * 1024) -> str | None:
    """Return the text of a regular file, or None where nothing lies at the path.

    Args:
        path: absolute path; a symbolic link in its last component is refused.
        limit: the largest size that is read, in bytes.

    Raises:
        FileError: the path is a link, not a regular file, larger than the limit, or not UTF-8.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise FileError(f"{path} is a symbolic link; replace it by a regular file or remove it") from error
        raise FileError(f"{path} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileError(f"{path} is not a regular file; remove it or choose another path")
    with os.fdopen(descriptor, "rb") as handle:
        content = handle.read(limit + 1)
    if len(content) > limit:
        raise FileError(f"{path} is larger than {limit} bytes; it cannot be a file that this collection manages")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotText(f"{path} is not UTF-8 text (byte {error.start})") from error


def write_text(path: str, content: str, mode: int = 0o644, uid: int | None = None, gid: int | None = None) -> None:
    """Replace a file atomically and durably, with the given mode and owner.

    Args:
        path: absolute path; its directory must exist.
        content: the whole new text.
        mode, uid, gid: of the new file; they are set before the file gets its name. Without ids it is the acting user's.

    Raises:
        FileError: the path is a link or a directory, or the write failed (the old file is untouched then).
    """
    _refuse_unless_replaceable(path)
    directory = os.path.dirname(path)
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix="." + os.path.basename(path) + ".", dir=directory)
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(content)
            handle.flush()
            os.fchown(handle.fileno(), *_owner(uid, gid))
            os.fchmod(handle.fileno(), mode)
            os.fsync(handle.fileno())
        os.rename(temporary, path)
        temporary = None
        sync_directory(directory)
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        if temporary is not None:
            os.unlink(temporary)


def remove(path: str) -> bool:
    """Remove a file or a link (never what it points at); return whether there was one."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise FileError(f"{path} cannot be removed: {error.strerror}") from error
    sync_directory(os.path.dirname(path))
    return True


def keep_copy(path: str, copy: str) -> None:
    """Give a regular file a second name, or that name with a number where it is taken; the file itself stays."""
    for number in range(100):
        try:
            os.link(path, f"{copy}.{number}" if number else copy, follow_symlinks=False)
        except FileExistsError:
            continue
        except OSError as error:
            raise FileError(f"{path} cannot be kept as {copy}: {error.strerror}") from error
        sync_directory(os.path.dirname(path))
        return
    raise FileError(f"{path} cannot be kept as {copy}: a hundred copies lie there already; remove them")


def ensure_directory(path: str, mode: int = 0o755, uid: int | None = None, gid: int | None = None) -> None:
    """Make a directory and those above it that are missing; existing ones keep their mode and owner.

    Args:
        mode, uid, gid: of the last directory when it is made here; directories made above it get 0755. Without ids they
            are the acting user's.
    """
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent and parent != path:
        ensure_directory(parent)
    try:
        os.mkdir(path, mode)
    except FileExistsError as error:
        raise FileError(f"{path} exists and is not a directory; remove it or choose another path") from error
    except OSError as error:
        raise FileError(f"{path} cannot be made: {error.strerror}") from error
    try:
        # Who may write above it can put a link in its place by now, whose target must not get what is meant for it.
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fchown(descriptor, *_owner(uid, gid))
            os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise FileError(f"{path} was made and cannot be given its mode and owner: {error.strerror}; see who else writes there") from error


def attributes_differ(path: str, mode: int, uid: int = 0, gid: int = 0) -> bool:
    """Tell whether an existing path has another mode or owner than given (links are not followed)."""
    status = os.lstat(path)
    return (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) != (mode, uid, gid)


def sync_directory(directory: str) -> None:
    """Make a rename or removal in a directory durable."""
    descriptor = os.open(directory or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _owner(uid: int | None, gid: int | None) -> tuple[int, int]:
    return (os.geteuid() if uid is None else uid, os.getegid() if gid is None else gid)


def _refuse_unless_replaceable(path: str) -> None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if stat.S_ISLNK(status.st_mode):
        raise FileError(f"{path} is a symbolic link; replace it by a regular file or remove it")
    if not stat.S_ISREG(status.st_mode):
        raise FileError(f"{path} is not a regular file; remove it or choose another path")
