# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import copy
import random

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.report import document
from ansible_collections.bulkhead.docker.tests.unit.report.examples import (
    GENERATED,
    LIMITS,
    PRIVILEGED,
    TRACES,
    VERSION,
    finding,
    fleet,
    made,
    path,
    project,
    result,
    waiver,
)


def only(*results):
    reports = made(list(results))["reports"]
    assert len(reports) == len(results)
    return reports[0]


def test_a_good_result():
    report = only(result(attack_paths=[path()]))
    assert (report["name"], report["kind"], report["state"], report["problem"]) == ("alpha", "host", "judged", "")
    assert report["engine"] == {"api_version": "1.52", "product": "docker", "version": "29.7.2"}
    assert (report["duration"], report["api_calls"], report["waived"], report["findings_left_out"]) == (1.25, 12, 1, 0)
    assert report["subjects"] == {"host": 1, "container": 3}
    assert report["score"]["counts"] == {"pass": 2, "fail": 3, "unknown": 1, "not-applicable": 1}
    assert report["score"]["failed_by_severity"] == {"critical": 1, "high": 0, "medium": 1, "low": 0, "info": 0}
    assert report["score"]["waived_by_severity"] == {"critical": 0, "high": 0, "medium": 1, "low": 0, "info": 0}
    # Passed 3 + 3 of 10 + 3 + 3 + 3 + 3, and with the waiver 3 more.
    assert (report["score"]["weight_passed"], report["score"]["weight_judged"]) == (6, 22)
    assert (report["score"]["percent"], report["score"]["percent_waived"]) == (27.2, 40.9)
    assert report["coverage"] == {"percent": 83.3, "judged": 5, "applicable": 6, "unknown": [{"reason": "the API was not asked", "count": 1}]}


def test_findings_keep_what_modules_say():
    raw = finding()
    [kept] = only(result(items=[raw]))["findings"]
    assert kept == {**raw, "evidence_left_out": 0}


def test_the_worst_comes_first():
    items = only(result())["findings"]
    assert [(item["status"], item["severity"], item["waiver"] is not None) for item in items] == [
        ("fail", "critical", False),
        ("fail", "medium", False),
        ("fail", "medium", True),
        ("unknown", "medium", False),
        ("pass", "medium", False),
        ("pass", "medium", False),
        ("not-applicable", "critical", False),
    ]


def test_an_attack_path_has_the_form_of_a_finding():
    [item] = only(result(attack_paths=[path()]))["attack_paths"]
    assert (item["rule"], item["kind"], item["status"], item["severity"]) == ("socket-to-root", "attack path", "fail", "critical")
    assert item["subject"] == "container web, container db"
    assert [(piece["source"], piece["observed"]) for piece in item["evidence"]] == [
        ("", "web reaches the socket of the engine"),
        ("db", "it starts a privileged container"),
    ]
    assert set(item) == set(only(result())["findings"][0])


def test_an_attack_path_among_the_findings_is_moved():
    report = only(result(items=[finding(kind="attack path"), finding()]))
    assert [item["kind"] for item in report["findings"]] == ["container"]
    assert [item["kind"] for item in report["attack_paths"]] == ["attack path"]


def test_an_attack_path_that_comes_twice_is_one():
    twice = finding(kind="attack path", subject="container web, container db", title=path()["title"], rule="socket-to-root")
    [item] = only(result(items=[twice], attack_paths=[path()]))["attack_paths"]
    assert len(item["evidence"]) == 2


@pytest.mark.parametrize(
    ("given", "name", "state", "problem"),
    [
        ({"name": "a", "unreachable": True, "msg": "timed out"}, "a", "unreachable", "timed out"),
        ({"name": "a", "unreachable": True}, "a", "unreachable", "The host was not reachable."),
        ({"name": "a", "failed": True, "msg": "no root"}, "a", "failed", "no root"),
        ({"name": "a", "failed": True}, "a", "failed", "The audit failed and did not say why."),
        ({"name": "a", "skipped": True}, "a", "missing", "There is no result."),
        ({"name": "a"}, "a", "missing", "There is no result."),
        ({"name": "a", "damaged": True}, "a", "damaged", "Report damaged."),
        ({"name": "a", "score": {"percent": 100}}, "a", "damaged", "Report damaged: the result has no findings."),
        ({"name": "a", "findings": None}, "a", "damaged", "Report damaged: findings is missing, not a list."),
        ({"name": "a", "findings": {"rule": "x"}}, "a", "damaged", "Report damaged: findings is dict, not a list."),
        ({"name": "a", "findings": [], "attack_paths": "x"}, "a", "damaged", "Report damaged: attack_paths is str, not a list."),
        ({"name": "a", "findings": [], "attack_paths": [1]}, "a", "damaged", "Report damaged: 1 of its 1 attack paths cannot be read and are left out."),
        (None, "host 1", "damaged", "Report damaged: the result is NoneType, not a dictionary."),
        ("text", "host 1", "damaged", "Report damaged: the result is str, not a dictionary."),
    ],
)
def test_what_is_no_result_says_so(given, name, state, problem):
    report = only(given)
    assert (report["name"], report["state"], report["problem"]) == (name, state, problem)
    assert report["score"]["percent"] is None


@pytest.mark.parametrize("spoiled", [{"status": "passed"}, {"severity": 3}, {"rule": None}, {"status": ["fail"]}, {"severity": None}])
def test_one_damaged_finding_makes_the_report_damaged_and_keeps_the_others(spoiled):
    report = only(result(items=[finding()]) | {"findings": [{**finding(), **spoiled}, finding(LIMITS), 5]})
    assert report["state"] == "damaged"
    assert report["problem"] == "Report damaged: 2 of its 3 findings cannot be read and are left out."
    assert [item["rule"] for item in report["findings"]] == [LIMITS.id]


def test_a_gate_that_fails_the_module_leaves_the_report():
    assert only(result(failed=True, msg="2 findings are critical"))["state"] == "judged"


def test_a_host_speaks_for_itself_only():
    report = only(result(items=[finding(host="somebody else")]))
    assert [item["host"] for item in report["findings"]] == ["alpha"]


@pytest.mark.parametrize(
    "claimed",
    [
        None,
        "100 %",
        {"percent": 100.0},
        {"percent": 100.0, "counts": {"pass": 9, "fail": 0, "unknown": 9, "not-applicable": 9}, "weight_passed": 10, "weight_judged": 10},
        {"percent": 100.0, "counts": {"pass": 9, "fail": 9, "unknown": 9, "not-applicable": 9}, "weight_passed": 11, "weight_judged": 10},
        {"counts": {"pass": 9, "fail": 9, "unknown": 9, "not-applicable": 9}, "weight_passed": -1, "weight_judged": 10},
        {"counts": {"pass": True, "fail": "3", "unknown": 9, "not-applicable": 9}, "weight_passed": 1, "weight_judged": 10},
    ],
)
def test_a_score_that_does_not_fit_its_findings_is_computed_again(claimed):
    report = only(result(score=claimed))
    assert (report["score"]["percent"], report["score"]["weight_judged"]) == (27.2, 22)


def test_a_percentage_is_never_taken_over():
    good = result()
    good["score"]["percent"] = 100.0
    assert only(good)["score"]["percent"] == 27.2


def test_a_score_of_more_than_what_is_shown_is_kept():
    everything = result()
    shown = {**everything, "findings": [item for item in everything["findings"] if item["status"] == "fail"]}
    assert only(shown)["score"] == only(everything)["score"]
    assert only({**everything, "findings": []})["score"]["failed_by_severity"]["critical"] == 1
    assert only(shown)["coverage"] == only(everything)["coverage"]


@pytest.mark.parametrize("claimed", [None, [], {"judged": 4, "applicable": 6}, {"judged": 5, "applicable": 5}, {"judged": "x", "applicable": 6}])
def test_a_coverage_that_does_not_fit_is_computed_again(claimed):
    assert only(result(coverage=claimed))["coverage"]["percent"] == 83.3


@pytest.mark.parametrize("spoiled", [{"expires": "soon"}, {"owner": ""}, {"reason": None}])
def test_half_a_waiver_waives_nothing(spoiled):
    report = only(result(items=[finding()]) | {"findings": [finding(waiver={**waiver(), **spoiled})]})
    assert (report["waived"], report["score"]["failed_by_severity"]["critical"]) == (0, 1)


def test_what_passes_is_not_waived():
    assert only(result(items=[finding(TRACES, "pass", waiver=waiver())]))["findings"][0]["waiver"] is None


@pytest.mark.parametrize("given", ["", "xyz", None, "A" * 16, "a" * 17, "../../a"])
def test_a_fingerprint_that_is_none_is_made(given):
    [item] = only(result(items=[finding()]) | {"findings": [finding(fingerprint=given)]})["findings"]
    assert len(item["fingerprint"]) == 16
    assert item["fingerprint"] != given


def test_projects_and_their_files():
    report = only(project())
    assert (report["kind"], report["name"]) == ("compose", "shop")
    [inside, outside] = [item for item in made([project()], base="/srv/shop/")["reports"][0]["findings"] if item["status"] == "fail"]
    assert (inside["file"], inside["line"], inside["host"]) == ("compose files/compose.yml", 12, "")
    assert (outside["file"], outside["line"]) == ("/opt/other.yml", 0)
    assert inside["evidence"][0]["file"] == "compose files/compose.yml"


def test_the_name_is_found_where_it_stands():
    assert only({"findings": [], "host": "alpha"})["name"] == "alpha"
    assert only({"findings": [], "project": "shop"})["name"] == "shop"
    assert only({"findings": [], "project": "shop"})["kind"] == "compose"
    assert only({"findings": [], "subjects": {"compose service": 2}})["kind"] == "compose"
    assert only({"findings": [finding(host="beta")]})["name"] == "beta"


def test_names_that_come_twice_are_told_apart():
    reports = made([result("a", [finding(host="a")]), result("a"), result("a")])["reports"]
    assert [report["name"] for report in reports] == ["a", "a (2)", "a (3)"]
    assert {item["host"] for item in reports[1]["findings"]} == {"a (2)"}


def test_many_pieces_of_evidence_are_cut_and_counted():
    piece = {"source": "s", "observed": "o", "expected": "", "file": "", "line": 0}
    [item] = only(result(items=[finding()]) | {"findings": [finding(evidence=[piece] * 70)]})["findings"]
    assert (len(item["evidence"]), item["evidence_left_out"]) == (50, 20)


def test_too_many_findings_are_cut_from_the_end(monkeypatch):
    monkeypatch.setattr(document, "_MOST_FINDINGS", 2)
    report = only(result())
    assert report["findings_left_out"] == 5
    assert [item["severity"] for item in report["findings"]] == ["critical", "medium"]
    assert report["score"]["counts"]["pass"] == 2


def test_the_fleet():
    whole = made()["fleet"]
    assert (whole["reports"], whole["judged"], whole["attack_paths"]) == (8, 4, 1)
    assert [(row["name"], row["state"]) for row in whole["not_judged"]] == [
        ("delta", "failed"),
        ("epsilon", "missing"),
        ("gamma", "unreachable"),
        ("zeta", "damaged"),
    ]
    # alpha 6 of 22, beta 3 of 13, shop 3 of 16.
    assert (whole["score"]["weight_passed"], whole["score"]["weight_judged"], whole["score"]["percent"]) == (12, 51, 23.5)
    assert whole["score"]["percent_waived"] == 29.4
    assert whole["score"]["failed_by_severity"] == {"critical": 3, "high": 0, "medium": 2, "low": 0, "info": 0}
    assert [row["name"] for row in whole["worst"]] == ["shop", "alpha", "beta"]
    assert [(row["rule"], row["reports"], row["findings"]) for row in whole["rules"]] == [
        (PRIVILEGED.id, 3, 3),
        (TRACES.id, 1, 1),
        (LIMITS.id, 1, 1),
    ]
    assert [(row["name"], row["expires"]) for row in whole["waivers_expiring"]] == [("alpha", "2026-12-06")]


def test_hosts_that_were_not_judged_do_not_count_in_the_score():
    damaged = result("b", [finding(TRACES, "pass", host="b")]) | {"attack_paths": "x"}
    assert made([result("a"), damaged])["fleet"]["score"] == made([result("a")])["fleet"]["score"]


def test_an_empty_fleet_has_no_score():
    whole = made([])["fleet"]
    assert (whole["score"]["percent"], whole["coverage"]["percent"]) == (None, None)


def test_a_rule_has_the_name_that_most_hosts_give_it():
    results = [result(name, [finding(host=name, title=title)]) for name, title in (("a", "All is well"), ("b", "It fails"), ("c", "It fails"))]
    assert [row["title"] for row in made(results)["fleet"]["rules"]] == ["It fails"]


@pytest.mark.parametrize(("days", "soon"), [(0, 1), (30, 1), (31, 0)])
def test_waivers_that_end_soon(days, soon):
    whole = made([result(items=[finding(waiver=waiver(days))])])
    assert len(whole["fleet"]["waivers_expiring"]) == soon
    assert document.days_left(whole, waiver(days)["expires"]) == days


def test_the_order_of_results_does_not_matter():
    results = fleet()
    whole = made(results)
    for seed in range(5):
        shuffled = copy.deepcopy(results)
        random.Random(seed).shuffle(shuffled)
        for one in shuffled:
            if isinstance(one.get("findings"), list):
                random.Random(seed).shuffle(one["findings"])
        assert made(shuffled) == whole


def test_the_content_leaves_out_time_duration_and_calls():
    later = fleet()
    later[0].update(duration=9.0, api_calls=99)
    whole, again = made(), document.build(later, "2026-11-26T12:30:00+00:00", VERSION)
    assert whole["content"] == again["content"]
    assert whole["generated"] != again["generated"]
    assert made(fleet()[1:])["content"] != whole["content"]
    assert document.build(fleet(), GENERATED, "0.2.0")["content"] != whole["content"]


def test_a_part_is_the_document_of_one_report():
    whole = made()
    alone = next(report for report in whole["reports"] if report["name"] == "beta")
    assert document.part(whole, alone) == made([fleet()[0]])


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2026-11-26T11:00:00Z", "2026-11-26T11:00:00Z"),
        ("2026-11-26T13:00:00.5+02:00", "2026-11-26T11:00:00Z"),
        ("2026-11-26T11:00:00", "2026-11-26T11:00:00Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    ],
)
def test_times(given, shown):
    assert document.build([result()], given, VERSION)["generated"] == shown


@pytest.mark.parametrize("given", ["today", "", None, 5, "0001-01-01T00:00:00+05:00"])
def test_a_wrong_time(given):
    with pytest.raises(document.DocumentError, match="which is no time; write it as"):
        document.build([], given, VERSION)


@pytest.mark.parametrize("given", [None, "text", {"a": {}}])
def test_results_that_are_no_list(given):
    with pytest.raises(document.DocumentError, match="give a list with the result of each host or project"):
        document.build(given, GENERATED, VERSION)


def test_attack_paths_are_known_by_their_kind():
    from ansible_collections.bulkhead.docker.plugins.module_utils.posture import attack_paths

    assert document.ATTACK_PATH == attack_paths.KIND
