# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import json
import math

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_json
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_json import DaemonJsonError
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import parse as release
from hypothesis import given
from hypothesis import strategies as st


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
        ('{\n "icc": true,\n "icc": false\n}', "line 3 holds the key 'icc' a second time, after line 2; keep one"),
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
        ('{"a":' * 40 + "1" + "}" * 40, "nested too deeply"),
        ('{\n "icc": True\n}', "line 2 holds True, which JSON writes in lower case; write true"),
        ('{\n "icc": yes\n}', "a word that is neither true, false nor null"),
        ('{\n "mtu": -Infinity\n}', "line 2 holds -Infinity"),
        ('{\n "mtu": 1e400\n}', "line 2 holds a number that dockerd cannot hold"),
        ('{\n "mtu": 9223372036854775808\n}', "line 2 holds a number that dockerd cannot hold"),
        ('{"mtu": ' + "9" * 5000 + "}", "a number that dockerd cannot hold"),
        ('{\n "a": "\\ud800"\n}', "line 2 holds half of a character"),
        ('{\n "a": "x\ty"\n}', "invalid control character"),
        ("{'a': 1}", "a key in double quotes is missing"),
        ('{"a" 1}', "a colon after the key is missing"),
        ('{"a": 1 "b": 2}', "a comma or } is missing"),
        ('{"a": [1 2]}', "a comma or ] is missing"),
        ('{"a": [1,]}', "remove the comma"),
        ('{"a": }', "a value is missing"),
        ('{"a": 01}', "a comma or } is missing"),
        ("null", "something else than an object"),
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


TEXT = """{
  "log-opts": {
    "max-size": 5
  },
  "default-address-pools": [
    {"base": "10.0.0.0/8", "size": 24},
    {"base": "172.26.0.0/16",
     "size": 33}
  ],

  "mtu": 0
}
"""


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("log-opts", 2),
        ("log-opts.max-size", 3),
        ("log-opts.missing", 2),
        ("default-address-pools[0]", 6),
        ("default-address-pools[1].size", 8),
        ("default-address-pools[1].size.deeper", 8),
        ("mtu", 11),
        ("icc", 0),
        ("", 0),
    ],
)
def test_lines(where, line):
    assert daemon_json.read(TEXT).line(where) == line


def test_problems_name_the_line_of_what_the_file_holds_and_not_of_what_comes_from_elsewhere():
    found = [Problem("log-opts.max-size", "x"), Problem("mtu", "y"), Problem("tlscacert", "z")]
    located = daemon_json.read(TEXT).located(found, "/etc/docker/daemon.json", ("mtu",))
    assert [problem.where for problem in located] == [
        "/etc/docker/daemon.json line 3, log-opts.max-size",
        "mtu",
        "tlscacert",
    ]
    ours = daemon_json.read(TEXT).located(found, "daemon.json", ("log-opts",))
    assert ours[0].where == "log-opts.max-size"


@pytest.mark.parametrize(
    ("text", "version", "words"),
    [
        ("", "20.10.24", "is empty"),
        (" \n", "20.10.24", "is empty"),
        ("", "23.0", ""),
        ("\ufeff{}", "20.10.24", "byte order mark"),
        ("\ufeff{}", "26.1.5", ""),
        ("{}", "20.10.24", ""),
    ],
)
def test_what_older_releases_cannot_read(text, version, words):
    found = daemon_json.unreadable(text, release(version))
    assert words in found
    assert bool(found) == bool(words)


@pytest.mark.parametrize(
    ("content", "words"),
    [("{}".encode("utf-16"), "UTF-16"), (b'{\n"a": "\xff"}', "line 2 holds bytes that are not UTF-8")],
)
def test_bytes_that_are_no_text(content, words):
    with pytest.raises(DaemonJsonError, match=words):
        daemon_json.decode(content)


numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(-1e18, 1e18, allow_nan=False)
strings = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | numbers | strings,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(strings, inner, max_size=4),
    max_leaves=20,
)
# Characters of which JSON is made, so that random text gets past the first letter.
almost_json = st.text(st.sampled_from(list('{}[]:,"\\/ \n\t-+.eE0123456789truefalsn#\ufeff\ud800é')), max_size=60)


@given(st.dictionaries(strings, values, max_size=6))
def test_what_is_rendered_is_read_back(config):
    document = daemon_json.read(daemon_json.render(config))
    assert document.config == config
    assert [type(value) for value in document.config.values()] == [type(value) for value in config.values()]
    assert all(document.line(key) > 0 for key in config if key and "." not in key and "[" not in key)


@given(st.text() | almost_json)
def test_any_text_is_read_as_json_reads_it_or_refused(text):
    try:
        found = daemon_json.parse(text)
    except DaemonJsonError as error:
        assert str(error).strip()
        return
    if text.lstrip("\ufeff").strip(" \t\n\r"):
        assert same(found, json.loads(text[1:] if text.startswith("\ufeff") else text))


@given(st.binary() | almost_json.map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_are_read_or_refused(content):
    with contextlib.suppress(DaemonJsonError):
        daemon_json.parse(daemon_json.decode(content))


@given(st.dictionaries(strings, values, min_size=1, max_size=4), st.data())
def test_one_letter_too_few_never_passes_for_another_configuration(config, data):
    text = daemon_json.render(config).rstrip("\n")
    cut = data.draw(st.integers(0, len(text) - 1))
    broken = text[:cut] + text[cut + 1 :]
    try:
        found = daemon_json.parse(broken)
    except DaemonJsonError:
        return
    if broken.strip():
        assert same(found, json.loads(broken))


def same(one, other):
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return one == other and type(one) is type(other)
