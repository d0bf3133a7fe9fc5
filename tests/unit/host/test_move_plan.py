# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    data_move,
    move_file,
    move_hold,
    move_look,
    move_plan,
    trees,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.storage_options import Request
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import move_journal
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move import Inventory, Move, Place, Root
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move_journal import Journal
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.plan import StoragePlan, Target

ROOT = Root("/var/lib/docker", "/var/lib/docker")
PLACE = Place("volumes", "/var/lib/docker/volumes", "/dev/sdb1", "xfs", ("noatime",), "UUID=a", "a")
TARGET = Target("volumes", "/dev/sdb1", "/var/lib/docker/volumes", "xfs", ("noatime",), 0o701, 0, "UUID=a", "a", moves=True)


class Host:
    journal = None
    root = ROOT
    held = ""
    data = True


@pytest.fixture
def host(monkeypatch):
    host = Host()
    monkeypatch.setattr(move_file, "read", lambda: host.journal)
    monkeypatch.setattr(data_move, "root_now", lambda daemon: host.root)
    monkeypatch.setattr(move_hold, "held_by", lambda: host.held)
    monkeypatch.setattr(data_move, "holds_data", lambda root: host.data)
    return host


class Asked(Request):
    """A request whose plan is known, and that notes by what it was computed."""

    def plan(self, movable=None):
        self.__dict__["movable"] = movable
        return StoragePlan(self.data_root, self.__dict__.get("targets", (TARGET,)))


def asked(data_root="/var/lib/docker", may_move=True):
    return Asked((), (), data_root, None, "/var/lib/bulkhead/loop", (), True, may_move)


def refusals(made):
    assert made.journal is None
    return [str(problem) for problem in made.storage.problems]


def test_directories_in_use_are_a_new_move(host):
    made = move_plan.make(asked())
    assert (made.journal, made.begun) == (Journal(move_journal.COPYING, Move(ROOT, ROOT, (PLACE,))), False)


def test_containerd_does_not_get_a_filesystem_while_data_is_moved(host):
    request = asked()
    containerd = Target("containerd", "/dev/sdc1", "/var/lib/containerd", "xfs", (), None, 0)
    request.__dict__["targets"] = (TARGET, containerd)
    assert "add it in the next" in refusals(move_plan.make(request))[0]
    request.__dict__["targets"] = (TARGET, dataclasses.replace(containerd, mounted=True))
    assert move_plan.make(request).journal is not None


def test_a_host_without_data_has_nothing_to_move(host):
    host.data = False
    assert move_plan.make(asked()).journal is None


def test_a_tree_that_cannot_be_looked_at_is_told(host, monkeypatch):
    def broken(*more):
        raise trees.TreeError("/var/lib/docker/volumes cannot be read: Input/output error")

    monkeypatch.setattr(data_move, "inventory", lambda daemon, root: Inventory())
    monkeypatch.setattr(move_look, "obstacles", broken)
    monkeypatch.setattr(move_look, "left_behind", lambda paths: [])
    assert [str(problem) for problem in move_plan.make(asked()).problems()] == [
        "docker_storage_existing_data: /var/lib/docker/volumes cannot be read: Input/output error."
    ]


def test_a_move_that_was_begun_may_go_on_filling_its_filesystems(host):
    host.journal = Journal(move_journal.STOPPED, Move(ROOT, ROOT, (PLACE,)))
    request = asked()
    assert move_plan.make(request).begun
    assert tuple(request.movable.filesystems) == ("a",)


def test_another_disk_that_has_the_name_after_a_boot_is_not_filled(host):
    host.journal = Journal(move_journal.COPYING, Move(ROOT, ROOT, (dataclasses.replace(PLACE, uuid="b"),)))
    told = refusals(move_plan.make(asked()))
    assert told == [
        "/dev/sdb1: has the filesystem a for volumes, but the move that is not finished was filling b; "
        "attach the disk that it was begun with, or name the device that it has now."
    ]


def test_a_filesystem_that_has_still_to_be_made_is_not_another(host):
    host.journal = Journal(move_journal.COPYING, Move(ROOT, ROOT, (PLACE,)))
    request = asked()
    request.__dict__["targets"] = (dataclasses.replace(TARGET, uuid="", source=""),)
    assert move_plan.make(request).begun


def test_containerd_gets_none_either_while_a_move_goes_on(host):
    host.journal = Journal(move_journal.COPYING, Move(ROOT, ROOT, (PLACE,)))
    request = asked()
    request.__dict__["targets"] = (TARGET, Target("containerd", "/dev/sdc1", "/var/lib/containerd", "xfs", (), None, 0))
    assert "add it in the next" in refusals(move_plan.make(request))[0]


@pytest.mark.parametrize("may_move", [True, False])
@pytest.mark.parametrize("phase", [None, "done"])
def test_a_note_that_was_lost_while_docker_is_kept_from_starting_is_told(host, phase, may_move):
    host.held = "/etc/systemd/system/docker.service.d/00-bulkhead-move.conf"
    host.journal = phase and Journal(phase, Move(ROOT, ROOT, (PLACE,)))
    (told,) = refusals(move_plan.make(asked(may_move=may_move)))
    assert "/var/lib/bulkhead/move.json: tells of no unfinished move" in told
    assert host.held in told


def test_other_settings_do_not_go_on_with_a_move(host):
    host.journal = Journal(move_journal.STOPPED, Move(ROOT, Root("/srv/docker", "/srv/docker")))
    assert "finish it with the settings" in refusals(move_plan.make(asked()))[0]


def test_an_unfinished_move_is_told_where_moving_is_not_allowed(host):
    host.journal = Journal(move_journal.STOPPED, Move(ROOT, ROOT, (PLACE,)))
    assert "docker_storage_existing_data: move" in refusals(move_plan.make(asked(may_move=False)))[0]
