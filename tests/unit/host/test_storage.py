# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import disks, files, mounts, storage
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import layout
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.backends import Step
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.facts import (
    Device,
    Image,
    LogicalVolume,
    Mount,
    Partition,
    VolumeGroup,
)

BOOT = "0e2cbc7f-1d5b-4f1f-9d5d-5f2a3c4d5e6f"
VOLUMES = layout.Entry("volumes", "loop", "/var/lib/bulkhead/loop/volumes.img", 10 * layout.GIB, "xfs", ())


@pytest.fixture
def host(tree, monkeypatch):
    for name in ("CLAIMS", "DAEMON_CONFIG", "DEFAULT_DATA_ROOT"):
        monkeypatch.setattr(storage, name, tree.path(getattr(storage, name)))
    monkeypatch.setattr(storage, "open", tree.open, raising=False)
    tree.write("/proc/sys/kernel/random/boot_id", f"{BOOT}\n")
    return tree


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (json.dumps({"boot_id": BOOT, "paths": ["/dev/sdb", "/dev/sdb1"]}), {"/dev/sdb", "/dev/sdb1"}),
        (json.dumps({"boot_id": "another", "paths": ["/dev/sdb"]}), set()),
        (json.dumps({"boot_id": BOOT}), set()),
        (json.dumps(["/dev/sdb"]), set()),
        ('{"boot_id": ', set()),
        ("", set()),
    ],
)
def test_claims_hold_until_the_next_boot(host, text, expected):
    host.write("/var/lib/bulkhead/storage-claims.json", text)
    assert storage.read_claims() == expected


def test_claims_that_are_no_text_are_none(host):
    host.write("/var/lib/bulkhead/storage-claims.json", "")
    (host.top / "var/lib/bulkhead/storage-claims.json").write_bytes(b"\xff\x00")
    assert storage.read_claims() == frozenset()


def test_new_claims_keep_those_of_the_interrupted_run(host):
    host.write("/var/lib/bulkhead/storage-claims.json", json.dumps({"boot_id": BOOT, "paths": ["/dev/sdz"]}))
    steps = [
        Step("wipe", "", "/dev/sdw"),
        Step("partition", "", "/dev/sdb", {"path": "/dev/sdb1"}),
        Step("format", "", "/dev/sdb1", {"fstype": "xfs"}),
        Step("mount", "", "/dev/sdm"),
    ]
    assert storage.claims_for(steps) == {"boot_id": BOOT, "paths": ["/dev/sdb", "/dev/sdb1", "/dev/sdz"]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [('{"data-root": "/srv/docker"}', "/srv/docker"), ('{"data-root": 5}', ""), ("[]", ""), ("{", ""), ("", "")],
)
def test_configured_data_root(host, text, expected):
    host.write("/etc/docker/daemon.json", text)
    assert storage.configured_data_root() == expected


def test_a_host_without_files_has_neither(host):
    assert (storage.configured_data_root(), storage.read_claims()) == ("", frozenset())


def test_a_linked_note_is_refused_and_a_linked_configuration_says_nothing(host):
    host.write("/elsewhere", '{"data-root": "/srv"}')
    for path in ("/etc/docker/daemon.json", "/var/lib/bulkhead/storage-claims.json"):
        (host.top / path[1:]).parent.mkdir(parents=True)
        (host.top / path[1:]).symlink_to(host.top / "elsewhere")
    assert storage.configured_data_root() == ""
    with pytest.raises(files.FileError):
        storage.read_claims()


def test_data_is_found_in_every_root_once(host):
    for root in ("/var/lib/docker", "/var/lib/docker/100000.100000", "/srv/docker", "/srv/asked"):
        host.write(f"{root}/volumes/database/_data/file", "")
    host.write("/etc/docker/daemon.json", json.dumps({"data-root": host.path("/srv/docker")}))
    found = storage.stored_data([VOLUMES], host.path("/srv/asked/"))
    assert [(data.root, data.description) for data in found] == [
        (host.path(root), "1 volume") for root in ("/srv/asked", "/srv/docker", "/var/lib/docker", "/var/lib/docker/100000.100000")
    ]


def test_a_root_that_is_asked_for_and_is_the_default_is_told_once(host):
    host.write("/var/lib/docker/volumes/database/_data/file", "")
    assert len(storage.stored_data([VOLUMES], host.path("/var/lib/docker"))) == 1


@pytest.mark.parametrize(("names", "expected"), [(["containerd"], ["containerd's images"]), (["volumes"], [])])
def test_containerds_images_matter_only_when_it_moves(host, monkeypatch, names, expected):
    monkeypatch.setattr(storage.docker_data, "containerd_holds_data", lambda root: root == "/var/lib/containerd")
    entries = [layout.Entry(name, "loop", "", None, "xfs", ()) for name in names]
    assert [data.description for data in storage.stored_data(entries, host.path("/var/lib/docker"))] == expected


@pytest.mark.parametrize(
    ("steps", "installed", "packages"),
    [
        ([], {"chattr", "blkid", "wipefs"}, []),
        ([], set(), ["e2fsprogs", "util-linux"]),
        ([Step("partition", "")], {"chattr", "blkid", "wipefs"}, ["parted"]),
        ([Step("relocate", "")], {"chattr", "blkid", "wipefs"}, ["fdisk"]),
        ([Step("volume", ""), Step("group", ""), Step("resize", "")], {"chattr", "blkid", "wipefs"}, ["lvm2"]),
        ([Step("enlarge", "", "", {"kind": "partition"})], {"chattr", "blkid", "wipefs", "sfdisk"}, ["util-linux"]),
        ([Step("enlarge", "", "", {"kind": "volume"})], {"chattr", "blkid", "wipefs", "vgs"}, []),
        ([Step("grow", "", "", {"fstype": "xfs"})], {"chattr", "blkid", "wipefs"}, ["xfsprogs"]),
        ([Step("grow", "", "", {"fstype": "ext4"})], {"chattr", "blkid", "wipefs", "resize2fs"}, []),
        ([Step("allocate", "")], {"chattr", "blkid", "wipefs"}, ["util-linux"]),
        ([Step("format", "", "", {"fstype": "xfs"})], {"chattr", "blkid", "wipefs"}, ["xfsprogs"]),
        ([Step("format", "", "", {"fstype": "ext4"})], {"chattr", "blkid", "wipefs", "mkfs.ext4"}, []),
    ],
)
def test_missing_packages(tools, steps, installed, packages):
    tools.installed = installed
    assert storage.missing_packages(steps) == packages


def test_the_size_of_a_mounted_filesystem_is_asked_of_the_kernel(monkeypatch):
    parts = (Partition("/dev/sdb1", 1, 0, 0, "", "xfs", "first"), Partition("/dev/sdb2", 2, 0, 0, "", "ext4", "second"), Partition("/dev/sdb3", 3, 0, 0))
    devices = [None, Device("/dev/sdb", 0, partitions=parts), Device("/dev/sdc", 0, filesystem="xfs", uuid="third")]
    groups = [VolumeGroup("g", 1, 1, 1, volumes=(LogicalVolume("v", "/dev/g/v", 1, signature="ext4", uuid="fourth"), LogicalVolume("w", "/dev/g/w", 1)))]
    images = [Image("/i.img", 1, "xfs", "fifth")]
    mounted = [Mount("/dev/sdb1", "/d/overlay2", "xfs", "first"), Mount("/dev/sdc", "/elsewhere", "xfs", "third"), Mount("tmpfs", "/d/x", "tmpfs")]
    monkeypatch.setattr(storage.superblock, "size", lambda path, fstype: {"/dev/sdb1": 1, "/dev/sdb2": 2, "/dev/sdc": 3, "/dev/g/v": 4, "/i.img": 5}[path])
    monkeypatch.setattr(storage.filesystem_size, "mounted", lambda target, device, fstype: 100)
    found = storage._filesystem_sizes(devices, images, groups, mounted, {"/d/overlay2", "/d/x"})
    assert found == {"first": 100, "second": 2, "third": 3, "fourth": 4, "fifth": 5}


def test_gather_looks_below_places_that_are_not_mounted(host, monkeypatch):
    data_root = host.path("/srv/docker")
    for name in ("volumes/lost+found/file", "volumes/metadata.db", "volumes/landing", "overlay2/l/file", "overlay2/seen"):
        host.write(f"/srv/docker/{name}", "")
    monkeypatch.setattr(mounts, "block_mounts", lambda _probe: [Mount("/dev/sdb1", f"{data_root}/overlay2", "xfs", "aaaa")])
    monkeypatch.setattr(mounts, "fstab", list)
    monkeypatch.setattr(disks, "look_at", lambda name, _content=False, _claims=(): None)
    monkeypatch.setattr(disks, "look_at_image", Image)
    entries = [layout.Entry("overlay2", "partition", "/dev/sdb", None, "xfs", ()), VOLUMES]
    found = storage.gather(entries, data_root, None, data_root, wipe=["/dev/sdc", "loop.img"])
    assert found.bare == {f"{data_root}/volumes": ["landing"]}
    assert found.devices == {"/dev/sdb": None, "/dev/sdc": None}
    assert found.images == {VOLUMES.device: Image(VOLUMES.device)}
    assert found.loop_free > 0
