# SPDX-License-Identifier: Apache-2.0
"""`safe` restarts nothing and says what it left; a closed window does the same; a killed run leaves what the next one mends."""

from __future__ import annotations

import pytest
from drive import KILLS, RESTARTLESS
from injections import INJECTIONS


def test_safe_mends_what_needs_no_restart_and_leaves_the_rest(story, name, now):
    told = story("safe")["safe"]
    assert told["status"] == 0, told["said"]
    found = {entry["name"] for entry in told["hosts"][name]["differences"]}
    assert {INJECTIONS[deed].finds for deed in (*RESTARTLESS, "package upgraded", "dockerd restarted with other flags")} <= found
    left = set(now(told["hosts"][name]))
    assert {"package-changed", "daemon-flags"} <= left
    assert not left & {"hold-removed", "file-missing", "file-edited", "foreign-file-edited"}


def test_safe_restarts_neither_dockerd_nor_containerd(story, name):
    before, after, shut, at_last = story("safe")["standing"][name]
    assert before == after
    assert before == shut, "outside of the window `all` acts as `safe`"
    assert before != at_last


def test_all_mends_the_rest(story, name):
    told = story("safe")
    assert told["all"]["status"] == 0, told["all"]["said"]
    assert told["then"]["hosts"][name]["verdict"] == "clean", told["then"]["hosts"][name]["differences"]


@pytest.fixture(params=range(KILLS))
def killed(request, story):
    told = story("kills")
    print(f"DRIFT_SEED={told['seed']}")
    return told["kills"][request.param]


def test_the_run_after_a_killed_one_mends_the_host(killed, name):
    assert killed["second"]["status"] == 0, killed["second"]["said"]
    assert killed["third"]["hosts"][name]["verdict"] == "clean", killed["third"]["hosts"][name]["differences"]


def test_some_connections_were_lost_in_the_middle(story):
    assert any(not entry["ended"] for entry in story("kills")["kills"] if not entry["remote"])


def test_some_modules_were_killed(story):
    assert any(entry["hit"] for entry in story("kills")["kills"] if entry["remote"])
