# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What a change of the seccomp profile means for containers: which system calls open, which close.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import seccomp_args, seccomp_builtin, seccomp_model
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_model import (
    Argument,
    Machine,
    Profile,
    Rule,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_openers import OPENERS


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
    found = {_words(rule) for rule in opening if len(rule.args) != 1}
    # Conditions on one argument, one of which has to hold, are one condition to a person.
    groups: dict[Rule, list[Argument]] = {}
    for rule in opening:
        if len(rule.args) == 1:
            groups.setdefault(dataclasses.replace(rule, args=()), []).append(rule.args[0])
    by_argument = (
        (rule, [argument for argument in arguments if argument.index == index])
        for rule, arguments in groups.items()
        for index in sorted({argument.index for argument in arguments})
    )
    found |= {
        " ".join(("only", _arguments(sorted(arguments)), *_capabilities(rule))) for rule, arguments in by_argument
    }
    return "" if found == {""} else f" ({'; or '.join(sorted(found - {''}))})"


def _answers(rules: t.Iterable[Rule]) -> str:
    errors = sorted({rule.errno for rule in rules if not rule.opens and rule.errno is not None})
    return f" (error {', '.join(map(str, errors))})" if errors else ""


def _words(rule: Rule) -> str:
    arguments = " and ".join(_arguments([argument]) for argument in rule.args)
    return " ".join((*(("only", arguments) if arguments else ()), *_capabilities(rule)))


def _capabilities(rule: Rule) -> t.Iterator[str]:
    for word, capabilities in (("with", rule.caps), ("without", rule.not_caps)):
        if capabilities:
            yield f"{word} {' and '.join(sorted(capabilities))}"


def _arguments(arguments: t.Sequence[Argument]) -> str:
    clone = [(seccomp_args.MASKED, seccomp_builtin.CLONE_NEW, 0)]
    if [(argument.op, argument.value, argument.value_two) for argument in arguments] == clone:
        return "without CLONE_NEW*"
    return seccomp_args.words(arguments)
