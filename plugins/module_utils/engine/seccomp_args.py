# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Arithmetic with the argument conditions of a seccomp filter: does one hold, what is its opposite, when do two hold.

PRIVATE to the collection: no stability is promised to other users.

A filter can only say when a call is allowed, so a denied case has to be cut out of the rules that allow it. Arguments are
unsigned numbers of 64 bits (seccomp(2), seccomp_rule_add(3)).
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_model import Argument

LARGEST = 2**64 - 1
MASKED = "SCMP_CMP_MASKED_EQ"
OPERATORS = ("SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", MASKED)
# As many values between two bounds are worth a rule each, since a rule holds one condition for an argument.
_LISTED = 64

_Range = tuple[int, int]


class NotExpressible(ValueError):
    """A filter cannot say it; the message names the two conditions."""


def holds(argument: Argument, value: int) -> bool:
    """Tell whether a condition holds for a value of its argument."""
    if argument.op == MASKED:
        return value & argument.value == argument.value_two
    return any(low <= value <= high for low, high in _ranges(argument))


def impossible(argument: Argument) -> bool:
    """Tell whether a condition holds for no value at all."""
    if argument.op == MASKED:
        return bool(argument.value_two & ~argument.value)
    return not _ranges(argument)


def opposite(argument: Argument) -> tuple[Argument, ...]:
    """Return conditions one of which holds exactly when the given one does not."""
    if argument.op == MASKED:
        bits = (1 << number for number in range(64) if argument.value >> number & 1)
        return tuple(Argument(argument.index, MASKED, bit, bit & ~argument.value_two) for bit in bits)
    return _conditions(argument.index, _without(_ranges(argument)))


def both(first: Argument, second: Argument) -> tuple[Argument | None, ...]:
    """Return conditions one of which holds exactly when both given ones on the same argument do.

    None stands for a condition that always holds; an empty answer for one that never does.

    Raises:
        NotExpressible: no list of reasonable length says it.
    """
    if first == second:
        return (first,)
    if MASKED in (first.op, second.op):
        return _both_with_mask(first, second) if first.op == MASKED else _both_with_mask(second, first)
    shared = _shared(_ranges(first), _ranges(second))
    if any(low > 0 and high < LARGEST and high - low >= _LISTED for low, high in shared):
        raise NotExpressible(f"{words(first)} and {words(second)}")
    return _conditions(first.index, shared)


def _both_with_mask(mask: Argument, other: Argument) -> tuple[Argument, ...]:
    if other.op == MASKED:
        common = mask.value & other.value
        if (mask.value_two ^ other.value_two) & common:
            return ()
        return (Argument(mask.index, MASKED, mask.value | other.value, mask.value_two | other.value_two),)
    if other.op == "SCMP_CMP_EQ":
        return (other,) if holds(mask, other.value) else ()
    if other.op == "SCMP_CMP_NE" and not holds(mask, other.value):
        return (mask,)
    raise NotExpressible(f"{words(mask)} and {words(other)}")


def words(argument: Argument) -> str:
    """Return a condition as a person writes it."""
    if argument.op == MASKED:
        return f"argument {argument.index} & {_number(argument.value)} = {_number(argument.value_two)}"
    sign = {"NE": "is not", "LT": "<", "LE": "<=", "EQ": "=", "GE": ">=", "GT": ">"}[argument.op[len("SCMP_CMP_") :]]
    return f"argument {argument.index} {sign} {_number(argument.value)}"


def _number(value: int) -> str:
    return str(value) if value < 4096 else hex(value)


def _ranges(argument: Argument) -> list[_Range]:
    value = argument.value
    found = {
        "SCMP_CMP_EQ": [(value, value)],
        "SCMP_CMP_NE": [(0, value - 1), (value + 1, LARGEST)],
        "SCMP_CMP_LT": [(0, value - 1)],
        "SCMP_CMP_LE": [(0, value)],
        "SCMP_CMP_GE": [(value, LARGEST)],
        "SCMP_CMP_GT": [(value + 1, LARGEST)],
    }[argument.op]
    return [(low, high) for low, high in found if low <= high]


def _without(ranges: list[_Range]) -> list[_Range]:
    left, start = [], 0
    for low, high in ranges:
        if start < low:
            left.append((start, low - 1))
        start = high + 1
    return [*left, (start, LARGEST)] if start <= LARGEST else left


def _shared(first: list[_Range], second: list[_Range]) -> list[_Range]:
    pairs = ((max(a[0], b[0]), min(a[1], b[1])) for a in first for b in second)
    return sorted((low, high) for low, high in pairs if low <= high)


def _conditions(index: int, ranges: list[_Range]) -> tuple[t.Any, ...]:
    if ranges == [(0, LARGEST)]:
        return (None,)
    gap = _without(ranges)
    if len(ranges) == 2 and len(gap) == 1 and gap[0][0] == gap[0][1]:
        return (Argument(index, "SCMP_CMP_NE", gap[0][0]),)
    found: list[Argument] = []
    for low, high in ranges:
        if low == high:
            found.append(Argument(index, "SCMP_CMP_EQ", low))
        elif low == 0:
            found.append(Argument(index, "SCMP_CMP_LE", high))
        elif high == LARGEST:
            found.append(Argument(index, "SCMP_CMP_GE", low))
        else:
            found += [Argument(index, "SCMP_CMP_EQ", value) for value in range(low, high + 1)]
    return tuple(found)
