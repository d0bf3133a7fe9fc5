# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import stat

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift import pull
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, files
from ansible_collections.bulkhead.docker.plugins.module_utils.host import pull as host_pull

ANALYSE, SHOW = "systemd-analyze", f"systemctl show --property UnitFileState,ActiveState -- {pull.TIMER}"


@pytest.fixture
def host(tmp_path, monkeypatch, own_files, tools):
    """A host whose files lie in a directory, and whose systemd agrees with everything."""
    names = {name: str(tmp_path) + getattr(pull, name) for name in ("UNITS", "PROGRAM", "DIRECTORY", "CONFIG", "INVENTORY")}
    for name, path in names.items():
        monkeypatch.setattr(pull, name, path)
    units = (f"{pull.UNITS}/{pull.SERVICE}", f"{pull.UNITS}/{pull.TIMER}")
    monkeypatch.setattr(host_pull, "FILES", (pull.PROGRAM, pull.CONFIG, pull.INVENTORY, *units))
    monkeypatch.setattr(host_pull, "_SECRET", (pull.CONFIG, pull.INVENTORY))
    os.makedirs(pull.UNITS)
    tools.answer(ANALYSE)
    tools.answer("systemctl daemon-reload")
    tools.answer(f"systemctl enable -- {pull.TIMER}")
    tools.answer(f"systemctl disable -- {pull.TIMER}")
    tools.answer(f"systemctl restart -- {pull.TIMER}")
    tools.answer(f"systemctl stop -- {pull.TIMER}")
    tools.answer(f"{pull.PROGRAM} check")
    timer(tools, False)
    return tools


def timer(tools, runs):
    state, active = ("enabled", "active") if runs else ("disabled", "inactive")
    tools.answer(SHOW, f"UnitFileState={state}\nActiveState={active}\n")
    tools.answer(f"systemctl show --property ActiveState -- {pull.TIMER}", f"ActiveState={active}\n")


def planned(enabled=True, **more):
    return host_pull.plan(pull.Pull(**more), "print('hello')\n", pull.inventory({"secret": "hunter2"}, "/usr/bin/python3"), enabled)


def changing(host):
    return [line for line in host.ran if "show" not in line and not line.startswith(ANALYSE)]


def test_a_new_host(host, own_files):
    found = planned()
    assert (found.changes, found.private, found.enable, found.start) == (True, True, True, True)
    host_pull.carry_out(found)
    modes = {path: stat.S_IMODE(os.stat(path).st_mode) for path in host_pull.FILES}
    assert list(modes.values()) == [0o755, 0o600, 0o600, 0o644, 0o644]
    assert stat.S_IMODE(os.stat(pull.DIRECTORY).st_mode) == 0o700
    with open(pull.PROGRAM, encoding="utf-8") as handle:
        assert handle.read() == "#!/usr/bin/python3 -I\nprint('hello')\n"
    # The host proves that it can before the timer begins.
    assert changing(host) == [
        "systemctl daemon-reload",
        f"{pull.PROGRAM} check",
        f"systemctl enable -- {pull.TIMER}",
        f"systemctl restart -- {pull.TIMER}",
    ]


def test_a_second_run_changes_nothing(host):
    host_pull.carry_out(planned())
    timer(host, True)
    found = planned()
    assert (found.changes, found.diff()) == (False, [])


def test_another_schedule_restarts_the_timer(host):
    host_pull.carry_out(planned())
    timer(host, True)
    host.ran.clear()
    found = planned(schedule="*-*-* 04:00:00")
    assert [one.path for one in found.files] == [f"{pull.UNITS}/{pull.TIMER}"]
    host_pull.carry_out(found)
    assert changing(host)[-1] == f"systemctl restart -- {pull.TIMER}"


@pytest.mark.parametrize("state", ["disabled", "masked", "enabled-runtime", ""])
def test_a_timer_that_somebody_disabled(host, state):
    host_pull.carry_out(planned())
    host.answer(SHOW, f"UnitFileState={state}\nActiveState=active\n")
    found = planned()
    assert (found.changes, found.enable, found.start) == (True, True, None)


def test_a_timer_that_is_not_to_run(host):
    host_pull.carry_out(planned())
    timer(host, True)
    found = planned(enabled=False)
    assert (found.enable, found.start) == (False, False)
    host_pull.carry_out(found)
    assert f"systemctl disable -- {pull.TIMER}" in host.ran
    assert f"systemctl stop -- {pull.TIMER}" in host.ran


def test_an_open_directory_is_closed(host):
    host_pull.carry_out(planned())
    timer(host, True)
    os.chmod(pull.DIRECTORY, 0o755)
    found = planned()
    assert (found.changes, found.private, found.files) == (True, True, ())
    host_pull.carry_out(found)
    assert stat.S_IMODE(os.stat(pull.DIRECTORY).st_mode) == 0o700


def test_a_host_that_cannot_is_told_so_and_its_timer_does_not_begin(host):
    host.answer(f"{pull.PROGRAM} check", rc=1)
    host.answers[f"{pull.PROGRAM} check"] = commands.CommandResult(1, "", "docker-pull: ansible-core is too old.\n")
    with pytest.raises(commands.CommandError, match=r"\Aansible-core is too old\Z"):
        host_pull.carry_out(planned())
    assert not any("enable" in line for line in host.ran)


def test_a_host_by_itself_keeps_its_inventory(host):
    host_pull.carry_out(planned())
    timer(host, True)
    os.chmod(pull.INVENTORY, 0o644)
    with open(pull.INVENTORY, "a", encoding="utf-8") as handle:
        handle.write("# edited\n")
    found = host_pull.plan(pull.Pull(), "print('hello')\n", None, True)
    assert [one.path for one in found.files] == [pull.INVENTORY]
    host_pull.carry_out(found)
    with open(pull.INVENTORY, encoding="utf-8") as handle:
        assert handle.read().endswith("# edited\n")
    assert stat.S_IMODE(os.stat(pull.INVENTORY).st_mode) == 0o600
    assert not host_pull.plan(pull.Pull(), "print('hello')\n", None, True).changes
    os.unlink(pull.INVENTORY)
    with pytest.raises(files.FileError, match="run the role docker_pull from the controller"):
        host_pull.plan(pull.Pull(), "print('hello')\n", None, True)


def test_the_difference_shows_no_secret(host):
    shown = planned().diff()
    assert "hunter2" not in str(shown)
    assert {one["after_header"] for one in shown} == {*host_pull.FILES, pull.TIMER}
    host_pull.carry_out(planned())
    again = host_pull.plan(pull.Pull(), "print('hello')\n", pull.inventory({"secret": "other"}, "/usr/bin/python3"), True).diff()
    assert "hunter2" not in str(again)
    assert "other" not in str(again)


def test_removal(host, tmp_path):
    host_pull.carry_out(planned())
    timer(host, True)
    metrics = tmp_path / pull.METRICS
    metrics.write_text("old", encoding="utf-8")
    found = host_pull.removal(str(tmp_path))
    assert found.changes
    host_pull.carry_out(found)
    assert not any(os.path.lexists(path) for path in (*host_pull.FILES, metrics))
    assert host.ran.index(f"systemctl stop -- {pull.TIMER}") < host.ran.index("systemctl daemon-reload", host.ran.index(f"systemctl stop -- {pull.TIMER}"))
    timer(host, False)
    assert not host_pull.removal(str(tmp_path)).changes


def test_times_that_systemd_does_not_understand(host):
    host.answers[f"{ANALYSE} calendar"] = commands.CommandResult(1, "", "")
    host.answers = {f"{ANALYSE} calendar": host.answers.pop(f"{ANALYSE} calendar"), **host.answers}
    assert host_pull.refusals(pull.Pull(schedule="99")) == ["docker_pull_schedule is '99', which this host's systemd does not understand; see systemd.time(7)."]


def test_a_directory_of_metrics_that_is_not_there(host):
    (said,) = host_pull.refusals(pull.Pull(metrics="/nonexistent"))
    assert said.startswith("docker_pull_textfile_directory is /nonexistent, which is no directory on this host")


def test_what_the_manifest_watches(host):
    assert host_pull.state(True) == {"files": list(host_pull.FILES), "units": [], "timers": [pull.TIMER]}
    assert host_pull.state(False)["timers"] == []
