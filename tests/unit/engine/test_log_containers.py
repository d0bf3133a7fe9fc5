# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.log_budget import LogConfig
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.log_containers import (
    default_of,
    differences,
    of_container,
    state,
    unlike,
)


def log(driver, **options):
    return LogConfig("web", driver, {name.replace("_", "-"): value for name, value in options.items()})


@pytest.mark.parametrize(
    ("own", "default", "formers", "expected"),
    [
        (log("local"), log("local"), [], "current"),
        (log("local", max_size="1m"), log("local", max_size="1m"), [], "current"),
        # The engine's own default was a default of everybody once.
        (log("json-file"), log("local"), [], "former default"),
        (log("json-file"), log("json-file", max_size="1m"), [], "former default"),
        (log("local", max_size="5m"), log("local", max_size="1m"), [log("local", max_size="5m")], "former default"),
        (log("syslog", tag="a"), log("local"), [log("syslog", tag="a")], "former default"),
        (log("syslog", tag="b"), log("local"), [log("syslog", tag="a")], "own setting"),
        (log("journald"), log("local"), [], "own setting"),
        (log("local", max_size="7m"), log("local", max_size="1m"), [log("local", max_size="5m")], "own setting"),
        # One option of its own, another from an old default.
        (
            log("local", max_size="7m", max_file="5"),
            log("local", max_size="1m", max_file="2"),
            [log("local", max_size="5m", max_file="5")],
            "former default",
        ),
        (log("local", max_size="1m", mode="non-blocking"), log("local", max_size="1m"), [], "own setting"),
    ],
)
def test_state(own, default, formers, expected):
    assert state(own, default, formers) == expected


def test_differences_in_words():
    assert differences(log("syslog"), log("local")) == ["it logs through syslog, the default is local"]
    assert differences(log("local", max_size="5m"), log("local", max_size="1m", max_file="2")) == [
        "max-file of log-opts is absent, the default is 2",
        "max-size of log-opts is 5m, the default is 1m",
    ]


def test_default_of_a_configuration_and_of_flags():
    assert default_of({}) == LogConfig("", "json-file", {})
    assert default_of({"log-driver": "local", "log-opts": {"max-size": "1m"}}) == LogConfig("", "local", {"max-size": "1m"})
    assert default_of({}, {"log-driver": ["local"], "log-opt": ["max-size=1m"]}) == LogConfig("", "local", {"max-size": "1m"})


def test_settings_of_a_container():
    inspected = {"Name": "/web", "HostConfig": {"LogConfig": {"Type": "local", "Config": {"max-size": "1m"}}}}
    assert of_container(inspected) == log("local", max_size="1m")
    assert of_container({"Id": "abc"}) == LogConfig("abc", "json-file", {})


def test_only_those_that_differ_are_listed_in_order():
    default = log("local")
    existing = [LogConfig("b", "json-file", {}), LogConfig("c", "local", {}), LogConfig("a", "journald", {})]
    assert [(entry["name"], entry["state"]) for entry in unlike(existing, default, [])] == [
        ("a", "own setting"),
        ("b", "former default"),
    ]
