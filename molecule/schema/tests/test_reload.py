# SPDX-License-Identifier: Apache-2.0
"""What SIGHUP does to each key, against what the model says: reloaded or not, kept or reset when absent, and by which value."""

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_keys
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_keys import KEYS, RELOAD, RESETS
from cases import RELOADED
from cases import RESETS as RESET_VALUES

FIRST, SECOND, GONE, AGAIN, RESET, GONE_AGAIN = range(6)


def known(engine):
    """Return the keys that were walked on this engine and that it reloads."""
    return [
        name
        for name in RELOADED
        if name in engine.result["walks"]["reload"]["steps"][FIRST]
        and daemon_keys.apply_of(KEYS[name], engine.version) == RELOAD
    ]


def shown(engine, step, name):
    """Return what the daemon has for a key after a step, as its own configuration says it."""
    return plain(name, (engine.result["walks"]["reload"]["seen"][step]["config"] or {}).get(name))


def plain(name, value):
    if name == "default-shm-size":
        return {"128m": 128, "256m": 256, "64M": 64}.get(value, value // 2**20 if isinstance(value, int) else value)
    if name == "runtimes":
        # Until 25.0 the engine's own runtimes stand among those of the file.
        return sorted(set(value or {}) - {"runc", "io.containerd.runc.v2", "io.containerd.runtime.v1.linux"})
    return value or None


def default(engine, name):
    return plain(name, RESET_VALUES[name])


def test_the_walk_was_made(engine):
    walk = engine.result["walks"]["reload"]
    assert len(walk["seen"]) == 6, walk.get("words")
    assert all(seen["alive"] for seen in walk["seen"][1:])
    assert len(known(engine)) >= 16


def test_the_model_calls_reloadable_what_was_walked():
    assert {name for name, key in KEYS.items() if key.apply == RELOAD} == set(RELOADED)


def test_a_new_value_arrives(engine):
    for name in known(engine):
        first, second = RELOADED[name]
        if name in ("authorization-plugins", "network-diagnostic-port"):
            continue  # Not in the configuration that is shown; see the tests of their own.
        assert shown(engine, FIRST, name) == plain(name, first), name
        assert shown(engine, SECOND, name) == plain(name, second), name


def test_an_absent_key_is_kept_or_reset_as_the_model_says(engine):
    for name in known(engine):
        if name in ("authorization-plugins", "network-diagnostic-port"):
            continue
        expected = default(engine, name) if KEYS[name].absent == RESETS else plain(name, RELOADED[name][1])
        assert shown(engine, GONE, name) == expected, name


def test_the_value_that_resets_does(engine):
    for name in known(engine):
        assert (
            daemon_keys.reset_value(KEYS[name], engine.version, engine.context().cgroup_version) == RESET_VALUES[name]
        )
        if name in ("authorization-plugins", "network-diagnostic-port"):
            continue
        assert shown(engine, AGAIN, name) == plain(name, RELOADED[name][1]), name
        assert shown(engine, RESET, name) == default(engine, name), name
        assert shown(engine, GONE_AGAIN, name) == default(engine, name), name


def test_info_agrees(engine):
    seen = engine.result["walks"]["reload"]["seen"]
    for step, labels, live, debug in (
        (FIRST, ["a=1"], True, True),
        (SECOND, ["a=2"], True, True),
        (GONE, ["a=2"], True, True),
        (RESET, [], False, False),
    ):
        info = seen[step]["info"]
        assert (info["Labels"] or [], info["LiveRestoreEnabled"], info["Debug"]) == (labels, live, debug), step


def test_the_event_of_the_reload_agrees(engine):
    # By this event the module proves that a reload arrived.
    for step, expected in (
        (SECOND, {"debug": "true", "labels": '["a=2"]', "shutdown-timeout": "22", "max-concurrent-downloads": "7"}),
        (GONE, {"debug": "true", "labels": '["a=2"]', "shutdown-timeout": "22", "max-concurrent-downloads": "3"}),
        (RESET, {"debug": "false", "labels": "[]", "shutdown-timeout": "15", "max-concurrent-downloads": "3"}),
    ):
        event = engine.result["walks"]["reload"]["seen"][step]["event"]
        assert {name: event[name] for name in expected} == expected, step


def test_authorization_plugins_are_replaced_and_taken_away(engine):
    # /info lists them as they are in the file of the last start; a request tells who is asked.
    asked = [seen.get("asked") for seen in engine.result["walks"]["reload"]["seen"]]
    one, two = RELOADED["authorization-plugins"]
    assert asked == [one, two, [], two, [], []]


def test_the_diagnostic_port_is_opened_and_closed_but_not_moved(engine):
    # The reason why the model takes no port: a start does not open it, and another port in the file changes nothing.
    seen = engine.result["walks"]["reload"]["seen"]
    assert ":9444" not in seen[FIRST]["listening"]
    listening = [entry["relistening"] for entry in seen]
    assert [":9444" in text for text in listening] == [True, True, False, False, False, False]
    assert [":9445" in text for text in listening] == [False, False, False, True, False, False]


@pytest.mark.parametrize("walk", ["taken out", "put in"])
def test_sighup_leaves_the_rest_as_it_was(engine, walk):
    found = engine.result["walks"][walk]
    assert len(found["seen"]) == 2, found.get("words")
    before, after = (seen["config"] for seen in found["seen"])
    changed = set(found["steps"][0]) | set(found["steps"][1])
    assert len(changed) >= 20
    for name in changed:
        assert daemon_keys.apply_of(KEYS[name], engine.version) != RELOAD, name
        assert before.get(name) == after.get(name), name
