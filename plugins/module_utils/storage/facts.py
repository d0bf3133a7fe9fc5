# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What the planner knows of a host's disks, mounts and data: plain values, filled by module_utils/host.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True)
class Partition:
    """A partition as the kernel and a probe of its content show it.

    Attributes:
        start, size: in bytes.
        label: the GPT name.
        signature: what blkid finds in it.
        blank: whether its first and last MiB hold only zero bytes.
        content: names in the top directory of its filesystem, looked up only where an interrupted run was still making it.
    """

    path: str
    number: int
    start: int
    size: int
    label: str = ""
    signature: str = ""
    uuid: str = ""
    blank: bool = True
    content: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class LogicalVolume:
    """A logical volume; what lies in it is looked up only for those of this role.

    Attributes:
        kind: nothing for one that lies plainly in its group, else in words what it is.
        active: whether the kernel has it, so that it has a device node.
        signature, uuid, blank, content: as of a partition.
    """

    name: str
    path: str
    size: int
    kind: str = ""
    active: bool = True
    signature: str = ""
    uuid: str = ""
    blank: bool = True
    content: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class PhysicalVolume:
    """A device of a volume group; start is where its first extent lies, size what its extents hold together, in bytes."""

    path: str
    start: int
    size: int


@dataclasses.dataclass(frozen=True)
class VolumeGroup:
    """A volume group as lvm(8) reports it.

    Attributes:
        extent: the size of an extent; size, free: of all extents and of those that nobody has, in bytes.
        unfit: in words why nothing may be made or changed in it now; nothing where it may.
    """

    name: str
    extent: int
    size: int
    free: int
    devices: tuple[PhysicalVolume, ...] = ()
    volumes: tuple[LogicalVolume, ...] = ()
    unfit: str = ""


@dataclasses.dataclass(frozen=True)
class Device:
    """A block device as the kernel and a probe of its content show it.

    Attributes:
        path: the kernel's own path (links such as /dev/disk/by-id are resolved).
        size: in bytes.
        parent: of a partition, the path of its disk.
        signatures: every signature that wipefs finds on the whole device.
        table: ``gpt``, ``dos`` or nothing.
        used_by: in words, everything that uses the device or one of its partitions: mounts, swap, mappings, arrays.
        blank: whether the first and the last MiB hold only zero bytes.
        filesystem, uuid: what blkid finds on the whole device.
        content: names in the top directory of its filesystem, looked up only for devices offered as existing.
        ftype: whether an XFS was made with ftype=1; None where that was not looked up.
        table_at_end: whether the copy of a GPT lies at the end of the disk; not so where the disk has grown since.
    """

    path: str
    size: int
    is_partition: bool = False
    parent: str = ""
    read_only: bool = False
    signatures: tuple[str, ...] = ()
    table: str = ""
    partitions: tuple[Partition, ...] = ()
    used_by: tuple[str, ...] = ()
    blank: bool = True
    filesystem: str = ""
    uuid: str = ""
    content: tuple[str, ...] = ()
    ftype: bool | None = None
    table_at_end: bool = True


@dataclasses.dataclass(frozen=True)
class Image:
    """A loop image; size is 0 where the file does not exist."""

    path: str
    size: int = 0
    filesystem: str = ""
    uuid: str = ""
    blank: bool = True


@dataclasses.dataclass(frozen=True)
class Mount:
    """A mount that exists now, with the UUID of the filesystem as read from its device.

    Attributes:
        size: of the device, in bytes; 0 where that is not known.
        quota: whether the filesystem keeps project quotas.
    """

    source: str
    target: str
    fstype: str
    uuid: str = ""
    size: int = 0
    quota: bool = False


@dataclasses.dataclass(frozen=True)
class FstabLine:
    """A line of /etc/fstab."""

    source: str
    target: str
    fstype: str
    options: str


@dataclasses.dataclass(frozen=True)
class StoredData:
    """Docker or containerd data that lies in a directory of the host, in words."""

    root: str
    description: str
    in_containerd: bool = False


@dataclasses.dataclass(frozen=True)
class HostStorage:
    """Everything that the plan depends on.

    Attributes:
        devices: by the name that the layout uses; missing ones are None.
        images: by path.
        loop_free: bytes free on the filesystem that would hold the loop images.
        bare: by mount point, what lies in the directory now although nothing is mounted there.
        links: by mount point, the first component of the path that is a symbolic link.
        data: Docker data in any root of the host.
        configured_data_root: what the daemon.json of the host says now, if anything.
        claims: devices that an interrupted run had begun to make.
        guarded: the mount points that the guards of the units name now.
        volume_groups: by name; looked up only where the layout has logical volumes.
        filesystem_sizes: by UUID, how many bytes of its device a filesystem uses.
        may_grow_ext4: whether the kernel lets this host grow a mounted ext4 (CAP_SYS_RESOURCE).
    """

    devices: t.Mapping[str, Device | None] = dataclasses.field(default_factory=dict)
    images: t.Mapping[str, Image] = dataclasses.field(default_factory=dict)
    loop_free: int = 0
    mounts: t.Sequence[Mount] = ()
    fstab: t.Sequence[FstabLine] = ()
    bare: t.Mapping[str, t.Sequence[str]] = dataclasses.field(default_factory=dict)
    links: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    data: t.Sequence[StoredData] = ()
    configured_data_root: str = ""
    claims: frozenset[str] = frozenset()
    guarded: t.Sequence[str] = ()
    volume_groups: t.Mapping[str, VolumeGroup] = dataclasses.field(default_factory=dict)
    filesystem_sizes: t.Mapping[str, int] = dataclasses.field(default_factory=dict)
    may_grow_ext4: bool = True
