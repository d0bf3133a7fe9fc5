# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_info
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import parse

VERSION = parse("28.5.2")
INFO = {
    "LoggingDriver": "json-file",
    "LiveRestoreEnabled": False,
    "Debug": False,
    "Labels": [],
    "DefaultRuntime": "runc",
    "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
    "DockerRootDir": "/var/lib/docker",
    "Driver": "overlay2",
    "CgroupDriver": "systemd",
    "DriverStatus": [["Backing Filesystem", "extfs"]],
    "RegistryConfig": {"Mirrors": None},
}
CONTAINERD = {**INFO, "Driver": "overlayfs", "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}


@pytest.mark.parametrize(
    ("info", "config", "where"),
    [
        ({}, {}, []),
        ({}, {"log-driver": "local"}, ["log-driver"]),
        ({"LoggingDriver": "local"}, {}, ["log-driver"]),
        ({"Debug": True}, {}, ["debug"]),
        ({"LiveRestoreEnabled": True}, {"live-restore": True}, []),
        ({"Labels": ["b=1", "a=1"]}, {"labels": ["a=1", "b=1"]}, []),
        ({"Labels": ["a=1"]}, {"labels": ["a=1", "a=1"]}, []),
        ({"Labels": ["a=1"]}, {}, ["labels"]),
        ({}, {"userns-remap": "dockremap"}, ["userns-remap"]),
        ({"SecurityOptions": ["name=userns"]}, {"userns-remap": "dockremap"}, []),
        ({"SecurityOptions": ["name=userns"]}, {}, ["userns-remap"]),
        ({}, {"no-new-privileges": True}, ["no-new-privileges"]),
        ({"SecurityOptions": ["name=seccomp,profile=default"]}, {}, []),
        ({"SecurityOptions": ["name=seccomp,profile=/p.json"]}, {"seccomp-profile": "/p.json"}, []),
        ({"SecurityOptions": ["name=seccomp,profile=/p.json"]}, {}, ["seccomp-profile"]),
        ({"SecurityOptions": ["name=seccomp,profile=unconfined"]}, {}, ["seccomp-profile"]),
        ({"SecurityOptions": []}, {"seccomp-profile": "/p.json"}, []),
        ({}, {"exec-opts": ["native.cgroupdriver=cgroupfs"]}, ["exec-opts"]),
        ({}, {"storage-driver": "btrfs"}, ["storage-driver"]),
        ({"RegistryConfig": {"Mirrors": ["https://m/"]}}, {"registry-mirrors": ["https://m"]}, []),
        ({"RegistryConfig": {"Mirrors": ["https://m/"]}}, {}, ["registry-mirrors"]),
        ({}, {"features": {"containerd-snapshotter": True}}, ["features.containerd-snapshotter"]),
        ({}, {"features": {"containerd-snapshotter": False}}, []),
        ({}, {"default-runtime": "crun"}, ["default-runtime"]),
    ],
)
def test_disagreements(info, config, where):
    found = daemon_info.disagreements({**INFO, **info}, config, VERSION, "/var/lib/docker")
    assert [problem.where for problem in found] == where


def test_no_new_privileges_is_not_shown_by_old_engines():
    assert daemon_info.disagreements(INFO, {"no-new-privileges": True}, parse("20.10.24")) == []


def test_the_root_is_compared():
    found = daemon_info.disagreements(INFO, {}, VERSION, "/var/lib/docker/100000.100000")
    assert [problem.where for problem in found] == ["data-root"]


def test_what_a_flag_sets_is_not_expected_from_the_file():
    assert (
        daemon_info.disagreements({**INFO, "Debug": True, "Labels": ["a=b"]}, {}, VERSION, None, {"debug", "labels"})
        == []
    )


@pytest.mark.parametrize(
    ("attributes", "config", "where"),
    [
        ({"debug": "true"}, {"debug": True}, []),
        ({"debug": "false"}, {"debug": True}, ["debug"]),
        ({"debug": "false"}, {}, []),
        ({"max-concurrent-downloads": "3"}, {"max-concurrent-downloads": 7}, ["max-concurrent-downloads"]),
        ({"default-shm-size": "134217728"}, {"default-shm-size": "128m"}, []),
        ({"labels": '["a=b"]'}, {"labels": ["a=b"]}, []),
        ({"labels": "[]"}, {"labels": ["a=b"]}, ["labels"]),
        ({"registry-mirrors": '["https://m/"]'}, {"registry-mirrors": ["https://m/"]}, []),
    ],
)
def test_reload_disagreements(attributes, config, where):
    assert [problem.where for problem in daemon_info.reload_disagreements(attributes, config)] == where


@pytest.mark.parametrize(
    ("info", "config", "version", "hidden"),
    [
        ({**INFO, "Containers": 1}, {"storage-driver": "overlay2"}, "28.5.2", False),
        ({**INFO, "Containers": 1}, {"storage-driver": "btrfs"}, "28.5.2", True),
        ({**INFO, "Containers": 0, "Images": 0}, {"storage-driver": "btrfs"}, "28.5.2", False),
        ({**INFO, "Images": 2}, {"features": {"containerd-snapshotter": True}}, "28.5.2", True),
        ({**CONTAINERD, "Images": 2}, {"features": {"containerd-snapshotter": False}}, "29.0.1", True),
        ({**CONTAINERD, "Images": 2}, {"storage-driver": "overlay2"}, "29.0.1", True),
        ({**CONTAINERD, "Images": 2}, {"storage-driver": "overlayfs"}, "29.0.1", False),
        ({**CONTAINERD, "Images": 2}, {}, "29.0.1", False),
    ],
)
def test_hidden_by_store(info, config, version, hidden):
    assert bool(daemon_info.hidden_by_store(info, config, parse(version))) is hidden


def container(created="2026-01-01T10:00:00.123456789Z", **host_config):
    return {"Name": "/web", "Created": created, "HostConfig": {"LogConfig": {"Type": "json-file"}, **host_config}}


LATER = 1767265200.0 + 86400
EARLIER = LATER - 30 * 86400


@pytest.mark.parametrize(
    ("inspected", "config", "since", "why"),
    [
        (container(), {"log-driver": "local"}, {"log-driver": LATER}, "it logs through json-file"),
        (container(), {"log-driver": "local"}, {"log-driver": EARLIER}, ""),
        (container(), {"log-driver": "local"}, {"log-driver": -1.0}, ""),
        (container(), {"log-opts": {"max-size": "1m"}}, {"log-opts": LATER}, "max-size of log-opts is absent, the default is 1m"),
        (
            container(LogConfig={"Type": "json-file", "Config": {"max-size": "1m"}}),
            {"log-opts": {"max-size": "1m"}},
            {"log-opts": LATER},
            "",
        ),
        (container(), {"no-new-privileges": True}, {"no-new-privileges": LATER}, "before no-new-privileges"),
        (container(), {"no-new-privileges": False}, {"no-new-privileges": LATER}, ""),
        (container(SecurityOpt=["no-new-privileges"]), {"no-new-privileges": True}, {"no-new-privileges": LATER}, ""),
        (container(ShmSize=67108864), {"default-shm-size": "128m"}, {"default-shm-size": LATER}, "it has 67108864"),
        (container(IpcMode="private"), {"default-ipc-mode": "private"}, {"default-ipc-mode": LATER}, ""),
        (container(created="soon"), {"log-driver": "local"}, {"log-driver": LATER}, ""),
    ],
)
def test_stale_containers(inspected, config, since, why):
    found = daemon_info.stale_containers([inspected], config, since)
    assert (why in found[0]["why"][0]) if why else (found == [])


def test_what_a_reload_left_in_the_daemon_although_the_file_has_it_no_more():
    told = {"debug": "true", "max-concurrent-downloads": "9", "shutdown-timeout": "15", "live-restore": "true", "labels": "[]"}
    assert daemon_info.left_by_reload(told, {"live-restore": True}) == {"debug": True, "max-concurrent-downloads": 9}
    assert daemon_info.left_by_reload(told, {"live-restore": True, "debug": False}, {"max-concurrent-downloads": "x"}) == {}
    assert daemon_info.left_by_reload({}, {}) == {}
    assert daemon_info.left_by_reload({"max-concurrent-downloads": "many", "labels": "[a"}, {}) == {}
    assert daemon_info.left_by_reload({"labels": '["a=b"]', "registry-mirrors": '["https://m/"]'}, {"registry-mirrors": []}) == {"labels": ["a=b"]}
    assert daemon_info.left_by_reload({"insecure-registries": '["127.0.0.0/8"]'}, {}) == {}
    assert daemon_info.left_by_reload({"insecure-registries": '["r:5000"]'}, {}) == {"insecure-registries": ["r:5000"]}


@pytest.mark.parametrize(
    "config, odd",
    [
        ({}, True),
        ({"insecure-registries": []}, True),
        ({"insecure-registries": ["r:5000"]}, True),
        ({"insecure-registries": ["10.0.0.0/8"]}, True),
        ({"insecure-registries": ["r:5000", "10.1.2.3/8"]}, False),
        ({"insecure-registries": ["http://r:5000", "10.0.0.0/8", "other"]}, False),
    ],
)
def test_registries_that_only_the_daemon_trusts(config, odd):
    registries = {
        "InsecureRegistryCIDRs": ["::1/128", "127.0.0.0/8", "10.0.0.0/8"],
        "IndexConfigs": {"docker.io": {"Secure": True}, "r:5000": {"Secure": False}},
    }
    info = {**INFO, "RegistryConfig": registries}
    found = [problem.where for problem in daemon_info.disagreements(info, config, parse("28.0"))]
    assert found.count("insecure-registries") == odd
    assert "insecure-registries" not in [
        problem.where for problem in daemon_info.disagreements(info, config, parse("28.0"), None, {"insecure-registries"})
    ]
