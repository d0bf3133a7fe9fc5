# SPDX-License-Identifier: Apache-2.0
"""A host with disks has them, and partitions come and go."""

from __future__ import annotations

testinfra_hosts = ["ansible://stable"]


def lab_disks(host):
    return host.ansible.get_variables().get("lab_disks", [])


def test_disks_are_there_under_the_kernels_name(host):
    disks = lab_disks(host)
    sizes = [int(host.check_output("blockdev --getsize64 %s", disk)) for disk in disks]
    assert sizes == [1024**3, 512 * 1024**2]


def test_partitions_appear_with_a_file_system_and_go_again(host):
    disk = lab_disks(host)[1]
    host.check_output("parted --script %s mklabel gpt mkpart data 1MiB 100%%", disk)
    # At once: a role formats a new partition without waiting.
    host.check_output("mkfs.ext4 -q %sp1", disk)
    assert host.check_output("blkid -p -s TYPE -o value %sp1", disk) == "ext4"
    host.check_output("parted --script %s rm 1", disk)
    assert host.run("for turn in $(seq 50); do [ -e %sp1 ] || exit 0; sleep 0.1; done; exit 1", disk).rc == 0
    host.check_output("wipefs --all --quiet %s", disk)
