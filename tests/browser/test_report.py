# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The HTML report in a real browser: what hostile texts can do there, filters, the address, colours, paper, keyboard, small screens."""

from __future__ import annotations

import importlib.resources
import json
import re

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.report import document, html
from ansible_collections.bulkhead.docker.tests.unit.report import examples, sample
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

NASTY = (
    *examples.HOSTILE,
    "<img src=x onerror=alert(1)><img src=http://192.0.2.1/pixel>",
    "\"><svg onload=alert(2)><script src=//192.0.2.1/x.js></script>",
    "' onfocus='alert(3)' autofocus='",
    "</script><script>alert(4)</script><!--<script>",
    "javascript:alert(5)",
    "</style><style>@import url(http://192.0.2.1/x.css);</style>",
    "`<img src=x onerror=alert(6)>`",
    "</title></noscript><iframe src=http://192.0.2.1/></iframe>",
    "&severity=none&status=none#text=x%00%zz",
    "__proto__",
    "constructor",
)
USUAL = ("fail", "waived", "unknown")
EVERY = ("fail", "waived", "unknown", "pass", "not-applicable")


@pytest.fixture(scope="module")
def fleet():
    return sample.made()


@pytest.fixture(scope="module")
def page(fleet):
    return html.render(fleet)


def status_of(item):
    return "waived" if item["status"] == "fail" and item["waiver"] else item["status"]


def place_of(report, item, several=True):
    subject = item["kind"] if item["kind"] == "host" or not item["subject"] else f"{item['kind']} {item['subject']}"
    place = f"{item['file']}:{item['line']}" if item["file"] and item["line"] else item["file"]
    whole = (f"{report['name']} " if several else "") + subject + (f" \u00b7 {place}" if place else "")
    return re.sub(r"\s+", " ", whole).strip()


def expected(whole, wanted=lambda report, item: True, statuses=USUAL):
    """Return what the list has to show of a document, computed from the document alone."""
    return sorted(
        (item["rule"], status_of(item), place_of(report, item, len(whole["reports"]) > 1))
        for report in whole["reports"]
        for item in (*report["attack_paths"], *report["findings"])
        if status_of(item) in statuses and wanted(report, item)
    )


def nothing_happened(browser):
    assert browser.watched() == {"dialogs": [], "refused": [], "errors": []}
    assert browser.asked() == []
    assert [entry for entry in browser.driver.get_log("browser") if entry["level"] != "DEBUG"] == []


# Hostile texts, and that the tests would see it.


def test_the_tests_would_see_requests_dialogs_and_refusals(browser):
    browser.open(
        "<!DOCTYPE html><html data-ready=yes><meta http-equiv=Content-Security-Policy content=\"style-src 'none'\"><style>p{color:red}</style>"
        "<img src='http://127.0.0.1:9/pixel'><script>alert('seen')</script><p style='color:red'>"
    )
    assert browser.watched()["dialogs"] == ["alert seen"]
    assert browser.watched()["refused"] != []
    assert browser.asked() == ["http://127.0.0.1:9/pixel"]
    browser.driver.get_log("browser")


@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
def test_hostile_texts_do_nothing(browser, nasty):
    whole = examples.made(examples.with_text_everywhere(nasty))
    browser.open(html.render(whole), hash="status=all")
    assert browser.rows() == expected(whole, statuses=EVERY)
    browser.run("for (const row of document.querySelectorAll('.row')) row.open = true")
    browser.wait(lambda: browser.run("return [...document.querySelectorAll('.row')].every((row) => row.querySelector('.body'))"))
    for selector in ("#f-report", "#f-subject"):
        choice = Select(browser.find(selector))
        choice.select_by_index(len(choice.options) - 1)
    browser.run("dispatchEvent(new Event('beforeprint')); dispatchEvent(new Event('afterprint'))")
    assert browser.all("img, iframe, object, embed, svg script, link[rel=stylesheet]") == []
    nothing_happened(browser)


def test_hostile_texts_together_do_nothing(browser):
    results = [result for nasty in NASTY for result in examples.with_text_everywhere(nasty)]
    whole = examples.made(results)
    browser.open(html.render(whole))
    assert browser.rows() == expected(whole)
    nothing_happened(browser)


ADDRESSES = (
    "text=<img src=x onerror=alert(1)>",
    "text=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
    "rule=<script>alert(1)</script>",
    "kind=<b>&subject=<b>",
    "text=%zz",
    "=",
    "a=b=c",
    "host=nobody",
)


@pytest.mark.parametrize("hash", ADDRESSES, ids=range(len(ADDRESSES)))
def test_a_hostile_address_does_nothing(browser, page, hash):
    browser.open(page, hash=hash)
    assert browser.all("#findings img, #findings script, #findings b:not(.tag b)") == []
    nothing_happened(browser)


def test_a_normal_report_asks_nothing_and_logs_nothing(browser, page):
    browser.open(page)
    browser.rows()
    nothing_happened(browser)


# Filters.


def test_what_is_listed_at_first(browser, page, fleet):
    browser.open(page)
    assert browser.rows() == expected(fleet)
    assert len(expected(fleet)) > 50


def tick(browser, name, value):
    browser.find(f"input[name={name}][value={value}]").click()


@pytest.mark.parametrize("severity", ["critical", "high", "medium", "low", "info"])
def test_filter_by_severity(browser, page, fleet, severity):
    browser.open(page)
    for other in ("critical", "high", "medium", "low", "info"):
        if other != severity:
            tick(browser, "severity", other)
    assert browser.rows() == expected(fleet, lambda report, item: item["severity"] == severity)
    assert browser.hash() == f"severity={severity}"


@pytest.mark.parametrize("status", EVERY)
def test_filter_by_status(browser, page, fleet, status):
    browser.open(page)
    for other in EVERY:
        if (other == status) != (other in USUAL):
            tick(browser, "status", other)
    assert browser.rows() == expected(fleet, statuses=(status,))
    assert browser.rows() != []
    assert browser.hash() == f"status={status}"


def test_filter_by_host(browser, page, fleet):
    for report in fleet["reports"]:
        if not report["findings"]:
            continue
        browser.open(page)
        label = report["name"] + (" (project)" if report["kind"] == document.COMPOSE_REPORT else "")
        Select(browser.find("#f-report")).select_by_visible_text(label)
        assert browser.rows() == expected(fleet, lambda of, item, chosen=report: of is chosen)
        assert browser.rows() != []


def test_filter_by_container(browser, page, fleet):
    browser.open(page)
    Select(browser.find("#f-subject")).select_by_visible_text("shop-redis-1")
    wanted = expected(fleet, lambda report, item: (item["kind"], item["subject"]) == ("container", "shop-redis-1"))
    assert browser.rows() == wanted
    assert len({place for _rule, _status, place in wanted}) > 1
    Select(browser.find("#f-report")).select_by_visible_text("shop-eu-1.example.com")
    assert browser.rows() == [row for row in wanted if row[2].startswith("shop-eu-1.example.com ")]
    assert browser.hash() == "host=shop-eu-1.example.com&kind=container&subject=shop-redis-1"


def test_the_list_of_containers_follows_the_host(browser, page, fleet):
    browser.open(page)
    Select(browser.find("#f-report")).select_by_visible_text("webshop (project)")
    assert [option.text.strip() for option in Select(browser.find("#f-subject")).options] == ["All", "web", "worker"]


def type_text(browser, text):
    before = browser.find("#shown").text
    browser.find("#f-text").send_keys(text)
    browser.wait(lambda: browser.find("#shown").text != before)


def texts_of(report, item):
    pieces = [piece[name] for piece in item["evidence"] for name in ("source", "observed", "expected", "file")]
    waiver = [item["waiver"][name] for name in ("owner", "reason", "expires", "compensation")] if item["waiver"] else []
    own = [item[name] for name in ("rule", "title", "why", "remediation", "blast", "variable", "subject", "kind", "file", "reason")]
    return [text.lower() for text in (report["name"], *own, *item["cis_1_6"], *item["cis_1_8"], *item["references"], *pieces, *waiver)]


@pytest.mark.parametrize("text", ["docker.sock", "Ada Okafor", "5.13", "redis memory", "compose.yml", "no such text at all"])
def test_search(browser, page, fleet, text):
    browser.open(page)
    type_text(browser, text)
    words = text.lower().split()
    wanted = expected(fleet, lambda report, item: all(any(word in one for one in texts_of(report, item)) for word in words))
    assert browser.rows() == wanted
    assert f"{len(wanted):,} of" in browser.find("#shown").text
    assert (browser.all("#list .calm") != []) == (wanted == [])


def test_search_by_fingerprint(browser, page, fleet):
    item = next(item for report in fleet["reports"] for item in report["findings"] if item["status"] == "fail")
    browser.open(page, hash=f"text={item['fingerprint']}")
    assert [rule for rule, _status, _place in browser.rows()] == [item["rule"]]


def test_all_filters_together_and_back(browser, page, fleet):
    browser.open(page)
    tick(browser, "severity", "low")
    tick(browser, "status", "pass")
    Select(browser.find("#f-report")).select_by_visible_text("shop-eu-2.example.com")
    Select(browser.find("#f-subject")).select_by_visible_text("shop-web-1")
    type_text(browser, "root")
    wanted = expected(
        fleet,
        lambda report, item: item["severity"] != "low" and report["name"] == "shop-eu-2.example.com"
        and (item["kind"], item["subject"]) == ("container", "shop-web-1") and any("root" in text for text in texts_of(report, item)),
        (*USUAL, "pass"),
    )  # fmt: skip
    assert browser.rows() == wanted
    assert wanted != []
    hash = browser.hash()
    assert hash.count("=") == 6
    browser.open(page, hash=hash)
    assert browser.rows() == wanted
    assert browser.find("#f-text").get_attribute("value") == "root"
    assert Select(browser.find("#f-report")).first_selected_option.text == "shop-eu-2.example.com"
    assert Select(browser.find("#f-subject")).first_selected_option.text.strip() == "shop-web-1"
    assert not browser.find("input[name=severity][value=low]").is_selected()
    assert browser.find("input[name=status][value=pass]").is_selected()
    browser.find("#reset").click()
    assert browser.hash() == ""
    assert browser.rows() == expected(fleet)


def test_the_back_button_takes_a_filter_away(browser, page, fleet):
    browser.open(page)
    tick(browser, "severity", "medium")
    Select(browser.find("#f-report")).select_by_visible_text("shop-eu-1.example.com")
    browser.driver.back()
    browser.wait(lambda: browser.hash() == "severity=critical,high,low,info")
    assert browser.rows() == expected(fleet, lambda report, item: item["severity"] != "medium")
    browser.driver.back()
    browser.wait(lambda: browser.hash() == "")
    assert browser.rows() == expected(fleet)


def test_names_with_every_character_come_back_from_the_address(browser):
    names = ["a&b=c", "50%", "a,b#c", "\u6f22\u5b57 \u00e9", "it's \"so\" + <more>", "a b"]
    whole = examples.made([examples.result(name, [examples.finding(subject=name, host=name)]) for name in names])
    page = html.render(whole)
    for name in names:
        browser.open(page)
        browser.run("""
            const select = document.getElementById('f-report');
            select.value = [...select.options].find((option) => option.text === arguments[0]).value;
            select.dispatchEvent(new Event('change'));
        """, name)
        assert len(browser.rows()) == 1
        browser.open(page, hash=browser.hash())
        assert browser.rows() == expected(whole, lambda report, item, name=name: report["name"] == name)


def test_numbers_of_the_summary_lead_to_what_they_count(browser, page, fleet):
    browser.open(page)
    for severity, count in fleet["fleet"]["score"]["failed_by_severity"].items():
        if not count:
            continue
        browser.find(f".figures a[href*='severity={severity}&']").click()
        # Attack paths are made of failures that count already.
        assert len([row for row in browser.rows() if not row[0].startswith("attack-path")]) == count
        assert browser.run("return document.activeElement.id") == "h-findings"


def test_a_link_of_a_card_shows_its_rule_and_the_filter_can_be_taken_away(browser, page, fleet):
    browser.open(page)
    browser.find("#worst a[href^='#rule=container-not-privileged']").click()
    assert browser.rows() == expected(fleet, lambda report, item: item["rule"] == "container-not-privileged", ("fail",))
    browser.find("#f-rule").click()
    assert browser.rows() == expected(fleet, statuses=("fail",))


def test_links_to_sections_keep_the_filters(browser, page):
    browser.open(page, hash="severity=critical")
    browser.find("nav a[href='#waivers']").click()
    assert browser.hash() == "severity=critical"
    assert browser.run("return document.activeElement.id") == "h-waivers"


def test_a_long_group_is_shown_by_pages_and_completely(browser):
    items = [examples.finding(subject=f"web-{number:03}") for number in range(250)]
    whole = examples.made([examples.result(items=items)])
    browser.open(html.render(whole), hash="status=fail")
    browser.find(".group > summary").click()
    browser.wait(lambda: len(browser.all(".group .row")) == 100)
    browser.find(".group .next button").click()
    assert len(browser.all(".group .row")) == 200
    assert browser.rows() == expected(whole)


# Details.


def test_details_of_a_finding(browser, page, fleet):
    report, item = next((report, item) for report in fleet["reports"] for item in report["findings"] if item["waiver"] and item["waiver"]["compensation"])
    browser.open(page, hash=f"text={item['fingerprint']}")
    browser.wait(lambda: browser.all(".row"))
    browser.find(".row > summary").click()
    browser.wait(lambda: browser.all(".row > .body"))
    shown = browser.find(".group").text
    piece = item["evidence"][0]
    own = (item["fingerprint"], item["blast"], item["why"], *item["cis_1_6"], *item["cis_1_8"], *item["waiver"].values())
    for text in (piece["source"], piece["observed"], piece["expected"], *own):
        assert text in shown
    assert item["remediation"].replace("`", "") in shown
    assert report["name"] in shown


# Colours.


def ground(browser):
    return browser.run("return getComputedStyle(document.body).backgroundColor")


@pytest.mark.parametrize("dark", [False, True])
def test_the_scheme_of_the_system_is_followed_and_can_be_switched(browser, page, dark):
    light_ground, dark_ground = "rgb(255, 255, 255)", "rgb(20, 23, 27)"
    first, second = (dark_ground, light_ground) if dark else (light_ground, dark_ground)
    browser.open(page, dark=dark)
    assert ground(browser) == first
    browser.find("#theme").click()
    assert ground(browser) == second
    browser.driver.refresh()
    browser.wait(lambda: browser.run("return document.documentElement.dataset.ready") == "yes")
    assert ground(browser) == second
    browser.find("#theme").click()
    assert ground(browser) == first


# Without a script, on paper, by keyboard, on a telephone.


def visible_text(browser):
    """Return what is shown, also where the page may run no script."""
    return browser.driver.find_element(By.TAG_NAME, "body").text


def test_without_a_script_everything_but_the_list_can_be_read(browser, page, fleet):
    browser.open(page, script=False)
    shown = visible_text(browser)
    score = fleet["fleet"]["score"]
    assert f"{score['weight_passed']:,} of {score['weight_judged']:,} points of weight" in shown
    assert "needs JavaScript" in shown
    assert "shop-backup-agent-1 \u2192 shop-postgres-1 \u2192 root on the host" in shown
    for report in fleet["reports"]:
        assert report["name"] in shown
        for item in report["findings"]:
            if item["status"] == "fail" and not item["waiver"] and item["severity"] in ("critical", "high"):
                assert item["title"] in shown
                assert item["subject"] in shown
            if item["waiver"]:
                assert item["waiver"]["expires"] in shown
    for row in fleet["fleet"]["coverage"]["unknown"]:
        assert row["reason"] in shown
    assert not browser.find("#theme").is_displayed()
    assert not browser.find("#f-text").is_displayed()
    assert browser.asked() == []


def test_with_a_script_the_hint_is_not_shown(browser, page):
    browser.open(page)
    assert "needs JavaScript" not in visible_text(browser)


def test_paper_shows_everything_that_is_chosen_and_no_filters(browser, page, fleet):
    browser.open(page)
    closed = browser.run("return document.querySelectorAll('.group:not([open])').length")
    assert closed > 5
    browser.emulate(dark=True, media="print")
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert ground(browser) == "rgb(255, 255, 255)"
    assert browser.run("return document.querySelectorAll('details:not([open])').length") == 0
    shown = visible_text(browser)
    for report in fleet["reports"]:
        for item in (*report["attack_paths"], *report["findings"]):
            if status_of(item) in USUAL and item["fingerprint"]:
                assert item["fingerprint"] in shown
                assert all(piece["source"] in shown for piece in item["evidence"])
    assert f"Printed are {len(expected(fleet))} of" in shown
    for selector in (".tools", "nav", "#print", "#theme"):
        assert not browser.find(selector).is_displayed()
    browser.emulate()
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert browser.run("return document.querySelectorAll('.group:not([open])').length") == closed
    assert browser.find(".tools").is_displayed()


def test_printing_makes_pages_of_everything(browser, page):
    browser.open(page, hash="severity=critical")
    few = browser.pdf()
    browser.open(page, hash="status=all")
    every = browser.pdf()
    pages = [len(re.findall(rb"/Type\s*/Page\b", pdf)) for pdf in (few, every)]
    assert 2 <= pages[0] < pages[1]
    assert browser.run("return document.querySelectorAll('.group[open]').length") == 0


def test_paper_without_a_script_shows_what_is_folded(browser):
    items = [examples.finding(subject=f"web-{number:03}") for number in range(20)]
    browser.open(html.render(examples.made([examples.result(items=items)])), script=False)
    code = "return [...document.querySelectorAll('.places li')].filter((item) => item.checkVisibility() && item.offsetHeight > 0).length"
    assert 0 < browser.run(code) < 20
    browser.emulate(media="print")
    assert browser.run(code) == 20
    browser.emulate()


def test_a_large_report_prints_up_to_a_limit_and_says_so(browser):
    items = [examples.finding(subject=f"web-{number:04}") for number in range(2100)]
    browser.open(html.render(examples.made([examples.result(items=items)])))
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run("return [...document.querySelectorAll('.row')].filter((row) => row.open && !row.closest('[hidden]')).length") == 2000
    assert browser.run("return document.getElementById('not-printed').textContent").startswith("100 more findings")
    browser.run("dispatchEvent(new Event('afterprint'))")


def test_by_keyboard(browser, page):
    browser.open(page)
    body = browser.driver.switch_to.active_element
    body.send_keys(Keys.TAB)
    assert browser.driver.switch_to.active_element.get_attribute("class") == "skip"
    assert browser.driver.switch_to.active_element.location["y"] >= 0
    browser.run("document.querySelector('.group > summary').focus()")
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    browser.wait(lambda: browser.all(".group[open] .row"))
    browser.driver.switch_to.active_element.send_keys(Keys.TAB)
    assert browser.run("return document.activeElement.parentElement.className") == "row"
    browser.driver.switch_to.active_element.send_keys(Keys.SPACE)
    browser.wait(lambda: browser.all(".row[open] > .body"))
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_is_wider_than_the_window(browser, page, width):
    long = [examples.finding(subject="x" * 200), examples.finding(examples.LIMITS, subject="y" * 190, waiver=examples.waiver())]
    for whole in (page, html.render(examples.made([examples.result("z" * 150, long, attack_paths=[examples.path()])]))):
        browser.open(whole, width=width)
        browser.rows()
        browser.run("for (const row of document.querySelectorAll('.row')) row.open = true")
        assert browser.run("return document.documentElement.scrollWidth") <= width


# Accessibility, as axe-core judges it.


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_accessibility(browser, page, dark, width):
    axe = importlib.resources.files("axe_selenium_python").joinpath("node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
    browser.open(page, width=width, dark=dark)
    browser.rows()
    browser.run("for (const row of [...document.querySelectorAll('.row')].slice(0, 10)) row.open = true")
    browser.command("Runtime.evaluate", expression=axe)
    found = browser.driver.execute_async_script("""
        const done = arguments[arguments.length - 1];
        axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then((result) => done(JSON.stringify({
          passes: result.passes.length,
          violations: result.violations.map((one) => [one.id, one.nodes.slice(0, 5).map((node) => node.html.slice(0, 200) + " " + node.failureSummary)]),
        })));
    """)
    result = json.loads(found)
    assert result["violations"] == []
    assert result["passes"] > 20
