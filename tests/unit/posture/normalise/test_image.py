# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Images as the engine lists and describes them."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import evaluate, model
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Subject, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import image
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules import images
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import Policy
from ansible_collections.bulkhead.docker.tests.unit.posture.normalise import engine_examples as examples

NOW = image.seconds(examples.INFO["SystemTime"])
RULES = {rule.id: rule for rule in images.RULES}


def subject(used: bool = True, policy: Policy | None = None, now: int | None = NOW, **different: t.Any) -> Subject:
    answer = examples.put(examples.IMAGE, **different)
    return image.subject(answer, {str(answer["Id"])} if used else set(), policy or Policy(), now)


def row() -> dict[str, t.Any]:
    """Return an image as a row of a list, which is all that is known of one that no container uses."""
    return {"Id": "sha256:" + "77" * 32, "RepoTags": ["old:1"], "RepoDigests": [], "Created": 1700000000, "Size": 5}


def test_an_image_is_read_as_it_is():
    found = subject()
    assert found.name == "registry.example.com/shop/web:1.4"
    assert found.identity["digest"] == "sha256:" + "cd" * 32
    assert {name: found.value(name) for name in ("healthcheck", "user", "working_dir", "registry", "used", "age_days")} == {
        "healthcheck": True,
        "user": "1000",
        "working_dir": "/srv",
        "registry": "registry.example.com",
        "used": True,
        "age_days": 9,
    }
    assert len(found.value("history")) == 3
    assert found.value("secret_names") == ()


def test_secrets_are_named_and_never_kept():
    found = subject(
        Config__Env=["PATH=<withheld>", "DB_PASSWORD=<secret>", "API_TOKEN=s3cr3t-value-0123", "DEBUG=1"],
        Config__Labels={"auth.token": "<secret>", "x": "y"},
        History=[{"CreatedBy": "ARG NPM_TOKEN=<secret>"}, {"CreatedBy": "ENV A=<withheld>"}],
    )
    assert set(found.value("secret_names")) == {"DB_PASSWORD", "API_TOKEN", "label auth.token", "NPM_TOKEN"}
    assert "s3cr3t" not in repr({name: fact for name, fact in found.facts.items() if name != "history"})


def test_a_history_that_was_not_asked_for_keeps_what_is_known():
    answer = {name: value for name, value in examples.put(examples.IMAGE, Config__Env=["DB_PASSWORD=<secret>"]).items() if name != "History"}
    found = image.subject(answer, {str(answer["Id"])}, Policy(), NOW)
    assert isinstance(found.facts["history"], Unknown)
    assert evaluate.outcome_of(RULES["image-without-secrets"], found).status == model.FAIL
    clean = image.subject({**answer, "Config": {**answer["Config"], "Env": []}}, {str(answer["Id"])}, Policy(), NOW)
    assert evaluate.outcome_of(RULES["image-without-secrets"], clean).status == model.UNKNOWN


def test_an_unused_image_that_nobody_asked_about_does_not_apply_and_a_used_one_is_unknown():
    for used, status in ((False, model.NOT_APPLICABLE), (True, model.UNKNOWN)):
        found = image.subject(row(), {row()["Id"]} if used else set(), Policy(), NOW)
        for rule in ("image-has-healthcheck", "image-updates-with-installation", "image-copies-files", "image-without-secrets", "image-working-dir-inside"):
            assert evaluate.outcome_of(RULES[rule], found).status == status, rule
    # Where it comes from is known of it too.
    found = image.subject(row(), set(), Policy(trusted_registries=("registry.example.com",)), NOW)
    assert evaluate.outcome_of(RULES["image-from-trusted-registry"], found).status == model.FAIL


@pytest.mark.parametrize("created", ["1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", 0, "", None, "yesterday", "1980-01-01T00:00:01"])
def test_an_image_without_a_time_is_no_old_one(created):
    found = subject(policy=Policy(image_max_age_days=30), Created=created)
    assert evaluate.outcome_of(RULES["image-not-old"], found).status == model.UNKNOWN


def test_age_needs_the_clock_of_the_host():
    assert isinstance(subject(now=None).facts["age_days"], Unknown)
    assert subject(Created="2026-08-09T23:00:00.123456789+02:00").value("age_days") == 0
    assert subject(Created="2030-01-01T00:00:00Z").value("age_days") == 0


@pytest.mark.parametrize("test", [["NONE"], [], None])
def test_a_healthcheck_that_is_switched_off_is_none(test):
    assert subject(Config__Healthcheck={"Test": test}).value("healthcheck") is False


def test_names_that_are_none_are_none():
    found = subject(RepoTags=["<none>:<none>"], RepoDigests=["<none>@<none>"])
    assert found.value("references") == () and found.name == "abababababab"
    assert isinstance(found.facts["registry"], Unknown)
