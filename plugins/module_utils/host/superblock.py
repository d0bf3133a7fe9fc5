# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The UUID of a filesystem, read from its superblock without a program.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import os

#: By type: where the magic number stands and what it is, and where the UUID stands; in bytes from the start of the device.
#: Sources: fs/ext4/ext4.h struct ext4_super_block, fs/xfs/libxfs/xfs_format.h struct xfs_dsb, fs/btrfs struct btrfs_super_block.
_LAYOUTS = {
    "ext4": (0x438, b"\x53\xef", 0x468),
    "ext3": (0x438, b"\x53\xef", 0x468),
    "ext2": (0x438, b"\x53\xef", 0x468),
    "xfs": (0, b"XFSB", 32),
    "btrfs": (0x10040, b"_BHRfS_M", 0x10020),
}


def uuid(device: str, fstype: str) -> str:
    """Return the UUID of the filesystem on a device as blkid prints it; empty where it cannot be read.

    Args:
        device: path of its node.
        fstype: as the kernel says it.
    """
    layout = _LAYOUTS.get(fstype)
    if layout is None or not device.startswith("/dev/"):
        return ""
    magic_at, magic, uuid_at = layout
    try:
        descriptor = os.open(device, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        if os.pread(descriptor, len(magic), magic_at) != magic:
            return ""
        found = os.pread(descriptor, 16, uuid_at).hex()
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    if len(found) != 32:
        return ""
    return "-".join((found[:8], found[8:12], found[12:16], found[16:20], found[20:]))
