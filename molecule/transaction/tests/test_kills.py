# SPDX-License-Identifier: Apache-2.0
"""A run that is killed anywhere leaves whole files, a daemon that starts with them, and work that the next run ends."""

from __future__ import annotations

import pytest

BEFORE_THE_FILES = ["before the memory is written", "while the memory is written", "between the memory and the files"]
POINTS = [
    *BEFORE_THE_FILES,
    "while the profile is written",
    "between the profile and daemon.json",
    "while daemon.json is written",
    "between daemon.json and the removal of the profile",
    "between the files and SIGHUP",
    "between SIGHUP and its proof",
    "between the files and the restart",
    "while systemd stops the daemon",
    "while the daemon starts",
    "between the restart and its proof",
    "between the proof and the memory",
    "in the rollback, before the files",
    "in the rollback, while daemon.json is written",
    "in the rollback, after the files",
    "in the rollback, while the daemon starts",
    "in the rollback, before the memory",
]


@pytest.fixture(params=POINTS)
def left(request, seen):
    found = seen("kills")[request.param]
    assert "error" not in found, found
    assert found["killed"], f"the run was not killed: {found['said']}"
    return {**found, "point": request.param}


def test_every_point_was_tried(seen):
    assert set(seen("kills")) == set(POINTS)


def test_both_files_are_old_or_new_and_go_together(left):
    assert left["config"] in ("old", "new")
    assert left["profile"] in ("old", "new")
    assert left["names a missing profile"] is False
    if left["point"] in BEFORE_THE_FILES:
        assert (left["config"], left["profile"]) == ("old", "old")


def test_the_daemon_serves_and_starts_with_what_is_there(left):
    # A configuration that keeps dockerd from starting has been taken back by the one who watched over the run.
    assert left["serves"] is True
    assert left["starts"] is True
    if left["point"].startswith("in the rollback"):
        assert left["then"] == "old"


def test_containers_live(left):
    assert left["container lives"] is True
    assert left["container lives at the end"] is True


def test_the_next_run_ends_it_and_the_one_after_has_nothing_to_do(left):
    assert "failed" not in left["next"], left["next"]
    assert left["holds"] is True
    assert left["labels"] == ["run=new"]
    assert (left["again"]["changed"], left["again"]["action"], left["again"]["pending_restart"]) == (False, "none", False)
    assert left["memory"]["pending"] == ""
