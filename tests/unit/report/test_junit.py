# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.report import junit as writer
from ansible_collections.bulkhead.docker.tests.unit.report import schemas
from ansible_collections.bulkhead.docker.tests.unit.report.examples import finding, made, project, result, waiver


def root_of(results=None, **more):
    root = schemas.read_xml(writer.render(made(results, **more)))
    schemas.junit().assertValid(root)
    return root


def outcomes(root):
    return {
        (case.get("classname"), case.get("name")): [(child.tag, child.get("type"), child.get("message")) for child in case] for case in root.iter("testcase")
    }


@pytest.mark.parametrize("text", ["<testsuites/>", "<testsuites name='a' tests='1' failures='0' errors='0'><testsuite name='a'/></testsuites>"])
def test_the_schema_refuses(text):
    assert not schemas.junit().validate(schemas.read_xml(text))


def test_empty():
    assert dict(root_of([]).attrib) == {"name": "bulkhead.docker", "tests": "0", "failures": "0", "errors": "0"}


def test_a_suite_for_each_report_with_counts_that_are_true():
    root = root_of()
    assert [suite.get("name") for suite in root] == ["shop", "alpha", "beta", "delta", "epsilon", "eta", "gamma", "zeta"]
    for suite in root:
        assert int(suite.get("tests")) == len(suite.findall("testcase"))
        for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(count)) == len(suite.findall(f"testcase/{tag}")), (suite.get("name"), count)
    for count in ("tests", "failures", "errors"):
        assert int(root.get(count)) == sum(int(suite.get(count)) for suite in root)
    assert (root.get("failures"), root.get("errors")) == ("6", "4")


def test_what_becomes_of_each_status():
    found = outcomes(root_of([result()]))
    title = "The rule container-not-privileged holds"
    assert found["alpha.container", "container-not-privileged: container web"] == [("failure", "critical", title)]
    assert found["alpha.host", "logs-are-kept: host"] == [("failure", "medium", "The rule logs-are-kept holds")]
    assert found["alpha.container", "logs-are-kept: container web"] == []
    assert found["alpha.container", "memory-is-limited: container cache"] == [("skipped", None, "unknown: the API was not asked")]
    assert found["alpha.container", "container-not-privileged: container cache"] == [("skipped", None, "does not apply: there is no swarm")]
    [(tag, _type, message)] = found["alpha.container", "memory-is-limited: container db"]
    assert (tag, message) == ("skipped", "waived: Accepted by ops until 2026-12-06: the vendor wants it Instead: watched by falco")


def test_a_failure_says_where_what_and_what_to_do():
    root = root_of([project()], base="/srv/shop")
    text = root.find("testsuite/testcase/failure").text
    assert "Where: compose files/compose.yml:12" in text
    assert "Found: /containers/{id}/json#/HostConfig/Privileged: yes (expected: no)" in text
    assert "What to do: Set container-not-privileged. Variable: docker_daemon_settings. It interrupts: the container is created again." in text


def test_what_could_not_be_judged_is_an_error():
    assert outcomes(root_of([{"name": "gamma", "unreachable": True, "msg": "timed out"}])) == {
        ("gamma", "The audit can be made"): [("error", "unreachable", "timed out")]
    }


def test_properties():
    suite = root_of([result()])[0]
    properties = {item.get("name"): item.get("value") for item in suite.find("properties")}
    assert (properties["score percent"], properties["coverage percent"], properties["engine version"]) == ("27.2", "83.3", "29.7.2")
    assert (suite.get("time"), suite.get("timestamp")) == ("1.250", "2026-11-26T11:00:00")


@pytest.mark.parametrize("duration", [None, 0, 10**12, "long", -1])
def test_durations(duration):
    assert root_of([result(duration=duration)])[0].get("time") in ("0.000", "999999.000")


def test_markup_stays_text():
    nasty = "]]><x a=\"1\" b='2'>&amp;</failure></testcase>"
    root = root_of([result(items=[finding(subject=nasty, title=nasty, reason=nasty), finding(subject="b", waiver={**waiver(), "reason": nasty})])])
    first, second = root.iter("testcase")
    assert first.get("name") == f"container-not-privileged: container {nasty}"
    assert first[0].get("message") == nasty
    assert nasty in first[0].text
    assert nasty in second[0].get("message")
