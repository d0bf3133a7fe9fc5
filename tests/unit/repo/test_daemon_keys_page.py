# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib.util
import pathlib

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_keys import KEYS

ROOT = pathlib.Path(__file__).parents[3]


def renderer():
    spec = importlib.util.spec_from_file_location("renderer", ROOT / "tests/tools/render_daemon_keys.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_keys_is_what_the_data_says():
    module = renderer()
    written = ROOT.joinpath(module.PAGE).read_text(encoding="utf-8")
    assert written == module.page(), "run python3 tests/tools/render_daemon_keys.py"


def test_the_page_has_every_key():
    text = renderer().page()
    assert [name for name in KEYS if f"| `{name}` |" not in text] == []
