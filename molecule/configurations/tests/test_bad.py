# SPDX-License-Identifier: Apache-2.0
"""Each bad configuration is refused, or taken back, and the host is what it was."""

from __future__ import annotations

import configuration_results as results
import pytest

BAD = results.cases("bad")
each = pytest.mark.parametrize(("engine", "case"), BAD, ids=results.identifier)


def outcome(case):
    return case.get("outcome", "refused")


def sentence(engine, case):
    answer = results.record("bad", engine, case)["answer"]
    assert answer.get("failed"), f"it came through: {answer}"
    return answer["msg"]


@pytest.mark.parametrize("engine", results.ENGINES)
def test_there_are_sixty_for_every_engine(engine):
    assert len({case["name"] for name, case in BAD if name == engine}) >= 60


@each
def test_the_sentence_says_why(engine, case):
    said = sentence(engine, case)
    assert case["says"] in said
    if outcome(case) == "refused":
        assert said.startswith(("Refused", "Nothing was changed", "/etc/docker/daemon.json is")), said
    else:
        assert "was restored" in said
        assert ("already failing before this run" in said) == (outcome(case) == "broken before")


@each
def test_the_files_are_what_they_were(engine, case):
    files = results.record("bad", engine, case)["files"]
    if outcome(case) != "refused":
        # Written anew with what it held; a refusal does not write at all.
        for moment in files.values():
            del moment["inode"]
    assert files["after"] == files["before"]


@each
def test_nothing_that_served_was_hurt(engine, case):
    record = results.record("bad", engine, case)
    if outcome(case) == "broken before":
        # There is no daemon, as before; the container goes on without it, and so do its ports but for docker-proxy.
        assert {"the container's process is another one or gone", "the port does not serve on 192.0.2.1"}.isdisjoint(record["complaints"])
    else:
        assert record["complaints"] == []
    # docker-proxy is a child of dockerd and ends with it.
    assert set(record["broken"]) <= (set() if outcome(case) == "refused" else {"loopback"})


@each
def test_a_refusal_leaves_the_daemon_alone(engine, case):
    if outcome(case) == "refused":
        assert results.record("bad", engine, case)["same_daemon"]


@each
def test_the_good_settings_have_nothing_to_mend_afterwards(engine, case):
    record = results.record("bad", engine, case)
    following = record["following"]
    expected = (True, "restart") if case.get("afterwards") == "restart" else (False, "none")
    assert (following["changed"], following["action"]) == expected, following
    for name in ("managed", "pending", "reset", "unapplied"):
        before, after = record["memory"][name]
        assert before == after, name


def test_every_case_was_run():
    for engine in results.ENGINES:
        assert set(results.of(engine)["bad"]) == {case["name"] for name, case in BAD if name == engine}
