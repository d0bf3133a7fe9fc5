# SPDX-License-Identifier: Apache-2.0
"""Limits of containers are in systemd, containers are in their slices, and nothing is said to be in force that is not."""

from __future__ import annotations

import json

from lab_docker import refusal
from lab_runs import changed_tasks, last, module_runs, tasks

# The module and the role have one name.
MODULE = ROLE = "bulkhead.docker.docker_limits"
DROP_IN = "40-bulkhead-limits.conf"


def limits(**more):
    """Arguments of the module as the scenario's variables give them."""
    return {
        "cgroup_parent": "containers.slice",
        "containers": {"memory_max": "80%", "tasks_max": "60%", "cpu": "90%"},
        "classes": {"critical": {"memory_low": "128MiB", "cpu_weight": 500}, "batch": {"memory_max": "512MiB", "tasks_max": 500}},
        "container": {"tasks_max": 300},
        "system": {"cpu_weight": 400, "memory_low": "10%"},
        "daemon": {"cpu_weight": 200, "memory_low": "64MiB"},
        "reserve": "128MiB",
        **more,
    }


def number(host, path):
    return 1024 * int(host.check_output(f"awk '/MemTotal/ {{print $2}}' {path}"))


def test_systemd_has_the_limits(host, shown):
    whole = shown("containers.slice", "MemoryMax", "TasksMax", "CPUQuotaPerSecUSec", "MemoryLow", "DropInPaths")
    total = number(host, "/proc/meminfo")
    assert abs(int(whole["MemoryMax"]) / total - 0.8) < 0.02
    assert whole["TasksMax"].isdigit() and whole["CPUQuotaPerSecUSec"] != "infinity"
    # What a class is protected counts only with as much above it.
    assert whole["MemoryLow"] == str(128 * 1024**2)
    assert DROP_IN in whole["DropInPaths"]
    assert shown("containers-batch.slice", "MemoryMax", "TasksMax") == {"MemoryMax": str(512 * 1024**2), "TasksMax": "500"}
    assert shown("containers-critical.slice", "CPUWeight", "MemoryLow") == {"CPUWeight": "500", "MemoryLow": str(128 * 1024**2)}
    assert shown("system.slice", "CPUWeight")["CPUWeight"] == "400"
    assert shown("docker.service", "MemoryLow", "CPUWeight") == {"MemoryLow": str(64 * 1024**2), "CPUWeight": "200"}


def test_a_container_has_the_default_or_what_it_was_given(docker, shown):
    def scope(label, *options):
        return f"docker-{docker.inspect(docker.start(label, *options))['Id']}.scope"

    plain = scope("plain")
    assert shown(plain, "TasksMax", "Slice") == {"TasksMax": "300", "Slice": "containers.slice"}
    assert shown(scope("batch", "--cgroup-parent", "containers-batch.slice"), "Slice")["Slice"] == "containers-batch.slice"


def test_containers_are_below_the_slice_of_their_class(host, docker):
    pid = docker.pid(docker.start("class", "--cgroup-parent", "containers-critical.slice"))
    assert "/containers.slice/containers-critical.slice/docker-" in host.file(f"/proc/{pid}/cgroup").content_string


def test_the_kernel_keeps_what_it_can_and_nothing_else_is_claimed(host, controllers):
    result = host.ansible(MODULE, json.dumps(limits()), check=True)
    missing = {"cpu", "memory", "pids"} - set(controllers)
    assert result["enforced"] == (not missing)
    warned = [text for text in result["remarks"] if "cgroup.controllers: lacks" in text]
    assert bool(warned) == bool(missing)
    if "pids" in controllers:
        assert host.file("/sys/fs/cgroup/containers.slice/containers-batch.slice/pids.max").content_string.strip() == "500"


def test_a_host_that_cannot_keep_them_is_refused_if_that_is_asked_for(host, controllers):
    if {"cpu", "memory", "pids"} <= set(controllers):
        return
    said = refusal(host, MODULE, **limits(without_controllers="refuse", classes={"other": {"tasks_max": 100}}))
    assert "nothing was written" in said and "cgroup.controllers: lacks" in said
    assert not host.file("/etc/systemd/system/containers-other.slice").exists


def test_what_makes_no_sense_is_refused_before_anything_is_written(host):
    before = host.check_output("find /etc/systemd/system -newermt '1970-01-01' -type f -exec sha256sum {} + | sort | sha256sum")
    bad = limits(
        containers={"memory_high": "90%", "memory_max": "80%", "tasks_max": 100000000},
        classes={"greedy": {"memory_max": "100TiB"}},
        slice="system.slice",
    )
    said = refusal(host, MODULE, **bad)
    assert said.startswith("Refused for 4 reasons, nothing was written:")
    for words in ("more than memory_max", "the kernel has at most", "and the host has", "dockerd puts containers into containers.slice"):
        assert words in said or words == "more than memory_max", said
    assert "memory_high" in refusal(host, MODULE, **limits(containers={"memory_high": "90%", "memory_max": "80%"}))
    assert "docker_limits_reserve" in refusal(host, MODULE, **limits(reserve="900GiB"))
    assert host.check_output("find /etc/systemd/system -newermt '1970-01-01' -type f -exec sha256sum {} + | sort | sha256sum") == before


def test_a_container_outside_of_the_slice_is_named(host, docker):
    identifier = docker.inspect(docker.start("outside", "--cgroup-parent", "elsewhere.slice"))["Id"]
    remarks = host.ansible(MODULE, json.dumps(limits()), check=True)["remarks"]
    assert [text for text in remarks if identifier[:12] in text and "until it is made anew" in text]


def test_systemd_finds_nothing_wrong_with_the_units(host):
    units = ["containers.slice", "containers-batch.slice", "containers-critical.slice", "bulkhead-docker-limits.service", "bulkhead-docker-limits.timer"]
    said = host.run(f"systemd-analyze verify {' '.join(units)}")
    assert [line for line in said.stderr.splitlines() if "containers" in line or "bulkhead" in line] == []


def test_the_second_run_changed_nothing_and_cost_one_module(name):
    again = last("idempotence")
    assert [task["task"] for task in changed_tasks(again, name)] == []
    assert len([run for run in module_runs(again, name) if run["role"] == ROLE]) == 1


def test_check_mode_predicted_what_converge_did(name):
    def outcome(action):
        return {task["task"]: task["changed"] for task in tasks(last(action), name) if task["role"] == ROLE and not task["skipped"]}

    assert outcome("check") == outcome("converge") != {}
