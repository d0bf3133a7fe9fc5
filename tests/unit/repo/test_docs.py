# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Pages that are written from data say what the data says."""

from __future__ import annotations

import importlib
import pathlib
import sys

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import exclusion_rows
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_keys import KEYS

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "tests" / "tools"))
docs = importlib.import_module("docs")


@pytest.mark.parametrize("path", docs.PAGES)
def test_a_page_is_up_to_date(path):
    assert (ROOT / path).read_text(encoding="utf-8") == docs.PAGES[path](), "run make docs"


def test_the_page_of_the_preflight_has_every_row():
    text = docs.preflight_page()
    assert [row.name for row in exclusion_rows.ROWS if f"### {row.name}\n" not in text or f"Source: {row.source}." not in text] == []
    assert "{" not in text


def test_the_page_of_keys_has_every_key():
    text = docs.PAGES["docs/daemon-keys.md"]()
    assert [name for name in KEYS if f"| `{name}` |" not in text] == []
