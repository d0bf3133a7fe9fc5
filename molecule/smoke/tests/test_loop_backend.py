# SPDX-License-Identifier: Apache-2.0
"""A host with loop_backend mounts files."""

from __future__ import annotations

testinfra_hosts = ["ansible://testing"]


def test_a_file_can_be_mounted_as_a_file_system(host):
    host.check_output("truncate --size 64M /var/tmp/volume.img && mkfs.ext4 -q /var/tmp/volume.img && mkdir -p /mnt/volume")
    host.check_output("mount -o loop /var/tmp/volume.img /mnt/volume")
    assert host.mount_point("/mnt/volume").filesystem == "ext4"
    host.check_output("umount /mnt/volume")
