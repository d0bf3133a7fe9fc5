# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Each step looks at what it is about to change, and makes nothing smaller."""

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    filesystem_size,
    mount_table,
    mounts,
    storage_growth,
    superblock,
)

MIB = 1024**2
GIB = 1024**3
PARTITION = {"action": "enlarge", "kind": "partition", "device": "/dev/sdb2", "disk": "/dev/sdb", "number": 2, "start": 4 * GIB, "size": 10 * GIB}
GROW = {"action": "grow", "device": "/dev/sdb2", "mount_point": "/d/volumes", "fstype": "xfs", "uuid": "u", "size": 10 * GIB}


@pytest.fixture
def sysfs(tree, monkeypatch):
    monkeypatch.setattr(storage_growth, "_SYSFS", tree.path("/sys/class/block"))

    def partition(size, start=4 * GIB, number=2):
        for name, value in (("partition", number), ("start", start // 512), ("size", size // 512)):
            tree.write(f"/sys/class/block/sdb2/{name}", f"{value}\n")

    partition.tree = tree
    return partition


@pytest.fixture
def asked(monkeypatch):
    """The commands that were run, each with what was given to it; `then` is done by the last one of a name."""
    ran = []
    then = {}

    def run(arguments, timeout=60, check=True, stdin=None):
        ran.append((" ".join(arguments), stdin))
        then.get(arguments[0], lambda: None)()
        return commands.CommandResult(0, "", "")

    monkeypatch.setattr(commands, "run", run)
    run.ran, run.then = ran, then
    return run


def test_a_partition_is_enlarged_while_it_is_in_use(sysfs, asked):
    sysfs(6 * GIB)
    asked.then["partx"] = lambda: sysfs(10 * GIB)
    storage_growth.carry_out(PARTITION)
    assert asked.ran == [
        ("sfdisk --quiet --no-reread --no-tell-kernel --partno 2 -- /dev/sdb", "size=10240MiB\n"),
        ("partx --update --nr 2 -- /dev/sdb", None),
    ]


@pytest.mark.parametrize("changes", [{"size": 11 * GIB}, {"size": 6 * GIB, "start": 5 * GIB}, {"size": 6 * GIB, "number": 3}])
def test_another_partition_than_the_plan_saw_is_left_alone(sysfs, asked, changes):
    sysfs(**changes)
    with pytest.raises(storage_growth.GrowthError, match="not the partition that the plan saw"):
        storage_growth.carry_out(PARTITION)
    assert asked.ran == []


@pytest.mark.parametrize("after", [{"size": 6 * GIB}, {"size": 10 * GIB, "start": 5 * GIB}])
def test_a_kernel_that_does_not_show_the_new_size_is_no_success(sysfs, asked, after):
    sysfs(6 * GIB)
    asked.then["partx"] = lambda: sysfs(**after)
    with pytest.raises(storage_growth.GrowthError, match="sfdisk --dump"):
        storage_growth.carry_out(PARTITION)


def image_step(tmp_path, size=3 * MIB):
    return {"action": "enlarge", "kind": "image", "device": str(tmp_path / "overlay2.img"), "size": size}


def test_an_image_and_its_loop_device_are_enlarged(tmp_path, sysfs, asked):
    (tmp_path / "overlay2.img").write_bytes(bytes(2 * MIB))
    for name, path in (("loop3", tmp_path / "overlay2.img"), ("loop4", "/elsewhere.img")):
        sysfs.tree.write(f"/sys/class/block/{name}/loop/backing_file", f"{path}\n")
    sysfs.tree.write("/sys/class/block/loop5/size", "0\n")
    storage_growth.carry_out(image_step(tmp_path))
    loop = "losetup --set-capacity /dev/loop3"
    assert [line for line, _stdin in asked.ran] == [f"fallocate --length {3 * MIB} -- {tmp_path / 'overlay2.img'}", loop]


def test_the_loop_device_of_an_image_is_found_behind_a_link(tmp_path, sysfs, asked):
    (tmp_path / "large").mkdir()
    (tmp_path / "large" / "overlay2.img").write_bytes(bytes(2 * MIB))
    (tmp_path / "loop").symlink_to("large")
    sysfs.tree.write("/sys/class/block/loop3/loop/backing_file", f"{tmp_path}/large/overlay2.img\n")
    storage_growth.carry_out(image_step(tmp_path / "loop"))
    assert asked.ran[-1] == ("losetup --set-capacity /dev/loop3", None)


def test_an_image_is_never_made_smaller_and_never_a_link(tmp_path, sysfs, asked):
    (tmp_path / "overlay2.img").write_bytes(bytes(4 * MIB))
    with pytest.raises(storage_growth.GrowthError, match="not the image"):
        storage_growth.carry_out(image_step(tmp_path))
    (tmp_path / "overlay2.img").rename(tmp_path / "other")
    (tmp_path / "overlay2.img").symlink_to(tmp_path / "other")
    with pytest.raises(storage_growth.GrowthError, match="not the image"):
        storage_growth.carry_out(image_step(tmp_path, 8 * MIB))
    assert asked.ran == []


def test_a_logical_volume_is_extended(asked):
    step = {"action": "enlarge", "kind": "volume", "device": "/dev/data/x", "group": "data", "name": "bulkhead-x", "size": GIB}
    storage_growth.carry_out(step)
    assert asked.ran == [(f"lvextend --yes --size {GIB}b -- data/bulkhead-x", None)]


@pytest.fixture
def mounted(monkeypatch):
    """What is mounted on /d/volumes, and how large it is after each look."""

    def state(fstype="xfs", uuid="u", has=10 * GIB, target="/d/volumes"):
        monkeypatch.setattr(mounts, "mountinfo", lambda: [mount_table.MountInfo("8:18", "/", target, fstype, "/dev/sdb2")])
        monkeypatch.setattr(superblock, "uuid", lambda device, kind: uuid if (device, kind) == ("/dev/sdb2", fstype) else "")
        monkeypatch.setattr(filesystem_size, "mounted", lambda *_arguments: has)

    return state


@pytest.mark.parametrize("fstype, command", [("xfs", "xfs_growfs -d /d/volumes"), ("ext4", "resize2fs /dev/sdb2")])
def test_a_filesystem_fills_its_device(mounted, asked, fstype, command):
    mounted(fstype)
    storage_growth.carry_out({**GROW, "fstype": fstype})
    assert asked.ran == [(command, None)]


@pytest.mark.parametrize("changes", [{"uuid": "another"}, {"fstype": "ext4"}, {"target": "/d/elsewhere"}])
def test_another_filesystem_than_the_plan_saw_is_left_alone(mounted, asked, changes):
    mounted(**changes)
    with pytest.raises(storage_growth.GrowthError, match="does not hold the filesystem"):
        storage_growth.carry_out(GROW)
    assert asked.ran == []


def test_a_filesystem_that_did_not_grow_is_no_success(mounted, asked):
    mounted(has=6 * GIB)
    with pytest.raises(storage_growth.GrowthError, match="has 6 GiB after it was grown to 10 GiB"):
        storage_growth.carry_out(GROW)
    assert asked.ran
