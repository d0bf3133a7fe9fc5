# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Where paths of the host lead, and who besides root can change what lies there or put something else in its place.

PRIVATE to the collection: no stability is promised to other users.

A path is walked component by component, links included, and each is looked at once however many paths share it.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import FileFacts

# As many links as the kernel follows (path_resolution(7)).
_MOST_LINKS = 40
_ACL = "system.posix_acl_access"


class Unreadable(Exception):
    """A path cannot be looked at; the message says which and why, without a full stop."""


class Walk(t.NamedTuple):
    """What a walk along a path found.

    Attributes:
        real: the path without links.
        status: of what lies there, None where nothing does.
        weak: the first directory on the way that others can change in such a way that another thing lies at the path
            afterwards; empty when none is.
        owner: who they are, in words.
        linked: whether the last component itself is a link.
    """

    real: str
    status: os.stat_result | None
    weak: str
    owner: str
    linked: bool


class Paths:
    """Looks at paths, and remembers.

    Args:
        root: a directory that stands for the root of the host; empty for the host itself.
        trusted: uids that may change anything, besides which everybody is another.
    """

    def __init__(self, root: str = "", trusted: t.Collection[int] = (0,)) -> None:
        self._root = root.rstrip("/")
        self._trusted = frozenset(trusted)
        self._statuses: dict[str, os.stat_result | None] = {}
        self._walks: dict[str, Walk] = {}
        self._users: dict[int, str] = {}
        self._groups: dict[int, str] = {}

    def on_host(self, path: str) -> str:
        """Return the path by which this process opens a path of the host."""
        return self._root + path

    def walk(self, path: str) -> Walk:
        """Return what lies at an absolute path, links followed.

        Raises:
            Unreadable: a part of the way may not be looked at, or its links go round in circles.
        """
        found = self._walks.get(path)
        if found is None:
            found = self._walks[path] = self._walked(path)
        return found

    def real(self, path: str) -> str:
        """Return a path without links, as far as it can be followed."""
        try:
            return self.walk(path).real
        except Unreadable:
            return path

    def place(self, path: str) -> str:
        """Return a path with links followed in all components but the last, which is how audit and rename(2) see it."""
        directory, _slash, name = path.rstrip("/").rpartition("/")
        return f"{self.real(directory).rstrip('/')}/{name}" if name else "/"

    def exists(self, path: str) -> bool:
        """Tell whether something lies at a path; what cannot be looked at counts as there."""
        try:
            return self.walk(path).status is not None
        except Unreadable:
            return True

    def is_directory(self, path: str) -> bool:
        """Tell whether a directory lies at a path, links followed."""
        try:
            status = self.walk(path).status
        except Unreadable:
            return False
        return status is not None and stat.S_ISDIR(status.st_mode)

    def facts(self, path: str) -> FileFacts:
        """Return owner, mode and the way to a path.

        Raises:
            Unreadable: see `walk`.
        """
        walk = self.walk(path)
        link = walk.real if walk.linked else ""
        if walk.status is None:
            return FileFacts("absent", link=link)
        status = walk.status
        return FileFacts(
            _kind(status.st_mode),
            stat.S_IMODE(status.st_mode),
            status.st_uid,
            status.st_gid,
            self.user(status.st_uid),
            self.group(status.st_gid),
            link,
            walk.weak,
        )

    def replaceable(self, path: str) -> str:
        """Return the first part of a path that somebody else can replace, with whose it is; empty when none is."""
        walk = self.walk(path)
        return f"{walk.weak} ({walk.owner})" if walk.weak else ""

    def user(self, uid: int) -> str:
        """Return the name of a user, or the number where there is none."""
        if uid not in self._users:
            try:
                self._users[uid] = pwd.getpwuid(uid).pw_name
            except KeyError:
                self._users[uid] = str(uid)
        return self._users[uid]

    def group(self, gid: int) -> str:
        """Return the name of a group, or the number where there is none."""
        if gid not in self._groups:
            try:
                self._groups[gid] = grp.getgrgid(gid).gr_name
            except KeyError:
                self._groups[gid] = str(gid)
        return self._groups[gid]

    def names(self, directory: str, most: int = 1000) -> list[str]:
        """Return the names in a directory in their order, none where there is no such directory.

        Raises:
            Unreadable: it may not be read.
        """
        try:
            with os.scandir(self.on_host(directory)) as entries:
                found = []
                for entry in entries:
                    found.append(entry.name)
                    if len(found) >= most:
                        break
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise Unreadable(f"{directory} cannot be read: {error.strerror}") from error
        return sorted(found)

    def _walked(self, path: str) -> Walk:
        left = [part for part in reversed(path.split("/")) if part and part != "."]
        current, weak, owner, linked, links = "", "", "", False, 0
        status = self._lstat("/")
        while left:
            part = left.pop()
            if part == "..":
                current = current.rpartition("/")[0]
                status = self._lstat(current or "/")
                continue
            directory, directory_status = current or "/", status
            current = f"{current}/{part}"
            status = self._lstat(current)
            if not weak and directory_status is not None:
                owner = self._who(directory, directory_status, status)
                weak = directory if owner else ""
            if status is None:
                rest = "/".join(reversed(left))
                return Walk(f"{current}/{rest}" if rest else current, None, weak, owner, linked)
            if stat.S_ISLNK(status.st_mode):
                links += 1
                if links > _MOST_LINKS:
                    raise Unreadable(f"{path} cannot be followed: its links go round in circles")
                linked = linked or not left
                target = self._readlink(current)
                current = "" if target.startswith("/") else directory.rstrip("/")
                status = self._lstat(current or "/")
                left += [part for part in reversed(target.split("/")) if part and part != "."]
        return Walk(current or "/", status, weak, owner, linked)

    def _who(self, directory: str, status: os.stat_result, entry: os.stat_result | None) -> str:
        """Return who besides the trusted can rename or remove an entry of a directory; empty for nobody."""
        if not stat.S_ISDIR(status.st_mode):
            return ""
        if status.st_uid not in self._trusted:
            return f"it belongs to {self.user(status.st_uid)}"
        writers = ""
        if status.st_mode & stat.S_IWOTH:
            writers = "everybody may write in it"
        elif status.st_mode & stat.S_IWGRP:
            writers = self._group_writers(directory, status)
        if not writers:
            return ""
        if not status.st_mode & stat.S_ISVTX:
            return writers
        # In a sticky directory only the owner of the entry can; what does not exist yet, anybody can make.
        if entry is None:
            return f"{writers}, and nothing lies there yet"
        return "" if entry.st_uid in self._trusted else f"{writers}, and what lies there belongs to {self.user(entry.st_uid)}"

    def _group_writers(self, path: str, status: os.stat_result) -> str:
        if status.st_gid != 0:
            return f"the group {self.group(status.st_gid)} may write in it"
        return "an access control list lets others write in it" if self._has_acl(path) else ""

    def _has_acl(self, path: str) -> bool:
        # With an access control list the bits of the group are its mask, whatever group owns the file (acl(5)).
        try:
            return bool(os.getxattr(self.on_host(path), _ACL))
        except OSError:
            return False

    def _lstat(self, path: str) -> os.stat_result | None:
        if path in self._statuses:
            return self._statuses[path]
        try:
            found: os.stat_result | None = os.lstat(self.on_host(path) or "/")
        except (FileNotFoundError, NotADirectoryError):
            found = None
        except OSError as error:
            reason = "a part of it is too long" if error.errno == errno.ENAMETOOLONG else error.strerror
            raise Unreadable(f"{path[:200]} cannot be looked at: {reason}") from error
        except ValueError as error:
            raise Unreadable(f"{path[:200]!r} cannot be looked at: it is no path") from error
        self._statuses[path] = found
        return found

    def _readlink(self, path: str) -> str:
        try:
            return os.readlink(self.on_host(path))
        except OSError as error:
            raise Unreadable(f"{path} cannot be followed: {error.strerror}") from error


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "socket" if stat.S_ISSOCK(mode) else "other"
