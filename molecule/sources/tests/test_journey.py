# SPDX-License-Identifier: Apache-2.0
"""What each step of the journey said, and what it left of packages, files, container and volume."""

from __future__ import annotations

import json
import os
import pathlib

import pytest
from lab_runs import changed_tasks, last, module_runs, runs

STEPS = json.loads(pathlib.Path(os.environ["LAB_RUNS"]).parent.joinpath("journey.json").read_text(encoding="utf-8"))
SET = {"docker-ce", "docker-ce-cli", "containerd.io"}
REFUSED = {
    "key of a stranger": "has the fingerprint",
    "unsigned": "is not a repository that this key vouches for",
    "tampered": "is not a repository that this key vouches for",
    "key that goes": "api-cors-header",
    "older unasked": "docker_engine_downgrade",
    "key that came": "ip-forward-no-drop: came with Docker 28.0",
    "other source unasked": "docker_engine_replace",
    "offline changed file": "is not the file that the list of checksums means",
    "offline missing dependency": "which neither the host nor the directory has",
}
MOVED = {"upgrade": "28.5.2", "mirror": "28.5.2", "offline": "26.1.5"}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_says_why_and_changes_nothing(name):
    step = STEPS[name]
    assert REFUSED[name] in step["said"]
    assert "nothing was written" in step["said"]
    assert step["after"] == step["before"]


def test_both_fingerprints_are_shown():
    said = STEPS["key of a stranger"]["said"]
    assert len([word for word in said.replace(",", " ").split() if len(word) == 4 and set(word) <= set("0123456789ABCDEF")]) == 20


@pytest.mark.parametrize("name", MOVED)
def test_a_move_takes_the_whole_set_and_keeps_container_volume_and_hold(name):
    step = STEPS[name]
    after = step["after"]
    assert step["said"] == ""
    assert after["version"].startswith(MOVED[name])
    assert set(after["packages"]) == SET
    assert {after["packages"][package].split(":")[1].split("-")[0] for package in ("docker-ce", "docker-ce-cli")} == {MOVED[name]}
    assert set(after["held"]) == SET
    assert after["container"].split() == ["running", STEPS["key of a stranger"]["before"]["container"].split()[1]]
    assert after["volume"] == "precious"


def test_the_fate_of_containers_is_told_before():
    assert any("stops 1 running container" in note for note in STEPS["upgrade"]["notes"])


@pytest.mark.parametrize("name", ["upgraded again", "offline again", "upgrade predicted"])
def test_a_second_run_and_a_prediction_change_nothing(name):
    assert STEPS[name]["said"] == ""
    assert STEPS[name]["after"] == STEPS[name]["before"]


def test_check_mode_predicts_the_move():
    assert STEPS["upgrade predicted"]["predicted"]
    assert not STEPS["upgraded again"]["predicted"]


def test_a_release_that_does_not_serve_is_taken_back():
    step = STEPS["broken release"]
    assert "the lab broke this release" in step["said"]
    assert "which serves again as 28.5.2" in step["said"]
    assert step["after"] == step["before"]


def test_another_source_replaces_the_set_with_all_data_kept():
    after = STEPS["replaced"]["after"]
    assert STEPS["replaced"]["said"] == ""
    assert set(after["packages"]) == {"docker.io", "docker-cli", "containerd", "runc"}
    assert set(after["held"]) == set(after["packages"])
    assert (after["container"].split()[0], after["volume"]) == ("running", "precious")


def test_pins_take_the_set_and_nothing_else(host):
    policy = host.check_output("apt-cache policy hello lab-editor docker-ce")
    assert "99.0-1 -1" in policy
    assert "1.0-1 -1" in policy
    assert "5:28.5.3-1~debian.1~forky 995" in policy
    assert "99.0" not in host.run("apt-get --simulate install hello").stdout
    assert host.run("apt-get --simulate install lab-editor").rc != 0


def test_hold_survives_a_full_upgrade(host):
    said = host.run("apt-get --simulate dist-upgrade").stdout
    assert not [line for line in said.splitlines() if line.startswith("Inst") and line.split()[1] in SET]


def test_a_second_converge_costs_two_modules():
    run = last("idempotence")
    assert changed_tasks(run) == []
    assert len(module_runs(run)) <= 2


def test_check_mode_told_what_comes():
    (check,) = [run for run in runs() if run.check][:1]
    assert changed_tasks(check)
