# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import errno
import os
import stat

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files
from ansible_collections.bulkhead.docker.plugins.module_utils.host.files import FileError

OWN = {"uid": os.getuid(), "gid": os.getgid()}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "daemon.json"
    path.write_text("old", encoding="utf-8")
    return path


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


NOT_REGULAR = {"directory": os.mkdir, "pipe": os.mkfifo}


def test_read_text(file, tmp_path):
    assert files.read_text(str(file)) == "old"
    assert files.read_text(str(tmp_path / "missing")) is None
    file.write_bytes(b"\xef\xbb\xbf{}")
    assert files.read_text(str(file)) == "\ufeff{}", "an engine may stumble over the mark that an editor left"


@pytest.mark.parametrize("kind", NOT_REGULAR)
def test_what_is_no_file_is_neither_read_nor_replaced(tmp_path, kind):
    path = str(tmp_path / kind)
    NOT_REGULAR[kind](path)
    with pytest.raises(FileError, match="is not a regular file"):
        files.read_text(path)
    with pytest.raises(FileError, match="is not a regular file"):
        files.write_text(path, "new", **OWN)


def test_no_descriptor_is_left_open(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileError):
        files.read_text(str(tmp_path))
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_link_is_neither_read_nor_replaced(file, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(file)
    with pytest.raises(FileError, match="is a symbolic link"):
        files.read_text(str(link))
    with pytest.raises(FileError, match="is a symbolic link"):
        files.write_text(str(link), "new", **OWN)
    assert file.read_text(encoding="utf-8") == "old"


def test_what_is_too_large_or_no_text_is_refused(file):
    assert files.read_text(str(file), limit=3) == "old"
    with pytest.raises(FileError, match="larger than 2 bytes"):
        files.read_text(str(file), limit=2)
    file.write_bytes(b"ok\xff")
    with pytest.raises(FileError, match="not UTF-8 text .byte 2."):
        files.read_text(str(file))


def test_a_path_through_a_file_cannot_be_read(file):
    with pytest.raises(FileError, match="cannot be read"):
        files.read_text(str(file / "below"))


@pytest.mark.parametrize("wanted", [0o600, 0o644, 0o755])
def test_write_text_sets_mode_and_owner_before_the_name(file, monkeypatch, wanted):
    seen = []
    rename = os.rename
    monkeypatch.setattr(os, "rename", lambda source, target: (seen.append((mode(source), os.stat(source).st_uid)), rename(source, target)))
    files.write_text(str(file), "new", wanted, **OWN)
    assert file.read_text(encoding="utf-8") == "new"
    assert seen == [(wanted, os.getuid())]
    assert os.listdir(file.parent) == ["daemon.json"]


@pytest.mark.parametrize("step", ["fchown", "fchmod", "fsync", "rename"])
def test_the_old_file_stays_when_the_write_fails(file, monkeypatch, step):
    def fail(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(FileError, match="daemon.json cannot be written: No space left"):
        files.write_text(str(file), "new", **OWN)
    assert file.read_text(encoding="utf-8") == "old"
    assert os.listdir(file.parent) == ["daemon.json"], "a temporary file was left behind"


def test_a_reader_of_the_old_file_sees_all_of_it(file):
    with open(file, encoding="utf-8") as reader:
        files.write_text(str(file), "new", **OWN)
        assert reader.read() == "old"


def test_write_text_needs_the_directory(tmp_path):
    with pytest.raises(FileError, match="cannot be written"):
        files.write_text(str(tmp_path / "missing" / "file"), "new", **OWN)


def test_remove_takes_a_link_and_not_its_target(file, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(file)
    assert [files.remove(str(link)), files.remove(str(link))] == [True, False]
    assert file.exists()
    with pytest.raises(FileError, match="cannot be removed"):
        files.remove(str(tmp_path))


def test_ensure_directory_gives_only_the_last_one_its_mode(tmp_path, own_files):
    files.ensure_directory(str(tmp_path / "a" / "b"), 0o710, 0, 100000)
    assert (mode(tmp_path / "a"), mode(tmp_path / "a" / "b")) == (0o755, 0o710)
    assert own_files == [(0, 0), (0, 100000)]
    files.ensure_directory(str(tmp_path / "a"), 0o700)
    assert mode(tmp_path / "a") == 0o755


def test_ensure_directory_replaces_no_file(file):
    with pytest.raises(FileError, match="exists and is not a directory"):
        files.ensure_directory(str(file))
    with pytest.raises(FileError, match="exists and is not a directory"):
        files.ensure_directory(str(file / "below"))


@pytest.mark.parametrize(("change", "expected"), [({}, False), ({"mode": 0o600}, True), ({"uid": OWN["uid"] + 1}, True), ({"gid": OWN["gid"] + 1}, True)])
def test_attributes_differ(file, change, expected):
    file.chmod(0o644)
    os.chown(file, -1, OWN["gid"])
    assert files.attributes_differ(str(file), **{"mode": 0o644, **OWN, **change}) is expected


def test_attributes_of_a_link_are_its_own(file, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(file)
    file.chmod(0o644)
    assert files.attributes_differ(str(link), 0o644, **OWN)
