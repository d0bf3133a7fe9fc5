# SPDX-License-Identifier: Apache-2.0
"""Each good configuration is accepted with the least force, has its effect, and is there at the second run."""

from __future__ import annotations

import configuration_results as results
import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import versions
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_keys import KEYS, RELOAD

GOOD = results.cases("good")
each = pytest.mark.parametrize(("engine", "case"), GOOD, ids=results.identifier)


@pytest.mark.parametrize("engine", results.ENGINES)
def test_there_are_thirty_for_every_engine(engine):
    assert len({case["name"] for name, case in GOOD if name == engine}) >= 30


@each
def test_it_is_accepted_with_the_least_force(engine, case):
    record = results.record("good", engine, case)
    answer = record["answer"]
    assert not answer.get("failed"), answer["msg"]
    wanted = case.get("action", "reload")
    assert wanted in ("any", answer["action"]), answer["changes"]
    if answer["action"] == "reload":
        assert record["same_daemon"]


@each
def test_it_has_its_effect(engine, case):
    assert results.record("good", engine, case)["effects"] == []


@each
def test_check_mode_had_said_so(engine, case):
    record = results.record("good", engine, case)
    for name in ("changed", "action", "changes"):
        assert record["predicted"][name] == record["answer"][name], name


@each
def test_the_second_run_changes_nothing(engine, case):
    again = results.record("good", engine, case)["again"]
    assert (again["changed"], again["action"]) == (False, "none"), again


@each
def test_what_serves_goes_on(engine, case):
    assert results.record("good", engine, case)["complaints"] == []


@pytest.mark.parametrize("engine", results.ENGINES)
def test_every_key_that_reloads_was_reloaded(engine):
    reported = results.of(engine)["good"]
    version = versions.parse(next(iter(reported.values()))["answer"]["engine_version"])
    changed = {
        change["key"].partition(".")[0]
        for found in reported.values()
        if found["answer"]["action"] == "reload"
        for change in found["answer"]["changes"]
        if change["after"] not in (None, [], {})
    }
    known = {name for name, key in KEYS.items() if key.apply == RELOAD and key.known_to(version)}
    # Nobody can see that an engine of these releases reads the one again; the other is refused with any port.
    assert known - changed <= {"allow-nondistributable-artifacts", "network-diagnostic-port"}


def test_every_case_was_run():
    for engine in results.ENGINES:
        assert set(results.of(engine)["good"]) == {case["name"] for name, case in GOOD if name == engine}


@pytest.mark.parametrize("engine", results.ENGINES)
def test_in_the_end_the_host_is_what_it_was(engine):
    end = results.of(engine)["end"]
    assert end["complaints"] == []
    assert not end["following"].get("failed"), end["following"]
    assert end["again"]["changed"] is False
