# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import move_journal
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move import Container, Move, Place, Root
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move_journal import Journal
from hypothesis import given
from hypothesis import strategies as st

MOVE = Move(
    Root("/var/lib/docker", "/var/lib/docker"),
    Root("/var/lib/docker/100000.100000", "/var/lib/docker", (100000, 65536)),
    (Place("volumes", "/var/lib/docker/volumes", "/dev/sdb1", "xfs", ("noatime", "nodev"), "UUID=a", "a"),),
)
FULL = Journal(
    move_journal.STOPPED,
    MOVE,
    running=(Container("a" * 64, "web", "running", host_parts=("privileged mode",), binds=("/etc",), started="2026"),),
    containers=("a" * 64,),
    images=("sha256:1",),
    volumes=("v",),
    mounts={"/var/lib/docker/overlay2": "/dev/sdb2"},
    old=("/var/lib/docker/volumes.old",),
    progress="half",
)
WHERE = "/var/lib/bulkhead/move.json"


def changed(**values):
    return json.dumps({**json.loads(move_journal.render(FULL)), **values})


def test_what_is_written_is_read_again():
    assert move_journal.parse(move_journal.render(FULL), WHERE) == FULL


@pytest.mark.parametrize("phase", move_journal.PHASES)
def test_each_phase_has_one_place_that_counts(phase):
    journal = Journal(phase, MOVE)
    assert journal.old_counts == (phase in ("copying", "stopped", "verified"))
    assert journal.unfinished == (phase not in ("done", "removed"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100000,
        changed(phase="almost"),
        changed(move={}),
        changed(running=[{"name": "web"}]),
        changed(mounts=[]),
        changed(volumes=[1]),
        changed(move={**json.loads(move_journal.render(FULL))["move"], "before": {"path": "relative", "data_root": "/d", "ids": None}}),
        changed(move={**json.loads(move_journal.render(FULL))["move"], "before": {"path": "/var/../etc", "data_root": "/d", "ids": None}}),
        changed(move={**json.loads(move_journal.render(FULL))["move"], "before": {"path": "/", "data_root": "/d", "ids": None}}),
    ],
)
def test_a_damaged_journal_is_told_and_nothing_is_guessed(text):
    with pytest.raises(move_journal.JournalError, match="no journal of a move|is of version"):
        move_journal.parse(text, WHERE)


def test_a_journal_of_a_newer_release_is_not_read():
    with pytest.raises(move_journal.JournalError, match="version 2"):
        move_journal.parse(changed(version=2), WHERE)


ANY_VALUE = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(st.text() | ANY_VALUE.map(json.dumps))
def test_whatever_lies_there_is_a_journal_or_a_sentence(text):
    with pytest.raises(move_journal.JournalError):
        move_journal.parse(text, WHERE)


@given(st.sampled_from(sorted(json.loads(move_journal.render(FULL)))), st.none() | st.integers() | st.text() | st.lists(st.integers()))
def test_any_field_of_another_kind_is_a_sentence_or_read(field, value):
    try:
        found = move_journal.parse(changed(**{field: value}), WHERE)
    except move_journal.JournalError:
        return
    assert found.phase in move_journal.PHASES
