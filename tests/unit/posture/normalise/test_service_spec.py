# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Services of a swarm in the facts of a container."""

from __future__ import annotations

import base64
import typing as t

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import (
    evaluate,
    model,
    registry,
    secrets,
    vocabulary,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Subject, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import inspect, service_spec
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import EngineLook
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import Mount, Port
from ansible_collections.bulkhead.docker.tests.unit.posture.normalise import engine_examples as examples

CONTAINER = "Spec__TaskTemplate__ContainerSpec__"


def subject(engine: EngineLook | None = None, **different: t.Any) -> Subject:
    """Return a service; names without a place are of the container."""
    paths = {name if name.startswith("Spec") else CONTAINER + name: value for name, value in different.items()}
    engine = engine or examples.swarm(services=(examples.put(examples.SERVICE, **paths),))
    [found] = service_spec.subjects(engine, inspect.engine_facts(engine, examples.daemon(), {}, {"998"}))
    return found


def test_a_service_is_read_as_it_is():
    found = subject()
    assert set(found.facts) == set(vocabulary.WORKLOAD)
    known = {name: fact.value for name, fact in found.facts.items() if isinstance(fact, Fact)}
    assert known == {
        "running": False,
        "image": "registry.example.com/shop/web:1.4@sha256:" + "cd" * 32,
        "user": "1000:1000",
        "image_user": "1000",
        "uid": 1000,
        "uid_mapped": True,
        "privileged": False,
        "cap_add": ("NET_BIND_SERVICE",),
        "cap_drop": ("ALL",),
        "capabilities": frozenset({"NET_BIND_SERVICE"}),
        "seccomp": "builtin",
        "seccomp_opens": (),
        "apparmor": "docker-default",
        "apparmor_mode": "enforce",
        "selinux": "",
        "no_new_privileges": True,
        "unmasked_paths": (),
        "writable_paths": (),
        "writable_cgroups": False,
        "pid_mode": "",
        "ipc_mode": "",
        "uts_mode": "",
        "userns_mode": "",
        "cgroupns_mode": "private",
        "network_mode": "shop_back",
        "networks": ("shop_back",),
        "mounts": (Mount("volume", "data", "/data"), Mount("bind", "/srv/web", "/srv/web", True, "rprivate", "/srv/web")),
        "mounts_resolved": False,
        "volumes_from": (),
        "devices": (),
        "device_cgroup_rules": (),
        "device_requests": (),
        "group_add": (),
        "api_socket_groups": (),
        "use_api_socket": False,
        "ports": (Port("", 443, 8443), Port("", 30001, 9000)),
        "read_only_rootfs": True,
        "memory": 268435456,
        "cpu_limited": True,
        "pids_limit": 100,
        "oom_kill_disabled": False,
        "oom_score_adj": 0,
        "restart_policy": "on-failure",
        "restart_retries": 3,
        "healthcheck": "defined",
        "ulimits": (),
        "sysctls": (),
        "cgroup_parent": "",
        "runtime": "",
        "working_dir": "/srv",
        "secret_names": (),
        "docker_host": "",
        "log_driver": "local",
        "log_bounded": True,
        "labels": ("com.docker.stack.namespace",),
        "stale": (),
        "hook_privileged": (),
        "build_privileges": (),
        "macvlan_parents": (),
        "unknown_keys": (),
        "engine_cgroup": 2,
    }
    assert found.identity["project"] == "shop" and found.identity["digest"] == "sha256:" + "cd" * 32


@pytest.mark.parametrize(
    ("different", "name", "expected"),
    [
        ({"CapabilityAdd": ["CAP_SYS_ADMIN", "net_raw"], "CapabilityDrop": None}, "cap_add", ("SYS_ADMIN", "NET_RAW")),
        ({"Privileges": {"Seccomp": {"Mode": "unconfined"}}}, "seccomp", "unconfined"),
        ({"Privileges": {"AppArmor": {"Mode": "disabled"}}}, "apparmor_mode", "unconfined"),
        ({"Privileges": None}, "no_new_privileges", True),
        ({"ReadOnly": None}, "read_only_rootfs", False),
        ({"User": "0:0"}, "uid", 0),
        ({"User": None}, "uid", 1000),
        ({"Groups": ["998", "x"]}, "api_socket_groups", ("998",)),
        ({"Env": ["DB_PASSWORD=<secret>", "DOCKER_HOST=tcp://10.0.0.1:2375"]}, "secret_names", ("DB_PASSWORD",)),
        ({"Env": ["DOCKER_HOST=tcp://10.0.0.1:2375"]}, "docker_host", "tcp://10.0.0.1:2375"),
        ({"Args": ["--password", "<secret>"]}, "secret_names", ("argument --password",)),
        ({"Healthcheck": {"Test": ["NONE"]}}, "healthcheck", "disabled"),
        ({"Healthcheck": None}, "healthcheck", "image"),
        ({"Dir": "/proc/self/fd/8"}, "working_dir", "/proc/self/fd/8"),
        ({"Sysctls": {"net.core.somaxconn": "1"}}, "sysctls", (("net.core.somaxconn", "1"),)),
        ({"Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}]}, "ulimits", ("nofile",)),
        ({"OomScoreAdj": -900}, "oom_score_adj", -900),
        ({"Spec__TaskTemplate__Resources": {}}, "memory", 0),
        ({"Spec__TaskTemplate__Resources": {}}, "cpu_limited", False),
        ({"Spec__TaskTemplate__Resources": None}, "pids_limit", 0),
        ({"Spec__TaskTemplate__RestartPolicy": None}, "restart_policy", "always"),
        ({"Spec__TaskTemplate__RestartPolicy": {"Condition": "any"}}, "restart_policy", "always"),
        ({"Spec__TaskTemplate__RestartPolicy": {"Condition": "none"}}, "restart_policy", "no"),
        ({"Spec__TaskTemplate__LogDriver": {"Name": "json-file"}}, "log_bounded", False),
        ({"Spec__TaskTemplate__LogDriver": {"Name": "none"}}, "log_driver", "none"),
        ({"Spec__TaskTemplate__Networks": [{"Target": "c" * 64}]}, "network_mode", "host"),
        ({"Spec__TaskTemplate__Networks": [{"Target": "c" * 64}]}, "networks", ()),
    ],
)
def test_what_the_definition_says_counts(different, name, expected):
    assert subject(**different).value(name) == expected


def test_a_volume_with_a_device_is_that_place():
    driver = {"Name": "local", "Options": {"type": "none", "o": "bind", "device": "/etc"}}
    [mount] = subject(Mounts=[{"Type": "volume", "Source": "etc", "Target": "/e", "VolumeOptions": {"DriverConfig": driver}}]).value("mounts")
    assert mount.host_path == "/etc" and mount.read_only is False
    disk = {"Name": "local", "Options": {"type": "ext4", "device": "/dev/sdb1"}}
    [mount] = subject(Mounts=[{"Type": "volume", "Source": "d", "Target": "/d", "VolumeOptions": {"DriverConfig": disk}}]).value("mounts")
    assert mount.host_path == ""


def test_a_volume_that_is_a_directory_of_this_node_is_that_place():
    # A definition names the volume only; what it is stands in the volume.
    volume = {"Name": "etc", "Driver": "local", "Options": {"type": "none", "o": "bind", "device": "/run"}}
    mounts = [{"Type": "volume", "Source": "etc", "Target": "/e"}]
    service = examples.put(examples.SERVICE, Spec__TaskTemplate__ContainerSpec__Mounts=mounts)
    look = examples.swarm(services=(service,), volumes=(volume,))
    [found] = service_spec.subjects(look, inspect.engine_facts(look, examples.daemon()))
    assert found.value("mounts")[0].host_path == "/run"
    assert evaluate.outcome_of(registry.BY_ID["api-socket-not-mounted"], found).status == model.FAIL


def test_a_secret_in_a_healthcheck_is_one_too():
    assert "healthcheck argument --password" in subject(Healthcheck={"Test": ["CMD", "check", f"--password={secrets.SECRET}"]}).value("secret_names")


def test_an_image_is_found_by_its_digest_where_its_tag_has_moved():
    moved = examples.put(examples.IMAGE, RepoTags=[])
    assert subject(examples.swarm(images=(moved,))).value("image_user") == "1000"


def test_a_profile_of_its_own_is_read():
    text = base64.b64encode(b'{"defaultAction": "SCMP_ACT_ALLOW"}').decode()
    found = subject(Privileges={"Seccomp": {"Mode": "custom", "Profile": text}})
    assert found.value("seccomp") == "custom" and "init_module" in found.value("seccomp_opens")
    assert isinstance(subject(Privileges={"Seccomp": {"Mode": "custom", "Profile": "!"}}).facts["seccomp_opens"], Unknown)
    assert isinstance(subject(Privileges={"Seccomp": {"Mode": "odd"}}).facts["seccomp"], Unknown)


def test_default_logs_of_the_swarm_count_before_those_of_the_node():
    whole = examples.put(examples.SWARM, Spec__TaskDefaults={"LogDriver": {"Name": "json-file", "Options": {}}})
    found = subject(examples.swarm(swarm=whole))
    assert found.value("log_driver") == "json-file" and found.value("log_bounded") is False


def test_an_image_that_this_node_does_not_have_leaves_its_user_unknown():
    found = subject(examples.swarm(images=(), services=(examples.put(examples.SERVICE, **{CONTAINER + "User": None, CONTAINER + "Healthcheck": None}),)))
    for name in ("image_user", "uid", "healthcheck", "working_dir"):
        assert isinstance(found.facts[name], Unknown), name


def test_secret_values_never_become_facts():
    found = subject(Env=["DB_PASSWORD=hunter2-hunter2"], Labels={"auth.token": "hunter2-hunter2"})
    assert "hunter2" not in repr(found.facts)
    assert set(found.value("secret_names")) == {"DB_PASSWORD", "label auth.token"}


def test_services_that_run_no_container_are_left_out_and_broken_ones_are_unknown():
    plugin = {"ID": "p", "Spec": {"Name": "plugin", "TaskTemplate": {"Runtime": "plugin", "PluginSpec": {}}}}
    engine = examples.swarm(services=(plugin, {"ID": "broken", "Spec": {"Name": "broken", "TaskTemplate": {"ContainerSpec": 5}}}))
    [found] = service_spec.subjects(engine, inspect.engine_facts(engine, examples.daemon()))
    assert found.name == "broken" and all(isinstance(fact, Unknown) for fact in found.facts.values())
