# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""A filesystem grows when its device has or is to have more room, never shrinks, and takes quotas only when it is mounted anew."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_ranges import Mapping, Range
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import backends, layout, plan
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.facts import (
    Device,
    FstabLine,
    HostStorage,
    Image,
    Mount,
    Partition,
)
from hypothesis import given
from hypothesis import strategies as st

MIB = layout.MIB
GIB = layout.GIB
MAPPING = Mapping((Range("dockremap", 100000, 65536),), (Range("dockremap", 100000, 65536),))
ROOT = "/var/lib/docker/100000.100000"
LOOP = "/var/lib/bulkhead/loop"
FIRST = Partition("/dev/sdb1", 1, MIB, 4 * GIB, "bulkhead-overlay2", "xfs", "first", False)
SECOND = Partition("/dev/sdb2", 2, 4 * GIB + MIB, 6 * GIB - 2 * MIB, "bulkhead-volumes", "xfs", "second", False)
BOOT = "nofail,x-systemd.device-timeout=30s"


def compute(entries, host, disk="/dev/sdb"):
    parsed, problems = layout.parse(entries, disk, LOOP, "xfs")
    assert problems == []
    return plan.compute(parsed, host, "/var/lib/docker", MAPPING, ())


def host_with(size=10 * GIB, partitions=(FIRST, SECOND), filesystems=None, quota=False, **more):
    """A disk as an earlier run left it, mounted; size is the disk's now."""
    disk = Device("/dev/sdb", size, table="gpt", signatures=("gpt",), partitions=partitions, blank=False, used_by=("it is mounted",))
    places = {"bulkhead-overlay2": ("overlay2", "noatime"), "bulkhead-volumes": ("volumes", "noatime,nodev,nosuid")}
    mounts, fstab = [], []
    for partition in partitions:
        place, options = places[partition.label]
        mounts.append(Mount(partition.path, f"{ROOT}/{place}", partition.signature, partition.uuid, partition.size, quota))
        fstab.append(FstabLine(f"UUID={partition.uuid}", f"{ROOT}/{place}", partition.signature, f"{options},{BOOT}"))
    sizes = {partition.uuid: partition.size for partition in partitions}
    return HostStorage(devices={"/dev/sdb": disk}, mounts=mounts, fstab=fstab, filesystem_sizes={**sizes, **(filesystems or {})}, **more)


def told(result):
    assert result.problems == ()
    return [(step.action, step.device, step.arguments["size"]) for step in result.steps]


def refused(result):
    assert result.steps == ()
    assert len(result.problems) == 1
    return str(result.problems[0])


BOTH = [{"name": "overlay2", "size": "4GiB"}, {"name": "volumes", "size": "rest"}]


def test_nothing_grows_where_nothing_is_larger():
    assert told(compute(BOTH, host_with())) == []


def test_what_has_the_rest_grows_with_the_disk():
    result = compute(BOTH, host_with(14 * GIB))
    size = 10 * GIB - 2 * MIB
    assert told(result) == [("enlarge", "/dev/sdb2", size), ("grow", "/dev/sdb2", size)]
    assert result.steps[0].arguments == {"kind": "partition", "disk": "/dev/sdb", "number": 2, "start": SECOND.start, "size": size}
    assert result.steps[1].arguments == {"mount_point": f"{ROOT}/volumes", "fstype": "xfs", "uuid": "second", "size": size}


def test_a_few_blocks_are_no_reason_to_grow():
    assert told(compute(BOTH, host_with(10 * GIB + backends.WORTH_GROWING - MIB))) == []
    assert told(compute(BOTH, host_with(10 * GIB + backends.WORTH_GROWING))) != []
    assert told(compute(BOTH, host_with(filesystems={"second": SECOND.size - backends.WORTH_GROWING + 1}))) == []


def test_a_run_that_was_killed_after_the_partition_grew_is_finished():
    result = compute(BOTH, host_with(filesystems={"second": 3 * GIB}))
    assert told(result) == [("grow", "/dev/sdb2", SECOND.size)]


def test_a_filesystem_whose_size_nobody_knows_is_left_alone():
    assert told(compute(BOTH, host_with(filesystems={"second": 0}))) == []


@pytest.mark.parametrize("size, expected", [("8GiB", 8 * GIB), ("50%", 6 * GIB - MIB)])
def test_the_last_partition_grows_to_what_is_asked(size, expected):
    steps = told(compute([{"name": "overlay2", "size": size}], host_with(12 * GIB, (FIRST,))))
    assert steps == [("enlarge", "/dev/sdb1", expected), ("grow", "/dev/sdb1", expected)]


def test_a_share_takes_what_there_is_behind_it():
    entries = [{"name": "overlay2", "size": "40%"}, {"name": "volumes", "size": "60%"}]
    first = dataclasses.replace(FIRST, size=4 * GIB)
    second = dataclasses.replace(SECOND, start=first.start + first.size, size=6 * GIB - 2 * MIB)
    result = compute(entries, host_with(20 * GIB, (first, second)))
    assert told(result)[0] == ("enlarge", "/dev/sdb2", int((20 * GIB - 2 * MIB) * 0.6) // MIB * MIB)
    assert ["stays at 4 GiB for overlay2" in str(note) and "/dev/sdb2 lies behind it" in str(note) for note in result.notes] == [True]
    assert compute(entries, host_with(10 * GIB, (first, second))).notes == ()


def test_more_than_the_disk_has_is_refused():
    alone = host_with(10 * GIB, (FIRST,))
    assert "only 6 GiB are free behind it" in refused(compute([{"name": "overlay2", "size": "11GiB"}], alone)).replace("6.0", "6")


def test_a_partition_before_another_does_not_grow():
    text = refused(compute([{"name": "overlay2", "size": "5GiB"}, {"name": "volumes"}], host_with(20 * GIB)))
    assert text.startswith("/dev/sdb1: has 4 GiB for overlay2, but the layout asks for 5 GiB; it cannot grow, because /dev/sdb2 lies behind it")


@pytest.mark.parametrize("size", ["3GiB", "30%"])
def test_shrinking_is_refused(size):
    text = refused(compute([{"name": "overlay2", "size": size}, {"name": "volumes"}], host_with()))
    assert "shrinking it would destroy data" in text
    assert text.startswith("/dev/sdb1: has 4 GiB")


def test_the_last_grows_first_and_a_new_partition_comes_behind_it():
    result = compute([{"name": "overlay2", "size": "5GiB"}, {"name": "volumes"}], host_with(10 * GIB, (FIRST,)))
    new = next(step for step in result.steps if step.action == "partition")
    assert new.arguments["start"] == 1 + 5 * 1024
    assert [step.action for step in result.steps if step.action in ("enlarge", "grow")] == ["enlarge", "grow"]


@pytest.mark.parametrize("partitions, at_end, moved", [((FIRST,), False, True), ((FIRST,), True, False), ((FIRST, SECOND), False, False)])
def test_a_table_that_ends_where_the_disk_ended_is_moved_before_a_partition_is_made(partitions, at_end, moved):
    host = host_with(20 * GIB, partitions)
    disk = dataclasses.replace(host.devices["/dev/sdb"], table_at_end=at_end)
    steps = [step.action for step in compute(BOTH, dataclasses.replace(host, devices={"/dev/sdb": disk})).steps]
    assert ("relocate" in steps) is moved
    assert not moved or steps.index("relocate") < steps.index("partition")


def test_what_has_the_rest_leaves_room_for_those_that_come():
    result = compute([{"name": "overlay2"}, {"name": "volumes"}], host_with(10 * GIB, (FIRST,)))
    assert [step.action for step in result.steps] == ["partition", "format", "fstab", "mount"]


@given(
    st.integers(10 * 1024, 40 * 1024),
    st.one_of(st.just("rest"), st.integers(1, 100).map(lambda share: f"{share}%"), st.integers(300, 40000).map(lambda size: f"{size}MiB")),
)
def test_a_partition_never_shrinks_and_never_leaves_the_disk(disk_mib, size):
    result = compute([{"name": "overlay2", "size": "4GiB"}, {"name": "volumes", "size": size}], host_with(disk_mib * MIB))
    for step in result.steps:
        assert step.device == "/dev/sdb2"
        assert step.arguments["size"] > SECOND.size
        assert SECOND.start + step.arguments["size"] <= (disk_mib - 1) * MIB
    assert bool(result.steps) + bool(result.problems) <= 1


def image_host(image, shown=None, filesystem=None, free=100 * GIB):
    mounts = [Mount("/dev/loop3", f"{ROOT}/overlay2", "xfs", "u", image.size if shown is None else shown)]
    line = FstabLine(image.path, f"{ROOT}/overlay2", "xfs", f"loop,noatime,{BOOT}")
    return HostStorage(images={image.path: image}, loop_free=free, mounts=mounts, fstab=[line], filesystem_sizes={"u": filesystem or image.size})


IMAGE = Image(f"{LOOP}/overlay2.img", 2 * GIB, "xfs", "u", False)
IN_IMAGE = [{"name": "overlay2", "backend": "loop", "size": "3GiB"}]


def test_a_loop_image_grows():
    result = compute(IN_IMAGE, image_host(IMAGE), disk="")
    assert told(result) == [("enlarge", IMAGE.path, 3 * GIB), ("grow", IMAGE.path, 3 * GIB)]
    assert result.steps[0].arguments["kind"] == "image"


def test_a_loop_image_must_fit_where_it_lies():
    assert "must stay free" in refused(compute(IN_IMAGE, image_host(IMAGE, free=2 * GIB - 1), disk=""))
    assert told(compute(IN_IMAGE, image_host(IMAGE, free=2 * GIB), disk="")) != []


def test_the_kernel_is_told_of_an_image_that_grew_before_a_crash():
    grown = dataclasses.replace(IMAGE, size=3 * GIB)
    result = compute(IN_IMAGE, image_host(grown, shown=2 * GIB, filesystem=2 * GIB), disk="")
    assert told(result) == [("enlarge", IMAGE.path, 3 * GIB), ("grow", IMAGE.path, 3 * GIB)]
    assert told(compute(IN_IMAGE, image_host(grown), disk="")) == []


def test_a_loop_image_does_not_shrink():
    assert "shrinking it would destroy data" in refused(compute(IN_IMAGE, image_host(dataclasses.replace(IMAGE, size=4 * GIB)), disk=""))


def existing_host(fstype="xfs", **more):
    device = Device("/dev/sdc", 10 * GIB, filesystem=fstype, uuid="e", blank=False, signatures=(fstype,), ftype=True)
    line = FstabLine("UUID=e", f"{ROOT}/volumes", fstype, f"noatime,nodev,nosuid,{BOOT}")
    return HostStorage(devices={"/dev/sdc": device}, fstab=[line], mounts=[Mount("/dev/sdc", f"{ROOT}/volumes", fstype, "e")], **more)


@pytest.mark.parametrize("fstype", ["xfs", "ext4"])
def test_an_existing_filesystem_fills_a_device_that_grew(fstype):
    entries = [{"name": "volumes", "backend": "existing", "device": "/dev/sdc", "fstype": fstype}]
    assert told(compute(entries, existing_host(fstype, filesystem_sizes={"e": 4 * GIB}))) == [("grow", "/dev/sdc", 10 * GIB)]


def test_a_host_that_may_not_grow_ext4_says_so_before_it_begins():
    entries = [{"name": "volumes", "backend": "existing", "device": "/dev/sdc", "fstype": "ext4"}]
    host = existing_host("ext4", filesystem_sizes={"e": 4 * GIB}, may_grow_ext4=False)
    assert "CAP_SYS_RESOURCE" in refused(compute(entries, host))
    assert told(compute(entries, dataclasses.replace(host, filesystem_sizes={"e": 10 * GIB}))) == []


QUOTA = [{"name": "overlay2", "size": "4GiB", "quota": True}, {"name": "volumes"}]


def test_a_mounted_filesystem_does_not_take_quotas():
    text = refused(compute(QUOTA, host_with()))
    assert text.startswith(f"{ROOT}/overlay2: is mounted without project quotas")
    assert f"umount --recursive {ROOT}/overlay2" in text


def test_a_filesystem_that_is_not_mounted_takes_quotas_with_its_next_mount():
    host = host_with()
    result = compute(QUOTA, dataclasses.replace(host, mounts=host.mounts[1:]))
    assert [step.action for step in result.steps] == ["fstab", "mount"]
    assert "pquota" in result.targets[0].options


def test_a_filesystem_that_keeps_quotas_needs_nothing():
    host = host_with(quota=True)
    lines = [dataclasses.replace(host.fstab[0], options=f"noatime,pquota,{BOOT}"), host.fstab[1]]
    assert told(compute(QUOTA, dataclasses.replace(host, fstab=lines))) == []


def test_the_option_alone_is_judged_like_the_key():
    entries = [{"name": "overlay2", "size": "4GiB", "options": ["noatime", "prjquota"]}, {"name": "volumes"}]
    assert "never in a remount" in refused(compute(entries, host_with()))
