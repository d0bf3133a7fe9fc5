# SPDX-License-Identifier: Apache-2.0
"""A move that is killed anywhere leaves Docker in one place, and the next run finishes it."""

from __future__ import annotations

import json

import pytest


@pytest.fixture(scope="module")
def kills(host, name):
    if name != "walker":
        pytest.skip("killed on walker")
    return json.loads(host.file("/root/lab/kills.json").content_string)


def test_every_point_was_reached(kills):
    assert len(kills) == 22
    assert [(entry["point"], entry["lonely"], entry["said"]) for entry in kills if entry["killed"] != -9] == []


def test_whoever_takes_over_leaves_docker_serving_with_all_that_ran(kills):
    for entry in kills:
        if not entry["lonely"]:
            assert entry["left"]["active"], entry
            assert entry["left"]["running"] == entry["before"]["running"], entry


def test_docker_is_in_one_place_or_rests_when_nobody_takes_over(kills):
    for entry in kills:
        assert not entry["left"]["root"] or entry["left"]["root"].startswith((entry["before"]["root"], entry["new"])), entry


def test_the_next_run_finishes_it_without_a_loss(kills):
    for entry in kills:
        assert entry["again"] == 0, (entry["point"], entry["lonely"], entry["again_said"])
        assert entry["after"]["root"].startswith(entry["new"])
        assert entry["after"]["running"] == entry["before"]["running"], entry
        assert entry["after"]["phase"] == "done"
        assert entry["same"], entry
