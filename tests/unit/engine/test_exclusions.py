# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import exclusions, versions
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.exclusions import Condition, Dimension, Row

DIMENSIONS = {
    "kernel": Dimension("kernel", "the kernel", "uname(2)"),
    "swarm": Dimension("swarm", "swarm", "Docker's data", "in a swarm", "in no swarm"),
    "engine": Dimension("engine", "the engine's release", "dockerd --version"),
}
OLD = Condition("kernel", "is below", (5, 11))
IN_SWARM = Condition("swarm", "is", True)


def row(*when, **other):
    return Row("old", "Host", when or (OLD, IN_SWARM), "kernel", "is {kernel}; upgrade", "uname(2)", **other)


def judge(known, *rows, version="28.5.2"):
    release = versions.parse(version) if version else None
    return exclusions.judge(rows or [row()], known, release, DIMENSIONS)


@pytest.mark.parametrize(
    ("test", "value", "holds", "holds_not"),
    [
        ("is", "a", "a", "b"),
        ("is not", "a", "b", "a"),
        ("is one of", ("a", "b"), "b", "c"),
        ("is none of", ("a", "b"), "c", "a"),
        ("is below", (5, 11), (5, 10, 7), (5, 11)),
        ("is at least", (5, 11), (5, 11), (5, 10, 7)),
        ("has", "a", ("b", "a"), ("b",)),
        ("lacks", ("a", "b"), ("a", "c"), ("a", "b", "c")),
        ("is older than the fix in", ((1, 2, 8), (1, 3, 3)), (1, 3, 2), (1, 3, 3)),
        ("is older than the fix in", ((1, 2, 8), (1, 3, 3)), (1, 1, 15), (1, 2, 8)),
        ("is older than the fix in", ((1, 2, 8), (1, 3, 3)), (1, 2, 7), (1, 4, 0)),
        ("is not older than the fix in", ((1, 2, 8), (1, 3, 3)), (2, 0, 0), (1, 3, 0)),
    ],
)
def test_each_test_holds_or_not_or_is_not_known(test, value, holds, holds_not):
    condition = Condition("kernel", test, value)
    assert condition.holds({"kernel": holds}) is True
    assert condition.holds({"kernel": holds_not}) is False
    assert condition.holds({"kernel": None}) is None
    assert condition.holds({}) is None


@pytest.mark.parametrize("test", ["is below", "is at least"])
def test_what_is_not_installed_is_neither_too_old_nor_new_enough(test):
    assert Condition("runc", test, (1, 2)).holds({"runc": ()}) is False


def test_what_is_not_installed_lacks_no_fix():
    for test in ("is older than the fix in", "is not older than the fix in"):
        assert Condition("runc", test, ((1, 2, 8),)).holds({"runc": ()}) is False


def test_all_conditions_have_to_hold():
    assert [str(problem) for problem in judge({"kernel": (5, 10), "swarm": True}).refused] == ["kernel: is 5.10; upgrade."]
    assert judge({"kernel": (5, 10), "swarm": False}) == ([], {}, [])


def test_what_is_only_told_refuses_nothing():
    judgement = judge({"kernel": (5, 10), "swarm": True}, row(verdict=exclusions.TOLD))
    assert judgement.refused == []
    assert list(judgement.told) == ["old"]


def test_a_fact_that_could_not_be_read_is_no_silent_pass():
    judgement = judge({"kernel": None, "swarm": True})
    assert judgement.refused == []
    assert [str(problem) for problem in judgement.unknown] == [
        "the kernel: is not known, because uname(2) does not tell, so this was not judged: old."
    ]


def test_an_unknown_fact_that_decides_nothing_is_not_mentioned():
    assert judge({"kernel": None, "swarm": False}) == ([], {}, [])


def test_one_sentence_for_each_unknown_fact():
    rows = [row(OLD), Row("other", "Host", (OLD,), "kernel", "is old", "uname(2)")]
    (problem,) = judge({}, *rows).unknown
    assert str(problem).endswith("so this was not judged: old, other.")


@pytest.mark.parametrize(("version", "refused"), [("23.0.6", False), ("24.0.0", True), ("28.5.2", True), ("29.0.0", False)])
def test_a_row_holds_for_its_releases(version, refused):
    known = {"kernel": (5, 10), "swarm": True}
    assert bool(judge(known, row(since="24.0", removed="29.0"), version=version).refused) is refused


def test_a_row_of_some_releases_needs_the_release():
    (problem,) = judge({"kernel": (5, 10), "swarm": True}, row(since="24.0"), version="").unknown
    assert str(problem).startswith("the engine's release: is not known")
    assert judge({"kernel": (5, 10), "swarm": True}, row(), version="").refused


def test_a_row_says_its_combination():
    assert row().combination(DIMENSIONS) == "the kernel is below 5.11 and in a swarm"
    assert row(Condition("swarm", "is", False)).combination(DIMENSIONS) == "in no swarm"
    assert row(Condition("swarm", "is not", True)).combination(DIMENSIONS) == "in no swarm"
    fixes = row(Condition("kernel", "is older than the fix in", ((1, 2, 8), (1, 3, 3))))
    assert fixes.combination(DIMENSIONS) == "the kernel is older than the fix in 1.2.8, 1.3.3"
