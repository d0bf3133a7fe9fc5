# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses
import os
import types

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import move_look
from ansible_collections.bulkhead.docker.plugins.module_utils.host.mount_table import MountInfo
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.facts import FstabLine
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move import Inventory, Move, Place, Root
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.plan import Target


@pytest.fixture
def old(tmp_path):
    for name in ("overlay2/aa", "volumes/v/_data", "containers", "image", "100000.100000"):
        (tmp_path / "old" / name).mkdir(parents=True)
    (tmp_path / "old" / "engine-id").write_text("id", encoding="ascii")
    return tmp_path / "old"


def move(old):
    return Move(Root(str(old), str(old)), Root(f"{old.parent}/new", f"{old.parent}/new"))


def told(old):
    return [str(problem) for problem in move_look.obstacles(move(old), Inventory(), {f"{old.parent}/new": 2**40}, {})]


def test_what_lies_in_a_root_is_listed_without_other_roots(old):
    found = move_look.listing(move(old))
    assert found.directories == ("containers", "image", "overlay2", "volumes")
    assert (found.files, found.others, found.layers, found.linked_volumes) == (("engine-id",), (), ("aa",), ())
    assert told(old) == []


def test_a_directory_that_somebody_has_put_elsewhere_by_a_link_is_refused(old):
    (old / "image").rename(old.parent / "image-elsewhere")
    (old / "image").symlink_to(old.parent / "image-elsewhere")
    (text,) = told(old)
    assert text.startswith(f"{old}/image: is neither a file nor a directory")


def test_a_file_of_somebody_that_could_not_be_copied_is_refused_before_anything_is(old):
    (old / "dump.tar").write_bytes(b"\xff\x00" * 100)
    (old / "nuke-graph-directory.sh").write_text("#!/bin/sh", encoding="ascii")
    (text,) = told(old)
    assert text.startswith(f"{old}/dump.tar: is no text")


def test_a_volume_that_leads_to_another_is_refused(old):
    (old / "volumes" / "w").mkdir()
    (old / "volumes" / "w" / "_data").symlink_to(old / "volumes" / "v" / "_data")
    (text,) = told(old)
    assert text.startswith(f"{old}/volumes/w/_data: is a symbolic link to {old}/volumes/v/_data")


def test_a_root_behind_a_link_is_refused_with_its_real_name(old):
    link = old.parent / "link"
    link.symlink_to(old)
    (text,) = told(link)
    assert f"give dockerd {old} as its data-root first" in text


@pytest.mark.parametrize("listed", [True, False])
def test_layers_that_nobody_could_mount_again_are_refused(old, monkeypatch, listed):
    monkeypatch.setattr(move_look.mounts, "mountinfo", lambda: [MountInfo("8:1", "/", f"{old}/overlay2", "xfs", "/dev/sda1")])
    monkeypatch.setattr(move_look.mounts, "fstab", lambda: [FstabLine("UUID=a", f"{old}/overlay2", "xfs", "defaults")] if listed else [])
    assert [text for text in told(old) if "write it into /etc/fstab first" in text] == ([] if listed else told(old))
    assert listed or len(told(old)) == 1


def test_room_that_loop_images_are_going_to_take_is_not_counted_twice(old, monkeypatch):
    gib = 1024**3
    monkeypatch.setattr(move_look.mounts, "mountinfo", lambda: [MountInfo("8:1", "/", "/", "ext4", "/dev/sda1")])
    monkeypatch.setattr(move_look.disks, "free_bytes", lambda path: 2 * gib)
    assert move_look.obstacles(move(old), Inventory(), {}, {}) == []
    (problem,) = move_look.obstacles(move(old), Inventory(), {}, {"/var/lib/bulkhead/loop/volumes.img": 2 * gib})
    assert str(problem).startswith("/: has room for 0")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("noatime",), []),
        (("noatime", "nosuid", "nodev"), ["1 setuid or setgid programs"]),
        (("noexec",), ["2 programs"]),
    ],
)
def test_what_mount_options_take_from_files_of_volumes_is_told(old, options, said, monkeypatch):
    monkeypatch.setattr(os, "statvfs", lambda path: types.SimpleNamespace(f_flag=0))
    for name, mode in (("setuid", 0o4755), ("program", 0o755), ("setgid-directory-like", 0o2644), ("plain", 0o644)):
        (old / "volumes" / "v" / "_data" / name).write_text("", encoding="ascii")
        (old / "volumes" / "v" / "_data" / name).chmod(mode)
    volumes = Target("volumes", "/dev/sdb1", f"{old.parent}/new/volumes", "xfs", options, 0o701, 0)
    others = Target("overlay2", "/dev/sdb2", f"{old.parent}/new/overlay2", "xfs", ("nosuid", "noexec"), 0o710, 0)
    told = move_look.powerless(move(old), (volumes, others))
    assert [text.partition("hold ")[2].partition(", which")[0] for text in told] == said
    within = Move(Root(str(old), str(old)), Root(str(old), str(old)), (Place("volumes", f"{old}/volumes", "/dev/sdb1", "xfs", options),))
    assert move_look.powerless(within, (dataclasses.replace(volumes, mount_point=f"{old}/volumes"),)) == told


def test_a_name_that_vanishes_takes_no_others_along(tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()

    class Gone:
        name = "gone"

        def stat(self, follow_symlinks):
            raise FileNotFoundError

    class Scan(list):
        def __enter__(self):
            return self

        def __exit__(self, *reason):
            return None

    with os.scandir(tmp_path) as found:
        listed = Scan([Gone(), *found])
    monkeypatch.setattr(move_look.os, "scandir", lambda path: listed)
    assert [name for name, _mode in move_look.entries(str(tmp_path))] == ["there"]
