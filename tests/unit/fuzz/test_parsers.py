# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""No text that a host holds makes a parser fail with anything but its declared error, whose message says what is wrong.

Inputs that have failed once lie in corpus/, one file for each parser, and are tried at every run. With FUZZ_KEEP=1 a new failure is
added there; FUZZ_EXAMPLES says how many inputs each parser gets.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.append(os.path.dirname(__file__))
import parsers
import scan

CORPUS = pathlib.Path(__file__).parent / "corpus"
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
BY_NAME = {parser.name: parser for parser in parsers.PARSERS}


def corpus_file(name):
    return CORPUS / (re.sub(r"[^A-Za-z0-9]+", "_", name) + ".json")


def kept(name):
    path = corpus_file(name)
    return json.loads(path.read_text(encoding="ascii")) if path.exists() else []


def check(parser, text):
    try:
        parser.run(text)
    except parser.errors as error:
        assert str(error).strip(), f"{type(error).__name__} says nothing"
    except Exception as error:
        if os.environ.get("FUZZ_KEEP"):
            inputs = [*kept(parser.name), *([text] if text not in kept(parser.name) else [])]
            corpus_file(parser.name).write_text(json.dumps(sorted(inputs, key=len)[:20], indent=1) + "\n", encoding="ascii")
        raise AssertionError(f"{parser.name} fails for {text!r}: {type(error).__name__}: {error}") from error


def test_every_reader_of_texts_is_fuzzed_or_has_a_reason():
    found = scan.readers()
    assert sorted(found - set(BY_NAME) - set(parsers.OTHERWISE)) == [], "give it a row in parsers.py"


def test_no_reason_outlives_its_function():
    assert sorted(set(parsers.OTHERWISE) - scan.readers()) == []


def test_no_parser_is_in_the_table_twice():
    assert len(BY_NAME) == len(parsers.PARSERS)


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_nothing_but_the_declared_errors(name):
    parser = BY_NAME[name]
    pieces = st.lists(st.one_of(st.sampled_from(parser.tokens), st.text(max_size=6)), max_size=14).map("".join)

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(pieces.filter(lambda text: not any(0xD800 <= ord(character) < 0xDC80 or 0xDD00 <= ord(character) <= 0xDFFF for character in text)))
    def fuzz(text):
        check(parser, text)

    fuzz()


@pytest.mark.parametrize(("name", "text"), [(name, text) for name in sorted(BY_NAME) for text in kept(name)])
def test_what_failed_once_does_not_again(name, text):
    check(BY_NAME[name], text)


def test_every_file_of_the_corpus_belongs_to_a_parser():
    assert {path.name for path in CORPUS.glob("*.json")} <= {corpus_file(name).name for name in BY_NAME}
