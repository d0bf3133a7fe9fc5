# SPDX-License-Identifier: Apache-2.0
"""An administrator's own file, keys that are dropped, restarts that wait, what a restart interrupts, two runs at once."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def story(seen, request):
    name = request.node.get_closest_marker("story").args[0]
    found = seen("stories")[name]
    assert "error" not in found, found
    return found


def answer(found):
    assert "failed" not in found, found
    return found["changed"], found["action"]


adoption = pytest.mark.story("adoption")
dropped = pytest.mark.story("dropped_keys")
deferred = pytest.mark.story("deferred")
stopping = pytest.mark.story("interrupted_without_live_restore")
living = pytest.mark.story("interrupted_with_live_restore")
two = pytest.mark.story("two_at_once")


@adoption
def test_a_file_that_says_what_it_shall_is_kept_to_the_letter(story):
    assert answer(story["nothing"]) == (False, "none")
    assert story["nothing left"] == story["found"]
    assert story["nothing"]["foreign"] == ["debug", "dns-search", "log-level", "runtimes.his"]
    assert answer(story["same value"]) == (False, "none")
    assert (story["same value"]["adopted"], story["same value left"]) == (["debug"], story["found"])
    assert story["same value"]["foreign"] == ["dns-search", "log-level", "runtimes.his"]
    assert (answer(story["again"]), story["again"]["adopted"]) == ((False, "none"), [])


@adoption
def test_his_keys_and_his_hand_stay(story):
    left = story["other value left"]
    assert '\t"log-level" : "warn",   "dns-search": ["lab.test",\n\t\t"second.test"],\n\n\t"runtimes": {"his": {"path":"/usr/sbin/runc"}' in left
    assert json.loads(left)["debug"] is False
    assert story["other value"]["managed"] == ["debug", "runtimes.ours"]
    assert {"his", "ours"} <= set(story["runtimes"])
    assert json.loads(story["dropped left"])["runtimes"] == {"his": {"path": "/usr/sbin/runc"}}
    assert story["dropped left"].startswith('{\n\t"log-level" : "warn",   "dns-search": ["lab.test",')
    assert (story["same daemon"], story["debug"]) == (True, False)
    assert story["foreseen"]["wanted"] == story["other value"]["wanted"]


@adoption
@pytest.mark.parametrize("damage", ["nonsense", '{"schema": 99}'])
def test_a_memory_that_cannot_be_read_is_kept_and_nothing_is_lost(story, damage):
    found = story[f"memory {damage}"]
    assert any("daemon.json.unreadable" in warning for warning in found["answer"]["warnings"])
    assert (found["kept"], found["his keys"]) == (True, [])
    assert answer(found["again"]) == (False, "none")


@dropped
def test_sighup_alone_keeps_keys_that_are_gone(story):
    assert story["naive"] == {
        "labels": ["tier=web"],
        "debug": True,
        "live-restore": True,
        "registry-mirrors": ["https://one.test/"],
        "insecure-registries": story["naive"]["insecure-registries"],
        "runtimes": True,
    }
    assert "registry.test:5000" in story["naive"]["insecure-registries"]


@dropped
def test_a_reload_takes_them_back(story):
    assert answer(story["dropped"]) == (True, "reload")
    assert story["foreseen"]["wanted"] == story["dropped"]["wanted"]
    assert story["observed"]["labels"] == []
    assert (story["observed"]["debug"], story["observed"]["live-restore"], story["observed"]["runtimes"]) == (False, False, False)
    assert story["observed"]["registry-mirrors"] == []
    assert "registry.test:5000" not in story["observed"]["insecure-registries"]
    assert (story["same daemon"], story["container lives"]) == (True, True)
    assert set(story["dropped"]["reset"]) >= {"labels", "debug", "live-restore", "shutdown-timeout", "default-shm-size", "runtimes"}
    assert answer(story["again"]) == (False, "none")


@dropped
def test_what_was_left_goes_with_the_next_restart_and_his_value_stays(story):
    assert story["his"]["foreign"] == ["labels"]
    assert answer(story["with a restart"]) == (True, "restart")
    assert story["left"] == {"labels": ["his=1"], "raw-logs": True}
    assert story["his labels"] == ["his=1"]


@deferred
def test_what_needs_a_restart_waits_and_the_rest_does_not(story):
    assert answer(story["deferred"]) == (True, "deferred")
    assert (story["deferred"]["pending"], story["foreseen"]["pending"]) == (["log-driver"], ["log-driver"])
    assert (story["debug at once"], story["driver not yet"]) == (True, "json-file")
    assert any("waits for a restart, which is deferred, to use log-driver" in warning for warning in story["deferred"]["warnings"])
    assert (answer(story["twice"]), story["twice"]["pending"]) == ((False, "deferred"), ["log-driver"])


@deferred
def test_settings_that_go_back_leave_nothing_pending(story):
    assert answer(story["taken back"]) == (True, "reload")
    assert (story["taken back"]["pending_restart"], story["debug taken back"], story["same daemon"]) == (False, False, True)


@deferred
def test_somebodys_own_restart_clears_it(story):
    assert (answer(story["after somebody's restart"]), story["after somebody's restart"]["pending_restart"]) == ((False, "none"), False)
    assert story["later"]["pending"] == ["raw-logs"]
    assert answer(story["auto"]) == (True, "restart")
    assert (answer(story["after auto"]), story["after auto"]["pending_restart"]) == ((False, "none"), False)


@deferred
def test_containers_to_recreate_are_remembered(story):
    assert story["recreate"] == [{"name": "held", "why": ["it logs through json-file, the default is local"]}]
    assert story["container lives"] is True


def test_a_deferred_restart_is_over_after_a_boot_and_old_containers_are_told(host, seen):
    before = seen("before_the_boot")["deferred"]
    assert (answer(before), before["pending"], before["recreate"]) == ((True, "deferred"), ["log-driver"], [])
    after = json.loads(host.check_output("cd /root/lab && PYTHONPATH=/root/lab python3 stories.py after-the-boot"))
    assert after["driver"] == "local"
    assert (answer(after["done"]), after["done"]["pending_restart"]) == ((False, "none"), False)
    assert answer(after["foreseen"]) == (False, "none")
    assert after["done"]["recreate"] == [{"name": "held", "why": ["it logs through json-file, the default is local"]}]


@stopping
def test_what_stops_is_told_before_and_what_comes_back_does(story):
    told = {entry["name"]: entry["why"] for entry in story["foreseen"]["interrupts"]}
    assert story["done"]["interrupts"] == story["foreseen"]["interrupts"]
    assert set(told) == {"(engine)", "always", "unless", "failure", "plain", "gone"}
    assert all(why[0] == "stops, as live-restore is off" for name, why in told.items() if name != "(engine)")
    comes_back = sorted(name for name, why in told.items() if "comes back by itself" in why[-1])
    stays = sorted(name for name, why in told.items() if "stays down" in why[-1])
    assert (comes_back, stays) == (["always", "unless"], ["plain"])
    assert "comes back only if it ends with an error" in told["failure"][-1]
    assert "is removed" in told["gone"][-1]
    assert set(comes_back) <= set(story["running"])
    assert not {"plain", "gone"} & set(story["running"])
    assert "plain" in story["there"]
    assert "gone" not in story["there"]
    warning = next(text for text in story["foreseen"]["warnings"] if "stops 5 running containers" in text)
    assert warning in story["done"]["warnings"]
    assert "restart: plain: stops, as live-restore is off" in story["foreseen"]["diff"]


@living
def test_a_reload_interrupts_nothing(story):
    assert answer(story["reload"]) == (True, "reload")
    assert story["reload"]["interrupts"] == []
    assert (story["before"], story["connection after the reload"], story["session after the reload"]) == (True, True, True)


@living
def test_a_restart_with_live_restore_interrupts_what_it_said(story):
    told = {entry["name"]: " ".join(entry["why"]) for entry in story["foreseen"]["interrupts"]}
    assert story["done"]["interrupts"] == story["foreseen"]["interrupts"]
    assert story["container lives"] is True
    assert "1 session of docker exec ends" in told["served"]
    assert story["session after the restart"] is False
    assert "docker logs --follow end" in told["served"]
    assert story["follower after the restart"] is False
    assert "8080" in told["served"]
    assert "userland proxy" in told["served"]
    assert story["connection after the restart"] is False


@two
def test_a_second_run_does_not_interfere(story):
    assert f"process {story['holder']}" in story["refused"]["failed"]
    assert "run again when it has ended" in story["refused"]["failed"]
    assert story["untouched"] is True


@two
def test_the_lock_of_a_killed_run_is_free(story):
    assert answer(story["after the kill"]) == (True, "reload")


@two
def test_of_two_runs_one_waits_for_the_other(story):
    assert all("failed" not in one for one in story["both"]), story["both"]
    assert story["labels"] == story["file"]["labels"]
    assert story["labels"][0] in ("turn=0", "turn=1")
