# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import time

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose import variables
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import ComposeError, Node

VALUES = {"SET": "value", "EMPTY": "", "DOLLAR": "$SET", "_x9": "under"}


@pytest.mark.parametrize(
    "text, result",
    [
        ("plain", "plain"),
        ("$SET", "value"),
        ("${SET}", "value"),
        ("a${SET}b$SET.c", "avaluebvalue.c"),
        ("${_x9}$_x9", "underunder"),
        ("$$SET $${SET}", "$SET ${SET}"),
        ("$$$SET", "$value"),
        ("${SET:-d}", "value"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${NO:-d}", "d"),
        ("${NO-d}", "d"),
        ("${NO:-}", ""),
        ("${SET:+r}", "r"),
        ("${EMPTY:+r}", ""),
        ("${EMPTY+r}", "r"),
        ("${NO:+r}", ""),
        ("${NO+r}", ""),
        ("${SET:?e}", "value"),
        ("${EMPTY?e}", ""),
        ("${NO:-${SET}}", "value"),
        ("${NO:-${NEITHER:-deep}} after", "deep after"),
        ("${NO-a:-b}", "a:-b"),
        ("${NO:-a-b?c}", "a-b?c"),
        ("${NO:-x} and ${EMPTY:-y}", "x and y"),
        ('${NO:-{"a": 1}}!', '{"a": 1}!'),
        ("${NO:-{}}", "{}"),
        ("$1 $ $-", "$1 $ $-"),
        ("${DOLLAR}", "$SET"),
        ("${NO:-$$SET}", "$SET"),
        ("cost: 5$", "cost: 5$"),
    ],
)
def test_as_compose_replaces(text, result):
    found = variables.substitute(text, VALUES)
    assert (found.text, found.unset, found.required) == (result, (), ())


@pytest.mark.parametrize(
    "text, result, unset, required",
    [
        ("$NO", "", ("NO",), ()),
        ("a${NO}b${OTHER}$NO", "ab", ("NO", "OTHER"), ()),
        ("${NO:-$OTHER}", "", ("OTHER",), ()),
        ("${NO:?tell me}", "", ("NO",), ("NO",)),
        ("${NO?}", "", ("NO",), ("NO",)),
        ("${EMPTY:?e}", "", ("EMPTY",), ("EMPTY",)),
    ],
)
def test_what_has_no_value_is_said(text, result, unset, required):
    assert variables.substitute(text, VALUES) == (result, unset, required)


@pytest.mark.parametrize("text", ["${", "${}", "${SET", "${1}", "${SET!}", "${NO:-", "${NO:-${}}", "${NO:-a\nb}", "${ SET }"])
def test_what_is_no_template(text):
    with pytest.raises(variables.TemplateError, match="no variable"):
        variables.substitute(text, VALUES)


def test_depth_and_size_are_bounded():
    with pytest.raises(variables.TemplateError, match="deeper than 50"):
        variables.substitute("${NO:-" * 2000 + "}" * 2000, {})
    began = time.process_time()
    with pytest.raises(variables.TemplateError, match="longer than"):
        variables.substitute("$BIG" * 100_000, {"BIG": "x" * 1_000_000})
    for text in ("${" * 300_000, "${A:-" * 200_000, "$" * 500_000, "${A:-{" * 100_000):
        with contextlib.suppress(variables.TemplateError):
            variables.substitute(text, {})
    assert time.process_time() - began < 15


def test_a_tree():
    warned = []
    root = Node({"a": Node("$NO/x", "c.yml", 3), "$SET": Node([Node("$SET", "c.yml", 4), Node(5, "c.yml", 5)], "c.yml", 4)}, "c.yml", 1)
    filled = variables.Interpolation(VALUES, lambda node, message: warned.append((node.line, message)), [1000]).apply(root)
    assert (filled.get("a").value, filled.get("a").unset, filled.get("a").line) == ("/x", ("NO",), 3)
    assert [item.value for item in filled.get("$SET").entries()] == ["value", 5]
    assert [line for line, _message in warned] == [3]
    assert "NO" in warned[0][1]


def test_a_tree_that_becomes_too_large():
    root = Node({str(number): Node("$SET", "c.yml", number) for number in range(300)}, "c.yml", 1)
    with pytest.raises(ComposeError, match="larger than"):
        variables.Interpolation(VALUES, lambda *_: None, [1000]).apply(root)


def read_env(text, **known):
    return variables.read_env(text, ".env", known)


@pytest.mark.parametrize(
    "text, found",
    [
        ("", {}),
        ("# comment\n\n  # another\n", {}),
        ("A=1\nB = 2\r\nC:3\n", {"A": "1", "B": "2", "C": "3"}),
        ("export A=1\n", {"A": "1"}),
        ("A=value # comment\nB=val#ue\n", {"A": "value", "B": "val#ue"}),
        ("A='single $B' # c\n", {"A": "single $B"}),
        ('A="double \\n ${B}"\nB=2\n', {"A": "double \n ", "B": "2"}),
        ('B=2\nA="double ${B}"\n', {"A": "double 2", "B": "2"}),
        ("B=2\nA=$B-${C:-c}\n", {"A": "2-c", "B": "2"}),
        ('A="\\$B"\n', {"A": "$B"}),
        ("A='it\\'s'\n", {"A": "it's"}),
        ('A="a\nb"\nB=1\n', {"A": "a\nb", "B": "1"}),
        ("A=\nB=''\n", {"A": "", "B": ""}),
        ("OUTSIDE\nNEITHER\n", {"OUTSIDE": "yes"}),
        ("A=$OUTSIDE\n", {"A": "yes"}),
        ("a.b-c[0]=1\n", {"a.b-c[0]": "1"}),
        ("\ufeffA=1", {"A": "1"}),
        ('A="\\0101"\n', {"A": "A"}),
    ],
)
def test_env_files(text, found):
    assert read_env(text, OUTSIDE="yes") == found


@pytest.mark.parametrize(
    "text, line", [("A=1\nno value here\n", 2), ("=x\n", 1), ("A='open\n", 1), ("B=1\nA=${\n", 2), ("A B=1\n", 1), ("A;B=1\n", 1)]
)
def test_env_files_that_are_none(text, line):
    with pytest.raises(ComposeError) as caught:
        read_env(text)
    assert (caught.value.file, caught.value.line) == (".env", line)


def test_no_value_is_in_the_message():
    with pytest.raises(ComposeError) as caught:
        read_env("PASSWORD='hunter2\n")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ComposeError) as caught:
        read_env("PASSWORD=${hunter2\n")
    assert "hunter2" not in str(caught.value)


def test_an_env_file_that_doubles_itself():
    text = "A0=" + "x" * 1000 + "\n" + "".join(f"A{number}=$A{number - 1}$A{number - 1}\n" for number in range(1, 60))
    began = time.process_time()
    with pytest.raises(ComposeError):
        read_env(text)
    assert time.process_time() - began < 15


def test_values_of_people():
    assert variables.as_values({"A": 1, "B": True, "C": None, "D": "x", 5: 1.5}) == {"A": "1", "B": "true", "D": "x", "5": "1.5"}
    with pytest.raises(ValueError, match="variable A is a list"):
        variables.as_values({"A": [1]})
