# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Keeping two runs from changing the same thing at once.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
import typing as t


class LockError(Exception):
    """Another process holds the lock, or it cannot be taken; the message says which and what to do."""


@contextlib.contextmanager
def held(path: str, seconds: float) -> t.Iterator[None]:
    """Hold a lock while the body runs.

    The kernel gives it back when the process ends, however it ends (flock(2)). Children that are forked keep it too,
    those that are executed do not.

    Args:
        path: of the lock's file, in a directory that only root can write; it is made and stays.
        seconds: how long to wait for another holder.

    Raises:
        LockError: another process still holds it, or the file cannot be had.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise LockError(f"{path} is a symbolic link; remove it") from error
        raise LockError(f"{path} cannot be opened: {error.strerror}") from error
    try:
        deadline = time.monotonic() + seconds
        while not _taken(descriptor):
            if time.monotonic() > deadline:
                raise LockError(
                    f"Another run (process {_holder(descriptor)}) has been changing the same thing for more than "
                    f"{seconds:g} seconds (lock {path}); run again when it has ended"
                )
            time.sleep(0.2)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise LockError(f"The lock cannot be taken: {error.strerror}") from error
    return True


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, 20, 0).decode("ascii", errors="replace").strip() or "unknown"
