# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import pathlib

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_journal, daemon_keys, rootless
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.rootless import Account, Facts, Request
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import parse

ALICE = Account("alice", "/home/alice", 1001, 1001)
REQUEST = Request("alice", "/home/alice", "/home/alice/.local/share/docker")
PAGE = pathlib.Path(__file__).resolve().parents[3] / "docs" / "roles" / "docker_rootless.md"


def refused(config, version="28.5.2", account=ALICE):
    return [problem.where for problem in rootless.key_problems(config, parse(version), account)]


def test_places_of_a_user():
    assert ALICE.socket == "unix:///run/user/1001/docker.sock"
    assert ALICE.config_directory == "/home/alice/.config/docker"
    assert ALICE.data_root == "/home/alice/.local/share/docker"
    assert Account("new", "/home/new").runtime == ""


# All but userland-proxy-path and the drivers that the lab's kernel lacks were given to real daemons of a user: they did not
# start, could not be reached, or did not do what the key says.
IMPOSSIBLE = [
    {"userns-remap": "dockremap"},
    {"live-restore": True},
    {"cgroup-parent": "containers.slice"},
    {"userland-proxy-path": "/usr/bin/docker-proxy"},
    {"hosts": ["unix:///var/run/docker.sock"]},
    {"hosts": ["unix:///run/user/1001/docker.sock", "tcp://127.0.0.1:2375"]},
    {"group": "docker"},
    {"containerd": "/run/containerd/containerd.sock"},
    {"exec-root": "/var/run/docker"},
    {"pidfile": "/var/run/docker.pid"},
    {"storage-driver": "devicemapper"},
    {"storage-driver": "zfs"},
    {"storage-opts": ["overlay2.size=1G"]},
    {"bridge": "br0"},
    {"metrics-addr": "127.0.0.1:9323"},
    {"authorization-plugins": ["opa"]},
    {"rootless": False},
]


@pytest.mark.parametrize("config", IMPOSSIBLE, ids=str)
def test_impossible(config):
    assert refused({**config, "icc": False}) == list(config)


@pytest.mark.parametrize(
    "config",
    [
        {"icc": False, "no-new-privileges": True, "log-driver": "local", "data-root": "/srv/alice", "ip": "127.0.0.1"},
        {"live-restore": False, "userns-remap": "", "cgroup-parent": "", "bridge": "none", "rootless": True},
        {"hosts": ["unix:///run/user/1001/docker.sock"], "exec-root": "/run/user/1001/docker"},
        {"storage-driver": "overlay2"},
        {"storage-driver": "fuse-overlayfs"},
        {"userland-proxy": True},
        {"seccomp-profile": "/home/alice/.config/docker/seccomp-bulkhead.json"},
    ],
    ids=str,
)
def test_possible(config):
    assert refused(config) == []


def test_before_28_only_the_proxy_opens_ports():
    assert refused({"userland-proxy": False}, "26.1.5") == ["userland-proxy"]
    assert refused({"userland-proxy": False}, "20.10.24") == ["userland-proxy"]
    assert refused({"userland-proxy": False}, "28.0.0") == []


def test_a_socket_of_another_user_is_elsewhere():
    assert refused({"hosts": ["unix:///run/user/1002/docker.sock"]}) == ["hosts"]
    assert refused({"hosts": ["unix:///run/user/10010/docker.sock"]}) == ["hosts"]


def test_values_of_a_wrong_type_are_left_to_others():
    for limit in rootless.LIMITS:
        for value in (None, 7, {}, []):
            rootless.key_problems({limit.key: value}, parse("28.5.2"), ALICE)


def test_every_limit_is_a_key_and_one_sentence():
    assert [limit.key for limit in rootless.LIMITS if limit.key not in daemon_keys.KEYS] == []
    for limit in rootless.LIMITS:
        assert limit.why and limit.instead and not limit.instead.endswith(".")


def test_the_page_shows_the_table():
    text = PAGE.read_text(encoding="utf-8")
    assert rootless.table() in text
    for what, why, instead in rootless.TOLD:
        assert f"| {what} | {why} | {instead} |" in text


@pytest.mark.parametrize("name", ["overlay2", "volumes", "containers", "containerd", "data-root"])
def test_no_filesystem_of_the_layout_can_be(name):
    (problem,) = rootless.layout_problems([name])
    assert name in problem.where and "docker_rootless_mount_point" in problem.message


def test_the_default_facts_are_good():
    assert rootless.host_problems(Facts(), REQUEST) == []


HOSTS = [
    ({"account_uid": 0}, {}, "docker_rootless_user"),
    ({}, {"user": "root"}, "docker_rootless_user"),
    ({"account_home": "/srv/alice"}, {}, "docker_rootless_home"),
    ({"uid_map": "0 100000 65536"}, {}, "/proc/self/uid_map"),
    ({"max_user_namespaces": 0}, {}, "user.max_user_namespaces"),
    ({"max_user_namespaces": -1}, {}, "kernel"),
    ({"userns_clone": False}, {}, "kernel.unprivileged_userns_clone"),
    ({"apparmor_restricts": True}, {}, "kernel.apparmor_restrict_unprivileged_userns"),
    ({"kernel": "5.10.0-30-amd64", "fuse": False}, {}, "kernel"),
    ({"tun": False}, {}, "/dev/net/tun"),
    ({"missing_tools": ("newuidmap",)}, {}, "PATH"),
    ({"cgroup_version": 1}, {}, "/sys/fs/cgroup"),
    ({"controllers": ("cpu", "pids")}, {}, "/sys/fs/cgroup/cgroup.controllers"),
    ({}, {"lowest_port": 80}, "docker_rootless_lowest_port"),
    ({"data_root_filesystem": "nfs4"}, {}, "data-root"),
    ({"data_root_filesystem": "overlay"}, {}, "data-root"),
    ({"data_root_owner": 0, "account_uid": 1001}, {}, "data-root"),
    ({"data_root_unreachable": "/srv/secret"}, {}, "data-root"),
    ({}, {"mount_point": "/home/alice"}, "docker_rootless_mount_point"),
    ({"mounted": True}, {"mount_point": "/srv"}, "docker_rootless_mount_point"),
    ({"own_unit": "/home/alice/.config/systemd/user/docker.service"}, {}, "/home/alice/.config/systemd/user/docker.service"),
    ({"rootful_data": "2 volumes"}, {}, "docker_engine_mode"),
]


@pytest.mark.parametrize("facts, request_, where", HOSTS, ids=lambda value: str(value)[:60])
def test_hosts_that_cannot(facts, request_, where):
    found = rootless.host_problems(dataclasses.replace(Facts(), **facts), dataclasses.replace(REQUEST, **request_))
    assert [problem.where for problem in found] == [where]


@pytest.mark.parametrize(
    "facts, request_",
    [
        ({"kernel": "5.10.0-30-amd64"}, {}),
        ({"missing_tools": ("newuidmap",)}, {"predicting": True}),
        ({"cgroup_version": 1, "controllers": ()}, {"controllers": ()}),
        ({"lowest_port": 80}, {"lowest_port": 80}),
        ({"mounted": True}, {"mount_point": "/home"}),
        ({"rootful_data": "2 volumes"}, {"leave_rootful_data": True}),
        ({"data_root_owner": 1001, "account_uid": 1001}, {}),
    ],
    ids=lambda value: str(value)[:60],
)
def test_hosts_that_can(facts, request_):
    assert rootless.host_problems(dataclasses.replace(Facts(), **facts), dataclasses.replace(REQUEST, **request_)) == []


def test_every_rule_has_a_host_that_breaks_it():
    silent = [
        rule.__name__
        for rule in rootless.RULES
        if not any(rule(dataclasses.replace(Facts(), **facts), dataclasses.replace(REQUEST, **request)) for facts, request, _where in HOSTS)
    ]
    assert silent == []


@pytest.mark.parametrize(
    "release, store, driver",
    [
        ("6.12.0", "overlay2", None),
        ("5.11.0-rc1", "overlay2", None),
        ("5.10.0-30-amd64", "overlay2", "fuse-overlayfs"),
        ("5.10.0-30-amd64", "", None),
        ("strange", "overlay2", None),
    ],
)
def test_the_kernel_decides_the_storage_driver(release, store, driver):
    numbers = rootless.kernel_numbers(release)
    assert rootless.settings_for({}, store, numbers).get("storage-driver") == driver
    assert rootless.settings_for({"storage-driver": "vfs"}, store, numbers)["storage-driver"] == "vfs"


def test_the_unit_is_for_one_user_and_fails_closed():
    text = rootless.unit("alice", "/usr/bin/dockerd-rootless.sh", "/srv")
    assert "ConditionUser=alice\n" in text
    assert "AssertPathIsMountPoint=/srv\n" in text
    assert "AssertPathExists=%h/.config/docker/daemon.json\n" in text
    assert "AssertPathIsMountPoint" not in rootless.unit("alice", "/usr/bin/dockerd-rootless.sh")


def test_delegation():
    assert "Delegate=cpu pids\n" in rootless.delegation(["cpu", "pids"])
    assert "Delegate=yes\n" in rootless.delegation([])


def test_the_reason_is_dockerds_own_and_not_rootlesskits():
    lines = [
        "+ exec dockerd",
        'time="2026-11-22T02:55:13Z" level=info msg="Running with RootlessKit integration"',
        "chmod /var/lib/docker: operation not permitted",
        "[rootlesskit:child ] error: command [/usr/share/docker.io/contrib/dockerd-rootless.sh] exited: exit status 1",
        "[rootlesskit:parent] error: child exited: exit status 1",
        "docker.service: Main process exited, code=exited, status=1/FAILURE",
    ]
    assert daemon_journal.reason(lines) == "chmod /var/lib/docker: operation not permitted"
