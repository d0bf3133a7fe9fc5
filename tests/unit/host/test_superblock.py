# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

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
