# SPDX-License-Identifier: Apache-2.0
"""What the playbook runs themselves did: few remote runs, none that changes anything twice, and a truthful check mode."""

from __future__ import annotations

from lab_runs import changed_tasks, last, module_runs, runs, tasks

BUDGET = 25


def name_of(host):
    return host.backend.get_hostname()


def changed_roles(run, host):
    return {task["role"] for task in changed_tasks(run, host)}


def test_a_run_without_work_stays_within_its_budget(host):
    executed = module_runs(last("idempotence"), name_of(host))
    assert 0 < len(executed) <= BUDGET, [run["module"] for run in executed]


def test_a_second_run_changes_nothing_also_after_the_host_restarted(host):
    again = runs("idempotence")
    assert len(again) >= 2, "the sequence runs it once more after a restart of the host"
    assert [task["task"] for run in again for task in changed_tasks(run, name_of(host))] == []


def test_check_mode_predicted_every_change(host):
    predicted = last("check")
    assert predicted.check
    done = last("converge")
    assert changed_roles(predicted, name_of(host)) == changed_roles(done, name_of(host)) != set()
    # A task that both runs carried out says the same in both, but for the two that only plan.
    plans = {"docker_storage_plan", "docker_package_set"}
    outcome = [{}, {}]
    for changed, run in zip(outcome, (predicted, done)):
        for task in tasks(run, name_of(host)):
            if not task["skipped"] and task["module"].rpartition(".")[2] not in plans:
                name = (task["role"], task["task"])
                changed[name] = changed.get(name, False) or task["changed"]
    both = outcome[0].keys() & outcome[1].keys()
    assert len(both) >= 6
    assert {name for name in both if outcome[0][name] != outcome[1][name]} == set()
