# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What is packed for the script of the HTML report is what the document says, and nothing in it ends the script."""

from __future__ import annotations

import base64
import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.report import document, html_data
from ansible_collections.bulkhead.docker.tests.unit.report import examples, sample
from ansible_collections.bulkhead.docker.tests.unit.report.test_formats import ANY, RESULTS
from hypothesis import given, settings
from hypothesis import strategies as st

WAIVER = ("owner", "reason", "expires", "compensation")


def packed(whole):
    return html_data.packed(whole, lambda expires: document.days_left(whole, expires))


def unpacked(data):
    """Return the findings of packed data, read as the script reads them."""
    strings = []
    for shared, rest in zip(data["strings"][::2], data["strings"][1::2]):
        strings.append((strings[-1][:shared] if shared else "") + rest)

    def at(column, index):
        return column[index] if isinstance(column, list) else column

    def text(column, index):
        return strings[at(column, index)]

    def piece(index):
        columns = data["pieces"]
        return {**{name: text(columns[name], index) for name in ("source", "observed", "expected", "file")}, "line": at(columns["line"], index)}

    rows, prints = data["rows"], 0
    reports = [number for number, many in enumerate(data["per_report"]) for _row in range(many)]
    assert len(reports) == data["count"]
    for index in range(data["count"]):
        status, severity = divmod(at(rows["code"], index), len(data["severities"]))
        rule, proof, waiver = data["rules"][at(rows["rule"], index)], at(rows["proof"], index), at(rows["waiver"], index)
        pieces = [proof - 1] if proof > 0 else data["proofs"][-proof - 1] if proof else []
        fingerprint = ""
        if data["statuses"][status] in ("fail", "unknown"):
            short = data["prints"][prints * 11:prints * 11 + 11]
            prints += 1
            fingerprint = "" if "." in short else base64.urlsafe_b64decode(short + "=").hex()
        names = ("rule", "title", "why", "remediation", "blast", "variable")
        yield {
            **dict(zip(names, (strings[number] for number in rule[:6]))),
            **{name: [strings[number] for number in rule[6 + place]] for place, name in enumerate(("cis_1_6", "cis_1_8", "references"))},
            "status": data["statuses"][status],
            "severity": data["severities"][severity],
            "report": strings[data["reports"][reports[index]][0]],
            **{name: text(rows[name], index) for name in ("subject", "kind", "file", "reason")},
            "line": at(rows["line"], index),
            "evidence": [piece(number) for number in pieces],
            "evidence_left_out": at(rows["left_out"], index),
            "fingerprint": fingerprint,
            "waiver": dict(zip(WAIVER, (strings[number] for number in data["waivers"][waiver - 1]))) if waiver else None,
        }
    assert len(data["prints"]) == prints * 11


def expected(whole):
    for report in whole["reports"]:
        for item in (*report["attack_paths"], *report["findings"]):
            yield {**{key: value for key, value in item.items() if key != "host"}, "report": report["name"]}


@pytest.mark.parametrize("whole", [examples.made(), sample.made(), examples.made([]), sample.large(7, 30)], ids=["examples", "sample", "none", "large"])
def test_nothing_is_lost(whole):
    assert list(unpacked(packed(whole))) == list(expected(whole))


@pytest.mark.parametrize("nasty", [*examples.HOSTILE, "x" * 1_000_000, "\U0001f600a", "\U0001f600b"], ids=range(len(examples.HOSTILE) + 3))
def test_nothing_is_lost_of_hostile_texts(nasty):
    whole = examples.made(examples.with_text_everywhere(nasty))
    assert list(unpacked(packed(whole))) == list(expected(whole))


@settings(max_examples=100, **ANY)
@given(results=RESULTS)
def test_nothing_is_lost_of_whatever_hosts_send(results):
    whole = document.build(results, examples.GENERATED, examples.VERSION)
    assert list(unpacked(json.loads(html_data.script_json(packed(whole))))) == list(expected(whole))


@given(text=st.text(st.characters(codec="utf-8") | st.sampled_from("<>&/-!\u2028\u2029\\\""), max_size=40))
def test_nothing_ends_the_script(text):
    written = html_data.script_json([text, {"key": text}])
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == [text, {"key": text}]


def test_a_shared_beginning_ends_before_what_javascript_counts_twice():
    whole = examples.made([examples.result(items=[examples.finding(subject="\U0001f600one"), examples.finding(subject="\U0001f600two")])])
    coded = packed(whole)["strings"]
    shared = [coded[place - 1] for place in range(1, len(coded), 2) if coded[place].endswith(("\U0001f600one", "\U0001f600two"))]
    assert shared == [0, 0]


def test_days_left_of_waivers_are_counted_from_the_day_of_the_document():
    whole = examples.made([examples.result(items=[examples.finding(waiver=examples.waiver(12))])])
    assert [waiver[4] for waiver in packed(whole)["waivers"]] == [12]
