# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import shutil
import struct
import subprocess
import uuid

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import superblock

ID = uuid.UUID("1005053c-befc-4abc-9064-bdcc59a00c30")


def image(fstype):
    magic_at, magic, uuid_at = superblock._LAYOUTS[fstype]
    content = bytearray(0x11000)
    content[magic_at : magic_at + len(magic)] = magic
    content[uuid_at : uuid_at + 16] = ID.bytes
    return bytes(content)


@pytest.fixture
def device(tmp_path, monkeypatch):
    opened = superblock.os.open
    monkeypatch.setattr(
        superblock.os, "open", lambda path, flags: opened(str(tmp_path / path[1:].replace("/", "_")), flags)
    )
    return tmp_path / "dev_x"


@pytest.mark.parametrize("fstype", sorted(superblock._LAYOUTS))
def test_the_uuid_of_a_filesystem(device, fstype):
    device.write_bytes(image(fstype))
    assert superblock.uuid("/dev/x", fstype) == str(ID)


@pytest.mark.parametrize("content", [b"", b"\0" * 0x11000, b"XFSB"])
def test_what_is_no_such_filesystem(device, content):
    device.write_bytes(content)
    assert superblock.uuid("/dev/x", "xfs") == ""


@pytest.mark.parametrize("path, fstype", [("/dev/y", "xfs"), ("overlay", "xfs"), ("/dev/x", "tmpfs")])
def test_what_cannot_be_read(device, path, fstype):
    device.write_bytes(image("xfs"))
    assert superblock.uuid(path, fstype) == ""


def ext4_image(low, high=0, exponent=2, wide=True):
    content = bytearray(image("ext4"))
    for place, value in ((0x4, low), (0x18, exponent), (0x60, 0x80 if wide else 0), (0x150, high)):
        struct.pack_into("<I", content, 0x400 + place, value)
    return bytes(content)


@pytest.mark.parametrize(
    "content, expected",
    [
        (ext4_image(1000), 1000 * 4096),
        (ext4_image(1000, exponent=0), 1000 * 1024),
        (ext4_image(5, high=2), (2 * 2**32 + 5) * 4096),
        (ext4_image(5, high=2, wide=False), 5 * 4096),
        (ext4_image(5, exponent=60), 0),
        (ext4_image(5)[:2000], 0),
        (bytes(8192), 0),
    ],
)
def test_the_size_of_an_ext4(device, content, expected):
    device.write_bytes(content)
    assert superblock.size("/dev/x", "ext4") == expected


def test_the_size_of_an_xfs(device):
    content = bytearray(image("xfs"))
    struct.pack_into(">IQ", content, 4, 4096, 2**33)
    device.write_bytes(content)
    assert superblock.size("/dev/x", "xfs") == 4096 * 2**33
    assert superblock.size("/dev/x", "ext4") == superblock.size("/dev/x", "btrfs") == superblock.size("/dev/y", "xfs") == 0


@pytest.mark.parametrize("fstype, option", [("ext4", ["-q", "-F"]), ("xfs", ["-q", "-f"])])
def test_the_size_is_what_mkfs_made(tmp_path, fstype, option):
    path = "/usr/sbin:/sbin:" + os.environ["PATH"]
    mkfs = shutil.which(f"mkfs.{fstype}", path=path)
    if mkfs is None:
        pytest.skip(f"mkfs.{fstype} is not installed")
    made = tmp_path / "image"
    with made.open("wb") as handle:
        handle.truncate(320 * 1024**2)
    subprocess.run([mkfs, *option, str(made)], check=True, capture_output=True, env={**os.environ, "PATH": path})
    assert superblock.size(str(made), fstype) == 320 * 1024**2
