# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_keys, daemon_values
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_keys import KEYS
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import parse

# The keys that SIGHUP reloads, each with what it does when the key is absent (moby daemon/reload.go, 20.10 to 29.7).
RELOADED = {
    "debug": "keeps",
    "labels": "keeps",
    "live-restore": "keeps",
    "insecure-registries": "keeps",
    "registry-mirrors": "keeps",
    "shutdown-timeout": "keeps",
    "default-stop-timeout": "keeps",
    "runtimes": "keeps",
    "default-runtime": "keeps",
    "default-shm-size": "keeps",
    "default-ipc-mode": "keeps",
    "default-cgroupns-mode": "keeps",
    "allow-nondistributable-artifacts": "keeps",
    "max-concurrent-downloads": "resets",
    "max-concurrent-uploads": "resets",
    "max-download-attempts": "resets",
    "features": "resets",
    "network-diagnostic-port": "resets",
    "nri-opts": "resets",
    "authorization-plugins": "resets",
}


def test_the_keys_that_a_reload_reaches():
    assert {key.name: key.absent for key in KEYS.values() if key.apply == "reload"} == RELOADED


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_every_key_is_sound_data(key):
    assert key.kind in daemon_values.KINDS
    assert key.apply in ("reload", "restart")
    assert key.absent in ("keeps", "resets")
    assert key.reaches in ("daemon", "bridge", "started", "created", "networks")
    if key.default is not None:
        assert daemon_values.kind_problem(key.kind, key.default) == ""
        assert not key.choices or key.default in key.choices
    for release in (key.since, key.removed, key.reload_until):
        assert not release or parse(release)
    if key.default_since:
        assert parse(key.default_since[0])
        assert daemon_values.kind_problem(key.kind, key.default_since[1]) == ""
    if key.members:
        assert key.kind in (daemon_values.STRUCTURED, daemon_values.BOOL_MAP)


@pytest.mark.parametrize(
    ("name", "unknown", "known"),
    [
        ("default-network-opts", "23.0", "24.0"),
        ("log-format", "24.0", "25.0"),
        ("cdi-spec-dirs", "24.0", "25.0"),
        ("bip6", "27.5", "28.0"),
        ("host-gateway-ips", "27.5", "28.0"),
        ("ip-forward-no-drop", "27.5", "28.0"),
        ("allow-direct-routing", "28.1", "28.2"),
        ("firewall-backend", "28.5", "29.0"),
        ("bridge-accept-fwmark", "28.5", "29.0"),
        ("min-api-version", "28.5", "29.0"),
        ("nri-opts", "29.1", "29.2"),
        ("default-stop-timeout", "29.6", "29.7"),
        ("proxies", "20.10", "23.0"),
        ("graph", "24.0", "20.10"),
        ("oom-score-adjust", "26.0", "25.0"),
        ("api-cors-header", "28.0", "27.5"),
        ("cluster-store", "23.0", "20.10"),
    ],
)
def test_releases(name, unknown, known):
    assert not KEYS[name].known_to(parse(unknown))
    assert KEYS[name].known_to(parse(known))


def test_ip6tables_became_the_default_in_27():
    key = KEYS["ip6tables"]
    assert daemon_keys.default_of(key, parse("26.1.5")) is False
    assert daemon_keys.default_of(key, parse("27.0")) is True


def test_keys_whose_members_have_owners_of_their_own():
    members = {name for name, key in KEYS.items() if key.members}
    assert members == {"features", "runtimes", "default-ulimits", "default-network-opts"}


def test_flags_are_unique():
    flags = [
        key.flag or key.name
        for key in KEYS.values()
        if key.name != "host-gateway-ip" and key.flag != daemon_keys.NO_FLAG
    ]
    assert len(flags) == len(set(flags))


@pytest.mark.parametrize(
    ("kind", "value", "fine"),
    [
        (daemon_values.BOOL, True, True),
        (daemon_values.BOOL, "true", False),
        (daemon_values.BOOL, 1, False),
        (daemon_values.INT, -3, True),
        (daemon_values.INT, True, False),
        (daemon_values.INT, 1.5, False),
        (daemon_values.COUNT, -1, False),
        (daemon_values.STRING, 5, False),
        (daemon_values.STRING, None, False),
        (daemon_values.PATH, "/srv", True),
        (daemon_values.PATH, "srv", False),
        (daemon_values.CIDR, "172.26.0.1/16", True),
        (daemon_values.CIDR, "172.26.0.1", False),
        (daemon_values.CIDR, "garbage", False),
        (daemon_values.IP, "::1", True),
        (daemon_values.IP, "300.1.1.1", False),
        (daemon_values.SIZE, "64m", True),
        (daemon_values.SIZE, 67108864, False),
        (daemon_values.SIZE, "many", False),
        (daemon_values.STRINGS, ["a"], True),
        (daemon_values.STRINGS, "a", False),
        (daemon_values.STRINGS, [1], False),
        (daemon_values.IPS, ["9.9.9.9"], True),
        (daemon_values.IPS, ["dns.example"], False),
        (daemon_values.STRING_MAP, {"a": "1"}, True),
        (daemon_values.STRING_MAP, {"a": 1}, False),
        (daemon_values.BOOL_MAP, {"a": True}, True),
        (daemon_values.BOOL_MAP, {"a": "true"}, False),
        (daemon_values.STRUCTURED, "a", False),
    ],
)
def test_kinds(kind, value, fine):
    assert (daemon_values.kind_problem(kind, value) == "") is fine


@pytest.mark.parametrize("name", sorted(RELOADED))
def test_every_key_that_can_be_reloaded_can_be_reset(name):
    key = KEYS[name]
    version = parse(key.since or "20.10.24")
    value = daemon_keys.reset_value(key, version, cgroup_version=2)
    assert value is not None
    assert daemon_values.kind_problem(key.kind, value) == ""


def test_what_no_value_resets():
    newest = parse("29.7.2")
    assert daemon_keys.reset_value(KEYS["log-driver"], newest) is None
    assert daemon_keys.reset_value(KEYS["allow-nondistributable-artifacts"], newest) is None
    assert daemon_keys.reset_value(KEYS["default-stop-timeout"], parse("29.6")) is None


def test_the_namespace_that_resets_depends_on_the_host():
    key = KEYS["default-cgroupns-mode"]
    found = [daemon_keys.reset_value(key, parse("28.5.2"), cgroup_version=number) for number in (0, 1, 2)]
    assert found == [None, "host", "private"]


def test_how_a_change_arrives_may_depend_on_the_release():
    key = KEYS["allow-nondistributable-artifacts"]
    assert daemon_keys.apply_of(key, parse("27.5")) == "reload"
    assert daemon_keys.apply_of(key, parse("28.0")) == "restart"


def test_the_lowest_api_changed_within_29():
    key = KEYS["min-api-version"]
    assert daemon_keys.default_of(key, parse("29.2.1")) == "1.44"
    assert daemon_keys.default_of(key, parse("29.3")) == "1.40"
