# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Gathering what the storage planner has to know of this host.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import functools
import json
import os
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_ranges import Mapping
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    daemon,
    disks,
    docker_data,
    files,
    filesystem_size,
    mounts,
    superblock,
    volume_groups,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import backends, facts, guard, layout

# What an interrupted run had begun to make; valid only until the next boot, because device names may change then.
CLAIMS = "/var/lib/bulkhead/storage-claims.json"
DAEMON_CONFIG = "/etc/docker/daemon.json"
DEFAULT_DATA_ROOT = "/var/lib/docker"

_TOOLS = {
    "parted": "parted",
    "mkfs.xfs": "xfsprogs",
    "mkfs.ext4": "e2fsprogs",
    "chattr": "e2fsprogs",
    "wipefs": "util-linux",
    "blkid": "util-linux",
    "fallocate": "util-linux",
    "losetup": "util-linux",
    "partx": "util-linux",
    "sfdisk": "fdisk",
    "vgs": "lvm2",
    "xfs_growfs": "xfsprogs",
    "resize2fs": "e2fsprogs",
}
# What an engine that was never used leaves in each of its directories.
_SKELETONS = {
    "data-root": re.compile(
        r"buildkit|containerd|containers|image|network|overlay2|plugins|runtimes|swarm|tmp|tmp-old|trust|volumes|engine-id|rootfs|lost\+found|\d+\.\d+"
    ),
    "containerd": re.compile(r"io\.containerd\..*|tmpmounts|opt|lost\+found"),
    "overlay2": re.compile(r"l|backingFsBlockDev|lost\+found"),
    "volumes": re.compile(r"metadata\.db|backingFsBlockDev|lost\+found"),
    "containers": re.compile(r"lost\+found"),
}
# Debian's containerd makes these, empty, for plugins that nobody has installed yet.
_CONTAINERD_OPT = ("opt/bin", "opt/lib")
# What each kind of device takes to be enlarged.
_TO_ENLARGE = {"partition": ("sfdisk", "partx"), "image": ("fallocate", "losetup"), "volume": ("vgs",)}
_TO_GROW = {"xfs": "xfs_growfs", "ext4": "resize2fs"}
_CONTAINERD_TASKS = "/run/containerd/io.containerd.runtime.v2.task"


def gather(entries: t.Sequence[layout.Entry], data_root: str, mapping: Mapping | None, loop_directory: str, wipe: t.Sequence[str] = ()) -> facts.HostStorage:
    """Look at everything on the host that the plan depends on, without changing anything."""
    probe = functools.lru_cache(maxsize=None)(disks.probe)
    claims = read_claims()
    places = {entry.name: layout.place(entry.name, data_root, mapping).mount_point for entry in entries}
    devices = {entry.device: disks.look_at(entry.device, entry.backend == "existing", claims) for entry in entries if entry.device and entry.backend != "loop"}
    devices.update({name: disks.look_at(name) for name in wipe if name not in devices and name.startswith("/dev/")})
    groups = volume_groups.look(claims) if any(entry.backend == "lvm" for entry in entries) else {}
    images = {entry.device: disks.look_at_image(entry.device) for entry in entries if entry.backend == "loop"}
    existing_mounts = mounts.block_mounts(probe)
    mounted = {mount.target for mount in existing_mounts}
    return facts.HostStorage(
        devices=devices,
        images=images,
        loop_free=disks.free_bytes(loop_directory),
        mounts=existing_mounts,
        fstab=mounts.fstab(),
        bare={place: foreign(name, place) for name, place in places.items() if place not in mounted},
        links={place: mounts.first_link(place) for place in places.values() if mounts.first_link(place)},
        data=stored_data(entries, data_root),
        configured_data_root=configured_data_root(),
        claims=claims,
        guarded=guard.guarded(files.read_text(guard.DROP_IN.format(unit="docker.service")) or ""),
        volume_groups=groups,
        filesystem_sizes=_filesystem_sizes(devices.values(), images.values(), groups.values(), existing_mounts, set(places.values())),
        may_grow_ext4=filesystem_size.may_grow_ext4(),
    )


def _filesystem_sizes(
    devices: t.Iterable[facts.Device | None],
    images: t.Iterable[facts.Image],
    groups: t.Iterable[facts.VolumeGroup],
    existing_mounts: t.Sequence[facts.Mount],
    places: t.Collection[str],
) -> dict[str, int]:
    lying: list[tuple[str, str, str]] = []
    for device in devices:
        if device is not None:
            lying.append((device.path, device.filesystem, device.uuid))
            lying += [(partition.path, partition.signature, partition.uuid) for partition in device.partitions]
    lying += [(image.path, image.filesystem, image.uuid) for image in images]
    lying += [(volume.path, volume.signature, volume.uuid) for group in groups for volume in group.volumes]
    found = {uuid: superblock.size(path, fstype) for path, fstype, uuid in lying if uuid}
    for mount in existing_mounts:
        if mount.uuid and mount.target in places:
            found[mount.uuid] = filesystem_size.mounted(mount.target, mount.source, mount.fstype)
    return found


def stored_data(entries: t.Sequence[layout.Entry], data_root: str) -> list[facts.StoredData]:
    """Return the Docker data in every root that this host has or had, and containerd's if the layout moves it."""
    found = []
    seen = set()
    for base in (data_root, configured_data_root() or DEFAULT_DATA_ROOT, DEFAULT_DATA_ROOT):
        for root in docker_data.roots_below(base.rstrip("/") or "/"):
            if root not in seen:
                seen.add(root)
                data = docker_data.inventory(root)
                if data.any:
                    found.append(facts.StoredData(root, data.describe()))
    containerd = layout.PURPOSES["containerd"].directory
    if any(entry.name == "containerd" for entry in entries) and docker_data.containerd_holds_data(containerd):
        found.append(facts.StoredData(containerd, "containerd's images", True))
    if any(entry.name == "containerd" for entry in entries) and any(_names(os.path.join(_CONTAINERD_TASKS, space)) for space in _names(_CONTAINERD_TASKS)):
        found.append(facts.StoredData(_CONTAINERD_TASKS, "containers that run", True))
    return found


def configured_data_root() -> str:
    """Return the data-root that the host's daemon.json or the flags of its unit name, or nothing."""
    try:
        config = json.loads(files.read_text(DAEMON_CONFIG) or "{}")
    except (ValueError, RecursionError, files.FileError):
        # The daemon's own module says what is wrong with the file.
        config = {}
    value = config.get("data-root") if isinstance(config, dict) else None
    flags = daemon.Daemon().unit().flags.get("data-root", [""])
    return value if isinstance(value, str) and value else flags[0]


def read_claims() -> frozenset[str]:
    """Return the devices that an interrupted run of this boot had begun to partition or format."""
    try:
        claims = json.loads(files.read_text(CLAIMS) or "{}")
    except (ValueError, RecursionError, files.NotText):
        return frozenset()
    if not isinstance(claims, dict) or claims.get("boot_id") != boot_id() or not isinstance(claims.get("paths"), list):
        return frozenset()
    return frozenset(str(path) for path in claims["paths"])


def claims_for(steps: t.Sequence[backends.Step]) -> dict[str, t.Any]:
    """Return what has to be noted down before the given steps are begun."""
    paths = {step.device for step in steps if step.action in ("partition", "group", "volume", "allocate", "format")}
    paths |= {str(step.arguments["path"]) for step in steps if step.action == "partition"}
    return {"boot_id": boot_id(), "paths": sorted(paths | read_claims())}


def boot_id() -> str:
    """Return the kernel's name for this boot (random(4))."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as handle:
        return handle.read().strip()


def missing_packages(steps: t.Sequence[backends.Step]) -> list[str]:
    """Return the packages, by their names in Debian and Fedora alike, of tools that the steps need and the host lacks."""
    needed = {"chattr", "blkid", "wipefs"}
    for step in steps:
        if step.action == "partition":
            needed.add("parted")
        elif step.action == "allocate":
            needed.add("fallocate")
        elif step.action == "format":
            needed.add(f"mkfs.{step.arguments['fstype']}")
        elif step.action == "relocate":
            needed.add("sfdisk")
        elif step.action in ("group", "volume", "resize"):
            needed.add("vgs")
        elif step.action == backends.ENLARGE:
            needed.update(_TO_ENLARGE[step.arguments["kind"]])
        elif step.action == backends.GROW:
            needed.add(_TO_GROW[step.arguments["fstype"]])
    return sorted({_TOOLS[tool] for tool in needed if commands.find(tool) is None})


def belongs(purpose: str, name: str) -> bool:
    """Tell whether a name in one of Docker's directories is one that an engine gives; with data or without."""
    return bool(_SKELETONS[purpose].fullmatch(name)) or (purpose == "data-root" and name in docker_data.GRAPH_DRIVERS)


def foreign(purpose: str, place: str) -> list[str]:
    """Return what lies in one of Docker's directories that an engine which was never used does not leave there."""
    found = [name for name in _names(place) if not _SKELETONS[purpose].fullmatch(name)]
    if purpose == "containerd":
        found += [path for path in _CONTAINERD_OPT if _names(os.path.join(place, path))]
    return found


def _names(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []
