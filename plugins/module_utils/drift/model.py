# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What drift is made of: things of a host, the state that they were left in, and how they differ from it.

PRIVATE to the collection: no stability is promised to other users.

A thing is named ``kind:name``, as ``file:/etc/docker/daemon.json``. Its state is a flat dictionary of JSON values. The same
eyes see it when it is recorded and when it is checked, so a state can be compared field by field; what a field means, who
mends it and what mending costs, is in `kinds`.
"""

from __future__ import annotations

import dataclasses
import typing as t

State = t.Mapping[str, t.Any]

# How something is mended -----------------------------------------------------------------------------------------------
#: The role converges it from its variables.
CONVERGE = "converge"
#: The role puts back what the manifest remembers, because no variable says it.
RESTORE = "restore"
#: Who runs the container makes it anew.
OWNER = "owner"
#: A person has to decide.
PERSON = "person"
#: Recording the host anew, after everything has converged.
RECORD = "record"
ROUTES = (CONVERGE, RESTORE, OWNER, PERSON, RECORD)

# What mending costs: the blast radius, from the least to the most --------------------------------------------------------
#: Files, units, mounts: nothing that runs notices.
NOTHING = "nothing"
#: dockerd reads its configuration anew.
RELOAD = "reload"
#: dockerd restarts. Containers go through it with live-restore, and stop without.
RESTART = "restart"
#: Containers have to be made anew.
RECREATE = "recreate"
BLASTS = (NOTHING, RELOAD, RESTART, RECREATE)


@dataclasses.dataclass(frozen=True)
class Difference:
    """One way in which a host is not as it was left, or not as it is wanted.

    Attributes:
        name: what happened, a word of `kinds` or `live`; stable, for filters and metrics.
        role: the role that mends it, which is its tag in the playbooks too; empty where no role can.
        item: the thing, ``kind:name``.
        what: one sentence: where, and what was found.
        expected, observed: the evidence, as JSON values; None where there is none.
        source: where it was observed, as a path or a command.
        route: CONVERGE, RESTORE, OWNER, PERSON or RECORD.
        blast: NOTHING, RELOAD, RESTART or RECREATE.
        advice: what a person does where no role mends it; empty otherwise.
        changed_at: when the thing itself says that it was changed, in seconds since the epoch; None where nothing says so.
        last_good: when it was last known to be as wanted, in ISO 8601; empty where that is not known.
    """

    name: str
    role: str
    item: str
    what: str
    expected: t.Any = None
    observed: t.Any = None
    source: str = ""
    route: str = CONVERGE
    blast: str = NOTHING
    advice: str = ""
    changed_at: float | None = None
    last_good: str = ""

    def as_dict(self) -> dict[str, t.Any]:
        """Return the difference as a module returns it."""
        return dataclasses.asdict(self)


def readable(value: t.Any) -> t.Any:
    """Return a value in which texts that are no UTF-8, such as names of files, are told with escapes, since no module may return them."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") if not value.isascii() else value
    if isinstance(value, t.Mapping):
        return {readable(key): readable(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [readable(entry) for entry in value]
    return value


def item(kind: str, name: str) -> str:
    """Return the name of a thing."""
    return f"{kind}:{name}"


def split(thing: str) -> tuple[str, str]:
    """Return kind and name of a thing."""
    kind, _colon, name = thing.partition(":")
    return kind, name
