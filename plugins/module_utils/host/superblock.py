# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The UUID and size of a filesystem, read from its superblock without a program.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import os
import struct

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


def size(device: str, fstype: str) -> int:
    """Return how many bytes of its device an unmounted filesystem, or a mounted ext4, uses; 0 where that cannot be read.

    XFS writes its superblock long after it has grown; while it is mounted the kernel has to be asked.

    Args:
        device: path of its node or image.
        fstype: as blkid says it; xfs or ext4.
    """
    layout = _LAYOUTS.get(fstype)
    if layout is None or fstype not in ("xfs", "ext4"):
        return 0
    try:
        descriptor = os.open(device, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return 0
    try:
        start = os.pread(descriptor, 4096, 0)
    except OSError:
        return 0
    finally:
        os.close(descriptor)
    magic_at, magic, _uuid_at = layout
    if len(start) < 4096 or start[magic_at:magic_at + len(magic)] != magic:
        return 0
    return _xfs_size(start) if fstype == "xfs" else _ext4_size(start[0x400:])


def _xfs_size(block: bytes) -> int:
    length, count = struct.unpack_from(">IQ", block, 4)
    return int(length) * int(count)


def _ext4_size(block: bytes) -> int:
    low, = struct.unpack_from("<I", block, 0x4)
    exponent, = struct.unpack_from("<I", block, 0x18)
    features, = struct.unpack_from("<I", block, 0x60)
    high, = struct.unpack_from("<I", block, 0x150)
    # The upper half counts only with the feature 64bit.
    blocks = int(low) | (int(high) << 32 if features & 0x80 else 0)
    return blocks << (10 + int(exponent)) if exponent <= 6 else 0
