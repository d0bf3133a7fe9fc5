# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""How much of its device a filesystem uses, and whether the kernel lets this host make it use more.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import fcntl
import os
import re
import struct

from ansible_collections.bulkhead.docker.plugins.module_utils.host import files, superblock

# ioctl_xfs_fsgeometry(2) in its first form, of 112 bytes: the length of a block comes first, the number of blocks at 32.
_XFS_GEOMETRY = 0x80705864
_GEOMETRY_SIZE = 112
# capabilities(7); ext4 asks for it (fs/ext4/resize.c, ext4_resize_begin).
_SYS_RESOURCE = 24


def mounted(mount_point: str, device: str, fstype: str) -> int:
    """Return the bytes that a mounted filesystem uses of its device, 0 where that cannot be known."""
    if fstype != "xfs":
        return superblock.size(device, fstype)
    answer = bytearray(_GEOMETRY_SIZE)
    try:
        descriptor = os.open(mount_point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        fcntl.ioctl(descriptor, _XFS_GEOMETRY, answer)
    except OSError:
        return 0
    finally:
        os.close(descriptor)
    length, = struct.unpack_from("=I", answer, 0)
    count, = struct.unpack_from("=Q", answer, 32)
    return int(length) * int(count)


def may_grow_ext4() -> bool:
    """Tell whether this process has the capability that growing a mounted ext4 takes."""
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", files.read_text("/proc/self/status") or "", re.MULTILINE)
    return found is None or bool(int(found[1], 16) >> _SYS_RESOURCE & 1)
