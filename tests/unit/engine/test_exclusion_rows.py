# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Each row of the table against a host that matches and against hosts that just do not."""

from __future__ import annotations

import string

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    daemon_config,
    exclusion_rows,
    exclusions,
    versions,
)

# A good host: every dimension known, and nothing to say about it.
GOOD = {
    "engine": (28, 5, 2),
    "init": "systemd",
    "kernel": (6, 12, 48),
    "overlay": True,
    "seccomp": True,
    "uses_seccomp": True,
    "container": "none",
    "user_namespace": False,
    "ids_fit": True,
    "max_user_namespaces": 127000,
    "cgroup_version": 2,
    "cgroup_controllers": ("cpuset", "cpu", "io", "memory", "pids"),
    "layers_on": "xfs",
    "layers_options": ("rw", "noatime", "prjquota"),
    "layers_type_entries": True,
    "zfs": (),
    "runc": (1, 3, 3),
    "containerd": (2, 1, 5),
    "ip_forward": True,
    "forward_policy": "ACCEPT",
    "swarm": False,
    "swarm_locked": False,
    "apparmor": True,
    "apparmor_parser": True,
    "apparmor_confined": False,
    "apparmor_userns": False,
    "selinux": "off",
    "selinux_policy": False,
    "userns_remap": False,
    "store": "overlay2",
    "quota": False,
    "live_restore": False,
    "firewall": "iptables",
    "rules": True,
    "forwarding": True,
    "swarm_nftables": False,
    "time_namespaces": True,
    "cpu_rt_period": False,
    "cpu_rt_runtime": False,
    "selinux_enabled": False,
    "own": (),
    "partitions": False,
}
MINIMAL = ("cpu", "memory", "pids")
NFT = {"firewall": "nftables"}
NESTED = {"user_namespace": True, "container": "lxc"}
SELINUX = {"selinux": "enforcing", "selinux_policy": True}

# From a row to: the release, what differs from the good host so that it matches, and small changes with which it does not.
CASES = {
    "init-not-systemd": ("28.5", {"init": "openrc"}, [{"init": "systemd"}]),
    "kernel-overlay2": ("28.5", {"kernel": (3, 10, 0)}, [{"kernel": (4, 0, 0)}]),
    "kernel-openat2": ("28.5", {"kernel": (5, 5, 19)}, [{"kernel": (5, 6)}, {"kernel": (3, 10)}]),
    "overlay-missing": ("28.5", {"overlay": False}, [{"overlay": True}]),
    "seccomp-missing": ("28.5", {"seccomp": False}, [{"seccomp": True}, {"uses_seccomp": False}]),
    "shared-kernel": ("28.5", {"container": "openvz"}, [{"container": "none"}, {"container": "lxc"}]),
    "lxc": ("28.5", {"container": "lxc"}, [{"container": "systemd-nspawn"}]),
    "lxc-partitions": ("28.5", {"container": "lxc", "partitions": True}, [{"partitions": False}, {"container": "docker"}]),
    "lxc-runc-sysctl": (
        "28.5",
        {"container": "lxc", "apparmor_confined": True, "runc": (1, 2, 8)},
        [{"runc": (1, 2, 7)}, {"runc": ()}, {"apparmor_confined": False}, {"container": "none"}],
    ),
    "container-nspawn": ("28.5", {"container": "systemd-nspawn"}, [{"container": "lxc"}]),
    "container-docker": ("28.5", {"container": "podman"}, [{"container": "none"}]),
    "userns-overlay": ("28.5", {**NESTED, "kernel": (5, 10, 200)}, [{"kernel": (5, 11)}, {"user_namespace": False}]),
    "userns-switched-off": ("28.5", {"userns_remap": True, "max_user_namespaces": 0}, [{"max_user_namespaces": 1}, {"userns_remap": False}]),
    "userns-missing": ("28.5", {"userns_remap": True, "max_user_namespaces": -1}, [{"max_user_namespaces": 1}, {"userns_remap": False}]),
    "userns-no-room": ("28.5", {**NESTED, "userns_remap": True, "ids_fit": False}, [{"ids_fit": True}, {"userns_remap": False}]),
    "userns-apparmor": ("28.5", {"apparmor_userns": True}, [{"apparmor_userns": False}]),
    "cgroups-missing": ("28.5", {"cgroup_version": 0}, [{"cgroup_version": 1}]),
    "cgroups-v1": ("29.0", {"cgroup_version": 1}, [{"cgroup_version": 2}]),
    "cgroups-v2-old-engine": ("19.3.15", {"cgroup_version": 2}, [{"cgroup_version": 1}]),
    "cgroups-v2-lxc-delegation": (
        "28.5",
        {"container": "lxc", "cgroup_controllers": ("cpu", "pids")},
        [{"cgroup_controllers": MINIMAL}, {"container": "none"}, {"cgroup_version": 1}],
    ),
    "cgroups-v2-delegation": (
        "28.5",
        {"cgroup_controllers": MINIMAL},
        [{"cgroup_controllers": ("io", *MINIMAL)}, {"container": "lxc"}, {"cgroup_version": 1}],
    ),
    "realtime-period": ("28.5", {"cpu_rt_period": True}, [{"cgroup_version": 1}, {"cpu_rt_period": False}]),
    "realtime-runtime": ("28.5", {"cpu_rt_runtime": True}, [{"cgroup_version": 1}, {"cpu_rt_runtime": False}]),
    "layers-on-overlay": ("28.5", {"layers_on": "overlay"}, [{"layers_on": "ext4"}, {"store": "fuse-overlayfs"}]),
    "layers-on-unfit": ("28.5", {"layers_on": "nfs4"}, [{"layers_on": "btrfs"}, {"store": "vfs"}]),
    "layers-on-old-zfs": ("28.5", {"layers_on": "zfs", "zfs": (2, 1, 11)}, [{"zfs": (2, 2, 0)}, {"layers_on": "ext4"}, {"store": "zfs"}]),
    "layers-in-memory": ("28.5", {"layers_on": "tmpfs"}, [{"layers_on": "ext4"}]),
    "layers-without-types": ("28.5", {"layers_type_entries": False}, [{"layers_type_entries": True}, {"store": "vfs"}]),
    "quota-not-xfs": ("28.5", {"quota": True, "layers_on": "ext4"}, [{"layers_on": "xfs"}, {"quota": False}, {"store": "zfs"}]),
    "quota-no-pquota": (
        "28.5",
        {"quota": True, "layers_options": ("rw", "usrquota")},
        [{"layers_options": ("rw", "prjquota")}, {"quota": False}, {"store": "btrfs"}],
    ),
    "quota-nodev": (
        "28.5",
        {"quota": True, "layers_options": ("prjquota", "nodev")},
        [{"layers_options": ("prjquota", "nosuid")}, {"quota": False}],
    ),
    "quota-userns": ("28.5", {"quota": True, **NESTED}, [{"quota": False}, {"user_namespace": False}]),
    "quota-containerd": ("28.5", {"quota": True, "store": "containerd"}, [{"quota": False}, {"store": "overlay2"}]),
    "containerd-userns": ("24.0", {"userns_remap": True, "store": "containerd"}, [{"userns_remap": False}, {"store": "overlay2"}]),
    "containerd-own-overlay2": (
        "28.5",
        {"own": ("overlay2", "volumes"), "store": "containerd"},
        [{"own": ("containerd", "volumes")}, {"store": "overlay2"}],
    ),
    "overlay2-own-containerd": ("28.5", {"own": ("containerd",)}, [{"own": ("overlay2",)}, {"store": "containerd"}]),
    "store-copies-layers": ("28.5", {"store": "vfs"}, [{"store": "overlay2"}, {"store": "zfs"}]),
    "store-left-to-chance": ("29.0", {"store": "engine's choice"}, [{"store": "overlay2"}]),
    "swarm-live-restore": ("28.5", {"swarm": True, "live_restore": True}, [{"swarm": False}, {"live_restore": False}]),
    "swarm-nftables": (
        "29.6",
        {"swarm": True, **NFT},
        [{"swarm": False}, {"firewall": "iptables"}, {"swarm_nftables": True}, {"rules": False}],
    ),
    "swarm-autolock": ("28.5", {"swarm": True, "swarm_locked": True}, [{"swarm_locked": False}, {"swarm": False}]),
    "nftables-no-forwarding": (
        "29.0",
        {**NFT, "ip_forward": False},
        [{"ip_forward": True}, {"forwarding": False}, {"rules": False}, {"firewall": "iptables"}],
    ),
    "nftables-forward-drop": (
        "29.0",
        {**NFT, "forward_policy": "DROP"},
        [{"forward_policy": "ACCEPT"}, {"forward_policy": ""}, {"rules": False}, {"firewall": "iptables"}],
    ),
    "apparmor-no-parser-old": ("20.10.24", {"apparmor_parser": False}, [{"apparmor": False}, {"apparmor_parser": True}]),
    "apparmor-no-parser": ("23.0.2", {"apparmor_parser": False}, [{"apparmor": False}, {"apparmor_parser": True}]),
    "selinux-asked-without": ("28.5", {"selinux_enabled": True}, [{"selinux_enabled": False}, SELINUX]),
    "selinux-asked-without-policy": (
        "28.5",
        {"selinux_enabled": True, "selinux": "permissive"},
        [{"selinux_policy": True}, {"selinux_enabled": False}],
    ),
    "selinux-unused": ("28.5", SELINUX, [{"selinux_enabled": True}, {"selinux": "permissive"}, {"selinux_policy": False}]),
    "selinux-no-policy": ("28.5", {"selinux": "enforcing"}, [{"selinux": "permissive"}, {"selinux_policy": True}, {"selinux_enabled": True}]),
    "selinux-own-filesystems": (
        "28.5",
        {**SELINUX, "selinux_enabled": True, "own": ("volumes",)},
        [{"own": ()}, {"selinux": "off"}, {"selinux_enabled": False}],
    ),
    "runc-time-namespaces": (
        "29.5",
        {"runc": (1, 1, 15)},
        [{"runc": (1, 2, 0)}, {"runc": ()}, {"kernel": (5, 5)}, {"time_namespaces": False}],
    ),
    "runc-unfixed": ("28.5", {"runc": (1, 1, 15)}, [{"runc": (1, 2, 8)}, {"runc": (1, 4, 1)}, {"runc": ()}]),
    "containerd-unfixed": ("28.5", {"containerd": (2, 0, 6)}, [{"containerd": (2, 0, 7)}, {"containerd": (1, 7, 29)}, {"containerd": ()}]),
}
# The rows of some releases: a release on either side for which they do not hold.
OTHER_RELEASES = {
    "cgroups-v1": ["28.5.2"],
    "cgroups-v2-old-engine": ["20.10"],
    "quota-containerd": ["23.0.6"],
    "containerd-userns": ["23.0.6"],
    "containerd-own-overlay2": ["23.0.6"],
    "store-left-to-chance": ["28.5.2"],
    "nftables-no-forwarding": ["28.5.2"],
    "nftables-forward-drop": ["28.5.2"],
    "apparmor-no-parser-old": ["23.0.2"],
    "apparmor-no-parser": ["23.0.1"],
    "runc-time-namespaces": ["29.4.3"],
}
ROWS = {row.name: row for row in exclusion_rows.ROWS}


def found(release, known, rows=exclusion_rows.ROWS):
    judgement = exclusions.judge(rows, known, versions.parse(release), exclusion_rows.DIMENSIONS)
    assert judgement.unknown == []
    return judgement


def says(name, release, known):
    judgement = found(release, known, [ROWS[name]])
    return [*judgement.refused, *judgement.told.values()]


def test_every_row_has_its_hosts():
    assert [row.name for row in exclusion_rows.ROWS] == list(CASES), "each row needs a host that matches and one that does not"
    assert [name for name, (_release, _match, misses) in CASES.items() if not misses] == []
    assert {row.name for row in exclusion_rows.ROWS if row.since or row.removed} == set(OTHER_RELEASES)


def test_no_row_has_a_name_twice():
    assert len(ROWS) == len(exclusion_rows.ROWS)


def test_nothing_is_said_about_a_good_host():
    for release in ("20.10.24", "26.1.5", "28.5.2", "29.7.2"):
        assert found(release, GOOD) == ([], {}, []), release


@pytest.mark.parametrize("name", CASES)
def test_a_row_says_something_about_a_host_that_matches(name):
    release, match, _misses = CASES[name]
    (problem,) = says(name, release, {**GOOD, **match})
    assert "{" not in str(problem), "a dimension was not filled in"


@pytest.mark.parametrize(("name", "miss"), [(name, miss) for name, case in CASES.items() for miss in case[2]])
def test_a_row_says_nothing_about_a_host_that_just_does_not_match(name, miss):
    release, match, _misses = CASES[name]
    assert says(name, release, {**GOOD, **match, **miss}) == []


@pytest.mark.parametrize(("name", "release"), [(name, release) for name, several in OTHER_RELEASES.items() for release in several])
def test_a_row_says_nothing_about_other_releases(name, release):
    assert says(name, release, {**GOOD, **CASES[name][1]}) == []


# Conditions that only say on which hosts a row has a meaning; the other conditions of the row are the ones that decide.
ONLY_A_SETTING = {
    "quota-no-pquota": "layers_on",
    "quota-nodev": "store",
    "quota-userns": "store",
    "userns-no-room": "user_namespace",
    "selinux-asked-without-policy": "selinux",
}


@pytest.mark.parametrize("name", CASES)
def test_each_condition_of_a_row_is_missed_by_some_host(name):
    _release, match, misses = CASES[name]
    never = [
        condition.dimension
        for condition in ROWS[name].when
        if not [miss for miss in misses if condition.holds({**GOOD, **match, **miss}) is False]
    ]
    assert never == [ONLY_A_SETTING[name]] if name in ONLY_A_SETTING else never == []


@pytest.mark.parametrize("name", CASES)
def test_a_fact_that_is_not_known_is_said_for_each_condition(name):
    release, match, _misses = CASES[name]
    for condition in ROWS[name].when:
        known = {**GOOD, **match, condition.dimension: None}
        judgement = exclusions.judge([ROWS[name]], known, versions.parse(release), exclusion_rows.DIMENSIONS)
        assert (judgement.refused, judgement.told) == ([], {})
        assert name in str(judgement.unknown[0])


def test_rows_name_dimensions_that_exist():
    for row in exclusion_rows.ROWS:
        fields = {field for _text, field, _spec, _conversion in string.Formatter().parse(row.where + row.message) if field}
        assert fields | {condition.dimension for condition in row.when} <= set(exclusion_rows.DIMENSIONS), row.name


def test_every_dimension_is_used_and_known_of_the_good_host():
    used = {condition.dimension for row in exclusion_rows.ROWS for condition in row.when} | {"engine"}
    assert set(exclusion_rows.DIMENSIONS) == used == set(GOOD)


def test_a_row_says_one_sentence_with_what_to_do():
    for row in exclusion_rows.ROWS:
        assert not row.message.endswith("."), row.name
        assert ";" in row.message or row.verdict == exclusions.TOLD, f"{row.name} does not say what to do"
        assert row.source, row.name


def test_rows_of_the_daemon_refuse_and_need_nothing_of_the_host_but_its_context():
    daemon = exclusion_rows.by(exclusions.BY_DAEMON)
    decided = {*exclusion_rows.asked_of_daemon({}, None), "swarm", "cgroup_version", "selinux", "selinux_policy"}
    for row in daemon:
        assert row.verdict == exclusions.REFUSED, row.name
        assert {condition.dimension for condition in row.when} <= decided, row.name


@pytest.mark.parametrize(
    ("config", "release", "dimension", "value"),
    [
        ({}, "28.5", "store", "overlay2"),
        ({}, "29.0", "store", "engine's choice"),
        ({}, None, "store", None),
        ({"features": {"containerd-snapshotter": True}}, "28.5", "store", "containerd"),
        ({"features": {"containerd-snapshotter": False}}, "29.0", "store", "overlay2"),
        ({"storage-driver": "zfs"}, "29.0", "store", "zfs"),
        ({"userns-remap": "default"}, "29.0", "store", "overlay2"),
        ({"storage-opts": ["overlay2.size=5G"]}, "28.5", "quota", True),
        ({"storage-opts": "overlay2.size=5G"}, "28.5", "quota", False),
        ({"iptables": False}, "28.5", "rules", False),
        ({"iptables": "no"}, "28.5", "rules", True),
        ({"firewall-backend": ""}, "29.0", "firewall", "iptables"),
        ({"firewall-backend": "nftables"}, "29.0", "firewall", "nftables"),
        ({"features": {"time-namespaces": False}}, "29.5", "time_namespaces", False),
        ({"features": [1]}, "29.5", "time_namespaces", True),
        ({"cpu-rt-runtime": 95000}, "28.5", "cpu_rt_runtime", True),
        ({"selinux-enabled": True}, "28.5", "selinux_enabled", True),
    ],
)
def test_what_a_configuration_asks_for(config, release, dimension, value):
    version = versions.parse(release) if release else None
    assert exclusion_rows.asked_of_daemon(config, version)[dimension] == value


@pytest.mark.parametrize(
    ("selinux", "policy", "words"),
    [("off", False, "on a host without SELinux"), ("enforcing", False, "the policy for containers is missing"), ("enforcing", True, ""), (None, None, "")],
)
def test_the_daemon_is_not_asked_for_labels_that_it_cannot_give(selinux, policy, words):
    context = daemon_config.Context(selinux=selinux, selinux_policy=policy)
    problems = daemon_config.problems({"selinux-enabled": True}, versions.parse("28.5.2"), context)
    assert [words in str(problem) for problem in problems] == ([True] if words else [])
