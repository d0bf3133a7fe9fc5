# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The few shapes that most checks have, so that a rule is one line and its evidence always looks the same.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    FAIL,
    NOT_APPLICABLE,
    PASS,
    Evidence,
    Fact,
    Outcome,
    Subject,
)

_LONGEST = 300


def shown(value: t.Any) -> str:
    """Return a value as a person reads it: lists joined, nothing longer than a line."""
    if isinstance(value, str):
        text = str(value) or "not set"
    elif value is True or value is False:
        text = "yes" if value else "no"
    elif isinstance(value, (tuple, list, set, frozenset)):
        items = sorted(value) if isinstance(value, (set, frozenset)) else list(value)
        text = ", ".join(shown(item) for item in items) or "none"
    else:
        text = str(value) if value != "" else "not set"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "\u2026"


def evidence(fact: Fact, expected: str, observed: t.Any = None) -> Evidence:
    """Return the evidence that a fact gives.

    Args:
        expected: what should be there.
        observed: what of the value matters; the whole value without it.
    """
    seen = fact.value if observed is None else observed
    # Only what comes from a file has items with lines of their own.
    return Evidence(fact.source, shown(seen), expected, *place(fact, seen))


def place(fact: Fact, seen: t.Any) -> tuple[str, int]:
    """Return the file and the line of what was seen of a fact: of its first item that knows its line, else of the fact."""
    if not fact.line:
        return fact.file, fact.line
    items = list(seen) if isinstance(seen, (tuple, list, set, frozenset)) and not getattr(seen, "line", 0) else [seen]
    if isinstance(fact.value, frozenset) and not any(getattr(item, "line", 0) for item in items):
        # Of a set of words it is told by the word with which the sentence begins.
        words = {str(item).split(" ", 1)[0] for item in items}
        items = [item for item in fact.value if item in words]
    known = [item for item in items if getattr(item, "line", 0)]
    if not known:
        return fact.file, fact.line
    first = known[0] if isinstance(seen, (tuple, list)) else min(known, key=_line_of)
    return getattr(first, "file", "") or fact.file, _line_of(first)


def _line_of(item: t.Any) -> int:
    return int(getattr(item, "line", 0))


def passed(fact: Fact, expected: str, observed: t.Any = None) -> Outcome:
    """Return a pass that rests on a fact."""
    return Outcome(PASS, (evidence(fact, expected, observed),))


def failed(fact: Fact, expected: str, observed: t.Any = None, reason: str = "", reach: str = "") -> Outcome:
    """Return a failure that rests on a fact; see Outcome for reason and reach."""
    return Outcome(FAIL, (evidence(fact, expected, observed),), reason, reach)


def not_applicable(reason: str) -> Outcome:
    """Return that the question does not arise, with the reason."""
    return Outcome(NOT_APPLICABLE, (), reason)


def is_value(name: str, wanted: t.Any) -> t.Callable[[Subject], Outcome]:
    """Return a check that a fact has one value."""

    def check(subject: Subject) -> Outcome:
        fact = subject.fact(name)
        return (passed if fact.value == wanted else failed)(fact, shown(wanted))

    return check


def is_not(name: str, unwanted: t.Any, expected: str) -> t.Callable[[Subject], Outcome]:
    """Return a check that a fact has not one value."""

    def check(subject: Subject) -> Outcome:
        fact = subject.fact(name)
        return (failed if fact.value == unwanted else passed)(fact, expected)

    return check


def is_empty(name: str, expected: str = "none") -> t.Callable[[Subject], Outcome]:
    """Return a check that a fact is an empty list or text, or 0."""

    def check(subject: Subject) -> Outcome:
        fact = subject.fact(name)
        return (failed if fact.value else passed)(fact, expected)

    return check


def is_set(name: str, expected: str) -> t.Callable[[Subject], Outcome]:
    """Return a check that a fact is a list or text that is not empty, true, or a number that is not 0."""

    def check(subject: Subject) -> Outcome:
        fact = subject.fact(name)
        return (passed if fact.value else failed)(fact, expected)

    return check


def no_items(name: str, bad: t.Callable[[t.Any], t.Any], expected: str, show: t.Callable[[t.Any], str] = str) -> t.Callable[[Subject], Outcome]:
    """Return a check that no item of a list is bad; each bad one is a piece of evidence, at its own line where it has one.

    Args:
        bad: whether an item is; a text it returns is shown instead of the item.
        show: how an item is shown.
    """

    def check(subject: Subject) -> Outcome:
        fact = subject.fact(name)
        found = []
        for item in fact.value:
            verdict = bad(item)
            if verdict:
                text = verdict if isinstance(verdict, str) else show(item)
                place = (getattr(item, "file", "") or fact.file, getattr(item, "line", 0) or fact.line)
                found.append(Evidence(fact.source, shown(text), expected, *place))
        return Outcome(FAIL, tuple(found)) if found else passed(fact, expected, "none of them" if fact.value else "none")

    return check
