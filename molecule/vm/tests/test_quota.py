# SPDX-License-Identifier: Apache-2.0
"""Project quotas of XFS: who has used up what it may write is stopped, and its neighbour goes on."""

from __future__ import annotations

import pytest
from lab_docker import used_percent

MIB = 1024**2
# A quota counts blocks, and Docker's own files in a layer too.
SLACK = 2 * MIB
# Writes until it is stopped, and says how much there is then.
WRITE = "dd if=/dev/zero of={0} bs=1M 2>&1; wc -c < {0}"


def options(host, path):
    return host.check_output("findmnt --noheadings --output OPTIONS --mountpoint %s", path).strip().split(",")


def test_the_filesystems_keep_quotas(host, root):
    for place in ("overlay2", "volumes"):
        found = options(host, f"{root}/{place}")
        assert "prjquota" in found
        assert "nodev" not in found
    assert "nosuid" in options(host, f"{root}/volumes")


def test_a_remount_does_not_bring_quotas(host):
    """The usual way: it succeeds, or is passed over, and the filesystem has no quotas either way."""
    disk = "/dev/disk/by-id/virtio-spare"
    if host.run("blkid --probe %s", disk).rc == 0:
        pytest.skip("the spare disk is in use by another test")
    done = host.run(
        "set -e; mkfs.xfs -q %s; mkdir -p /run/usual; mount %s /run/usual; mount -o remount,pquota /run/usual; echo remounted $? >&2; "
        "findmnt -n -o OPTIONS --mountpoint /run/usual; umount /run/usual; mount -o pquota %s /run/usual; findmnt -n -o OPTIONS --mountpoint /run/usual; "
        "umount /run/usual; wipefs -q --all %s",
        disk, disk, disk, disk,
    )
    assert done.rc == 0, done.stderr
    remounted, mounted = done.stdout.split()
    assert "remounted 0" in done.stderr
    assert "prjquota" not in remounted.split(",")
    assert "prjquota" in mounted.split(",")


@pytest.fixture
def neighbour(docker):
    """A container that writes into its own layer and into a volume of its own, ten times a second."""
    return docker.start(
        "neighbour", "--volume", f"{docker.volume('neighbour')}:/data",
        command=("sh", "-c", "n=0; while n=$((n + 1)); do echo $n >> /log && echo $n >> /data/log || echo failed >> /data/failed; usleep 100000; done"),
    )


def lines(docker, name):
    return [int(docker.call("exec", name, "sh", "-c", f"wc -l < {path}")) for path in ("/log", "/data/log")]


def test_a_container_is_stopped_at_its_size_and_its_neighbour_goes_on(host, docker, root, neighbour):
    hog = docker.start("hog")
    before = lines(docker, neighbour)
    said = docker.call("exec", hog, "sh", "-c", WRITE.format("/zero"))
    assert "No space left on device" in said
    assert 400 * MIB - SLACK <= int(said.split()[-1]) <= 400 * MIB
    assert used_percent(host, f"{root}/overlay2") < 90
    after = lines(docker, neighbour)
    assert all(count > earlier for count, earlier in zip(after, before))
    assert docker.attempt("exec", neighbour, "ls", "/data/failed").rc != 0


def test_a_container_can_be_given_another_size(docker):
    said = docker.once("sh", "-c", WRITE.format("/zero"), options=["--storage-opt", "size=50m"])
    assert 50 * MIB - SLACK <= int(said.split()[-1]) <= 50 * MIB


def test_a_volume_with_a_quota_stops_at_its_size_and_the_others_go_on(host, docker, root, neighbour):
    small = docker.volume("small", "--opt", "size=100m")
    before = lines(docker, neighbour)
    said = docker.once("sh", "-c", WRITE.format("/data/zero"), options=["--volume", f"{small}:/data"])
    assert "No space left on device" in said
    assert 100 * MIB - SLACK <= int(said.split()[-1]) <= 100 * MIB
    assert used_percent(host, f"{root}/volumes") < 90
    assert all(count > earlier for count, earlier in zip(lines(docker, neighbour), before))
    assert docker.attempt("exec", neighbour, "ls", "/data/failed").rc != 0


def test_the_quota_holds_for_the_volume_not_for_the_container(docker):
    """Two containers share what a volume may hold."""
    small = docker.volume("shared", "--opt", "size=20m")
    write = "dd if=/dev/zero of=/data/{} bs=1M count=15 2>&1"
    first = docker.once("sh", "-c", write.format("first"), options=["--volume", f"{small}:/data"])
    second = docker.attempt("run", "--rm", "--volume", f"{small}:/data", "lab/busybox", "sh", "-c", write.format("second"))
    assert "No space left on device" not in first
    assert "No space left on device" in second.stdout
