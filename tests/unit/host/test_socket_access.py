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


def listening(path, mode):
    held = socket.socket(socket.AF_UNIX)
    held.bind(path)
    os.chmod(path, mode)
    return held


def test_what_is_as_it_was_made_is_left_alone(path, unit):
    with listening(path, 0o660):
        assert socket_access.astray() == []


@pytest.mark.parametrize("mode", [0o666, 0o777, 0o600])
def test_another_mode_is_found_and_mended(path, unit, mode):
    with listening(path, mode):
        found = socket_access.astray()
        assert [str(one) for one in found] == [f"{path}: mode {mode:04o}, owner {USER}:{GROUP} -> mode 0660, owner {USER}:{GROUP}"]
        socket_access.mend(found)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
        assert socket_access.astray() == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives a file to another group")
def test_another_group_is_found_and_mended(path, unit):
    with listening(path, 0o660):
        os.chown(path, 0, 65533)
        (found,) = socket_access.astray()
        assert found.found == f"mode 0660, owner {USER}:65533"
        socket_access.mend([found])
        assert os.stat(path).st_gid == os.getgid()


@pytest.mark.parametrize(
    "change", [{"ActiveState": "inactive"}, {"SocketGroup": "no-such-group"}, {"SocketMode": ""}, {"Listen": "/nowhere/docker.sock (Stream)"}, {"Listen": ""}]
)
def test_nothing_is_said_where_systemd_says_nothing(path, unit, change):
    unit.update(change)
    with listening(path, 0o666):
        assert socket_access.astray() == []


def test_a_link_in_its_place_is_never_followed(path, unit):
    with listening(path, 0o666):
        found = socket_access.astray()
        victim = f"{path}.real"
        os.rename(path, victim)
        os.symlink(victim, path)
        assert socket_access.astray() == []
        with pytest.raises(files.FileError, match="was replaced"):
            socket_access.mend(found)
        assert stat.S_IMODE(os.stat(victim).st_mode) == 0o666
