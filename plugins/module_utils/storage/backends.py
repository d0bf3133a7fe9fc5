# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Where each filesystem of a layout lies: a partition, a filesystem that is there already, or a loop image (logical volumes: logical_volumes.py).

PRIVATE to the collection: no stability is promised to other users.

Each backend answers with the source of a filesystem, the steps that make it, and the reasons why it cannot be had.
"""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import format_size
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import layout as layouts
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.facts import (
    Device,
    HostStorage,
    Image,
    LogicalVolume,
    Partition,
)

MIB = layouts.MIB
# GPT keeps 34 sectors at the start and 33 at the end; a whole MiB each also keeps every partition aligned.
_TABLE_RESERVE = MIB
# mkfs leaves up to a block group at the end unused, which is no reason to grow; so less than this is none either.
WORTH_GROWING = 32 * MIB
# A step that makes a device larger, and one that makes a mounted filesystem larger; neither disturbs who uses it.
ENLARGE, GROW = "enlarge", "grow"


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing to do, with the arguments of whoever does it and a sentence for people."""

    action: str
    text: str
    device: str = ""
    arguments: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a filesystem lies, whether it exists already, and if so its UUID and how large its device is or will be, in bytes."""

    device: str
    exists: bool
    uuid: str = ""
    size: int = 0


def partition_path(device: str, number: int) -> str:
    """Return the kernel's path of a partition: a ``p`` stands before the number where the disk's name ends in a digit."""
    return f"{device}{'p' if device[-1].isdigit() else ''}{number}"


def partition_label(name: str) -> str:
    """Return the GPT name by which a later run knows the partition as ours."""
    return f"bulkhead-{name}"


def resolved(name: str, host: HostStorage) -> str:
    device = host.devices.get(name)
    return device.path if device is not None else name


def shared_devices(entries: t.Sequence[layouts.Entry], host: HostStorage) -> list[Problem]:
    problems = []
    seen: dict[str, layouts.Entry] = {}
    for entry in entries:
        if not entry.device:
            continue
        device = resolved(entry.device, host)
        look = host.devices.get(entry.device)
        disk = look.parent if look is not None else ""
        divided = [other.name for other in entries if disk and other.backend == "partition" and resolved(other.device, host) == disk]
        if divided:
            problems.append(
                Problem(entry.device, f"is a partition of {disk}, which the layout divides for {' and '.join(divided)}; give {entry.name} a device of its own")
            )
        earlier = seen.setdefault(device, entry)
        shares = earlier.backend == entry.backend and entry.backend in ("partition", "lvm") and earlier.group == entry.group
        if earlier is not entry and not shares:
            problems.append(
                Problem(
                    entry.device,
                    f"is named twice, for {earlier.name} ({earlier.backend}) and for {entry.name} ({entry.backend}); give each a device of its own",
                )
            )
    return problems


def on_disk(
    entries: t.Sequence[layouts.Entry], disk: Device | None, name: str, wipe: t.Collection[str], host: HostStorage
) -> tuple[dict[str, Source], list[Step], list[Problem]]:
    """Find or divide out a partition of a disk for each of the entries."""
    if disk is None:
        return {}, [], [Problem(name, "is missing; no block device of that name is on this host, so correct the name or attach the disk")]
    labels = [partition_label(entry.name) for entry in entries]
    every_label = {partition_label(purpose) for purpose in layouts.PURPOSES}
    nameless = _nameless(entries, disk, name, every_label, host)
    ours = {nameless.get(partition.path, partition.label): partition for partition in disk.partitions}
    is_ours = disk.table == "gpt" and ((bool(disk.partitions) and set(ours) <= every_label) or (not disk.partitions and disk.path in host.claims))
    steps: list[Step] = []
    if disk.is_partition:
        return {}, [], [Problem(name, "is a partition, not a disk; name the whole disk, or choose the backend existing for a filesystem that is already there")]
    if disk.path.startswith("/dev/dm-"):
        return {}, [], [Problem(name, "is a device of the device mapper; choose the backend lvm, or make a filesystem on it and choose existing")]
    if disk.read_only:
        return {}, [], [Problem(name, "is read-only; name a disk that can be written")]
    if not is_ours:
        if set(ours) & every_label:
            mixed = "holds partitions of this role beside others; remove the others, or the partitions of this role once their data is given up"
            return {}, [], [Problem(name, mixed)]
        refusal = refuse_foreign(disk, name, may_wipe(disk.path, name, wipe, host))
        if refusal:
            return {}, [], [refusal]
        if disk.signatures or not disk.blank:
            devices = [*(partition.path for partition in reversed(disk.partitions)), disk.path]
            steps.append(Step("wipe", f"destroy the content of {disk.path}, as docker_storage_wipe allows", disk.path, {"devices": devices}))
            ours = {}
    partitions, problems = _divide(entries, disk, name, ours if is_ours else {})
    if problems:
        return {}, [], problems
    if is_ours and not disk.table_at_end and not set(labels) <= set(ours):
        # parted makes no partition behind the place where it finds the copy.
        steps.append(Step("relocate", f"move the copy of the partition table of {disk.path} to where the disk ends now", disk.path))
    sources: dict[str, Source] = {}
    for entry, label in zip(entries, labels):
        partition = partitions[label]
        existing = ours.get(label)
        if existing is None or existing.path in nameless:
            steps.append(
                Step(
                    "partition",
                    f"make partition {partition.number} '{label}' of {format_size(partition.size)} on {disk.path}",
                    disk.path,
                    {
                        "number": partition.number,
                        "start": partition.start // MIB,
                        "end": (partition.start + partition.size) // MIB,
                        "label": label,
                        "path": partition.path,
                    },
                )
            )
        elif partition.size > existing.size:
            steps.append(
                Step(
                    ENLARGE,
                    f"enlarge {partition.path} from {format_size(existing.size)} to {format_size(partition.size)}",
                    partition.path,
                    {"kind": "partition", "disk": disk.path, "number": partition.number, "start": partition.start, "size": partition.size},
                )
            )
        source, format_steps, unsafe = filesystem_on(entry, partition.path, partition.size, existing, host)
        steps += format_steps
        problems += unsafe
        if source is not None:
            sources[entry.name] = source
    return sources, steps, problems


def _nameless(
    entries: t.Sequence[layouts.Entry], disk: Device, name: str, every_label: t.Collection[str], host: HostStorage
) -> dict[str, str]:
    """Return by path the names of partitions that a run of this boot had made and not yet named when it was killed: parted does one after the other."""
    if disk.path not in host.claims or disk.table != "gpt":
        return {}
    planned, _problems = _divide(entries, disk, name, {})
    places = {(partition.number, partition.start, partition.size): label for label, partition in planned.items()}
    found = {}
    for partition in disk.partitions:
        label = places.get((partition.number, partition.start, partition.size))
        untouched = partition.path in host.claims and partition.blank and not partition.signature
        if label is not None and untouched and partition.label not in every_label:
            found[partition.path] = label
    return found


def filesystem_on(
    entry: layouts.Entry, path: str, size: int, existing: Partition | LogicalVolume | None, host: HostStorage
) -> tuple[Source | None, list[Step], list[Problem]]:
    """Keep the filesystem that a partition or logical volume of ours holds, or have one made where that destroys nothing.

    Args:
        path, size: of the device as it will be.
        existing: the device as it is, None where it has still to be made.
    """
    unsafe = _refuse_to_format(existing, host) if existing is not None else None
    if unsafe is not None:
        return None, [], [unsafe]
    # What an interrupted run was making, and what is still empty, is made anew.
    if existing is None or not existing.signature or existing.path in host.claims:
        return Source(path, False), [Step("format", f"format {path} with {entry.fstype}", path, {"fstype": entry.fstype})], []
    if existing.signature != entry.fstype:
        problem = Problem(
            existing.path,
            f"holds {existing.signature} for {entry.name}, but the layout asks for {entry.fstype}; "
            f"keep fstype {existing.signature}, because formatting would destroy what is there",
        )
        return None, [], [problem]
    return Source(path, True, existing.uuid, size), [], []


def shrinking(path: str, name: str, has: int, asked: int) -> Problem:
    """Refuse to make something smaller."""
    return Problem(
        path,
        f"has {format_size(has)} for {name}, but the layout asks for {format_size(asked)}; shrinking it would destroy data, so state the size it has",
    )


def as_it_is(entry: layouts.Entry, host: HostStorage) -> tuple[Source | None, list[Problem]]:
    device = host.devices.get(entry.device)
    if device is None:
        return None, [Problem(entry.device, "is missing; no block device of that name is on this host, so correct the name or attach the disk")]
    if not device.filesystem:
        held = " and ".join(device.signatures) or "no filesystem"
        return None, [
            Problem(
                entry.device,
                f"holds {held}, but the backend existing needs {entry.fstype} on it; format it first, or choose the backend partition for a blank disk",
            )
        ]
    if device.filesystem != entry.fstype:
        return None, [
            Problem(
                entry.device,
                f"holds {device.filesystem}, but the layout asks for {entry.fstype}; "
                f"write fstype: {device.filesystem} if that is one of {' and '.join(layouts.FSTYPES)}",
            )
        ]
    if device.read_only:
        return None, [Problem(entry.device, "is read-only; name a device that can be written")]
    if device.size < layouts.SMALLEST_FILESYSTEM:
        return None, [
            Problem(entry.device, f"is too small: it has {format_size(device.size)}; name one with at least {format_size(layouts.SMALLEST_FILESYSTEM)}")
        ]
    if device.ftype is False:
        return None, [Problem(entry.device, "holds an XFS without ftype=1, on which overlay2 cannot work; format it again with a current mkfs.xfs")]
    return Source(device.path, True, device.uuid, device.size), []


def in_image(entry: layouts.Entry, host: HostStorage, wipe: t.Collection[str]) -> tuple[Source | None, list[Step], list[Problem], int]:
    image = host.images[entry.device]
    size = entry.size if isinstance(entry.size, int) else layouts.DEFAULT_LOOP_SIZE
    formatted = bool(image.filesystem)
    if formatted and image.filesystem != entry.fstype:
        problem = Problem(
            image.path,
            f"holds {image.filesystem} for {entry.name}, but the layout asks for {entry.fstype}; "
            f"keep fstype {image.filesystem}, because formatting would destroy what is there",
        )
        return None, [], [problem], 0
    if formatted:
        if size < image.size:
            return None, [], [shrinking(image.path, entry.name, image.size, size)], 0
        return Source(image.path, True, image.uuid, size), _enlarged_image(image, size, host), [], size - image.size
    if image.size and not image.blank and image.path not in host.claims and image.path not in wipe:
        return None, [], [Problem(image.path, "holds data that is no filesystem; move it away, or name it in docker_storage_wipe if it may be destroyed")], 0
    steps = [
        Step("allocate", f"allocate {image.path} with {format_size(size)}", image.path, {"size": size}),
        Step("format", f"format {image.path} with {entry.fstype}", image.path, {"fstype": entry.fstype}),
    ]
    return Source(image.path, False), steps, [], max(size - image.size, 0)


def _enlarged_image(image: Image, size: int, host: HostStorage) -> list[Step]:
    # A run that was killed may have enlarged the file, but not what the kernel shows of it.
    shown = next((mount.size for mount in host.mounts if mount.size and mount.uuid == image.uuid), image.size)
    if min(image.size, shown) >= size:
        return []
    text = f"enlarge {image.path} from {format_size(min(image.size, shown))} to {format_size(size)}"
    return [Step(ENLARGE, text, image.path, {"kind": "image", "size": size})]


def _refuse_to_format(partition: Partition | LogicalVolume, host: HostStorage) -> Problem | None:
    """Return why a device of ours may not be formatted although it holds no filesystem that is known to be finished."""
    claimed = partition.path in host.claims
    kind = "partition" if isinstance(partition, Partition) else "logical volume"
    if not partition.signature and not partition.blank and not claimed:
        return Problem(
            partition.path,
            f"is a {kind} of this role with data in it, but no filesystem can be recognised, perhaps because it is damaged; "
            f"repair it with fsck, or run 'wipefs --all {partition.path}' and zero its first MiB if its data is given up",
        )
    if partition.signature and claimed and partition.content:
        return Problem(
            partition.path,
            f"holds files ({', '.join(partition.content[:3])}) although an interrupted run was still making it; "
            "remove /var/lib/bulkhead/storage-claims.json if they are to be kept, or the filesystem if not",
        )
    return None


def refuse_foreign(disk: Device, name: str, may_wipe: bool) -> Problem | None:
    if disk.used_by:
        return Problem(name, f"is in use ({', '.join(disk.used_by)}); name another disk, or take this one out of use first")
    if may_wipe:
        return None
    if disk.partitions or disk.table:
        held = f"a {disk.table or 'partition'} table with {len(disk.partitions)} partition{'' if len(disk.partitions) == 1 else 's'}"
        return Problem(name, f"holds {held}; name a blank disk, or this one in docker_storage_wipe if its content may be destroyed")
    if disk.signatures:
        return Problem(name, f"holds {' and '.join(disk.signatures)}; name a blank disk, or this one in docker_storage_wipe if its content may be destroyed")
    if not disk.blank:
        return Problem(
            name,
            "holds data without a known signature in its first or last MiB; "
            "name a blank disk, or this one in docker_storage_wipe if its content may be destroyed",
        )
    return None


def may_wipe(path: str, name: str, wipe: t.Collection[str], host: HostStorage) -> bool:
    return bool({path, name} & {*wipe, *(resolved(device, host) for device in wipe)})


def _divide(entries: t.Sequence[layouts.Entry], disk: Device, name: str, ours: t.Mapping[str, Partition]) -> tuple[dict[str, Partition], list[Problem]]:
    """Give each entry its partition: the one it has, larger where it can be and is asked to, or one in the space after the last."""
    usable = disk.size // MIB * MIB - 2 * _TABLE_RESERVE
    result: dict[str, Partition] = {}
    problems: list[Problem] = []
    end = max((partition.start + partition.size for partition in ours.values()), default=_TABLE_RESERVE)
    start = -(-end // MIB) * MIB
    left = disk.size // MIB * MIB - _TABLE_RESERVE - start
    missing = [entry for entry in entries if partition_label(entry.name) not in ours]
    for entry in entries:
        existing = ours.get(partition_label(entry.name))
        if existing is None:
            continue
        behind = [other for other in ours.values() if other.start > existing.start]
        size, problem = _partition_size(entry, existing, _wanted_size(entry, usable), [other.path for other in behind], 0 if behind else left, bool(missing))
        if problem is not None:
            problems.append(problem)
        result[partition_label(entry.name)] = dataclasses.replace(existing, size=size)
        if not behind:
            start, left = start + size - existing.size, left - (size - existing.size)
    sizes = {entry.name: _wanted_size(entry, usable) for entry in missing}
    fixed = sum(size for size in sizes.values() if size is not None)
    open_ended = [entry_name for entry_name, size in sizes.items() if size is None]
    share = (left - fixed) // max(len(open_ended), 1) // MIB * MIB
    for entry_name in open_ended:
        sizes[entry_name] = share
    needed = fixed + (layouts.SMALLEST_FILESYSTEM * len(open_ended))
    if missing and (needed > left or any(size is not None and size < layouts.SMALLEST_FILESYSTEM for size in sizes.values())):
        wanted = " and ".join(f"{entry.name} ({_size_in_words(entry, usable)})" for entry in missing)
        problems.append(
            Problem(
                name, f"is too small: {format_size(max(left, 0))} of its {format_size(disk.size)} are free for {wanted}; ask for less or name a larger disk"
            )
        )
        return {}, problems
    taken = {partition.number for partition in ours.values()}
    for entry in missing:
        # parted gives a new partition the lowest free number.
        number = next(number for number in itertools.count(1) if number not in taken)
        taken.add(number)
        size = sizes[entry.name] or 0
        result[partition_label(entry.name)] = Partition(partition_path(disk.path, number), number, start, size, partition_label(entry.name))
        start += size
    return result, problems


def held_back(entries: t.Sequence[layouts.Entry], disk: Device | None) -> list[Problem]:
    """Return which partitions have a share of the disk as it was, because what lies behind them keeps them from growing with it."""
    if disk is None:
        return []
    usable = disk.size // MIB * MIB - 2 * _TABLE_RESERVE
    notes = []
    for entry in entries:
        partition = next((partition for partition in disk.partitions if partition.label == partition_label(entry.name)), None)
        if partition is None or not isinstance(entry.size, float):
            continue
        wanted = _wanted_size(entry, usable) or 0
        behind = [other.path for other in disk.partitions if other.start > partition.start]
        if behind and wanted - partition.size >= WORTH_GROWING:
            notes.append(
                Problem(
                    partition.path,
                    f"stays at {format_size(partition.size)} for {entry.name}, although {entry.size:.0%} of the disk are {format_size(wanted)} now, "
                    f"because {behind[0]} lies behind it; state the size it has",
                )
            )
    return notes


def _partition_size(
    entry: layouts.Entry, existing: Partition, wanted: int | None, behind: t.Sequence[str], left: int, others_come: bool
) -> tuple[int, Problem | None]:
    """Return how large a partition of ours is to be.

    Args:
        entry: what the layout asks for.
        existing: the partition as it is.
        wanted: the size that is asked for on this disk; None for what is left.
        behind: the partitions behind it.
        left: the room behind it, in bytes.
        others_come: whether new partitions are going to be made in that room.
    """
    has = existing.size
    if wanted is None:
        return (has + left if left >= WORTH_GROWING and not others_come else has), None
    if isinstance(entry.size, float):
        if has - wanted >= WORTH_GROWING:
            return has, shrinking(existing.path, entry.name, has, wanted)
        # A share of a disk that grew: as much of it as can be had.
        more = min(wanted - has, left)
        return (has + more if more >= WORTH_GROWING else has), None
    if has - wanted >= MIB:
        return has, shrinking(existing.path, entry.name, has, wanted)
    if wanted - has < MIB:
        return has, None
    asks = f"has {format_size(has)} for {entry.name}, but the layout asks for {format_size(wanted)}"
    if behind:
        return has, Problem(
            existing.path, f"{asks}; it cannot grow, because {behind[0]} lies behind it, so state the size it has"
        )
    # Whole MiB, as every partition of ours has.
    more = (wanted - has) // MIB * MIB
    if more > left:
        return has, Problem(existing.path, f"{asks}; only {format_size(max(left, 0))} are free behind it, so ask for less, or enlarge the disk first")
    return has + more, None


def _wanted_size(entry: layouts.Entry, usable: int) -> int | None:
    if isinstance(entry.size, float):
        return int(usable * entry.size) // MIB * MIB
    return entry.size


def _size_in_words(entry: layouts.Entry, usable: int) -> str:
    if entry.size is None:
        return f"at least {format_size(layouts.SMALLEST_FILESYSTEM)}"
    if isinstance(entry.size, float):
        return f"{entry.size:.0%}, which is {format_size(int(usable * entry.size))}"
    return format_size(entry.size)
