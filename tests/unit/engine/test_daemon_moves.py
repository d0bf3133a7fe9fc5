# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_moves


def keys(running, before, after):
    info = None if running is None else {"ContainersRunning": running}
    return [problem.where for problem in daemon_moves.problems(info, before, after)]


@pytest.mark.parametrize("key", ["containerd-namespace", "exec-root"])
def test_a_place_does_not_move_while_containers_run(key):
    assert keys(2, {}, {key: "/srv/other"}) == [key]
    assert keys(2, {key: "/srv/other"}, {}) == [key]
    assert keys(0, {}, {key: "/srv/other"}) == []
    assert keys(None, {}, {key: "/srv/other"}) == []


def test_the_same_place_in_other_words_is_no_move():
    assert keys(1, {}, {"exec-root": "/run/docker/", "containerd-namespace": "moby"}) == []


def test_the_sentence_counts():
    problems = daemon_moves.problems({"ContainersRunning": 1}, {}, {"exec-root": "/srv/other"})
    assert "would move from /run/docker to /srv/other" in str(problems[0])
    assert "the 1 running container," in str(problems[0])
