# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import fcntl
import struct

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files, filesystem_size, superblock


def test_the_kernel_is_asked_how_large_a_mounted_xfs_is(tmp_path, monkeypatch):
    def geometry(_descriptor, request, answer):
        assert (request, len(answer)) == (0x80705864, 112)
        struct.pack_into("=I", answer, 0, 4096)
        struct.pack_into("=Q", answer, 32, 262144)

    monkeypatch.setattr(fcntl, "ioctl", geometry)
    assert filesystem_size.mounted(str(tmp_path), "/dev/sdb1", "xfs") == 1024**3


def test_what_is_no_xfs_has_no_size_of_one(tmp_path, monkeypatch):
    def unknown(_descriptor, _request, _answer):
        raise OSError(25, "Inappropriate ioctl for device")

    monkeypatch.setattr(fcntl, "ioctl", unknown)
    assert filesystem_size.mounted(str(tmp_path), "/dev/sdb1", "xfs") == 0
    assert filesystem_size.mounted(str(tmp_path / "missing"), "/dev/sdb1", "xfs") == 0


def test_the_superblock_of_a_mounted_ext4_is_read(monkeypatch):
    monkeypatch.setattr(superblock, "size", lambda device, fstype: 5 if (device, fstype) == ("/dev/sdb1", "ext4") else 0)
    assert filesystem_size.mounted("/srv", "/dev/sdb1", "ext4") == 5


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Name:\tpython\nCapInh:\t0000000000000000\nCapEff:\t000001ffffffffff\n", True),
        ("CapEff:\t000001fffeffffff\n", False),
        ("CapEff:\t0000000000000000\n", False),
        ("Name:\tpython\n", True),
    ],
)
def test_growing_a_mounted_ext4_takes_a_capability(monkeypatch, text, expected):
    monkeypatch.setattr(files, "read_text", lambda path: text if path == "/proc/self/status" else None)
    assert filesystem_size.may_grow_ext4() is expected
