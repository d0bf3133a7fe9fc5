# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the files and directories of a daemon configuration lie where they can: whose they are, and on what.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import os
import pwd
import stat
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem

_ROOM = 64 * 1024 * 1024
#: What dockerd writes before it serves is less, but without it overlay2 is "not supported" (moby: overlay2.go, supportsOverlay).
_STARTING_ROOM = 1024 * 1024


def owner_problems(config_file: str) -> list[Problem]:
    """Return who besides root could have written a configuration, for whoever writes it rules the host."""
    found = []
    for path in (os.path.dirname(config_file), config_file):
        try:
            status = os.stat(path)
        except OSError:
            continue
        if status.st_uid != 0:
            found.append(
                Problem(
                    path,
                    f"belongs to {_user(status.st_uid)}, who could make dockerd do anything as root; look what it "
                    f"holds, then run 'chown root:root {path}'",
                )
            )
        elif status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and status.st_gid != 0):
            found.append(
                Problem(
                    path,
                    f"can be written by others than root (mode {stat.S_IMODE(status.st_mode):04o}), who could make "
                    f"dockerd do anything as root; look what it holds, then run 'chmod go-w {path}'",
                )
            )
    return found


def data_root_problems(data_root: t.Any, used: str | None) -> list[Problem]:
    """Return why a data-root cannot be used.

    Args:
        data_root: the value of the key; a relative one is passed over, others report it.
        used: the root that the daemon uses now. A place that is in use is not judged again: its daemon runs.
    """
    if not isinstance(data_root, str) or not data_root.startswith("/"):
        return []
    place = os.path.realpath(data_root)
    if used is not None and (os.path.realpath(used) + "/").startswith(place + "/"):
        return []
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    filesystem = os.statvfs(place)
    where = f"is {data_root}, but the filesystem of {place}"
    if filesystem.f_flag & os.ST_RDONLY:
        return [Problem("data-root", f"{where} is mounted read-only; mount it for writing, or choose another place")]
    if filesystem.f_flag & os.ST_NOEXEC:
        return [
            Problem(
                "data-root",
                f"{where} is mounted noexec, so programs in volumes and plugins do not run; mount it without noexec, "
                "or choose another place",
            )
        ]
    free = filesystem.f_bavail * filesystem.f_frsize
    if free < _ROOM or (filesystem.f_files and not filesystem.f_favail):
        return [
            Problem(
                "data-root",
                f"{where} is full ({free // 1024} KiB are free); make room, or choose another place",
            )
        ]
    return []


def start_problems(root: str) -> list[Problem]:
    """Return why a daemon would not start in its root, where one that runs may go on: it writes there before it serves.

    Args:
        root: the effective root; a directory that is not there yet is passed over.
    """
    found = []
    devices = set()
    for path in (root, f"{root}/overlay2"):
        try:
            device, filesystem = os.stat(path).st_dev, os.statvfs(path)
        except OSError:
            continue
        if device in devices:
            continue
        devices.add(device)
        free = filesystem.f_bfree * filesystem.f_frsize
        if filesystem.f_flag & os.ST_RDONLY:
            found.append(Problem(path, "is mounted read-only, where dockerd does not start again; mount it for writing first"))
        elif free < _STARTING_ROOM or (filesystem.f_files and not filesystem.f_ffree):
            left = f"{free // 1024} KiB and {filesystem.f_ffree} inodes are free"
            found.append(Problem(path, f"is full ({left}), where dockerd does not start again; make room first"))
    return found


def _user(number: int) -> str:
    try:
        return f"the user {pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"the user {number}"
