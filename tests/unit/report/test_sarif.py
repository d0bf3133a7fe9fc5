# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.report import sarif as writer
from ansible_collections.bulkhead.docker.tests.unit.report import schemas
from ansible_collections.bulkhead.docker.tests.unit.report.examples import (
    LIMITS,
    PRIVILEGED,
    TRACES,
    finding,
    made,
    project,
    result,
    waiver,
)


def log_of(results=None, **more):
    log = json.loads(writer.render(made(results, **more)))
    assert schemas.wrong(schemas.sarif(), log) == []
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    return run


def test_the_schema_refuses():
    log = json.loads(writer.render(made()))
    log["runs"][0]["results"][0]["level"] = "critical"
    assert schemas.wrong(schemas.sarif(), log) != []


def test_empty():
    run = log_of([])
    assert (run["results"], run["tool"]["driver"]["rules"], run["invocations"]) == ([], [], [])


def test_the_tool():
    driver = log_of()["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("bulkhead.docker", "0.1.0")


def test_failures_are_results_and_nothing_else_is():
    run = log_of()
    found = sorted((found["ruleId"], found["properties"]["host"], found["properties"]["subject"]) for found in run["results"])
    assert found == [
        ("container-not-privileged", "", "web"),
        ("container-not-privileged", "alpha", "web"),
        ("container-not-privileged", "beta", "web"),
        ("logs-are-kept", "alpha", "alpha"),
        ("memory-is-limited", "", "outside"),
        ("memory-is-limited", "alpha", "db"),
        ("socket-to-root", "alpha", "container web, container db"),
    ]
    rules = run["tool"]["driver"]["rules"]
    assert all(rules[found["ruleIndex"]]["id"] == found["ruleId"] for found in run["results"])
    assert {found["kind"] for found in run["results"]} == {"fail"}


@pytest.mark.parametrize(("severity", "level", "score"), [("critical", "error", 9.0), ("high", "error", 7.0), ("medium", "warning", 4.0), ("low", "note", 0.1)])
def test_severities(severity, level, score):
    run = log_of([result(items=[finding()]) | {"findings": [finding(severity=severity)]}])
    assert [found["level"] for found in run["results"]] == [level]
    [rule] = run["tool"]["driver"]["rules"]
    assert rule["defaultConfiguration"]["level"] == level
    below = {9.0: 10.1, 7.0: 9.0, 4.0: 7.0, 0.1: 4.0}
    assert score <= float(rule["properties"]["security-severity"]) < below[score]


def test_a_rule_is_as_bad_as_its_worst_result():
    items = [finding(severity=severity, subject=severity) for severity in ("low", "high", "medium")]
    run = log_of([result(items=items)])
    [rule] = run["tool"]["driver"]["rules"]
    assert (rule["properties"]["security-severity"], rule["defaultConfiguration"]["level"]) == ("8.0", "error")


def test_a_rule_says_what_to_do():
    [rule] = log_of([result(items=[finding()])])["tool"]["driver"]["rules"]
    assert rule["shortDescription"]["text"] == PRIVILEGED.title
    assert rule["fullDescription"]["text"] == PRIVILEGED.why
    assert rule["help"]["text"].startswith(PRIVILEGED.remedy)
    assert rule["properties"]["tags"] == ["ATT&CK T1611", "CIS 1.6.0 5.5", "CIS 1.8.0 5.5", "CIS 1.8.0 5.6", "security"]


def test_a_finding_in_a_file_has_its_line_and_a_relative_address():
    run = log_of([project()], base="/srv/shop")
    inside, outside = (found["locations"][0]["physicalLocation"] for found in run["results"])
    assert inside == {"artifactLocation": {"uri": "compose%20files/compose.yml"}, "region": {"startLine": 12}}
    assert outside == {"artifactLocation": {"uri": "file:///opt/other.yml"}}


def test_a_finding_on_a_host_has_a_logical_location():
    [found] = log_of([result(items=[finding(subject="we/b")])])["results"]
    [location] = found["locations"]
    assert location == {"logicalLocations": [{"name": "we/b", "kind": "container", "fullyQualifiedName": "alpha/container/we%2Fb"}]}


def test_fingerprints_stay():
    first, again = (log_of([result(items=[finding(**more)])])["results"][0]["partialFingerprints"] for more in ({}, {"reason": "another one"}))
    assert first == again == {"bulkheadRuleAndSubject/v1": finding()["fingerprint"]}


def test_a_waiver_is_a_suppression_and_every_result_says_whether_it_is_suppressed():
    run = log_of([result(items=[finding(), finding(LIMITS, waiver=waiver())])])
    open_one, waived = (found["suppressions"] for found in run["results"])
    assert open_one == []
    [suppression] = waived
    assert (suppression["kind"], suppression["status"]) == ("external", "accepted")
    assert suppression["justification"] == "Accepted by ops until 2026-12-06: the vendor wants it Instead: watched by falco"


def test_invocations():
    by_name = {found["machine"]: found for found in log_of()["invocations"]}
    assert {name for name, found in by_name.items() if found["executionSuccessful"]} == {"alpha", "beta", "eta", "shop"}
    [unknown] = by_name["alpha"]["toolExecutionNotifications"]
    assert (unknown["level"], unknown["message"]["text"]) == ("warning", "Unknown for 1 checks: the API was not asked.")
    [lost] = by_name["gamma"]["toolExecutionNotifications"]
    assert (lost["level"], lost["message"]["text"]) == ("error", "unreachable: Connection timed out")


def test_a_message_has_no_links_and_no_placeholders():
    evidence = [{"source": "s", "observed": "[click](https://evil.example) {0} \\", "expected": "", "file": "", "line": 0}]
    [found] = log_of([result(items=[finding(TRACES, evidence=evidence)])])["results"]
    assert found["message"]["text"].endswith("s: \\[click\\](https://evil.example) {{0}} \\\\")
