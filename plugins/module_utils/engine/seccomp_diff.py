# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What a change of the seccomp profile means for containers: which system calls open, which close.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import seccomp_args, seccomp_builtin, seccomp_model
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_lint import OPENERS
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_model import (
    Argument,
    Machine,
    Profile,
    Rule,
)


@dataclasses.dataclass(frozen=True)
class Changes:
    """System calls, each with its condition in words, sorted."""

    opened: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, list[str]]:
        """Return what a module reports."""
        return {"opened": list(self.opened), "closed": list(self.closed), "changed": list(self.changed)}

    def __str__(self) -> str:
        parts = (f"{kind}: {', '.join(calls)}" for kind, calls in self.as_dict().items() if calls)
        return "; ".join(parts)


def between(before: Profile | None, after: Profile | None, machine: Machine) -> Changes:
    """Return what changes for containers on a host.

    Args:
        before, after: the profiles; None stands for no filter at all.
        machine: the host; rules for other hosts are passed over.
    """
    every = _names(before) | _names(after) | seccomp_builtin.known_names() | set(OPENERS)
    old, new = _by_name(before, machine, every), _by_name(after, machine, every)
    opened, closed, changed = [], [], []
    for name in sorted(every):
        was, is_now = old.get(name, frozenset()), new.get(name, frozenset())
        if was == is_now:
            continue
        opens_before, opens_after = any(rule.opens for rule in was), any(rule.opens for rule in is_now)
        if opens_after and not opens_before:
            opened.append(name + _conditions(is_now))
        elif opens_before and not opens_after:
            closed.append(name + _answers(is_now))
        else:
            changed.append(name + (_conditions(is_now) if opens_after else _answers(is_now)))
    return Changes(tuple(opened), tuple(closed), tuple(changed))


def _names(profile: Profile | None) -> set[str]:
    return {name for rule in (profile.rules if profile else ()) for name in rule.names}


def _by_name(profile: Profile | None, machine: Machine, every: t.Iterable[str]) -> dict[str, frozenset[Rule]]:
    if profile is None:
        return {name: frozenset([Rule(names=())]) for name in every}
    found: dict[str, set[Rule]] = {}
    for rule in seccomp_model.on_machine(profile, machine):
        same = dataclasses.replace(
            rule,
            names=(),
            comment="",
            arches=(),
            not_arches=(),
            kernel="",
            not_kernel="",
            args=tuple(sorted(rule.args)),
        )
        for name in rule.names:
            found.setdefault(name, set()).add(same)
    return {name: _widest(rules) for name, rules in found.items()}


def _widest(rules: set[Rule]) -> frozenset[Rule]:
    # A call that is open to all is not opened further by the conditions of other rules.
    free = [rule for rule in rules if rule.opens and not rule.conditional]
    return frozenset(free[:1]) if free else frozenset(rules)


def _conditions(rules: t.Iterable[Rule]) -> str:
    opening = [rule for rule in rules if rule.opens]
    words = sorted({_words(rule) for rule in _without_rows(opening)} | set(_rows(opening)))
    return "" if words == [""] else f" ({'; or '.join(word for word in words if word)})"


def _single(rule: Rule) -> bool:
    return len(rule.args) == 1 and rule.args[0].op == "SCMP_CMP_EQ" and not (rule.caps or rule.not_caps)


def _without_rows(rules: t.Sequence[Rule]) -> list[Rule]:
    return [rule for rule in rules if not _single(rule)]


def _rows(rules: t.Sequence[Rule]) -> list[str]:
    """Return values that follow one another as one condition."""
    rows: list[list[Argument]] = []
    for argument in sorted(rule.args[0] for rule in rules if _single(rule)):
        last = rows[-1][-1] if rows else None
        if last and (last.index, last.value + 1) == (argument.index, argument.value):
            rows[-1].append(argument)
        else:
            rows.append([argument])
    return [f"only {_argument(row[0])}" + (f" to {row[-1].value}" if len(row) > 1 else "") for row in rows]


def _answers(rules: t.Iterable[Rule]) -> str:
    errors = sorted({rule.errno for rule in rules if not rule.opens and rule.errno is not None})
    return f" (error {', '.join(map(str, errors))})" if errors else ""


def _words(rule: Rule) -> str:
    parts = []
    if rule.args:
        parts.append("only " + " and ".join(_argument(argument) for argument in rule.args))
    if rule.caps:
        parts.append(f"with {' and '.join(sorted(rule.caps))}")
    if rule.not_caps:
        parts.append(f"without {' and '.join(sorted(rule.not_caps))}")
    return " ".join(parts)


def _argument(argument: Argument) -> str:
    if argument.op == seccomp_args.MASKED and (argument.value, argument.value_two) == (seccomp_builtin.CLONE_NEW, 0):
        return "without CLONE_NEW*"
    return seccomp_args.words(argument)
