# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
import sys
import time

import pytest
import yaml
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose import reader
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import Budget, ComposeError, text_of


def plain(node):
    if isinstance(node.value, dict):
        return {key: plain(item) for key, item in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value


def read(text, **options):
    return reader.read(text, "c.yml", **options)


def one(text):
    return plain(read(text)[0])


@pytest.fixture(params=["libyaml", "python"], autouse=True)
def loader(request, monkeypatch):
    """Both parsers of PyYAML: a controller may lack the one of libyaml."""
    if request.param == "python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
        assert not hasattr(yaml, "CSafeLoader")


def test_lines_of_keys_and_items():
    root = read("# a comment\nservices:\n  web:\n    ports:\n      - '80'\n      - >-\n        443\n    user:\n      root\n")[0]
    web = root.get("services", "web")
    assert (root.file, root.get("services").line, web.line) == ("c.yml", 2, 3)
    assert [item.line for item in web.get("ports").entries()] == [5, 6]
    assert (web.get("ports").line, web.get("user").line, web.get("user").value) == (4, 8, "root")


@pytest.mark.parametrize(
    "text, value",
    [
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("22:22", "22:22"),
        ("1000:1000", "1000:1000"),
        ("2001-12-14", "2001-12-14"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("12", 12),
        ("-12", -12),
        ("1_000", 1000),
        ("0x1F", 31),
        ("0o17", 15),
        ("0777", 511),
        ("0b101", 5),
        ("08", 8.0),
        ("1.5e3", 1500.0),
        (".5", 0.5),
        (".inf", math.inf),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
        ("! 12", "12"),
        ("1.2.3", "1.2.3"),
        ("=", "="),
        ("9" * 41, "9" * 41),
    ],
)
def test_words_mean_what_they_mean_to_compose(text, value):
    found = one(f"a: {text}")["a"]
    assert (found, type(found)) == (value, type(value))


def test_merge_keys():
    text = """
x-a: &a {user: "1", cap_add: [A]}
x-b: &b {user: "2", tty: true}
s:
  one: {<<: *a, user: "3"}
  two: {<<: [*a, *b]}
  three:
    tty: false
    <<: *b
"""
    found = one(text)["s"]
    assert found == {"one": {"user": "3", "cap_add": ["A"]}, "two": {"user": "1", "cap_add": ["A"], "tty": True}, "three": {"tty": False, "user": "2"}}


def test_what_is_merged_keeps_its_line_and_an_alias_has_that_of_its_use():
    root = read("x: &x\n  privileged: true\nl: &l [A]\nweb:\n  <<: *x\n  cap_add: *l\n  list:\n    - *x\n")[0]
    assert root.get("web", "privileged").line == 2
    assert root.get("web", "cap_add").line == 6
    assert root.get("web", "list").entries()[0].line == 8


def test_documents_and_a_mark_at_the_beginning():
    assert [plain(item) for item in read("\ufeffa: 1\n---\n---\nb: 2\n")] == [{"a": 1}, {"b": 2}]
    assert read("") == read("# nothing\n") == read("~") == []


def test_resets_are_marked():
    root = read("a: !reset null\nb: !override [1]\nc: !reset\nd: !override {e: 1}\n")[0]
    assert [root.value[key].tag for key in "abcd"] == ["reset", "override", "reset", "override"]


@pytest.mark.parametrize(
    "text, line, part",
    [
        ("a: 1\nb: 2\na: 3\n", 3, "holds the key 'a' a second time (before on line 1)"),
        ("a:\n  <<: {b: 1}\n  <<: {c: 1}\n", 3, "'<<' a second time"),
        ("a: &x [*x]\n", 1, "refers to itself"),
        ("a: *nothing\n", 1, "names no anchor before it"),
        ("a: &x 1\n---\nb: *x\n", 3, "names no anchor before it"),
        ("- a\n", 1, "holds a list"),
        ("text\n", 1, "holds a text"),
        ("a:\n\tb: 1\n", 2, "indented with a tab"),
        ("a: !secret x\n", 1, "has the tag '!secret'"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, "has the tag '!!python/object/apply:os.system'"),
        ("a: !!binary aGk=\n", 1, "has the tag '!!binary'"),
        ("a: !!set {x}\n", 1, "has the tag '!!set'"),
        ("a: !!int x\n", 1, "is not what its tag !!int says"),
        ("1: a\n", 1, "has a number as a key, '1'"),
        ("true: a\n", 1, "has a truth value as a key"),
        ("? [a]\n: b\n", 1, "has a list as a key"),
        ("? {a: 1}\n: b\n", 1, "has a mapping as a key"),
        ("a:\n  <<: 1\n", 2, "merges (<<) what is no mapping"),
        ("a: [1\n", 2, "is no YAML: "),
        ("a: b: c\n", 1, "is no YAML: "),
        ("a: 'b\n", 2, "is no YAML: "),
        ("a: \x00\n", 1, "holds the character U+0000"),
        ("a: 1\nb: \x1b[31m\n", 2, "holds the character U+001B"),
        ("a: \ud800\n", 1, "holds the character U+D800"),
    ],
)
def test_refusals(text, line, part):
    with pytest.raises(ComposeError) as caught:
        read(text)
    assert part in caught.value.message
    assert (caught.value.file, caught.value.line) == ("c.yml", line)
    assert str(caught.value).startswith(f"c.yml:{line}: ")
    assert str(caught.value).endswith(".")
    assert str(caught.value).isprintable()


def test_nesting_is_bounded():
    assert read("a: " + "[" * 98 + "]" * 98)
    for text in ("  " + "[" * 100_000, " a: " + "{b: " * 200_000, "\n".join(" " * depth + "b:" for depth in range(1, 200)), "- " * 5_000):
        with pytest.raises(ComposeError, match="nested deeper than 100"):
            read("root:\n" + text)


def test_nesting_through_aliases_is_bounded():
    text = "a0: &a0 [x]\n" + "".join(f"a{number}: &a{number} [*a{number - 1}]\n" for number in range(1, 300))
    with pytest.raises(ComposeError, match="nested deeper than 100"):
        read(text)


def test_a_billion_laughs_end_at_once():
    text = 'a0: &a0 ["lol"]\n' + "".join(f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]\n" for number in range(1, 20))
    began = time.process_time()
    with pytest.raises(ComposeError, match="expands to more than 100000 values"):
        read(text)
    assert time.process_time() - began < 15


def test_a_bomb_of_merge_keys_ends_at_once():
    text = "a0: &a0 {k0: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], k{n}: 1}}\n" for n in range(1, 20))
    began = time.process_time()
    with pytest.raises(ComposeError, match="expands to more than 100000 values"):
        read(text)
    assert time.process_time() - began < 15


def test_the_budget_is_shared():
    budget = Budget(10)
    read("a: [1, 2, 3]\n", budget=budget)
    with pytest.raises(ComposeError, match="more than 10 values"):
        read("a: [1, 2, 3]\n", budget=budget)


def test_size_is_bounded():
    assert read("a: " + "x" * (reader.LARGEST - 10))
    for text in ("a: " + "x" * reader.LARGEST, "a: " + "\u20ac" * (reader.LARGEST // 2)):
        with pytest.raises(ComposeError, match="is larger than 1048576 bytes"):
            read(text)


def test_without_pyyaml(monkeypatch):
    monkeypatch.setattr(reader, "yaml", None)
    with pytest.raises(ComposeError, match="PyYAML is missing"):
        read("a: 1")


def test_importable_without_pyyaml(monkeypatch):
    import importlib.util

    monkeypatch.setitem(sys.modules, "yaml", None)
    spec = importlib.util.spec_from_file_location("reader_without_yaml", reader.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.yaml is None


def test_texts():
    root = read("a: [x, 1, 1.5, true, false, ~]\nb: {}\n")[0]
    assert [text_of(item) for item in root.get("a").entries()] == ["x", "1", "1.5", "true", "false", ""]
    with pytest.raises(ComposeError, match="is a mapping where a text has to stand"):
        text_of(root.get("b"))
