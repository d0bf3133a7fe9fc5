# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import restart_due


@pytest.fixture
def path(tmp_path, monkeypatch):
    path = tmp_path / "state" / "restart-due.json"
    monkeypatch.setattr(restart_due, "PATH", str(path))
    return path


def test_reasons_are_noted_once_for_a_run_of_dockerd(path):
    restart_due.note("run 1", "a")
    restart_due.note("run 1", "b")
    restart_due.note("run 1", "a")
    assert restart_due.read("run 1") == ["a", "b"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_restart_settles_it(path):
    restart_due.note("run 1", "a")
    assert restart_due.read("run 2") == []
    restart_due.note("run 2", "b")
    assert restart_due.read("run 2") == ["b"]


def test_a_daemon_that_does_not_run_needs_no_restart(path):
    restart_due.note("", "a")
    assert not path.exists()
    assert restart_due.read("") == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"invocation": "run 1"}', '{"invocation": "run 1", "reasons": 3}', "\xff"])
def test_a_damaged_note_says_nothing(path, text):
    path.parent.mkdir()
    path.write_text(text, encoding="latin-1")
    assert restart_due.read("run 1") == []


def test_something_else_in_its_place_says_nothing(path):
    path.parent.mkdir()
    path.symlink_to("/etc/passwd")
    assert restart_due.read("run 1") == []
