# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.report import prometheus as writer
from ansible_collections.bulkhead.docker.tests.unit.report import schemas
from ansible_collections.bulkhead.docker.tests.unit.report.examples import finding, made, result, waiver


def metrics_of(results=None):
    text = writer.render(made(results))
    assert text.endswith("\n")
    return schemas.read_metrics(text)


def value(metrics, name, **labels):
    found = [number for given, number in metrics.get(f"bulkhead_audit_{name}", []) if labels.items() <= given.items()]
    assert len(found) <= 1
    return found[0] if found else None


def test_numbers_of_a_host():
    metrics = metrics_of()
    assert value(metrics, "timestamp_seconds") == 1795690800
    assert value(metrics, "score_ratio", host="alpha") == 0.272
    assert value(metrics, "score_waived_ratio", host="alpha") == 0.409
    assert value(metrics, "coverage_ratio", host="alpha") == 0.833
    assert value(metrics, "duration_seconds", host="alpha") == 1.25
    assert value(metrics, "api_calls", host="alpha") == 12
    assert value(metrics, "attack_paths", host="alpha") == 1
    assert value(metrics, "subjects", host="alpha", kind="container") == 3
    assert value(metrics, "findings", host="alpha", severity="critical", status="fail") == 1
    assert value(metrics, "findings", host="alpha", severity="medium", status="fail") == 1
    assert value(metrics, "findings", host="alpha", severity="medium", status="waived") == 1
    assert value(metrics, "judgements", host="alpha", status="pass") == 2
    assert value(metrics, "judgements", host="alpha", status="fail") == 3
    assert value(metrics, "judgements", host="alpha", status="unknown") == 1
    assert value(metrics, "findings", host="alpha", severity="high", status="fail") == 0
    assert value(metrics, "success", host="alpha") == 1
    assert value(metrics, "success", project="shop") == 1
    assert value(metrics, "info", collection_version="0.1.0", content=made()["content"]) == 1


@pytest.mark.parametrize("host", ["gamma", "delta", "epsilon", "zeta"])
def test_what_was_not_judged_has_no_numbers(host):
    metrics = metrics_of()
    assert value(metrics, "success", host=host) == 0
    assert [name for name, samples in metrics.items() if any(labels.get("host") == host for labels, _number in samples)] == ["bulkhead_audit_success"]


@pytest.mark.parametrize(("days", "soon"), [(30, 1), (31, 0), (-3, 1)])
def test_waivers(days, soon):
    metrics = metrics_of([result(items=[finding(waiver=waiver(days))])])
    assert value(metrics, "waivers_expiring", host="alpha") == soon
    assert value(metrics, "waiver_next_expiry_days", host="alpha") == days


def test_without_waivers():
    metrics = metrics_of([result(items=[finding()])])
    assert value(metrics, "waivers_expiring", host="alpha") == 0
    assert value(metrics, "waiver_next_expiry_days", host="alpha") is None


def test_containers_and_rules_make_no_series():
    few = writer.render(made([result(items=[finding()])])).count("\n")
    many = writer.render(made([result(items=[finding(subject=f"web-{number}", rule=f"rule-{number}") for number in range(500)])])).count("\n")
    assert few == many


def test_passes_that_were_not_returned_are_counted():
    everything = result()
    metrics = metrics_of([{**everything, "findings": [item for item in everything["findings"] if item["status"] == "fail"]}])
    assert value(metrics, "judgements", host="alpha", status="pass") == 2
    assert value(metrics, "score_ratio", host="alpha") == 0.272


def test_every_series_of_a_metric_has_the_same_labels_once():
    for samples in metrics_of().values():
        assert len({frozenset(labels) for labels, _number in samples}) == 1
        assert len({frozenset(labels.items()) for labels, _number in samples}) == len(samples)


@pytest.mark.parametrize("name", ['a"} 1\nx{b="', "back\\slash", "\\n", '"', "漢字"])
def test_labels_are_escaped(name):
    metrics = metrics_of([result(name, [finding(host=name)])])
    assert value(metrics, "success", host=name.replace("\n", " ")) == 1


def test_empty():
    assert set(metrics_of([])) == {"bulkhead_audit_info", "bulkhead_audit_timestamp_seconds"}
