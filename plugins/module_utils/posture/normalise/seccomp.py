# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What a seccomp profile of somebody's own lets every container do that the engine's own does not.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import functools
import json
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    seccomp_builtin,
    seccomp_model,
    versions,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_openers import OPENERS

# A profile that opens what the engine's opens too is no worse; which release's hardly matters for these calls.
_LETS_THROUGH = seccomp_model.OPEN_ACTIONS


class Unreadable(Exception):
    """A profile is none; the message ends a sentence."""


def opened(profile: t.Any) -> tuple[str, ...]:
    """Return the dangerous system calls (seccomp_openers.OPENERS) that a profile lets through to all, sorted.

    Rules that count only for some architectures or kernels count here: which of them hold is not known before it runs.

    Args:
        profile: the parsed profile, or its text.

    Raises:
        Unreadable: it is no profile.
    """
    if not isinstance(profile, str):
        return _of_value(profile)
    found = _of_text(profile)
    if isinstance(found, str):
        raise Unreadable(found)
    return found


@functools.lru_cache(maxsize=64)
def _of_text(text: str) -> tuple[str, ...] | str:
    # Containers of one service have the same text, and it is long.
    try:
        return _of_value(json.loads(text))
    except Unreadable as problem:
        return str(problem)
    except (ValueError, RecursionError):
        return "the seccomp profile is not JSON"


def _of_value(profile: t.Any) -> tuple[str, ...]:
    if not isinstance(profile, t.Mapping):
        raise Unreadable("the seccomp profile is not a JSON object")
    default = profile.get("defaultAction") or ""
    rules = profile.get("syscalls") or []
    if not isinstance(rules, list) or not isinstance(default, str):
        raise Unreadable("the seccomp profile has no list of system calls")
    if not default or default in _LETS_THROUGH:
        refused = {name for names, opens, conditional in map(_rule, rules) if not opens and not conditional for name in names}
        return tuple(sorted(set(OPENERS) - refused))
    let = {name for names, opens, conditional in map(_rule, rules) if opens and not conditional for name in names}
    return tuple(sorted((let & set(OPENERS)) - _usual()))


def _rule(rule: t.Any) -> tuple[list[str], bool, bool]:
    """Return the names of a rule, whether it lets them through, and whether only for some calls or containers."""
    if not isinstance(rule, t.Mapping):
        raise Unreadable("the seccomp profile has a rule that is no object")
    names = rule.get("names") or [rule.get("name")]
    includes = rule.get("includes") or {}
    if not isinstance(names, list) or not isinstance(includes, t.Mapping):
        raise Unreadable("the seccomp profile has a rule without names")
    return [name for name in names if isinstance(name, str)], rule.get("action") in _LETS_THROUGH, bool(rule.get("args") or includes.get("caps"))


@functools.lru_cache(maxsize=1)
def _usual() -> frozenset[str]:
    rules = seccomp_builtin.builtin(versions.NEWEST_KNOWN).rules
    return frozenset(name for rule in rules if rule.opens and not (rule.args or rule.caps or rule.not_caps) for name in rule.names)
