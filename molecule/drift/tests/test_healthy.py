# SPDX-License-Identifier: Apache-2.0
"""No false alarm on hosts that are in order, whatever their containers do; one remote run for each; check mode tells the truth."""

from __future__ import annotations

import pytest
from drive import HEALTHY_RUNS, PREDICTIONS
from lab_runs import changed_tasks, module_runs, runs, tasks

PLANS = {"docker_storage_plan", "docker_package_set"}


def test_twenty_checks_raise_no_alarm(story, name):
    checks = story("healthy")["runs"]
    assert len(checks) == HEALTHY_RUNS >= 20
    assert [check["status"] for check in checks] == [0] * HEALTHY_RUNS
    for check in checks:
        assert check["hosts"][name]["verdict"] == "clean", check["hosts"][name]


def test_a_healthy_host_costs_one_remote_run(name):
    checked = [run for run in runs("drift") if {record["module"].rpartition(".")[2] for record in module_runs(run, name)} == {"docker_host_drift"}]
    assert len(checked) >= HEALTHY_RUNS
    for run in checked:
        assert len([record for record in module_runs(run, name) if not record["delegated_to"]]) == 1


def test_converge_recorded_and_the_second_one_had_nothing_to_add(name):
    assert [task for run in runs("idempotence") for task in changed_tasks(run, name)] == []


@pytest.fixture(params=range(PREDICTIONS))
def prediction(request, story):
    told = story("predictions")
    print(f"DRIFT_SEED={told['seed']}")
    return told["rounds"][request.param]


def test_check_mode_wrote_nothing(prediction, name):
    assert prediction["wrote"][name] == [], prediction["inputs"]


def test_what_check_mode_predicted_is_what_changed(prediction, name):
    assert prediction["statuses"] == [0, 0], prediction["said"]
    found = {f"{run.number:02d}": run for run in runs()}
    foreseen, done = (found[file.split("-", 1)[0]] for file in prediction["runs"])
    assert foreseen.check
    assert not done.check
    assert {task["role"] for task in changed_tasks(foreseen, name)} == {task["role"] for task in changed_tasks(done, name)}
    outcomes = [{}, {}]
    for changed, run in zip(outcomes, (foreseen, done)):
        for task in tasks(run, name):
            if not task["skipped"] and task["module"].rpartition(".")[2] not in PLANS:
                place = (task["role"], task["task"])
                changed[place] = changed.get(place, False) or task["changed"]
    both = outcomes[0].keys() & outcomes[1].keys()
    assert len(both) >= 5
    assert {place for place in both if outcomes[0][place] != outcomes[1][place]} == set(), prediction["inputs"]
