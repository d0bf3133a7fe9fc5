# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import types

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import daemon_places


def filesystem(monkeypatch, flags=0, free=10**6, inodes=(1000, 900)):
    asked = []

    def statvfs(path):
        asked.append(path)
        left = {"f_bfree": free, "f_bavail": free, "f_ffree": inodes[1], "f_favail": inodes[1]}
        return types.SimpleNamespace(f_flag=flags, f_frsize=4096, f_files=inodes[0], **left)

    monkeypatch.setattr(os, "statvfs", statvfs)
    return asked


@pytest.mark.parametrize(
    "given, words",
    [
        ({}, ""),
        ({"flags": os.ST_RDONLY}, "is mounted read-only"),
        ({"flags": os.ST_NOEXEC}, "is mounted noexec"),
        ({"free": 10}, "is full (40 KiB are free)"),
        ({"inodes": (1000, 0)}, "is full"),
        # A filesystem without a table of inodes, as btrfs is.
        ({"inodes": (0, 0)}, ""),
    ],
)
def test_data_root(monkeypatch, tmp_path, given, words):
    asked = filesystem(monkeypatch, **given)
    problems = daemon_places.data_root_problems(str(tmp_path / "new" / "root"), "/var/lib/docker")
    assert [problem.where for problem in problems] == (["data-root"] if words else [])
    assert words in "".join(map(str, problems))
    assert asked == [str(tmp_path)]


@pytest.mark.parametrize("used", ["{}", "{}/100000.100000"])
def test_a_data_root_in_use_is_not_judged_again(monkeypatch, tmp_path, used):
    filesystem(monkeypatch, flags=os.ST_RDONLY)
    assert daemon_places.data_root_problems(str(tmp_path), used.format(tmp_path)) == []
    assert daemon_places.data_root_problems(str(tmp_path), str(tmp_path) + "2") != []


@pytest.mark.parametrize(
    "given, words",
    [
        ({}, ""),
        ({"flags": os.ST_RDONLY}, "is mounted read-only, where dockerd does not start again"),
        ({"free": 10}, "is full (40 KiB and 900 inodes are free)"),
        ({"inodes": (1000, 0)}, "0 inodes are free"),
        ({"inodes": (0, 0)}, ""),
    ],
)
def test_what_keeps_a_daemon_from_starting_again_is_told_once_for_a_filesystem(monkeypatch, tmp_path, given, words):
    (tmp_path / "overlay2").mkdir()
    asked = filesystem(monkeypatch, **given)
    problems = daemon_places.start_problems(str(tmp_path))
    assert [problem.where for problem in problems] == ([str(tmp_path)] if words else [])
    assert words in "".join(map(str, problems))
    assert asked == [str(tmp_path), str(tmp_path / "overlay2")]
    assert daemon_places.start_problems(str(tmp_path / "not" / "there")) == []


@pytest.mark.parametrize("value", [None, "relative", 7, ""])
def test_what_is_no_path_is_for_others_to_say(value):
    assert daemon_places.data_root_problems(value, None) == []


@pytest.mark.parametrize(
    "file, expected",
    [
        ((0, 0, 0o644), ""),
        ((0, 0, 0o664), ""),
        ((0, 999, 0o640), ""),
        ((0, 999, 0o660), "chmod go-w"),
        ((0, 0, 0o666), "mode 0666"),
        ((65534, 0, 0o600), "chown root:root"),
    ],
)
def test_whose_a_configuration_is(monkeypatch, file, expected):
    def stat(path):
        uid, gid, mode = (0, 0, 0o755) if path == "/etc/docker" else file
        return types.SimpleNamespace(st_uid=uid, st_gid=gid, st_mode=0o100000 | mode)

    monkeypatch.setattr(os, "stat", stat)
    problems = daemon_places.owner_problems("/etc/docker/daemon.json")
    assert [problem.where for problem in problems] == (["/etc/docker/daemon.json"] if expected else [])
    assert expected in "".join(map(str, problems))


def test_a_directory_that_everybody_can_write(monkeypatch):
    monkeypatch.setattr(os, "stat", lambda path: types.SimpleNamespace(st_uid=0, st_gid=0, st_mode=0o40777))
    assert [problem.where for problem in daemon_places.owner_problems("/srv/daemon.json")] == ["/srv", "/srv/daemon.json"]


def test_a_file_that_is_not_there_belongs_to_nobody(tmp_path):
    assert daemon_places.owner_problems(str(tmp_path / "missing" / "daemon.json")) == []
