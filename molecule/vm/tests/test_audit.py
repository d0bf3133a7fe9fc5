# SPDX-License-Identifier: Apache-2.0
"""The audit on a whole machine: it judges what container hosts cannot show."""

from __future__ import annotations

import json

import pytest


@pytest.fixture(scope="module")
def report(ansible, tmp_path_factory):
    directory = tmp_path_factory.mktemp("audit")
    status, said = ansible.play("bulkhead.docker.audit", docker_audit_directory=str(directory), docker_audit_formats=["json"], docker_audit_fail_on="never")
    assert status == 0, said
    return json.loads((directory / "audit.json").read_text(encoding="utf-8"))["reports"][0]


def test_nearly_everything_could_be_judged(report):
    assert report["coverage"]["percent"] >= 85, report["coverage"]


def test_a_provisioned_machine_scores_well(report):
    failed = sorted({(found["severity"], found["rule"]) for found in report["findings"] if found["status"] == "fail"})
    assert report["score"]["percent"] >= 80, failed


def test_no_rule_broke(report):
    broken = [found for found in report["findings"] if found["status"] == "unknown" and "Error" in found["reason"]]
    assert broken == []
