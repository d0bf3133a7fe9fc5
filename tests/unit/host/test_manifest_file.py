# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift import live, manifest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.manifest import Manifest, Section
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files, manifest_file

WHOLE = Manifest("here", {"docker_daemon": Section("", "0.1.0", "then", {})})


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "bulkhead" / "manifest.json")


def read(path):
    return manifest_file.read(path, "here")


def test_what_is_written_is_read_and_is_for_its_owner_alone(path):
    manifest_file.write(manifest.render(WHOLE), path)
    found = read(path)
    assert (found.manifest, found.name, found.exposed) == (WHOLE, "", "")
    assert os.stat(path).st_mode & 0o777 == 0o600 and os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700


def test_a_run_without_work_notes_its_time_only(path):
    manifest_file.write(manifest.render(WHOLE), path)
    os.utime(path, (1, 1))
    before = read(path)
    manifest_file.confirm(path)
    after = read(path)
    assert before.written_at == 1 and after.written_at > 1 and before.text == after.text


def test_nothing_there(path):
    assert read(path).name == live.MISSING


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"x" * (manifest.LIMIT + 1)])
def test_what_is_damaged(path, content):
    manifest_file.write("", path)
    with open(path, "wb") as handle:
        handle.write(content)
    found = read(path)
    assert found.name == live.DAMAGED and found.problem and path not in found.problem


def test_what_another_machine_wrote(path):
    manifest_file.write(manifest.render(Manifest("there")), path)
    found = read(path)
    assert (found.name, found.manifest) == (live.FOREIGN, None)


def test_what_others_can_read(path):
    manifest_file.write(manifest.render(WHOLE), path)
    os.chmod(path, 0o644)
    assert read(path).exposed.startswith("0644 ")


@pytest.mark.parametrize("make", [lambda path: os.symlink("/etc/passwd", path), os.mkdir, os.mkfifo])
def test_something_else_in_its_place_is_damage_and_is_moved_aside(path, make):
    os.mkdir(os.path.dirname(path))
    make(path)
    assert read(path).name == live.DAMAGED
    manifest_file.write(manifest.render(WHOLE), path)
    assert read(path).manifest == WHOLE
    assert os.path.lexists(path + ".aside.0")


def test_a_directory_that_cannot_be_looked_at(path):
    with open(os.path.dirname(path), "w", encoding="utf-8"):
        pass
    assert read(path).name == live.DAMAGED
    with pytest.raises(files.FileError):
        manifest_file.write("", path)


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_what_others_may_have_written_is_not_believed(path, mode):
    manifest_file.write(manifest.render(WHOLE), path)
    os.chmod(path, mode)
    found = read(path)
    assert (found.manifest, found.name) == (None, live.EXPOSED) and f"{mode:04o}" in found.problem
    manifest_file.write(manifest.render(WHOLE), path)
    assert read(path).manifest == WHOLE


def test_what_others_may_have_put_there_is_not_believed(path):
    manifest_file.write(manifest.render(WHOLE), path)
    os.chmod(os.path.dirname(path), 0o777)
    found = read(path)
    assert (found.manifest, found.name) == (None, live.EXPOSED) and os.path.dirname(path) in found.problem and found.exposed
    manifest_file.write(manifest.render(WHOLE), path)
    assert read(path).manifest == WHOLE
