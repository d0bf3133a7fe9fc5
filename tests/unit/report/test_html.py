# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The HTML report as text: what stands in it without a script, that nothing in a text becomes markup, its policy, its size."""

from __future__ import annotations

import base64
import datetime
import functools
import hashlib
import html.parser
import json
import re

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.report import clean, html_script, html_style
from ansible_collections.bulkhead.docker.plugins.module_utils.report.html import render
from ansible_collections.bulkhead.docker.tests.unit.report import examples, sample
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

VOID = {"meta", "link", "input", "br"}
ATTRIBUTES = {
    "aria-describedby", "aria-hidden", "aria-label", "aria-labelledby", "autocomplete", "charset", "class", "content", "data-label", "datetime", "for",
    "height", "hidden", "href", "http-equiv", "id", "lang", "name", "preserveaspectratio", "rel", "role", "scope", "spellcheck", "title", "type", "value",
    "viewbox", "width",
}  # fmt: skip


class Page(html.parser.HTMLParser):
    """A page taken apart: tags in their order, attributes, text outside of scripts and sheets, ids; fails where tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.ids, self.hrefs = [], [], [], []
        self.texts, self.inside, self.raw = [], [], {}
        self.comments = []
        self.feed(text)
        self.close()
        assert self.inside == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *attribute) for attribute in attrs]
        found = dict(attrs)
        if "id" in found:
            self.ids.append(found["id"])
        if "href" in found:
            self.hrefs.append(found["href"])
        if tag not in VOID:
            self.inside.append((tag, found.get("type", "")))

    def handle_startendtag(self, tag, attrs):
        assert tag == "rect"
        self.tags.append(tag)
        self.attributes += [(tag, *attribute) for attribute in attrs]

    def handle_endtag(self, tag):
        assert self.inside.pop()[0] == tag

    def handle_data(self, data):
        if self.inside and self.inside[-1][0] in ("script", "style"):
            self.raw.setdefault(self.inside[-1], []).append(data)
        elif data.strip():
            self.texts.append(data.strip())

    def handle_comment(self, data):
        self.comments.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def content(self, tag, kind=""):
        return "".join(self.raw[tag, kind])


def shape(page):
    """Return what a page is built of, without the code that backticks of a text make."""
    return [tag for tag in page.tags if tag != "code"], sorted({name for _tag, name, _value in page.attributes})


@functools.cache
def usual_shape():
    """Return the shape of a page in which every text that a host can choose is the letter x."""
    return shape(Page(render(examples.made(examples.with_text_everywhere("x")))))


def section(page, name):
    """Return the HTML of one part of a page."""
    return page.split(f'<section id="{name}"')[1].split("</section>")[0]


@pytest.fixture(scope="module")
def fleet():
    return sample.made()


@pytest.fixture(scope="module")
def page(fleet):
    return render(fleet)


def test_the_page_is_well_formed_and_has_landmarks(page):
    parsed = Page(page)
    assert page.startswith("<!DOCTYPE html>")
    for tag in ("header", "nav", "main", "footer", "h1", "title"):
        assert parsed.tags.count(tag) == 1, tag
    assert len(set(parsed.ids)) == len(parsed.ids)
    targets = {href[1:] for href in parsed.hrefs if href.startswith("#") and "=" not in href}
    assert targets >= {"summary", "paths", "worst", "findings", "waivers", "unknown", "reading"}
    assert targets <= set(parsed.ids)
    named = {value for _tag, name, value in parsed.attributes if name in ("aria-labelledby", "for", "aria-describedby")}
    assert named <= set(parsed.ids)


def test_headings_skip_no_level(page):
    levels = [int(tag[1]) for tag in Page(page).tags if re.match(r"h[1-6]\Z", tag)]
    assert levels[0] == 1
    assert [pair for pair in zip(levels, levels[1:]) if pair[1] > pair[0] + 1] == []


def test_nothing_leads_out_of_the_page_and_nothing_is_fetched(page):
    parsed = Page(page)
    assert {name for _tag, name, _value in parsed.attributes} <= ATTRIBUTES
    assert [href for href in parsed.hrefs if not href.startswith("#")] == ["data:,"]
    assert not re.search(r"url\(|@import|//[a-z]", html_style.STYLE)
    assert not re.search(r"https?:|fetch\(|XMLHttp|WebSocket|import\(|innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(", html_script.SCRIPT)


def test_the_policy_lets_exactly_its_own_sheet_and_script_run(page):
    parsed = Page(page)
    policy = next(value for tag, name, value in parsed.attributes if tag == "meta" and name == "content" and "default-src" in value)
    wanted = {}
    for directive in policy.split(";"):
        name, _space, values = directive.strip().partition(" ")
        wanted[name] = values.split()
    assert wanted["default-src"] == wanted["base-uri"] == wanted["form-action"] == ["'none'"]
    for name, tag in (("style-src", "style"), ("script-src", "script")):
        digest = base64.b64encode(hashlib.sha256(parsed.content(tag).encode()).digest()).decode()
        assert wanted[name] == [f"'sha256-{digest}'"]
    assert wanted["img-src"] == ["data:"]
    assert parsed.tags.count("style") == 1
    assert parsed.tags.count("script") == 2
    assert page.index("Content-Security-Policy") < page.index("<style>") < page.index("<script")


def test_the_numbers_stand_at_the_top_with_their_denominators(fleet, page):
    text = Page(section(page, "summary").join(("<section", "</section>"))).text.replace("\xa0", " ")
    score, coverage = fleet["fleet"]["score"], fleet["fleet"]["coverage"]
    assert f"{score['weight_passed']:,} of {score['weight_judged']:,} points of weight on 4 hosts and 1 project" in text
    assert f"{coverage['judged']:,} of {coverage['applicable']:,} judgements that apply could be made" in text
    assert f"{score['percent']:.1f} %" in text
    assert f"{score['percent_waived']:.1f} % if waived failures were passes" in text
    for report in fleet["reports"]:
        assert report["name"] in text
        if report["state"] == "judged":
            assert f"{report['score']['percent']:.1f} % {report['score']['weight_passed']} of {report['score']['weight_judged']}" in text
            assert f"{report['coverage']['percent']:.1f} % {report['coverage']['judged']} of {report['coverage']['applicable']}" in text
    assert "1 host not judged" in text
    assert "connection timed out" in text


def test_nothing_judged_is_no_score():
    text = Page(render(examples.made([{"name": "gamma", "unreachable": True, "msg": "Connection timed out"}]))).text
    assert "Nothing could be judged, so there is no score." in text
    assert "So there is no score." in text
    assert "No path was found" not in text
    assert "Everything that applies could be judged" not in text


@pytest.mark.parametrize(
    "results", [[], [examples.result()], [examples.result("eta", [], subjects={})], [examples.project()]], ids=["none", "one", "empty", "project"]
)
def test_reports_of_every_number(results):
    assert Page(render(examples.made(results))).tags.count("main") == 1


def test_attack_paths_come_first_as_steps(page):
    parts = re.findall(r'<section id="([a-z]+)"', page)
    assert parts.index("paths") == parts.index("summary") + 1
    inner = section(page, "paths")
    first, second = inner.split("<article")[1:]
    assert first.count("<li") == 4
    assert "build-1.example.com" in first
    assert "shop-eu-2.example.com" in first
    assert "Not so: The host&#x27;s kernel modules are not mounted writable" in first
    assert 'href="#rule=kernel-modules-not-writable"' in first
    assert "shop-backup-agent-1 &rarr; shop-postgres-1 &rarr; root on the host" in second
    assert "shop-postgres-1 is not as it should be: The container is not privileged" in second
    assert second.index("writes to the volume pgdata") < second.index("is not privileged") < second.index("Root on the host")


def test_no_path_is_claimed_to_be_absent_where_something_is_unknown():
    known = [item for item in examples.findings() if item["status"] != "unknown"]
    assert "No path was found." in Page(render(examples.made([examples.result(items=known)]))).text
    assert "No path was found among what could be judged." in Page(render(examples.made([examples.result()]))).text


def test_every_critical_and_high_failure_is_there_without_a_script(fleet, page):
    inner = section(page, "worst")
    expected = [
        (report["name"], item) for report in fleet["reports"] for item in report["findings"]
        if item["status"] == "fail" and not item["waiver"] and item["severity"] in ("critical", "high")
    ]  # fmt: skip
    assert len(expected) > 5
    cards = {re.search(r'<span class="mono">([a-z0-9-]+)</span>', card).group(1): card for card in inner.split("<article")[1:]}
    assert set(cards) == {item["rule"] for _name, item in expected}
    for name, item in expected:
        card = cards[item["rule"]]
        assert name in card
        assert f"<strong>{item['subject']}</strong>" in card
        assert item["evidence"][0]["observed"] in card
        assert item["blast"] in card
        for number in item["cis_1_8"]:
            assert f"<dt>CIS 1.8.0</dt><dd>{number}" in card
        if item["variable"]:
            assert f"<code>{item['variable']}</code>" in card
        if item["line"]:
            assert f"{item['file']}:{item['line']}" in card


def test_what_is_left_out_of_the_page_is_counted():
    items = [examples.finding(subject=f"web-{number:03}") for number in range(100)]
    inner = section(render(examples.made([examples.result(items=items)])), "worst")
    shown = set(re.findall(r"web-\d{3}", inner))
    assert f"The other {100 - len(shown)} are in the list of all findings" in inner
    assert "100 findings" in inner


def test_the_same_on_many_hosts_is_said_once():
    results = [examples.result(f"host-{number:02}", [examples.finding(host=f"host-{number:02}")]) for number in range(20)]
    inner = section(render(examples.made(results)), "worst")
    assert inner.count("<strong>web</strong>") == 1
    assert "and 16 more" in inner
    assert "20 findings</a> on 20 hosts" in inner


@pytest.mark.parametrize("days, said", [(0, "ends today"), (1, "ends in 1 day"), (29, "ends in 29 days"), (30, ""), (400, ""), (-1, "expired")])
def test_waivers_show_owner_reason_and_end(days, said):
    waiver = examples.waiver(days)
    inner = section(render(examples.made([examples.result(items=[examples.finding(waiver=waiver)])])), "waivers")
    assert waiver["expires"] in inner
    assert waiver["owner"] in inner
    assert waiver["reason"] in inner
    assert waiver["compensation"] in inner
    assert re.findall(r'<span class="tag soon">([^<]*)</span>', inner) == ([said] if said else [])
    assert "container web" in inner


def test_expired_and_unmatched_waivers_are_told(page):
    inner = section(page, "waivers")
    assert "1 waiver needs a look" in inner
    assert "memory-is-limited for shop-mailer-*" in inner


def test_unknowns_are_listed_with_reasons_and_counts(fleet, page):
    text = Page("<section" + section(page, "unknown") + "</section>").text
    rows = fleet["fleet"]["coverage"]["unknown"]
    assert len(rows) == 3
    for row in rows:
        assert f"{row['count']} {row['reason']}" in text


def test_what_was_counted_and_not_returned_is_told(fleet, page):
    report = next(report for report in fleet["reports"] if report["name"].startswith("build"))
    assert report["score"]["counts"]["pass"] > 0
    assert [item for item in report["findings"] if item["status"] == "pass"] == []
    assert f"{report['score']['counts']['pass']} passed: counted in the score" in section(page, "findings")


def test_what_needs_a_script_says_so(page):
    inner = section(page, "findings")
    assert "needs JavaScript" in re.search(r"<noscript>(.*?)</noscript>", inner).group(1)
    assert re.search(r'<div class="tools needs-script"[^>]* hidden>', inner)


def test_backticks_are_code(page):
    assert "Drop <code>privileged</code> and" in page


def test_optional_keys_may_be_missing():
    document = examples.made()
    for key in ("content", "schema_version"):
        del document[key]
    for key in ("rules", "attack_paths", "waivers_expiring", "worst"):
        del document["fleet"][key]
    for report in document["reports"]:
        for key in ("engine", "subjects", "duration", "api_calls", "findings_left_out", "problem", "waived"):
            del report[key]
    assert "The rule container-not-privileged holds" in section(render(document), "worst")


@pytest.mark.parametrize("nasty", examples.HOSTILE, ids=range(len(examples.HOSTILE)))
def test_hostile_texts_change_no_tag(nasty):
    if clean.text(nasty):
        assert shape(Page(render(examples.made(examples.with_text_everywhere(nasty))))) == usual_shape()
    written = render(examples.made(examples.with_text_everywhere(nasty)))
    assert Page(written).comments == []
    assert examples.OBEYED.search(written) is None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.text(st.characters(codec=None) | st.sampled_from("<>&\"'`/!-=\\ \u2028\x00\ud800\u202e]"), min_size=1, max_size=30))
def test_any_text_changes_no_tag(text):
    # The empty text and these words leave parts out or put others in.
    assume(clean.text(text).strip() and clean.text(text) not in ("product", "version", "host", "daemon", "attack path", "waiver") and " -> " not in text)
    written = render(examples.made(examples.with_text_everywhere(text)))
    assert shape(Page(written)) == usual_shape()
    assert examples.OBEYED.search(written) is None
    assert json.loads(Page(written).content("script", "application/json"))["count"] > 0


def test_texts_that_nobody_cleaned_are_cleaned_here():
    document = examples.made([examples.result()])
    report = document["reports"][0]
    report["name"] = "<b>\u202egpj\x1b[2J"
    report["findings"][0]["subject"] = "a\u2066b<img src=x>\ud800"
    written = render(document)
    assert examples.OBEYED.search(written) is None
    written.encode("utf-8")
    assert "<b>\\u202e" not in written
    assert "&lt;b&gt;\\u202egpj\\x1b[2J" in written


@pytest.mark.parametrize("failing", [0.35, 1.0])
def test_two_hundred_hosts_with_two_hundred_rules_are_smaller_than_five_megabytes(failing):
    document = sample.large(failing=failing)
    assert sum(len(report["findings"]) for report in document["reports"]) == 40_000
    assert len(render(document).encode("utf-8")) < 5_000_000


# Colours: the ratio of WCAG 2.2.


def luminance(colour):
    channels = [int(colour[place:place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_ratio_is_computed_rightly():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("palette", [html_style.LIGHT, html_style.DARK], ids=["light", "dark"])
def test_contrast(palette):
    pairs = [(text, ground) for text in html_style.TEXTS_ON_GROUNDS for ground in html_style.GROUNDS]
    weak = [pair for pair in (*pairs, *html_style.TEXTS_ON_OWN) if contrast(*map(palette.get, pair)) < html_style.TEXT_CONTRAST]
    weak += [pair for pair in html_style.GRAPHICS if contrast(*map(palette.get, pair)) < html_style.GRAPHIC_CONTRAST]
    assert weak == []


def test_both_palettes_have_the_same_names_and_only_those_are_used():
    assert set(html_style.LIGHT) == set(html_style.DARK)
    assert set(re.findall(r"var\(--([a-z-]+)\)", html_style.STYLE)) <= set(html_style.LIGHT)


def test_the_day_of_the_document_counts_and_not_today():
    assert datetime.date.fromisoformat(examples.GENERATED[:10]).isoformat() in render(examples.made())
