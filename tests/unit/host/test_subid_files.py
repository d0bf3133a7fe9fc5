# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_ranges import Range
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files, subid_files

OWN_NAME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def etc(tmp_path, monkeypatch):
    monkeypatch.setattr(subid_files, "SUBUID", str(tmp_path / "subuid"))
    monkeypatch.setattr(subid_files, "SUBGID", str(tmp_path / "subgid"))
    return tmp_path


def names(directory):
    return sorted(os.listdir(directory))


@pytest.fixture
def dead():
    """The number of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def test_read(etc):
    (etc / "subuid").write_text("dockremap:100000:65536\n", encoding="utf-8")
    uid_file, gid_file = subid_files.read()
    assert (uid_file.path, uid_file.text, gid_file.text) == (str(etc / "subuid"), "dockremap:100000:65536\n", "")
    assert os.getuid() in uid_file.account_ids


@pytest.mark.parametrize(
    ("uids", "gids", "expected"),
    [
        ("dockremap:100000:65536\n", "dockremap:200000:65536\n", ((Range("dockremap", 100000, 65536),), (Range("dockremap", 200000, 65536),))),
        ("dockremap:100000:65536\n", "other:200000:65536\n", None),
        ("", "", None),
    ],
)
def test_mapping_of(etc, uids, gids, expected):
    (etc / "subuid").write_text(uids, encoding="utf-8")
    (etc / "subgid").write_text(gids, encoding="utf-8")
    found = subid_files.mapping_of("dockremap")
    assert (found and (found.uid_ranges, found.gid_ranges)) == expected


def test_an_owner_may_be_written_as_a_number(etc):
    for name in ("subuid", "subgid"):
        (etc / name).write_text(f"{os.getuid()}:100000:65536\n", encoding="utf-8")
    assert subid_files.mapping_of(OWN_NAME).root_uid == 100000


def test_accounts_of_the_host():
    assert subid_files.account_number(OWN_NAME) == os.getuid()
    assert subid_files.account_number("nobody-of-that-name") is None
    assert subid_files.group_exists("root")
    assert not subid_files.group_exists("nobody-of-that-name")


@pytest.mark.usefixtures("own_files")
def test_replace(etc):
    subid_files.replace(subid_files.SUBUID, "dockremap:100000:65536\n")
    assert (etc / "subuid").read_text(encoding="utf-8") == "dockremap:100000:65536\n"
    assert os.stat(etc / "subuid").st_mode & 0o777 == 0o644


def test_the_locks_hold_our_number_and_go_again(etc):
    with subid_files.locked():
        assert names(etc) == ["subgid.lock", "subuid.lock"]
        assert (etc / "subuid.lock").read_bytes() == f"{os.getpid()}\0".encode()
    assert names(etc) == []


def test_the_locks_go_when_the_work_fails(etc):
    with contextlib.suppress(ZeroDivisionError), subid_files.locked():
        raise ZeroDivisionError
    assert names(etc) == []


@pytest.mark.parametrize("content", ["{dead}\0", "{dead}\n", "{dead}", "", "nonsense"])
def test_a_stale_lock_is_taken_over(etc, dead, content):
    (etc / "subgid.lock").write_text(content.format(dead=dead), encoding="utf-8")
    with subid_files.locked(timeout=0):
        assert (etc / "subgid.lock").read_bytes().startswith(str(os.getpid()).encode())


def test_a_living_lock_times_out_and_stays(etc):
    (etc / "subgid.lock").write_text(f"{os.getppid()}\0", encoding="utf-8")
    with pytest.raises(files.FileError, match="subgid.lock is held by another process for more than 0.2 seconds"), subid_files.locked(timeout=0.2):
        pass
    assert names(etc) == ["subgid.lock"], "the lock on the other file must be given back"


def test_a_lock_that_is_given_back_in_time_is_waited_for(etc, monkeypatch):
    lock = etc / "subuid.lock"
    lock.write_text(f"{os.getppid()}\0", encoding="utf-8")
    monkeypatch.setattr(subid_files.time, "sleep", lambda _seconds: lock.unlink())
    with subid_files.locked():
        assert lock.exists()


def test_what_a_killed_run_left_is_no_hindrance(etc):
    (etc / f"subuid.lock.{os.getpid()}").touch()
    with subid_files.locked():
        assert names(etc) == ["subgid.lock", "subuid.lock"]
    assert names(etc) == []


def test_a_directory_that_cannot_be_written_is_an_error(etc, monkeypatch):
    monkeypatch.setattr(subid_files, "SUBUID", str(etc / "missing" / "subuid"))
    with pytest.raises(files.FileError, match="subuid.lock cannot be made: "), subid_files.locked():
        pass


def test_a_lock_that_has_no_room_is_said_and_leaves_nothing(etc, monkeypatch):
    real = os.fdopen

    def full(descriptor, mode):
        # Where nothing has room left: what is written fails when the file is closed.
        os.close(descriptor)
        return real(os.open("/dev/full", os.O_WRONLY), mode)

    monkeypatch.setattr(subid_files.os, "fdopen", full)
    with pytest.raises(files.FileError, match="subuid.lock cannot be made: No space left on device; nothing was changed"), subid_files.locked():
        pass
    assert names(etc) == []
