# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Sockets of docker.socket that somebody opened to others."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import stat
import tempfile
import types

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files, socket_access, systemd

USER, GROUP = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name


@pytest.fixture
def path():
    # The path of a socket may not be as long as those of tests are.
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        yield f"{directory}/docker.sock"


@pytest.fixture
def unit(path, monkeypatch):
    shown = {"ActiveState": "active", "Listen": f"{path} (Stream) 127.0.0.1:2375 (Stream)", "SocketMode": "0660", "SocketUser": USER, "SocketGroup": GROUP}
    monkeypatch.setattr(systemd, "properties", lambda _unit, names: {name: shown[name] for name in names})
    return shown


def look(*listeners):
    return socket_access.astray(types.SimpleNamespace(listeners=lambda: list(listeners or ["fd://"])))


def listening(path, mode):
    held = socket.socket(socket.AF_UNIX)
    held.bind(path)
    os.chmod(path, mode)
    return held


def test_what_is_as_it_was_made_is_left_alone(path, unit):
    with listening(path, 0o660):
        assert look() == []


@pytest.mark.parametrize("mode", [0o666, 0o777, 0o661])
def test_another_mode_is_found_and_mended(path, unit, mode):
    with listening(path, mode):
        found = look()
        assert [str(one) for one in found] == [f"{path}: mode {mode:04o}, owner {USER}:{GROUP} -> mode 0660, owner {USER}:{GROUP}"]
        socket_access.mend(found)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
        assert look() == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives a file to another group")
def test_another_group_is_found_and_mended(path, unit):
    with listening(path, 0o660):
        os.chown(path, 0, 65533)
        (found,) = look()
        assert found.found == f"mode 0660, owner {USER}:65533"
        socket_access.mend([found])
        assert os.stat(path).st_gid == os.getgid()


@pytest.mark.parametrize("mode", [0o600, 0o000, 0o660])
def test_what_is_closed_further_is_nobodys_danger(path, unit, mode):
    with listening(path, mode):
        assert look() == []


def test_a_socket_that_dockerd_made_itself_is_left_to_it(path, unit):
    with listening(path, 0o666):
        assert look(f"unix://{path}", "tcp://127.0.0.1:2375") == []
        assert len(look("fd://docker.socket")) == 1


@pytest.mark.parametrize(
    ("user", "group"), [("", ""), (USER, ""), (str(os.getuid()), str(os.getgid())), (str(os.getuid()), ""), ("", GROUP)], ids=str
)
@pytest.mark.skipif(os.getuid() != 0, reason="an empty user means root")
def test_users_and_groups_as_systemd_reads_them(path, unit, user, group):
    unit.update({"SocketUser": user, "SocketGroup": group})
    with listening(path, 0o660):
        assert look() == []
        os.chown(path, 65533, os.getgid())
        assert [one.owner for one in look()] == [(os.getuid(), os.getgid())]


def test_the_group_of_a_user_is_his_own(unit):
    account = pwd.getpwnam("nobody")
    assert socket_access._owner("nobody", "") == (account.pw_uid, account.pw_gid)


@pytest.mark.parametrize(
    "change", [{"ActiveState": "inactive"}, {"SocketGroup": "no-such-group"}, {"SocketMode": ""}, {"Listen": "/nowhere/docker.sock (Stream)"}, {"Listen": ""}]
)
def test_nothing_is_said_where_systemd_says_nothing(path, unit, change):
    unit.update(change)
    with listening(path, 0o666):
        assert look() == []


def test_a_link_in_its_place_is_never_followed(path, unit):
    with listening(path, 0o666):
        found = look()
        victim = f"{path}.real"
        os.rename(path, victim)
        os.symlink(victim, path)
        assert look() == []
        with pytest.raises(files.FileError, match="was replaced"):
            socket_access.mend(found)
        assert stat.S_IMODE(os.stat(victim).st_mode) == 0o666
