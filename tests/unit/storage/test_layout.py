# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_ranges import Mapping, Range
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import layout

GIB = layout.GIB
REMAPPED = Mapping((Range("dockremap", 100000, 65536),), (Range("dockremap", 200000, 65536),))


def parse(*entries, disk="", fstype="xfs"):
    return layout.parse(list(entries), disk, "/var/lib/bulkhead/loop", fstype)


def test_without_a_disk_an_entry_is_a_loop_image():
    entries, problems = parse({"name": "overlay2"})
    assert problems == []
    assert entries == [layout.Entry("overlay2", "loop", "/var/lib/bulkhead/loop/overlay2.img", 10 * GIB, "xfs", ("noatime",))]


def test_with_a_disk_an_entry_is_a_partition_of_it():
    entries, problems = parse({"name": "overlay2", "size": "60%"}, {"name": "volumes"}, disk="/dev/sdb", fstype="ext4")
    assert problems == []
    assert [(entry.backend, entry.device, entry.size, entry.fstype) for entry in entries] == [
        ("partition", "/dev/sdb", 0.6, "ext4"),
        ("partition", "/dev/sdb", None, "ext4"),
    ]


def test_a_device_of_its_own_makes_a_partition():
    entries, _problems = parse({"name": "overlay2", "device": "/dev/sdc"})
    assert (entries[0].backend, entries[0].device) == ("partition", "/dev/sdc")


@pytest.mark.parametrize(
    "entry, disk, expected",
    [
        ({"group": "data"}, "/dev/sdb", ("lvm", "", "data")),
        ({"group": "data", "device": "/dev/sdc"}, "", ("lvm", "/dev/sdc", "data")),
        ({"backend": "lvm"}, "/dev/sdb", ("lvm", "/dev/sdb", "bulkhead")),
        ({"backend": "lvm", "device": "/dev/sdc"}, "/dev/sdb", ("lvm", "/dev/sdc", "bulkhead")),
    ],
)
def test_a_group_without_a_device_is_there_already(entry, disk, expected):
    entries, problems = parse({"name": "overlay2", **entry}, disk=disk)
    assert problems == []
    assert (entries[0].backend, entries[0].device, entries[0].group) == expected
    assert entries[0].size is None
    assert "loop" not in entries[0].mount_options


@pytest.mark.parametrize(
    "entry, options",
    [
        ({"name": "overlay2"}, ("noatime", "pquota")),
        ({"name": "volumes"}, ("noatime", "nosuid", "pquota")),
        ({"name": "data-root", "options": []}, ("pquota",)),
        ({"name": "overlay2", "options": ["prjquota", "noatime"]}, ("prjquota", "noatime")),
    ],
)
def test_a_quota_is_an_option_and_takes_nodev_away(entry, options):
    entries, problems = parse({**entry, "quota": True})
    assert problems == []
    assert entries[0].options == options
    assert entries[0].quota


def test_without_a_quota_nothing_changes():
    entries, _problems = parse({"name": "volumes", "quota": False})
    assert entries[0].options == ("noatime", "nodev", "nosuid")
    assert not entries[0].quota


def test_parents_come_before_children():
    entries, _problems = parse({"name": "containers"}, {"name": "volumes"}, {"name": "data-root"}, {"name": "overlay2"})
    assert [entry.name for entry in entries] == ["data-root", "overlay2", "volumes", "containers"]


@pytest.mark.parametrize(
    "entry, word",
    [
        ({"name": "images"}, "'images' is no directory"),
        ({}, "without a name"),
        ({"name": "overlay2", "backend": "zfs"}, "backend 'zfs'"),
        ({"name": "overlay2", "backend": "partition"}, "names no device"),
        ({"name": "overlay2", "backend": "existing"}, "names no device"),
        ({"name": "overlay2", "device": "sdb"}, "absolute path below /dev"),
        ({"name": "overlay2", "device": "/srv/disk.img"}, "absolute path below /dev"),
        ({"name": "overlay2", "fstype": "btrfs"}, "asks for btrfs"),
        ({"name": "overlay2", "size": "much"}, "is not a size"),
        ({"name": "overlay2", "size": "100m"}, "too small"),
        ({"name": "overlay2", "size": "50%"}, "in percent"),
        ({"name": "overlay2", "size": "rest"}, "'rest'"),
        ({"name": "overlay2", "device": "/dev/sdb", "size": "0%"}, "from 1% to 100%"),
        ({"name": "overlay2", "device": "/dev/sdb", "size": "101%"}, "from 1% to 100%"),
        ({"name": "overlay2", "device": "/dev/sdb", "size": "1.5%"}, "from 1% to 100%"),
        ({"name": "overlay2", "backend": "existing", "device": "/dev/sdb", "size": "1g"}, "keeps its own"),
        ({"name": "overlay2", "backend": "loop", "device": "/dev/sdb"}, "names a device"),
        ({"name": "overlay2", "options": ["noauto"]}, "noauto"),
        ({"name": "overlay2", "options": ["ro"]}, "must be able to write"),
        ({"name": "overlay2", "options": ["noatime,nodev"]}, "one list element"),
        ({"name": "overlay2", "options": ["a b"]}, "one list element"),
        ({"name": "overlay2", "partition": 1}, "unknown key partition"),
        ({"name": "overlay2", "backend": "lvm"}, "neither a device nor a group"),
        ({"name": "overlay2", "group": "-vg"}, "begins with none of"),
        ({"name": "overlay2", "group": "a/b"}, "names the volume group 'a/b'"),
        ({"name": "overlay2", "group": ".."}, "names the volume group '..'"),
        ({"name": "overlay2", "backend": "loop", "group": "data"}, "its backend is loop"),
        ({"name": "overlay2", "backend": "lvm", "device": "sdb"}, "absolute path below /dev"),
        ({"name": "overlay2", "quota": "maybe"}, "quota: 'maybe'"),
        ({"name": "overlay2", "quota": True, "fstype": "ext4"}, "quotas on xfs only"),
        ({"name": "containers", "quota": True}, "Docker sets none there"),
        ({"name": "volumes", "quota": True, "options": ["noatime", "nodev"]}, "nodev beside quota"),
        ({"name": "volumes", "quota": True, "options": ["noquota"]}, "noquota beside quota"),
    ],
)
def test_what_is_wrong_is_named(entry, word):
    entries, problems = parse(entry)
    assert entries == []
    assert word in str(problems[0])
    assert "layout entry 1" in problems[0].where


@pytest.mark.parametrize("path, plain", [
    ("/var/lib/docker", True), ("/srv/docker-data_1.x/", True), ("/", False), ("var/lib", False), ("/var/../etc", False), ("/var/./lib", False),
    ("/var/lib/my docker", False), ("/var/lib/100%", False), ("/var//lib", False), ("/srv/..hidden", True),
])
def test_paths_that_units_and_fstab_read_as_written(path, plain):
    assert bool(layout.PLAIN_PATH.fullmatch(path)) is plain


def test_every_problem_is_found_at_once():
    _entries, problems = parse({"name": "images"}, {"name": "volumes"}, {"name": "volumes"}, {"name": "overlay2", "size": "x"})
    assert len(problems) == 3


def test_the_line_in_fstab_lets_the_machine_boot_without_the_disk():
    entries, _problems = parse({"name": "volumes", "options": ["noatime"]})
    assert entries[0].mount_options == ("loop", "noatime", "nofail", "x-systemd.device-timeout=30s")


@pytest.mark.parametrize(
    "name, mapping, expected",
    [
        ("overlay2", None, ("/var/lib/docker/overlay2", 0o710, 0)),
        ("overlay2", REMAPPED, ("/var/lib/docker/100000.200000/overlay2", 0o710, 200000)),
        ("volumes", REMAPPED, ("/var/lib/docker/100000.200000/volumes", 0o701, 0)),
        ("containers", REMAPPED, ("/var/lib/docker/100000.200000/containers", 0o710, 200000)),
        ("data-root", REMAPPED, ("/var/lib/docker", 0o710, 200000)),
        ("containerd", REMAPPED, ("/var/lib/containerd", None, 0)),
    ],
)
def test_places_follow_the_effective_root(name, mapping, expected):
    place = layout.place(name, "/var/lib/docker", mapping)
    assert (place.mount_point, place.mode, place.gid) == expected
