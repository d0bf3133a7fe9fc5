# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The page of drift in a real browser: what hostile texts can do there, links, colours, paper, keyboard, small screens."""

from __future__ import annotations

import importlib.resources
import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.report import drift_html as html
from ansible_collections.bulkhead.docker.plugins.module_utils.report import html_style
from ansible_collections.bulkhead.docker.tests.unit.report import drift_examples, drift_sample, examples
from ansible_collections.bulkhead.docker.tests.unit.report.drift_examples import EDITED, look
from selenium.webdriver.common.keys import Keys

NASTY = (
    *examples.HOSTILE,
    "<img src=x onerror=alert(1)><img src=http://192.0.2.1/pixel>",
    "\"><svg onload=alert(2)><script src=//192.0.2.1/x.js></script>",
    "' onfocus='alert(3)' autofocus='",
    "</style><style>@import url(http://192.0.2.1/x.css);</style>",
    "javascript:alert(5)",
    "</title></noscript><iframe src=http://192.0.2.1/></iframe>",
    "<meta http-equiv=refresh content='0;url=http://192.0.2.1/'>",
)


@pytest.fixture(scope="module")
def page():
    return html.render(drift_sample.made())


def nothing_happened(browser):
    assert browser.watched() == {"dialogs": [], "refused": [], "errors": []}
    assert browser.asked() == []
    assert [entry for entry in browser.driver.get_log("browser") if entry["level"] != "DEBUG"] == []


@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
def test_hostile_texts_do_nothing(browser, nasty):
    browser.open(html.render(drift_examples.made(drift_examples.with_text_everywhere(nasty))), own_script=False)
    browser.run("for (const details of document.querySelectorAll('details')) details.open = true")
    nothing_happened(browser)
    assert browser.run("return document.querySelectorAll('script, img, iframe, form, [style], [onclick], [onfocus], [onerror]').length") == 0


def test_the_usual_page_asks_nothing_and_is_refused_nothing(browser, page):
    browser.open(page, own_script=False)
    nothing_happened(browser)


def test_what_stands_where(browser, page):
    browser.open(page, own_script=False)
    rows = browser.run("""
        return [...document.querySelectorAll('#summary tbody tr')].map((row) =>
          [...row.children].slice(0, 4).map((cell) => cell.textContent.trim()));
    """)
    assert rows[:6] == [
        ["web-01.example.org", "drifted", "no", "Recreate"],
        ["web-02.example.org", "drifted", "1 of 3", "Reload"],
        ["db-02.example.org", "unreachable", "-", ""],
        ["db-03.example.org", "failed", "-", ""],
        ["db-01.example.org", "unsure", "-", ""],
        ["web-03.example.org", "mended", "yes", ""],
    ]
    assert [row[1] for row in rows[6:]] == ["clean"] * 12
    assert len(browser.all("#hosts article")) == 3


def test_a_host_leads_to_its_differences(browser, page):
    browser.open(page, own_script=False)
    for link in browser.run("return [...document.querySelectorAll('a[href^=\"#\"]')].map((link) => link.getAttribute('href').slice(1))"):
        assert browser.run("return document.getElementById(arguments[0]) !== null", link), link
    browser.find("#summary tbody a").click()
    browser.wait(lambda: browser.hash() == "host-0")
    assert browser.run("return document.querySelector(':target h3').textContent") == "web-01.example.org"


def rgb(colour):
    return "rgb(" + ", ".join(str(int(colour[start : start + 2], 16)) for start in (1, 3, 5)) + ")"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_colours_follow_the_system(browser, page, dark):
    browser.open(page, dark=dark, own_script=False)
    palette = html_style.DARK if dark else html_style.LIGHT
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == rgb(palette["ground"])
    assert browser.run("return getComputedStyle(document.body).color") == rgb(palette["text"])


def test_paper_has_everything_and_light_colours(browser, page):
    many = [{**EDITED, "item": f"file:/etc/docker/{number}"} for number in range(40)]
    browser.open(html.render(drift_examples.made([{"name": "alpha", "looks": [look(*many)]}])), dark=True, own_script=False)
    browser.emulate(dark=True, media="print")
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == rgb(html_style.LIGHT["ground"])
    seen = "return [...document.querySelectorAll('.drifts > li')].filter((item) => item.checkVisibility()).length"
    assert browser.run(seen) == 40
    assert browser.run("return getComputedStyle(document.querySelector('nav')).display") == "none"
    assert browser.pdf().startswith(b"%PDF")
    browser.emulate()
    assert browser.run(seen) == 12


def test_by_keyboard(browser, page):
    browser.open(page, own_script=False)
    body = browser.driver.switch_to.active_element
    body.send_keys(Keys.TAB)
    assert browser.driver.switch_to.active_element.get_attribute("class") == "skip"
    assert browser.driver.switch_to.active_element.location["y"] >= 0
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    browser.wait(lambda: browser.hash() == "summary")


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_is_wider_than_the_window(browser, page, width):
    texts = {"role": "r" * 150, "item": "file:/" + "x" * 190, "what": "w" * 300, "observed": "漢" * 300, "source": "/" + "s" * 300, "advice": "a" * 300}
    long = {**EDITED, **texts}
    for whole in (page, html.render(drift_examples.made([{"name": "z" * 150, "looks": [look(long, unknown=["u" * 300])]}]))):
        browser.open(whole, width=width, own_script=False)
        assert browser.run("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_accessibility(browser, page, dark, width):
    axe = importlib.resources.files("axe_selenium_python").joinpath("node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
    browser.open(page, width=width, dark=dark, own_script=False)
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
    assert result["passes"] > 15
