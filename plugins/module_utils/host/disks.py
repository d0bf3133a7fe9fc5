# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Block devices of the host, seen through the kernel and through a probe of their content.

PRIVATE to the collection: no stability is promised to other users.

udev's database is not asked: it may be stale, and containers have none. ``blkid -p`` and ``wipefs --no-act`` read the
device itself.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, mounts
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.facts import Device, Image, Partition

_SYSFS = "/sys/class/block"
_SECTOR = 512
_EDGE = 1024 * 1024
#: blkid writes a backslash before what a shell would not leave alone.
_ESCAPED = re.compile(r"\\(.)")


def probe(path: str) -> dict[str, str]:
    """Return what blkid reads from a device or image itself, such as TYPE, UUID, PTTYPE, PART_ENTRY_NAME."""
    shown = commands.run(["blkid", "--probe", "--output", "export", "--", path], check=False)
    # Status 8: several signatures contradict each other, and blkid names none (blkid(8)).
    found = {"TYPE": "contradicting signatures"} if shown.rc == 8 else {}
    for line in shown.stdout.splitlines():
        key, separator, value = line.partition("=")
        if separator:
            found[key] = _ESCAPED.sub(r"\1", value)
    return found


def look_at(name: str, with_content: bool = False, claims: t.Collection[str] = ()) -> Device | None:
    """Return everything the planner must know of a block device, or None when there is none of that name.

    Args:
        name: a path below /dev; links are resolved.
        with_content: also look into its filesystem, for devices that are to be adopted as they are.
        claims: partitions that an interrupted run was still making; their filesystems are looked into as well.
    """
    path = os.path.realpath(name)
    try:
        if not stat.S_ISBLK(os.stat(path).st_mode):
            return None
    except OSError:
        return None
    kernel_name = os.path.basename(path)
    size = _number(f"{_SYSFS}/{kernel_name}/size") * _SECTOR
    probed = probe(path)
    signatures = _signatures(path)
    partitions = tuple(_partitions(kernel_name, claims))
    filesystem = probed.get("TYPE", "")
    return Device(
        path=path,
        size=size,
        is_partition=os.path.exists(f"{_SYSFS}/{kernel_name}/partition"),
        parent=_parent(kernel_name),
        read_only=_number(f"{_SYSFS}/{kernel_name}/ro") == 1,
        signatures=signatures,
        table=probed.get("PTTYPE", ""),
        partitions=partitions,
        used_by=tuple(_users(kernel_name)),
        blank=not signatures and _edges_are_zero(path, size),
        filesystem=filesystem,
        uuid=probed.get("UUID", ""),
        content=tuple(_content(path, filesystem)) if with_content and filesystem in ("ext4", "xfs") else (),
        ftype=_xfs_ftype(path) if with_content and filesystem == "xfs" else None,
        table_at_end=probed.get("PTTYPE") != "gpt" or _copy_of_table_at_end(path, kernel_name, size),
    )


def look_at_image(path: str) -> Image:
    """Return what the planner must know of a loop image."""
    try:
        status = os.lstat(path)
    except OSError:
        return Image(path)
    if not stat.S_ISREG(status.st_mode):
        return Image(path, status.st_size, blank=False)
    probed = probe(path)
    return Image(path, status.st_size, probed.get("TYPE", ""), probed.get("UUID", ""), _edges_are_zero(path, status.st_size))


def free_bytes(directory: str) -> int:
    """Return the bytes that a directory's filesystem has free, judged by the nearest directory that exists."""
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize


def _parent(name: str) -> str:
    if not os.path.exists(f"{_SYSFS}/{name}/partition"):
        return ""
    return "/dev/" + os.path.basename(os.path.dirname(os.path.realpath(f"{_SYSFS}/{name}")))


def numbers(path: str) -> str:
    """Return a device's major:minor as the kernel writes it, or nothing when the path is no block device."""
    try:
        status = os.stat(path)
    except OSError:
        return ""
    if not stat.S_ISBLK(status.st_mode):
        return ""
    return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"


def _copy_of_table_at_end(path: str, kernel_name: str, size: int) -> bool:
    # The second block of the disk says at byte 32 in which block the copy lies (UEFI specification, 5.3.2).
    block = _number(f"{_SYSFS}/{kernel_name}/queue/logical_block_size") or _SECTOR
    with open(path, "rb", buffering=0) as handle:
        handle.seek(block + 32)
        return int.from_bytes(handle.read(8), "little") >= size // block - 1


def _signatures(path: str) -> tuple[str, ...]:
    shown = commands.run(["wipefs", "--no-act", "--json", "--", path])
    try:
        found = json.loads(shown.stdout).get("signatures", []) if shown.stdout.strip() else []
        return tuple(dict.fromkeys(str(signature.get("type") or "an unknown signature") for signature in found))
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        # Unread is not blank.
        raise commands.CommandError(f"wipefs prints '{shown.stdout[:80].strip()}' of {path}, which is not the JSON that it was asked for") from error


def _partitions(disk: str, claims: t.Collection[str]) -> t.Iterator[Partition]:
    base = f"{_SYSFS}/{disk}"
    names = [name for name in os.listdir(base) if os.path.exists(f"{base}/{name}/partition")] if os.path.isdir(base) else []
    for name in sorted(names, key=lambda name: _number(f"{base}/{name}/partition")):
        path = f"/dev/{name}"
        probed = probe(path)
        size = _number(f"{base}/{name}/size") * _SECTOR
        yield Partition(
            path=path,
            number=_number(f"{base}/{name}/partition"),
            start=_number(f"{base}/{name}/start") * _SECTOR,
            size=size,
            label=probed.get("PART_ENTRY_NAME", ""),
            signature=probed.get("TYPE", "") or probed.get("PTTYPE", ""),
            uuid=probed.get("UUID", ""),
            blank=os.path.exists(path) and _edges_are_zero(path, size),
            content=tuple(_content(path, probed["TYPE"])) if path in claims and probed.get("TYPE") in ("ext4", "xfs") else (),
        )


def _users(disk: str) -> list[str]:
    base = f"{_SYSFS}/{disk}"
    names = [disk, *(name for name in os.listdir(base) if os.path.exists(f"{base}/{name}/partition"))]
    numbers_of = {_text(f"{_SYSFS}/{name}/dev"): name for name in names}
    found = [f"/dev/{numbers_of[mount.number]} is mounted on {mount.target}" for mount in mounts.mountinfo() if mount.number in numbers_of]
    with open("/proc/swaps", encoding="utf-8") as handle:
        found += [f"{line.split()[0]} is swap space" for line in handle.readlines()[1:] if numbers(line.split()[0]) in numbers_of]
    for name in names:
        holders = f"{_SYSFS}/{name}/holders"
        for holder in sorted(os.listdir(holders)) if os.path.isdir(holders) else []:
            found.append(f"/dev/{name} belongs to {_text(f'{_SYSFS}/{holder}/dm/name') or holder}")
    return found or [f"/dev/{name} is held by the kernel, such as for a mount of another namespace, btrfs or ZFS" for name in names if _is_held(f"/dev/{name}")]


def _is_held(path: str) -> bool:
    # The kernel lets nobody else open exclusively what it has mounted or made a member of something (open(2), O_EXCL).
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


def _edges_are_zero(path: str, size: int) -> bool:
    with open(path, "rb", buffering=0) as handle:
        for offset in (0, max(size - _EDGE, 0)):
            handle.seek(offset)
            left = _EDGE
            while left > 0:
                chunk = handle.read(min(left, 65536))
                if not chunk:
                    break
                if chunk.count(0) != len(chunk):
                    return False
                left -= len(chunk)
    return True


def _content(path: str, filesystem: str) -> list[str]:
    # Read-only and without replaying a journal, in a mount namespace that ends with the child: nothing is written.
    option = "ro,noload" if filesystem == "ext4" else "ro,norecovery"
    script = 'mount -t "$2" -o "$3,nodev,nosuid,noexec" -- "$1" /mnt && exec ls -A /mnt'
    looked = commands.run(["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", script, "sh", path, filesystem, option], check=False)
    if looked.rc != 0:
        # What cannot be looked at is taken for full: the plan then refuses it.
        return ["a filesystem that cannot be mounted"]
    return [name for name in looked.stdout.splitlines() if name != "lost+found"]


def _xfs_ftype(path: str) -> bool | None:
    if commands.find("xfs_db") is None:
        return None
    shown = commands.run(["xfs_db", "-r", "-c", "version", "--", path], check=False)
    if shown.rc != 0:
        return None
    return "FTYPE" in shown.stdout.upper()


def _number(path: str) -> int:
    text = _text(path)
    return int(text) if text.isdigit() else 0


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as handle:
            return handle.read().strip()
    except OSError:
        return ""
