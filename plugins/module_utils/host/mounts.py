# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Mounts and mount points of the host, and /etc/fstab.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, files, mount_table, under_mounts
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.facts import FstabLine, Mount

FSTAB = "/etc/fstab"


MountInfo = mount_table.MountInfo
mountinfo = mount_table.mountinfo
unescaped = mount_table.unescaped


def mount_of(path: str) -> MountInfo | None:
    """Return the nearest and topmost mount on which an absolute path lies or would lie."""
    best = None
    for mount in mountinfo():
        inside = path == mount.target or path.startswith(mount.target.rstrip("/") + "/")
        if inside and (best is None or len(mount.target) >= len(best.target)):
            best = mount
    return best


def is_mount_point(path: str) -> bool:
    """Tell whether something is mounted exactly on the path now."""
    return any(mount.target == path for mount in mountinfo())


def block_mounts(probe: t.Callable[[str], t.Mapping[str, str]]) -> list[Mount]:
    """Return the mounts of block devices, each with its filesystem's UUID as the probe reads it from the device.

    Args:
        probe: from a device's path to blkid's values.
    """
    uuids: dict[str, str] = {}
    found = []
    for mount in mountinfo():
        uuid = ""
        if mount.source.startswith("/dev/") and mount.fstype in ("ext4", "xfs", "ext3", "ext2", "btrfs"):
            if mount.source not in uuids:
                uuids[mount.source] = probe(mount.source).get("UUID", "")
            uuid = uuids[mount.source] if mount.root == "/" else ""
        found.append(Mount(mount.source, mount.target, mount.fstype, uuid))
    return found


def fstab() -> list[FstabLine]:
    """Return the lines of /etc/fstab that are neither empty nor comments."""
    found = []
    for line in (files.read_text(FSTAB) or "").splitlines():
        fields = line.split()
        if len(fields) >= 3 and not fields[0].startswith("#"):
            found.append(FstabLine(unescaped(fields[0]), unescaped(fields[1]), fields[2], fields[3] if len(fields) > 3 else "defaults"))
    return found


def mount(path: str) -> None:
    """Mount what /etc/fstab says for a path.

    Raises:
        commands.CommandError: mount(8) failed; the message holds its words.
    """
    commands.run(["mount", "--", path], timeout=120)


def first_link(path: str) -> str:
    """Return the first component of an absolute path that is a symbolic link, or nothing."""
    current = ""
    for component in path.strip("/").split("/"):
        current = f"{current}/{component}"
        if os.path.islink(current):
            return current
    return ""


def bare_is_immutable(path: str) -> bool | None:
    """Tell whether the directory *below* whatever is mounted on the path carries the immutable flag; see under_mounts.flag_by_child."""
    return under_mounts.flag_by_child(path)


def set_immutable(path: str) -> bool:
    """Set the immutable flag of a directory on which nothing is mounted; return False where the filesystem knows no such flag."""
    return commands.run(["chattr", "+i", "--", path], check=False).rc == 0
