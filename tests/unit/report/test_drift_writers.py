# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Every format of the reports of drift, with texts that no format must obey."""

from __future__ import annotations

import copy
import functools
import html.parser
import json
import re

import jsonschema
import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.report import (
    drift_document,
    drift_formats,
    drift_html,
    drift_json,
    drift_phrases,
    drift_prometheus,
    drift_text,
)
from ansible_collections.bulkhead.docker.tests.unit.report import drift_examples as examples
from ansible_collections.bulkhead.docker.tests.unit.report import schemas
from ansible_collections.bulkhead.docker.tests.unit.report.drift_examples import EDITED, OLD, RANGES, look, made
from ansible_collections.bulkhead.docker.tests.unit.report.examples import HOSTILE, OBEYED
from hypothesis import given, settings
from hypothesis import strategies as st

SCHEMA = schemas.HERE.parents[2] / "docs" / "schemas" / "drift-1.json"
TEXTS = st.one_of(st.text(max_size=60), st.sampled_from(HOSTILE), st.builds("".join, st.lists(st.sampled_from([*HOSTILE, "a", "<", '"', "\n"]), max_size=6)))


@functools.cache
def schema():
    loaded = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schemas.closed(loaded), format_checker=jsonschema.FormatChecker())


def one(*looks, name="alpha"):
    return made([{"name": name, "looks": list(looks)}])


# Hostile texts, in every format.


def harmless(whole):
    """Assert for all formats that nothing in them does what a text of a host wants."""
    for name, writer in drift_formats.WRITERS.items():
        text = writer.function(whole)
        assert OBEYED.search(text) is None, name
        text.encode("utf-8")
        assert whole["content"] in text, name
    assert schemas.wrong(schema(), json.loads(drift_json.render(whole))) == []
    assert json.loads(drift_json.render(whole)) == whole
    schemas.read_metrics(drift_prometheus.render(whole))
    page = Page(drift_html.render(whole))
    assert page.foreign == []
    assert page.open == []


class Page(html.parser.HTMLParser):
    """Reads a page and keeps what does not belong into one of ours."""

    TAGS = frozenset(
        "html head meta title style link body a header div h1 p nav ul li main section h2 h3 span svg rect b small table thead tbody tr th td time"
        " strong article dl dt dd details summary footer".split()
    )
    ATTRIBUTES = frozenset(
        "lang charset http-equiv content name rel href class id aria-labelledby aria-label aria-hidden role viewbox preserveaspectratio width height"
        " scope data-label datetime".split()
    )
    EMPTY = ("meta", "link", "rect")

    def __init__(self, text):
        super().__init__()
        self.foreign, self.open, self.text = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag not in self.TAGS:
            self.foreign.append(tag)
        for name, value in attrs:
            if name not in self.ATTRIBUTES or (name == "href" and not (value.startswith("#") or value == "data:,")):
                self.foreign.append((tag, name, value))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.EMPTY:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.foreign.append("/" + tag)

    def handle_comment(self, data):
        self.foreign.append(data)

    def handle_data(self, data):
        self.text.append(data)


MORE = ("x" * 1_000_000, "</style><script>alert(1)</script>", "' onclick='alert(1)", "javascript:alert(1)")


@pytest.mark.parametrize("text", [*HOSTILE, *MORE], ids=range(len(HOSTILE) + len(MORE)))
def test_hostile_texts(text):
    harmless(made(examples.with_text_everywhere(text)))


@settings(deadline=None, max_examples=60)
@given(TEXTS)
def test_any_text(text):
    harmless(made(examples.with_text_everywhere(text)))


def test_the_usual_fleet():
    harmless(made())
    harmless(made([]))


def test_the_test_would_see_foreign_parts():
    assert Page("<p onclick='x'>").foreign == [("p", "onclick", "x")]
    assert Page("<script></script>").foreign == ["script"]
    assert Page("<a href='http://example.org'></a>").foreign == [("a", "href", "http://example.org")]


# JSON.


def test_the_schema_is_one():
    loaded = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(loaded)
    assert loaded["$id"] == drift_document.SCHEMA
    assert drift_document.SCHEMA.endswith("docs/schemas/" + SCHEMA.name)
    assert loaded["properties"]["schema_version"]["pattern"].startswith("^" + drift_document.SCHEMA_VERSION.split(".", maxsplit=1)[0])
    names = loaded["$defs"]
    assert (names["state"]["enum"], names["verdict"]["enum"], names["standing"]["enum"]) == (
        list(drift_document.STATES),
        list(drift_document.VERDICTS),
        list(drift_document.STANDINGS),
    )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda whole: whole.pop("content"),
        lambda whole: whole.update(more=1),
        lambda whole: whole["hosts"][0].update(verdict="good"),
        lambda whole: whole["hosts"][0].update(more=1),
        lambda whole: whole["hosts"][0].update(problem="x"),
        lambda whole: whole["hosts"][0]["differences"][0].update(blast="big"),
        lambda whole: whole["hosts"][0]["differences"][0].update(name="A b"),
        lambda whole: whole["hosts"][0]["differences"][0].update(what="\x1b[0m"),
        lambda whole: whole["fleet"]["verdicts"].pop("clean"),
    ],
)
def test_the_schema_refuses(spoil):
    whole = copy.deepcopy(made())
    assert schemas.wrong(schema(), whole) == []
    spoil(whole)
    assert schemas.wrong(schema(), whole) != []


def test_json_has_one_line_for_each_difference():
    whole = made()
    lines = drift_json.render(whole).splitlines()
    assert sum(1 for line in lines if '"standing"' in line) == sum(len(host["differences"]) for host in whole["hosts"])


# Text.

TABLE = """\
Docker drift: 4 hosts, 2026-11-26T11:00:00Z
===========================================
Hosts   2 drifted, 1 not looked at, 1 mended
Found   4 differences; 3 mended

HOST   STATE        MENDED  BLAST     LAST CONVERGE     DIFFERENCES
alpha  drifted      no      recreate  2026-11-25 02:30  by hand: container-outdated
                                                        docker_daemon: file-edited
                                                        docker_userns: uid-ranges-changed
beta   drifted      1 of 2  restart   2026-11-25 02:30  docker_daemon: file-edited
                                                        docker_userns: uid-ranges-changed (mended)
delta  unreachable  -       -         -                 Connection timed out
gamma  mended       yes     -         2026-11-25 02:30  docker_daemon: file-edited
                                                        docker_userns: uid-ranges-changed
"""


def test_the_table_of_the_fleet():
    whole = made(
        [
            {"name": "alpha", "looks": [look(EDITED, RANGES, OLD)]},
            {"name": "beta", "looks": [look(EDITED, RANGES), look(EDITED)]},
            {"name": "gamma", "looks": [look(EDITED, RANGES), look()]},
            {"name": "delta", "looks": [{"unreachable": True, "msg": "Connection timed out"}]},
        ]
    )
    assert drift_text.table(whole) == TABLE
    assert drift_text.render(whole).startswith(TABLE)


def test_a_clean_fleet_is_told_in_short():
    whole = made([{"name": f"host-{number:03}", "looks": [look()]} for number in range(100)])
    lines = drift_text.table(whole).splitlines()
    assert lines[2] == "Hosts   100 clean"
    assert lines[-1] == "... and 40 hosts more, all of them clean"
    assert drift_text.table(made([])).splitlines()[-1] == "There is no host."


def test_text_says_who_mends_what_at_which_cost():
    text = drift_text.render(one(look(EDITED, OLD, upgrades=[{"name": "runc", "installed": "1", "offered": "2"}], unknown=[examples.UNKNOWN])))
    assert "  /etc/docker/daemon.json has another content [file-edited]\n" in text
    assert "    found: 81c281c281c2... (expected: 3f5b3f5b3f5b...)\n" in text
    assert "    since: changed 2026-11-25T09:46:40Z, last good 2026-11-25T02:30:00Z\n" in text
    assert "    mends: the role docker_daemon\n    cost:  dockerd restarts; 3 running containers stop\n" in text
    assert "    mends: make web anew\n    cost:  containers are made anew\n" in text
    assert "  not looked at: audit:/etc/audit/rules.d/x, the kernel does not answer\n" in text
    assert "  offered: runc 2 (installed: 1)\n" in text


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("name", ["x" * 150, "漢字" * 60, "e\u0301" * 90])
def test_lines_are_cut_to_the_width(width, name):
    whole = one(look({**EDITED, "role": name, "what": name}, unknown=[name]), name=name)
    assert max(map(drift_text.columns, drift_text.render(whole, width=width).splitlines())) <= width


@pytest.mark.parametrize("lines", [10, 50])
def test_never_more_lines_than_asked(lines):
    whole = one(look(*({**EDITED, "item": f"file:/{number}"} for number in range(100))))
    text = drift_text.render(whole, lines=lines)
    assert len(text.splitlines()) <= lines
    assert "lines are left out" in text
    assert text.splitlines()[-1].startswith("bulkhead.docker 0.1.0, schema")


def test_the_same_name_many_times_is_counted():
    assert drift_phrases.grouped([EDITED, EDITED, RANGES, OLD]) == {
        "by hand": "container-outdated",
        "docker_daemon": "file-edited x2",
        "docker_userns": "uid-ranges-changed",
    }


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"live_restore": True, "running": 3}, "dockerd restarts; 3 running containers live through it"),
        ({"live_restore": False, "running": 1}, "dockerd restarts; 1 running container stops"),
        ({"live_restore": None, "running": 2}, "dockerd restarts; 2 running containers may stop"),
        ({"live_restore": None, "running": None}, "dockerd restarts"),
        ({"live_restore": False, "running": 0}, "dockerd restarts"),
    ],
)
def test_what_a_restart_costs(facts, told):
    found = one(look(EDITED, facts=facts))["hosts"][0]
    assert drift_phrases.cost("restart", found) == told


# Metrics.


def value(metrics, metric, **labels):
    found = [number for given_labels, number in metrics.get(f"bulkhead_drift_{metric}", []) if labels.items() <= given_labels.items()]
    assert len(found) <= 1
    return found[0] if found else None


def test_numbers():
    metrics = schemas.read_metrics(drift_prometheus.render(made()))
    assert value(metrics, "timestamp_seconds") == 1795690800
    assert value(metrics, "success", host="alpha") == 1
    assert value(metrics, "drifted", host="alpha") == 1
    assert value(metrics, "differences", host="alpha", name="file-edited", role="docker_daemon", blast="restart") == 1
    assert value(metrics, "differences", host="alpha", name="container-outdated", role="") == 1
    assert value(metrics, "drifted", host="beta") == 0
    assert value(metrics, "differences", host="beta") is None
    assert value(metrics, "mended", host="beta", name="file-edited") == 1
    assert value(metrics, "unknown", host="iota") == 1
    assert value(metrics, "last_converge_timestamp_seconds", host="alpha") == 1795573800
    assert value(metrics, "window_open", host="alpha") == 1


@pytest.mark.parametrize("host", ["gamma", "delta", "epsilon", "zeta", "kappa"])
def test_what_was_not_looked_at_has_no_numbers(host):
    metrics = schemas.read_metrics(drift_prometheus.render(made()))
    assert [name for name, samples in metrics.items() if any(labels.get("host") == host for labels, _number in samples)] == ["bulkhead_drift_success"]


def test_things_make_no_series():
    few = drift_prometheus.render(one(look(EDITED))).count("\n")
    assert drift_prometheus.render(one(look(*({**EDITED, "item": f"file:/{number}"} for number in range(300))))).count("\n") == few


def test_no_host_can_make_more_series_than_there_can_be():
    metrics = schemas.read_metrics(drift_prometheus.render(one(look(*({**EDITED, "name": f"name-{number}"} for number in range(300))))))
    samples = metrics["bulkhead_drift_differences"]
    assert len(samples) == 101
    assert sum(number for _labels, number in samples) == 300
    assert value(metrics, "differences", name="other") == 200


def test_every_series_of_a_metric_has_the_same_labels_once():
    for samples in schemas.read_metrics(drift_prometheus.render(made())).values():
        assert len({frozenset(labels) for labels, _number in samples}) == 1
        assert len({frozenset(labels.items()) for labels, _number in samples}) == len(samples)


@pytest.mark.parametrize("moment", ["", "yesterday", "2026-13-26T11:00:00Z", "2026-11-26T11:00:00+01:00"])
def test_no_time_is_no_number(moment):
    assert drift_prometheus.seconds(moment) is None


def test_times_of_both_kinds():
    assert drift_prometheus.seconds("2026-11-26T11:00:00Z") == drift_prometheus.seconds("2026-11-26T11:00:00.25+00:00") == 1795690800


# HTML.


def shown(whole):
    return re.sub(r"\s+", " ", " ".join(Page(drift_html.render(whole)).text))


def test_the_page_says_everything_once_in_words():
    text = shown(made())
    for wanted in ("5 hosts could not be looked at", "Connection timed out", "2 of 10", "uid-ranges-changed", "make web anew", "the kernel does not answer"):
        assert wanted in text, wanted
    assert "Newer packages" in text
    assert "Newer packages" not in shown(one(look(EDITED)))


def test_a_clean_fleet_is_calm():
    text = shown(made([{"name": "a", "looks": [look()]}]))
    assert "Nothing differs on the hosts that could be looked at." in text
    assert "1 of 1" in text


def test_a_page_of_a_large_fleet_is_bounded():
    results = [{"name": f"host-{number:04}", "looks": [look(*({**EDITED, "item": f"file:/{place}"} for place in range(20)))]} for number in range(400)]
    page = drift_html.render(made(results))
    assert page.count('<article class="card"') == 300
    assert "100 more hosts are left out here; the JSON has all." in page
    assert len(page) < 8_000_000


def test_the_policy_lets_only_the_own_sheet_be_used():
    page = drift_html.render(made())
    assert page.count("<style>") == 1
    assert "script" not in page.replace("script-src", "")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert " style=" not in page
