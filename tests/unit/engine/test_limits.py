# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Limits as people write them: what they come to, what is refused and with which words, which units they become."""

from __future__ import annotations

import configparser
import dataclasses

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import limits
from hypothesis import given
from hypothesis import strategies as st

GIB = 1024**3
HOST = limits.Host(memory=4 * GIB, cpus=4, tasks=30000)
WANTED = limits.Wanted(
    containers={"memory_max": "85%", "tasks_max": "70%"},
    container={"tasks_max": "10%"},
    system={"cpu_weight": 400, "memory_low": "10%"},
    daemon={"memory_low": "64MiB"},
    reserve="128MiB",
    parent="containers.slice",
)


def told(host=HOST, **more):
    return [str(problem) for problem in limits.judge(dataclasses.replace(WANTED, **more), host)]


def test_the_defaults_are_accepted_on_small_and_large_hosts():
    assert told() == []
    assert told(limits.Host(GIB, 1, 7000)) == []
    assert told(limits.Host(1024 * GIB, 256, 4194304)) == []


@pytest.mark.parametrize(
    "more, where, words",
    [
        ({"containers": {"memory_high": "90%", "memory_max": "80%"}}, "docker_limits_containers.memory_high: ", "more than memory_max"),
        ({"containers": {"memory_low": "3GiB", "memory_high": "2GiB"}}, "docker_limits_containers.memory_low: ", "more than memory_high with 2 GiB"),
        ({"containers": {"memory_max": "5GiB"}}, "docker_limits_containers.memory_max: ", "5 GiB, and the host has 4 GiB"),
        ({"containers": {"memory_max": "99%"}}, "docker_limits_containers.memory_max: ", "less than docker_limits_reserve with 128 MiB"),
        ({"containers": {"memory_max": "1MiB"}}, "docker_limits_containers.memory_max: ", "at least 64 MiB"),
        ({"containers": {"memory_max": "120%"}}, "docker_limits_containers.memory_max: ", "at most 100 %"),
        ({"containers": {"memory_max": "lots"}}, "docker_limits_containers.memory_max: ", "write a size, such as 2GiB, or a share"),
        ({"containers": {"memory_max": True}}, "docker_limits_containers.memory_max: ", "write one value"),
        ({"containers": {"cpu": 5}}, "docker_limits_containers.cpu: ", "5 processors, and the host has 4"),
        ({"containers": {"cpu": "0"}}, "docker_limits_containers.cpu: ", "number of processors"),
        ({"containers": {"cpu_weight": 0}}, "docker_limits_containers.cpu_weight: ", "between 1 and 10000"),
        ({"containers": {"tasks_max": 40000}}, "docker_limits_containers.tasks_max: ", "at most 30000 tasks"),
        ({"containers": {"tasks_max": 3}}, "docker_limits_containers.tasks_max: ", "at least 64"),
        ({"containers": {"memory": "1GiB"}}, "docker_limits_containers: ", "has 'memory', which cannot be set there"),
        ({"containers": {"oomd_pressure": 60}}, "docker_limits_containers.oomd_pressure: ", "a share of time, such as 60%"),
        ({"containers": {"io": "fast"}}, "docker_limits_containers.io: ", "one dictionary for each device"),
        ({"containers": {"io": [{"device": "sda", "write_bps": 1}]}}, "docker_limits_containers.io[0]: ", "absolute path"),
        ({"containers": {"io": [{"device": "/x\nTasksMax=1", "write_bps": 1}]}}, "docker_limits_containers.io[0]: ", "plain characters"),
        ({"containers": {"io": [{"device": "/dev/sda"}]}}, "docker_limits_containers.io[0]: ", "has no limit"),
        ({"containers": {"io": [{"device": "/dev/sda", "speed": 1}]}}, "docker_limits_containers.io[0]: ", "has 'speed'"),
        ({"containers": {"io": [{"device": "/dev/sda", "write_bps": 0}]}}, "docker_limits_containers.io[0].write_bps: ", "bytes a second"),
        ({"container": {"memory_max": "1MiB"}}, "docker_limits_container.memory_max: ", "at least 6 MiB"),
        ({"container": {"memory_max": "95%"}}, "docker_limits_container.memory_max: ", "more than all containers may have together"),
        ({"container": {"tasks_max": 25000}}, "docker_limits_container.tasks_max: ", "more than all containers may have together, which is 21000"),
        ({"container": {"memory_high": "1GiB"}}, "docker_limits_container: ", "cannot be set there"),
        ({"classes": {"a-b": {}}}, "docker_limits_classes: ", "letters, digits and underscores"),
        ({"classes": {"batch": {"memory_max": "90%"}}}, "docker_limits_classes.batch.memory_max: ", "more than all containers"),
        ({"classes": {"a": {"memory_min": "2GiB"}, "b": {"memory_min": "2GiB"}}}, "docker_limits_classes: ", "protects 4 GiB for classes together"),
        ({"system": {"memory_low": "3GiB"}, "classes": {"a": {"memory_min": "2GiB"}}}, "docker_limits_system: ", "protect 5 GiB together"),
        ({"system": {"memory_max": "1GiB"}}, "docker_limits_system: ", "cannot be set there"),
        ({"system": []}, "docker_limits_system: ", "no dictionary"),
        ({"reserve": "some"}, "docker_limits_reserve: ", "write a size"),
        ({"slice": "containers", "parent": ""}, "docker_limits_slice: ", "no name of a slice"),
        ({"slice": "../x.slice", "parent": ""}, "docker_limits_slice: ", "no name of a slice"),
        ({"slice": "-.slice", "parent": ""}, "docker_limits_slice: ", "no name of a slice"),
        ({"slice": "system.slice", "parent": "system.slice"}, "docker_limits_slice: ", "a slice of their own"),
        ({"parent": "other.slice"}, "docker_limits_slice: ", "dockerd puts containers into other.slice"),
        ({"parent": "/docker"}, "docker_daemon_cgroup_parent: ", "no slice"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(more, where, words):
    found = told(**more)
    assert [where in sentence and words in sentence and sentence.count("\n") == 0 for sentence in found] == [True], found


def test_all_reasons_are_told_at_once():
    assert len(told(containers={"cpu": 9, "tasks_max": 1, "x": 1}, reserve="?")) == 4


def texts(**more):
    return limits.texts(dataclasses.replace(WANTED, **more), HOST)


def unit(text):
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read_string(text)
    return {section: dict(parser[section]) for section in parser.sections()}


def test_the_units_of_the_defaults():
    found = {path.removeprefix(f"{limits.UNITS}/"): unit(text) for path, text in texts().items()}
    assert found == {
        f"containers.slice.d/{limits.DROP_IN}": {"Slice": {"MemoryMax": "85%", "TasksMax": "70%"}},
        f"docker-.scope.d/{limits.DROP_IN}": {"Scope": {"TasksMax": "10%"}},
        f"system.slice.d/{limits.DROP_IN}": {"Slice": {"CPUWeight": "400", "MemoryLow": "10%"}},
        f"docker.service.d/{limits.DROP_IN}": {"Service": {"MemoryLow": str(64 * 1024**2)}},
        f"containerd.service.d/{limits.DROP_IN}": {"Service": {"MemoryLow": str(64 * 1024**2)}},
    }


def test_a_class_is_a_slice_below_that_of_all_containers_and_is_protected_through_it():
    found = texts(classes={"critical": {"memory_min": "1GiB", "cpu": "50%", "oomd_pressure": "60%"}, "plain": {}})
    path = f"{limits.UNITS}/containers-critical.slice"
    assert unit(found[path])["Slice"] == {
        "CPUQuota": "200%",
        "MemoryMin": str(GIB),
        "ManagedOOMMemoryPressure": "kill",
        "ManagedOOMMemoryPressureLimit": "60%",
    }
    assert unit(found[f"{limits.UNITS}/containers-plain.slice"])["Slice"] == {}
    # The kernel protects no more of a class than of what it lies in.
    assert unit(found[f"{limits.UNITS}/containers.slice.d/{limits.DROP_IN}"])["Slice"]["MemoryMin"] == str(GIB)


def test_devices():
    entries = [{"device": "/var/lib/docker", "write_bps": "50MiB", "read_iops": 500}, {"device": "/dev/vdb", "write_iops": "10"}]
    assert limits.directives({"io": entries}, HOST) == [
        ("IOWriteBandwidthMax", f"/var/lib/docker {50 * 1024**2}"),
        ("IOReadIOPSMax", "/var/lib/docker 500"),
        ("IOWriteIOPSMax", "/dev/vdb 10"),
    ]
    wanted = limits.expected({"io": entries}, HOST, {"/var/lib/docker": "254:0", "/dev/vdb": "254:16"})
    text = "254:16 rbps=max wbps=max riops=max wiops=10\n254:0 rbps=max wbps=52428800 riops=500 wiops=max\n"
    assert [limits.keeps(one, text) for one in wanted] == [True, True]
    assert [limits.keeps(one, text.replace("riops=500", "riops=max")) for one in wanted] == [False, True]
    assert [limits.keeps(one, "") for one in wanted] == [False, False]


@pytest.mark.parametrize(
    "values, file, good, bad",
    [
        ({"memory_max": "2GiB"}, "memory.max", "2147483648\n", "max\n"),
        # systemd reckons shares with another number of pages than we see, by a little.
        ({"memory_max": "50%"}, "memory.max", "2147000000\n", "2000000000\n"),
        ({"memory_max": "2GiB"}, "memory.max", "2147483648\n", "2147000000\n"),
        ({"tasks_max": 100}, "pids.max", "100\n", "101\n"),
        ({"tasks_max": "50%"}, "pids.max", "14999\n", "14000\n"),
        ({"cpu": 1.5}, "cpu.max", "150000 100000\n", "max 100000\n"),
        ({"cpu": "50%"}, "cpu.max", "200000 100000\n", "50000 100000\n"),
        ({"cpu_weight": 400}, "cpu.weight", "400\n", "100\n"),
        ({"io_weight": 50}, "io.weight", "default 50\n254:0 20\n", "default 100\n"),
        ({"swap_max": 0}, "memory.swap.max", "0\n", "max\n"),
    ],
)
def test_what_the_kernel_keeps(values, file, good, bad):
    (one,) = limits.expected(values, HOST)
    assert (one.file, limits.keeps(one, good), limits.keeps(one, bad)) == (file, True, False)


def test_what_the_host_cannot_keep_is_not_expected_and_said():
    poor = dataclasses.replace(HOST, controllers=frozenset({"cpu"}))
    assert [one.file for one in limits.expected({"cpu": 1, "memory_max": "1GiB"}, poor)] == ["cpu.max"]
    assert "lacks memory, pids" in str(limits.without_controllers(WANTED, poor))
    assert "no cgroup v2" in str(limits.without_controllers(WANTED, dataclasses.replace(HOST, controllers=None)))
    assert limits.without_controllers(WANTED, HOST) is None


def test_what_a_file_of_ours_sets():
    text = "# TasksMax=1\n[Slice]\nMemoryMax=1\nIOReadIOPSMax=/ 5\nIOReadIOPSMax=/x 5\nDescription=x\n"
    assert limits.directives_in(text) == ["MemoryMax", "IOReadIOPSMax"]
    assert limits.set_by(text) == ["memory_max", "io"]


def test_remarks():
    assert limits.remarks(WANTED, HOST) == []
    (sentence,) = limits.remarks(dataclasses.replace(WANTED, parent=""), HOST)
    assert "does not name containers.slice as cgroup-parent" in sentence
    (sentence,) = limits.remarks(dataclasses.replace(WANTED, containers={"oomd_pressure": "50%"}), HOST)
    assert "systemd-oomd is not installed" in sentence


def test_what_the_slice_was_given_by_itself_counts():
    given = limits.given_by("[Unit]\nMemoryMax=1\n[Slice]\n# MemoryLow=1\nTasksMax = 4000\nIOWeight=10\n")
    assert given == {"TasksMax", "IOWeight"}
    wanted = dataclasses.replace(WANTED, given=given)
    (sentence,) = limits.remarks(wanted, HOST)
    assert "sets TasksMax of containers.slice, which counts instead" in sentence
    assert "TasksMax" not in limits.texts(wanted, HOST)[f"{limits.UNITS}/containers.slice.d/{limits.DROP_IN}"]
    assert [one.file for one in limits.expected(limits.of_units(wanted, HOST)["containers.slice"], HOST)] == ["memory.max"]


PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20))
VALUES = st.one_of(PLAIN, st.lists(st.integers(), max_size=2), st.dictionaries(st.text(), st.none(), max_size=2))
GROUPS = st.dictionaries(st.one_of(st.sampled_from(list(limits.FIELDS)), st.text(max_size=8)), VALUES, max_size=5)


@given(GROUPS, st.dictionaries(st.text(max_size=8), GROUPS, max_size=3), GROUPS, GROUPS, VALUES, st.text(max_size=20))
def test_nothing_is_refused_with_a_traceback_and_what_is_accepted_becomes_units_of_one_line_each(containers, classes, container, system, reserve, slice_):
    wanted = limits.Wanted(slice_, containers, classes, container, system, {}, reserve, "")
    if limits.judge(wanted, HOST):
        return
    for path, text in limits.texts(wanted, HOST).items():
        assert path.startswith(f"{limits.UNITS}/") and ".." not in path and "\n" not in path
        for line in text.splitlines():
            assert line == "" or line[0] in "#[" or line.partition("=")[0] in KNOWN, line


KNOWN = {field.directive for field in limits.FIELDS.values()} | {name for name, _key in limits.DEVICE_FIELDS.values()}
KNOWN |= {"ManagedOOMMemoryPressure", "Description", "Before"}


@given(st.sampled_from(["memory_max", "tasks_max", "cpu"]), st.integers(1, 100), st.integers(1, 4096), st.integers(1, 512), st.integers(100, 4194304))
def test_a_share_is_never_more_than_the_host_has(name, percent, gib, cpus, tasks):
    host = limits.Host(gib * GIB, cpus, tasks)
    most = {"memory_max": host.memory, "tasks_max": tasks, "cpu": cpus}[name]
    assert 0 <= limits.amount(name, f"{percent}%", host).number <= most


@given(st.integers(64 * 1024**2, 3 * GIB))
def test_what_is_written_is_what_is_expected(size):
    (one,) = limits.expected({"memory_max": size}, HOST)
    # The kernel keeps whole pages.
    assert limits.keeps(one, f"{size // limits.PAGE * limits.PAGE}\n")
    assert not limits.keeps(one, f"{size // limits.PAGE * limits.PAGE + 2 * limits.PAGE}\n")
