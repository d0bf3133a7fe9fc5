# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Recording how roles left the host: look at what is theirs, compare with what was recorded before, write.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import json
import time
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.drift import keeping, manifest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.kinds import KINDS, UNKNOWN
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.manifest import Manifest, Section
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.model import item, split
from ansible_collections.bulkhead.docker.plugins.module_utils.host import drift_items, drift_look, manifest_file

#: Of what is seen this belongs into the manifest: fields that are compared, and memory for restoring.
_MEMORY = ("_text", "_rules", "_volatile")
#: A thing that a run of ours has made, and did not find; see drift/uninstall.py.
_MADE = "_ours"


class RecordError(Exception):
    """What was asked for cannot be recorded; the message says why."""


@dataclasses.dataclass(frozen=True)
class Record:
    """What a run would write.

    Attributes:
        text: of the manifest.
        changed: whether it says something else than before.
        before, after: what was and is recorded, as far as it can be shown.
        recorded: the number of things by role.
        changed_sections: the roles of which something else is said.
        unknown: what could not be seen.
        warnings: what a person should know.
        kept: the things of which the manifest still says what it said, because no role has put them right.
    """

    text: str
    changed: bool
    before: Manifest
    after: Manifest
    recorded: dict[str, int]
    changed_sections: tuple[str, ...]
    unknown: tuple[dict[str, str], ...]
    warnings: tuple[str, ...]
    path: str = manifest.PATH
    kept: tuple[dict[str, str], ...] = ()

    def diff(self) -> dict[str, str]:
        """Return the difference in the form that Ansible shows, without the texts of files."""
        before, after = (_shown(found, self.changed_sections) for found in (self.before, self.after))
        return {"before_header": self.path, "after_header": self.path, "before": before, "after": after}


def make(sections: t.Mapping[str, t.Any], collection: str, now: float | None = None, predicting: bool = False) -> Record:
    """Look at the host and return what is to be written.

    Args:
        sections: what each role knows, by its name.
        collection: the version of the collection.
        now: the time, in seconds since the epoch; None asks the clock.
        predicting: whether the roles have only predicted what they would do. A role with the same variables makes again what was
            written down, so what is seen before it has done so is not taken for that.

    Raises:
        RecordError: there is nothing to record of a role, or what it knows is not what it has to be.
    """
    for role, known in sections.items():
        if not isinstance(known, dict):
            raise RecordError(f"sections: what {role} knows has to be a dictionary")
    found = manifest_file.read()
    before = found.manifest or Manifest()
    names = [name for role, known in sections.items() if role == "docker_engine" for name in drift_items.packages(known)]
    eyes = drift_look.Eyes(drift_items.units(sections), names, drift_items.OUR_DROP_INS)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    made: dict[str, Section] = {}
    unknown: list[dict[str, str]] = []
    kept: list[dict[str, str]] = []
    for role, known in sections.items():
        try:
            things = drift_items.of_role(role, known, eyes)
        except drift_items.UnknownRole as error:
            raise RecordError(str(error)) from error
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise RecordError(f"sections: what {role} knows cannot be used ({type(error).__name__}: {error}); see the module's documentation") from error
        states = {}
        for thing in things:
            seen = eyes.observe(thing)
            unseen = [field for field, value in seen.items() if value == UNKNOWN and not field.startswith("_")]
            if unseen:
                reason = str(seen.get("_why") or f"{', '.join(unseen)} cannot be seen")
                unknown.append({"item": thing, "role": role, "reason": reason})
            states[thing] = _kept(thing, seen, known)
        # Of another machine there is nothing to keep.
        old = before.sections[role].items if role in before.sections else {}
        accept = [str(pattern) for pattern in known.get("accept") or ()]
        honest = keeping.recorded(old, states, accept)
        kept += [{"item": thing, "role": role} for thing in honest.kept]
        inputs = str(known.get("inputs") or "")
        items = honest.items
        if predicting and role in before.sections and (before.sections[role].inputs, before.sections[role].collection) == (inputs, collection):
            items = {thing: dict(state) if keeping.accepted(thing, accept) else dict(old.get(thing, state)) for thing, state in items.items()}
        new = [str(thing) for thing in known.get("made") or ()]
        for thing, state in items.items():
            if thing in new or old.get(thing, {}).get(_MADE):
                state[_MADE] = True
        made[role] = Section(inputs, collection, at, items)
    machine = manifest_file.machine_id()
    after = manifest.recorded(before, machine, made)
    text = manifest.render(after)
    changed = text != found.text or bool(found.exposed)
    changed_sections = tuple(role for role in made if before.sections.get(role) != after.sections[role])
    warnings = () if found.manifest or found.name == "manifest-missing" else (f"{manifest.PATH} {found.problem}; it is written anew.",)
    numbers = {role: len(section.items) for role, section in made.items()}
    return Record(text, changed, before, after, numbers, changed_sections, tuple(unknown), warnings, kept=tuple(kept))


def write(record: Record) -> None:
    """Write what was made, or note that what is there was found to be so again."""
    if record.changed:
        manifest_file.write(record.text)
    else:
        manifest_file.confirm()


def _kept(thing: str, seen: t.Mapping[str, t.Any], known: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the part of a state that is recorded."""
    kind, name = split(thing)
    state = {field: value for field, value in seen.items() if field in KINDS[kind] or field in _MEMORY}
    if kind == "unit" and name.endswith(".slice"):
        # It is there while containers are.
        state = {field: value for field, value in state.items() if field not in ("active", "enabled")}
    if thing == item("directory", drift_items.STATE_DIRECTORY):
        # Writing the manifest closes it.
        state.update(mode=f"{manifest_file.DIRECTORY_MODE:04o}", owner="0:0")
    if kind == "package" and thing in _not_held(known):
        state.pop("held", None)
    if kind == "mount_point" and not known.get("immutable", True):
        state.pop("immutable", None)
    return state


def _not_held(known: t.Mapping[str, t.Any]) -> set[str]:
    entries = [entry for entry in known.get("packages") or () if isinstance(entry, dict)]
    return {item("package", str(entry["name"])) for entry in entries if not entry.get("held", True)}


def _shown(found: Manifest, roles: t.Iterable[str]) -> str:
    sections = {
        role: {
            "inputs": section.inputs,
            "collection": section.collection,
            "items": {thing: {field: value for field, value in state.items() if not field.startswith("_")} for thing, state in section.items.items()},
        }
        for role, section in found.sections.items()
        if role in roles
    }
    return json.dumps(sections, indent=1, sort_keys=True) + "\n" if sections else ""
