# SPDX-License-Identifier: Apache-2.0
"""The disk under the volumes fails while containers run: who notices, who does not, and what is left when it is whole again."""

from __future__ import annotations

import pytest
from fault_cells import IO_ERRORS
from lab_docker import Docker

# The filesystem of the volumes on a device that can be told to fail, below the same mount point.
PUT = """
systemctl stop docker.socket docker.service containerd.service
place={root}/volumes; device=$(findmnt -n -o SOURCE $place); options=$(findmnt -n -o OPTIONS --fstab $place)
umount $place
modprobe dm-flakey
echo "0 $(blockdev --getsz $device) linear $device 0" | dmsetup create lab-flaky
echo $device > /run/lab-flaky
mount -o "$options" /dev/mapper/lab-flaky $place
systemctl reset-failed; systemctl start docker.service
"""
LOAD = """
device=$(cat /run/lab-flaky)
echo "0 $(blockdev --getsz $device) {table}" | dmsetup load lab-flaky
dmsetup suspend --noflush --nolockfs lab-flaky
dmsetup resume lab-flaky
"""
AWAY = """
systemctl stop docker.socket docker.service containerd.service
umount {root}/volumes; dmsetup remove --retry lab-flaky; rm /run/lab-flaky
systemctl reset-failed; systemctl start docker.service
"""


@pytest.fixture(scope="module")
def day(host, machine, root):
    """What was seen before, while and after the disk failed."""
    seen = {}
    engine = Docker(host, "io")
    engine.wait_until_serving()
    seen["root before"] = host.check_output("ls /var/lib/docker %s", root)
    machine.run(PUT.format(root=root))
    try:
        engine.wait_until_serving()
        writer = engine.start("writer", "--volume", f"{engine.volume('data')}:/data")
        neighbour = engine.start("neighbour")
        engine.call("exec", writer, "sh", "-c", "echo kept > /data/file; sync")
        machine.run(LOAD.format(table="error"))
        seen["write"] = engine.attempt("exec", writer, "sh", "-c", "dd if=/dev/zero of=/data/more bs=1M count=4 conv=fsync")
        seen["neighbour"] = engine.attempt("exec", neighbour, "sh", "-c", "echo alive > /file; cat /file")
        seen["serving"] = engine.attempt("info").rc
        engine.attempt("rm", "--force", writer)
        engine.attempt("rm", "--force", neighbour)
        host.run("systemctl stop docker.socket docker.service containerd.service; umount %s/volumes", root)
        host.run("systemctl reset-failed")
        seen["start"] = host.run("systemctl start docker.service")
        seen["journal"] = host.check_output("journalctl --boot --no-pager --output cat --unit docker.service --lines 20")
        seen["bare"] = host.check_output("ls -A %s/volumes", root) if host.run("mountpoint -q %s/volumes", root).rc else "mounted"
    finally:
        machine.run(LOAD.format(table="linear $device 0"), check=False)
        machine.run(AWAY.format(root=root))
    engine.wait_until_serving()
    seen["after"] = engine.once("cat", "/data/file", options=["--volume", "io-data:/data"])
    seen["root after"] = host.check_output("ls /var/lib/docker %s", root)
    yield seen
    engine.close()


def test_the_container_that_writes_is_told(day):
    assert day["write"].rc != 0
    assert "Input/output error" in day["write"].stderr or "Read-only" in day["write"].stderr, day["write"].stderr


def test_the_engine_and_a_neighbour_go_on(day):
    assert day["neighbour"].stdout.strip() == "alive", day["neighbour"].stderr
    assert day["serving"] == 0


@pytest.mark.cell(IO_ERRORS)
def test_docker_does_not_start_on_a_disk_that_cannot_be_read(day):
    assert day["start"].rc != 0
    assert "mount-guard" in day["journal"] or "Dependency failed" in day["journal"], day["journal"]
    assert day["bare"] in ("", "mounted")


@pytest.mark.cell(IO_ERRORS)
def test_nothing_is_lost_when_the_disk_is_whole_again(day):
    assert day["after"] == "kept"
    assert day["root before"] == day["root after"]
