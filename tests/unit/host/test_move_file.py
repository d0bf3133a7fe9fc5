# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files, move_file
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import move_journal
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move import Move, Root
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move_journal import Journal

OLD, NEW = "/var/lib/docker", "/srv/docker"
JOURNAL = Journal(move_journal.VERIFIED, Move(Root(OLD, OLD), Root(NEW, NEW)))


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "state" / "move.json")


def test_nothing_was_ever_moved(path):
    assert move_file.read(path) is None
    assert not move_file.leads(OLD, NEW, path)


def test_only_root_reads_it(path, tmp_path):
    move_file.write(JOURNAL, path)
    assert move_file.read(path) == JOURNAL
    assert (tmp_path / "state" / "move.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("phase", move_journal.PHASES)
def test_the_daemon_may_go_where_everything_was_compared_and_nowhere_else(path, phase):
    move_file.write(dataclasses.replace(JOURNAL, phase=phase), path)
    assert move_file.leads(OLD, NEW, path) == (phase in ("verified", "switching", "started"))
    assert not move_file.leads(OLD, "/elsewhere", path)
    assert not move_file.leads(NEW, OLD, path)


def test_a_damaged_file_is_no_leave_to_go(path, tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "move.json").write_text("{", encoding="utf-8")
    with pytest.raises(files.FileError, match="no journal of a move"):
        move_file.leads(OLD, NEW, path)
