# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_journal, daemon_state
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files, State


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], ""),
        (
            ["failed to start daemon: no bridge.", "docker.service: Failed with result 'exit-code'."],
            "failed to start daemon: no bridge",
        ),
        (
            [
                "unable to configure the Docker daemon with file /etc/docker/daemon.json: invalid",
                "Failed to start docker.service",
            ],
            "unable to configure the Docker daemon with file /etc/docker/daemon.json: invalid",
        ),
        (
            ['time="x" level=info msg="Starting up"', 'time="x" level=fatal msg="no \\"plugin\\"" error="dial"'],
            'no "plugin": dial',
        ),
        (['time="x" level=error msg=first', 'time="x" level=error msg=second', 'time="x" level=info msg=z'], "second"),
        (
            ["mkdir /proc/x: no such file or directory", "docker.service: Main process exited"],
            "mkdir /proc/x: no such file or directory",
        ),
        (['time="x" level=info msg="Starting up"', "docker.service: Failed with result 'timeout'."], ""),
        (["failed to start daemon: " + "x" * 2000], "failed to start daemon: " + "x" * 576 + " …"),
    ],
)
def test_reason(lines, expected):
    assert daemon_journal.reason(lines) == expected


def test_verdict():
    lines = ["Starting docker.service", "docker.service: Failed with result 'timeout'.", "Stopped docker.service"]
    assert daemon_journal.verdict(lines) == "docker.service: Failed with result 'timeout'"
    assert daemon_journal.verdict([]) == ""


FULL = State(
    ("icc", "features.cdi"), Files("{}\n", None), "restart", {"log-driver": 5.0, "log-opts": -1.0}, ("web",), ("icc",)
)


@pytest.mark.parametrize("state", [State(), FULL, State(good=Files(None, "profile"))])
def test_a_state_is_read_back(state):
    assert daemon_state.parse(daemon_state.render(state), "/s") == (state, "")


def test_no_file_is_an_empty_state():
    assert daemon_state.parse(None, "/s") == (State(), "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "null",
        daemon_state.render(FULL).replace('"restart"', '"later"'),
        daemon_state.render(FULL).replace('"icc"', "5").replace('"schema": 1', '"schema": "x"'),
        daemon_state.render(FULL).replace('"config": "{}\\n"', '"config": 5'),
    ],
)
def test_a_damaged_state_counts_as_none_and_says_so(text):
    state, warning = daemon_state.parse(text, "/s")
    assert state == State()
    assert "/s is damaged" in warning


def test_a_newer_state_is_not_guessed():
    state, warning = daemon_state.parse(daemon_state.render(FULL).replace('"schema": 1', '"schema": 2'), "/s")
    assert state == State()
    assert "newer release" in warning


def test_systemd_says_more_than_that_it_failed():
    lines = ["docker.service: start-pre operation timed out. Terminating.", "Failed to start docker.service - Docker."]
    assert daemon_journal.verdict(lines) == "docker.service: start-pre operation timed out. Terminating"


def test_only_the_last_start_says_why_the_daemon_is_down():
    lines = ["Starting Docker", "failed to start daemon: an old trouble", "Starting Docker", "the disk is gone"]
    assert daemon_journal.last_attempt(lines) == lines[2:]
    assert daemon_journal.last_attempt(lines[1:2]) == lines[1:2]


def test_what_systemd_adds_about_left_over_processes_is_no_reason():
    lines = [
        "docker.service: Found left-over process 7 (docker-proxy) in control group while starting unit. Ignoring.",
        "This usually indicates unclean termination of a previous run, or service implementation deficiencies.",
        "docker.service: Failed with result 'signal'.",
    ]
    assert daemon_journal.reason(lines) == ""
    assert daemon_journal.verdict(lines) == "docker.service: Failed with result 'signal'"
