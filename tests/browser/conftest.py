# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Chromium without a window, as Debian packages it, that tells what a page asks of the network, says and opens.

`make browser` installs chromium and chromium-driver. Where they are missing these tests fail; they do not skip.
"""

from __future__ import annotations

import base64
import json
import shutil
import urllib.parse

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync "
    "--disable-dev-shm-usage --no-default-browser-check --disable-extensions"
).split()
# Before anything of the page: what a dialog would have said is kept, and what a policy refused.
WATCH = """
window.watched = {dialogs: [], refused: [], errors: []};
for (const name of ["alert", "confirm", "prompt"]) window[name] = (text) => { window.watched.dialogs.push(name + " " + text); };
addEventListener("securitypolicyviolation", (event) => window.watched.refused.push(event.violatedDirective + " " + event.blockedURI));
addEventListener("error", (event) => window.watched.errors.push(String(event.message)));
"""


class Browser:
    """A browser with pages of this machine in it.

    Args:
        driver: of selenium.
        directory: where its pages lie.
    """

    def __init__(self, driver, directory):
        self.driver = driver
        self.directory = directory

    def open(self, page, hash="", width=1280, dark=False, script=True, own_script=True):
        """Show a page as if it had just been opened, and wait until its script is done, or without one of its own until it is there."""
        path = self.directory / "report.html"
        path.write_text(page, encoding="utf-8")
        self.command("Emulation.setScriptExecutionDisabled", value=False)
        # All files of a machine share what pages store.
        empty = self.directory / "empty.html"
        empty.write_text("<!DOCTYPE html><title>empty</title>", encoding="utf-8")
        self.driver.get(empty.as_uri())
        self.driver.execute_script("localStorage.clear()")
        self.driver.get("about:blank")
        self.driver.get_log("performance")
        self.emulate(dark)
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
        self.command("Emulation.setScriptExecutionDisabled", value=not script)
        self.driver.get(path.as_uri() + (f"#{hash}" if hash else ""))
        if script and not own_script:
            WebDriverWait(self.driver, 30).until(lambda driver: driver.execute_script("return document.readyState") == "complete")
        elif script:
            WebDriverWait(self.driver, 30).until(lambda driver: driver.execute_script("return document.documentElement.dataset.ready") == "yes")

    def emulate(self, dark=False, media=""):
        features = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
        self.command("Emulation.setEmulatedMedia", media=media, features=[{"name": name, "value": value} for name, value in features.items()])

    def command(self, name, **parameters):
        return self.driver.execute_cdp_cmd(name, parameters)

    def run(self, code, *arguments):
        return self.driver.execute_script(code, *arguments)

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def wait(self, condition):
        return WebDriverWait(self.driver, 10).until(lambda _driver: condition())

    def asked(self):
        """Return the addresses that were asked for since the page was opened, without the page itself and what needs no network."""
        found = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.append(message["params"]["request"]["url"])
            elif message["method"] == "Network.webSocketCreated":
                found.append(message["params"]["url"])
        own = (self.directory / "report.html").as_uri()
        return [url for url in found if url.split("#")[0] != own and not url.startswith(("data:", "about:"))]

    def watched(self):
        return self.run("return window.watched")

    def rows(self):
        """Open every group and return what is listed: (rule, status, place)."""
        self.run("""
            document.getElementById('open-all').click();
            for (let button; (button = document.querySelector('.group > .next:not([hidden]) button'));) button.click();
        """)
        found = self.run("""
            return [...document.querySelectorAll('.group')].flatMap((group) => [...group.querySelectorAll('.row')].map((row) => {
              const place = row.querySelector('.place').cloneNode(true);
              for (const tag of place.querySelectorAll('.tag')) tag.remove();
              return [group.dataset.rule, row.querySelector('.status').classList[1], place.textContent.replace(/\\s+/g, ' ').trim()];
            }));
        """)
        return sorted(map(tuple, found))

    def hash(self):
        return urllib.parse.urlsplit(self.driver.current_url).fragment

    def pdf(self):
        return base64.b64decode(self.command("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"])


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    programs = shutil.which("chromium"), shutil.which("chromedriver")
    assert all(programs), "Chromium is missing: apt-get install chromium chromium-driver"
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(programs[1]))
    try:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        yield Browser(driver, tmp_path_factory.mktemp("pages"))
    finally:
        driver.quit()
