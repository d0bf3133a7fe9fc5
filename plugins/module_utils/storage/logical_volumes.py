# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Filesystems in logical volumes: of a volume group that is there, or of one made on a blank disk.

PRIVATE to the collection: no stability is promised to other users.

Our mark is the name of a logical volume. Others in the same group are never touched, and neither are other groups.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import format_size
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import backends
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import layout as layouts
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.backends import WORTH_GROWING, Source, Step
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.facts import (
    Device,
    HostStorage,
    LogicalVolume,
    VolumeGroup,
)

# What vgcreate(8) takes where nothing is said, and where it begins on a new device.
_EXTENT = 4 * layouts.MIB
_FIRST_EXTENT = layouts.MIB
_MEMBER = "LVM2_member"
# The kind of a volume that has snapshots.
ORIGIN = "origin"


def volume_name(name: str) -> str:
    """Return the name by which a later run knows a logical volume as ours."""
    return f"bulkhead-{name}"


def volume_path(group: str, name: str) -> str:
    """Return the link that udev keeps for a logical volume of ours."""
    return f"/dev/{group}/{volume_name(name)}"


def in_group(
    entries: t.Sequence[layouts.Entry], wipe: t.Collection[str], host: HostStorage
) -> tuple[dict[str, Source], list[Step], list[Problem]]:
    """Find or make a logical volume for each of the entries, which all name the same group."""
    name = entries[0].group
    where = f"volume group {name}"
    devices = {backends.resolved(entry.device, host): entry.device for entry in entries if entry.device}
    if len(devices) > 1:
        return {}, [], [Problem(where, f"is to lie on {' and '.join(devices.values())}; name one of them, and extend the group with vgextend if it needs both")]
    device_name = next(iter(devices.values()), "")
    group = host.volume_groups.get(name)
    if group is None:
        group, steps, problem = _new_group(name, device_name, wipe, host)
    else:
        group, steps, problem = _group_as_it_is(group, device_name, host)
    if group is None:
        return {}, [], [problem] if problem is not None else []
    sizes, problems = _divide(entries, group)
    if problems:
        return {}, [], problems
    ours = {volume.name: volume for volume in group.volumes}
    sources: dict[str, Source] = {}
    for entry in entries:
        label = volume_name(entry.name)
        existing = ours.get(label)
        size = sizes[entry.name]
        path = existing.path if existing is not None else volume_path(name, entry.name)
        if existing is None:
            text = f"make the logical volume {label} of {format_size(size)} in {name}"
            steps.append(Step("volume", text, path, {"group": name, "name": label, "size": size}))
        elif size > existing.size:
            text = f"enlarge {path} from {format_size(existing.size)} to {format_size(size)}"
            steps.append(Step(backends.ENLARGE, text, path, {"kind": "volume", "group": name, "name": label, "size": size}))
        source, format_steps, unsafe = backends.filesystem_on(entry, path, size, existing, host)
        steps += format_steps
        problems += unsafe
        if source is not None:
            sources[entry.name] = source
    return sources, steps, problems


def _new_group(name: str, device: str, wipe: t.Collection[str], host: HostStorage) -> tuple[VolumeGroup | None, list[Step], Problem | None]:
    if not device:
        known = f"this host has {', '.join(sorted(host.volume_groups))}" if host.volume_groups else "this host has none"
        return None, [], Problem(f"volume group {name}", f"is missing; {known}, so correct the name, or name the blank disk that it is to be made on")
    disk = host.devices.get(device)
    if disk is None:
        return None, [], Problem(device, "is missing; no block device of that name is on this host, so correct the name or attach the disk")
    if disk.read_only:
        return None, [], Problem(device, "is read-only; name a disk that can be written")
    for other in host.volume_groups.values():
        if any(member.path == disk.path for member in other.devices):
            return None, [], Problem(device, f"belongs to the volume group {other.name}; write group: {other.name} to use its free room, or name a blank disk")
    begun = disk.path in host.claims and disk.signatures == (_MEMBER,) and not disk.used_by
    refusal = None if begun else backends.refuse_foreign(disk, device, backends.may_wipe(disk.path, device, wipe, host))
    if refusal is not None:
        return None, [], refusal
    steps = []
    if not begun and (disk.signatures or not disk.blank):
        paths = [*(partition.path for partition in reversed(disk.partitions)), disk.path]
        steps.append(Step("wipe", f"destroy the content of {disk.path}, as docker_storage_wipe allows", disk.path, {"devices": paths}))
    steps.append(Step("group", f"make the volume group {name} on {disk.path}", disk.path, {"group": name}))
    room = max(disk.size - _FIRST_EXTENT, 0) // _EXTENT * _EXTENT
    return VolumeGroup(name, _EXTENT, room, room), steps, None


def _group_as_it_is(group: VolumeGroup, device: str, host: HostStorage) -> tuple[VolumeGroup | None, list[Step], Problem | None]:
    where = f"volume group {group.name}"
    if group.unfit:
        return None, [], Problem(where, f"{group.unfit}; mend that first, or name another group")
    if not device:
        return group, [], None
    disk = host.devices.get(device)
    if disk is None:
        return None, [], Problem(device, "is missing; no block device of that name is on this host, so correct the name or attach the disk")
    member = next((member for member in group.devices if member.path == disk.path), None)
    if member is None:
        lies_on = " and ".join(member.path for member in group.devices)
        return None, [], Problem(where, f"is there, but on {lies_on} and not on {device}; correct the device, or leave it out to use the group as it is")
    grown = max(_room_on(disk, member.start, group.extent) - member.size, 0)
    if grown < WORTH_GROWING:
        return group, [], None
    text = f"give the volume group {group.name} the {format_size(grown)} by which {disk.path} has grown"
    larger = dataclasses.replace(group, size=group.size + grown, free=group.free + grown)
    return larger, [Step("resize", text, disk.path, {"group": group.name})], None


def _room_on(disk: Device, start: int, extent: int) -> int:
    return max(disk.size - start, 0) // extent * extent


def _divide(entries: t.Sequence[layouts.Entry], group: VolumeGroup) -> tuple[dict[str, int], list[Problem]]:
    """Give each entry the size of its volume: those of a stated size or share first, what is left to the others alike."""
    ours = {volume.name: volume for volume in group.volumes}
    sizes: dict[str, int] = {}
    problems: list[Problem] = []
    left = group.free
    open_ended: list[layouts.Entry] = []
    unmet: list[str] = []
    for entry in entries:
        existing = ours.get(volume_name(entry.name))
        if existing is not None:
            unfit = _unfit(existing)
            if unfit is not None:
                problems.append(unfit)
                continue
        if entry.size is None:
            open_ended.append(entry)
            continue
        wanted = _wanted_size(entry.size, group)
        if existing is None:
            sizes[entry.name] = wanted
            if wanted > left or wanted < layouts.SMALLEST_FILESYSTEM:
                unmet.append(f"{entry.name} ({_in_words(entry, group)})")
        else:
            sizes[entry.name], problem = _larger_volume(entry, existing, wanted, left)
            if problem is not None:
                problems.append(problem)
        left -= sizes[entry.name] - (existing.size if existing is not None else 0)
    share = max(left, 0) // max(len(open_ended), 1) // group.extent * group.extent
    for entry in open_ended:
        existing = ours.get(volume_name(entry.name))
        if existing is None:
            sizes[entry.name] = share
            if share < layouts.SMALLEST_FILESYSTEM:
                unmet.append(f"{entry.name} ({_in_words(entry, group)})")
        else:
            sizes[entry.name] = existing.size + share if share >= WORTH_GROWING and not _origin(existing) else existing.size
    if unmet:
        problems.append(
            Problem(
                f"volume group {group.name}",
                f"is too small: {format_size(group.free)} of its {format_size(group.size)} are free for {' and '.join(unmet)}; "
                "ask for less, or extend the group with vgextend",
            )
        )
    return sizes, problems


def _larger_volume(entry: layouts.Entry, existing: LogicalVolume, wanted: int, left: int) -> tuple[int, Problem | None]:
    has = existing.size
    if isinstance(entry.size, float):
        if has - wanted >= WORTH_GROWING:
            return has, backends.shrinking(existing.path, entry.name, has, wanted)
        more = min(wanted - has, left)
        return (has + more if more >= WORTH_GROWING and not _origin(existing) else has), None
    if wanted < has:
        return has, backends.shrinking(existing.path, entry.name, has, wanted)
    if wanted == has:
        return has, None
    asks = f"has {format_size(has)} for {entry.name}, but the layout asks for {format_size(wanted)}"
    if _origin(existing):
        return has, Problem(existing.path, f"{asks}; it has snapshots, and lvm does not enlarge it while it is in use with them, so remove the snapshots first")
    if wanted - has > left:
        return has, Problem(
            existing.path, f"{asks}; its volume group has only {format_size(max(left, 0))} left, so ask for less, or extend the group with vgextend"
        )
    return wanted, None


def _origin(volume: LogicalVolume) -> bool:
    return volume.kind == ORIGIN


def _unfit(volume: LogicalVolume) -> Problem | None:
    if volume.kind and not _origin(volume):
        return Problem(volume.path, f"is no plain logical volume, but {volume.kind}; rename it, because its name is that of a volume of this role")
    if not volume.active:
        return Problem(volume.path, "is not active; run lvchange --activate y on it, and see why it was not activated at boot")
    return None


def _wanted_size(size: int | float, group: VolumeGroup) -> int:
    if isinstance(size, float):
        return int(group.size * size) // group.extent * group.extent
    # lvm rounds up to whole extents as well.
    return -(-size // group.extent) * group.extent


def _in_words(entry: layouts.Entry, group: VolumeGroup) -> str:
    if entry.size is None:
        return f"at least {format_size(layouts.SMALLEST_FILESYSTEM)}"
    if isinstance(entry.size, float):
        return f"{entry.size:.0%}, which is {format_size(_wanted_size(entry.size, group))}"
    return format_size(_wanted_size(entry.size, group))
