# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import types

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift import restore
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.manifest import Manifest, Section
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.restore import Action
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files, State
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_ranges import RangeFile
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.packages import Known
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    daemon,
    drift_look,
    manifest_file,
    manifest_restore,
    package_manager,
    restart_due,
    set_aside,
    subid_files,
    systemd,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.manifest_restore import Packages

ACTIVE = daemon.Unit(True, True, False, ("-H", "fd://"), started=1000.0, invocation="run 2")


@pytest.fixture
def host(monkeypatch, tmp_path, own_files):
    """A host whose manifest, observations and daemon are what a test says."""
    told = types.SimpleNamespace(items={}, seen={}, unit=ACTIVE, state=State(), reloads=0)
    monkeypatch.setattr(set_aside, "STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setattr(set_aside, "PLACE", str(tmp_path / "state" / "set-aside"))
    monkeypatch.setattr(restart_due, "PATH", str(tmp_path / "state" / "restart-due.json"))
    monkeypatch.setattr(drift_look.Eyes, "observe", lambda eyes, thing, state=None: {**told.items.get(thing, {}), **told.seen.get(thing, {})})
    monkeypatch.setattr(daemon.Daemon, "unit", lambda self: told.unit)
    monkeypatch.setattr(daemon.Daemon, "read_state", lambda self: (told.state, ""))
    monkeypatch.setattr(systemd, "daemon_reload", lambda: setattr(told, "reloads", told.reloads + 1))
    roles = ("docker_daemon", "docker_engine")
    monkeypatch.setattr(manifest_file, "read", lambda: manifest_file.Found(Manifest("m", {role: Section("", "", "", told.items) for role in roles})))
    return told


def regular(text, **others):
    return {"type": "regular file", "sha256": hashlib.sha256(text.encode()).hexdigest(), "mode": "0640", "owner": f"{os.getuid()}:{os.getgid()}", **others}


def test_a_file_comes_back_from_what_was_proved(host, tmp_path):
    path = tmp_path / "daemon.json"
    path.write_text('{"icc": true}')
    host.items = {f"file:{path}": regular('{"icc": false}\n')}
    host.seen = {f"file:{path}": regular('{"icc": true}')}
    host.state = State(good=Files('{"icc": false}\n'), invocation="run 2")
    done = manifest_restore.run("docker_daemon", Packages(), False)
    assert path.read_text() == '{"icc": false}\n'
    assert path.stat().st_mode & 0o777 == 0o640
    assert [pathlib.Path(place).read_text(encoding="utf-8") for place in done.places] == ['{"icc": true}']
    # That run of the daemon is known to have what came back.
    assert restart_due.read("run 2") == []


@pytest.mark.parametrize("moment, due", [(900.0, ["it was started with another PATH"]), (1100.0, [])])
def test_a_daemon_that_was_started_with_the_edited_file_has_to_be_restarted(host, tmp_path, moment, due):
    path = tmp_path / "daemon.json"
    path.write_text("{}")
    os.utime(path, (moment, moment))
    host.items = {f"file:{path}": regular('{"icc": false}\n')}
    host.seen = {f"file:{path}": regular("{}")}
    host.state = State(good=Files('{"icc": false}\n'), invocation="run 1")
    manifest_restore.run("docker_daemon", Packages(), False)
    assert restart_due.read("run 2") == [reason.replace("PATH", str(path)) for reason in due]


def test_a_drop_in_that_dockerd_was_started_with_is_noted_before_it_goes(host, tmp_path, monkeypatch):
    path = tmp_path / "systemd" / "system.control" / "docker.service.d" / "90.conf"
    path.parent.mkdir(parents=True)
    path.write_text("[Service]\n")
    os.utime(path, (900, 900))
    unit = {"type": "loaded", "fragment": "", "enabled": "enabled", "active": "active", "drop_ins": []}
    host.items, host.seen = {"unit:docker.service": unit}, {"unit:docker.service": {"drop_ins": [str(path)]}}

    def killed(self, path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(set_aside.Aside, "move", killed)
        manifest_restore.run("docker_daemon", Packages(), False)
    assert restart_due.read("run 2") == [f"it was started with another {path}"]
    assert path.exists()
    manifest_restore.run("docker_daemon", Packages(), False)
    assert not path.exists()
    assert host.reloads == 1


def test_check_mode_says_the_same_and_does_nothing(host, tmp_path):
    path = tmp_path / "daemon.json"
    path.write_text("{}")
    host.items, host.seen = {f"file:{path}": regular("x")}, {f"file:{path}": regular("{}")}
    host.state = State(good=Files("x"))
    predicted = manifest_restore.run("docker_daemon", Packages(), True)
    assert path.read_text() == "{}"
    assert not (tmp_path / "state").exists()
    assert [action.says for action in predicted.actions] == [action.says for action in manifest_restore.run("docker_daemon", Packages(), False).actions]


def test_without_a_manifest_nothing_is_put_back_and_that_is_said(monkeypatch):
    monkeypatch.setattr(manifest_file, "read", lambda: manifest_file.Found(name="manifest-damaged", problem="was edited after it was written"))
    assert manifest_restore.run("docker_daemon", Packages(), False).problem == "the manifest was edited after it was written"
    monkeypatch.setattr(manifest_file, "read", lambda: manifest_file.Found(Manifest("m")))
    assert manifest_restore.run("docker_daemon", Packages(), False).problem == "the manifest has nothing of docker_daemon"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a:1:2\ndockremap:900000:65536\nb:3:4\n", "a:1:2\ndockremap:100000:65536\nb:3:4\n"),
        ("a:1:2\nb:3:4\n", "a:1:2\nb:3:4\ndockremap:100000:65536\n"),
        ("dockremap:5:6\n# a comment\n1234:7:8\nb:3:4\n", "dockremap:100000:65536\n# a comment\nb:3:4\n"),
        ("dockremap:100000:65536\nb:3:4\n", "dockremap:100000:65536\nb:3:4\n"),
        ("b:3:4", "b:3:4\ndockremap:100000:65536\n"),
    ],
)
def test_only_the_lines_of_the_user_are_put_back(monkeypatch, text, expected):
    written = {}
    monkeypatch.setattr(subid_files, "locked", contextlib.nullcontext)
    monkeypatch.setattr(subid_files, "account_number", lambda name: 1234)
    monkeypatch.setattr(subid_files, "read", lambda: (RangeFile("/etc/subuid", text), RangeFile("/etc/subgid", "dockremap:100000:65536\n")))
    monkeypatch.setattr(subid_files, "replace", written.__setitem__)
    values = {"uid": ["100000:65536"], "gid": ["100000:65536"]}
    manifest_restore._ranges(Action(restore.RANGES, "ranges:dockremap", "dockremap", "", values), set_aside.Aside())
    assert written == ({} if text == expected else {"/etc/subuid": expected})


def packages(host, monkeypatch, installed, wanted, offered=("1.1.15-1",)):
    host.items = {"package:runc": {"type": "installed", "version": "1.1.15-1", "held": True}}
    host.seen = {"package:runc": {"version": installed} if installed else {"type": "absent", "version": None}}
    manager = types.SimpleNamespace(known=lambda names: {name: Known(installed, offered[0] if offered else "", tuple(offered)) for name in names})
    monkeypatch.setattr(package_manager, "here", lambda: manager)
    found = manifest_restore.run("docker_engine", wanted, True)
    return found.packages, [left.reason for left in found.left]


def test_a_package_goes_back_where_that_is_allowed(host, monkeypatch):
    assert packages(host, monkeypatch, "1.1.15-2", Packages(("runc",), downgrade=True)) == ({"runc": "1.1.15-1"}, [])
    assert packages(host, monkeypatch, "1.1.14-1", Packages(("runc",))) == ({"runc": "1.1.15-1"}, [])
    assert packages(host, monkeypatch, "", Packages(("runc",))) == ({"runc": "1.1.15-1"}, [])


def test_otherwise_it_stays_and_the_reason_is_said(host, monkeypatch):
    back, why = packages(host, monkeypatch, "1.1.15-2", Packages(("runc",)))
    assert back == {}
    assert "set docker_engine_downgrade" in why[0]
    back, why = packages(host, monkeypatch, "1.1.15-2", Packages(("runc",), downgrade=True), offered=("1.1.16-1",))
    assert back == {}
    assert "no source of this host offers runc 1.1.15-1" in why[0]


def test_nothing_goes_back_that_a_variable_pins_or_that_becomes_newer_anyway(host, monkeypatch):
    assert packages(host, monkeypatch, "1.1.15-2", Packages((), downgrade=True)) == ({}, [])
    assert packages(host, monkeypatch, "1.1.15-2", Packages(("runc",), upgrade=True, downgrade=True)) == ({}, [])
    assert packages(host, monkeypatch, "1.1.15-1", Packages(("runc",))) == ({}, [])


def test_where_others_may_put_links_nothing_is_put_back(host, tmp_path):
    path = tmp_path / "home" / "daemon.json"
    path.parent.mkdir()
    path.write_text("{}")
    path.parent.chmod(0o777)
    host.items = {f"file:{path}": regular("{}", mode="0600")}
    host.seen = {f"file:{path}": regular("{}", mode="0666")}
    done = manifest_restore.run("docker_daemon", Packages(), False)
    assert done.actions == [] and str(path.parent) in done.left[0].reason


@pytest.mark.parametrize("set_aside_before", [False, True])
def test_a_unit_is_started_as_its_files_are_now(host, tmp_path, monkeypatch, set_aside_before):
    """What keeps it from starting is set aside in this run, or was by one that was killed before systemd was told."""
    path = tmp_path / "systemd" / "system" / "containerd.service.d" / "99.conf"
    path.parent.mkdir(parents=True)
    path.write_text("[Service]\nExecStart=\nExecStart=/bin/false\n")
    host.stale = True
    monkeypatch.setattr(systemd, "daemon_reload", lambda: setattr(host, "stale", False))
    monkeypatch.setattr(systemd, "properties", lambda unit, names: {"NeedDaemonReload": "yes" if host.stale else "no"})
    monkeypatch.setattr(systemd, "reset_failed", lambda unit: None)
    started = []

    def start(unit):
        started.append((unit, path.exists(), host.stale))
        return types.SimpleNamespace(rc=0, stderr="")

    monkeypatch.setattr(systemd, "start", start)
    if set_aside_before:
        path.unlink()
    thing = "unit:containerd.service"
    host.items = {thing: {"type": "loaded", "active": "active", "drop_ins": []}}
    host.seen = {thing: {"active": "failed", "drop_ins": [] if set_aside_before else [str(path)]}}
    manifest_restore.run("docker_daemon", Packages(), False)
    assert started == [("containerd.service", False, False)]
