# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Combinations that exclude one another: what a condition and a row of the table are, and how a host is judged by them.

PRIVATE to the collection: no stability is promised to other users.

The table itself is engine/exclusion_rows.py. A condition has three answers, because a fact that could not be read is
neither true nor false: a row that hangs on such a fact is reported as not judged, never passed over.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import Version, within

REFUSED = "refused"
TOLD = "told"

# Who knows enough to judge a row: the configuration of the daemon alone, or only the host with what is asked of it.
BY_DAEMON = "daemon"
BY_HOST = "host"

#: From a dimension's name to its value; None, or no entry, where it could not be read.
Known = t.Mapping[str, t.Any]
_Numbers = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Dimension:
    """Something that can be so or otherwise on a host or in what is asked of it.

    Attributes:
        name: by which conditions and sentences refer to it.
        title: how it is called in a sentence.
        source: the file, tool or variable that tells it.
        yes, no: how a sentence says that it is so, and that it is not, where it is a yes or no.
    """

    name: str
    title: str
    source: str
    yes: str = ""
    no: str = ""


def _older_than_fix(found: _Numbers, fixes: t.Sequence[_Numbers]) -> bool:
    """Tell whether a release lacks what came with the given releases, the oldest of each series that has it."""
    for fix in fixes:
        if found[:2] == fix[:2]:
            return found < fix
    return found < max(fixes)


def _compared(compare: t.Callable[[t.Any, t.Any], bool]) -> t.Callable[[t.Any, t.Any], bool]:
    # An empty version is that of a program which is not there: it is neither too old nor new enough.
    return lambda found, value: bool(found) and compare(found, value)


_TESTS: dict[str, t.Callable[[t.Any, t.Any], bool]] = {
    "is": lambda found, value: bool(found == value),
    "is not": lambda found, value: bool(found != value),
    "is one of": lambda found, value: found in value,
    "is none of": lambda found, value: found not in value,
    "is below": _compared(lambda found, value: found < value),
    "is at least": _compared(lambda found, value: found >= value),
    "has": lambda found, value: value in found,
    "lacks": lambda found, value: not set(value) <= set(found),
    "is older than the fix in": _compared(_older_than_fix),
    "is not older than the fix in": _compared(lambda found, value: not _older_than_fix(found, value)),
}


@dataclasses.dataclass(frozen=True)
class Condition:
    """One test of one dimension; ``test`` is a key of the table of tests above."""

    dimension: str
    test: str
    value: t.Any

    def holds(self, known: Known) -> bool | None:
        """Return whether it holds, or None where the dimension is not known."""
        found = known.get(self.dimension)
        return None if found is None else _TESTS[self.test](found, self.value)

    def words(self, dimensions: t.Mapping[str, Dimension]) -> str:
        """Return the condition as part of a sentence."""
        dimension = dimensions[self.dimension]
        if isinstance(self.value, bool):
            return dimension.yes if self.value is (self.test == "is") else dimension.no
        return f"{dimension.title} {self.test} {shown(self.value)}"


@dataclasses.dataclass(frozen=True)
class Row:
    """A combination and what is said about it.

    Attributes:
        name: stable, for those who accept what a row tells.
        group: the heading under which the documentation lists it.
        when: conditions that all hold.
        where, message: as in a Problem; ``{name}`` stands for the value of a dimension.
        source: a file of moby, a manual page, an issue.
        verdict: REFUSED or TOLD.
        since, removed: the first release of the engine for which it holds, and the first for which it does not any more.
        by: BY_DAEMON or BY_HOST.
    """

    name: str
    group: str
    when: tuple[Condition, ...]
    where: str
    message: str
    source: str
    verdict: str = REFUSED
    since: str = ""
    removed: str = ""
    by: str = BY_HOST

    def combination(self, dimensions: t.Mapping[str, Dimension]) -> str:
        """Return all conditions in words."""
        return " and ".join(condition.words(dimensions) for condition in self.when)

    def problem(self, known: Known) -> Problem:
        """Return what is said about a host of which this is known."""
        values = {name: shown(value) for name, value in known.items()}
        return Problem(self.where.format_map(values), self.message.format_map(values))


class Judgement(t.NamedTuple):
    """What rows say about a host: reasons to refuse, what ought to be known by the row's name, and what could not be judged."""

    refused: list[Problem]
    told: dict[str, Problem]
    unknown: list[Problem]


def judge(
    rows: t.Iterable[Row], known: Known, version: Version | None, dimensions: t.Mapping[str, Dimension]
) -> Judgement:
    """Compare a host with rows.

    Args:
        rows: those to judge by.
        known: what is known of the host and asked of it.
        version: of the engine, None where that is not known.
        dimensions: by name, to say in words what is not known.
    """
    judgement = Judgement([], {}, [])
    unjudged: dict[str, list[str]] = {}
    for row in rows:
        answers = [_in_span(row, version), *(condition.holds(known) for condition in row.when)]
        if False in answers:
            continue
        if None in answers:
            names = ["engine" if answers[0] is None else ""]
            names += [condition.dimension for condition in row.when if condition.holds(known) is None]
            for name in filter(None, names):
                unjudged.setdefault(name, []).append(row.name)
        elif row.verdict == REFUSED:
            judgement.refused.append(row.problem(known))
        else:
            judgement.told[row.name] = row.problem(known)
    for name, waiting in unjudged.items():
        dimension = dimensions[name]
        sentence = f"is not known, because {dimension.source} does not tell, so this was not judged: {', '.join(waiting)}"
        judgement.unknown.append(Problem(dimension.title, sentence))
    return judgement


def shown(value: t.Any) -> str:
    """Return a value of a dimension, or several, as a sentence shows it."""
    if isinstance(value, tuple):
        if value and all(isinstance(part, int) for part in value):
            return ".".join(map(str, value))
        return ", ".join(shown(part) for part in value) or "nothing"
    return str(value)


def _in_span(row: Row, version: Version | None) -> bool | None:
    if not row.since and not row.removed:
        return True
    return None if version is None else within(version, row.since, row.removed)
