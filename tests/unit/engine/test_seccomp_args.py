# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import seccomp_args
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_model import Argument

INT = 2**32
VALUES = [0, 1, 7, 15, 16, 17, 38, 39, 40, 41, 4096, 2**31, INT - 1, INT, INT + 16, INT + 40, 2**40, 2**64 - 1]
SMALL = [value for value in VALUES if value < INT]


def any_holds(arguments, value):
    return any(seccomp_args.holds(argument, value) for argument in arguments)


def samples(seed):
    chance = random.Random(seed)
    return [*VALUES, *(chance.getrandbits(64) for _number in range(20)), *(chance.getrandbits(7) for _number in range(20))]


@pytest.mark.parametrize("op", seccomp_args.OPERATORS)
@pytest.mark.parametrize("value", SMALL)
def test_the_opposite_holds_where_the_condition_holds_for_neither_width(op, value):
    argument = Argument(0, op, value, value & 5 if op == seccomp_args.MASKED else 0)
    opposite = seccomp_args.opposite(argument)
    for given in samples(value):
        both_ways = seccomp_args.holds(argument, given) or seccomp_args.holds(argument, given % INT)
        assert any_holds(opposite, given) is not both_ways, given


@pytest.mark.parametrize("op", seccomp_args.OPERATORS)
def test_a_large_value_is_compared_as_it_is(op):
    argument = Argument(0, op, INT + 40, INT if op == seccomp_args.MASKED else 0)
    opposite = seccomp_args.opposite(argument)
    for given in samples(1):
        assert any_holds(opposite, given) is not seccomp_args.holds(argument, given), given


@pytest.mark.parametrize("first", seccomp_args.OPERATORS)
@pytest.mark.parametrize("second", seccomp_args.OPERATORS)
def test_both_never_holds_where_one_does_not(first, second):
    one, other = Argument(0, first, 40), Argument(0, second, 16)
    together = seccomp_args.both(one, other)
    for given in samples(3):
        if any_holds(together, given):
            assert seccomp_args.holds(one, given)
            assert seccomp_args.holds(other, given)
    for given in (value for value in SMALL if seccomp_args.holds(one, value) and seccomp_args.holds(other, value)):
        assert any_holds(together, given)


@pytest.mark.parametrize(
    ("argument", "impossible"),
    [
        (Argument(0, "SCMP_CMP_LT", 0), True),
        (Argument(0, "SCMP_CMP_GT", 2**64 - 1), True),
        (Argument(0, seccomp_args.MASKED, 0xF0, 0x01), True),
        (Argument(0, seccomp_args.MASKED, 0xF0, 0x10), False),
        (Argument(0, "SCMP_CMP_GE", 0), False),
    ],
)
def test_impossible(argument, impossible):
    assert seccomp_args.impossible(argument) is impossible


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([Argument(1, "SCMP_CMP_GE", 40)], "argument 1 >= 40"),
        ([Argument(0, seccomp_args.MASKED, 0x7E020000)], "argument 0 & 0x7e020000 = 0"),
        (seccomp_args.opposite(Argument(0, "SCMP_CMP_EQ", 16)), "argument 0 is not 16"),
        (
            seccomp_args.both(Argument(0, "SCMP_CMP_NE", 40), Argument(0, "SCMP_CMP_LE", 41)),
            "argument 0 is 0 to 39 or 41",
        ),
        ([Argument(0, "SCMP_CMP_EQ", 3), Argument(0, "SCMP_CMP_EQ", 4), Argument(0, "SCMP_CMP_EQ", 9)], "argument 0 is 3 to 4 or 9"),
    ],
)
def test_words(arguments, words):
    assert seccomp_args.words(arguments).startswith(words)
