# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.report import clean
from ansible_collections.bulkhead.docker.tests.unit.report.examples import HOSTILE, OBEYED
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain text", "plain text"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\x00b", "a\\x00b"),
        ("\x9b2J", "\\x9b2J"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
        pytest.param("\ud800", "\\ud800", id="half a pair"),
        ("\U000e0041", "\\U000e0041"),
        ("\U0001ffff", "\\U0001ffff"),
        ("two\nlines\r\n\tand\u2028more", "two lines   and more"),
        ("größe 漢字 \U0001f433", "größe 漢字 \U0001f433"),
        (None, ""),
        (True, "True"),
        (7, "7"),
        (1.5, "1.5"),
        pytest.param(10**5000, "", id="a number of 5001 digits"),
        ({"a": 1}, ""),
        (b"bytes", ""),
    ],
)
def test_text(raw, shown):
    assert clean.text(raw) == shown


@pytest.mark.parametrize("raw", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_that_is_obeyed_is_left(raw):
    assert OBEYED.search(clean.text(raw)) is None
    assert "\n" not in clean.text(raw)


@given(st.text(st.characters(codec=None)), st.integers(0, 50))
def test_any_text(raw, limit):
    shown = clean.text(raw, limit)
    assert OBEYED.search(shown) is None
    assert "\n" not in shown
    shown.encode("utf-8")
    assert clean.text(shown, 10_000) == shown
    assert shown.endswith(f"... ({len(raw) - limit} characters left out)") == (len(raw) > limit)


def test_a_long_text_is_cut_and_says_so():
    assert clean.text("x" * 1_000_000, 5) == "xxxxx... (999995 characters left out)"
    assert clean.text("x" * 5, 5) == "xxxxx"


@pytest.mark.parametrize(
    ("raw", "found"), [(0, 0), (7, 7), (-1, None), (True, None), ("7", None), (1.0, None), (None, None), (2**53, 2**53), (2**53 + 1, None)]
)
def test_whole(raw, found):
    assert clean.whole(raw) == found


@pytest.mark.parametrize(
    ("raw", "found"),
    [(1.23456, 1.235), (0, 0.0), (-0.1, None), (math.nan, None), (math.inf, None), (True, None), ("1", None), (101, None), (10**400, None)],
)
def test_number(raw, found):
    assert clean.number(raw, 100) == found
