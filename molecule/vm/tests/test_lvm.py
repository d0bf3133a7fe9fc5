# SPDX-License-Identifier: Apache-2.0
"""Logical volumes: made on a blank disk, grown while a container writes, the volumes of others untouched."""

from __future__ import annotations

import pathlib
import time

import pytest
from lab_docker import Docker, mounted

GROUP = "bulkhead"
DISK = "/dev/disk/by-id/virtio-lvm"
MORE = "/dev/disk/by-id/virtio-quota"
PLAYBOOK = pathlib.Path(__file__).resolve().parents[1] / "storage.yml"
MIB = 1024**2


def volume_size(host, name):
    return int(host.check_output("lvs --noheadings --nosuffix --units b --options lv_size %s/%s", GROUP, name).strip())


def filesystem_size(host, path):
    return int(host.check_output("df --output=size --block-size=1 %s | tail -1", path))


def standing(host, docker, place):
    """What must not change while a filesystem grows."""
    return {
        "dockerd": host.check_output("systemctl show --property MainPID --value docker.service"),
        "container": docker.inspect("lvm-writer")["State"]["StartedAt"],
        "mount": [line.split()[0] for line in host.file("/proc/self/mountinfo").content_string.splitlines() if line.split()[4] == place],
    }


@pytest.fixture(scope="module")
def grown(host, root, ansible):
    """The group gets more room in two ways, somebody else has a volume in it, and the role runs once while a container logs."""
    docker = Docker(host, "lvm")
    docker.wait_until_serving()
    place = f"{root}/containers"
    # Its log lies on the logical volume.
    docker.start("writer", "--log-driver", "json-file", command=("sh", "-c", "while true; do date +%s; sleep 1; done"))
    host.check_output("lvcreate --yes --name foreign --size 64M %s", GROUP)
    host.check_output("dd if=/dev/urandom of=/dev/%s/foreign bs=1M count=64 status=none", GROUP)
    seen = {
        "before": standing(host, docker, place),
        "volume before": volume_size(host, "bulkhead-containers"),
        "filesystem before": filesystem_size(host, place),
        "foreign before": host.check_output("sha256sum /dev/%s/foreign", GROUP),
    }
    # As if the disk had grown since the group was made on it.
    host.check_output("pvresize --yes --setphysicalvolumesize 2G %s", DISK)
    host.check_output("vgextend --yes %s %s", GROUP, MORE)
    seen["status"], seen["said"] = ansible.play(str(PLAYBOOK))
    time.sleep(2)
    seen["after"] = standing(host, docker, place)
    seen["foreign after"] = host.check_output("sha256sum /dev/%s/foreign", GROUP)
    seen["log"] = [int(line) for line in docker.call("logs", "lvm-writer").split()]
    yield seen
    docker.close()
    host.check_output("lvremove --yes %s/foreign", GROUP)


def test_a_group_was_made_and_its_volume_mounted(host, root):
    assert mounted(host, f"{root}/containers")
    source = host.check_output("findmnt -n -o SOURCE,FSTYPE --mountpoint %s/containers", root).split()
    assert source == [f"/dev/mapper/{GROUP}-bulkhead--containers", "ext4"]
    assert host.check_output("readlink -f %s", DISK) in host.check_output("pvs --noheadings --options pv_name --select vg_name=%s", GROUP)


def test_fstab_names_the_volume_by_its_uuid(host, root):
    line = next(line for line in host.file("/etc/fstab").content_string.splitlines() if f"{root}/containers " in line)
    assert line.split()[0] == "UUID=" + host.check_output("blkid --probe --match-tag UUID --output value /dev/%s/bulkhead-containers", GROUP)


def test_the_role_ran(grown):
    assert grown["status"] == 0, grown["said"]


def test_the_volume_has_its_share_of_the_larger_group(host, grown):
    size = int(host.check_output("vgs --noheadings --nosuffix --units b --options vg_size %s", GROUP).strip())
    assert size > 5 * 1024 * MIB
    assert size * 0.49 < volume_size(host, "bulkhead-containers") <= size * 0.5
    assert volume_size(host, "bulkhead-containers") > grown["volume before"] * 1.5


def test_the_filesystem_fills_it(host, root, grown):
    assert filesystem_size(host, f"{root}/containers") > grown["filesystem before"] * 1.5
    assert filesystem_size(host, f"{root}/containers") > volume_size(host, "bulkhead-containers") * 0.9


def test_the_group_uses_all_of_its_disk_again(host, grown):
    used, disk = host.check_output("pvs --noheadings --nosuffix --units b --options pv_size,dev_size %s", DISK).split()
    assert int(disk) - int(used) <= 8 * MIB


def test_nobody_was_interrupted(grown):
    assert grown["before"] == grown["after"]
    assert len(grown["after"]["mount"]) == 1
    log = grown["log"]
    assert max(after - before for before, after in zip(log, log[1:])) < 60
    assert len(log) > 10


def test_the_volume_of_somebody_else_is_as_it_was(grown):
    assert grown["foreign before"] == grown["foreign after"]


def test_shrinking_is_refused(ansible, host, grown):
    before = volume_size(host, "bulkhead-containers")
    entry = {"name": "containers", "backend": "lvm", "device": DISK, "size": "1GiB", "fstype": "ext4"}
    places = [{"name": "overlay2", "size": "1536MiB", "quota": True}, {"name": "volumes", "quota": True}]
    result = ansible.module("bulkhead.docker.docker_storage_plan", disk="/dev/disk/by-id/virtio-data", layout=[*places, entry])
    assert "/dev/bulkhead/bulkhead-containers: has" in result["msg"]
    assert "shrinking it would destroy data" in result["msg"]
    assert volume_size(host, "bulkhead-containers") == before


def test_a_grown_volume_is_no_drift(ansible, grown):
    result = ansible.module("bulkhead.docker.docker_host_drift", roles=["docker_storage"])
    found = [difference for difference in result["differences"] if difference["role"] == "docker_storage"]
    assert found == []
