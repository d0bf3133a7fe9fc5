# SPDX-License-Identifier: Apache-2.0
"""What each step of the journey said, and what it left of packages, locks, files, container and volume."""

from __future__ import annotations

import json
import os
import pathlib

import pytest
from lab_runs import changed_tasks, last, module_runs, runs

STEPS = json.loads(pathlib.Path(os.environ["LAB_RUNS"]).parent.joinpath("journey.json").read_text(encoding="utf-8"))
SET = {"docker-ce", "docker-ce-cli", "containerd.io"}
# Of these nothing is changed, the files of the source included.
REFUSED = {
    "key of a stranger": "has the fingerprint",
    "index unsigned": "is not a repository that this key vouches for",
    "index tampered": "is not a repository that this key vouches for",
    "older unasked": "docker_engine_downgrade",
    "other source unasked": "docker_engine_replace",
    "offline unsigned": "is not signed; give docker_engine_offline_checksums",
    "offline changed file": "is not the file that the list of checksums means",
    "offline missing dependency": "which neither the host nor the directory has",
}
# With metadata that nobody signs, as those of upstream are, dnf finds this out when it has the packages: nothing is installed.
NOT_INSTALLED = {"packages unsigned": "is not signed", "packages of a stranger": "GPG"}
MOVED = {"upgrade": "28.5.2", "downgrade": "26.1.5", "mirror": "26.1.5", "offline": "28.5.2"}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_says_why_and_changes_nothing(name):
    step = STEPS[name]
    assert REFUSED[name] in step["said"]
    assert step["after"] == step["before"]


@pytest.mark.parametrize("name", NOT_INSTALLED)
def test_packages_that_the_key_does_not_vouch_for_are_not_installed(name):
    step = STEPS[name]
    assert NOT_INSTALLED[name] in step["said"]
    assert "nothing was changed" in step["said"]
    assert {**step["after"], "files": {}} == {**step["before"], "files": {}}


def test_a_signed_index_is_taken():
    assert STEPS["index signed"]["said"] == ""
    assert STEPS["source back"]["said"] == ""


@pytest.mark.parametrize("name", MOVED)
def test_a_move_takes_the_whole_set_and_keeps_container_volume_and_hold(name):
    step = STEPS[name]
    after = step["after"]
    assert step["said"] == ""
    assert after["version"].startswith(MOVED[name])
    assert set(after["packages"]) == SET
    assert {after["packages"][package].split(":")[1].split("-")[0] for package in ("docker-ce", "docker-ce-cli")} == {MOVED[name]}
    assert after["held"] == sorted(f"{package}-{version}.*" for package, version in after["packages"].items())
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


def test_what_is_in_the_way_is_replaced_in_one_transaction(host):
    step = STEPS["replaced"]
    assert {"podman-docker", "runc"} < set(step["before"]["packages"])
    assert step["said"] == ""
    assert set(step["after"]["packages"]) == SET
    # dnf keeps one entry for each transaction.
    assert host.check_output("dnf --disablerepo='*' history list --reverse").count("shell") >= 1


def test_a_new_engine_is_enabled_and_not_started():
    after = STEPS["replaced"]["after"]
    assert (after["enabled"], after["active"]) == ("enabled", "inactive")


def test_the_repository_gives_the_set_and_nothing_else(host):
    shown = host.run("dnf --quiet --cacheonly --disablerepo='*' --enablerepo=bulkhead-docker repoquery --available").stdout
    assert "docker-ce-3:" in shown
    assert "lab-editor" not in shown


def test_hold_survives_an_upgrade_of_everything(host):
    said = host.run("dnf --cacheonly --assumeno upgrade").stdout
    assert "28.5.3" not in said
    assert "Nothing to do" in said


def test_a_second_converge_costs_two_modules():
    run = last("idempotence")
    assert changed_tasks(run) == []
    assert len(module_runs(run)) <= 2


def test_check_mode_told_what_comes():
    (check,) = [run for run in runs() if run.check][:1]
    assert changed_tasks(check)
