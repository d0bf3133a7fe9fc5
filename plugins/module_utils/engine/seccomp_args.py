# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Arithmetic with the argument conditions of a seccomp filter: does one hold, what is its opposite, when do two hold.

PRIVATE to the collection: no stability is promised to other users.

A filter can only say when a call is allowed, so a denied case has to be cut out of the rules that allow it. It compares all
64 bits of an argument (seccomp(2), seccomp_rule_add(3)), while the kernel looks at only 32 of an int: socket(40 + 2^32) is
refused by no rule against socket(40). How wide an argument is, is not known here, so what is cut out is cut out both ways.
The opposite of a condition is therefore a list of masks: bits that must have a value, while others are left alone.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_model import Argument

LARGEST = 2**64 - 1
MASKED = "SCMP_CMP_MASKED_EQ"
_EQUAL = "SCMP_CMP_EQ"
OPERATORS = ("SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", _EQUAL, "SCMP_CMP_GE", "SCMP_CMP_GT", MASKED)
_OPPOSITES = {
    "SCMP_CMP_NE": _EQUAL,
    _EQUAL: "SCMP_CMP_NE",
    "SCMP_CMP_LT": "SCMP_CMP_GE",
    "SCMP_CMP_GE": "SCMP_CMP_LT",
    "SCMP_CMP_LE": "SCMP_CMP_GT",
    "SCMP_CMP_GT": "SCMP_CMP_LE",
}
_INT = 2**32


def holds(argument: Argument, value: int) -> bool:
    """Tell whether a condition holds for a value of its argument, as the filter compares."""
    given = argument.value
    if argument.op == MASKED:
        return value & given == argument.value_two
    return {
        "SCMP_CMP_NE": value != given,
        "SCMP_CMP_LT": value < given,
        "SCMP_CMP_LE": value <= given,
        _EQUAL: value == given,
        "SCMP_CMP_GE": value >= given,
        "SCMP_CMP_GT": value > given,
    }[argument.op]


def impossible(argument: Argument) -> bool:
    """Tell whether a condition holds for no value at all."""
    if argument.op == MASKED:
        return bool(argument.value_two & ~argument.value)
    return (argument.op, argument.value) in (("SCMP_CMP_LT", 0), ("SCMP_CMP_GT", LARGEST))


def opposite(argument: Argument) -> tuple[Argument, ...]:
    """Return conditions one of which holds where the given one does not, neither for 64 bits nor for 32."""
    if argument.op != MASKED:
        return _masks(Argument(argument.index, _OPPOSITES[argument.op], argument.value))
    found = []
    settled = 0
    for bit in (1 << number for number in reversed(range(64)) if argument.value >> number & 1):
        # The bits above are as they should be, this one is not.
        found.append(_mask(argument.index, settled | bit, (argument.value_two & settled) | (bit & ~argument.value_two)))
        settled |= bit
    return tuple(found)


def both(first: Argument, second: Argument) -> tuple[Argument, ...]:
    """Return conditions one of which holds where two conditions on the same argument do."""
    merged = (_merged(one, other) for one in _masks(first) for other in _masks(second))
    return tuple(argument for argument in merged if argument is not None)


def words(arguments: t.Sequence[Argument]) -> str:
    """Return conditions on one argument, one of which has to hold, as a person writes them."""
    name = f"argument {arguments[0].index}"
    spans = [_span(argument) for argument in arguments]
    if len(arguments) > 1 and all(spans):
        return _spans_in_words(name, _joined([span for span in spans if span is not None]))
    return " or ".join(_one_in_words(name, argument) for argument in arguments)


def _one_in_words(name: str, argument: Argument) -> str:
    if argument.op == MASKED:
        return f"{name} & {_number(argument.value)} = {_number(argument.value_two)}"
    sign = {"NE": "is not", "LT": "<", "LE": "<=", "EQ": "=", "GE": ">=", "GT": ">"}[argument.op[len("SCMP_CMP_") :]]
    return f"{name} {sign} {_number(argument.value)}"


def _number(value: int) -> str:
    return str(value) if value < 4096 else hex(value)


# Masks ---------------------------------------------------------------------------------------------------------------


def _mask(index: int, mask: int, value: int) -> Argument:
    return Argument(index, _EQUAL, value) if mask == LARGEST else Argument(index, MASKED, mask, value)


def _masks(argument: Argument) -> tuple[Argument, ...]:
    """Return masks for the values that fulfil a condition whether the kernel looks at 64 bits of them or at 32."""
    index, op, value = argument.index, argument.op, argument.value
    if op in (MASKED, _EQUAL):
        return (argument,)
    last = _INT - 1 if value < _INT else LARGEST
    ranges = {
        "SCMP_CMP_NE": [(0, value - 1), (value + 1, last)],
        "SCMP_CMP_LT": [(0, value - 1)],
        "SCMP_CMP_LE": [(0, value)],
        "SCMP_CMP_GE": [(value, last)],
        "SCMP_CMP_GT": [(value + 1, last)],
    }[op]
    # The upper half is of no account, except where the condition sets a bound above.
    care = LARGEST if op in ("SCMP_CMP_LT", "SCMP_CMP_LE") else last
    return tuple(_mask(index, care & ~(size - 1), start) for low, high in ranges for start, size in _blocks(low, high))


def _blocks(low: int, high: int) -> t.Iterator[tuple[int, int]]:
    """Divide a range into blocks whose size is a power of two and whose start is a multiple of it."""
    while low <= high:
        size = low & -low or 2**64
        while size > high - low + 1:
            size //= 2
        yield low, size
        low += size


def _merged(first: Argument, second: Argument) -> Argument | None:
    one, other = _bits(first), _bits(second)
    if (one[1] ^ other[1]) & one[0] & other[0]:
        return None
    return _mask(first.index, one[0] | other[0], one[1] | other[1])


def _bits(argument: Argument) -> tuple[int, int]:
    return (argument.value, argument.value_two) if argument.op == MASKED else (LARGEST, argument.value)


# Words ---------------------------------------------------------------------------------------------------------------


def _span(argument: Argument) -> tuple[int, int] | None:
    """Return the values below 2^32 that a condition means, or None where they are no range."""
    if argument.op not in (MASKED, _EQUAL):
        return None
    mask, value = _bits(argument)
    free = ~mask & (_INT - 1)
    return None if free & (free + 1) or value >= _INT else (value, value | free)


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


def _spans_in_words(name: str, spans: list[tuple[int, int]]) -> str:
    gaps, start = [], 0
    for low, high in [*spans, (_INT, _INT)]:
        if start < low:
            gaps.append((start, low - 1))
        start = high + 1
    if len(gaps) < len(spans):
        return f"{name} is not {' or '.join(_span_in_words(span) for span in gaps)}"
    return f"{name} is {' or '.join(_span_in_words(span) for span in spans)}"


def _span_in_words(span: tuple[int, int]) -> str:
    return _number(span[0]) if span[0] == span[1] else f"{_number(span[0])} to {_number(span[1])}"
