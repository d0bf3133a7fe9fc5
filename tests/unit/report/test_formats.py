# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Every format together: hostile input, the same bytes for the same input, speed."""

from __future__ import annotations

import json
import time

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.report import document, formats
from ansible_collections.bulkhead.docker.tests.unit.report import schemas
from ansible_collections.bulkhead.docker.tests.unit.report.examples import (
    GENERATED,
    HOSTILE,
    OBEYED,
    VERSION,
    finding,
    fleet,
    made,
    path,
    result,
    with_text_everywhere,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MACHINE = ["json", "sarif", "junit", "ocsf", "prometheus"]
ANY = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}


def check(name, whole):
    """Assert that a format says a document, and nothing that a text in it would like it to say; return its text."""
    text = formats.WRITERS[name].function(whole)
    text.encode("utf-8")
    assert OBEYED.search(text) is None
    items = [item for report in whole["reports"] for item in (*report["attack_paths"], *report["findings"])]
    lost = sum(1 for report in whole["reports"] if report["state"] != "judged")
    if name == "json":
        assert json.loads(text) == whole
        assert schemas.wrong(schemas.ours(), whole) == []
    elif name == "sarif":
        log = json.loads(text)
        assert schemas.wrong(schemas.sarif(), log) == []
        assert len(log["runs"][0]["results"]) == sum(1 for item in items if item["status"] == "fail")
    elif name == "junit":
        root = schemas.read_xml(text)
        schemas.junit().assertValid(root)
        assert len(list(root.iter("testcase"))) == len(items) + lost
        assert len(root) == len(whole["reports"])
    elif name == "ocsf":
        events = [json.loads(line) for line in text.split("\n") if line]
        assert [error for event in events for error in schemas.wrong(schemas.ocsf("1.5.0"), event)] == []
        assert len(events) == len(items) + lost
    elif name == "prometheus":
        metrics = schemas.read_metrics(text)
        assert len(metrics.get("bulkhead_audit_success", [])) == len(whole["reports"])
    elif name == "text":
        assert len(text.splitlines()) <= 80
        assert all(len(line) <= 100 for line in text.splitlines())
    return text


@pytest.mark.parametrize("name", formats.WRITERS)
def test_a_writer(name):
    writer = formats.WRITERS[name]
    assert writer.suffix.startswith(".")
    assert "/" in writer.mime
    check(name, made())
    assert made()["content"] in writer.function(made())


def test_suffixes_differ():
    assert len({writer.suffix for writer in formats.WRITERS.values()}) == len(formats.WRITERS) == 7


@pytest.mark.parametrize("name", formats.WRITERS)
def test_the_same_bytes_for_the_same_input(name):
    writer = formats.WRITERS[name].function
    whole = made()
    before = json.dumps(whole)
    assert writer(whole) == writer(whole) == writer(made(fleet()[::-1]))
    assert json.dumps(whole) == before


@pytest.mark.parametrize("name", formats.WRITERS)
@pytest.mark.parametrize("nasty", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_everywhere(name, nasty):
    check(name, made(with_text_everywhere(nasty)))


@pytest.mark.parametrize("name", formats.WRITERS)
@pytest.mark.parametrize("character", ["<", "\x00", "\ud800", "\u202e", "x", '"', "\\", "漢", "&"], ids=range(9))
def test_a_megabyte_in_every_text(name, character):
    text = check(name, made(with_text_everywhere(character * 1_000_000)))
    # Two reports of nine items with some thirty texts each, none of them longer than 2000 characters, escaped.
    assert len(text) < 20_000_000
    assert "characters left out" in text or name in ("text", "prometheus")


# Without a codec: halves of surrogate pairs are characters here.
TEXT = st.text(st.characters(codec=None), max_size=20) | st.sampled_from(HOSTILE)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.integers(), inner, max_size=3),
    max_leaves=8,
)


def spoiled(sample):
    """Return a strategy for a dictionary in which some values are something else, and some keys are missing."""
    return st.fixed_dictionaries({}, optional={key: st.just(value) | JUNK for key, value in sample.items()}).map(dict)


def mostly(sample):
    """Return a strategy for a dictionary with few changes, so that what is behind the first check is reached as well."""
    return st.dictionaries(st.sampled_from(sorted(sample)), JUNK, max_size=3).map(lambda changes: {**sample, **changes})


FINDINGS = st.lists(mostly(finding()) | spoiled(finding()) | JUNK, max_size=4)
RESULTS = st.lists(
    st.builds(
        lambda base, findings, paths: {**base, "findings": findings, "attack_paths": paths},
        mostly(result()),
        FINDINGS,
        st.lists(mostly(path()) | JUNK, max_size=2),
    )
    | spoiled(result())
    | JUNK,
    max_size=3,
)


@pytest.mark.parametrize("name", formats.WRITERS)
@settings(max_examples=60, **ANY)
@given(results=RESULTS)
def test_whatever_hosts_send(name, results):
    check(name, document.build(results, GENERATED, VERSION))


@settings(max_examples=200, **ANY)
@given(results=RESULTS)
def test_nothing_that_is_sent_makes_a_better_score_than_its_findings(results):
    for report in document.build(results, GENERATED, VERSION)["reports"]:
        if any(report["score"]["failed_by_severity"][severity] for severity in ("critical", "high", "medium", "low")) and not report["score"]["weight_judged"]:
            assert report["score"]["percent"] is None
        assert report["score"]["percent"] is None or 0 <= report["score"]["percent"] <= 100
        for status, count in report["score"]["counts"].items():
            assert count >= sum(1 for item in report["findings"] if item["status"] == status)


def large(hosts=200, each=200):
    results = []
    for host in range(hosts):
        name = f"host-{host:03}.example.org"
        statuses = ("pass", "pass", "pass", "fail", "unknown", "not-applicable")
        items = [
            finding(status=statuses[(host + number) % 6], subject=f"shop-{number % 40}", host=name, rule=f"rule-{number}", title=f"The rule {number} holds")
            for number in range(each)
        ]
        results.append({"name": name, "findings": items, "engine": {"version": "29.7.2"}, "duration": 1.0})
    return results


@pytest.fixture(scope="module")
def large_document():
    results = large()
    # Time of this process, not of the wall: other work runs beside the tests.
    before = time.process_time()
    whole = document.build(results, GENERATED, VERSION)
    assert time.process_time() - before < 5
    return whole


@pytest.mark.parametrize("name", MACHINE + ["text"])
def test_two_hundred_hosts_with_two_hundred_findings_take_less_than_five_seconds(name, large_document):
    before = time.process_time()
    text = formats.WRITERS[name].function(large_document)
    assert time.process_time() - before < 5
    assert text
