# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import move_look
from ansible_collections.bulkhead.docker.plugins.module_utils.host.mount_table import MountInfo
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.facts import FstabLine
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move import Inventory, Move, Root


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
