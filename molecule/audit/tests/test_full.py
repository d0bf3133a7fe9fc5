# SPDX-License-Identifier: Apache-2.0
"""A host full of containers that are each wrong in one way: every rule finds its own, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import lxml.etree
import pytest
from lab_runs import last, module_runs

SCHEMAS = Path(__file__).resolve().parents[3] / "docs" / "schemas"
LIMITS = {"memory-limited", "cpu-limited", "pids-limited"}


@pytest.fixture(scope="module")
def made(kept):
    return kept("made")


@pytest.fixture(scope="module")
def full(kept):
    return kept("full")


def test_there_is_a_case_for_most_rules_about_containers(made):
    tried = {rule for case in made["cases"].values() for rule in case["fails"]}
    assert len(tried) >= 45


def test_the_containers_are_as_the_cases_want_them(made):
    wrong = {name: case["error"] for name, case in made["cases"].items() if case["started"] and not case["running"]}
    assert (made["good"], wrong) == ("", {})
    assert sum(1 for case in made["cases"].values() if case["running"]) >= 40


def test_the_good_container_fails_only_what_this_machine_cannot_give(made, full):
    assert full.rules("fail")["good"] == (set() if made["limits"] else LIMITS)
    assert full.rules("unknown")["good"] == set()
    assert len(full.rules("pass")["good"]) >= 45


def test_each_container_fails_what_is_wrong_with_it_and_nothing_else(made, full):
    failing = full.rules("fail")
    good = failing["good"]
    wrong = {}
    for name, case in made["cases"].items():
        found = failing[name] - good
        if found != set(case["fails"]):
            wrong[name] = {"more": sorted(found - set(case["fails"])), "less": sorted(set(case["fails"]) - found)}
    assert wrong == {}


def test_each_rule_names_exactly_the_containers_that_fail_it(made, full):
    failing = full.rules("fail")
    for rule in {rule for case in made["cases"].values() for rule in case["fails"]} - LIMITS:
        named = {subject for subject, rules in failing.items() if rule in rules}
        assert named == {name for name, case in made["cases"].items() if rule in case["fails"]}, rule


def test_a_failure_says_where_it_was_seen_and_what_to_do(full):
    for finding in full["findings"]:
        if finding["status"] == "fail" and finding["kind"] == "container":
            assert finding["remediation"] and finding["evidence"], finding["rule"]
            assert all(piece["source"] and piece["observed"] for piece in finding["evidence"]), finding["rule"]


def test_a_check_that_looks_for_texts_passes_what_the_rules_find(made, full):
    naive = {name: case["naive"]["passes"] for name, case in made["cases"].items() if "naive" in case}
    assert len(naive) >= 10
    assert [name for name, passes in naive.items() if not passes] == [], "the naive check is to pass these"
    assert [name for name in naive if not full.rules("fail")[name]] == []


def test_a_way_to_the_host_through_a_neighbour_is_found(full):
    [path] = [finding for finding in full["findings"] if finding["kind"] == "attack path" and "neighbour" in finding["subject"]]
    assert (path["rule"], path["status"]) == ("attack-path-through-a-neighbour", "fail")
    assert path["severity"] in ("critical", "high")
    assert any("api-socket" in f"{piece['source']} {piece['observed']}" for piece in path["evidence"])


def test_no_value_of_a_secret_is_anywhere(full, reports):
    assert "hunter2" not in json.dumps(full)
    assert [path for path in reports("-full").rglob("*") if path.is_file() and "hunter2" in path.read_text(encoding="utf-8")] == []


def test_nothing_about_the_containers_changed_while_they_were_looked_at(made):
    assert made["before"] == made["after"]
    assert {sessions for _state, _pid, _started, sessions, _restarts in map(tuple, made["after"].values())} == {None}, "nobody was in a container"


def test_the_whole_look_is_one_remote_run(name):
    executed = [record["task"] for record in module_runs(last("containers"), name) if record["module"].endswith("docker_host_audit")]
    assert executed.count("Judge the full host") == 1


def test_waivers_cover_and_those_that_cover_nothing_are_findings(kept):
    waived = kept("waived")
    covered = {(finding["rule"], finding["subject"]) for finding in waived["findings"] if finding["waiver"]}
    assert covered == {("api-address-not-given", "docker-host")}
    assert waived["waived"] == 1
    assert [(finding["rule"], finding["subject"]) for finding in waived["findings"] if finding["kind"] == "waiver"] == [
        ("waiver-not-expired", "waiver 2"),
        ("waiver-covers-something", "waiver 3"),
    ]
    assert waived["stopped"]
    assert "health-checked" in waived.rules("fail")["health"], "what has expired covers nothing"


@pytest.mark.parametrize("suffix", ["", "-full", "-silent"])
def test_every_report_is_there_and_the_json_has_its_schema(reports, suffix):
    directory = reports(suffix)
    kinds = {".json", ".html", ".txt", ".sarif", ".junit.xml", ".ocsf.jsonl", ".prom"}
    assert {path.name[len("audit") :] for path in directory.glob("audit.*")} == kinds
    for name in ("bookworm", "trixie", "forky"):
        assert {path.name[len(name) :] for path in (directory / "hosts").glob(f"{name}.*")} == kinds
    document = json.loads((directory / "audit.json").read_text(encoding="utf-8"))
    schema = json.loads((SCHEMAS / "report-1.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)
    assert [report["name"] for report in document["reports"]] == ["bookworm", "forky", "trixie"]
    assert json.loads((directory / "audit.sarif").read_text(encoding="utf-8"))["version"] == "2.1.0"
    assert len(lxml.etree.parse(directory / "audit.junit.xml").findall(".//testcase")) > 20
    assert (directory / "audit.json").stat().st_mode & 0o777 == 0o600


def test_the_reports_say_what_the_module_said(reports, full, name):
    document = json.loads((reports("-full") / "hosts" / f"{name}.json").read_text(encoding="utf-8"))
    [report] = document["reports"]
    assert report["score"]["percent"] == full["score"]["percent"]
    assert report["score"]["counts"] == full["score"]["counts"]
