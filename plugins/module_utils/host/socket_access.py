# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Who may call dockerd through the sockets that systemd holds for it, against what docker.socket says.

PRIVATE to the collection: no stability is promised to other users.

Whoever may write to such a socket is root on this host. systemd sets its mode and owner once, when it makes it, and a
restart of docker.service leaves it as it is, so what somebody opened by hand stays open until the next boot. A socket that
is closed to more than docker.socket closes it is nobody's danger, and one that dockerd made itself is dockerd's. Rights
that an access list gives are not seen.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.host import set_aside, systemd
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import Daemon

UNIT = "docker.socket"
_PROPERTIES = ("ActiveState", "Listen", "SocketMode", "SocketUser", "SocketGroup")


class Astray(t.NamedTuple):
    """A socket that others may use than those whom docker.socket names.

    Attributes:
        path: of the socket.
        mode, owner: what it should have; the owner as uid and gid.
        found: what it has, in words.
    """

    path: str
    mode: int
    owner: tuple[int, int]
    found: str

    def __str__(self) -> str:
        return f"{self.path}: {self.found} -> {_words(self.mode, self.owner)}"


def astray(host: Daemon) -> list[Astray]:
    """Return the sockets that systemd holds for a daemon and that others may use; none where systemd holds none for it."""
    shown = systemd.properties(UNIT, _PROPERTIES)
    if shown["ActiveState"] not in systemd.RUNNING or not any(address.startswith("fd:") for address in host.listeners()):
        return []
    try:
        mode, owner = int(shown["SocketMode"], 8), _owner(shown["SocketUser"], shown["SocketGroup"])
    except (ValueError, KeyError):
        # systemd cannot have made a socket for somebody whom the host does not know.
        return []
    found = []
    for path in (word for word in shown["Listen"].split() if word.startswith("/")):
        try:
            status = os.lstat(path)
        except OSError:
            continue
        now, (uid, gid) = stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid)
        opened = now & ~mode or uid not in (0, owner[0]) or (gid not in (0, owner[1]) and now & stat.S_IRWXG)
        if stat.S_ISSOCK(status.st_mode) and opened:
            found.append(Astray(path, mode, owner, _words(now, (uid, gid))))
    return found


def _owner(user: str, group: str) -> tuple[int, int]:
    """Return uid and gid as systemd reads them: names or numbers, and a user's own group where no group is named (systemd.socket(5))."""
    uid = int(user) if user.isdecimal() else pwd.getpwnam(user or "root").pw_uid
    if not group:
        return uid, pwd.getpwuid(uid).pw_gid
    return uid, int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid


def mend(found: t.Iterable[Astray]) -> None:
    """Give sockets what docker.socket says.

    Raises:
        files.FileError: one was replaced meanwhile, or takes no other mode.
    """
    for socket in found:
        set_aside.set_attributes(socket.path, stat.S_IFSOCK, socket.mode, socket.owner)


def _words(mode: int, owner: tuple[int, int]) -> str:
    return f"mode {mode:04o}, owner {_name(pwd.getpwuid, owner[0])}:{_name(grp.getgrgid, owner[1])}"


def _name(lookup: t.Callable[[int], t.Sequence[t.Any]], number: int) -> str:
    try:
        return str(lookup(number)[0])
    except KeyError:
        return str(number)
