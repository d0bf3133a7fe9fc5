# SPDX-License-Identifier: Apache-2.0
"""Limits where the kernel has controllers: what it keeps, and what a container that behaves as badly as it can leaves to others."""

from __future__ import annotations

import json
import pathlib

import pytest

# One after another, as they stand here: those that take the host come first otherwise.
pytestmark = pytest.mark.usefixtures("host")
HOGS = pathlib.Path(__file__).resolve().parents[1] / "drivers" / "hogs.py"
MODULE = "bulkhead.docker.docker_limits"
GROUPS = "/sys/fs/cgroup"
CONTAINER_TASKS = 200
KINDS = ("fork", "memory", "cpu", "disk")
#: A hog may make a round of the neighbour, or of the host, take this much longer in the median, of what it took alone, but for a wait
#: of half a second which on an emulated processor means nothing.
MOST, SLACK = 25, 0.5


@pytest.fixture(scope="module")
def limited(ansible):
    """The machine with limits that are small enough for a hog to reach soon; what the role made of it by default comes back afterwards."""
    result = ansible.module(
        MODULE,
        cgroup_parent="containers.slice",
        containers={"memory_max": "600MiB", "swap_max": 0, "tasks_max": 1000},
        classes={"batch": {"memory_max": "128MiB", "tasks_max": 100, "cpu": 0.5, "io": [{"device": "/", "write_bps": "10MiB"}]}},
        container={"tasks_max": CONTAINER_TASKS, "memory_max": "256MiB", "swap_max": 0},
        system={"cpu_weight": 400, "memory_low": "10%"},
        daemon={"cpu_weight": 200, "memory_low": "64MiB"},
        reserve="128MiB",
        slice_directives=[],
    )
    assert result.get("enforced") is True, result
    return result


@pytest.fixture(scope="module")
def stories(machine, limited):
    """What the hogs did: see drivers/hogs.py. One run for all tests, as a service of the host."""
    machine.run(f"cat >/opt/hogs.py <<'END'\n{HOGS.read_text(encoding='utf-8')}\nEND\n")
    done = machine.run(f"systemd-run --wait --pipe --quiet --unit=hogs python3 /opt/hogs.py {' '.join(KINDS)}", timeout=900)
    told = {kind: story for line in done.stdout.splitlines() for kind, story in json.loads(line).items()}
    print(json.dumps(told, indent=1))
    return told


def test_the_kernel_keeps_them(machine, limited):
    kept = machine.run(
        f"cd {GROUPS}/containers.slice; cat memory.max pids.max memory.swap.max containers-batch.slice/memory.max containers-batch.slice/cpu.max"
        " containers-batch.slice/io.max; cat ../system.slice/cpu.weight ../system.slice/docker.service/memory.low"
    ).stdout.splitlines()
    assert kept[:5] == [str(600 * 1024**2), "1000", "0", str(128 * 1024**2), "50000 100000"]
    assert f"wbps={10 * 1024**2}" in kept[5] and kept[6:] == ["400", str(64 * 1024**2)]


def test_a_container_has_the_default_and_what_it_was_given_wins_also_after_systemd_reads_its_units_again(machine, limited, docker):
    def group(name):
        return f"{GROUPS}/containers.slice/docker-{docker.inspect(name)['Id']}.scope"

    plain = group(docker.start("plain"))
    own = group(docker.start("own", "--pids-limit", "500", "--memory", "400m"))
    machine.run("systemctl daemon-reload")
    assert machine.run(f"cat {plain}/pids.max {plain}/memory.max").stdout.split() == [str(CONTAINER_TASKS), str(256 * 1024**2)]
    assert machine.run(f"cat {own}/pids.max {own}/memory.max").stdout.split() == ["500", str(400 * 1024**2)]


def responsive(told, who):
    before, during = told["before"][who], told["during"][who]
    return during["rounds"] > 0 and during["median"] <= max(before["median"] * MOST, SLACK)


@pytest.mark.parametrize("kind", KINDS)
def test_the_host_and_the_neighbour_go_on(stories, kind):
    told = stories[kind]
    assert told["host_failures"] == 0
    assert told["neighbour_runs"]
    assert responsive(told, "host") and responsive(told, "neighbour"), told


def test_a_fork_bomb_ends_at_the_limit_of_its_container(stories):
    told = stories["fork"]
    assert told["hog"]["tasks"] <= CONTAINER_TASKS and told["hog"]["refused"] > 0


def test_a_memory_hog_is_killed_in_its_slice(stories):
    assert stories["memory"]["oom_kills"] >= 1


def test_a_disk_hog_does_not_fill_the_root_filesystem(stories):
    assert stories["disk"]["root_lost"] < 64 * 1024**2


def test_changing_a_limit_restarts_nothing(ansible, machine, limited, docker):
    name = docker.start("stays")
    before = docker.inspect(name)["State"]["StartedAt"], machine.run("systemctl show --property InvocationID docker containerd").stdout
    arguments = {"cgroup_parent": "containers.slice", "containers": {"memory_max": "700MiB"}, "slice_directives": []}
    assert ansible.module(MODULE, **arguments)["changed"]
    assert machine.run(f"cat {GROUPS}/containers.slice/memory.max {GROUPS}/containers.slice/pids.max").stdout.split() == [str(700 * 1024**2), "max"]
    # What somebody writes past systemd is put right, and said.
    machine.run(f"echo max >{GROUPS}/containers.slice/memory.max")
    mended = ansible.module(MODULE, **arguments)
    assert mended["changed"] and len(mended["mended"]) == 1, mended
    assert machine.run(f"cat {GROUPS}/containers.slice/memory.max").stdout.strip() == str(700 * 1024**2)
    assert (docker.inspect(name)["State"]["StartedAt"], machine.run("systemctl show --property InvocationID docker containerd").stdout) == before


def test_the_limits_of_the_provisioned_machine_come_back(ansible, limited):
    status, said = ansible.play("bulkhead.docker.provision", "--tags", "docker_limits")
    assert status == 0, said
