# SPDX-License-Identifier: Apache-2.0
"""Whatever keeps the daemon from coming up: the last files that worked are back, with the reason and without false blame."""

from __future__ import annotations

import pytest


@pytest.fixture
def case(seen, request):
    found = seen("rollback")[request.node.originalname.partition("test_")[2]]
    assert "error" not in found, found
    return found


def test_a_broken_change(case):
    assert "/proc/docker" in case["answer"]["failed"]
    assert "was restored to what it held before, and the daemon serves again with it" in case["answer"]["failed"]
    assert case["after"] == case["before"]
    assert case["container lives"] is True
    assert case["again"]["changed"] is False


def test_a_deferred_change_that_fails_later(case):
    assert case["deferred"]["action"] == "deferred"
    assert "/proc/docker" in case["found"]["files"][0]
    assert "was restored to the last configuration that worked, and the daemon serves again" in case["answer"]["failed"]
    assert case["after"] == case["before"]
    assert case["container lives"] is True


def test_a_host_that_was_broken_before(case):
    assert case["before"]["serves"] is False
    assert "already failing before this run, and still is" in case["answer"]["failed"]
    assert "/proc/docker" in case["answer"]["failed"]
    assert case["after"]["files"] == case["before"]["files"]


def test_a_host_in_start_limit_hit(case):
    assert case["result"] == "start-limit-hit"
    assert case["naive"] is False, "systemd started a unit that had failed too often, so this case shows nothing"
    assert (case["answer"]["changed"], case["answer"]["action"]) == (True, "start")
    assert case["after"]["serves"] is True
    assert case["next restarts"] == [True, True]


def test_a_daemon_that_rested(case):
    assert case["before"]["active"] is False
    assert "the daemon is stopped, as it was before" in case["answer"]["failed"]
    assert (case["after"]["files"], case["after"]["active"], case["after"]["socket"]) == (case["before"]["files"], False, False)
    assert (case["left alone"]["changed"], case["left alone"]["action"]) == (True, "none")
    assert case["then"]["active"] is False


def test_a_masked_unit(case):
    assert "docker.service: is masked" in case["answer"]["failed"]
    assert "systemctl unmask docker.service" in case["answer"]["failed"]
    assert case["foreseen"]["failed"] == case["answer"]["failed"]
    assert case["after"] == case["before"]


@pytest.mark.parametrize("name", ["a_start_that_hangs", "a_daemon_that_never_says_that_it_is_ready"])
def test_a_daemon_that_hangs(seen, name):
    case = seen("rollback")[name]
    assert "error" not in case, case
    assert "systemd is still waiting for it: activating" in case["answer"]["failed"]
    assert "and the daemon serves again with it" in case["answer"]["failed"]
    assert case["after"] == case["before"]
    assert case["container lives"] is True
    assert case["answer"]["seconds"] < 120
