# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.report import ocsf as writer
from ansible_collections.bulkhead.docker.tests.unit.report import schemas
from ansible_collections.bulkhead.docker.tests.unit.report.examples import (
    LIMITS,
    finding,
    made,
    project,
    result,
    waiver,
)


def events_of(results=None, **more):
    events = [json.loads(line) for line in writer.render(made(results, **more)).split("\n") if line]
    for event in events:
        assert schemas.wrong(schemas.ocsf(writer.VERSION), event) == []
    return events


@pytest.mark.parametrize("spoil", [{"class_uid": "2003"}, {"severity_id": 9}, {"compliance": None}, {"more": 1}])
def test_the_schema_refuses(spoil):
    event = {**events_of()[0], **spoil}
    assert schemas.wrong(schemas.ocsf(writer.VERSION), event) != []


@pytest.mark.parametrize("version", ["1.5.0", "1.6.0", "1.7.0", "1.8.0"])
def test_later_versions_take_it_too(version):
    for event in events_of():
        assert schemas.wrong(schemas.ocsf(version), event) == []


def test_empty():
    assert writer.render(made([])) == ""


def test_an_event_for_each_finding_and_for_each_report_without():
    whole = made()
    items = sum(len(report["findings"]) + len(report["attack_paths"]) for report in whole["reports"])
    lost = sum(1 for report in whole["reports"] if report["state"] != "judged")
    events = events_of()
    assert (len(events), lost) == (items + lost, 4)
    assert {(event["class_uid"], event["category_uid"], event["type_uid"], event["activity_id"]) for event in events} == {(2003, 2, 200301, 1)}
    assert {event["time"] for event in events} == {1795690800000}
    assert {event["metadata"]["correlation_uid"] for event in events} == {whole["content"]}


@pytest.mark.parametrize(
    ("status", "compliance", "state", "severity"), [("fail", 3, 1, 5), ("unknown", 0, 1, 5), ("pass", 1, 4, 1), ("not-applicable", 99, 4, 1)]
)
def test_statuses(status, compliance, state, severity):
    [event] = events_of([result(items=[finding(status=status)])])
    assert (event["compliance"]["status_id"], event["status_id"], event["severity_id"]) == (compliance, state, severity)
    assert event["unmapped"]["severity_of_failure"] == "critical"


def test_a_waived_failure_is_suppressed_and_still_a_failure():
    [event] = events_of([result(items=[finding(waiver=waiver())])])
    assert (event["status_id"], event["compliance"]["status_id"]) == (3, 3)
    assert event["status_detail"].startswith("Accepted by ops until 2026-12-06")


def test_a_failure():
    [event] = events_of([result(items=[finding()])])
    assert event["finding_info"]["uid"] == finding()["fingerprint"]
    assert event["compliance"]["control"] == "container-not-privileged"
    assert event["compliance"]["standards"] == ["CIS Docker Benchmark 1.6.0", "CIS Docker Benchmark 1.8.0"]
    assert event["compliance"]["requirements"] == ["CIS 1.6.0 5.5", "CIS 1.8.0 5.5", "CIS 1.8.0 5.6", "ATT&CK T1611"]
    assert event["resources"] == [{"type": "container", "name": "web", "namespace": "alpha"}, {"type": "host", "name": "alpha"}]
    assert event["evidences"] == [{"data": {**finding()["evidence"][0]}}]
    assert event["remediation"]["desc"].startswith("Set container-not-privileged.")


def test_a_finding_of_a_file():
    event = events_of([project()], base="/srv/shop")[0]
    assert (event["unmapped"]["file"], event["unmapped"]["line"]) == ("compose files/compose.yml", 12)
    assert event["resources"][1] == {"type": "compose", "name": "shop"}


def test_a_host_that_was_not_judged_is_unknown():
    [event] = events_of([{"name": "gamma", "unreachable": True, "msg": "timed out"}])
    assert (event["compliance"]["status_id"], event["compliance"]["status_details"], event["resources"][0]["name"]) == (0, ["timed out"], "gamma")


def test_two_passes_have_two_identities():
    events = events_of([result(items=[finding(LIMITS, "pass", "a"), finding(LIMITS, "pass", "b")])])
    assert len({event["finding_info"]["uid"] for event in events}) == 2
