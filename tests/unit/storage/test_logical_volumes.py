# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Logical volumes: made in a group that is there or on a blank disk, grown, never touched when they are somebody else's."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_ranges import Mapping, Range
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import layout, plan
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.facts import (
    Device,
    FstabLine,
    HostStorage,
    LogicalVolume,
    Mount,
    Partition,
    PhysicalVolume,
    VolumeGroup,
)
from hypothesis import given
from hypothesis import strategies as st

MIB = layout.MIB
GIB = layout.GIB
EXTENT = 4 * MIB
MAPPING = Mapping((Range("dockremap", 100000, 65536),), (Range("dockremap", 100000, 65536),))
ROOT = "/var/lib/docker/100000.100000"
BLANK = Device("/dev/sdb", 10 * GIB)
MEMBER = dataclasses.replace(BLANK, signatures=("LVM2_member",), blank=False, used_by=("/dev/sdb belongs to bulkhead-bulkhead--overlay2",))
ON_DISK = [{"name": "overlay2", "backend": "lvm", "size": "4GiB"}, {"name": "volumes", "backend": "lvm"}]
IN_GROUP = [{"name": "overlay2", "group": "data", "size": "4GiB"}, {"name": "volumes", "group": "data", "size": "2GiB"}]
DATA = VolumeGroup("data", EXTENT, 20 * GIB, 8 * GIB, (PhysicalVolume("/dev/sdc", MIB, 20 * GIB),), (LogicalVolume("root", "/dev/data/root", 12 * GIB),))


def compute(entries, host, wipe=(), disk="/dev/sdb"):
    parsed, problems = layout.parse(entries, disk, "/var/lib/bulkhead/loop", "xfs")
    assert problems == []
    return plan.compute(parsed, host, "/var/lib/docker", MAPPING, wipe)


def host_with(device=BLANK, *groups, **more):
    return HostStorage(devices={"/dev/sdb": device}, volume_groups={group.name: group for group in groups}, **more)


def volume(name="overlay2", size=4 * GIB, group="bulkhead", **changes):
    return LogicalVolume(f"bulkhead-{name}", f"/dev/{group}/bulkhead-{name}", size, **{"signature": "xfs", "uuid": name, "blank": False, **changes})


def group_with(*volumes, name="bulkhead", size=10 * GIB - EXTENT, **changes):
    free = size - sum(volume.size for volume in volumes)
    return VolumeGroup(name, EXTENT, size, free, (PhysicalVolume("/dev/sdb", MIB, size),), volumes, **changes)


def told(result):
    assert result.problems == ()
    return [(step.action, step.device) for step in result.steps]


def sizes(result, action):
    return [step.arguments["size"] for step in result.steps if step.action == action]


def refused(result):
    assert result.steps == ()
    assert len(result.problems) == 1
    return str(result.problems[0])


def test_a_group_is_made_on_a_blank_disk():
    result = compute(ON_DISK, host_with())
    assert told(result)[:5] == [
        ("group", "/dev/sdb"),
        ("volume", "/dev/bulkhead/bulkhead-overlay2"),
        ("format", "/dev/bulkhead/bulkhead-overlay2"),
        ("volume", "/dev/bulkhead/bulkhead-volumes"),
        ("format", "/dev/bulkhead/bulkhead-volumes"),
    ]
    assert result.steps[0].arguments == {"group": "bulkhead"}
    # The first extent begins after a MiB, so the last one of 4 MiB is not whole.
    assert sizes(result, "volume") == [4 * GIB, 6 * GIB - EXTENT]
    assert [target.device for target in result.targets] == ["/dev/bulkhead/bulkhead-overlay2", "/dev/bulkhead/bulkhead-volumes"]


def test_volumes_are_made_in_the_free_room_of_a_group_that_is_there():
    result = compute(IN_GROUP, host_with(BLANK, DATA))
    assert told(result)[:2] == [("volume", "/dev/data/bulkhead-overlay2"), ("format", "/dev/data/bulkhead-overlay2")]
    assert sizes(result, "volume") == [4 * GIB, 2 * GIB]
    assert not any("/dev/data/root" in str(step) for step in result.steps)


def test_sizes_are_whole_extents():
    coarse = dataclasses.replace(DATA, extent=1024 * MIB)
    result = compute([{"name": "overlay2", "group": "data", "size": "1500MiB"}, {"name": "volumes", "group": "data", "size": "23%"}], host_with(BLANK, coarse))
    assert sizes(result, "volume") == [2 * GIB, 4 * GIB]


@pytest.mark.parametrize(
    "device, groups, word",
    [
        (None, (), "is missing"),
        (dataclasses.replace(BLANK, read_only=True), (), "read-only"),
        (dataclasses.replace(BLANK, signatures=("ext4",), blank=False), (), "holds ext4"),
        (dataclasses.replace(BLANK, signatures=("LVM2_member",), blank=False), (), "holds LVM2_member"),
        (dataclasses.replace(BLANK, blank=False), (), "data without a known signature"),
        (dataclasses.replace(BLANK, used_by=("/dev/sdb is mounted on /srv",)), (), "in use"),
        (dataclasses.replace(BLANK, size=4 * GIB), (), "too small"),
        (MEMBER, (group_with(name="old"),), "belongs to the volume group old"),
    ],
)
def test_a_disk_that_is_not_blank_free_and_large_enough_is_refused(device, groups, word):
    assert word in refused(compute(ON_DISK, host_with(device, *groups)))


def test_a_member_of_a_group_is_not_even_wiped_with_permission():
    idle = dataclasses.replace(MEMBER, used_by=())
    assert "belongs to the volume group old" in refused(compute(ON_DISK, host_with(idle, group_with(name="old")), wipe=["/dev/sdb"]))


def test_wiping_is_only_for_the_disk_that_is_named():
    old = dataclasses.replace(BLANK, signatures=("gpt",), table="gpt", blank=False, partitions=(Partition("/dev/sdb1", 1, MIB, GIB),))
    step = compute(ON_DISK, host_with(old), wipe=["/dev/sdb"]).steps[0]
    assert (step.action, step.arguments["devices"]) == ("wipe", ["/dev/sdb1", "/dev/sdb"])
    assert "gpt table" in refused(compute(ON_DISK, host_with(old), wipe=["/dev/sdc"]))


def test_a_disk_that_an_interrupted_run_had_begun_is_taken_again():
    begun = dataclasses.replace(BLANK, signatures=("LVM2_member",), blank=False)
    assert told(compute(ON_DISK, host_with(begun, claims=frozenset({"/dev/sdb"}))))[0] == ("group", "/dev/sdb")


@pytest.mark.parametrize("groups, word", [((), "this host has none"), ((DATA,), "this host has data")])
def test_a_group_that_is_missing_is_refused(groups, word):
    text = refused(compute([{"name": "overlay2", "group": "other"}], host_with(BLANK, *groups)))
    assert text.startswith("volume group other: is missing")
    assert word in text


@pytest.mark.parametrize("word", ["is exported", "lacks one of its devices", "is shared with other hosts"])
def test_a_group_that_nothing_may_be_made_in_is_refused(word):
    assert word in refused(compute(IN_GROUP, host_with(BLANK, dataclasses.replace(DATA, unfit=word))))


def test_a_group_that_is_too_small_is_refused():
    text = refused(compute([{"name": "overlay2", "group": "data", "size": "9GiB"}, {"name": "volumes", "group": "data"}], host_with(BLANK, DATA)))
    assert "too small: 8 GiB of its 20 GiB are free for overlay2 (9 GiB) and volumes (at least 300 MiB)" in text


def test_a_group_on_another_disk_than_the_layout_says_is_refused():
    entries = [{"name": "overlay2", "group": "data", "device": "/dev/sdb"}]
    assert "on /dev/sdc and not on /dev/sdb" in refused(compute(entries, host_with(BLANK, DATA)))


def test_a_group_is_made_on_one_disk():
    host = HostStorage(devices={"/dev/sdb": BLANK, "/dev/sdc": dataclasses.replace(BLANK, path="/dev/sdc")})
    entries = [{"name": "overlay2", "group": "g", "device": "/dev/sdb"}, {"name": "volumes", "group": "g", "device": "/dev/sdc"}]
    assert "/dev/sdb and /dev/sdc" in refused(compute(entries, host))


def test_a_disk_is_not_divided_and_a_group_at_once():
    entries = [{"name": "overlay2", "backend": "lvm"}, {"name": "volumes", "backend": "partition"}]
    assert any("named twice" in str(problem) for problem in compute(entries, host_with()).problems)


def settled(*volumes, **more):
    """A host whose volumes are mounted where they belong."""
    places = {"bulkhead-overlay2": ("overlay2", "noatime"), "bulkhead-volumes": ("volumes", "noatime,nodev,nosuid")}
    mounts, fstab, known = [], [], {}
    for each in volumes:
        place, options = places[each.name]
        mounts.append(Mount("/dev/mapper/x", f"{ROOT}/{place}", "xfs", each.uuid, each.size))
        fstab.append(FstabLine(f"UUID={each.uuid}", f"{ROOT}/{place}", "xfs", f"{options},nofail,x-systemd.device-timeout=30s"))
        known[each.uuid] = each.size
    return {"mounts": mounts, "fstab": fstab, "filesystem_sizes": known, **more}


MADE = (volume(), volume("volumes", 6 * GIB - EXTENT))


def test_a_host_that_has_its_volumes_needs_nothing():
    assert told(compute(ON_DISK, host_with(MEMBER, group_with(*MADE), **settled(*MADE)))) == []


def test_a_larger_disk_gives_its_group_and_its_last_volume_more():
    host = host_with(dataclasses.replace(MEMBER, size=14 * GIB), group_with(*MADE), **settled(*MADE))
    result = compute(ON_DISK, host)
    assert told(result) == [
        ("resize", "/dev/sdb"), ("enlarge", "/dev/bulkhead/bulkhead-volumes"), ("grow", "/dev/bulkhead/bulkhead-volumes"),
    ]
    assert sizes(result, "enlarge") == sizes(result, "grow") == [10 * GIB - EXTENT]
    assert result.steps[1].arguments["kind"] == "volume"


def test_a_disk_that_the_layout_does_not_name_is_not_resized():
    larger = dataclasses.replace(MEMBER, size=14 * GIB)
    entries = [{**entry, "group": "bulkhead"} for entry in ON_DISK]
    assert told(compute(entries, host_with(larger, group_with(*MADE), **settled(*MADE)))) == []


def test_any_volume_grows_not_only_the_last():
    both = (volume(), volume("volumes", 2 * GIB))
    entries = [{**ON_DISK[0], "size": "5GiB"}, {**ON_DISK[1], "size": "2GiB"}]
    result = compute(entries, host_with(MEMBER, group_with(*both), **settled(*both)))
    assert told(result) == [("enlarge", "/dev/bulkhead/bulkhead-overlay2"), ("grow", "/dev/bulkhead/bulkhead-overlay2")]
    assert sizes(result, "enlarge") == [5 * GIB]


@pytest.mark.parametrize("size, word", [("3GiB", "shrinking it would destroy data"), ("20%", "shrinking"), ("7GiB", "has only 2 GiB left")])
def test_what_cannot_be_is_refused(size, word):
    both = (volume(), volume("volumes", 4 * GIB - EXTENT))
    entries = [{**ON_DISK[0], "size": size}, {**ON_DISK[1], "size": "4092MiB"}]
    assert word in refused(compute(entries, host_with(MEMBER, group_with(*both), **settled(*both))))


def test_a_share_grows_with_its_group():
    alone = volume(size=2 * GIB)
    entries = [{**ON_DISK[0], "size": "50%"}]
    result = compute(entries, host_with(MEMBER, group_with(alone), **settled(alone)))
    assert sizes(result, "enlarge") == [int((10 * GIB - EXTENT) * 0.5) // EXTENT * EXTENT]


def test_a_volume_with_snapshots_does_not_grow():
    origin = volume(kind="origin")
    host = host_with(MEMBER, group_with(origin), **settled(origin))
    assert "has snapshots" in refused(compute([{**ON_DISK[0], "size": "5GiB"}], host))
    assert told(compute([{**ON_DISK[0], "size": "rest"}], host)) == []
    assert told(compute([{**ON_DISK[0], "size": "90%"}], host)) == []


@pytest.mark.parametrize(
    "changes, word",
    [
        ({"kind": "a thin pool"}, "no plain logical volume, but a thin pool"),
        ({"active": False}, "is not active"),
        ({"signature": "ext4"}, "holds ext4 for overlay2"),
        ({"signature": "", "uuid": ""}, "is a logical volume of this role with data in it"),
    ],
)
def test_a_volume_of_our_name_that_is_something_else_is_refused(changes, word):
    other = volume(**changes)
    assert word in refused(compute(ON_DISK[:1], host_with(MEMBER, group_with(other)), wipe=["/dev/sdb", other.path]))


def test_a_volume_that_was_being_made_is_formatted_again():
    path = "/dev/bulkhead/bulkhead-overlay2"
    claimed = host_with(MEMBER, group_with(volume(signature="", uuid="")), claims=frozenset({path}))
    assert ("format", path) in told(compute(ON_DISK[:1], claimed))
    used = host_with(MEMBER, group_with(volume(content=("l",))), claims=frozenset({path}))
    assert "holds files (l)" in refused(compute(ON_DISK[:1], used))


SIZES = st.one_of(st.just("rest"), st.integers(1, 100).map(lambda share: f"{share}%"), st.integers(300, 20000).map(lambda size: f"{size}MiB"))


@given(st.lists(SIZES, min_size=1, max_size=5), st.integers(100, 40000), st.sampled_from([MIB, 4 * MIB, 64 * MIB]), st.integers(0, 5))
def test_volumes_never_take_more_than_the_group_has_and_never_shrink(asked, free_mib, extent, already):
    names = list(layout.PURPOSES)[:len(asked)]
    # A logical volume is as large as its extents are, whatever they hold.
    there = [volume(name, GIB, group="data") for name in names[:already]]
    free = free_mib * MIB // extent * extent
    group = VolumeGroup("data", extent, free + len(there) * GIB, free, (PhysicalVolume("/dev/sdc", MIB, 0),), tuple(there))
    entries = [{"name": name, "group": "data", "size": size} for name, size in zip(names, asked)]
    result = compute(entries, host_with(BLANK, group))
    if result.problems:
        assert result.steps == ()
        return
    taken = sum(size for size in sizes(result, "volume")) + sum(size - GIB for size in sizes(result, "enlarge"))
    assert taken <= free
    assert all(size % extent == 0 and size >= 300 * MIB for size in sizes(result, "volume"))
    assert all(size % extent == 0 and size > GIB for size in sizes(result, "enlarge"))
