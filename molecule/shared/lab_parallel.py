# SPDX-License-Identifier: Apache-2.0
"""Pytest plugin: the tests of one host run one after the other, those of several hosts at the same time."""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        host = item.callspec.params.get("_testinfra_host") if hasattr(item, "callspec") else None
        item.add_marker(pytest.mark.xdist_group(str(host)))
