# SPDX-License-Identifier: Apache-2.0
"""A provisioned host with a kernel of its own: udev's names, systemd's units, controllers of cgroups; and how it got there."""

from __future__ import annotations

import json
import re

import pytest
from conftest import EPHEMERAL
from fault_cells import CUT_AMID_FILESYSTEMS
from lab_runs import changed_tasks, last

PLACES = ("overlay2", "volumes")


@pytest.mark.cell(CUT_AMID_FILESYSTEMS)
def test_the_run_before_was_cut_amid_the_filesystems():
    left = json.loads((EPHEMERAL / "interrupted.json").read_text(encoding="utf-8"))
    assert left["ended"] is None, "the run had ended before the plug was pulled"
    assert left["partitions"].split() == ["bulkhead-overlay2", "bulkhead-volumes"]
    assert left["fstab"] == "0"


@pytest.mark.cell(CUT_AMID_FILESYSTEMS)
def test_the_next_run_finished_what_was_begun():
    roles = {task["role"] for task in changed_tasks(last("converge"))}
    assert any(role.endswith("docker_storage") for role in roles), roles


def test_filesystems_are_mounted_by_units_that_systemd_made_of_fstab(host, root):
    for place in PLACES:
        unit = host.check_output("systemd-escape --path --suffix=mount %s/%s", root, place)
        shown = dict(line.split("=", 1) for line in host.check_output("systemctl show --property FragmentPath,ActiveState,What %s", unit).splitlines())
        assert shown["ActiveState"] == "active"
        assert shown["FragmentPath"].startswith("/run/systemd/generator/")


def test_filesystems_lie_on_the_disk_that_was_named(host, root):
    disk = host.check_output("readlink -f /dev/disk/by-id/virtio-data")
    for place in PLACES:
        assert host.check_output("findmnt -n -o SOURCE %s/%s", root, place).startswith(disk)
        line = next(line for line in host.file("/etc/fstab").content_string.splitlines() if f"{root}/{place} " in line)
        assert line.startswith("UUID=")


def test_nothing_failed_at_boot(host):
    assert host.run("systemctl --failed --no-legend --plain").stdout.strip() == ""


def test_the_slice_of_all_containers_has_its_limits_in_the_kernel(host, docker):
    name = docker.start("limits", "--memory", "64m", "--pids-limit", "50")
    group = re.search(r"^0::(.*)$", host.file(f"/proc/{docker.pid(name)}/cgroup").content_string, re.MULTILINE).group(1)
    assert group.startswith("/containers.slice/")
    assert host.file("/sys/fs/cgroup/containers.slice/memory.max").content_string.strip() == str(1024**3)
    assert host.file("/sys/fs/cgroup/containers.slice/pids.max").content_string.strip() == "2000"
    assert host.file(f"/sys/fs/cgroup{group}/memory.max").content_string.strip() == str(64 * 1024**2)
    assert host.file(f"/sys/fs/cgroup{group}/pids.max").content_string.strip() == "50"


def test_the_engine_has_what_only_a_whole_kernel_gives(docker):
    info = docker.info()
    assert info["CgroupVersion"] == "2"
    assert info["CgroupDriver"] == "systemd"
    assert {"name=apparmor", "name=userns"} <= set(info["SecurityOptions"])
    assert info["MemoryLimit"] and info["PidsLimit"]
    assert info["LiveRestoreEnabled"]
