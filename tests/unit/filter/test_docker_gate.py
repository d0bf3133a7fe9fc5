# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.bulkhead.docker.plugins.filter.compose_findings import compose_findings
from ansible_collections.bulkhead.docker.plugins.filter.docker_gate import FilterModule, docker_gate

FINDINGS = compose_findings("services:\n  web:\n    privileged: true\n    ports: ['80:80']\n", include=["fail", "unknown", "pass"])


def test_thresholds():
    counts = [len(docker_gate(FINDINGS, threshold)) for threshold in ("never", "critical", "high", "medium", "low")]
    assert counts[0] == 0 < counts[1] < counts[2] < counts[3] < counts[4]
    assert len(docker_gate(FINDINGS)) == counts[2]


def test_sentences():
    found = docker_gate(FINDINGS, "critical")
    wanted = "compose.yaml:3: [critical] container-not-privileged, compose service web: found yes, expected no. Remove"
    assert any(sentence.startswith(wanted) for sentence in found)
    assert all(sentence.isprintable() for sentence in found)
    severities = [sentence.partition("[")[2].partition("]")[0] for sentence in docker_gate(FINDINGS, "low")]
    assert severities == sorted(severities, key=["critical", "high", "medium", "low"].index)


def test_what_is_waived_does_not_stop():
    waived = [{**finding, "waiver": {"owner": "a", "reason": "b", "expires": "2027-01-01"}} for finding in FINDINGS]
    assert docker_gate(waived, "low") == []


def test_passes_and_the_unknown_do_not_stop():
    assert docker_gate([finding for finding in FINDINGS if finding["status"] != "fail"], "low") == []


def test_a_finding_of_a_host():
    finding = {"rule": "r", "severity": "high", "status": "fail", "host": "h1", "subject": "db", "kind": "container", "title": "It is so", "remediation": "Do."}
    assert docker_gate([finding], "high") == ["[high] r, container db of h1: It is so. Do."]
    assert docker_gate([{**finding, "subject": "\x1b[2Jdb"}], "high")[0].isprintable()


@pytest.mark.parametrize(
    "findings, fail_on, part",
    [
        ([], "worst", "fail_on is 'worst'"),
        ("text", "high", "findings is str"),
        ([1], "high", "finding 1 is int"),
        ([{"rule": "r", "status": "fail"}], "high", "finding 1 has the severity None"),
        ([{"rule": "r", "status": "bad", "severity": "high"}], "high", "finding 1 has the status 'bad'"),
        ([{"status": "fail", "severity": "high"}], "high", "finding 1 names no rule"),
    ],
)
def test_wrong_input(findings, fail_on, part):
    with pytest.raises(AnsibleFilterError, match="docker_gate: ") as caught:
        docker_gate(findings, fail_on)
    assert part in str(caught.value)


def test_registered():
    assert FilterModule().filters() == {"docker_gate": docker_gate}
