# SPDX-License-Identifier: Apache-2.0
"""Random configurations: what was predicted is what was done, a second run has nothing to do, and the daemon agrees."""

from __future__ import annotations

import pytest

PREDICTED = ("changed", "action", "pending", "pending_restart", "interrupts", "wanted", "managed", "foreign", "adopted", "reset", "diff")


@pytest.fixture
def steps(seen):
    found = seen("pairs")
    print(f"TRANSACTION_SEED={found['seed']} on engine {found['release']}")
    for number, step in enumerate(found["steps"]):
        assert "error" not in step, f"step {number}: {step}"
    return found["steps"]


@pytest.fixture
def done(steps):
    found = [(number, step) for number, step in enumerate(steps) if "failed" not in step["done"]]
    assert len(found) >= len(steps) * 2 // 3, [step["done"] for step in steps]
    return found


def test_check_mode_predicts(steps):
    for number, step in enumerate(steps):
        foreseen, done = step["foreseen"], step["done"]
        if "failed" in foreseen:
            assert (number, foreseen["failed"]) == (number, done["failed"])
        else:
            differ = {name: [foreseen.get(name), done.get(name)] for name in PREDICTED if foreseen.get(name) != done.get(name)}
            # The naive SIGHUP in between makes a restart of it at most.
            assert not differ, (number, step["somebody"], step["asked"], differ, done)


def test_a_second_run_has_nothing_to_do(done):
    for number, step in done:
        again = step["again"]
        assert (again["changed"], again["pending_restart"]) == (False, step["done"]["pending_restart"]), (number, step["asked"], again)


def test_what_was_asked_for_holds_and_nothing_of_others_is_lost(done):
    for number, step in done:
        after = step["after"]
        for key, value in step["asked"].items():
            held = after[key]
            if isinstance(value, dict) and key != "log-opts":
                held = {name: held[name] for name in value}
            assert held == value, (number, key)
        for path in step["done"]["foreign"]:
            key, _dot, member = path.partition(".")
            before, now = step["before"][key], after[key]
            assert (now[member], number) == (before[member], number) if member else (now, number) == (before, number)


def test_only_a_restart_makes_a_new_daemon(done):
    for number, step in done:
        assert step["same daemon"] == (step["done"]["action"] not in ("restart", "start")), (number, step["done"])


def test_the_daemon_shows_what_the_file_says(done):
    for number, step in done:
        waiting = step["done"]["pending"]
        wrong = {
            key: [step["observed"][key], value]
            for key, value in step["expected"].items()
            if step["observed"][key] != value and key not in waiting
        }
        assert not wrong, (number, step["asked"], step["done"]["action"], wrong)


def test_where_a_restart_was_said_to_be_needed_sighup_was_not_enough(done):
    for number, step in done:
        for key, (before, after, target) in step.get("naive", {}).items():
            assert after == before != target, (number, key)


def test_where_nothing_was_said_to_be_needed_a_restart_changes_nothing(done):
    for number, step in done:
        if "after a restart" in step:
            assert step["after a restart"] == step["observed"], number
