# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Where paths lead, and who else can change what lies at their end. Whoever runs the tests is root of the tree."""

from __future__ import annotations

import os
import socket

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import path_owners
from ansible_collections.bulkhead.docker.plugins.module_utils.host.path_owners import Paths, Unreadable
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import FileFacts


class Root:
    """A tree whose directories nobody else can change."""

    def __init__(self, top):
        self.top = top
        top.chmod(0o755)

    def paths(self, trusted=None):
        return Paths(str(self.top), (0, os.getuid()) if trusted is None else trusted)

    def directory(self, path, mode=0o755):
        place = self.top / path.lstrip("/")
        for part in reversed([place, *place.parents]):
            if part not in self.top.parents and part != self.top and not part.exists():
                part.mkdir()
                part.chmod(0o755)
        place.chmod(mode)
        return place

    def file(self, path, mode=0o644):
        place = self.directory(os.path.dirname(path)) / os.path.basename(path)
        place.write_text("x")
        place.chmod(mode)
        return place

    def link(self, path, target):
        os.symlink(target, self.directory(os.path.dirname(path)) / os.path.basename(path))


@pytest.fixture
def root(tmp_path):
    return Root(tmp_path)


@pytest.fixture
def uid_of(monkeypatch):
    """Let paths belong to other users, without root: from a path's end to a uid."""
    owners = {}
    real = os.lstat

    class Status:
        def __init__(self, status, uid):
            self._status, self.st_uid = status, uid

        def __getattr__(self, name):
            return getattr(self._status, name)

    def lstat(path, **options):
        status = real(path, **options)
        uid = next((uid for end, uid in owners.items() if str(path).endswith(end)), None)
        return status if uid is None else Status(status, uid)

    monkeypatch.setattr(path_owners.os, "lstat", lstat)
    return owners


def test_a_plain_file(root):
    root.file("/etc/docker/daemon.json", 0o640)
    found = root.paths().facts("/etc/docker/daemon.json")
    assert (found.kind, found.mode, found.link, found.weak_parent) == ("file", 0o640, "", "")
    assert (found.uid, found.gid) == (os.getuid(), os.stat(root.top / "etc").st_gid)
    assert found.owner and found.group


def test_what_is_not_there_is_absent(root):
    root.directory("/etc")
    for path in ("/etc/none", "/none/none/none", "/etc/none/"):
        assert root.paths().facts(path) == FileFacts("absent")
        assert not root.paths().exists(path)
    root.file("/etc/file")
    assert root.paths().facts("/etc/file/below") == FileFacts("absent")


def test_kinds(root, monkeypatch):
    root.directory("/run/d")
    os.mkfifo(root.top / "run" / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        # The path of a socket may not be as long as those of tests are.
        monkeypatch.chdir(root.top / "run")
        listener.bind("s.sock")
    assert [root.paths().facts(f"/run/{name}").kind for name in ("d", "pipe", "s.sock")] == ["directory", "other", "socket"]


@pytest.mark.parametrize(
    ("target", "real"),
    [("/srv/real", "/srv/real"), ("../srv/real", "/srv/real"), ("./../srv/./real", "/srv/real"), ("../../../../srv/real", "/srv/real")],
)
def test_links_are_followed_within_the_tree(root, target, real):
    root.file("/srv/real", 0o600)
    root.link("/etc/link", target)
    found = root.paths().facts("/etc/link")
    assert (found.kind, found.mode, found.link) == ("file", 0o600, real)
    assert root.paths().real("/etc/link") == real
    assert root.paths().place("/etc/link") == "/etc/link"


def test_a_link_on_the_way_is_no_link_at_the_end(root):
    root.file("/run/docker.sock")
    root.link("/var/run", "/run")
    found = root.paths()
    assert found.facts("/var/run/docker.sock").link == ""
    assert found.real("/var/run/docker.sock") == found.place("/var/run/docker.sock") == "/run/docker.sock"
    assert found.real("/var/run") == "/run"
    assert found.place("/var/run") == "/var/run"
    assert found.place("/") == "/"


def test_a_link_that_leads_nowhere_is_absent_and_said(root):
    root.link("/etc/link", "/none")
    assert root.paths().facts("/etc/link") == FileFacts("absent", link="/none")


def test_links_in_circles_end(root):
    root.link("/a", "/b")
    root.link("/b", "/a")
    root.link("/self", "self/x")
    for path in ("/a", "/self"):
        with pytest.raises(Unreadable, match="circles"):
            root.paths().facts(path)
    assert root.paths().real("/a") == "/a"
    assert root.paths().exists("/a")
    assert not root.paths().is_directory("/a")


@pytest.mark.parametrize("path", ["/etc/" + "x" * 300, "/etc/a\0b"])
def test_what_is_no_path_cannot_be_looked_at(root, path):
    root.directory("/etc")
    with pytest.raises(Unreadable):
        root.paths().facts(path)


def test_a_directory_of_somebody_else_makes_what_is_below_replaceable(root, uid_of):
    root.file("/home/alice/app/conf")
    uid_of["/home/alice"] = 4242
    found = root.paths()
    assert found.facts("/home/alice/app/conf").weak_parent == "/home/alice"
    assert found.replaceable("/home/alice/app/conf") == "/home/alice (it belongs to 4242)"
    # Of a directory itself the owner can change what is in it, not what it is.
    assert found.replaceable("/home/alice") == ""
    assert root.paths((0, os.getuid(), 4242)).replaceable("/home/alice/app") == ""


def test_the_first_weak_directory_is_named(root, uid_of):
    root.file("/a/b/c/d")
    uid_of["/a/b"] = 4242
    uid_of["/a/b/c"] = 4243
    assert root.paths().replaceable("/a/b/c/d").startswith("/a/b ")


@pytest.mark.parametrize(
    ("mode", "weak"),
    [(0o755, False), (0o700, False), (0o757, True), (0o777, True), (0o1777, False), (0o1757, False), (0o772, True), (0o771, False)],
)
def test_others_that_may_write_in_a_directory(root, mode, weak, monkeypatch):
    root.file("/srv/app/conf")
    (root.top / "srv").chmod(mode)
    real = os.lstat

    def lstat(path):
        status = real(path)
        # Group 0 is root's own; without an access control list its bit lets nobody else in.
        return os.stat_result([*status[:5], 0, *status[6:]])

    monkeypatch.setattr(path_owners.os, "lstat", lstat)
    found = root.paths().replaceable("/srv/app/conf")
    assert bool(found) is weak
    assert not weak or found.startswith("/srv (everybody")


def test_a_group_that_may_write_is_another_unless_it_is_roots(root, monkeypatch):
    root.file("/srv/app/conf")
    (root.top / "srv").chmod(0o775)
    real, groups = os.lstat, {}
    monkeypatch.setattr(path_owners.os, "lstat", lambda path: os.stat_result([*real(path)[:5], groups["gid"], *real(path)[6:]]))
    groups["gid"] = 4242
    assert root.paths().replaceable("/srv/app/conf") == "/srv (the group 4242 may write in it)"
    groups["gid"] = 0
    assert root.paths().replaceable("/srv/app/conf") == ""
    monkeypatch.setattr(path_owners.os, "getxattr", lambda path, name: b"\x02\x00\x00\x00")
    assert "access control list" in root.paths().replaceable("/srv/app/conf")


def test_in_a_sticky_directory_only_the_owner_can(root, uid_of):
    root.file("/tmp/mine/conf")
    (root.top / "tmp").chmod(0o1777)
    assert root.paths().replaceable("/tmp/mine/conf") == ""
    uid_of["/tmp/mine"] = 4242
    assert root.paths().replaceable("/tmp/mine") == "/tmp (everybody may write in it, and what lies there belongs to 4242)"


def test_what_is_not_there_yet_can_be_made_by_anybody_in_a_sticky_directory(root):
    (root.directory("/tmp")).chmod(0o1777)
    assert root.paths().replaceable("/tmp/later/x") == "/tmp (everybody may write in it, and nothing lies there yet)"
    assert root.paths().facts("/tmp/later").kind == "absent"


def test_a_link_is_as_weak_as_where_it_leads_and_where_it_lies(root, uid_of):
    root.file("/home/alice/real")
    uid_of["/home/alice"] = 4242
    root.link("/etc/link", "/home/alice/real")
    assert root.paths().facts("/etc/link").weak_parent == "/home/alice"
    root.file("/srv/real")
    root.link("/home/alice/link", "/srv/real")
    assert root.paths().facts("/home/alice/link").weak_parent == "/home/alice"


def test_what_may_not_be_looked_at_says_so(root, monkeypatch):
    root.file("/root/secret/x")
    real = os.lstat

    def lstat(path):
        if str(path).endswith("/secret/x"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(path_owners.os, "lstat", lstat)
    with pytest.raises(Unreadable, match="Permission denied"):
        root.paths().facts("/root/secret/x")
    assert root.paths().exists("/root/secret/x")


def test_each_path_is_looked_at_once(root, monkeypatch):
    root.file("/srv/app/a")
    root.file("/srv/app/b")
    real, looked = os.lstat, []
    monkeypatch.setattr(path_owners.os, "lstat", lambda path: (looked.append(path), real(path))[1])
    found = root.paths()
    for _time in range(3):
        for name in ("a", "b"):
            found.facts(f"/srv/app/{name}")
            found.replaceable(f"/srv/app/{name}")
    assert len(looked) == len(set(looked)) == 5


def test_names_of_a_directory(root, monkeypatch):
    for name in "cab":
        root.file(f"/etc/d/{name}")
    found = root.paths()
    assert found.names("/etc/d") == ["a", "b", "c"]
    assert len(found.names("/etc/d", 2)) == 2
    assert found.names("/etc/none") == found.names("/etc/d/a") == []

    def scandir(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(path_owners.os, "scandir", scandir)
    with pytest.raises(Unreadable, match="/etc/d cannot be read"):
        found.names("/etc/d")


def test_the_host_itself_is_the_empty_root(tmp_path):
    (tmp_path / "x").write_text("")
    found = Paths("", (0, os.getuid()))
    assert found.facts(str(tmp_path / "x")).kind == "file"
    assert found.facts("/").kind == "directory"
    assert found.on_host("/etc") == "/etc"
