# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import os

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files, State
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.rootless import Account
from ansible_collections.bulkhead.docker.plugins.module_utils.host import accounts, daemon, engine, systemd, user_daemon
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import Unit
from ansible_collections.bulkhead.docker.plugins.module_utils.host.user_daemon import UserDaemon

ROOT_UNIT = Unit(True, True, False)


@pytest.fixture
def acted(monkeypatch):
    """Records for whom files were reached, instead of becoming that user."""
    found = []

    @contextlib.contextmanager
    def act(account):
        found.append(account.name)
        yield

    monkeypatch.setattr(accounts, "acting_as", act)
    return found


@pytest.fixture
def host(tmp_path, acted, monkeypatch):
    monkeypatch.setattr(daemon, "STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setattr(user_daemon, "STATE_DIRECTORY", str(tmp_path / "state"))
    return UserDaemon(Account("alice", str(tmp_path), 1001, 1001))


def test_files_are_the_users_own(host, acted, tmp_path):
    host.write_files(Files("{}\n", "profile\n"))
    assert (tmp_path / ".config/docker/daemon.json").read_text() == "{}\n"
    assert (tmp_path / ".config/docker/seccomp-bulkhead.json").read_text() == "profile\n"
    assert host.read_files() == Files("{}\n", "profile\n")
    assert host.written() > 0
    assert set(acted) == {"alice"}
    assert os.stat(tmp_path / ".config").st_mode & 0o777 == 0o700


def test_the_memory_is_roots_and_has_the_users_name(host, acted, tmp_path):
    host.write_state(State(pending="restart"))
    assert host.read_state()[0].pending == "restart"
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["daemon-alice.json"]
    assert acted == []


def test_its_systemd_and_journal_are_the_users(host, tools):
    tools.answer("setpriv --reuid=1001 --regid=1001 --init-groups env", stdout="LoadState=loaded\nActiveState=active\n")
    tools.answer("journalctl", stdout="a line\n")
    assert host.unit().active
    host.reload()
    host.stop()
    systemd.journal("docker.service", scope=host.scope)
    asked = [line for line in tools.ran if "systemctl" in line]
    assert asked and all("XDG_RUNTIME_DIR=/run/user/1001 systemctl --user" in line for line in asked)
    assert tools.ran[-1].endswith("_SYSTEMD_USER_UNIT=docker.service _UID=1001 + USER_UNIT=docker.service _UID=1001")


def test_a_user_who_is_still_to_come_has_no_daemon(monkeypatch, tools):
    host = UserDaemon(Account("alice", "/home/alice"))
    assert host.read_files() == Files(None, None)
    assert host.written() == 0
    assert not host.unit().loaded
    assert host.effective_root({}, ROOT_UNIT) == "/home/alice/.local/share/docker"
    assert tools.ran == []


def test_the_root_is_never_remapped(host, tmp_path):
    assert host.effective_root({}, ROOT_UNIT) == f"{tmp_path}/.local/share/docker"
    assert host.effective_root({"data-root": "/srv/alice/"}, ROOT_UNIT) == "/srv/alice"


@pytest.mark.parametrize("shown, limit", [("LimitNOFILE=524288", 524288), ("LimitNOFILE=infinity", 0), ("", 0)])
def test_limits_are_those_of_the_users_unit(host, tools, shown, limit):
    tools.answer("setpriv", stdout=shown + "\n")
    tools.answer("systemctl", stdout="\n")
    assert host.context(None).open_files_limit == limit


def test_problems_are_told_once(host, monkeypatch):
    monkeypatch.setattr(engine, "installed_version", lambda: "28.5.2+dfsg4")
    config = {"userns-remap": "nobody-has-this", "authorization-plugins": ["nosuch"], "icc": False}
    assert [problem.where for problem in host.problems(config, None, False)] == ["userns-remap", "authorization-plugins"]


def test_a_file_that_the_user_cannot_read(host, monkeypatch, tmp_path):
    monkeypatch.setattr(engine, "installed_version", lambda: None)
    monkeypatch.setattr(user_daemon, "_opens", lambda path: path != "/etc/ssl/private/key.pem")
    found = host.problems({"tlskey": "/etc/ssl/private/key.pem", "tlscert": "/etc/cert.pem", "seccomp-profile": host.seccomp_file}, None, True)
    assert [problem.where for problem in found] == ["tlskey"]


def test_acting_as_needs_the_account():
    with pytest.raises(ValueError, match="does not exist"), accounts.acting_as(Account("nobody-yet", "/nowhere")):
        pass


def test_an_account_is_found_or_assumed():
    assert accounts.find("root").uid == 0
    assert accounts.find("no-such-user-here") == Account("no-such-user-here", "/home/no-such-user-here")
    assert accounts.find("no-such-user-here", "/srv/x").home == "/srv/x"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_acting_as_drops_every_right_and_takes_it_back(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o600)
    before = (os.geteuid(), os.getegid(), os.getgroups())
    nobody = accounts.find("nobody")
    with accounts.acting_as(nobody):
        assert (os.geteuid(), os.getegid()) == (nobody.uid, nobody.gid)
        with pytest.raises(PermissionError):
            open(secret).close()
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before
    with pytest.raises(RuntimeError), accounts.acting_as(nobody):
        raise RuntimeError
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before
