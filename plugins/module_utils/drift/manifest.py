# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The manifest: what a converge left on a host, by role.

PRIVATE to the collection: no stability is promised to other users.

Each role has a section of its own, so that a run of some roles says nothing about the others. The seal tells an accident or
a careless edit from what we wrote; whoever is root can make a new one, so it is no proof against an attacker.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.drift.model import State

SCHEMA = 1
PATH = "/var/lib/bulkhead/manifest.json"
#: No manifest of a sane host comes near this; in bytes.
LIMIT = 4 * 1024 * 1024


class ManifestError(Exception):
    """The text is no manifest that can be used; the message says why, and begins with a verb."""


@dataclasses.dataclass(frozen=True)
class Section:
    """What one role left.

    Attributes:
        inputs: a hash of the role's variables, see the role docker_drift; empty where it is not known.
        collection: the version of the collection.
        at: when, in ISO 8601, UTC.
        items: states by thing.
    """

    inputs: str
    collection: str
    at: str
    items: t.Mapping[str, State]


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What all roles left; the machine's id tells a manifest that was copied with an image."""

    machine: str = ""
    sections: t.Mapping[str, Section] = dataclasses.field(default_factory=dict)


def parse(text: str) -> Manifest:
    """Return the manifest in a file's text.

    Raises:
        ManifestError: it is none, was edited, or comes from a newer release.
    """
    try:
        document = json.loads(text)
        schema = document["schema"]
        if not isinstance(schema, int) or isinstance(schema, bool):
            raise TypeError("schema")
        if schema > SCHEMA:
            raise ManifestError("was written by a newer release of the collection")
        if document["seal"] != _seal(document):
            raise ManifestError("was edited after it was written")
        sections = {
            str(role): Section(
                str(found["inputs"]),
                str(found["collection"]),
                str(found["at"]),
                {str(thing): dict(state) for thing, state in found["items"].items()},
            )
            for role, found in document["sections"].items()
        }
        return Manifest(str(document["machine"]), sections)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ManifestError("is damaged") from error


def render(manifest: Manifest) -> str:
    """Return the text of a manifest."""
    document: dict[str, t.Any] = {"schema": SCHEMA, **dataclasses.asdict(manifest)}
    return json.dumps({**document, "seal": _seal(document)}, indent=1, sort_keys=True) + "\n"


def recorded(before: Manifest, machine: str, sections: t.Mapping[str, Section]) -> Manifest:
    """Return a manifest with the sections of the roles that have just converged; those of other roles stay as they were.

    A section that says what it said before keeps the time at which it was written, so that a run without work changes nothing.
    """
    kept = before.sections if before.machine == machine else {}
    merged = dict(kept)
    for role, section in sections.items():
        old = kept.get(role)
        same = old is not None and dataclasses.replace(section, at=old.at) == old
        merged[role] = old if same and old is not None else section
    return Manifest(machine, merged)


def _seal(document: t.Mapping[str, t.Any]) -> str:
    content = {key: value for key, value in document.items() if key != "seal"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
