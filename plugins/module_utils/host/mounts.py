# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Mounts and mount points of the host, and /etc/fstab.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, files
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.facts import FstabLine, Mount

FSTAB = "/etc/fstab"
_OCTAL = re.compile(r"\\([0-7]{3})")


class MountInfo(t.NamedTuple):
    """A line of /proc/self/mountinfo (proc_pid_mountinfo(5)); number is the device's major:minor.

    The options are those of the mount and those of the filesystem.
    """

    number: str
    root: str
    target: str
    fstype: str
    source: str
    options: tuple[str, ...] = ()


def mountinfo() -> list[MountInfo]:
    """Return every mount that this process sees, in the order in which they were made."""
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as handle:
        for line in handle:
            fields = line.split()
            tail = fields[fields.index("-") + 1:]
            options = (*fields[5].split(","), *(tail[2].split(",") if len(tail) > 2 else ()))
            found.append(MountInfo(fields[2], _unescape(fields[3]), _unescape(fields[4]), tail[0], _unescape(tail[1]), options))
    return found


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
            found.append(FstabLine(_unescape(fields[0]), _unescape(fields[1]), fields[2], fields[3] if len(fields) > 3 else "defaults"))
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
    """Tell whether the directory *below* whatever is mounted on the path carries the immutable flag.

    A covered directory cannot be named, so the mount is detached in a private mount namespace of a short-lived child and
    the directory looked at there; the host's own mounts stay as they are.

    Returns:
        None where the filesystem knows no such flag.
    """
    script = 'while mountpoint --quiet -- "$1"; do umount --lazy --no-mtab -- "$1" || exit 1; done; exec lsattr -d -- "$1"'
    looked = commands.run(["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", script, "sh", path], check=False)
    if looked.rc != 0:
        return None
    return "i" in looked.stdout.split(" ", 1)[0]


def set_immutable(path: str) -> bool:
    """Set the immutable flag of a directory on which nothing is mounted; return False where the filesystem knows no such flag."""
    return commands.run(["chattr", "+i", "--", path], check=False).rc == 0


def _unescape(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
