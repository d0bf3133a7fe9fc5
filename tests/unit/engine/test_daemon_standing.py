# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_changes, daemon_standing
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files, State
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import parse

VERSION = parse("28.5.2")
GOOD = Files('{"icc": false}')
FOUND = Files('{"icc": true}')


@pytest.mark.parametrize(
    ("state", "active", "invocation", "fresh", "expected"),
    [
        # The daemon that was proved still runs: what it has does not depend on any clock.
        (State(good=GOOD, invocation="a"), True, "a", True, GOOD),
        (State(good=GOOD, invocation="a", pending="restart"), True, "a", False, GOOD),
        # Another one runs, and was started after the files were written.
        (State(good=GOOD, invocation="a", pending="restart"), True, "b", True, FOUND),
        (State(), True, "b", True, FOUND),
        # Another one runs, from before the files were written: nobody knows.
        (State(good=GOOD, invocation="a"), True, "b", False, None),
        (State(), True, "b", False, None),
        # A systemd that names no runs.
        (State(good=GOOD), True, "", True, FOUND),
        (State(good=GOOD, pending="restart"), True, "", False, None),
        (State(good=FOUND), True, "", False, FOUND),
        (State(good=FOUND, pending="restart"), True, "", False, None),
        # None runs.
        (State(good=GOOD), False, "", True, GOOD),
        (State(), False, "", True, FOUND),
    ],
)
def test_what_the_daemon_is_known_to_have(state, active, invocation, fresh, expected):
    assert daemon_standing.base(state, FOUND, active, invocation, fresh) == expected


def force(known, found, config, reloaded=None, odd=(), profile=None):
    known = known if known is None else Files(json.dumps(known))
    return daemon_standing.force(known, Files(json.dumps(found)), profile, config, VERSION, reloaded or {}, odd)


@pytest.mark.parametrize(
    ("known", "found", "config", "expected"),
    [
        ({}, {}, {}, "live"),
        (None, {}, {}, "restart"),
        ({}, {}, {"icc": True}, "live"),
        ({}, {}, {"debug": True}, "reload"),
        ({}, {}, {"icc": False}, "restart"),
        # Written, and never given to the daemon.
        ({}, {"icc": False}, {"icc": False}, "restart"),
        ({}, {"debug": True}, {"debug": True}, "reload"),
        # Written, never given to the daemon, and taken back: what can be reloaded may have been.
        ({}, {"icc": False}, {}, "live"),
        ({}, {"icc": False, "debug": True}, {"debug": False}, "reload"),
        ({}, {"icc": False, "max-concurrent-downloads": 9}, {}, "reload"),
        ({}, {"icc": False, "debug": True}, {}, "restart"),
        ({}, {"features": {"cdi": True}}, {}, "live"),
    ],
)
def test_force(known, found, config, expected):
    assert force(known, found, config) == expected


@pytest.mark.parametrize(
    ("reloaded", "config", "expected"),
    [
        ({"debug": True}, {"debug": True}, "reload"),
        ({"debug": True}, {"debug": False}, "reload"),
        ({"debug": True}, {}, "restart"),
        ({"debug": False}, {}, "live"),
    ],
)
def test_what_was_reloaded_meanwhile_counts(reloaded, config, expected):
    assert force({}, {}, config, reloaded) == expected


def test_what_the_daemon_shows_counts():
    assert force({}, {}, {"labels": []}, odd=[Problem("labels", "x")]) == "reload"
    assert force({}, {}, {}, odd=[Problem("labels", "x")]) == "restart"
    assert force({}, {}, {"log-driver": "json-file"}, odd=[Problem("log-driver", "x")]) == "restart"


def test_new_content_of_the_profile_counts():
    config = {"seccomp-profile": "/p"}
    before = Files(json.dumps(config), "old")
    found = daemon_standing.differences(before, "new", config, VERSION)
    assert [(change.path, change.apply) for change in found] == [("seccomp-profile", "restart")]
    assert "sha256" in found[0].before
    assert daemon_standing.differences(before, "old", config, VERSION) == []


def merged(current, desired, state, known=None):
    clean = daemon_changes.merge(current, desired, state.managed, state.reset)
    return daemon_standing.with_resets(clean, current, known, state, VERSION, 2)


def test_a_key_that_nobody_wants_any_more_is_reset_and_belongs_to_nobody():
    found = merged({"labels": ["a=b"], "mtu": 1400}, {}, State(managed=("labels",)))
    assert (found.config, found.reset) == ({"labels": [], "mtu": 1400}, {"labels": []})
    assert (found.managed, found.foreign) == ((), ("mtu",))


def test_what_was_left_stays_until_a_restart_and_is_taken_out_by_the_merge():
    state = State(reset={"labels": []})
    assert merged({"labels": []}, {}, state).config == {"labels": []}
    assert daemon_changes.merge({"labels": []}, {}, (), state.reset).config == {}


def test_another_value_there_is_somebody_elses():
    found = merged({"labels": ["his=1"]}, {}, State(reset={"labels": []}))
    assert (found.config, found.reset, found.foreign) == ({"labels": ["his=1"]}, {}, ("labels",))


def test_a_key_that_is_wanted_again_is_ours_again():
    found = merged({"labels": []}, {"labels": []}, State(reset={"labels": []}))
    assert (found.reset, found.managed, found.adopted) == ({}, ("labels",), ())


@pytest.mark.parametrize(
    ("current", "desired", "previously", "expected"),
    [
        ({"icc": True}, {"icc": True}, [], ("icc",)),
        ({"icc": True}, {"icc": False}, [], ("icc",)),
        ({"icc": True}, {"icc": False}, ["icc"], ()),
        ({}, {"icc": False}, [], ()),
        ({"runtimes": {"his": {}}}, {"runtimes": {"ours": {}}}, [], ()),
        ({"runtimes": {"his": {}}}, {"runtimes": {"his": {}}}, ["runtimes.ours"], ("runtimes.his",)),
        ({"runtimes": {"one": {}}}, {"runtimes": {"one": {}}}, ["runtimes"], ()),
    ],
)
def test_what_is_adopted(current, desired, previously, expected):
    assert daemon_changes.merge(current, desired, previously).adopted == expected
