# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pathlib
import socket
import time

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import id_ranges
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files, State
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    daemon,
    daemon_facts,
    daemon_places,
    docker_data,
    files,
    locks,
    processes,
    restart_due,
    subid_files,
    systemd,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.docker_api import ApiError

SHOWN = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "Result": "success",
    "NRestarts": "0",
    "ExecStart": "{ path=/usr/sbin/dockerd ; argv[]=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS ; ignore_errors=no ; }",
    "Environment": "A=1 'B=two words'",
    "EnvironmentFiles": "",
    "MainPID": str(os.getpid()),
    "InvocationID": "0123456789abcdef",
}


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.setattr(daemon, "SECCOMP_FILE", str(tmp_path / "seccomp.json"))
    monkeypatch.setattr(daemon, "STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setattr(daemon, "STATE_FILE", str(tmp_path / "state" / "daemon.json"))
    monkeypatch.setattr(files.os, "fchown", lambda *_arguments: None)
    monkeypatch.setattr(files.os, "chown", lambda *_arguments: None)
    return daemon.Daemon(str(tmp_path / "docker" / "daemon.json"))


def test_files_are_written_and_taken_away(host, tmp_path):
    assert host.read_files() == Files(None, None)
    assert host.written() == 0.0
    host.write_files(Files("{}\n", "profile\n"))
    assert host.read_files() == Files("{}\n", "profile\n")
    assert (tmp_path / "docker" / "daemon.json").stat().st_mode & 0o777 == 0o644
    assert host.written() > 0
    host.write_files(Files("{}\n", None))
    assert host.read_files() == Files("{}\n", None)


@pytest.mark.parametrize(("mode", "expected"), [(0o600, 0o600), (0o640, 0o640), (0o666, 0o644), (0o755, 0o644)])
def test_a_tighter_mode_stays_also_when_a_file_is_put_back(host, tmp_path, mode, expected):
    host.write_files(Files("{}\n", "profile\n"))
    paths = [tmp_path / "docker" / "daemon.json", tmp_path / "seccomp.json"]
    for path in paths:
        path.chmod(mode)
    host.write_files(Files('{"icc": false}\n', None))
    host.write_files(Files("{}\n", "profile\n"))
    assert [path.stat().st_mode & 0o7777 for path in paths] == [expected, expected]


def test_stop_takes_the_socket_too_and_leaves_no_failure(host, monkeypatch):
    called = []
    shown = {**SHOWN, "ActiveState": "failed", "SubState": "failed"}
    monkeypatch.setattr(systemd, "stop", lambda *units, **_scope: called.append(units))
    monkeypatch.setattr(systemd, "reset_failed", lambda _unit, _scope: shown.update(ActiveState="inactive", SubState="dead"))
    monkeypatch.setattr(systemd, "properties", lambda _unit, _names, _scope: shown)
    assert host.stop() is True
    assert called == [("docker.socket", "docker.service")]
    shown["ActiveState"] = "active"
    monkeypatch.setattr(systemd, "reset_failed", lambda _unit, _scope: None)
    assert host.stop() is False


@pytest.mark.parametrize(
    ("state", "sub", "expected"),
    [
        ("active", "running", ["reset-failed", "reset-failed", "restart", "reset-failed", "reset-failed"]),
        ("activating", "auto-restart", ["stop", "reset-failed", "reset-failed", "start", "reset-failed", "reset-failed"]),
        ("failed", "failed", ["stop", "reset-failed", "reset-failed", "start", "reset-failed", "reset-failed"]),
    ],
)
def test_a_start_by_systemd_itself_does_not_use_up_the_one_of_a_restart(host, monkeypatch, state, sub, expected):
    ran = []

    def run(arguments, **_options):
        if arguments[1] == "show":
            return commands.CommandResult(0, "".join(f"{key}={value}\n" for key, value in {**SHOWN, "ActiveState": state, "SubState": sub}.items()), "")
        ran.append(arguments[1])
        return commands.CommandResult(0, "", "")

    monkeypatch.setattr(commands, "run", run)
    assert host.restart(10)
    assert ran == expected


def test_a_stop_that_hangs_is_told(host, monkeypatch):
    def hang(*_units, **_scope):
        raise commands.CommandError("'systemctl stop' did not finish within 180 seconds")

    monkeypatch.setattr(systemd, "stop", hang)
    assert host.stop() is False


def test_a_link_is_refused(host, tmp_path):
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "daemon.json").symlink_to("/etc/passwd")
    with pytest.raises(files.FileError, match="symbolic link"):
        host.read_files()


def test_the_state_is_for_root_only(host, tmp_path):
    host.write_state(State(managed=("icc",)))
    assert host.read_state() == (State(managed=("icc",)), "")
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / "daemon.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["{", '{"schema": 99}', "\ufeffnonsense"])
def test_a_memory_that_cannot_be_read_is_kept(host, tmp_path, text):
    (tmp_path / "state").mkdir()
    memory = tmp_path / "state" / "daemon.json"
    for number in range(2):
        memory.write_text(text)
        state, damage = host.read_state()
        assert state == State()
        assert f"{memory}.unreadable" in damage
        host.write_state(State(managed=("icc",)))
        assert (tmp_path / "state" / ("daemon.json.unreadable" + (f".{number}" if number else ""))).read_text() == text
        assert host.read_state() == (State(managed=("icc",)), "")


def test_a_memory_that_is_no_text_is_kept(host, tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "daemon.json").write_bytes(b"\xff\xfe\x00")
    assert "damaged" in host.read_state()[1]
    host.write_state(State())
    assert (tmp_path / "state" / "daemon.json.unreadable").read_bytes() == b"\xff\xfe\x00"


def test_a_lock_keeps_others_out_and_says_who_holds_it(host, monkeypatch, tmp_path):
    monkeypatch.setattr(daemon, "LOCK_FILE", str(tmp_path / "state" / "daemon.lock"))
    refused = pytest.raises(locks.LockError, match=f"process {os.getpid()}.*run again when it has ended")
    with host.lock(0), refused, host.lock(0):
        pass
    with host.lock(0):
        pass
    (tmp_path / "state" / "daemon.lock").unlink()
    (tmp_path / "state" / "daemon.lock").symlink_to("/etc/passwd")
    with pytest.raises(locks.LockError, match="symbolic link"), host.lock(0):
        pass


def test_unit(host, tmp_path, monkeypatch):
    environment = tmp_path / "default"
    environment.write_text('# comment\nDOCKER_OPTS="--debug"\n')
    shown = {**SHOWN, "EnvironmentFiles": f"{environment} (ignore_errors=yes)"}
    monkeypatch.setattr(systemd, "properties", lambda _unit, _names, _scope: shown)
    unit = host.unit()
    assert (unit.loaded, unit.active, unit.failing) == (True, True, False)
    assert unit.arguments == ("-H", "fd://", "--debug")
    assert unit.flags == {"host": ["fd://"], "debug": ["true"]}
    assert time.time() - 3600 * 24 < unit.started <= time.time()
    assert (unit.masked, unit.invocation, unit.step) == (False, "0123456789abcdef", "active (running)")


@pytest.mark.parametrize("state", ["active", "reloading", "refreshing"])
def test_a_daemon_that_says_that_it_reloads_has_not_ended(host, monkeypatch, state):
    monkeypatch.setattr(systemd, "properties", lambda _unit, _names, _scope: {**SHOWN, "ActiveState": state, "SubState": "reload-notify"})
    assert host.unit().active is True
    assert host.unit().started > 0


@pytest.mark.parametrize(("program", "wrapped"), [("/usr/sbin/dockerd", False), ("/usr/bin/dockerd", False), ("/usr/local/sbin/own-dockerd", True)])
def test_a_program_before_dockerd_is_noticed(host, monkeypatch, program, wrapped):
    shown = {**SHOWN, "ExecStart": f"{{ path={program} ; argv[]={program} -H fd:// ; ignore_errors=no ; }}"}
    monkeypatch.setattr(systemd, "properties", lambda _unit, _names, _scope: shown)
    assert host.unit().wrapped is wrapped


def test_every_file_with_variables_of_the_unit_counts(host, tmp_path, tools):
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"{name.upper()}=--label={name}\n")
    start = "{ path=/usr/bin/dockerd ; argv[]=/usr/bin/dockerd $ONE $TWO ; ignore_errors=no ; }"
    lines = [f"EnvironmentFiles={tmp_path / name} (ignore_errors=yes)" for name in ("one", "two")]
    tools.answer("systemctl show", "\n".join(["LoadState=loaded", "ActiveState=inactive", "SubState=dead", f"ExecStart={start}", *lines, ""]))
    assert host.unit().flags == {"label": ["one", "two"]}


@pytest.mark.parametrize(
    ("state", "sub", "restarts", "active", "failing"),
    [
        ("failed", "failed", "0", False, True),
        ("activating", "auto-restart", "0", False, True),
        ("activating", "start", "2", False, True),
        ("activating", "start", "0", False, False),
        ("inactive", "dead", "0", False, False),
        ("inactive", "dead", "2", False, False),
    ],
)
def test_unit_states(host, monkeypatch, state, sub, restarts, active, failing):
    shown = {**SHOWN, "ActiveState": state, "SubState": sub, "NRestarts": restarts}
    monkeypatch.setattr(systemd, "properties", lambda _unit, _names, _scope: shown)
    unit = host.unit()
    assert (unit.active, unit.failing, unit.started) == (active, failing, 0.0)


@pytest.mark.parametrize(
    ("state", "sub", "starting", "rests"),
    [
        ("activating", "start", True, False),
        ("activating", "start-pre", True, False),
        ("activating", "auto-restart", False, False),
        ("failed", "failed", False, False),
        ("active", "running", False, False),
        ("deactivating", "stop-sigterm", False, True),
        ("inactive", "dead", False, True),
    ],
)
def test_who_rests_and_who_is_being_started(host, monkeypatch, state, sub, starting, rests):
    monkeypatch.setattr(systemd, "properties", lambda _unit, _names, _scope: {**SHOWN, "ActiveState": state, "SubState": sub})
    assert (host.unit().starting, host.unit().rests) == (starting, rests)


def test_a_dead_containerd_is_a_problem_of_the_hosts_daemon_and_not_of_a_users(host, monkeypatch):
    monkeypatch.setattr(daemon_facts, "containerd_problems", lambda: ["dead"])
    monkeypatch.setattr(daemon_facts, "problems", lambda *_given: [])
    monkeypatch.setattr(daemon_places, "owner_problems", lambda _path: [])
    assert host.problems({}, None, False) == ["dead"]
    host.scope = systemd.Scope(("systemctl", "--user"))
    assert host.problems({}, None, False) == []


def test_dockerds_check_gets_the_units_flags(host, monkeypatch):
    called = []

    def run(arguments, **options):
        called.append((arguments, options["stdin"]))
        return commands.CommandResult(
            1, "", "unable to configure the Docker daemon with file /dev/stdin: no such key: x\n"
        )

    monkeypatch.setattr(commands, "run", run)
    unit = daemon.Unit(True, True, False, ("-H", "fd://", "--config-file", "/x", "--config-file=/y", "--debug"))
    said = host.validate("{}", unit)
    assert called == [(["dockerd", "-H", "fd://", "--debug", "--validate", "--config-file=/dev/stdin"], "{}")]
    assert said == f"unable to configure the Docker daemon with file {host.config_file}: no such key: x"


@pytest.mark.parametrize(
    ("config", "flags", "expected"),
    [
        ({}, {}, "/var/lib/docker"),
        ({"data-root": "/srv/"}, {}, "/srv"),
        ({}, {"data-root": ["/mnt"]}, "/mnt"),
        ({"userns-remap": "dockremap:dockremap"}, {}, "/var/lib/docker/100000.200000"),
        ({"userns-remap": "stranger"}, {}, None),
    ],
)
def test_effective_root(monkeypatch, config, flags, expected):
    known = id_ranges.Mapping(
        (id_ranges.Range("dockremap", 100000, 65536),), (id_ranges.Range("dockremap", 200000, 65536),)
    )
    monkeypatch.setattr(subid_files, "mapping_of", lambda user: known if user == "dockremap" else None)
    assert daemon_facts.effective_root(config, flags) == expected


@pytest.mark.parametrize(
    ("config", "where"),
    [
        ({}, []),
        ({"group": "no-such-group-here"}, ["group"]),
        ({"group": "0"}, []),
        ({"userns-remap": "no-such-user-here"}, ["userns-remap"]),
        ({"seccomp-profile": "/no/such/profile.json"}, ["seccomp-profile"]),
        ({"tlsverify": True, "tlscacert": "/no/such"}, ["tlscacert"]),
        ({"init-path": "/no/such/init"}, ["init-path"]),
        ({"runtimes": {"a": {"path": "/no/such/runtime"}}}, ["runtimes.a"]),
        ({"runtimes": {"a": {"path": "sh"}}}, []),
        ({"authorization-plugins": ["no-such-plugin"]}, ["authorization-plugins"]),
        ({"authorization-plugins": ["managed:latest"]}, []),
        ({"authorization-plugins": "x", "group": 5, "runtimes": [], "seccomp-profile": None}, []),
    ],
)
def test_problems(tmp_path, config, where):
    found = daemon_facts.problems(config, str(tmp_path), predicting=False, own_seccomp="/own")
    assert [problem.where for problem in found] == where


def test_a_profile_in_a_file_is_judged(tmp_path):
    profile = tmp_path / "profile.json"
    profile.write_text("{}")
    found = daemon_facts.problems({"seccomp-profile": str(profile)}, None, predicting=False, own_seccomp="/own")
    assert "switch seccomp off" in found[0].message


def test_users_and_programs_may_still_come_in_check_mode():
    config = {"userns-remap": "no-such-user-here", "group": "none-such", "runtimes": {"a": {"path": "/none/such"}}}
    assert daemon_facts.problems(config, None, predicting=True, own_seccomp="/own") == []


def test_inventory(host, tmp_path):
    assert host.inventory(str(tmp_path)) == docker_data.DockerData(str(tmp_path))


def test_a_dockerd_with_other_arguments_than_its_unit_is_outdated(host, monkeypatch, tmp_path):
    monkeypatch.setattr(restart_due, "PATH", str(tmp_path / "due.json"))
    running = ["-H", "fd://"]
    monkeypatch.setattr(processes, "arguments", lambda pid: running)
    unit = daemon.Unit(True, True, False, ("-H", "fd://"), invocation="run 1", pid=7)
    assert host.outdated(unit) == []
    running = ["-H", "fd://", "--debug"]
    assert [problem.message for problem in host.outdated(unit)] == ["dockerd runs with '-H fd:// --debug', but its unit says '-H fd://'"]
    wrapped = daemon.Unit(True, True, False, ("-H", "fd://"), invocation="run 1", pid=7, wrapped=True)
    assert host.outdated(wrapped) == []
    running = None
    assert host.outdated(unit) == []
    restart_due.note("run 1", "it was started with another file")
    assert [problem.message for problem in host.outdated(unit)] == ["it was started with another file"]
    assert host.outdated(daemon.Unit(True, False, False)) == []


def test_other_arguments_are_told_without_their_secrets(host, monkeypatch, tmp_path):
    monkeypatch.setattr(restart_due, "PATH", str(tmp_path / "due.json"))
    monkeypatch.setattr(processes, "arguments", lambda pid: ["--registry-mirror=https://u:PASSWORD@m", "--log-opt=splunk-token=TOKEN"])
    found = str(host.outdated(daemon.Unit(True, True, False, ("-H", "fd://"), invocation="run 1", pid=7)))
    assert "registry-mirror" in found and "PASSWORD" not in found and "TOKEN" not in found


def test_the_last_reload_of_this_run_of_dockerd_counts(host):
    class Api:
        told = [{"debug": "true"}, {"debug": "false"}]
        fails = None

        def reloads_since(self, moment):
            if self.fails is not None:
                raise self.fails
            return self.told if moment == 5 * 10**9 else []

    host._api = Api()
    unit = daemon.Unit(True, True, False, started=5.0)
    assert host.last_reload(unit) == {"debug": "false"}
    assert host.last_reload(daemon.Unit(True, True, False, started=6.0)) == {}
    assert host.last_reload(daemon.Unit(True, False, False)) == {}
    Api.fails = ApiError("silent")
    assert host.last_reload(unit) == {}


@pytest.mark.parametrize(
    "state, path, expected",
    [
        ("active", "gone", ["stop", "start"]),
        ("active", "there", ["restart"]),
        ("inactive", "gone", ["restart"]),
    ],
)
def test_a_restart_lets_systemd_listen_again_where_nobody_finds_the_socket(host, monkeypatch, tmp_path, state, path, expected):
    called = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "there"))
        shown = {**SHOWN, "Listen": f"{tmp_path / path} (Stream)"}
        monkeypatch.setattr(systemd, "properties", lambda unit, _names, _scope: {**shown, "ActiveState": state if unit == daemon.SOCKET_UNIT else "active"})
        monkeypatch.setattr(systemd, "reset_failed", lambda _unit, _scope: None)
        for name in ("stop", "start", "restart"):
            monkeypatch.setattr(systemd, name, lambda *units, name=name, **_options: called.append(name) or commands.CommandResult(0, "", ""))
        assert host.restart(10) is True
    assert called == expected


def test_arguments_of_a_process():
    assert processes.arguments(os.getpid()) == pathlib.Path(f"/proc/{os.getpid()}/cmdline").read_text(encoding="utf-8").split("\0")[1:-1]
    assert processes.arguments(0) is None
    assert processes.arguments(2**22 + 1) is None
