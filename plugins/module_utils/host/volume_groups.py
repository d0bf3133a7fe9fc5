# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Volume groups and logical volumes of this host, as lvm(8) reports them.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, disks
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import layout, logical_volumes
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.facts import (
    LogicalVolume,
    PhysicalVolume,
    VolumeGroup,
)

_PLAIN = ["--units", "b", "--nosuffix", "--reportformat", "json", "--options"]
# The first letter of lv_attr (lvs(8)).
_KINDS = {
    "-": "",
    "o": logical_volumes.ORIGIN,
    "s": "a snapshot",
    "S": "a snapshot that is being merged",
    "O": "the origin of a snapshot that is being merged",
    "r": "a RAID volume",
    "R": "a RAID volume",
    "m": "a mirror",
    "M": "a mirror",
    "C": "a cached volume",
    "t": "a thin pool",
    "V": "a thin volume",
}


def look(claims: t.Collection[str]) -> dict[str, VolumeGroup]:
    """Return every volume group of the host by its name; none where lvm2 is not installed.

    Args:
        claims: volumes that an interrupted run was still making; their filesystems are looked into.

    Raises:
        commands.CommandError: lvm cannot say what there is.
    """
    if commands.find("vgs") is None:
        return {}
    groups = _report("vgs", "vg", "vg_name,vg_attr,vg_extent_size,vg_size,vg_free")
    # A snapshot's own rows and the parts of other volumes are told only with --all, which is not asked for.
    volumes = _report("lvs", "lv", "vg_name,lv_name,lv_attr,lv_size,lv_path") if groups else []
    devices = _report("pvs", "pv", "vg_name,pv_name,pe_start,pv_size") if groups else []
    try:
        return {row["vg_name"]: _group(row, volumes, devices, claims) for row in groups}
    except (ValueError, IndexError) as error:
        raise commands.CommandError(f"lvm reports something else than was asked of it: {error}") from error


def _group(
    row: t.Mapping[str, str], volumes: t.Sequence[t.Mapping[str, str]], devices: t.Sequence[t.Mapping[str, str]], claims: t.Collection[str]
) -> VolumeGroup:
    return VolumeGroup(
        name=row["vg_name"],
        extent=int(row["vg_extent_size"]),
        size=int(row["vg_size"]),
        free=int(row["vg_free"]),
        devices=tuple(
            PhysicalVolume(os.path.realpath(device["pv_name"]), int(device["pe_start"]), int(device["pv_size"]))
            for device in devices
            if device["vg_name"] == row["vg_name"]
        ),
        volumes=tuple(_volume(volume, claims) for volume in volumes if volume["vg_name"] == row["vg_name"]),
        unfit=_unfit(row["vg_attr"]),
    )


def _report(command: str, kind: str, columns: str) -> list[dict[str, str]]:
    shown = commands.run([command, *_PLAIN, columns])
    try:
        rows = json.loads(shown.stdout)["report"][0][kind]
        return [{name: str(row[name]) for name in columns.split(",")} for row in rows]
    except (ValueError, LookupError, TypeError) as error:
        raise commands.CommandError(f"{command} reports something else than was asked of it: {error}") from error


def _volume(row: t.Mapping[str, str], claims: t.Collection[str]) -> LogicalVolume:
    name, path, attributes = row["lv_name"], row["lv_path"], row["lv_attr"]
    kind = _KINDS.get(attributes[0], "of a kind that this role does not know")
    if not kind and attributes[1] != "w":
        kind = "one that cannot be written"
    active = attributes[4] == "a"
    ours = any(name == logical_volumes.volume_name(purpose) for purpose in layout.PURPOSES)
    look = disks.look_at(path, path in claims) if ours and active and path else None
    if look is None:
        return LogicalVolume(name, path or f"{row['vg_name']}/{name}", int(row["lv_size"]), kind, active and not ours)
    signature = look.filesystem or " and ".join(look.signatures)
    return LogicalVolume(name, path, int(row["lv_size"]), kind, active, signature, look.uuid, look.blank, look.content)


def _unfit(attributes: str) -> str:
    """Return why a group cannot be worked on, by its vg_attr (vgs(8))."""
    reasons = [
        (attributes[0] != "w", "can only be read"),
        (attributes[1] != "z", "cannot be resized"),
        (attributes[2] == "x", "is exported"),
        (attributes[3] == "p", "lacks one of its devices"),
        (attributes[5] in "cs", "is shared with other hosts"),
    ]
    return " and ".join(text for holds, text in reasons if holds)
