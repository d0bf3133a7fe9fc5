# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest


def pytest_configure(config):
    config.addinivalue_line("markers", "story(name): the story that the driver told")


@pytest.fixture(scope="module")
def seen(host):
    """What a driver saw on the host, by the driver's name."""
    read = {}

    def of(driver):
        if driver not in read:
            read[driver] = json.loads(host.file(f"/root/lab/{driver}.json").content_string)
        return read[driver]

    return of
