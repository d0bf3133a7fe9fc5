# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.kinds import KINDS
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.model import split
from ansible_collections.bulkhead.docker.plugins.module_utils.host import drift_items, drift_look, drift_places

EXEC = "{ path=/usr/sbin/dockerd ; argv[]=/usr/sbin/dockerd -H fd:// %s ; ignore_errors=no ; start_time=x }"
TARGET = {"mount_point": "/var/lib/docker/overlay2", "mode": 0o710}
SKELETON = ["filter chain DOCKER"]


class Eyes:
    """Sees a host on which all is well."""

    def __init__(self, **other):
        self.flags = other.pop("flags", "")
        self.seen = {"sysctl": {"value": "1"}, "socket": {"type": drift_look.SOCKET}, "unit": {"drop_ins": []}, **other}
        self.active = other.get("active", "active")

    def observe(self, thing, recorded=None):
        return self.seen[split(thing)[0]]

    def unit(self, name):
        return {
            "ActiveState": self.active,
            "ExecStart": EXEC % self.flags,
            "Environment": "",
            "EnvironmentFiles": "/etc/default/docker (ignore_errors=yes) /etc/x/*.conf (ignore_errors=no)"
            if name == "docker.service"
            else "",
        }

    def firewall(self, family):
        return SKELETON


@pytest.fixture
def config(monkeypatch):
    held = {"icc": False}
    monkeypatch.setattr(drift_places, "configuration", lambda path: held)
    return held


def daemon(eyes=None, **known):
    return drift_items.of_role("docker_daemon", known, eyes or Eyes())


def test_what_belongs_to_the_daemon(config):
    things = daemon(slice="containers.slice")
    assert {
        "file:/etc/docker/daemon.json",
        "directory:/etc/docker",
        "directory:/var/lib/bulkhead",
        "file:/etc/systemd/system/containers.slice",
        "unit:containers.slice",
        "unit:docker.service",
        "unit:docker.socket",
        "unit:containerd.service",
        "foreign_file:/etc/default/docker",
        "process:dockerd",
        "socket:/run/docker.sock",
        "sysctl:net.ipv4.ip_forward",
        "sysctl:net.bridge.bridge-nf-call-iptables",
        "firewall:iptables",
        "firewall:ip6tables",
    } == set(things)
    assert {split(thing)[0] for thing in things} <= set(KINDS)


@pytest.mark.parametrize(
    "settings, flags, lacking",
    [
        ({"ip-forward": False}, "", {"sysctl:net.ipv4.ip_forward"}),
        ({"icc": True}, "", {"sysctl:net.bridge.bridge-nf-call-iptables"}),
        ({"ip6tables": False}, "", {"firewall:ip6tables"}),
        (
            {"iptables": False},
            "",
            {"firewall:iptables", "firewall:ip6tables", "sysctl:net.bridge.bridge-nf-call-iptables"},
        ),
        (
            {},
            "--iptables=false",
            {"firewall:iptables", "firewall:ip6tables", "sysctl:net.bridge.bridge-nf-call-iptables"},
        ),
    ],
)
def test_what_dockerd_does_not_make_is_not_recorded(config, settings, flags, lacking):
    config.update(settings)
    whole = set(daemon(Eyes()) if not settings else drift_items.of_role("docker_daemon", {}, Eyes())) | lacking
    assert whole - set(daemon(Eyes(flags=flags))) == lacking


def test_the_backend_of_the_firewall(config):
    config["firewall-backend"] = "nftables"
    assert {thing for thing in daemon() if thing.startswith("firewall:")} == {"firewall:nftables"}


def test_a_daemon_that_rests_leaves_no_traces_in_the_kernel(config):
    assert not [thing for thing in daemon(Eyes(active="inactive")) if split(thing)[0] in ("sysctl", "firewall")]


def test_what_is_off_is_not_recorded_as_dockerds(config):
    assert not [thing for thing in daemon(Eyes(sysctl={"value": "0"})) if thing.startswith("sysctl:")]


def test_a_profile_and_drop_ins(config):
    config["seccomp-profile"] = "/etc/docker/seccomp-bulkhead.json"
    things = daemon(
        Eyes(
            unit={
                "drop_ins": [
                    "/etc/systemd/system/docker.service.d/x.conf",
                    "/run/systemd/system/docker.service.d/y.conf",
                ]
            }
        )
    )
    assert (
        "file:/etc/docker/seccomp-bulkhead.json" in things
        and "foreign_file:/etc/systemd/system/docker.service.d/x.conf" in things
    )
    assert "foreign_file:/run/systemd/system/docker.service.d/y.conf" not in things


def test_a_daemon_of_a_user():
    known = {"config_file": "/home/u/.config/docker/daemon.json", "rootless_user": "u"}
    assert daemon(**known) == ["file:/home/u/.config/docker/daemon.json", "user_unit:u/docker.service"]


def test_storage():
    things = drift_items.of_role(
        "docker_storage",
        {"targets": [TARGET], "data_root": "/var/lib/docker/", "effective_root": "/var/lib/docker"},
        Eyes(),
    )
    assert {
        "file:/usr/local/lib/bulkhead/mount-guard",
        *(f"file:{path}" for path in drift_places.OUR_DROP_INS),
        "mount:/var/lib/docker/overlay2",
        "fstab:/var/lib/docker/overlay2",
        "mount_point:/var/lib/docker/overlay2",
        "directory:/var/lib/docker/overlay2",
        "directory:/var/lib/docker",
    } == set(things)
    assert drift_items.of_role("docker_storage", {"targets": [], "data_root": "/var/lib/docker"}, Eyes()) == []


def test_packages_and_the_units_that_they_brought(monkeypatch):
    monkeypatch.setattr(
        drift_look,
        "fragment_of",
        lambda unit: ("", True) if unit == "docker.socket" else (f"/usr/lib/systemd/system/{unit}", False),
    )
    things = drift_items.of_role("docker_engine", {"packages": ["runc", {"name": "docker.io", "held": True}]}, Eyes())
    assert things == [
        "package:runc",
        "package:docker.io",
        "foreign_file:/usr/lib/systemd/system/docker.service",
        "foreign_file:/usr/lib/systemd/system/containerd.service",
    ]


@pytest.mark.parametrize("user, things", [("dockremap:dockremap", ["ranges:dockremap", "account:dockremap"]), ("", [])])
def test_ranges(user, things):
    assert drift_items.of_role("docker_userns", {"user": user}, Eyes()) == things


def test_others():
    assert drift_items.of_role("docker_rootless", {"user": "u"}, Eyes()) == [
        "ranges:u",
        "account:u",
        "user_unit:u/docker.service",
    ]
    assert drift_items.of_role(
        "docker_pull", {"files": ["/a"], "timers": ["a.timer"], "units": ["a.service"]}, Eyes()
    ) == ["file:/a", "timer:a.timer", "unit:a.service"]
    assert drift_items.of_role("docker_limits", {"files": ["/a"], "slices": ["c.slice"], "units": ["c-x.slice"]}, Eyes()) == [
        "file:/a",
        "unit:c-x.slice",
        "limits:c.slice",
    ]
    assert drift_items.of_role("docker_auditd", {"state": "absent"}, Eyes()) == []
    assert drift_items.of_role("docker_apparmor", {"profiles": ["no-such-profile"]}, Eyes()) == []


def test_a_role_that_leaves_nothing():
    with pytest.raises(drift_items.UnknownRole, match="docker_x.*docker_userns"):
        drift_items.of_role("docker_x", {}, Eyes())


def test_units_to_ask_for_at_once():
    assert drift_items.units(
        {"docker_daemon": {"slice": "c.slice"}, "docker_pull": {"timers": ["t.timer"], "units": ["s.service"]}}
    )[3:] == ["c.slice", "s.service", "t.timer"]


def test_what_systemd_would_start(monkeypatch):
    monkeypatch.setattr(drift_places.unit_environment.files, "read_text", lambda path: 'DOCKER_OPTS="--label a=b"\n')
    shown = {
        "ExecStart": EXEC % "$DOCKER_OPTS",
        "Environment": "",
        "EnvironmentFiles": "/etc/default/docker (ignore_errors=yes)",
    }
    assert drift_places.arguments(shown) == ["-H", "fd://", "--label", "a=b"]
    assert drift_places.arguments({"ExecStart": ""}) == []
