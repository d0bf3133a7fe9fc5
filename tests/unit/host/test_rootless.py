# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import os

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.rootless import Account, Request
from ansible_collections.bulkhead.docker.plugins.module_utils.host import accounts, managed_files, rootless, systemd

ALICE = Account("alice", "/home/alice", 1001, 1001)


@pytest.fixture
def host(tmp_path, monkeypatch, tools):
    """A host where nothing of a user's daemon exists and root's daemon would start at boot."""
    monkeypatch.setattr(rootless, "_USER_UNITS", str(tmp_path / "user"))
    monkeypatch.setattr(rootless, "_LINGER", str(tmp_path / "linger"))
    system = managed_files.differences
    below = ("/etc/systemd/system", str(tmp_path / "system"))
    monkeypatch.setattr(managed_files, "differences", lambda wanted: system({path.replace(*below): value for path, value in wanted.items()}))
    monkeypatch.setattr(accounts, "acting_as", lambda _account: contextlib.nullcontext())
    tools.answer("systemctl show --property ActiveState,UnitFileState -- docker.socket", stdout="ActiveState=active\nUnitFileState=enabled\n")
    tools.answer("systemctl show --property ActiveState,UnitFileState", stdout="ActiveState=inactive\nUnitFileState=disabled\n")
    tools.answer("systemctl show", stdout="ActiveState=inactive\n")
    tools.answer("systemctl")
    tools.answer("setpriv")
    return tmp_path


def request(tmp_path, **more):
    return Request("alice", "/home/alice", str(tmp_path / "data"), **more)


def test_everything_once(host, tools, own_files):
    wanted = request(host)
    todo = rootless.plan(ALICE, wanted, "/usr/bin/dockerd-rootless.sh")
    assert todo.switch_off == ("docker.socket",)
    assert (todo.enabled, todo.lingers, todo.manager_runs, todo.make_data_root, len(todo.lines())) == (False, False, False, True, 7)
    assert [line for line in tools.ran if " show " not in line] == []
    rootless.apply(ALICE, wanted, todo)
    assert "ConditionUser=alice" in (host / "user/docker.service").read_text()
    assert "Delegate=cpu cpuset io memory pids" in (host / "system/user@1001.service.d/50-bulkhead-delegate.conf").read_text()
    assert (host / "linger/alice").read_text() == ""
    assert (1001, 1001) in own_files and (host / "data").is_dir()
    acted = [line for line in tools.ran if " show " not in line]
    assert acted == [
        "systemctl stop -- docker.socket",
        "systemctl disable -- docker.socket",
        "systemctl --global enable -- docker.service",
        "systemctl daemon-reload",
        "systemctl start -- user@1001.service",
    ]


def test_nothing_twice(host, tools, own_files):
    wanted = request(host)
    rootless.apply(ALICE, wanted, rootless.plan(ALICE, wanted, "/usr/bin/dockerd-rootless.sh"))
    (host / "user/default.target.wants").mkdir()
    (host / "user/default.target.wants/docker.service").symlink_to(host / "user/docker.service")
    tools.answers = {
        "systemctl show --property ActiveState,UnitFileState": rootless.commands.CommandResult(0, "ActiveState=inactive\nUnitFileState=disabled\n", ""),
        "systemctl show": rootless.commands.CommandResult(0, "ActiveState=active\n", ""),
    }
    assert not rootless.plan(ALICE, wanted, "/usr/bin/dockerd-rootless.sh").changed


def test_a_prediction_for_a_user_who_is_still_to_come(host, tools):
    todo = rootless.plan(Account("alice", "/home/alice"), request(host), "/usr/bin/dockerd-rootless.sh")
    assert todo.changed and todo.system_units == ()


def test_a_manager_that_runs_reads_the_unit_again(host, tools, own_files):
    tools.answers["systemctl show"] = rootless.commands.CommandResult(0, "ActiveState=active\n", "")
    rootless.apply(ALICE, request(host), rootless.plan(ALICE, request(host), "/usr/bin/dockerd-rootless.sh"))
    assert tools.ran[-1].endswith("systemctl --user daemon-reload")


def test_a_directory_of_the_user_is_made_as_the_user(host, own_files, monkeypatch):
    acted = []
    monkeypatch.setattr(accounts, "acting_as", lambda account: acted.append(account.name) or contextlib.nullcontext())
    own = Account("alice", str(host), os.getuid(), os.getgid())
    rootless._make_data_root(own, str(host / ".local/share/docker"))
    assert acted == ["alice"]
    assert (host / ".local/share/docker").is_dir()
    stranger = Account("alice", str(host), 4242424, 4242424)
    rootless._make_data_root(stranger, str(host / "outside"))
    assert acted == ["alice"] and (4242424, 4242424) in own_files


@pytest.mark.parametrize("path", ["relative", "/a b", "/with%specifier", "/with\nline"])
def test_paths_that_units_would_read_otherwise(path):
    (problem,) = rootless.judge(Request("alice", "/home/alice", path))
    assert problem.where == "data_root"


def test_scopes():
    assert systemd.SYSTEM.journal("a.service") == ["--unit=a.service"]
    assert systemd.user_scope(ALICE).systemctl[:3] == ("setpriv", "--reuid=1001", "--regid=1001")
