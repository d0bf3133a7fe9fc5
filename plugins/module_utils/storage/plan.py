# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""From a layout and what the host has to an ordered plan of steps, or to the reasons why there can be none.

PRIVATE to the collection: no stability is promised to other users.

The rule that everything here serves: nothing is formatted, mounted over or moved unless it is known to be empty or to
have been made by an earlier run for this very purpose. Our mark is the GPT name of a partition and the path of an image.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_ranges import Mapping, effective_root
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import format_size
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import backends, growing, logical_volumes, move
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import layout as layouts
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.backends import Source, Step
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.facts import FstabLine, HostStorage, Mount

# What a loop image must leave on the filesystem that holds it.
LOOP_RESERVE = layouts.GIB
_LAST = {backends.ENLARGE: 1, backends.GROW: 2}


@dataclasses.dataclass(frozen=True)
class Target:
    """A filesystem where it belongs.

    Attributes:
        device: what holds the filesystem.
        source: what fstab names: UUID=… or the path of a loop image; empty until the filesystem exists.
        mounted: whether it is mounted at its place now.
        mounted_from: the device it is mounted from, which for a loop image is the loop device.
        in_fstab: whether fstab has exactly this line.
        moves: whether what lies in the directory is moved to the filesystem before that takes its place.
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
    mounted_from: str = ""
    in_fstab: bool = False
    moves: bool = False


@dataclasses.dataclass(frozen=True)
class Movable:
    """Existing data that may be moved.

    Attributes:
        root: the effective root in which the daemon keeps it now.
        filling: the effective root that an unfinished move copies to, or nothing.
        filesystems: UUIDs of those that an unfinished move fills.
    """

    root: str
    filling: str = ""
    filesystems: t.Collection[str] = ()


@dataclasses.dataclass(frozen=True)
class StoragePlan:
    """The whole plan; with problems there are no steps.

    Attributes:
        notes: what is not as the layout has it, and does no harm.
        sizes: by mount point, the bytes that a filesystem has or is going to have, where it is not mounted yet.
    """

    effective_root: str
    targets: tuple[Target, ...] = ()
    steps: tuple[Step, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    sizes: t.Mapping[str, int] = dataclasses.field(default_factory=dict)


def compute(
    entries: t.Sequence[layouts.Entry],
    host: HostStorage,
    data_root: str,
    mapping: Mapping | None,
    wipe: t.Collection[str] = (),
    movable: Movable | None = None,
) -> StoragePlan:
    """Compute the plan.

    Args:
        entries: the layout, parents before children (see layout.parse).
        host: what the host has now.
        data_root: dockerd's data-root.
        mapping: the id mapping of userns-remap, None without it.
        wipe: devices whose content may be destroyed, by any of their names.
        movable: existing data that may be moved; without it, data in the way is a problem.
    """
    root = effective_root(data_root, mapping)
    if movable is not None:
        host = _without_staged(host)
    problems = backends.shared_devices(entries, host)
    steps: list[Step] = []
    targets: list[Target] = []
    by_disk: dict[str, list[layouts.Entry]] = {}
    for entry in entries:
        if entry.backend == "partition":
            by_disk.setdefault(backends.resolved(entry.device, host), []).append(entry)
    sources: dict[str, Source] = {}
    notes: list[Problem] = []
    for on_disk in by_disk.values():
        notes += backends.held_back(on_disk, host.devices.get(on_disk[0].device))
        found, disk_steps, disk_problems = backends.on_disk(on_disk, host.devices.get(on_disk[0].device), on_disk[0].device, wipe, host)
        sources.update(found)
        steps += disk_steps
        problems += disk_problems
    by_group: dict[str, list[layouts.Entry]] = {}
    for entry in entries:
        if entry.backend == "lvm":
            by_group.setdefault(entry.group, []).append(entry)
    for in_group in by_group.values():
        found, group_steps, group_problems = logical_volumes.in_group(in_group, wipe, host)
        sources.update(found)
        steps += group_steps
        problems += group_problems
    loop_steps: list[Step] = []
    loop_total = 0
    for entry in entries:
        if entry.backend == "existing":
            source, entry_problems = backends.as_it_is(entry, host)
            problems += entry_problems
            if source:
                sources[entry.name] = source
        elif entry.backend == "loop":
            source, entry_steps, entry_problems, allocated = backends.in_image(entry, host, wipe)
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
        moved = movable is not None and _is_moved(entry, where.mount_point, host, root, movable)
        being_filled = movable is not None and entry.name in sources and sources[entry.name].uuid in movable.filesystems
        problems += _mount_point_problems(entry, where.mount_point, sources.get(entry.name), host, moved, being_filled)
        if entry.name in sources:
            target = dataclasses.replace(_target(entry, where, sources[entry.name], host), moves=moved)
            targets.append(target)
            if moved:
                steps.append(Step("move", f"move what lies in {target.mount_point} to {target.device}", target.device))
            if not target.in_fstab:
                steps.append(Step("fstab", f"write {target.source or 'the UUID that formatting gives'} on {target.mount_point} into /etc/fstab"))
            if not target.mounted:
                steps.append(Step("mount", f"mount {target.device} ({target.fstype}) on {target.mount_point}", target.device))
            grow_steps, grow_problems = growing.filesystem(entry, sources[entry.name], where.mount_point, host)
            steps += grow_steps
            problems += grow_problems
            problems += growing.quota(entry, sources[entry.name], where.mount_point, host)
    left_out = _left_out(entries, host, data_root, mapping)
    if movable is None:
        problems += left_out
        problems += _data_problems(entries, sources, host, root, data_root)
    else:
        # The guards of the old root stay until the move is finished.
        problems += [problem for problem in left_out if movable.root == root or not _within(problem.where, movable.root)]
        problems += _unmovable(entries, host, root, data_root, movable)
    if problems:
        return StoragePlan(root, problems=tuple(problems))
    # Only what is mounted grows, so that comes after everything else.
    steps.sort(key=lambda step: _LAST.get(step.action, 0))
    return StoragePlan(root, tuple(targets), tuple(steps), notes=tuple(notes), sizes=_sizes(targets, steps, host))


def _is_moved(entry: layouts.Entry, mount_point: str, host: HostStorage, root: str, movable: Movable) -> bool:
    """Tell whether a directory of the daemon's root is in use and is to become a mount point."""
    if movable.root != root or _mounted_at(mount_point, host) is not None:
        return False
    if entry.name == "data-root":
        return any(_within(stored.root, mount_point) for stored in host.data)
    return _within(mount_point, root) and bool(host.bare.get(mount_point))


def _without_staged(host: HostStorage) -> HostStorage:
    """Leave out what a move that was killed has mounted for itself, which it unmounts when it goes on."""
    staged = f" is mounted on {move.STAGING}/"
    return dataclasses.replace(
        host,
        mounts=[mount for mount in host.mounts if not mount.target.startswith(f"{move.STAGING}/")],
        devices={
            name: device and dataclasses.replace(device, used_by=tuple(user for user in device.used_by if staged not in user))
            for name, device in host.devices.items()
        },
    )


def _unmovable(entries: t.Sequence[layouts.Entry], host: HostStorage, root: str, data_root: str, movable: Movable) -> list[Problem]:
    problems = []
    for stored in host.data:
        if stored.root == root and root not in (movable.root, movable.filling):
            problems.append(
                Problem(
                    stored.root,
                    f"holds {stored.description}, which nobody uses and which what lies in {movable.root} would replace; remove it first; where an "
                    "earlier move has left it, by docker_storage_old_data: remove in a run with the settings as they are now",
                )
            )
        elif stored.in_containerd:
            problems.append(Problem(stored.root, f"holds {stored.description}, which cannot be moved; leave containerd out of the layout"))
    new_top = any(entry.name == "data-root" for entry in entries) and _mounted_at(data_root, host) is None
    if new_top and movable.root != root and _within(movable.root, data_root):
        problems.append(
            Problem(
                data_root,
                f"would be hidden by its new filesystem while {movable.root} in it is still in use; move to the filesystem first, "
                "and to other ids in a second run",
            )
        )
    return problems


def _sizes(targets: t.Sequence[Target], steps: t.Sequence[Step], host: HostStorage) -> dict[str, int]:
    known = {device.path: device.size for device in host.devices.values() if device is not None}
    known.update({partition.path: partition.size for device in host.devices.values() if device is not None for partition in device.partitions})
    known.update({image.path: image.size for image in host.images.values()})
    for step in steps:
        if step.action == "partition":
            known[str(step.arguments["path"])] = (int(step.arguments["end"]) - int(step.arguments["start"])) * layouts.MIB
        elif step.action in ("allocate", "volume"):
            known[step.device] = int(step.arguments["size"])
    # What a new filesystem takes for itself: at most 64 MiB of log and inodes, or a fiftieth.
    return {target.mount_point: max(0, int(known[target.device] * 0.96)) for target in targets if not target.mounted and target.device in known}


def _left_out(entries: t.Sequence[layouts.Entry], host: HostStorage, data_root: str, mapping: Mapping | None) -> list[Problem]:
    """A filesystem that was guarded and is still in use must not lose its guard by leaving the layout."""
    wanted = {layouts.place(entry.name, data_root, mapping).mount_point for entry in entries}
    return [
        Problem(
            path,
            "is guarded as one of Docker's filesystems, but the layout no longer names it, and Docker would then start without it; "
            "keep its entry, or unmount it and remove its line from /etc/fstab first",
        )
        for path in host.guarded
        if path not in wanted and (_mounted_at(path, host) is not None or _fstab_line(path, host) is not None)
    ]


def _mounted_at(mount_point: str, host: HostStorage) -> Mount | None:
    # The last one hides the others.
    return next((mount for mount in reversed(list(host.mounts)) if mount.target == mount_point), None)


def _is_mount_of(mount: Mount, source: Source) -> bool:
    return bool(source.uuid) and mount.uuid == source.uuid


def _mount_point_problems(
    entry: layouts.Entry, mount_point: str, source: Source | None, host: HostStorage, moved: bool = False, being_filled: bool = False
) -> list[Problem]:
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
    line = _fstab_line(mount_point, host)
    # Where nothing could be planned on a disk, that may be another one than before.
    if line is not None and not (source.exists if source is not None else line.source in _filesystems(host)):
        problems.append(
            Problem(
                "/etc/fstab",
                f"already mounts {line.source} on {mount_point}, but that filesystem is not there and a new one would take its place; "
                "attach the disk, or remove the line if its data is given up",
            )
        )
    if source is not None:
        for mount in host.mounts:
            if _is_mount_of(mount, source):
                problems.append(
                    Problem(
                        entry.where,
                        f"is mounted on {mount.target}, but the layout wants it on {mount_point}; "
                        "data is copied to another filesystem and never moved with its own, so give the new place another disk or loop directory, "
                        "or restore the earlier setting",
                    )
                )
                break
        device = host.devices.get(entry.device)
        if entry.backend == "existing" and device is not None and not problems:
            adopted = line is not None and line.source == f"UUID={source.uuid}"
            if device.used_by:
                problems.append(Problem(entry.device, f"is in use ({', '.join(device.used_by)}); name another device, or take this one out of use first"))
            elif device.content and not adopted and not being_filled:
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
        for other in host.fstab:
            if source.exists and other.source in (f"UUID={source.uuid}", source.device) and other.target != mount_point:
                problems.append(
                    Problem(
                        "/etc/fstab",
                        f"mounts {other.source} on {other.target}, but the layout wants it on {mount_point}; "
                        "data is copied to another filesystem and never moved with its own, so give the new place another disk or loop directory, "
                        "or restore the earlier setting",
                    )
                )
    hidden = list(host.bare.get(mount_point, ()))
    told_anyway = not (source is not None and source.exists) and any(_within(mount_point, stored.root) for stored in host.data)
    if hidden and not told_anyway and not moved:
        problems.append(
            Problem(
                mount_point,
                f"holds data without being a mount point ({', '.join(hidden[:3])}{' …' if len(hidden) > 3 else ''}), which a mount would hide; "
                "move it away first",
            )
        )
    return problems


def _filesystems(host: HostStorage) -> set[str]:
    """Return the filesystems that were seen, as fstab names them."""
    devices = [device for device in host.devices.values() if device is not None]
    partitions = [partition for device in devices for partition in device.partitions]
    volumes = [volume for group in host.volume_groups.values() for volume in group.volumes]
    seen = [(one.uuid, one.path) for ones in (devices, partitions, volumes, host.images.values()) for one in ones]
    return {name for uuid, path in seen for name in (f"UUID={uuid}", path)}


def _fstab_line(mount_point: str, host: HostStorage) -> FstabLine | None:
    return next((line for line in reversed(list(host.fstab)) if line.target == mount_point), None)


def _target(entry: layouts.Entry, where: layouts.Place, source: Source, host: HostStorage) -> Target:
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
        mounted_from=mounted.source if mounted is not None and _is_mount_of(mounted, source) else "",
        in_fstab=line is not None and (line.source, line.fstype, line.options) == (fstab_source, entry.fstype, ",".join(entry.mount_options)),
    )


def _data_problems(entries: t.Sequence[layouts.Entry], sources: t.Mapping[str, Source], host: HostStorage, root: str, data_root: str) -> list[Problem]:
    problems = []
    configured = host.configured_data_root
    if configured and configured.rstrip("/") != data_root.rstrip("/") and any(_within(stored.root, configured) for stored in host.data):
        problems.append(
            Problem(
                "daemon.json",
                f"keeps Docker's data in {configured}, but {data_root} is asked for; "
                f"set docker_storage_existing_data to move it, or the data-root to {configured}",
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
                "set docker_storage_existing_data to move it, remove it, or leave this host's layout as it is",
            )
        )
    return problems


def _is_at_home(entry: layouts.Entry, source: Source, host: HostStorage, root: str) -> bool:
    """Tell whether the filesystem was given its place by an earlier run, mounted now or not."""
    if not source.exists:
        return False
    if entry.backend != "existing":
        return True
    return any(line.source == f"UUID={source.uuid}" for line in host.fstab) or any(_is_mount_of(mount, source) for mount in host.mounts)


def _within(path: str, root: str) -> bool:
    return path == root.rstrip("/") or path.startswith(root.rstrip("/") + "/")
