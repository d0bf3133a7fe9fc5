# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.report import drift_document as document
from ansible_collections.bulkhead.docker.plugins.module_utils.report.document import DocumentError
from ansible_collections.bulkhead.docker.tests.unit.report import drift_examples as examples
from ansible_collections.bulkhead.docker.tests.unit.report.drift_examples import (
    EDITED,
    FULL,
    OLD,
    RANGES,
    UNKNOWN,
    look,
    made,
)
from hypothesis import given, settings
from hypothesis import strategies as st


def host(whole, name):
    return next(found for found in whole["hosts"] if found["name"] == name)


def only(*looks):
    return made([{"name": "alpha", "looks": list(looks)}])["hosts"][0]


def standings(found):
    return {(one["name"], one["standing"]) for one in found["differences"]}


@pytest.mark.parametrize(
    ("name", "state", "verdict", "blast"),
    [
        ("alpha", "checked", "drifted", "recreate"),
        ("beta", "checked", "mended", ""),
        ("gamma", "unreachable", "lost", ""),
        ("delta", "failed", "lost", ""),
        ("epsilon", "missing", "lost", ""),
        ("zeta", "damaged", "lost", ""),
        ("eta", "checked", "clean", ""),
        ("theta", "checked", "drifted", "nothing"),
        ("iota", "checked", "unsure", ""),
        ("kappa", "unreachable", "lost", "nothing"),
    ],
)
def test_how_hosts_are(name, state, verdict, blast):
    found = host(made(), name)
    assert (found["state"], found["verdict"], found["blast"]) == (state, verdict, blast)
    assert bool(found["problem"]) == (state != "checked")


def test_a_difference_keeps_all_that_was_said_of_it():
    found = next(one for one in host(made(), "alpha")["differences"] if one["name"] == "file-edited")
    assert found == {
        "name": "file-edited",
        "role": "docker_daemon",
        "item": "file:/etc/docker/daemon.json",
        "what": "/etc/docker/daemon.json has another content",
        "expected": "3f5b" * 16,
        "observed": "81c2" * 16,
        "source": "/etc/docker/daemon.json",
        "route": "converge",
        "blast": "restart",
        "advice": "",
        "changed_at": "2026-11-25T09:46:40Z",
        "last_good": "2026-11-25T02:30:00Z",
        "standing": "open",
    }


def test_what_became_of_differences():
    assert standings(host(made(), "theta")) == {("file-edited", "mended"), ("uid-ranges-changed", "open"), ("disk-full", "new")}
    assert host(made(), "theta")["counts"] == {"open": 1, "new": 1, "mended": 1}


def test_nobody_saw_that_a_lost_host_was_mended():
    found = host(made(), "kappa")
    assert standings(found) == {("uid-ranges-changed", "open")}
    assert found["problem"] == "lost"


def test_after_a_first_look_that_failed_nothing_is_new():
    found = only({"failed": True, "msg": "busy"}, look(EDITED))
    assert (standings(found), found["state"]) == ({("file-edited", "open")}, "checked")


def test_only_the_first_and_the_last_look_count():
    found = only(look(EDITED), look(RANGES), look())
    assert (standings(found), found["looks"]) == ({("file-edited", "mended")}, 3)


def test_the_same_name_on_another_thing_is_another_difference():
    other = {**EDITED, "item": "file:/etc/docker/seccomp.json"}
    assert only(look(EDITED), look(other))["counts"] == {"open": 0, "new": 1, "mended": 1}


def test_what_stands_comes_first_and_then_what_costs_most():
    found = only(look(RANGES, EDITED, OLD), look(RANGES, OLD))
    assert [one["name"] for one in found["differences"]] == ["container-outdated", "uid-ranges-changed", "file-edited"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ({"differences": None}, "differences is missing, not a list."),
        ({"differences": {}}, "differences is dict, not a list."),
        ({"differences": [1]}, "1 of its 1 differences cannot be read"),
        ({"differences": [{**EDITED, "name": "File Edited"}]}, "cannot be read"),
        ({"differences": [{**EDITED, "route": "magic"}]}, "cannot be read"),
        ({"differences": [{**EDITED, "blast": "big"}]}, "cannot be read"),
        ({"differences": [{**EDITED, "blast": ["restart"]}]}, "cannot be read"),
        ({"drifted": None}, "drifted is missing"),
        ({"drifted": "no"}, "drifted is str"),
        ({"drifted": True}, "says that the host has drifted, and names no difference"),
        ({"unknown": "nothing"}, "unknown is str"),
    ],
)
def test_what_has_not_its_shape_is_damaged_and_never_clean(spoil, said):
    found = only({**look(), **spoil})
    assert (found["state"], found["verdict"]) == ("damaged", "lost")
    assert said in found["problem"]


@pytest.mark.parametrize("result", [None, 1, "x", [], {"name": "a"}, {"name": "a", "looks": []}, {"name": "a", "looks": [None]}, {"name": "a", "looks": "x"}])
def test_no_result_is_clean(result):
    whole = made([result])
    assert whole["fleet"]["verdicts"] == {"drifted": 0, "lost": 1, "unsure": 0, "mended": 0, "clean": 0}


def test_skipped_is_no_look():
    assert only({"skipped": True, "changed": False})["state"] == "missing"


def test_reasons_of_what_was_not_looked_at():
    found = only(look(unknown=[UNKNOWN, "no answer", {"item": "x"}, 7]))
    assert [(one["item"], one["reason"]) for one in found["unknown"]] == [
        ("audit:/etc/audit/rules.d/x", "the kernel does not answer"),
        ("", "no answer"),
        ("x", "no reason given"),
        ("", "7"),
    ]
    assert only(look(unknown=["x"] * 205))["unknown_left_out"] == 5


def test_more_differences_than_anybody_reads_are_counted():
    found = only(look(*({**EDITED, "item": f"file:/{number}"} for number in range(2100))))
    assert (len(found["differences"]), found["differences_left_out"], found["counts"]["open"]) == (2000, 100, 2100)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "yes"),
        ([], "none"),
        ({}, "none"),
        ([1, "a", False], "1, a, no"),
        ({"b": [1, 2], "a": {"c": 3}}, "b: 1, 2; a: c: 3"),
        ([[[["deep"]]]], "..."),
        (list(range(30)), ", ".join(map(str, range(20))) + ", and 10 more"),
        (float("nan"), ""),
        (object(), ""),
    ],
)
def test_evidence_of_every_kind(value, shown):
    found = only(look({**EDITED, "observed": value}))["differences"][0]["observed"]
    assert found == ("nan" if isinstance(value, float) else shown)


def test_secrets_are_taken_out():
    told = {
        "observed": {"log-opts": {"splunk-token": "11111111-2222-3333-4444-555555555555"}, "http-proxy": "http://me:hunter2secret@proxy:3128"},
        "what": "the proxy is http://me:hunter2secret@proxy:3128",
        "source": "https://me:hunter2secret@example.org/x",
    }
    text = json.dumps(made([{"name": "a", "looks": [look({**EDITED, **told}, unknown=[{"item": "a", "reason": "at http://me:hunter2secret@x/"}])]}]))
    assert "hunter2secret" not in text
    assert "11111111-2222" not in text
    assert "me:<secret>@proxy" in text
    assert "3f5b" * 16 in text


def test_the_fleet_counts():
    fleet = made()["fleet"]
    assert (fleet["hosts"], fleet["checked"]) == (10, 5)
    assert fleet["verdicts"] == {"drifted": 2, "lost": 5, "unsure": 1, "mended": 1, "clean": 1}
    assert fleet["differences"] == {"open": 5, "new": 1, "mended": 3}
    assert fleet["by_blast"] == {"nothing": 4, "reload": 0, "restart": 1, "recreate": 1}
    assert {row["role"]: (row["hosts"], row["differences"]) for row in fleet["roles"]} == {"docker_daemon": (1, 1), "docker_userns": (3, 3)}
    edited = next(row for row in fleet["by_name"] if row["name"] == "file-edited")
    assert edited == {"name": "file-edited", "role": "docker_daemon", "blast": "restart", "hosts": 3, "open": 1, "mended": 2}
    assert [row["name"] for row in fleet["not_checked"]] == ["delta", "epsilon", "gamma", "kappa", "zeta"]
    assert fleet["unknown"] == 1


def test_names_that_come_twice_are_numbered():
    whole = made([{"name": "a", "looks": [look()]}, {"name": "a", "looks": [look(EDITED)]}, {"looks": [look()]}])
    assert [found["name"] for found in whole["hosts"]] == ["a", "a (2)", "host 3"]


def test_the_content_is_the_same_whenever_it_is_made():
    later = document.build(examples.fleet(), "2027-01-01T00:00:00Z", examples.VERSION)
    assert later["content"] == made()["content"]
    assert made([{"name": "a", "looks": [look(EDITED)]}])["content"] != made([{"name": "a", "looks": [look(FULL)]}])["content"]
    assert made(list(reversed(examples.fleet()))) == made()


def test_a_part_is_a_document():
    whole = made()
    alone = document.part(whole, host(whole, "alpha"))
    assert (alone["fleet"]["hosts"], alone["hosts"], alone["generated"]) == (1, [host(whole, "alpha")], whole["generated"])


@pytest.mark.parametrize(("results", "generated"), [({}, examples.GENERATED), ("x", examples.GENERATED), ([], "yesterday"), ([], None), ([], "2026-11-26")])
def test_what_the_caller_gives_wrong_is_refused(results, generated):
    with pytest.raises(DocumentError):
        document.build(results, generated, examples.VERSION)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
SPOILED = st.fixed_dictionaries({}, optional=dict.fromkeys((*look(), "failed", "unreachable", "msg", "skipped"), JSON))


@settings(deadline=None, max_examples=150)
@given(st.lists(st.fixed_dictionaries({"name": JSON, "looks": JSON | st.lists(SPOILED | JSON, max_size=3)}) | JSON, max_size=3))
def test_whatever_a_host_says_makes_a_document(results):
    whole = made(results)
    assert len(whole["hosts"]) == len(results)
    json.dumps(whole, allow_nan=False).encode("utf-8")


@settings(deadline=None, max_examples=150)
@given(SPOILED)
def test_nothing_but_a_whole_look_without_differences_is_clean(spoiled):
    found = only({**look(), **spoiled})
    if found["verdict"] == "clean":
        given_now = {**look(), **spoiled}
        assert given_now["drifted"] is False
        assert list(given_now["differences"]) == []
        assert not given_now.get("unknown")
        assert not any(given_now.get(key) for key in ("failed", "unreachable", "skipped"))
