# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_json
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_text import rewrite
from hypothesis import given, settings
from hypothesis import strategies as st

BY_HAND = """
{\t"icc" : false, "dns": ["1.1.1.1",
    "9.9.9.9"],

  "runtimes": {"a": {"path":"/a"},  "b": {"path": "/b"}},
  "debug":true }

"""


def test_a_text_that_says_what_it_shall_stays():
    assert rewrite(BY_HAND, json.loads(BY_HAND)) == BY_HAND


@pytest.mark.parametrize(
    ("text", "config", "expected"),
    [
        (None, {"a": 1}, '{\n  "a": 1\n}\n'),
        ("", {"a": 1}, '{\n  "a": 1\n}\n'),
        ("{}", {"a": 1}, '{\n  "a": 1\n}\n'),
        ('{"a":1}', {}, "{}\n"),
        ('{"a":1}', {"b": 2}, '{\n  "b": 2\n}\n'),
        ('{"a": 1}', {"a": 1, "b": [1, 2]}, '{"a": 1, "b": [1, 2]}'),
        ('{"a":1,"b":2}\n', {"b": 2}, '{"b":2}\n'),
        ('{"a":1, "b":2, "c":3}\n', {"a": 1, "c": 4}, '{"a":1, "c":4}\n'),
        ('{\n\t"a": 1\n}\n', {"a": 1, "b": [1]}, '{\n\t"a": 1,\n\t"b": [\n\t\t1\n\t]\n}\n'),
        ('\ufeff{"a": 1}', {"a": 2}, '{"a": 2}'),
        ('{"a": true}', {"a": 1}, '{"a": 1}'),
        ('{"m": {"x": 1, "y": 2}}', {"m": {"y": 2, "z": 3}}, '{"m": {"y": 2, "z": 3}}'),
        ('{"m": {"x" : 1}, "n": 0}', {"m": {"x": 1}, "n": 5}, '{"m": {"x" : 1}, "n": 5}'),
    ],
)
def test_only_what_changes_is_touched(text, config, expected):
    assert rewrite(text, config) == expected


def test_foreign_members_keep_their_lines():
    config = json.loads(BY_HAND)
    config["debug"] = False
    del config["icc"]
    config["runtimes"] = {"b": {"path": "/b"}, "c": {"path": "/c"}}
    assert rewrite(BY_HAND, config) == (
        '\n{\t"dns": ["1.1.1.1",\n    "9.9.9.9"],\n\n  "runtimes": {"b": {"path": "/b"},  "c": {"path": "/c"}},\n  "debug":false }\n\n'
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
CONFIGS = st.dictionaries(st.sampled_from("a b c d \u00e4 \\ \" }".split()), VALUES, max_size=5)


@settings(max_examples=300, deadline=None)
@given(CONFIGS, CONFIGS, st.sampled_from([None, 0, 1, 4, "\t"]))
def test_whatever_it_is_it_says_what_it_shall(before, after, indent):
    text = json.dumps(before, indent=indent)
    written = rewrite(text, after)
    assert daemon_json.parse(written) == after
    assert rewrite(written, after) == written
    if before == after and before:
        assert written == text
