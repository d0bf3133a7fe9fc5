# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_changes
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import parse

VERSION = parse("28.5.2")


@pytest.mark.parametrize(
    ("current", "desired", "previously", "config", "managed", "foreign"),
    [
        ({}, {"icc": False}, [], {"icc": False}, ["icc"], []),
        ({"debug": True}, {"icc": False}, [], {"debug": True, "icc": False}, ["icc"], ["debug"]),
        ({"debug": True, "icc": False}, {}, ["icc"], {"debug": True}, [], ["debug"]),
        ({"icc": False}, {"icc": True}, ["icc"], {"icc": True}, ["icc"], []),
        (
            {"features": {"cdi": True}},
            {"features": {"buildkit": True}},
            [],
            {"features": {"cdi": True, "buildkit": True}},
            ["features.buildkit"],
            ["features.cdi"],
        ),
        (
            {"features": {"cdi": True, "buildkit": True}},
            {},
            ["features.buildkit"],
            {"features": {"cdi": True}},
            [],
            ["features.cdi"],
        ),
        ({"features": {"buildkit": True}}, {}, ["features.buildkit"], {}, [], []),
        (
            {"runtimes": {"io.containerd.a.v1": {"path": "/a"}}},
            {"runtimes": {"b": {"path": "/b"}}},
            ["runtimes.io.containerd.a.v1"],
            {"runtimes": {"b": {"path": "/b"}}},
            ["runtimes.b"],
            [],
        ),
        (
            {"log-opts": {"max-size": "1m"}},
            {"log-opts": {"max-file": "3"}},
            [],
            {"log-opts": {"max-file": "3"}},
            ["log-opts"],
            [],
        ),
        ({"features": "broken"}, {"features": {"cdi": True}}, [], {"features": {"cdi": True}}, ["features.cdi"], []),
        ({"icc": True}, {}, ["never-there", "features.gone"], {"icc": True}, [], ["icc"]),
        (
            {"default-ulimits": {"core": {}}},
            {"default-ulimits": {"core": {"Name": "core"}}},
            [],
            {"default-ulimits": {"core": {"Name": "core"}}},
            ["default-ulimits.core"],
            [],
        ),
    ],
)
def test_merge(current, desired, previously, config, managed, foreign):
    merged = daemon_changes.merge(current, desired, previously)
    assert merged.config == config
    assert list(merged.managed) == managed
    assert list(merged.foreign) == foreign


def test_merge_leaves_its_arguments_alone():
    current = {"features": {"cdi": True}}
    daemon_changes.merge(current, {"features": {"buildkit": True}}, ["features.cdi"])
    assert current == {"features": {"cdi": True}}


def test_merging_twice_changes_nothing():
    desired = {"icc": False, "features": {"buildkit": True}}
    once = daemon_changes.merge({"debug": True, "features": {"cdi": True}}, desired, [])
    twice = daemon_changes.merge(once.config, desired, once.managed)
    assert twice == once


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, []),
        ({"icc": False}, {"icc": False}, []),
        ({"debug": False}, {"debug": True}, [("debug", "reload", False)]),
        ({}, {"debug": True}, [("debug", "reload", False)]),
        ({"debug": True}, {}, [("debug", "restart", False)]),
        ({"debug": False}, {}, [("debug", "live", False)]),
        ({}, {"icc": True}, [("icc", "live", False)]),
        ({}, {"icc": False}, [("icc", "restart", False)]),
        ({"max-concurrent-downloads": 9}, {}, [("max-concurrent-downloads", "reload", False)]),
        ({"labels": ["a=b"]}, {"labels": []}, [("labels", "reload", False)]),
        ({"labels": ["a=b"]}, {}, [("labels", "restart", False)]),
        ({}, {"live-restore": True}, [("live-restore", "reload", False)]),
        ({"live-restore": True}, {}, [("live-restore", "restart", False)]),
        ({"authorization-plugins": ["a"]}, {}, [("authorization-plugins", "reload", False)]),
        ({}, {"log-driver": "local"}, [("log-driver", "restart", True)]),
        ({}, {"log-driver": "json-file"}, [("log-driver", "live", False)]),
        ({}, {"no-new-privileges": True}, [("no-new-privileges", "restart", True)]),
        ({}, {"default-shm-size": "128M"}, [("default-shm-size", "reload", True)]),
        ({}, {"features": {"buildkit": False}}, [("features.buildkit", "reload", False)]),
        ({}, {"features": {"containerd-snapshotter": False}}, [("features.containerd-snapshotter", "restart", False)]),
        ({}, {"features": {"unheard-of": True}}, [("features.unheard-of", "restart", False)]),
        ({}, {"runtimes": {"a": {"path": "/a"}}}, [("runtimes.a", "reload", False)]),
        ({"runtimes": {"a": {}, "b": {}}}, {"runtimes": {"b": {}}}, [("runtimes.a", "reload", False)]),
        ({"runtimes": {"a": {}}}, {}, [("runtimes.a", "restart", False)]),
        ({"features": {"buildkit": True}}, {}, [("features.buildkit", "reload", False)]),
        ({"unknown": 1}, {}, [("unknown", "restart", False)]),
        ({"mtu": 1}, {"mtu": True}, [("mtu", "restart", False)]),
        (
            {"debug": True, "icc": False},
            {"icc": True, "labels": ["a=b"]},
            [("debug", "restart", False), ("icc", "restart", False), ("labels", "reload", False)],
        ),
    ],
)
def test_changes(before, after, expected):
    found = daemon_changes.changes(before, after, VERSION)
    assert [(change.path, change.apply, change.recreate) for change in found] == expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [("26.1.5", "restart"), ("27.0.0", "live")],
)
def test_a_default_that_changed_between_releases(version, expected):
    assert daemon_changes.changes({}, {"ip6tables": True}, parse(version))[0].apply == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, "live"),
        ({}, {"icc": True}, "live"),
        ({}, {"debug": True, "icc": True}, "reload"),
        ({}, {"debug": True, "icc": False}, "restart"),
    ],
)
def test_force(before, after, expected):
    assert daemon_changes.force(daemon_changes.changes(before, after, VERSION)) == expected


def test_credentials_are_masked():
    before = {"proxies": {"http-proxy": "http://user:secret@proxy:3128"}}
    after = {"log-driver": "splunk", "log-opts": {"splunk-token": "secret", "splunk-url": "https://u:secret@h"}}
    shown = str([change.as_dict() for change in daemon_changes.changes(before, after, VERSION)])
    assert "secret" not in shown
    assert "proxy:3128" in shown


def test_credentials_of_a_proxy_without_a_scheme_are_masked():
    proxies = {"http-proxy": "user:secret@proxy:3128", "no-proxy": "a@b"}
    assert daemon_changes.masked(proxies) == {"http-proxy": "********@proxy:3128", "no-proxy": "a@b"}


@pytest.mark.parametrize("password", ["secret", "sec/ret", "s@ecret", "se:c/r@et"])
def test_credentials_are_masked_whatever_they_hold(password):
    shown = daemon_changes.masked([f"http://user:{password}@proxy:3128/path", "https://plain/path"])
    assert shown == ["http://********@proxy:3128/path", "https://plain/path"]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ({"debug": True}, "[reload]"),
        ({"log-driver": "local"}, "[restart] [recreate containers]"),
        ({"dns": ["9.9.9.9"]}, "[restart] [restart containers]"),
        ({"icc": False}, "[restart] [no container may run]"),
        ({"default-address-pools": []}, "[restart] [recreate networks]"),
    ],
)
def test_marks(after, expected):
    assert daemon_changes.marks(daemon_changes.changes({}, after, VERSION)[0]) == expected
