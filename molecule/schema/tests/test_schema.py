# SPDX-License-Identifier: Apache-2.0
"""For every key and every engine: what the model says about a configuration is what a real dockerd makes of it."""

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_keys
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_keys import KEYS
from cases import CASES, Case
from known_differences import HANGS, ON_THE_HOST, STRICTER, Differences, flat
from known_differences import IGNORED as KNOWN_IGNORED
from reality import EFFECTIVE, IGNORED, REFUSED, Reality

KEYS_OF_CASES = list(dict.fromkeys(case.key for case in CASES))


def differences(engine: Reality, case: Case) -> tuple[str, str]:
    """Return which table a case belongs to on an engine, and what was seen; an empty name where both agree."""
    reality, verdict = engine.of(case), engine.verdict(case)
    seen = f"{case.name} on {engine.version}: {reality} ({case.by}) {engine.words(case)}; the model: {verdict or 'accepted'}"
    if verdict:
        return {EFFECTIVE: "STRICTER", IGNORED: "IGNORED", REFUSED: ""}[reality], seen
    return "" if reality == EFFECTIVE else "ON_THE_HOST", seen


def table(name: str) -> Differences:
    return {"STRICTER": STRICTER, "IGNORED": KNOWN_IGNORED, "ON_THE_HOST": ON_THE_HOST}[name]


@pytest.mark.parametrize("key", KEYS_OF_CASES)
def test_the_verdict_is_what_dockerd_makes_of_it(engine, key):
    wrong = []
    for case in CASES:
        if case.key != key:
            continue
        where, seen = differences(engine, case)
        if where and (case.name, engine.name) not in flat(table(where)):
            wrong.append(f"{where}? {seen}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", ["STRICTER", "IGNORED", "ON_THE_HOST"])
def test_every_listed_difference_is_one(engine, name):
    cases = {case.name: case for case in CASES}
    gone = [
        differences(engine, cases[case])[1]
        for case, host in flat(table(name))
        if host == engine.name and differences(engine, cases[case])[0] != name
    ]
    assert not gone, "no longer so: " + "\n".join(gone)


def test_every_key_has_a_good_and_a_bad_case():
    for key in KEYS:
        names = [case.name.partition(": ")[2] for case in CASES if case.key == key]
        mentioned = [case for case in CASES if case.key == key]
        assert len(names) >= 2, key
        assert any(case.config.get(key) is not None for case in mentioned), key
    assert set(daemon_keys.NEVER_READ) <= {case.key for case in CASES}


def test_every_key_was_seen_in_force_on_each_engine_that_knows_it(engine):
    unseen = {
        key.name
        for key in KEYS.values()
        if key.known_to(engine.version)
        and not any(
            case.key == key.name and engine.of(case) == EFFECTIVE and not engine.verdict(case) for case in CASES
        )
    }
    assert not unseen


def test_every_key_was_seen_refused_on_each_engine(engine):
    unseen = {
        key.name
        for key in KEYS.values()
        if not any(case.key == key.name and engine.verdict(case) and engine.of(case) != EFFECTIVE for case in CASES)
    }
    assert not unseen


def test_no_scratch_daemon_was_too_slow_to_judge(engine):
    slow = {
        (name, engine.name)
        for start in engine.result["starts"]
        if "(did not serve in time)" in start.get("words", "")
        for name in start["cases"]
    }
    assert slow == {known for known in HANGS if known[1] == engine.name}
