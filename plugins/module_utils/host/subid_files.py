# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The files of subordinate ids, /etc/subuid and /etc/subgid, and the accounts of the host.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import time
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import id_ranges
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files

SUBUID = "/etc/subuid"
SUBGID = "/etc/subgid"


def read() -> tuple[id_ranges.RangeFile, id_ranges.RangeFile]:
    """Return both files with the ids of the accounts and groups that the host has; a missing file is empty."""
    return (
        id_ranges.RangeFile(SUBUID, files.read_text(SUBUID) or "", tuple(account.pw_uid for account in pwd.getpwall())),
        id_ranges.RangeFile(SUBGID, files.read_text(SUBGID) or "", tuple(group.gr_gid for group in grp.getgrall())),
    )


def account_number(name: str) -> int | None:
    """Return the uid of an account, or None when the host has no such account."""
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def account_exists(name: str) -> bool:
    """Tell whether the host has the account and the group of this name, which dockerd both looks up."""
    return account_number(name) is not None and group_exists(name)


def group_exists(name: str) -> bool:
    """Tell whether the host has a group of this name."""
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def mapping_of(user: str) -> id_ranges.Mapping | None:
    """Return the mapping that the engine would use for a user now, or None when it lacks a range in either file."""
    uid_file, gid_file = read()
    number = account_number(user)
    uid_ranges = id_ranges.of_owner(id_ranges.parse(uid_file.text, SUBUID)[0], user, number)
    gid_ranges = id_ranges.of_owner(id_ranges.parse(gid_file.text, SUBGID)[0], user, number)
    if not uid_ranges or not gid_ranges:
        return None
    return id_ranges.Mapping(tuple(uid_ranges), tuple(gid_ranges))


def replace(path: str, text: str) -> None:
    """Replace one of the files atomically, keeping the mode that shadow-utils gives it."""
    files.write_text(path, text, mode=0o644)


@contextlib.contextmanager
def locked(timeout: float = 15) -> t.Iterator[None]:
    """Hold the locks that useradd and usermod take on both files, so that no range is given out twice.

    Raises:
        files.FileError: another living process holds a lock for longer than the timeout, in seconds.
    """
    with contextlib.ExitStack() as stack:
        for path in (SUBUID, SUBGID):
            stack.enter_context(_lock(path + ".lock", timeout))
        yield


@contextlib.contextmanager
def _lock(path: str, timeout: float) -> t.Iterator[None]:
    # shadow-utils' convention (lib/commonio.c): a file that holds the owner's process id, made with link(2).
    candidate = f"{path}.{os.getpid()}"
    deadline = time.monotonic() + timeout
    try:
        # A process of this number may have died and left its candidate.
        files.remove(candidate)
        descriptor = os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise files.FileError(f"{path} cannot be made: {error.strerror}") from error
    try:
        try:
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(str(os.getpid()).encode() + b"\0")
        except OSError as error:
            raise files.FileError(f"{path} cannot be made: {error.strerror}; nothing was changed") from error
        while True:
            try:
                os.link(candidate, path)
                break
            except FileExistsError as error:
                if _stale(path):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(path)
                elif time.monotonic() > deadline:
                    raise files.FileError(
                        f"{path} is held by another process for more than {timeout:g} seconds; see who changes accounts and run again"
                    ) from error
                else:
                    time.sleep(0.1)
    finally:
        os.unlink(candidate)
    try:
        yield
    finally:
        os.unlink(path)


def _stale(path: str) -> bool:
    try:
        with open(path, "rb") as handle:
            owner = handle.read(32).rstrip(b"\0\n ")
    except FileNotFoundError:
        return False
    if not owner.isdigit():
        return True
    try:
        os.kill(int(owner), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
