# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Limits on a host: the order of writing and looking, what the kernel is seen to keep, what is refused because of what runs."""

from __future__ import annotations

import dataclasses
import os

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import limits
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import limits_metrics as texts
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, drift_places, files, limits_live
from ansible_collections.bulkhead.docker.plugins.module_utils.host import limits as host_limits

GIB = 1024**3
SEEN = limits.Host(4 * GIB, 4, 30000)
WANTED = limits.Wanted(containers={"memory_max": "2GiB", "tasks_max": 1000}, reserve="128MiB", parent="containers.slice")
ID = "0123456789ab" + "c" * 52


@pytest.fixture
def host(tmp_path, monkeypatch, own_files, tools):
    """A host whose units and control groups are directories; systemd does as its units say when it reads them."""
    monkeypatch.setattr(limits_live, "CGROUPS", str(tmp_path / "cgroup"))
    for module in (limits_live, limits):
        monkeypatch.setattr(module, "UNITS", str(tmp_path / "units"))
    for name in ("UNITS", "PROGRAM", "DIRECTORY", "CONFIG"):
        monkeypatch.setattr(texts, name, str(tmp_path) + getattr(texts, name))
    monkeypatch.setattr(drift_places, "CONFIG_FILE", str(tmp_path / "daemon.json"))
    monkeypatch.setattr(host_limits, "host", lambda: SEEN)
    monkeypatch.setattr(host_limits, "_PAUSES", (0,))
    os.makedirs(tmp_path / "units")
    os.makedirs(tmp_path / "cgroup" / "system.slice")
    tools.answer("systemctl daemon-reload")
    tools.answer("systemctl start -- containers.slice")
    tools.root = tmp_path
    tools.keep = lambda **values: group(tmp_path, "containers.slice", **values)
    monkeypatch.setattr(host_limits, "CONTROL", str(tmp_path / "control"))
    # What systemd has of a slice, as it shows it.
    tools.shown = {"LoadState": "loaded", "DropInPaths": "", "MemoryMax": "2147483648", "TasksMax": "1000"}
    answer = tools.run

    def run(arguments, **more):
        if list(arguments[:2]) == ["systemctl", "start"]:
            tools.keep(**{"memory.max": "2147483648", "pids.max": "1000"})
        if list(arguments[:2]) == ["systemctl", "show"] and arguments[-1].endswith(".slice"):
            return commands.CommandResult(0, "".join(f"{name}={tools.shown.get(name, '')}\n" for name in arguments[3].split(",")), "")
        if list(arguments[:2]) == ["systemctl", "set-property"]:
            tools.ran.append(" ".join(arguments))
            directory = tmp_path / "control" / f"{arguments[4]}.d"
            directory.mkdir(parents=True, exist_ok=True)
            for name, value in (word.split("=") for word in arguments[5:]):
                (directory / f"50-{name}.conf").touch()
                group(tmp_path, arguments[4], **{{"MemoryMax": "memory.max", "TasksMax": "pids.max"}[name]: value or "max"})
            return commands.CommandResult(0, "", "")
        return answer(arguments, **more)

    monkeypatch.setattr(commands, "run", run)
    return tools


def group(root, path, **values):
    directory = root / "cgroup" / path
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in values.items():
        (directory / name).write_text(text + "\n", encoding="ascii")
    return directory


def test_files_are_written_then_systemd_reads_them_then_the_kernel_is_looked_at(host):
    found = host_limits.plan(WANTED)
    assert [one.path for one in found.files] == [f"{limits_live.UNITS}/containers.slice.d/{limits.DROP_IN}"]
    assert not os.listdir(limits_live.UNITS)
    host_limits.carry_out(found)
    assert host.ran == ["systemctl daemon-reload", "systemctl start -- containers.slice"]
    assert (host_limits.plan(WANTED).changes, host_limits.plan(WANTED).diff()) == (False, [])


def test_a_limit_that_another_drop_in_overrules_fails_with_both_values(host):
    host.shown.update(MemoryMax="infinity", DropInPaths=f"/etc/systemd/system.control/containers.slice.d/50-MemoryMax.conf /x/{limits.DROP_IN}")
    with pytest.raises(commands.CommandError) as caught:
        host_limits.carry_out(host_limits.plan(WANTED))
    text = str(caught.value)
    assert "systemd has MemoryMax=infinity and not 2147483648" in text and "system.control/containers.slice.d" in text and "/x/" not in text
    assert not [line for line in host.ran if "set-property" in line]


def test_a_limit_that_the_kernel_does_not_keep_fails_with_the_file_and_both_values(host, monkeypatch):
    host.keep = lambda **values: group(host.root, "containers.slice", **{"memory.max": "max", "pids.max": "1000"})
    monkeypatch.setattr(host_limits, "_set", lambda unit, words: None)
    with pytest.raises(commands.CommandError, match="containers.slice: memory.max is 'max' and not '2147483648', although"):
        host_limits.carry_out(host_limits.plan(WANTED))


def test_systemd_is_told_of_a_unit_that_is_there_already_and_nothing_of_that_stays(host):
    group(host.root, "containers.slice", **{"memory.max": "max", "pids.max": "max"})
    theirs = host.root / "control/containers.slice.d/50-CPUWeight.conf"
    theirs.parent.mkdir(parents=True)
    theirs.touch()
    host.keep = lambda **values: None
    host_limits.carry_out(host_limits.plan(WANTED))
    assert host.ran == [
        "systemctl daemon-reload",
        "systemctl start -- containers.slice",
        f"systemctl set-property --runtime -- containers.slice MemoryMax={2 * GIB} TasksMax=1000",
        "systemctl daemon-reload",
    ]
    assert os.listdir(theirs.parent) == [theirs.name]
    assert not host_limits.plan(WANTED).changes


def test_what_was_written_past_systemd_is_seen_and_written_again(host):
    host_limits.carry_out(host_limits.plan(WANTED))
    group(host.root, "containers.slice", **{"pids.max": "max"})
    found = host_limits.plan(WANTED)
    assert (found.changes, found.files, [str(one) for one in found.wrong]) == (True, (), ["containers.slice: pids.max is 'max' and not '1000'"])
    assert found.diff()[0]["after"] == "pids.max: 1000\n"
    host.keep = lambda **values: None
    host_limits.carry_out(found)
    assert (host.root / "cgroup/containers.slice/pids.max").read_text(encoding="ascii") == "1000\n"
    assert not (host.root / "control/containers.slice.d").exists()


def test_a_file_that_the_kernel_does_not_have_is_no_limit_that_is_kept(host):
    host_limits.carry_out(host_limits.plan(WANTED))
    (host.root / "cgroup/containers.slice/pids.max").unlink()
    assert [str(one) for one in host_limits.plan(WANTED).wrong] == ["containers.slice: pids.max is 'not there' and not '1000'"]
    weighted = dataclasses.replace(WANTED, containers={"memory_max": "2GiB", "io_weight": 50})
    assert not host_limits.plan(weighted).wrong


def test_a_limit_below_what_is_in_use_is_refused_and_caches_do_not_count(host):
    stat = f"anon {3 * GIB}\nshmem 0\nfile {GIB}\n"
    group(host.root, "containers.slice", **{"memory.max": "max", "memory.stat": stat})
    with pytest.raises(host_limits.Refused) as caught:
        host_limits.plan(WANTED)
    assert "2 GiB, and 3 GiB are in use there that cannot be taken back" in str(caught.value)
    assert not os.listdir(limits_live.UNITS)
    assert host_limits.plan(WANTED, below_use=True).changes
    group(host.root, "containers.slice", **{"memory.max": "max", "memory.stat": f"anon {GIB}\nfile {3 * GIB}\n"})
    assert host_limits.plan(WANTED).changes


def test_a_default_below_what_a_container_uses_is_refused_unless_it_has_a_limit_of_its_own(host):
    wanted = dataclasses.replace(WANTED, container={"memory_max": "512MiB"})
    scope = f"containers.slice/docker-{ID}.scope"
    group(host.root, scope, **{"memory.max": "max", "memory.stat": f"anon {GIB}\n"})
    with pytest.raises(host_limits.Refused, match=f"docker-{ID}.scope, memory_max: would be 512 MiB"):
        host_limits.plan(wanted)
    group(host.root, scope, **{"memory.max": str(2 * GIB)})
    assert host_limits.plan(wanted).changes


def test_containers_that_lie_elsewhere_are_named(host):
    group(host.root, f"containers.slice/containers-batch.slice/docker-{'b' * 64}.scope")
    assert host_limits.plan(WANTED).warnings == ()
    group(host.root, f"system.slice/docker-{ID}.scope")
    (warning,) = host_limits.plan(WANTED).warnings
    assert "1 container (0123456789ab) lies outside of containers.slice" in warning and "until it is made anew" in warning


def test_a_host_without_controllers_is_warned_of_or_refused(host, monkeypatch):
    monkeypatch.setattr(host_limits, "host", lambda: dataclasses.replace(SEEN, controllers=frozenset()))
    found = host_limits.plan(WANTED)
    assert "lacks memory, pids" in found.lacking and found.lacking in found.warnings
    host.keep = lambda **values: group(host.root, "containers.slice")
    host_limits.carry_out(found)
    assert not host_limits.plan(WANTED).changes
    with pytest.raises(host_limits.Refused, match="lacks memory, pids"):
        host_limits.plan(WANTED, strict=True)


def test_classes_that_are_not_wanted_any_more_go_and_units_of_others_stay(host):
    host.answer("systemctl start -- containers.slice containers-batch.slice")
    batch = dataclasses.replace(WANTED, classes={"batch": {}})
    host_limits.carry_out(host_limits.plan(batch))
    others = f"{limits_live.UNITS}/containers-mine.slice"
    files.write_text(others, "[Slice]\n")
    files.write_text(f"{limits_live.UNITS}/containers.slice", "# Managed by the role bulkhead.docker.docker_daemon.\n[Slice]\n")
    found = host_limits.plan(WANTED)
    assert [(os.path.basename(one.path), one.wanted) for one in found.files] == [("containers-batch.slice", None)]
    host_limits.carry_out(host_limits.removal())
    assert [(host.root / "cgroup/containers.slice" / name).read_text(encoding="ascii") for name in ("memory.max", "pids.max")] == ["max\n", "max\n"]
    assert sorted(os.listdir(limits_live.UNITS)) == ["containers-mine.slice", "containers.slice"]
    assert not host_limits.removal().changes


def test_a_limit_that_is_not_wanted_any_more_is_lifted(host):
    host_limits.carry_out(host_limits.plan(WANTED))
    host.ran.clear()
    host.keep = lambda **values: None
    host_limits.carry_out(host_limits.plan(dataclasses.replace(WANTED, containers={"memory_max": "2GiB"})))
    assert host.ran[2] == f"systemctl set-property --runtime -- containers.slice TasksMax= MemoryMax={2 * GIB}"
    assert (host.root / "cgroup/containers.slice/pids.max").read_text(encoding="ascii") == "max\n"


def test_what_is_there_in_the_place_of_a_drop_in_is_not_followed(host):
    os.makedirs(f"{limits_live.UNITS}/containers.slice.d")
    os.symlink("/etc/passwd", f"{limits_live.UNITS}/containers.slice.d/{limits.DROP_IN}")
    with pytest.raises(files.FileError, match="symbolic link"):
        host_limits.plan(WANTED)


def test_drift_sees_what_the_kernel_keeps_of_what_we_limit(host):
    host_limits.carry_out(host_limits.plan(WANTED))
    group(host.root, "containers.slice", **{"cpu.weight": "77"})
    recorded = limits_live.live("containers.slice")
    assert recorded == ["memory.max 2147483648", "pids.max 1000"]
    group(host.root, "containers.slice", **{"pids.max": "max"})
    assert limits_live.live("containers.slice", recorded) == ["memory.max 2147483648", "pids.max max"]
    # Another kernel takes some of the memory for itself, and shares are shares of what is left.
    group(host.root, "containers.slice", **{"memory.max": "2147000000", "pids.max": "1000"})
    assert limits_live.live("containers.slice", recorded) == recorded
    assert limits_live.live("gone.slice", recorded) is None


def test_the_place_of_a_slice_follows_its_name(host):
    root = limits_live.CGROUPS
    assert limits_live.place("a-b-c.slice") == f"{root}/a.slice/a-b.slice/a-b-c.slice"
    assert limits_live.place("docker.service") == f"{root}/system.slice/docker.service"


def test_what_lies_on_no_disk_cannot_be_limited(host):
    wanted = dataclasses.replace(WANTED, containers={"io": [{"device": "/proc/version", "write_bps": 1}]})
    with pytest.raises(host_limits.Refused, match="lies on no block device"):
        host_limits.plan(wanted)
    gone = dataclasses.replace(WANTED, containers={"io": [{"device": "/nowhere/at/all", "write_bps": 1}]})
    assert host_limits.plan(gone, predicting=True).changes
    with pytest.raises(host_limits.Refused, match="nothing is there"):
        host_limits.plan(gone)


def test_the_parent_is_that_of_the_play_or_of_the_file(host):
    assert host_limits.parent_of_daemon(None) == ""
    files.write_text(drift_places.CONFIG_FILE, '{"cgroup-parent": "x.slice"}')
    assert (host_limits.parent_of_daemon(None), host_limits.parent_of_daemon("y.slice")) == ("x.slice", "y.slice")


# Metrics -----------------------------------------------------------------------------------------------------------------------


def told(host, **more):
    return texts.Wanted(**{"directory": str(host.root / "metrics"), "program": "print()\n", "slices": ("containers.slice",), "roots": ("/",), **more})


def show(host, state, active):
    host.answer(f"systemctl show --property UnitFileState,ActiveState -- {texts.TIMER}", f"UnitFileState={state}\nActiveState={active}\n")


def test_the_timer_comes_and_goes(host):
    (host.root / "metrics").mkdir()
    host.answer("systemd-analyze timespan 1min")
    for line in (f"enable -- {texts.TIMER}", f"restart -- {texts.TIMER}", f"start -- {texts.SERVICE}", f"stop -- {texts.TIMER}", f"disable -- {texts.TIMER}"):
        host.answer(f"systemctl {line}")
    show(host, "disabled", "inactive")
    found = host_limits.plan(WANTED, told(host))
    assert (found.metrics.enable, found.metrics.start) == (True, True)
    host.ran.clear()
    host_limits.carry_out(found)
    assert host.ran[2:] == [
        "systemctl daemon-reload",
        f"systemctl enable -- {texts.TIMER}",
        f"systemctl restart -- {texts.TIMER}",
        f"systemctl start -- {texts.SERVICE}",
    ]
    show(host, "enabled", "active")
    assert not host_limits.plan(WANTED, told(host)).changes
    assert host_limits.state(WANTED, found)["timers"] == [texts.TIMER]
    (host.root / "metrics" / texts.METRICS).write_text("x 1\n", encoding="ascii")
    host_limits.carry_out(host_limits.plan(WANTED))
    assert os.listdir(host.root / "metrics") == [] and not os.path.exists(texts.PROGRAM)
    assert not host_limits.plan(WANTED).changes


@pytest.mark.parametrize(
    "more, words",
    [
        ({"interval": "often"}, "docker_limits_interval: is 'often'"),
        ({"directory": "relative"}, "docker_limits_textfile_directory: is 'relative'"),
        ({"thresholds": {"disk_used": 120}}, "docker_limits_thresholds.disk_used: is 120"),
        ({"thresholds": {"disk": 1}}, "docker_limits_thresholds.disk: is no threshold"),
        ({"thresholds": {"cpu_some": "80"}}, "docker_limits_thresholds.cpu_some: is '80'"),
    ],
)
def test_metrics_that_cannot_be_are_refused(host, more, words):
    with pytest.raises(host_limits.Refused) as caught:
        host_limits.plan(WANTED, told(host, **more))
    assert words in str(caught.value)


def test_a_directory_that_is_not_there_is_refused_but_for_a_prediction(host):
    host.answer("systemd-analyze timespan 1min")
    show(host, "disabled", "inactive")
    with pytest.raises(host_limits.Refused, match="is no directory on this host"):
        host_limits.plan(WANTED, told(host))
    assert host_limits.plan(WANTED, told(host), predicting=True).changes
