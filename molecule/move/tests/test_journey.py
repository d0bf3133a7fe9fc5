# SPDX-License-Identifier: Apache-2.0
"""A host that was moved often came back without userns-remap, and its old data went when that was asked for."""

from __future__ import annotations

import json

import pytest


@pytest.fixture(scope="module")
def back(host, name):
    if name != "walker":
        pytest.skip("only walker came back")
    return json.loads(host.file("/root/lab/back.json").content_string)


@pytest.fixture(scope="module")
def left(host, back):
    return json.loads(host.file("/root/lab/back-journal.json").content_string)


def test_ids_are_the_hosts_again_and_nothing_is_lost(before, back):
    assert (back["root"], back["base"]) == ("/var/lib/docker", 0)
    for kind in ("images", "tags", "labels", "volumes"):
        assert back[kind] == before[kind]
    assert {name: found["id"] for name, found in back["containers"].items()} == {name: found["id"] for name, found in before["containers"].items()}


def test_what_ran_runs(host, back):
    assert {name for name, found in back["containers"].items() if found["running"]} == {"serving", "leaning", "writer"}
    lines = host.check_output("docker exec writer cat /log/lines").split()
    assert [int(line) for line in lines] == list(range(1, len(lines) + 1))


def test_the_old_data_was_kept_and_then_removed(host, left):
    assert left["phase"] == "done"
    assert left["old"]
    for path in left["old"]:
        assert host.run(f"test -e '{path}'").rc != 0, path
    assert json.loads(host.file("/var/lib/bulkhead/move.json").content_string)["phase"] == "removed"


def test_nothing_remapped_is_left_in_the_root(host, back):
    found = host.check_output("find /var/lib/docker/volumes /var/lib/docker/overlay2 /var/lib/docker/containers -uid +99999 -o -gid +99999")
    assert found == ""
