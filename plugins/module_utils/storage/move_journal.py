# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Where a move of Docker's data stands, as a file that outlives a run: the next one reads it and goes on.

PRIVATE to the collection: no stability is promised to other users.

The phases in their order, and which place counts in each:

- ``copying``, ``stopped``, ``verified``: the old one. Whatever was copied can be copied again, and the daemon may start from there.
- ``switching``, ``started``: the new one. The run that finds it so goes on forward.
- ``done``: the new one; the old tree is kept until somebody asks for its removal.
- ``removed``: nothing of the old tree is left to be known of.

A move to another root has no ``switching``: daemon.json says which place counts, and it is replaced in one step.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move import Container, Move, Place, Root

VERSION = 1
COPYING = "copying"
STOPPED = "stopped"
VERIFIED = "verified"
SWITCHING = "switching"
STARTED = "started"
DONE = "done"
REMOVED = "removed"
PHASES = (COPYING, STOPPED, VERIFIED, SWITCHING, STARTED, DONE, REMOVED)


class JournalError(Exception):
    """The journal cannot be read; the message says what is wrong with it and what to do."""


@dataclasses.dataclass(frozen=True)
class Journal:
    """What a run left for the next one.

    Attributes:
        running: the containers that ran before the first of them was stopped, in the order in which they were started.
        containers, images, volumes: identifiers and names of all that has to be there afterwards.
        mounts: mount points in the old root, which dockerd may unmount when it stops, each with the device behind it.
        old: paths that make up the old tree.
        progress: how far the copy is, in words for a person.
        checked: how many files were compared by their content before the switch.
    """

    phase: str
    move: Move
    running: tuple[Container, ...] = ()
    containers: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    mounts: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    old: tuple[str, ...] = ()
    progress: str = ""
    checked: int = 0

    @property
    def unfinished(self) -> bool:
        """Whether a run has to go on with it."""
        return self.phase not in (DONE, REMOVED)

    @property
    def old_counts(self) -> bool:
        """Whether the daemon's data is still in the old place, as far as the journal knows."""
        return self.phase in (COPYING, STOPPED, VERIFIED)


def render(journal: Journal) -> str:
    """Return the text of the file."""
    return json.dumps({"version": VERSION, **dataclasses.asdict(journal)}, indent=2, sort_keys=True) + "\n"


def parse(text: str, path: str) -> Journal:
    """Read the text of the file.

    Raises:
        JournalError: it is damaged, or a newer release has written it.
    """
    damaged = f"{path} is no journal of a move; move it away only if you know in which place Docker's data is"
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise JournalError(damaged) from error
    if not isinstance(values, dict):
        raise JournalError(damaged)
    if values.get("version") != VERSION:
        raise JournalError(f"{path} is of version {values.get('version')!r}, but this release reads {VERSION}; go on with the release that began the move")
    try:
        found = _read(values)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise JournalError(damaged) from error
    if found.phase not in PHASES:
        raise JournalError(damaged)
    return found


def _read(values: dict[str, t.Any]) -> Journal:
    move = values["move"]
    return Journal(
        phase=_text(values["phase"]),
        move=Move(_root(move["before"]), _root(move["after"]), tuple(_place(place) for place in move["places"])),
        running=tuple(_container(container) for container in values["running"]),
        containers=_texts(values["containers"]),
        images=_texts(values["images"]),
        volumes=_texts(values["volumes"]),
        mounts={_text(path): _text(device) for path, device in values["mounts"].items()},
        old=_texts(values["old"]),
        progress=_text(values["progress"]),
        checked=int(values["checked"]),
    )


def _root(value: dict[str, t.Any]) -> Root:
    ids = value["ids"]
    return Root(_path(value["path"]), _path(value["data_root"]), None if ids is None else (int(ids[0]), int(ids[1])))


def _place(value: dict[str, t.Any]) -> Place:
    return Place(**{**value, "path": _path(value["path"]), "options": _texts(value["options"])})


def _container(value: dict[str, t.Any]) -> Container:
    return Container(**{**value, "host_parts": _texts(value["host_parts"]), "binds": _texts(value["binds"])})


def _texts(values: t.Any) -> tuple[str, ...]:
    return tuple(_text(value) for value in values)


def _text(value: t.Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _path(value: t.Any) -> str:
    # What is copied, renamed and removed goes by these.
    text = _text(value)
    if not text.startswith("/") or "/../" in f"{text}/" or text.strip("/") == "":
        raise ValueError(text)
    return text
