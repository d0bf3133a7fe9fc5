# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import os

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import under_mounts


@pytest.fixture
def point(tmp_path):
    directory = tmp_path / "m"
    directory.mkdir()
    return directory


@pytest.fixture
def flags(monkeypatch):
    held = {"flags": 0, "refusal": []}

    def ioctl(_descriptor, request, answer):
        assert request == under_mounts.GETFLAGS
        for refusal in held["refusal"]:
            raise refusal
        answer[:4] = held["flags"].to_bytes(4, under_mounts.sys.byteorder)

    monkeypatch.setattr(under_mounts.fcntl, "ioctl", ioctl)
    return held


def test_a_directory_on_which_nothing_is_mounted(point, flags):
    found = under_mounts.look(str(point), False)
    assert (found.immutable, found.entries, found.why) == (False, (), "")
    flags["flags"] = under_mounts.IMMUTABLE | 0x80000
    (point / "b").touch()
    (point / "a").touch()
    found = under_mounts.look(str(point), False)
    assert (found.immutable, found.entries) == (True, ("a", "b"))


def test_not_without_end(point, flags):
    for number in range(40):
        (point / str(number)).touch()
    assert len(under_mounts.look(str(point), False).entries) == 20


def test_a_filesystem_without_flags(point, flags):
    flags["refusal"].append(OSError(errno.ENOTTY, "no"))
    found = under_mounts.look(str(point), False)
    assert (found.immutable, found.entries) == (None, ())


def test_a_covered_directory_is_looked_at_through_a_copy_of_the_mount_above(point, flags, monkeypatch):
    # Stands for the copy, in which nothing is mounted on the directory.
    copy = point.parent / "copy"
    (copy / "m").mkdir(parents=True)
    (copy / "m" / "lost").touch()
    asked = []
    monkeypatch.setattr(
        under_mounts, "open_tree", lambda path: asked.append(path) or os.open(copy, os.O_RDONLY | os.O_DIRECTORY)
    )
    assert under_mounts.look(str(point), True).entries == ("lost",)
    assert asked == [str(point.parent)]


@pytest.mark.parametrize(
    "number, shown, immutable, entries",
    [(errno.ENOSYS, "----i---- x", True, ()), (errno.EPERM, "--------- x", False, None)],
)
def test_a_child_looks_where_the_kernel_has_no_such_call(point, tools, monkeypatch, number, shown, immutable, entries):
    def refused(path):
        raise OSError(number, "no", path)

    monkeypatch.setattr(under_mounts, "open_tree", refused)
    tools.answer("unshare", shown)
    found = under_mounts.look(str(point), True)
    assert (found.immutable, found.entries, bool(found.why)) == (immutable, entries, entries is None)


def test_a_directory_that_is_gone(tmp_path):
    found = under_mounts.look(str(tmp_path / "x"), False)
    assert (found.immutable, found.entries) == (None, None) and "No such file" in found.why


def test_the_real_call_where_it_may_be_used(point):
    try:
        descriptor = under_mounts.opened(str(point))
    except OSError as error:
        assert error.errno in (errno.EPERM, errno.ENOSYS)
        return
    try:
        assert os.fstat(descriptor).st_ino == os.stat(point).st_ino
    finally:
        os.close(descriptor)
