# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.bulkhead.docker.plugins.filter.docker_gate import docker_gate
from ansible_collections.bulkhead.docker.plugins.filter.docker_waive import FilterModule, docker_waive

WAIVER = {"rule": "container-not-privileged", "subject": "web*", "owner": "ops", "reason": "so", "expires": "2027-01-31"}


def finding(host="h1", subject="web", status="fail", rule="container-not-privileged"):
    return {"rule": rule, "severity": "critical", "status": status, "subject": subject, "kind": "container", "host": host}


def waived(findings, *waivers, today="2027-01-01"):
    return docker_waive(findings, list(waivers), today=today)


def test_a_failure_is_covered():
    found = waived([finding(), finding(subject="db"), finding(rule="memory-limited")], WAIVER)
    assert [bool(item["waiver"]) for item in found] == [True, False, False]
    assert found[0]["waiver"] == {"owner": "ops", "reason": "so", "expires": "2027-01-31", "compensation": ""}
    assert len(docker_gate(found, "critical")) == 2


def test_the_last_day_counts():
    assert waived([finding()], WAIVER, today="2027-01-31")[0]["waiver"]
    late = waived([finding()], WAIVER, today="2027-02-01")
    assert late[0]["waiver"] is None
    assert (late[1]["rule"], late[1]["status"]) == ("waiver-not-expired", "fail")


def test_one_that_covers_nothing_is_a_finding():
    found = waived([finding(status="pass")], WAIVER)
    assert [(item["rule"], item["subject"]) for item in found] == [("container-not-privileged", "web"), ("waiver-covers-something", "waiver 1")]


def test_hosts():
    found = waived([finding("h1"), finding("h2")], {**WAIVER, "host": "h2"})
    assert [(item["host"], bool(item["waiver"])) for item in found] == [("h1", False), ("h2", True)]


def test_nothing_at_all():
    assert waived([]) == []
    assert [item["rule"] for item in waived([], WAIVER)] == ["waiver-covers-something"]


@pytest.mark.parametrize(
    "findings, waivers, today, part",
    [
        ([], [{"rule": "x"}], None, "lacks owner"),
        ([], [{**WAIVER, "rule": "nothing"}], None, "names the rule 'nothing'"),
        ([], "text", None, "is no list"),
        ([], [{**WAIVER, "image": "a"}], None, "waiver 1 names an image or a label"),
        ([], [{**WAIVER, "label": "a"}], None, "waiver 1 names an image or a label"),
        ([], [WAIVER], "tomorrow", "today is 'tomorrow'"),
        (5, [WAIVER], None, "findings is int"),
    ],
)
def test_wrong_input(findings, waivers, today, part):
    with pytest.raises(AnsibleFilterError, match="docker_waive: ") as caught:
        docker_waive(findings, waivers, today=today)
    assert part in str(caught.value)


def test_registered():
    assert FilterModule().filters() == {"docker_waive": docker_waive}


PATH = {
    **finding(rule="attack-path-through-a-neighbour", subject="side"),
    "kind": "attack path",
    "evidence": [{"source": "", "observed": "side shares its processes with web"}, {"source": "", "observed": "web: container-not-privileged: yes"}],
}


def test_a_path_is_waived_by_its_own_waiver_only_and_says_what_is_accepted():
    found = waived([finding(), PATH], WAIVER)
    assert [bool(item["waiver"]) for item in found] == [True, False]
    assert found[1]["evidence"][-1]["observed"] == "container-not-privileged of web is accepted (ops, until 2027-01-31), which does not cover this path"
    [sentence] = docker_gate(found, "critical")
    assert "which does not cover this path" in sentence
    assert waived(found, WAIVER)[1]["evidence"] == found[1]["evidence"]
    both = waived([PATH, finding()], WAIVER, {**WAIVER, "rule": PATH["rule"], "subject": "side"})
    assert [bool(item["waiver"]) for item in both] == [True, True]
    assert len(both[0]["evidence"]) == 2
