# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

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
    StoredData,
)
from hypothesis import given
from hypothesis import strategies as st

MIB = layout.MIB
GIB = layout.GIB
MAPPING = Mapping((Range("dockremap", 100000, 65536),), (Range("dockremap", 100000, 65536),))
ROOT = "/var/lib/docker/100000.100000"
LOOP = "/var/lib/bulkhead/loop"
BLANK = Device("/dev/sdb", 10 * GIB)


def compute(entries, host, wipe=(), disk="/dev/sdb", mapping=MAPPING, data_root="/var/lib/docker", fstype="xfs"):
    parsed, problems = layout.parse(entries, disk, LOOP, fstype)
    assert problems == []
    return plan.compute(parsed, host, data_root, mapping, wipe)


def host_with(device=BLANK, **more):
    return HostStorage(devices={"/dev/sdb": device}, loop_free=100 * GIB, **more)


BOTH = [{"name": "overlay2", "size": "4GiB"}, {"name": "volumes"}]


def actions(result):
    return [step.action for step in result.steps]


def refusals(result):
    assert result.steps == ()
    return [str(problem) for problem in result.problems]


def made(host=None, **partitions):
    """The disk as it is after the plan of BOTH was carried out."""
    parts = (
        Partition("/dev/sdb1", 1, MIB, 4 * GIB, "bulkhead-overlay2", "xfs", "uuid-overlay2"),
        Partition("/dev/sdb2", 2, MIB + 4 * GIB, 6 * GIB - 2 * MIB, "bulkhead-volumes", "xfs", "uuid-volumes"),
    )
    return dataclasses.replace(BLANK, signatures=("gpt", "PMBR"), table="gpt", partitions=parts, blank=False, **partitions)


MOUNTED = (Mount("/dev/sdb1", f"{ROOT}/overlay2", "xfs", "uuid-overlay2"), Mount("/dev/sdb2", f"{ROOT}/volumes", "xfs", "uuid-volumes"))
IN_FSTAB = (
    FstabLine("UUID=uuid-overlay2", f"{ROOT}/overlay2", "xfs", "noatime,nofail,x-systemd.device-timeout=30s"),
    FstabLine("UUID=uuid-volumes", f"{ROOT}/volumes", "xfs", "noatime,nodev,nosuid,nofail,x-systemd.device-timeout=30s"),
)
USED = ("/dev/sdb1 is mounted somewhere",)


def test_a_blank_disk_is_divided_formatted_and_mounted():
    result = compute(BOTH, host_with())
    assert result.problems == ()
    assert actions(result) == ["partition", "format", "partition", "format", "fstab", "mount", "fstab", "mount"]
    first, second = [step for step in result.steps if step.action == "partition"]
    assert (first.arguments["start"], first.arguments["end"]) == (1, 1 + 4096)
    assert (second.arguments["start"], second.arguments["end"]) == (4097, 10 * 1024 - 1)
    assert [target.mount_point for target in result.targets] == [f"{ROOT}/overlay2", f"{ROOT}/volumes"]


def test_a_host_that_has_its_layout_needs_nothing():
    result = compute(BOTH, host_with(made(used_by=USED), mounts=MOUNTED, fstab=IN_FSTAB, data=[StoredData(ROOT, "3 volumes")]))
    assert (result.problems, result.steps) == ((), ())
    assert [target.uuid for target in result.targets] == ["uuid-overlay2", "uuid-volumes"]


def test_a_filesystem_that_dockerd_unmounted_is_mounted_again_although_there_is_data():
    result = compute(BOTH, host_with(made(used_by=USED), mounts=MOUNTED[1:], fstab=IN_FSTAB, data=[StoredData(ROOT, "3 volumes")]))
    assert result.problems == ()
    assert actions(result) == ["mount"]


def test_an_interrupted_run_is_finished():
    half = dataclasses.replace(made(), partitions=made().partitions[:1])
    result = compute(BOTH, host_with(half))
    assert actions(result) == ["partition", "format", "fstab", "mount", "fstab", "mount"]


def test_a_new_partition_takes_the_lowest_free_number_after_the_last():
    second = dataclasses.replace(made(), partitions=made().partitions[1:])
    entries = [{"name": "overlay2", "size": "400MiB"}, {"name": "volumes"}]
    result = compute(entries, host_with(dataclasses.replace(second, size=12 * GIB), fstab=IN_FSTAB[1:]))
    step = next(step for step in result.steps if step.action == "partition")
    assert step.arguments["number"] == 1
    assert step.arguments["start"] >= 10 * 1024 - 1


def test_a_filesystem_that_was_being_made_is_made_again():
    result = compute(BOTH, host_with(made(), claims=frozenset({"/dev/sdb", "/dev/sdb1"})))
    assert [step.device for step in result.steps if step.action == "format"] == ["/dev/sdb1"]


def with_first(**changes):
    """The disk of BOTH with its first partition changed."""
    first, second = made().partitions
    return dataclasses.replace(made(), partitions=(dataclasses.replace(first, **changes), second))


def test_a_filesystem_that_cannot_be_recognised_is_not_formatted_over():
    damaged = with_first(signature="", uuid="", blank=False)
    assert "perhaps because it is damaged" in refusals(compute(BOTH, host_with(damaged), wipe=["/dev/sdb"]))[0]
    assert "format" in actions(compute(BOTH, host_with(damaged, claims=frozenset({"/dev/sdb1"}))))
    assert "format" in actions(compute(BOTH, host_with(with_first(signature="", uuid="", blank=True))))


def test_a_claimed_filesystem_that_somebody_uses_is_not_made_again():
    used = with_first(content=("pg",))
    assert "holds files (pg)" in refusals(compute(BOTH, host_with(used, claims=frozenset({"/dev/sdb1"}))))[0]


def test_permission_to_wipe_never_reaches_partitions_of_ours():
    beside = dataclasses.replace(made(), partitions=(*made().partitions, Partition("/dev/sdb3", 3, 9 * GIB, GIB, "backup", "ext4")))
    assert "partitions of this role beside others" in refusals(compute(BOTH, host_with(beside), wipe=["/dev/sdb"]))[0]


def test_wiping_takes_the_old_partitions_first():
    old = tuple(Partition(f"/dev/sdb{number}", number, number * GIB, GIB, "data", "ext4") for number in (1, 2))
    foreign = dataclasses.replace(BLANK, table="gpt", signatures=("gpt",), partitions=old, blank=False)
    step = compute(BOTH, host_with(foreign), wipe=["/dev/sdb"]).steps[0]
    assert (step.action, step.arguments["devices"]) == ("wipe", ["/dev/sdb2", "/dev/sdb1", "/dev/sdb"])


def test_a_partition_is_not_adopted_from_a_disk_that_is_divided():
    inside = Device("/dev/sdb1", GIB, is_partition=True, parent="/dev/sdb", signatures=("xfs",), filesystem="xfs", uuid="u", blank=False, ftype=True)
    host = HostStorage(devices={"/dev/sdb": BLANK, "/dev/sdb1": inside}, loop_free=0)
    entries = [{"name": "overlay2", "device": "/dev/sdb"}, {"name": "volumes", "device": "/dev/sdb1", "backend": "existing"}]
    assert any("is a partition of /dev/sdb, which the layout divides for overlay2" in text for text in refusals(compute(entries, host)))


def test_a_filesystem_in_use_does_not_lose_its_guard():
    guarded = [f"{ROOT}/overlay2", f"{ROOT}/volumes"]
    host = host_with(made(used_by=USED), mounts=MOUNTED, fstab=IN_FSTAB, guarded=guarded)
    assert "no longer names it" in refusals(compute(BOTH[:1], host))[0]
    given_up = host_with(made(used_by=USED), mounts=MOUNTED[:1], fstab=IN_FSTAB[:1], guarded=guarded)
    assert compute(BOTH[:1], given_up).problems == ()


def test_changed_options_are_written_without_touching_the_mount():
    entries = [{"name": "overlay2", "size": "4GiB", "options": ["noatime", "nodiratime"]}, {"name": "volumes"}]
    result = compute(entries, host_with(made(used_by=USED), mounts=MOUNTED, fstab=IN_FSTAB, data=[StoredData(ROOT, "1 volume")]))
    assert (result.problems, actions(result)) == ((), ["fstab"])
    assert result.targets[0].mounted_from == "/dev/sdb1"


NAMELESS = {"label": "primary", "signature": "", "uuid": ""}


@pytest.mark.parametrize("later", [True, False])
def test_a_partition_that_was_made_and_not_named_when_a_run_was_killed_is_named(later):
    disk = with_first(**NAMELESS)
    disk = disk if later else dataclasses.replace(disk, partitions=disk.partitions[:1])
    result = compute(BOTH, host_with(disk, claims=frozenset({"/dev/sdb", "/dev/sdb1"})))
    assert result.problems == ()
    named = [(step.arguments["number"], step.arguments["label"], step.arguments["start"]) for step in result.steps if step.action == "partition"]
    assert named == [(1, "bulkhead-overlay2", 1), *([] if later else [(2, "bulkhead-volumes", 4097)])]
    assert [step.device for step in result.steps if step.action == "format"] == ["/dev/sdb1", *([] if later else ["/dev/sdb2"])]


@pytest.mark.parametrize(
    ("changes", "claims"),
    [
        ({}, ()),
        ({}, ("/dev/sdb1",)),
        ({}, ("/dev/sdb",)),
        ({"signature": "ext4"}, ("/dev/sdb", "/dev/sdb1")),
        ({"blank": False}, ("/dev/sdb", "/dev/sdb1")),
        ({"size": 3 * GIB}, ("/dev/sdb", "/dev/sdb1")),
    ],
)
def test_any_other_partition_beside_ours_is_somebodys(changes, claims):
    disk = with_first(**{**NAMELESS, **changes})
    assert "beside others" in refusals(compute(BOTH, host_with(disk, claims=frozenset(claims))))[0]


def test_an_empty_table_is_ours_only_while_the_claim_holds():
    empty = dataclasses.replace(BLANK, signatures=("gpt",), table="gpt", blank=False)
    assert compute(BOTH, host_with(empty, claims=frozenset({"/dev/sdb"}))).problems == ()
    assert "gpt table with 0 partitions" in refusals(compute(BOTH, host_with(empty)))[0]


@pytest.mark.parametrize(
    "device, word",
    [
        (None, "is missing"),
        (dataclasses.replace(BLANK, signatures=("ext4",), blank=False), "holds ext4"),
        (dataclasses.replace(BLANK, signatures=("LVM2_member",), blank=False), "holds LVM2_member"),
        (dataclasses.replace(BLANK, signatures=("crypto_LUKS",), blank=False), "holds crypto_LUKS"),
        (dataclasses.replace(BLANK, signatures=("dos",), table="dos", blank=False), "dos table"),
        (
            dataclasses.replace(BLANK, signatures=("gpt",), table="gpt", partitions=(Partition("/dev/sdb1", 1, MIB, GIB, "EFI", "vfat"),), blank=False),
            "gpt table with 1 partition;",
        ),
        (dataclasses.replace(BLANK, blank=False), "data without a known signature"),
        (dataclasses.replace(BLANK, used_by=("/dev/sdb is mounted on /srv",), signatures=("xfs",), blank=False), "in use (/dev/sdb is mounted on /srv)"),
        (dataclasses.replace(BLANK, used_by=("/dev/sdb belongs to md0",)), "belongs to md0"),
        (dataclasses.replace(BLANK, size=3 * GIB), "too small"),
        (dataclasses.replace(BLANK, size=4 * GIB + 200 * MIB), "too small"),
        (dataclasses.replace(BLANK, read_only=True), "read-only"),
        (dataclasses.replace(BLANK, path="/dev/dm-3"), "device mapper"),
        (dataclasses.replace(BLANK, path="/dev/sdb1", is_partition=True), "is a partition"),
    ],
)
def test_a_disk_that_is_not_blank_free_and_large_enough_is_refused(device, word):
    found = refusals(compute(BOTH, host_with(device)))
    assert len(found) == 1
    assert word in found[0]


def test_wiping_is_only_for_the_device_that_is_named():
    foreign = dataclasses.replace(BLANK, signatures=("ext4",), blank=False)
    assert "holds ext4" in refusals(compute(BOTH, host_with(foreign), wipe=["/dev/sdc"]))[0]
    assert actions(compute(BOTH, host_with(foreign), wipe=["/dev/sdb"]))[0] == "wipe"


def test_a_device_in_use_is_never_wiped():
    foreign = dataclasses.replace(BLANK, signatures=("ext4",), blank=False, used_by=("/dev/sdb is mounted on /srv",))
    assert "in use" in refusals(compute(BOTH, host_with(foreign), wipe=["/dev/sdb"]))[0]


def test_permission_to_wipe_does_not_destroy_what_was_made_before():
    result = compute(BOTH, host_with(made(used_by=USED), mounts=MOUNTED, fstab=IN_FSTAB), wipe=["/dev/sdb"])
    assert (result.problems, result.steps) == ((), ())


def test_links_to_the_same_disk_are_one_disk():
    host = HostStorage(devices={"/dev/disk/by-id/a": BLANK, "/dev/disk/by-id/b": BLANK}, loop_free=0)
    entries = [{"name": "overlay2", "device": "/dev/disk/by-id/a", "size": "4GiB"}, {"name": "volumes", "device": "/dev/disk/by-id/b"}]
    numbers = [step.arguments["number"] for step in compute(entries, host).steps if step.action == "partition"]
    assert numbers == [1, 2]


def test_a_device_named_for_two_purposes_is_refused():
    formatted = dataclasses.replace(BLANK, signatures=("xfs",), filesystem="xfs", uuid="u", blank=False)
    entries = [{"name": "overlay2", "device": "/dev/sdb", "backend": "existing"}, {"name": "volumes", "device": "/dev/sdb", "backend": "existing"}]
    assert any("named twice" in text for text in refusals(compute(entries, host_with(formatted))))


@pytest.mark.parametrize("size, word", [("5GiB", "cannot grow, because /dev/sdb2 lies behind it"), ("3GiB", "shrinking it would destroy data")])
def test_a_partition_before_another_keeps_its_size(size, word):
    entries = [{"name": "overlay2", "size": size}, {"name": "volumes"}]
    assert any(word in text for text in refusals(compute(entries, host_with(made(used_by=USED), mounts=MOUNTED, fstab=IN_FSTAB))))


def test_another_type_of_filesystem_is_refused_instead_of_formatted():
    found = refusals(compute(BOTH, host_with(made(used_by=USED), mounts=MOUNTED, fstab=IN_FSTAB), fstype="ext4"))
    assert all("would destroy" in text for text in found if "sdb" in text)


def test_other_id_ranges_do_not_move_filesystems_with_data():
    other = Mapping((Range("dockremap", 200000, 65536),), (Range("dockremap", 200000, 65536),))
    found = refusals(compute(BOTH, host_with(made(used_by=USED), mounts=MOUNTED, fstab=IN_FSTAB), mapping=other))
    assert any("never moved with its own" in text for text in found)


def test_fstab_alone_is_enough_to_know_that_a_filesystem_has_its_place():
    other = Mapping((Range("dockremap", 200000, 65536),), (Range("dockremap", 200000, 65536),))
    found = refusals(compute(BOTH, host_with(made(), fstab=IN_FSTAB), mapping=other))
    assert any("/etc/fstab" in text and "restore the earlier setting" in text for text in found)


@pytest.mark.parametrize("root", ["/var/lib/docker", "/var/lib/docker/165536.165536", ROOT, "/srv/docker"])
def test_docker_data_anywhere_forbids_new_filesystems(root):
    found = refusals(compute(BOTH, host_with(data=[StoredData(root, "2 containers")])))
    assert len(found) == 1
    assert root in found[0]
    assert "2 containers" in found[0]


def test_another_data_root_with_data_is_refused():
    host = host_with(configured_data_root="/srv/docker", data=[StoredData("/srv/docker/100000.100000", "1 volume")])
    assert "or the data-root to /srv/docker" in refusals(compute(BOTH, host))[0]


def test_another_data_root_without_data_may_be_left():
    assert compute(BOTH, host_with(configured_data_root="/srv/docker")).problems == ()


def test_data_below_a_mount_point_is_not_hidden():
    found = refusals(compute(BOTH, host_with(made(), fstab=IN_FSTAB, bare={f"{ROOT}/volumes": ["pg"]})))
    assert any("without being a mount point (pg)" in text for text in found)


def test_a_foreign_mount_in_the_way_is_refused():
    host = host_with(mounts=[Mount("/dev/sdz1", f"{ROOT}/volumes", "ext4", "other")])
    assert any("has /dev/sdz1 (ext4) mounted on it" in text for text in refusals(compute(BOTH, host)))


def test_a_foreign_line_in_fstab_is_refused():
    host = host_with(fstab=[FstabLine("/dev/sdz1", f"{ROOT}/volumes", "ext4", "defaults")])
    assert any("/etc/fstab" in text and "/dev/sdz1" in text for text in refusals(compute(BOTH, host)))


def test_another_disk_that_is_too_small_is_known_for_another_one():
    found = refusals(compute(BOTH, host_with(dataclasses.replace(BLANK, size=200 * MIB), fstab=IN_FSTAB)))
    assert any("is too small" in text for text in found)
    assert len([text for text in found if "attach the disk" in text]) == len(IN_FSTAB)


def test_a_lost_disk_is_not_replaced_by_an_empty_one_in_silence():
    found = refusals(compute(BOTH, host_with(fstab=IN_FSTAB)))
    assert all("attach the disk" in text for text in found)


def test_a_symbolic_link_in_the_path_is_refused():
    assert any("symbolic link /var/lib/docker" in text for text in refusals(compute(BOTH, host_with(links={f"{ROOT}/volumes": "/var/lib/docker"}))))


EXISTING = [{"name": "volumes", "backend": "existing", "device": "/dev/sdb"}]
FORMATTED = dataclasses.replace(BLANK, signatures=("xfs",), filesystem="xfs", uuid="u", blank=False, ftype=True)


def test_an_existing_filesystem_is_mounted_as_it_is():
    result = compute(EXISTING, host_with(FORMATTED))
    assert actions(result) == ["fstab", "mount"]
    assert result.targets[0].source == "UUID=u"


@pytest.mark.parametrize(
    "device, word",
    [
        (None, "is missing"),
        (BLANK, "holds no filesystem"),
        (dataclasses.replace(FORMATTED, filesystem="ext4"), "holds ext4, but the layout asks for xfs"),
        (dataclasses.replace(FORMATTED, content=("photos",)), "is not empty (photos)"),
        (dataclasses.replace(FORMATTED, used_by=("/dev/sdb is mounted on /srv",)), "in use"),
        (dataclasses.replace(FORMATTED, ftype=False), "without ftype=1"),
        (dataclasses.replace(FORMATTED, size=100 * MIB), "too small"),
        (dataclasses.replace(FORMATTED, read_only=True), "read-only"),
    ],
)
def test_an_existing_filesystem_must_be_empty_and_fit(device, word):
    assert word in refusals(compute(EXISTING, host_with(device)))[0]


def test_an_existing_filesystem_that_was_adopted_may_hold_data():
    line = FstabLine("UUID=u", f"{ROOT}/volumes", "xfs", "noatime,nodev,nosuid,nofail,x-systemd.device-timeout=30s")
    result = compute(EXISTING, host_with(dataclasses.replace(FORMATTED, content=("pg",)), fstab=[line], data=[StoredData(ROOT, "1 volume")]))
    assert result.problems == ()
    assert actions(result) == ["mount"]


def loop_host(image=None, free=100 * GIB, **more):
    path = f"{LOOP}/overlay2.img"
    return HostStorage(images={path: image or Image(path)}, loop_free=free, **more)


LOOP_ENTRY = [{"name": "overlay2", "backend": "loop", "size": "2GiB"}]


def test_a_loop_image_is_allocated_formatted_and_mounted():
    result = compute(LOOP_ENTRY, loop_host(), disk="")
    assert actions(result) == ["allocate", "format", "fstab", "mount"]
    assert result.targets[0].source == f"{LOOP}/overlay2.img"
    assert result.targets[0].options[0] == "loop"


def test_loop_images_must_fit_and_leave_room():
    assert "must stay free" in refusals(compute(LOOP_ENTRY, loop_host(free=2 * GIB + 100 * MIB), disk=""))[0]
    assert compute(LOOP_ENTRY, loop_host(free=3 * GIB), disk="").problems == ()


@pytest.mark.parametrize(
    "image, word",
    [
        (Image(f"{LOOP}/overlay2.img", 2 * GIB, "ext4", "u"), "keep fstype ext4"),
        (Image(f"{LOOP}/overlay2.img", 3 * GIB, "xfs", "u"), "shrinking"),
        (Image(f"{LOOP}/overlay2.img", 2 * GIB, blank=False), "no filesystem"),
    ],
)
def test_a_loop_image_with_content_is_kept(image, word):
    assert word in refusals(compute(LOOP_ENTRY, loop_host(image), disk=""))[0]


def test_an_image_that_was_only_allocated_is_formatted():
    result = compute(LOOP_ENTRY, loop_host(Image(f"{LOOP}/overlay2.img", 2 * GIB)), disk="")
    assert "format" in actions(result)


@pytest.mark.parametrize(
    "device, number, path",
    [("/dev/sdb", 1, "/dev/sdb1"), ("/dev/nvme0n1", 2, "/dev/nvme0n1p2"), ("/dev/loop7", 1, "/dev/loop7p1"), ("/dev/vda", 12, "/dev/vda12")],
)
def test_partition_paths(device, number, path):
    assert backends.partition_path(device, number) == path


SIZES = st.one_of(st.none(), st.integers(1, 100).map(lambda share: f"{share}%"), st.integers(300, 20000).map(lambda size: f"{size}MiB"))


@given(st.lists(SIZES, min_size=1, max_size=5), st.integers(100, 40000))
def test_partitions_never_overlap_and_never_leave_the_disk(sizes, disk_mib):
    entries = [{"name": name, "size": size} for name, size in zip(layout.PURPOSES, sizes)]
    disk = dataclasses.replace(BLANK, size=disk_mib * MIB)
    result = compute(entries, host_with(disk))
    if result.problems:
        assert result.steps == ()
        return
    spans = sorted((step.arguments["start"], step.arguments["end"]) for step in result.steps if step.action == "partition")
    assert len(spans) == len(entries)
    assert spans[0][0] >= 1
    assert spans[-1][1] <= disk_mib - 1
    assert all(end - start >= 300 for start, end in spans)
    assert all(before[1] <= after[0] for before, after in zip(spans, spans[1:]))


def moving(entries, host, movable, **more):
    parsed, problems = layout.parse(entries, "/dev/sdb", LOOP, "xfs")
    assert problems == []
    return plan.compute(parsed, host, "/var/lib/docker", more.get("mapping"), movable=movable)


IN_USE = [StoredData("/var/lib/docker", "2 containers")]
PLAIN = {"/var/lib/docker/overlay2": ("aa", "l"), "/var/lib/docker/volumes": ("v",)}


def test_directories_in_use_are_moved_before_their_filesystems_take_their_place():
    result = moving(BOTH, host_with(data=IN_USE, bare=PLAIN), plan.Movable("/var/lib/docker"))
    assert result.problems == ()
    assert [target.moves for target in result.targets] == [True, True]
    assert actions(result)[-6:] == ["move", "fstab", "mount", "move", "fstab", "mount"]
    assert result.sizes["/var/lib/docker/overlay2"] == int(4 * GIB * 0.96)


def test_without_leave_the_same_host_is_refused():
    assert any("docker_storage_existing_data" in text for text in refusals(moving(BOTH, host_with(data=IN_USE, bare=PLAIN), None)))


def test_filesystems_of_another_root_are_made_beside_the_one_in_use():
    result = moving(BOTH, host_with(data=IN_USE), plan.Movable("/var/lib/docker"), mapping=MAPPING)
    assert result.problems == ()
    assert not any(target.moves for target in result.targets)


def test_what_lies_in_the_new_root_is_not_replaced_unless_an_unfinished_move_put_it_there():
    host = host_with(data=[*IN_USE, StoredData(ROOT, "1 volume")])
    assert "docker_storage_old_data" in refusals(moving(BOTH, host, plan.Movable("/var/lib/docker"), mapping=MAPPING))[0]
    assert moving(BOTH, host, plan.Movable("/var/lib/docker", ROOT), mapping=MAPPING).problems == ()


def test_the_same_filesystem_is_not_asked_to_be_in_two_places():
    host = host_with(made(used_by=USED), mounts=MOUNTED, fstab=IN_FSTAB, data=[StoredData(ROOT, "1 volume")], guarded=[f"{ROOT}/overlay2"])
    found = refusals(moving(BOTH, host, plan.Movable(ROOT)))
    assert any("give the new place another disk" in text for text in found)
    assert not any("is guarded" in text for text in found)


def test_a_filesystem_over_the_root_in_use_and_other_ids_take_two_runs():
    found = refusals(moving([{"name": "data-root"}], host_with(data=IN_USE), plan.Movable("/var/lib/docker"), mapping=MAPPING))
    assert any("in a second run" in text for text in found)


def test_containerds_own_data_is_not_moved():
    host = host_with(data=[*IN_USE, StoredData("/var/lib/containerd", "containerd's images", True)], bare=PLAIN)
    found = refusals(moving([*BOTH[:1], {"name": "containerd"}], host, plan.Movable("/var/lib/docker")))
    assert any("leave containerd out" in text for text in found)


STAGED = (Mount("/dev/sdb1", "/var/lib/bulkhead/move/overlay2", "xfs", "uuid-overlay2"),)


def test_a_filesystem_that_a_killed_move_left_mounted_is_no_obstacle_for_the_next_run():
    disk = made(used_by=("/dev/sdb1 is mounted on /var/lib/bulkhead/move/overlay2",))
    result = moving(BOTH, host_with(disk, mounts=STAGED, data=IN_USE, bare=PLAIN), plan.Movable("/var/lib/docker", "/var/lib/docker", ("uuid-overlay2",)))
    assert result.problems == ()
    assert [target.moves for target in result.targets] == [True, True]


def test_an_existing_filesystem_that_a_killed_move_has_begun_to_fill_may_be_filled_further():
    device = Device(
        "/dev/sdc1", 10 * GIB, filesystem="xfs", uuid="uuid-c", content=("aa", "l"), blank=False,
        used_by=("/dev/sdc1 is mounted on /var/lib/bulkhead/move/overlay2",),
    )
    entries = [{"name": "overlay2", "backend": "existing", "device": "/dev/sdc1"}]
    host = HostStorage(devices={"/dev/sdc1": device}, loop_free=0, data=IN_USE, bare=PLAIN)
    assert moving(entries, host, plan.Movable("/var/lib/docker", "/var/lib/docker", ("uuid-c",))).problems == ()
    for filled in ((), ("uuid-of-another-disk", "/dev/sdc1")):
        assert any("is not empty" in text for text in refusals(moving(entries, host, plan.Movable("/var/lib/docker", "/var/lib/docker", filled))))
