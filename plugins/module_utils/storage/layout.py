# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What the layout of filesystems asks for: reading it, and where each filesystem belongs.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_ranges import Mapping, effective_root
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import parse_size

MIB = 1024**2
GIB = 1024**3
BACKENDS = ("partition", "lvm", "existing", "loop")
FSTYPES = ("xfs", "ext4")
# mkfs.xfs refuses less than 300 MiB; less than that makes no sense for Docker on ext4 either.
SMALLEST_FILESYSTEM = 300 * MIB
DEFAULT_LOOP_SIZE = 10 * GIB
# Units, fstab and mount(8) must all read the path as it is written.
PLAIN_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._+@:,-]+)+/?")
# lvm(8); a dot in front would hide the group's directory in /dev.
VOLUME_GROUP = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9_+.-]{0,99}")
DEFAULT_VOLUME_GROUP = "bulkhead"
# The same option by its two names; the kernel shows the second (xfs(5)).
QUOTA_OPTIONS = ("pquota", "prjquota")
# Where Docker itself sets quotas: moby daemon/graphdriver/overlay2 and daemon/volume/local, or both in the data-root.
WITH_QUOTA = ("overlay2", "volumes", "data-root")
# The boot goes on without the disk; the guards of the units then keep Docker from starting (systemd.mount(5)).
BOOT_OPTIONS = ("nofail", "x-systemd.device-timeout=30s")


@dataclasses.dataclass(frozen=True)
class Purpose:
    """A directory of Docker that may have a filesystem of its own.

    Attributes:
        below_effective_root: whether it moves with the id range of userns-remap.
        directory: below that root; for the others an absolute path or, for the data-root, nothing.
        mode: what the engine itself gives the directory at every start; None leaves it as it is.
        group_is_remapped: whether its group is the host's gid of a container's root.
        options: mount options where the layout names none.

    Sources of modes and owners: moby daemon/daemon_unix.go setupDaemonRoot, daemon/daemon.go NewDaemon,
    daemon/graphdriver/overlay2/overlay.go Init, daemon/volume/local/local.go New (20.10.9 and later).
    """

    below_effective_root: bool
    directory: str
    mode: int | None
    group_is_remapped: bool
    options: tuple[str, ...]


# nosuid and nodev have no effect on a container's root filesystem, because overlay mounts carry their own flags;
# nodev would only cost the quotas there. On volumes, which are bind mounts, both hold.
PURPOSES: dict[str, Purpose] = {
    "data-root": Purpose(False, "", 0o710, True, ("noatime",)),
    "containerd": Purpose(False, "/var/lib/containerd", None, False, ("noatime",)),
    "overlay2": Purpose(True, "overlay2", 0o710, True, ("noatime",)),
    "volumes": Purpose(True, "volumes", 0o701, False, ("noatime", "nodev", "nosuid")),
    "containers": Purpose(True, "containers", 0o710, True, ("noatime", "nodev", "nosuid")),
}


@dataclasses.dataclass(frozen=True)
class Entry:
    """One filesystem of the layout, with every default filled in.

    Attributes:
        device: the disk of a partition, the block device of an existing filesystem, the file of a loop image, or the disk
            that a volume group is made on; nothing for a group that is there.
        size: in bytes; or a share of the disk or group (0 < share <= 1); or None for what is left there.
        group: of a logical volume, the name of its volume group.
    """

    name: str
    backend: str
    device: str
    size: int | float | None
    fstype: str
    options: tuple[str, ...]
    group: str = ""

    @property
    def where(self) -> str:
        """What a sentence about the place of the filesystem begins with."""
        return self.device or f"volume group {self.group}"

    @property
    def quota(self) -> bool:
        """Whether the filesystem is to keep project quotas."""
        return any(option in QUOTA_OPTIONS for option in self.options)

    @property
    def mount_options(self) -> tuple[str, ...]:
        """All options that the line in fstab carries."""
        loop = ("loop",) if self.backend == "loop" else ()
        return (*loop, *self.options, *(option for option in BOOT_OPTIONS if option not in self.options))


@dataclasses.dataclass(frozen=True)
class Place:
    """Where an entry is mounted, and with which mode and owner at its top."""

    mount_point: str
    mode: int | None
    gid: int


def parse(raw: t.Sequence[t.Mapping[str, t.Any]], disk: str, loop_directory: str, default_fstype: str) -> tuple[list[Entry], list[Problem]]:
    """Read the layout as given by the user.

    Args:
        raw: the entries; only ``name`` is required.
        disk: the disk for entries that name neither a backend nor a device; empty makes them loop images.
        loop_directory: where loop images lie.
        default_fstype: for entries that name none.

    Returns:
        The entries, parents before children, and every problem found.
    """
    entries: list[Entry] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for number, item in enumerate(raw, start=1):
        where = f"layout entry {number} ({item.get('name', 'without a name')})"
        name = item.get("name")
        if name not in PURPOSES:
            problems.append(Problem(where, f"'{name}' is no directory of Docker that can have a filesystem; choose one of {', '.join(PURPOSES)}"))
            continue
        if name in seen:
            problems.append(Problem(where, "is named twice; keep one of the entries"))
            continue
        seen.add(name)
        entry, found = _parse_entry(where, item, disk, loop_directory, default_fstype)
        problems += found
        if entry is not None:
            entries.append(entry)
    entries.sort(key=lambda entry: list(PURPOSES).index(entry.name))
    return entries, problems


def _parse_entry(where: str, item: t.Mapping[str, t.Any], disk: str, loop_directory: str, default_fstype: str) -> tuple[Entry | None, list[Problem]]:
    problems: list[Problem] = []
    name = item["name"]
    unknown = sorted(set(item) - {"name", "backend", "device", "group", "size", "fstype", "options", "quota"})
    if unknown:
        problems.append(
            Problem(where, f"has the unknown key {', '.join(unknown)}; an entry has name, backend, device, group, size, fstype, options and quota")
        )
    backend = item.get("backend") or ("lvm" if item.get("group") else "partition" if item.get("device") or disk else "loop")
    if backend not in BACKENDS:
        problems.append(Problem(where, f"asks for backend '{backend}'; choose one of {', '.join(BACKENDS)}"))
        return None, problems
    group = ""
    if backend == "lvm":
        # A group that is named without a device is there already, whatever the disk of the other entries is.
        group = item.get("group") or DEFAULT_VOLUME_GROUP
        if not VOLUME_GROUP.fullmatch(group):
            problems.append(Problem(where, f"names the volume group '{group}'; write a name of letters, digits and + _ . - that begins with none of . and -"))
    elif item.get("group"):
        problems.append(Problem(where, f"names a volume group, but its backend is {backend}; remove the group, or choose the backend lvm"))
    device = item.get("device") or (disk if backend == "partition" or (backend == "lvm" and not item.get("group")) else "")
    if backend == "loop":
        if item.get("device"):
            problems.append(Problem(where, "names a device, but a loop image lies in the loop directory; remove the device or choose the backend partition"))
        device = f"{loop_directory.rstrip('/')}/{name}.img"
    elif not device and backend == "lvm":
        if not item.get("group"):
            problems.append(Problem(where, "names neither a device nor a group; name the volume group that is there, or the blank disk that one is made on"))
    elif not device:
        problems.append(Problem(where, f"names no device; backend {backend} needs one, such as /dev/disk/by-id/…"))
    elif not device.startswith("/dev/"):
        problems.append(Problem(where, f"names the device '{device}'; write an absolute path below /dev"))
    fstype = item.get("fstype") or default_fstype
    if fstype not in FSTYPES:
        problems.append(Problem(where, f"asks for {fstype}; overlay2 and quotas are supported on {' and '.join(FSTYPES)}"))
    size, size_problem = _parse_size(item.get("size"), backend)
    if size_problem:
        problems.append(Problem(where, size_problem))
    asked = item.get("options")
    options = tuple(PURPOSES[name].options if asked is None else asked)
    quota, quota_problems = _parse_quota(where, item, fstype, options)
    problems += quota_problems
    if quota:
        # Docker sets quotas through a device node in the filesystem, which nodev forbids.
        kept = options if asked is not None else tuple(option for option in options if option != "nodev")
        options = kept if any(option in QUOTA_OPTIONS for option in kept) else (*kept, QUOTA_OPTIONS[0])
    for option in options:
        if not option or any(character in option for character in ", \t\n#\\\"'"):
            problems.append(Problem(where, f"has the mount option {option!r}; give each option as one list element without blanks or commas"))
    if "noauto" in options:
        problems.append(
            Problem(where, "has the mount option noauto, with which systemd's RequiresMountsFor ignores the mount and Docker would start without it; remove it")
        )
    if "ro" in options:
        problems.append(Problem(where, "has the mount option ro; Docker must be able to write there, so remove it"))
    if problems:
        return None, problems
    return Entry(name, backend, device, size, fstype, options, group), []


def _parse_quota(where: str, item: t.Mapping[str, t.Any], fstype: str, options: t.Sequence[str]) -> tuple[bool, list[Problem]]:
    asked = item.get("quota", False)
    if not isinstance(asked, bool):
        return False, [Problem(where, f"has quota: {asked!r}; write true or false")]
    if not asked:
        return False, []
    problems = []
    if fstype != "xfs":
        problems.append(Problem(where, f"asks for a quota on {fstype}, but Docker has quotas on xfs only; write fstype: xfs, or remove quota"))
    if item["name"] not in WITH_QUOTA:
        problems.append(Problem(where, f"asks for a quota, but Docker sets none there; only {', '.join(WITH_QUOTA)} can have one, so remove quota"))
    if item.get("options") is not None and "nodev" in options:
        problems.append(Problem(where, "has the mount option nodev beside quota; Docker sets quotas through a device node, so remove one of them"))
    if "noquota" in options:
        problems.append(Problem(where, "has the mount option noquota beside quota; remove one of them"))
    return True, problems


def _parse_size(value: t.Any, backend: str) -> tuple[int | float | None, str | None]:
    if backend == "existing":
        return (None, None) if value in (None, "") else (None, "has a size, but an existing filesystem keeps its own; remove the size")
    if value in (None, "", "rest"):
        if backend == "loop":
            return (DEFAULT_LOOP_SIZE, None) if value != "rest" else (None, "has the size 'rest'; a loop image needs a size of its own, such as 20GiB")
        return None, None
    text = str(value).strip()
    if text.endswith("%"):
        if backend == "loop":
            return None, "has a size in percent; a loop image needs a size of its own, such as 20GiB"
        number = text[:-1].strip()
        if not number.isdigit() or not 0 < int(number) <= 100:
            return None, f"has the size '{text}'; a share of the disk is a whole number from 1% to 100%"
        return int(number) / 100, None
    try:
        size = parse_size(value)
    except ValueError as error:
        return None, f"has a wrong size: {error}"
    if size < SMALLEST_FILESYSTEM:
        return None, f"has the size '{value}', which is too small; give it at least {SMALLEST_FILESYSTEM // MIB} MiB"
    return size // MIB * MIB, None


def place(name: str, data_root: str, mapping: Mapping | None) -> Place:
    """Return where a filesystem of the layout is mounted, and with which mode and group, for a data-root and id mapping."""
    purpose = PURPOSES[name]
    if purpose.below_effective_root:
        mount_point = f"{effective_root(data_root, mapping).rstrip('/')}/{purpose.directory}"
    else:
        mount_point = purpose.directory or effective_root(data_root, None)
    gid = mapping.root_gid if mapping is not None and purpose.group_is_remapped else 0
    return Place(mount_point, purpose.mode, gid)
