# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What lvm(8) reports, as the planner gets it."""

from __future__ import annotations

import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, disks, volume_groups
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.facts import Device, PhysicalVolume

GIB = 1024**3
VG = {"vg_name": "data", "vg_attr": "wz--n-", "vg_extent_size": "4194304", "vg_size": str(20 * GIB), "vg_free": str(8 * GIB)}
PV = {"vg_name": "data", "pv_name": "/dev/sdc", "pe_start": "1048576", "pv_size": str(20 * GIB)}


def lv(name, attributes="-wi-ao----", **changes):
    return {"vg_name": "data", "lv_name": name, "lv_attr": attributes, "lv_size": str(4 * GIB), "lv_path": f"/dev/data/{name}", **changes}


@pytest.fixture
def lvm(tools, monkeypatch):
    """Reports of lvm; what lies on a volume is an XFS."""

    def report(groups=(VG,), volumes=(), devices=(PV,)):
        for command, kind, rows in (("vgs", "vg", groups), ("lvs", "lv", volumes), ("pvs", "pv", devices)):
            tools.answer(command, json.dumps({"report": [{kind: list(rows)}], "log": []}))

    looked = []

    def look_at(path, with_content=False):
        looked.append((path, with_content))
        return Device(path, 4 * GIB, filesystem="xfs", uuid="u", blank=False, content=("l",) if with_content else ())

    monkeypatch.setattr(disks, "look_at", look_at)
    report.looked = looked
    report.tools = tools
    return report


def test_without_lvm_there_are_no_groups(tools):
    assert volume_groups.look(()) == {}
    assert tools.ran == []


def test_a_host_without_groups(lvm):
    lvm(groups=(), devices=())
    assert volume_groups.look(()) == {}
    assert [line.split()[0] for line in lvm.tools.ran] == ["vgs"]


def test_a_group_with_its_devices_and_volumes(lvm):
    other = {**VG, "vg_name": "other", "vg_free": "0"}
    lvm(groups=(VG, other), volumes=(lv("root"), lv("bulkhead-overlay2"), lv("bulkhead-overlay2", vg_name="other")))
    found = volume_groups.look(["/dev/data/bulkhead-overlay2"])
    assert sorted(found) == ["data", "other"]
    group = found["data"]
    assert (group.extent, group.size, group.free, group.unfit) == (4194304, 20 * GIB, 8 * GIB, "")
    assert group.devices == (PhysicalVolume("/dev/sdc", 1048576, 20 * GIB),)
    assert [(volume.name, volume.signature, volume.content) for volume in group.volumes] == [("root", "", ()), ("bulkhead-overlay2", "xfs", ("l",))]
    assert found["other"].devices == ()


def test_volumes_of_others_are_not_opened(lvm):
    lvm(volumes=(lv("root"), lv("bulkhead-photos"), lv("bulkhead-volumes")))
    volume_groups.look(())
    assert lvm.looked == [("/dev/data/bulkhead-volumes", False)]


@pytest.mark.parametrize(
    "attributes, kind, active",
    [
        ("-wi-ao----", "", True),
        ("-wi-------", "", False),
        ("owi-aos---", "origin", True),
        ("-ri-a-----", "one that cannot be written", True),
        ("twi-aotz--", "a thin pool", True),
        ("Vwi-aotz--", "a thin volume", True),
        ("?wi-ao----", "of a kind that this role does not know", True),
    ],
)
def test_kinds_of_volumes(lvm, attributes, kind, active):
    lvm(volumes=(lv("bulkhead-overlay2", attributes),))
    volume, = volume_groups.look(())["data"].volumes
    assert (volume.kind, volume.active) == (kind, active)


def test_a_volume_of_ours_without_a_device_node_is_not_active(lvm, monkeypatch):
    monkeypatch.setattr(disks, "look_at", lambda path, with_content=False: None)
    lvm(volumes=(lv("bulkhead-overlay2"), lv("root")))
    assert [volume.active for volume in volume_groups.look(())["data"].volumes] == [False, True]


@pytest.mark.parametrize(
    "attributes, expected",
    [
        ("wz--n-", ""),
        ("rz--n-", "can only be read"),
        ("w---n-", "cannot be resized"),
        ("wzx-n-", "is exported"),
        ("wz-pn-", "lacks one of its devices"),
        ("wz--ns", "is shared with other hosts"),
        ("rzxpnc", "can only be read and is exported and lacks one of its devices and is shared with other hosts"),
    ],
)
def test_groups_that_nothing_may_be_made_in(lvm, attributes, expected):
    lvm(groups=({**VG, "vg_attr": attributes},))
    assert volume_groups.look(())["data"].unfit == expected


@pytest.mark.parametrize("text", ["", "[]", '{"report": []}', '{"report": [{"vg": [{"vg_name": "data"}]}]}', '{"report": [{"vg": 5}]}'])
def test_a_report_that_cannot_be_read_is_said(tools, text):
    tools.answer("vgs", text)
    with pytest.raises(commands.CommandError, match="vgs reports something else"):
        volume_groups.look(())
