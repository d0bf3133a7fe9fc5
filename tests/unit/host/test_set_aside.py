# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pathlib
import stat

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files, mounts, set_aside, under_mounts

NOW = 1795705369
NAME = "20261126T150249Z"


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(set_aside, "STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setattr(set_aside, "PLACE", str(tmp_path / "state" / "set-aside"))
    return tmp_path / "state" / "set-aside" / NAME


def test_a_file_moves_with_its_path(place, tmp_path):
    path = tmp_path / "drop-in.conf"
    path.write_text("x")
    aside = set_aside.Aside(NOW)
    moved = aside.move(str(path))
    assert moved == f"{place}{path}" == aside.places[0]
    assert not path.exists()
    assert pathlib.Path(moved).read_text(encoding="utf-8") == "x"
    assert stat.S_IMODE(os.stat(place.parent).st_mode) == 0o700


def test_a_link_moves_as_a_link(place, tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("x")
    link.symlink_to(target)
    moved = set_aside.Aside(NOW).move(str(link))
    assert os.readlink(moved) == str(target)
    assert target.read_text() == "x"


def test_nothing_that_was_set_aside_is_overwritten(place, tmp_path):
    path = tmp_path / "file"
    aside = set_aside.Aside(NOW)
    for text in ("first", "second"):
        path.write_text(text)
        aside.move(str(path))
    assert [pathlib.Path(moved).read_text(encoding="utf-8") for moved in aside.places] == ["first", "second"]


def test_a_directory_moves_whole(place, tmp_path):
    (tmp_path / "odd" / "inner").mkdir(parents=True)
    (tmp_path / "odd" / "inner" / "file").write_text("x")
    moved = set_aside.Aside(NOW).move(str(tmp_path / "odd"))
    assert pathlib.Path(f"{moved}/inner/file").read_text(encoding="utf-8") == "x"


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A filesystem whose mount at top holds the mount point top/a/volumes."""
    top = tmp_path / "top"
    (top / "a" / "volumes").mkdir(parents=True)
    info = [mounts.MountInfo("0:1", "/", "/", "ext4", "/dev/a"), mounts.MountInfo("0:2", "/", str(top), "ext4", "/dev/b")]
    covered = mounts.MountInfo("0:3", "/", f"{top}/a/volumes", "xfs", "/dev/c")
    monkeypatch.setattr(mounts, "mountinfo", lambda: [*info, covered])
    # What the kernel gives is a copy without what is mounted on top; here nothing is.
    monkeypatch.setattr(under_mounts, "open_tree", lambda path: os.open(path, os.O_RDONLY | os.O_DIRECTORY))
    return top


def test_data_under_a_mount_stays_on_its_filesystem(place, tree):
    bare = tree / "a" / "volumes"
    for name in ("kept", "under", "web"):
        (bare / name).mkdir()
    (bare / "web" / "data").write_text("precious")
    aside = set_aside.Aside(NOW)
    assert aside.uncover(str(bare), ["kept"]) == ["under", "web"]
    assert os.listdir(bare) == ["kept"]
    assert aside.places == [f"{tree}/.bulkhead-set-aside/{NAME}{bare}"]
    assert pathlib.Path(f"{aside.places[0]}/web/data").read_text(encoding="utf-8") == "precious"
    assert stat.S_IMODE(os.stat(tree / ".bulkhead-set-aside").st_mode) == 0o700


def test_nothing_is_made_for_nothing(place, tree):
    aside = set_aside.Aside(NOW)
    assert aside.uncover(f"{tree}/a/volumes", []) == []
    assert aside.places == []
    assert os.listdir(tree) == ["a"]


def test_a_kernel_that_does_not_show_it_is_an_error(place, tree, monkeypatch):
    def refused(path):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(under_mounts, "open_tree", refused)
    with pytest.raises(files.FileError, match="unmount .* and move it by hand"):
        set_aside.Aside(NOW).uncover(f"{tree}/a/volumes", [])


def test_attributes_are_set_on_what_was_looked_at(tmp_path):
    path = tmp_path / "file"
    path.write_text("x")
    set_aside.set_attributes(str(path), stat.S_IFREG, 0o640, (os.getuid(), os.getgid()))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_attributes_never_follow_a_link(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("x")
    target.chmod(0o600)
    link.symlink_to(target)
    with pytest.raises(files.FileError, match="was replaced"):
        set_aside.set_attributes(str(link), stat.S_IFREG, 0o666, None)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_path_below_what_others_may_write_is_told(tmp_path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert set_aside.open_to_others(f"{inner}/c") == ""
    (tmp_path / "a").chmod(0o777)
    assert set_aside.open_to_others(f"{inner}/c") == str(tmp_path / "a")
    (tmp_path / "link").symlink_to(inner)
    assert set_aside.open_to_others(f"{tmp_path}/link/c") == str(tmp_path / "a")
    assert set_aside.open_to_others("docker.service") == ""
