# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The parts of drift agree with each other: what roles run with, what can be found, and what the page says of it."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml
from ansible_collections.bulkhead.docker.plugins.module_utils.drift import kinds, live

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "roles" / "docker_drift.md").read_text(encoding="utf-8")


def load(path):
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


VARIABLES = load("roles/docker_drift/vars/main.yml")
RECORDED = list(VARIABLES["__docker_drift_results"])
# They leave nothing on a host, or only reports.
LEAVE_NOTHING = {"docker_preflight", "docker_audit", "docker_drift", "docker_uninstall"}


def test_every_role_that_leaves_something_is_recorded():
    assert set(RECORDED) == {path.name for path in (ROOT / "roles").iterdir()} - LEAVE_NOTHING


@pytest.mark.parametrize("role", RECORDED)
def test_inputs_are_exactly_the_variables_of_a_role(role):
    options = load(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    inputs = VARIABLES[f"__docker_drift_inputs_of_{role}"]
    assert list(inputs) == list(options)
    assert {name: template for name, template in inputs.items() if template != f"{{{{ {name} }}}}"} == {}


def test_what_is_left_out_of_the_inputs_is_a_variable():
    known = {name for role in RECORDED for name in VARIABLES[f"__docker_drift_inputs_of_{role}"]}
    assert [name for name in VARIABLES["__docker_drift_manner"] if name not in known] == []


@pytest.mark.parametrize("role", RECORDED)
def test_a_role_restores_first_what_no_variable_says(role):
    first = load(f"roles/{role}/tasks/main.yml")[0]
    assert first["bulkhead.docker.docker_manifest_restore"]["section"] == role
    assert first["when"] == "docker_drift_mending | default(false)"
    assert first["register"] == f"__{role}_restored"


@pytest.mark.parametrize("role", RECORDED)
def test_the_playbook_knows_and_runs_every_role(role):
    text = (ROOT / "playbooks" / "drift.yml").read_text(encoding="utf-8")
    assert f"when: \"'{role}' in docker_drift_roles\"" in text
    assert text.count(f"name: bulkhead.docker.{role}\n") == 2


def test_results_of_an_earlier_play_are_forgotten():
    mending = next(play for play in load("playbooks/drift.yml") if "serial" in play)
    forgotten = next(task["ansible.builtin.set_fact"] for task in mending["tasks"] if "ansible.builtin.set_fact" in task)
    assert {*VARIABLES["__docker_drift_results"].values(), *(f"__{role}_restored" for role in RECORDED)} <= set(forgotten)
    assert set(map(str, forgotten.values())) == {"{}"}


def names():
    for fields in kinds.KINDS.values():
        for aspect in fields.values():
            yield from filter(None, (aspect.name, aspect.gone, aspect.came))
    words = {value for name, value in vars(live).items() if name.isupper() and not name.startswith("_") and isinstance(value, str) and "-" in value}
    yield from words


def test_the_page_has_every_difference_and_no_other():
    table = PAGE.partition("## Every difference")[2].partition("\n**Never mended:**")[0]
    told = {name for line in table.splitlines() if line.startswith("| `") for name in re.findall(r"`([a-z-]+)`", line.split("|")[1])}
    assert sorted(told ^ set(names())) == []


@pytest.mark.parametrize("role", ["docker_drift", "docker_pull"])
def test_no_template_throws_an_undefined_variable_away(role):
    # What 'set' takes is looked at by nobody, and ansible-core 2.19 and newer go on with a role less.
    text = (ROOT / "roles" / role / "vars" / "main.yml").read_text(encoding="utf-8")
    assert re.findall(r"set \w+ = found[.]", text) == []
    assert "if found." in text


def test_a_batch_begins_with_the_turn_and_ends_with_the_gate():
    mending = next(play for play in load("playbooks/drift.yml") if "serial" in play)
    parts = [task["ansible.builtin.import_role"]["tasks_from"] for task in mending["tasks"] if "tasks_from" in task.get("ansible.builtin.import_role", {})]
    assert parts == ["turn", "record", "gate"]
    stage = [load(f"roles/docker_drift/tasks/{part}.yml") for part in ("turn", "gate")]
    assert [task["ansible.builtin.set_fact"]["__docker_drift_stage"] for tasks in stage for task in tasks if "ansible.builtin.set_fact" in task] == [
        "begun",
        "well",
    ]
    assert "ansible.builtin.set_fact" in stage[1][-1]
