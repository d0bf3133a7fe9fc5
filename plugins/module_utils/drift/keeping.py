# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Recording without laundering: what a role has not put right must not become what the host is measured by.

PRIVATE to the collection: no stability is promised to other users.

A role that has run vouches for what it writes from its variables. It does not vouch for what no variable says: foreign files, the
versions of packages, modes, id ranges, the state of units. Of these the manifest keeps what it said, until somebody accepts what the
host has become, so that they stay differences.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.drift.kinds import ABSENT, KINDS, UNKNOWN
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.model import PERSON, RESTORE, State, split

#: Fields that a role converges only where it is allowed to, so that its success says nothing about them.
_CONDITIONAL = {("package", "type"), ("package", "version")}
#: The kind whose new members nobody has asked for.
_FOREIGN = "foreign_file"
#: Kinds of which the host says whether they belong to a role, and not its variables: where one is gone it is not forgotten.
_FOUND = (_FOREIGN, "sysctl", "firewall", "socket")


@dataclasses.dataclass(frozen=True)
class Recorded:
    """What is written down for a role.

    Attributes:
        items: states by thing.
        kept: the things that differ from what was written down before, which stays.
    """

    items: dict[str, dict[str, t.Any]]
    kept: tuple[str, ...] = ()


def recorded(before: t.Mapping[str, State], now: t.Mapping[str, State], accept: t.Sequence[str] = ()) -> Recorded:
    """Decide what is written down after a role has run.

    Args:
        before: what the manifest says of the role's things; empty where it says nothing yet.
        now: what they are.
        accept: patterns of things, as ``foreign_file:/etc/systemd/*``, that are written down as they are.
    """
    items: dict[str, dict[str, t.Any]] = {}
    kept: list[str] = []
    for thing, state in now.items():
        old = before.get(thing)
        if accepted(thing, accept) or (old is None and not (before and split(thing)[0] == _FOREIGN and state.get("type") != ABSENT)):
            items[thing] = dict(state)
        elif old is None:
            kept.append(thing)
        else:
            items[thing] = _merged(split(thing)[0], old, state)
            if _differ(split(thing)[0], items[thing], state):
                kept.append(thing)
    for thing, old in before.items():
        if thing not in now and split(thing)[0] in _FOUND and not accepted(thing, accept):
            items[thing] = dict(old)
            kept.append(thing)
    return Recorded(items, tuple(kept))


def accepted(thing: str, accept: t.Sequence[str]) -> bool:
    """Tell whether a thing is written down as it is."""
    return any(fnmatch.fnmatchcase(thing, pattern) for pattern in accept)


def _merged(kind: str, old: State, new: State) -> dict[str, t.Any]:
    merged = dict(new)
    for field, aspect in KINDS[kind].items():
        if field not in old or old[field] in (UNKNOWN, new.get(field)):
            # What was never seen is no state that could be kept.
            continue
        vouched = aspect.route not in (RESTORE, PERSON) and (kind, field) not in _CONDITIONAL
        if vouched and new.get(field) != UNKNOWN:
            continue
        if field == "type" or field == "sha256":
            # Of another thing neither the rest nor the text for restoring means anything.
            return dict(old)
        merged[field] = old[field]
    if kind == "unit" and set(new.get("_volatile") or ()) - set(old.get("_volatile") or ()):
        # What lies in /run now and did not is a drop-in like any other.
        merged["_volatile"] = list(old.get("_volatile") or ())
    if kind == "firewall" and set(old.get("_rules") or ()) - set(new.get("_rules") or ()):
        # What is gone is no rule that dockerd does not make.
        return dict(old)
    return merged


def _differ(kind: str, written: State, seen: State) -> bool:
    if any(written.get(memory) != seen.get(memory) for memory in ("_volatile", "_rules")):
        return True
    return any(field in written and written[field] != seen.get(field) and seen.get(field) != UNKNOWN for field in KINDS[kind])
