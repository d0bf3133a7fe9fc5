# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.bulkhead.docker.plugins.filter.docker_findings import FilterModule, docker_findings


def finding(rule="a-rule", severity="high", status="fail", subject="web", kind="container", **more):
    return {"rule": rule, "severity": severity, "status": status, "subject": subject, "kind": kind, **more}


FINDINGS = [
    finding("low-one", "low"),
    finding("mounts-x", "critical", file="b.yml", line=9),
    finding("mounts-y", "critical", file="b.yml", line=2, subject="db"),
    finding("unknown-one", "high", "unknown"),
    finding("pass-one", "critical", "pass", kind="host"),
    finding("waived-one", "medium", waiver={"owner": "a", "reason": "b", "expires": "2027-01-01"}),
]


def rules(**options):
    return [item["rule"] for item in docker_findings(FINDINGS, **options)]


def test_order():
    assert rules() == ["pass-one", "mounts-y", "mounts-x", "unknown-one", "waived-one", "low-one"]


@pytest.mark.parametrize(
    "options, found",
    [
        ({"severity": "high"}, ["pass-one", "mounts-y", "mounts-x", "unknown-one"]),
        ({"status": "fail"}, ["mounts-y", "mounts-x", "waived-one", "low-one"]),
        ({"status": ["unknown", "pass"]}, ["pass-one", "unknown-one"]),
        ({"rule": "mounts-*"}, ["mounts-y", "mounts-x"]),
        ({"rule": ["mounts-x", "low-?ne"]}, ["mounts-x", "low-one"]),
        ({"subject": "d*"}, ["mounts-y"]),
        ({"kind": "host"}, ["pass-one"]),
        ({"status": "fail", "waived": False}, ["mounts-y", "mounts-x", "low-one"]),
        ({"rule": "nothing"}, []),
    ],
)
def test_choices(options, found):
    assert rules(**options) == found


def test_findings_are_given_back_as_they_were():
    odd = {**FINDINGS[0], "more": 1}
    assert docker_findings([odd])[0] is odd


@pytest.mark.parametrize(
    "findings, options, part",
    [
        ([], {"severity": "bad"}, "severity is 'bad'"),
        ([], {"status": ["fail", "bad"]}, "status is 'bad'"),
        ({}, {}, "findings is dict"),
        ([{}], {}, "finding 1 has the severity None"),
    ],
)
def test_wrong_input(findings, options, part):
    with pytest.raises(AnsibleFilterError, match="docker_findings: ") as caught:
        docker_findings(findings, **options)
    assert part in str(caught.value)


def test_registered():
    assert FilterModule().filters() == {"docker_findings": docker_findings}
