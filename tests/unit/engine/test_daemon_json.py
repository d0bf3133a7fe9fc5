# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_json
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_json import DaemonJsonError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        (" \n", {}),
        ("{}", {}),
        ('\ufeff{"debug": true}', {"debug": True}),
        ('{"a": {"x": 1}, "b": {"x": 2}}', {"a": {"x": 1}, "b": {"x": 2}}),
        ('{"a": [{"x": 1}, {"x": 2}]}', {"a": [{"x": 1}, {"x": 2}]}),
        ('{"labels": ["a", "a", "b:c"], "a": "labels"}', {"labels": ["a", "a", "b:c"], "a": "labels"}),
    ],
)
def test_parse(text, expected):
    assert daemon_json.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{\n "icc": true,\n "icc": false\n}', "line 3 holds the key 'icc' a second time"),
        ('{\n "log-opts": {\n  "a": "1",\n  "a": "2"\n }\n}', "line 4 holds the key 'a' a second time"),
        ('{"a": 1, "\\u0061": 2}', "line 1 holds the key 'a' a second time"),
        ('{\n // why\n "icc": true\n}', "line 2 holds a comment"),
        ('{\n "icc": true, # why\n "a": 1}', "line 2 holds a comment"),
        ('{\n "icc": true /* why */\n}', "line 2 holds a comment"),
        ("{}\n{}", "line 2 holds something after the end"),
        ('{"a": 1}}', "line 1 holds something after the end"),
        ("[]", "something else than an object"),
        ('"x"', "something else than an object"),
        ('{\n "a": 1,\n}', "remove the comma"),
        ('{\n "a": tru\n}', "line 2 column 7"),
        ('{"a": NaN}', "holds NaN"),
        ("{", "line 1"),
        ("[" * 100000, "nested too deeply"),
    ],
)
def test_parse_refuses(text, words):
    with pytest.raises(DaemonJsonError) as error:
        daemon_json.parse(text)
    assert words in str(error.value)


def test_render_is_read_back():
    config = {"debug": True, "labels": ["ä=1"], "log-opts": {"max-size": "1m"}}
    text = daemon_json.render(config)
    assert daemon_json.parse(text) == config
    assert text.endswith("}\n")
    assert "ä" in text
