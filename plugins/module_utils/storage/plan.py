# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""From a layout and what the host has to an ordered plan of steps, or to the reasons why there can be none.

PRIVATE to the collection: no stability is promised to other users.

The rule that everything here serves: nothing is formatted, mounted over or moved unless it is known to be empty or to
have been made by an earlier run for this very purpose. Our mark is the GPT name of a partition and the path of an image.
"""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_ranges import Mapping, effective_root
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import format_size
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import layout as layouts
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.facts import (
    Device,
    FstabLine,
    HostStorage,
    Mount,
    Partition,
)

MIB = layouts.MIB
# GPT keeps 34 sectors at the start and 33 at the end; a whole MiB each also keeps every partition aligned.
_TABLE_RESERVE = MIB
# What a loop image must leave on the filesystem that holds it.
LOOP_RESERVE = 1024 * MIB


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing to do, with the arguments of whoever does it and a sentence for people."""

    action: str
    text: str
    device: str = ""
    arguments: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Target:
    """A filesystem where it belongs.

    Attributes:
        device: what holds the filesystem.
        source: what fstab names: UUID=… or the path of a loop image; empty until the filesystem exists.
        mounted: whether it is mounted at its place now.
        in_fstab: whether fstab has exactly this line.
    """

    name: str
    device: str
    mount_point: str
    fstype: str
    options: tuple[str, ...]
    mode: int | None
    gid: int
    source: str = ""
    uuid: str = ""
    mounted: bool = False
    in_fstab: bool = False


@dataclasses.dataclass(frozen=True)
class StoragePlan:
    """The whole plan; with problems there are no steps."""

    effective_root: str
    targets: tuple[Target, ...] = ()
    steps: tuple[Step, ...] = ()
    problems: tuple[Problem, ...] = ()


def partition_path(device: str, number: int) -> str:
    """Return the kernel's path of a partition: a ``p`` stands before the number where the disk's name ends in a digit."""
    return f"{device}{'p' if device[-1].isdigit() else ''}{number}"


def partition_label(name: str) -> str:
    """Return the GPT name by which a later run knows the partition as ours."""
    return f"bulkhead-{name}"


def compute(
    entries: t.Sequence[layouts.Entry],
    host: HostStorage,
    data_root: str,
    mapping: Mapping | None,
    wipe: t.Collection[str] = (),
) -> StoragePlan:
    """Compute the plan.

    Args:
        entries: the layout, parents before children (see layout.parse).
        host: what the host has now.
        data_root: dockerd's data-root.
        mapping: the id mapping of userns-remap, None without it.
        wipe: devices whose content may be destroyed, by any of their names.
    """
    root = effective_root(data_root, mapping)
    problems = _shared_devices(entries, host)
    steps: list[Step] = []
    targets: list[Target] = []
    by_disk: dict[str, list[layouts.Entry]] = {}
    for entry in entries:
        if entry.backend == "partition":
            by_disk.setdefault(_resolved(entry.device, host), []).append(entry)
    sources: dict[str, _Source] = {}
    for on_disk in by_disk.values():
        found, disk_steps, disk_problems = _plan_disk(on_disk, host.devices.get(on_disk[0].device), on_disk[0].device, wipe, host)
        sources.update(found)
        steps += disk_steps
        problems += disk_problems
    loop_steps: list[Step] = []
    loop_total = 0
    for entry in entries:
        if entry.backend == "existing":
            source, entry_problems = _plan_existing(entry, host)
            problems += entry_problems
            if source:
                sources[entry.name] = source
        elif entry.backend == "loop":
            source, entry_steps, entry_problems, allocated = _plan_loop(entry, host, wipe)
            loop_total += allocated
            loop_steps += entry_steps
            problems += entry_problems
            if source:
                sources[entry.name] = source
    if loop_total and loop_total + LOOP_RESERVE > host.loop_free:
        problems.append(
            Problem(
                "loop images",
                f"need {format_size(loop_total)} and {format_size(LOOP_RESERVE)} must stay free, but their filesystem has only "
                f"{format_size(host.loop_free)} free; make the images smaller, give them another loop directory, or use a disk",
            )
        )
    steps += loop_steps
    for entry in entries:
        where = layouts.place(entry.name, data_root, mapping)
        problems += _mount_point_problems(entry, where.mount_point, sources.get(entry.name), host)
        if entry.name in sources:
            target = _target(entry, where, sources[entry.name], host)
            targets.append(target)
            if not target.in_fstab:
                steps.append(Step("fstab", f"write {target.source or 'the UUID that formatting gives'} on {target.mount_point} into /etc/fstab"))
            if not target.mounted:
                steps.append(Step("mount", f"mount {target.device} ({target.fstype}) on {target.mount_point}", target.device))
    problems += _data_problems(entries, sources, host, root, data_root)
    if problems:
        return StoragePlan(root, problems=tuple(problems))
    return StoragePlan(root, tuple(targets), tuple(steps))


@dataclasses.dataclass(frozen=True)
class _Source:
    """Where a filesystem lies, whether it exists already, and its UUID if so."""

    device: str
    exists: bool
    uuid: str = ""


def _resolved(name: str, host: HostStorage) -> str:
    device = host.devices.get(name)
    return device.path if device is not None else name


def _shared_devices(entries: t.Sequence[layouts.Entry], host: HostStorage) -> list[Problem]:
    problems = []
    seen: dict[str, layouts.Entry] = {}
    for entry in entries:
        device = _resolved(entry.device, host)
        earlier = seen.setdefault(device, entry)
        if earlier is not entry and not earlier.backend == entry.backend == "partition":
            problems.append(
                Problem(
                    entry.device,
                    f"is named twice, for {earlier.name} ({earlier.backend}) and for {entry.name} ({entry.backend}); give each a device of its own",
                )
            )
    return problems


def _plan_disk(
    entries: t.Sequence[layouts.Entry], disk: Device | None, name: str, wipe: t.Collection[str], host: HostStorage
) -> tuple[dict[str, _Source], list[Step], list[Problem]]:
    if disk is None:
        return {}, [], [Problem(name, "is missing; no block device of that name is on this host, so correct the name or attach the disk")]
    ours = {partition.label: partition for partition in disk.partitions}
    labels = [partition_label(entry.name) for entry in entries]
    every_label = {partition_label(purpose) for purpose in layouts.PURPOSES}
    is_ours = disk.table == "gpt" and ((bool(disk.partitions) and set(ours) <= every_label) or (not disk.partitions and disk.path in host.claims))
    steps: list[Step] = []
    if disk.is_partition:
        return {}, [], [Problem(name, "is a partition, not a disk; name the whole disk, or choose the backend existing for a filesystem that is already there")]
    if disk.path.startswith("/dev/dm-"):
        return {}, [], [Problem(name, "is a device of the device mapper; make a filesystem on it and choose the backend existing")]
    if disk.read_only:
        return {}, [], [Problem(name, "is read-only; name a disk that can be written")]
    if not is_ours:
        refusal = _refuse_foreign(disk, name, _may_wipe(disk.path, name, wipe, host))
        if refusal:
            return {}, [], [refusal]
        if disk.signatures or not disk.blank:
            steps.append(Step("wipe", f"destroy the content of {disk.path}, as docker_storage_wipe allows", disk.path))
            ours = {}
    partitions, problems = _divide(entries, disk, name, ours if is_ours else {})
    if problems:
        return {}, [], problems
    sources: dict[str, _Source] = {}
    for entry, label in zip(entries, labels):
        partition = partitions[label]
        existing = ours.get(label)
        if existing is None:
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
        formatted = existing is not None and bool(existing.signature) and existing.path not in host.claims
        if formatted and existing is not None and existing.signature != entry.fstype:
            problems.append(
                Problem(
                    existing.path,
                    f"holds {existing.signature} for {entry.name}, but the layout asks for {entry.fstype}; "
                    f"keep fstype {existing.signature}, because formatting would destroy what is there",
                )
            )
            continue
        if not formatted:
            steps.append(Step("format", f"format {partition.path} with {entry.fstype}", partition.path, {"fstype": entry.fstype}))
        sources[entry.name] = _Source(partition.path, formatted, existing.uuid if formatted and existing is not None else "")
    return sources, steps, problems


def _may_wipe(path: str, name: str, wipe: t.Collection[str], host: HostStorage) -> bool:
    return bool({path, name} & {*wipe, *(_resolved(device, host) for device in wipe)})


def _refuse_foreign(disk: Device, name: str, may_wipe: bool) -> Problem | None:
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


def _divide(entries: t.Sequence[layouts.Entry], disk: Device, name: str, ours: t.Mapping[str, Partition]) -> tuple[dict[str, Partition], list[Problem]]:
    """Give each entry its partition: the one it has, or one in the space after the last."""
    usable = disk.size // MIB * MIB - 2 * _TABLE_RESERVE
    result: dict[str, Partition] = {}
    problems: list[Problem] = []
    end = max((partition.start + partition.size for partition in ours.values()), default=_TABLE_RESERVE)
    start = -(-end // MIB) * MIB
    left = disk.size // MIB * MIB - _TABLE_RESERVE - start
    missing = []
    for entry in entries:
        existing = ours.get(partition_label(entry.name))
        if existing is None:
            missing.append(entry)
            continue
        result[partition_label(entry.name)] = existing
        if isinstance(entry.size, int) and abs(entry.size - existing.size) >= MIB:
            way = "growing it is not supported yet" if entry.size > existing.size else "shrinking it would destroy data"
            problems.append(
                Problem(
                    existing.path,
                    f"has {format_size(existing.size)} for {entry.name}, but the layout asks for {format_size(entry.size)}; {way}, so state the size it has",
                )
            )
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


def _plan_existing(entry: layouts.Entry, host: HostStorage) -> tuple[_Source | None, list[Problem]]:
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
    return _Source(device.path, True, device.uuid), []


def _plan_loop(entry: layouts.Entry, host: HostStorage, wipe: t.Collection[str]) -> tuple[_Source | None, list[Step], list[Problem], int]:
    image = host.images[entry.device]
    size = entry.size if isinstance(entry.size, int) else layouts.DEFAULT_LOOP_SIZE
    formatted = bool(image.filesystem) and image.path not in host.claims
    if formatted and image.filesystem != entry.fstype:
        problem = Problem(
            image.path,
            f"holds {image.filesystem} for {entry.name}, but the layout asks for {entry.fstype}; "
            f"keep fstype {image.filesystem}, because formatting would destroy what is there",
        )
        return None, [], [problem], 0
    if formatted:
        if image.size != size:
            way = "growing it is not supported yet" if size > image.size else "shrinking it would destroy data"
            problem = Problem(
                image.path, f"has {format_size(image.size)} for {entry.name}, but the layout asks for {format_size(size)}; {way}, so state the size it has"
            )
            return None, [], [problem], 0
        return _Source(image.path, True, image.uuid), [], [], 0
    if image.size and not image.blank and image.path not in host.claims and image.path not in wipe:
        return None, [], [Problem(image.path, "holds data that is no filesystem; move it away, or name it in docker_storage_wipe if it may be destroyed")], 0
    steps = [
        Step("allocate", f"allocate {image.path} with {format_size(size)}", image.path, {"size": size}),
        Step("format", f"format {image.path} with {entry.fstype}", image.path, {"fstype": entry.fstype}),
    ]
    return _Source(image.path, False), steps, [], max(size - image.size, 0)


def _mounted_at(mount_point: str, host: HostStorage) -> Mount | None:
    # The last one hides the others.
    return next((mount for mount in reversed(list(host.mounts)) if mount.target == mount_point), None)


def _is_mount_of(mount: Mount, source: _Source) -> bool:
    return bool(source.uuid) and mount.uuid == source.uuid


def _mount_point_problems(entry: layouts.Entry, mount_point: str, source: _Source | None, host: HostStorage) -> list[Problem]:
    link = host.links.get(mount_point)
    if link:
        return [
            Problem(
                mount_point,
                f"passes through the symbolic link {link}; dockerd and mount(8) would disagree about the place, so name the real directory as data-root",
            )
        ]
    mounted = _mounted_at(mount_point, host)
    if mounted is not None:
        if source is None or _is_mount_of(mounted, source):
            return []
        return [
            Problem(
                mount_point,
                f"has {mounted.source} ({mounted.fstype}) mounted on it, which is not the filesystem of the layout; "
                "unmount it, or describe it with the backend existing",
            )
        ]
    problems = []
    if source is not None:
        for mount in host.mounts:
            if _is_mount_of(mount, source):
                problems.append(
                    Problem(
                        entry.device,
                        f"is mounted on {mount.target}, but the layout wants it on {mount_point}; "
                        "moving a filesystem with data is not supported yet, so unmount it or restore the earlier setting",
                    )
                )
                break
        device = host.devices.get(entry.device)
        line = _fstab_line(mount_point, host)
        if entry.backend == "existing" and device is not None and not problems:
            adopted = line is not None and line.source == f"UUID={source.uuid}"
            if device.used_by:
                problems.append(Problem(entry.device, f"is in use ({', '.join(device.used_by)}); name another device, or take this one out of use first"))
            elif device.content and not adopted:
                problems.append(
                    Problem(
                        entry.device,
                        f"is not empty ({', '.join(list(device.content)[:3])}{' …' if len(device.content) > 3 else ''}); "
                        "name an empty filesystem, because what is there would become Docker's",
                    )
                )
        if line is not None and source.exists and line.source not in (f"UUID={source.uuid}", source.device):
            problems.append(
                Problem("/etc/fstab", f"already mounts {line.source} on {mount_point}; remove that line, or describe that filesystem with the backend existing")
            )
        if line is not None and not source.exists:
            problems.append(
                Problem(
                    "/etc/fstab",
                    f"already mounts {line.source} on {mount_point}, but that filesystem is not there and a new one would take its place; "
                    "attach the disk, or remove the line if its data is given up",
                )
            )
        for other in host.fstab:
            if source.exists and other.source in (f"UUID={source.uuid}", source.device) and other.target != mount_point:
                problems.append(
                    Problem(
                        "/etc/fstab",
                        f"mounts {other.source} on {other.target}, but the layout wants it on {mount_point}; "
                        "moving a filesystem with data is not supported yet, so restore the earlier setting",
                    )
                )
    hidden = list(host.bare.get(mount_point, ()))
    told_anyway = not (source is not None and source.exists) and any(_within(mount_point, stored.root) for stored in host.data)
    if hidden and not told_anyway:
        problems.append(
            Problem(
                mount_point,
                f"holds data without being a mount point ({', '.join(hidden[:3])}{' …' if len(hidden) > 3 else ''}), which a mount would hide; "
                "move it away first",
            )
        )
    return problems


def _fstab_line(mount_point: str, host: HostStorage) -> FstabLine | None:
    return next((line for line in reversed(list(host.fstab)) if line.target == mount_point), None)


def _target(entry: layouts.Entry, where: layouts.Place, source: _Source, host: HostStorage) -> Target:
    fstab_source = source.device if entry.backend == "loop" else (f"UUID={source.uuid}" if source.uuid else "")
    mounted = _mounted_at(where.mount_point, host)
    line = _fstab_line(where.mount_point, host)
    return Target(
        name=entry.name,
        device=source.device,
        mount_point=where.mount_point,
        fstype=entry.fstype,
        options=entry.mount_options,
        mode=where.mode,
        gid=where.gid,
        source=fstab_source,
        uuid=source.uuid,
        mounted=mounted is not None and _is_mount_of(mounted, source),
        in_fstab=line is not None and (line.source, line.fstype, line.options) == (fstab_source, entry.fstype, ",".join(entry.mount_options)),
    )


def _data_problems(entries: t.Sequence[layouts.Entry], sources: t.Mapping[str, _Source], host: HostStorage, root: str, data_root: str) -> list[Problem]:
    problems = []
    configured = host.configured_data_root
    if configured and configured.rstrip("/") != data_root.rstrip("/") and any(_within(stored.root, configured) for stored in host.data):
        problems.append(
            Problem(
                "daemon.json",
                f"keeps Docker's data in {configured}, but {data_root} is asked for; "
                f"moving existing data is not supported yet, so set the data-root to {configured}",
            )
        )
        return problems
    adopts_new = any(entry.name not in sources or not _is_at_home(entry, sources[entry.name], host, root) for entry in entries)
    if not adopts_new:
        return problems
    for stored in host.data:
        problems.append(
            Problem(
                stored.root,
                f"holds {stored.description} already, which new filesystems or another effective root ({root}) would hide; "
                "moving existing data is not supported yet, so remove the data, or leave this host's layout as it is",
            )
        )
    return problems


def _is_at_home(entry: layouts.Entry, source: _Source, host: HostStorage, root: str) -> bool:
    """Tell whether the filesystem was given its place by an earlier run, mounted now or not."""
    if not source.exists:
        return False
    if entry.backend != "existing":
        return True
    return any(line.source == f"UUID={source.uuid}" for line in host.fstab) or any(_is_mount_of(mount, source) for mount in host.mounts)


def _within(path: str, root: str) -> bool:
    return path == root.rstrip("/") or path.startswith(root.rstrip("/") + "/")
