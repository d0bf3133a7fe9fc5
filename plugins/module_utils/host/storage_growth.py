# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Making devices larger and letting the mounted filesystems on them fill them, while Docker and its containers run.

PRIVATE to the collection: no stability is promised to other users.

Each step looks again at what it is about to change: nothing is ever made smaller, and only the device and the filesystem
that the plan saw are touched. Steps that were done before a crash are done again without harm.
"""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import format_size
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    files,
    filesystem_size,
    mounts,
    superblock,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import backends, layout

_SYSFS = "/sys/class/block"
_MIB = layout.MIB
# A large filesystem on a slow disk writes for a while.
_PATIENCE = 1800


class GrowthError(Exception):
    """A step could not be done; the message says what was found and that nothing was made smaller."""


def carry_out(step: t.Mapping[str, t.Any]) -> None:
    """Do one step of the plan, as module docker_storage_plan returned it.

    Raises:
        GrowthError: the host is not as the plan saw it, or did not become as it should.
        commands.CommandError: a tool failed; the message holds its words.
    """
    if step["action"] == backends.GROW:
        _grow(step["mount_point"], step["fstype"], step["uuid"], int(step["size"]))
    elif step["kind"] == "partition":
        _enlarge_partition(step["device"], step["disk"], int(step["number"]), int(step["start"]), int(step["size"]))
    elif step["kind"] == "image":
        _enlarge_image(step["device"], int(step["size"]))
    else:
        commands.run(["lvextend", "--yes", "--size", f"{int(step['size'])}b", "--", f"{step['group']}/{step['name']}"], timeout=120)


def _enlarge_partition(path: str, disk: str, number: int, start: int, size: int) -> None:
    name = os.path.basename(path)
    seen = {word: _number(f"{_SYSFS}/{name}/{word}") for word in ("partition", "start", "size")}
    if (seen["partition"], seen["start"] * 512) != (number, start) or seen["size"] * 512 > size:
        raise GrowthError(f"{path} is not the partition that the plan saw any more; run again")
    # The table is written while the partition is in use; the kernel is told of this partition alone, which it takes then.
    arguments = ["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "--partno", str(number), "--", disk]
    commands.run(arguments, timeout=120, stdin=f"size={size // _MIB}MiB\n")
    commands.run(["partx", "--update", "--nr", str(number), "--", disk])
    has = _number(f"{_SYSFS}/{name}/size") * 512
    if has != size or _number(f"{_SYSFS}/{name}/start") * 512 != start:
        raise GrowthError(f"{path} has {format_size(has)} after it was enlarged to {format_size(size)}; compare it with 'sfdisk --dump {disk}'")


def _enlarge_image(path: str, size: int) -> None:
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode) or status.st_size > size:
        raise GrowthError(f"{path} is not the image that the plan saw any more; run again")
    commands.run(["fallocate", "--length", str(size), "--", path], timeout=_PATIENCE)
    for loop in _loops_of(path):
        commands.run(["losetup", "--set-capacity", loop])


def _loops_of(path: str) -> list[str]:
    # The kernel tells of the file itself, whatever links lead to its directory.
    path = os.path.realpath(path)
    found = []
    for name in sorted(os.listdir(_SYSFS)):
        if name.startswith("loop") and (files.read_text(f"{_SYSFS}/{name}/loop/backing_file") or "").rstrip("\n") == path:
            found.append(f"/dev/{name}")
    return found


def _grow(mount_point: str, fstype: str, uuid: str, size: int) -> None:
    mount = next((mount for mount in reversed(mounts.mountinfo()) if mount.target == mount_point), None)
    if mount is None or mount.fstype != fstype or superblock.uuid(mount.source, fstype) != uuid:
        raise GrowthError(f"{mount_point} does not hold the filesystem that the plan saw any more; run again")
    if fstype == "xfs":
        commands.run(["xfs_growfs", "-d", mount_point], timeout=_PATIENCE)
    else:
        commands.run(["resize2fs", mount.source], timeout=_PATIENCE)
    has = filesystem_size.mounted(mount_point, mount.source, fstype)
    if has < size - backends.WORTH_GROWING:
        raise GrowthError(f"{mount_point} has {format_size(has)} after it was grown to {format_size(size)}; see the kernel's log")


def _number(path: str) -> int:
    text = (files.read_text(path) or "").strip()
    return int(text) if text.isdigit() else 0
