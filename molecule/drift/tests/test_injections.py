# SPDX-License-Identifier: Apache-2.0
"""Each thing that somebody did was found under its name, mended by the one role that owns it, and the next check was clean."""

from __future__ import annotations

import pytest
from injections import INJECTIONS
from lab_runs import changed_tasks, runs, tasks


@pytest.fixture(params=INJECTIONS)
def told(request, story):
    found = story("injections").get(request.param)
    assert found is not None, "the driver has not done it"
    return {**found, "injection": INJECTIONS[request.param]}


def test_there_are_enough():
    assert len(INJECTIONS) >= 40


def _found(told):
    injection = told["injection"]
    matching = [entry for entry in told["first"]["differences"] if entry["name"] == injection.finds and entry["item"].startswith(injection.item)]
    assert matching, ([(entry["name"], entry["item"]) for entry in told["first"]["differences"]], told["said"])
    return matching[0]


def test_it_was_found_by_name_with_evidence(told):
    found = _found(told)
    assert found["role"] == told["injection"].role
    assert len(found["what"]) > 15
    assert found["source"]


def test_nothing_else_was_found(told):
    injection = told["injection"]
    others = {entry["name"] for entry in told["first"]["differences"]} - {injection.finds, *injection.also}
    assert others == set(), [entry["what"] for entry in told["first"]["differences"]]


def test_the_right_role_alone_mended_it(told):
    injection = told["injection"]
    run = next(run for run in runs("drift") if told["run"].startswith(f"{run.number:02d}-"))
    worked = {task["role"].rpartition(".")[2] for task in tasks(run, told["host"]) if task["role"] and not task["skipped"]} - {"docker_drift"}
    if injection.finds.startswith("manifest-"):
        # Nobody knows what has changed, so everything converges.
        assert {"docker_storage", "docker_engine", "docker_daemon"} <= worked
        return
    expected = {injection.role, *injection.others} - {""}
    # Both ask docker_userns for the ranges of the remapped user.
    asked = {"docker_userns"} if expected & {"docker_daemon", "docker_storage"} else set()
    assert expected <= worked <= expected | asked
    changed = {task["role"].rpartition(".")[2] for task in changed_tasks(run, told["host"]) if task["role"]} - {"docker_drift"}
    assert changed <= expected


def test_the_second_check_is_clean(told):
    assert told["statuses"][1] == 0
    assert told["second"]["verdict"] == "clean", [entry["what"] for entry in told["second"]["differences"]]


def test_dockerd_restarted_only_where_it_had_to(told):
    if not told["injection"].restarts and told["injection"].finds != "unit-not-running":
        assert told["restarted"] is False
