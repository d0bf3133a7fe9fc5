# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Attacks by somebody who owns the directory in which we work: while we write, he swaps what lies there for links to something else.

Each attack runs beside the code that it is aimed at, as fast as it can, and a victim outside of the directory must stay as it is.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pathlib
import shutil
import stat
import threading

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.uninstall import Step
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    files,
    locks,
    managed_files,
    manifest_file,
    mount_points,
    set_aside,
    subid_files,
    uninstall,
)

ROUNDS = 400
_RENAME_EXCHANGE = 2
_LIBC = ctypes.CDLL(None, use_errno=True)
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners are root's to change")


def exchange(one, other):
    """Swap two paths in one step, so that neither is ever missing (renameat2(2))."""
    _LIBC.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), _RENAME_EXCHANGE)


@contextlib.contextmanager
def swapping(one, other):
    """Swap two paths without a pause while the body runs."""
    done = threading.Event()

    def swap():
        while not done.is_set():
            exchange(one, other)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.fixture
def victim(tmp_path):
    """A directory outside, with a file, whose every attribute is compared at the end."""
    place = tmp_path / "victim"
    place.mkdir(mode=0o755)
    (place / "file").write_text("precious", encoding="utf-8")
    os.chown(place / "file", 1234, 1234)
    os.chown(place, 1234, 1234)
    before = look(place)
    yield place
    assert look(place) == before


def look(place):
    found = {}
    for path in [place, *sorted(place.rglob("*"))]:
        status = os.lstat(path)
        found[str(path)] = (status.st_mode, status.st_uid, status.st_gid, path.read_bytes() if stat.S_ISREG(status.st_mode) else None)
    return found


@pytest.fixture
def theirs(tmp_path):
    """A directory of the attacker."""
    place = tmp_path / "theirs"
    place.mkdir()
    return place


def test_a_file_swapped_for_a_link_is_never_written_through(theirs, victim):
    target, link = theirs / "file", theirs / "link"
    target.write_text("old", encoding="utf-8")
    link.symlink_to(victim / "file")
    refused = 0
    with swapping(target, link):
        for number in range(ROUNDS):
            try:
                files.write_text(str(target), f"new {number}", uid=0, gid=0)
            except files.FileError:
                refused += 1
            # What was a link may have been replaced; the attack goes on with another.
            for path in (target, link):
                if not path.is_symlink() and not path.exists():
                    path.write_text("old", encoding="utf-8")
            if not any(path.is_symlink() for path in (target, link)):
                with contextlib.suppress(OSError):
                    link.unlink()
                    link.symlink_to(victim / "file")


def test_a_file_swapped_for_a_link_is_never_read_through(theirs, victim):
    target, link = theirs / "file", theirs / "link"
    target.write_text("old", encoding="utf-8")
    link.symlink_to(victim / "file")
    read = set()
    with swapping(target, link):
        for _number in range(ROUNDS):
            with contextlib.suppress(files.FileError):
                read.add(files.read_text(str(target)))
    assert "precious" not in read


def test_a_directory_swapped_for_a_link_gets_no_attributes_elsewhere(theirs, victim):
    target, link = theirs / "directory", theirs / "link"
    target.mkdir()
    link.symlink_to(victim)
    with swapping(target, link):
        for _number in range(ROUNDS):
            with contextlib.suppress(OSError, files.FileError):
                mount_points._set_attributes(str(target), 0o710, 77)
            with contextlib.suppress(files.FileError):
                set_aside.set_attributes(str(target), stat.S_IFDIR, 0o711, (77, 77))


def test_the_naive_way_does_give_them_elsewhere(theirs, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    target, link = theirs / "directory", theirs / "link"
    target.mkdir()
    link.symlink_to(other)
    with swapping(target, link):
        for _number in range(50 * ROUNDS):
            if not os.path.islink(target):
                os.chown(target, 77, 77)
            if os.stat(other).st_uid == 77:
                break
    assert os.stat(other).st_uid == 77


def test_a_new_directory_swapped_for_a_link_passes_nothing_on(theirs, victim, monkeypatch):
    # The worst moment: just after it was made.
    real = os.mkdir
    made = theirs / "made"

    def mkdir(path, *arguments, **options):
        real(path, *arguments, **options)
        if str(path) == str(made):
            os.rename(made, theirs / "away")
            os.symlink(victim, made)

    monkeypatch.setattr(os, "mkdir", mkdir)
    with pytest.raises(files.FileError):
        files.ensure_directory(str(made), mode=0o700, uid=77, gid=77)


def tree(place, depth=3, width=4):
    for number in range(width):
        (place / f"file{number}").write_text("x", encoding="utf-8")
        if depth:
            inner = place / f"dir{number}"
            inner.mkdir()
            tree(inner, depth - 1, width)


def test_clearing_a_tree_whose_directories_are_swapped_for_links_touches_nothing_else(theirs, victim):
    for _round in range(6):
        tree(theirs)
        link = theirs.parent / "link"
        with contextlib.suppress(FileNotFoundError):
            link.unlink()
        link.symlink_to(victim)
        with swapping(theirs / "dir1", link), contextlib.suppress(Exception):
            uninstall._clear(str(theirs), sorted(os.listdir(theirs)))
        shutil.rmtree(theirs, ignore_errors=True)
        for path in (theirs, link):
            if path.is_symlink():
                path.unlink()
        if link.exists():
            shutil.rmtree(link)
        theirs.mkdir(exist_ok=True)


def test_clearing_starts_at_no_link(theirs, victim):
    link = theirs / "root"
    link.symlink_to(victim)
    with pytest.raises(OSError):
        uninstall._clear(str(link), ["file"])


def test_clearing_takes_names_that_look_like_options(theirs, victim):
    for name in ("-rf", "--help", "a b", "*", "\n", "-"):
        (theirs / name).write_text("x", encoding="utf-8")
    (theirs / "link").symlink_to(victim)
    uninstall._clear(str(theirs), sorted(os.listdir(theirs)))
    assert os.listdir(theirs) == []


def test_a_file_of_the_manifest_that_became_another_stays(theirs, victim):
    link = theirs / "x.conf"
    link.symlink_to(victim / "file")
    uninstall._file(Step("file", str(link), "", {"sha256": "0" * 64}))
    assert link.is_symlink()


def test_what_lies_below_a_place_of_others_is_found_out(theirs):
    os.chown(theirs, 1234, 1234)
    (theirs / "inner").mkdir()
    assert set_aside.open_to_others(str(theirs / "inner" / "file")) == str(theirs)


def test_the_lock_of_subids_follows_no_link_that_waits_for_it(theirs, victim, monkeypatch):
    path = theirs / "subuid"
    monkeypatch.setattr(subid_files, "SUBUID", str(path))
    monkeypatch.setattr(subid_files, "SUBGID", str(theirs / "subgid"))
    (theirs / f"subuid.lock.{os.getpid()}").symlink_to(victim / "file")
    (theirs / "subuid.lock").symlink_to(victim / "file")
    with subid_files.locked(timeout=5):
        pass


def test_a_lock_follows_no_link(theirs, victim):
    (theirs / "lock").symlink_to(victim / "file")
    with pytest.raises(locks.LockError), locks.held(str(theirs / "lock"), 1):
        pass


def test_the_manifest_is_not_written_through_a_link(theirs, victim):
    path = theirs / "manifest.json"
    path.symlink_to(victim / "file")
    manifest_file.write("text", str(path))
    assert not path.is_symlink() and path.read_text(encoding="utf-8") == "text"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


# Temporary files and modes ---------------------------------------------------------------------------------------------------------


def test_a_temporary_file_is_new_close_by_and_nobody_elses_to_read(theirs, monkeypatch):
    seen = []
    real = os.rename

    def rename(source, target, **options):
        seen.append((os.path.dirname(source), os.lstat(source)))
        real(source, target, **options)

    opened = []
    real_open = os.open

    def note(path, flags, *arguments, **options):
        descriptor = real_open(path, flags, *arguments, **options)
        if flags & os.O_CREAT:
            opened.append((flags, stat.S_IMODE(os.fstat(descriptor).st_mode)))
        return descriptor

    monkeypatch.setattr(os, "rename", rename)
    monkeypatch.setattr(os, "open", note)
    os.umask(0)
    try:
        files.write_text(str(theirs / "secret"), "x", mode=0o640, uid=0, gid=0)
    finally:
        os.umask(0o022)
    assert opened and all(flags & os.O_EXCL and flags & os.O_NOFOLLOW and mode == 0o600 for flags, mode in opened)
    ((directory, status),) = seen
    assert directory == str(theirs) and status.st_nlink == 1
    assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o640, 0)
    assert sorted(os.listdir(theirs)) == ["secret"]


def test_a_failed_write_leaves_neither_a_part_nor_a_temporary_file(theirs, monkeypatch):
    path = theirs / "file"
    path.write_text("old", encoding="utf-8")

    def fail(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(files.FileError):
        files.write_text(str(path), "new")
    assert path.read_text(encoding="utf-8") == "old" and os.listdir(theirs) == ["file"]


def test_a_managed_file_gets_its_mode_whatever_the_umask(theirs):
    for umask in (0, 0o077):
        os.umask(umask)
        try:
            managed_files.apply(managed_files.differences({str(theirs / "d" / "x"): ("text", 0o644)}))
        finally:
            os.umask(0o022)
        assert stat.S_IMODE((theirs / "d" / "x").stat().st_mode) == 0o644
        assert stat.S_IMODE((theirs / "d").stat().st_mode) == 0o755
        shutil.rmtree(theirs / "d")


ROOT = pathlib.Path(__file__).resolve().parents[3]
