# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Containers as the API and the kernel show them, in the facts that rules ask for."""

from __future__ import annotations

import copy
import json
import time
import typing as t

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.log_budget import LogConfig
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import (
    evaluate,
    model,
    secrets,
    severity,
    vocabulary,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import inspect
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules import (
    escapes,
    isolation,
    limits,
    mounts,
    workload_network,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import (
    ContainerLook,
    DaemonLook,
    EngineLook,
    Process,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import Device, Mount, Port
from ansible_collections.bulkhead.docker.tests.unit.posture.normalise import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

RULES = [rule for module in (isolation, escapes, mounts, workload_network, limits) for rule in module.RULES if model.CONTAINER in rule.applies_to]
IDENTITY = ((0, 0, 4294967295),)


def subject(engine: inspect.EngineFacts = examples.ENGINE, names: t.Mapping[str, str] | None = None, **different: t.Any) -> model.Subject:
    return inspect.subject(examples.look(**different), engine, names)


def fact(name: str, engine: inspect.EngineFacts = examples.ENGINE, **different: t.Any) -> Fact | Unknown:
    return subject(engine, **different).facts[name]


def value(name: str, engine: inspect.EngineFacts = examples.ENGINE, **different: t.Any) -> t.Any:
    found = fact(name, engine, **different)
    assert isinstance(found, Fact), found
    return found.value


def test_a_hardened_container_fails_only_what_it_does_not_do():
    found = {finding.rule: finding for finding in evaluate.judge([subject()], RULES, "h1")}
    assert {rule for rule, finding in found.items() if finding.status == model.FAIL} == {
        "capabilities-restricted",
        "capability-net-raw-dropped",
    }
    assert {rule for rule, finding in found.items() if finding.status == model.UNKNOWN} == set()


def test_every_fact_is_there_with_a_source():
    for look in (examples.look(), examples.look(running=False)):
        found = inspect.subject(look, examples.ENGINE)
        assert set(found.facts) == set(vocabulary.WORKLOAD)
        for name, item in found.facts.items():
            assert item.source, name


def test_who_it_is():
    found = subject()
    assert found.name == "web" and found.kind == model.CONTAINER
    assert found.identity["service"] == "shop/web" and found.identity["project"] == "shop"
    assert found.identity["image"] == "registry.example.com/shop/web:1.4"
    assert found.identity["labels"]["com.docker.compose.service"] == "web"
    # A value that was withheld is no value.
    assert found.identity["labels"]["tier"] == ""


def test_a_container_that_could_not_be_inspected_is_unknown_throughout():
    look = ContainerLook({"Id": examples.ID, "Name": "/web"}, error="denied")
    found = inspect.subject(look, examples.ENGINE)
    assert found.name == "web"
    assert all(isinstance(item, Unknown) and item.reason == "denied" for item in found.facts.values())


# Identity.


@pytest.mark.parametrize(
    ("declared", "uid"),
    [("", 0), ("root", 0), ("0", 0), ("0:0", 0), ("root:root", 0), ("00", 0), ("1000", 1000), ("1000:0", 1000), ("app", None), ("0x0", None)],
)
def test_declared_users_are_read_as_the_engine_reads_them(declared, uid):
    assert inspect.uid_of(declared) == uid


def test_a_named_user_of_a_container_that_does_not_run_is_unknown():
    assert isinstance(fact("uid", running=False, config__User="app"), Unknown)


def test_ids_are_those_of_the_kernel():
    found = subject(config__User="")
    assert (found.value("uid"), found.value("host_uid"), found.value("uid_mapped")) == (1000, 101000, True)
    own = examples.process(status={"Uid": "1000 1000 1000 1000"}, uid_map=IDENTITY)
    found = subject(process=own)
    assert (found.value("uid"), found.value("host_uid"), found.value("uid_mapped")) == (1000, 1000, False)


def test_a_container_that_does_not_run_gets_the_daemons_mapping():
    assert value("uid_mapped", examples.engine(userns_remap=True), running=False) is True
    assert value("uid_mapped", examples.engine(userns_remap=False), running=False) is False
    assert value("uid_mapped", examples.engine(userns_remap=True), running=False, host__UsernsMode="host") is False
    assert value("uid_mapped", examples.engine(rootless=True), running=False, host__UsernsMode="host") is True
    assert isinstance(fact("uid_mapped", examples.engine(userns_remap=None), running=False), Unknown)


# Capabilities.


@pytest.mark.parametrize(
    ("add", "drop", "privileged", "expected"),
    [
        (None, None, False, inspect.DEFAULT_CAPABILITIES),
        ([], ["ALL"], False, frozenset()),
        (["NET_BIND_SERVICE"], ["all"], False, {"NET_BIND_SERVICE"}),
        (["CAP_SYS_ADMIN"], ["cap_net_raw"], False, inspect.DEFAULT_CAPABILITIES - {"NET_RAW"} | {"SYS_ADMIN"}),
        (["ALL"], ["SYS_ADMIN"], False, inspect.ALL_CAPABILITIES - {"SYS_ADMIN"}),
        ([], ["ALL"], True, inspect.ALL_CAPABILITIES),
    ],
)
def test_declared_capabilities_are_those_that_the_engine_gives(add, drop, privileged, expected):
    assert value("capabilities", running=False, host__CapAdd=add, host__CapDrop=drop, host__Privileged=privileged) == expected


def test_running_capabilities_are_those_of_the_kernel():
    assert value("capabilities", host__CapAdd=["SYS_ADMIN"]) == inspect.DEFAULT_CAPABILITIES
    assert value("capabilities", process=examples.process(status={"CapBnd": "000001ffffffffff"})) == inspect.ALL_CAPABILITIES
    assert value("capabilities", process=examples.process(status={"CapBnd": "8000000000000000"})) == {"CAP_63"}
    assert isinstance(fact("capabilities", process=examples.process(status={"CapBnd": "what"})), Unknown)


def test_defaults_of_podman_are_its_hosts():
    podman = examples.engine(product="podman")
    assert isinstance(fact("capabilities", podman, running=False), Unknown)
    assert value("capabilities", podman, running=False, host__Privileged=True) == inspect.ALL_CAPABILITIES


# Filters.


@pytest.mark.parametrize(
    ("options", "mode", "engine", "expected"),
    [
        (None, "2", "builtin", "builtin"),
        (None, "2", "custom", "custom"),
        (None, "0", "builtin", "unconfined"),
        (["seccomp=unconfined"], "2", "builtin", "unconfined"),
        (["seccomp:unconfined"], "0", "builtin", "unconfined"),
        (["seccomp=builtin"], "2", "unconfined", "builtin"),
        (["seccomp={}"], "2", "builtin", "custom"),
        (["seccomp={}"], "0", "builtin", "unconfined"),
    ],
)
def test_seccomp(options, mode, engine, expected):
    found = examples.engine(seccomp=engine)
    assert value("seccomp", found, host__SecurityOpt=options, process=examples.process(status={"Seccomp": mode})) == expected


def test_a_filter_of_which_nobody_knows_whose_it_is_is_not_taken_for_the_engines():
    engine = examples.engine(seccomp="", seccomp_opens=None)
    assert value("seccomp", engine) == "custom"
    assert isinstance(fact("seccomp_opens", engine), Unknown)
    assert isinstance(fact("seccomp", engine, running=False), Unknown)


def test_a_profile_that_cannot_be_read_is_unknown():
    found = fact("seccomp_opens", host__SecurityOpt=["seccomp={broken"])
    assert isinstance(found, Unknown) and "not JSON" in found.reason


@pytest.mark.parametrize(
    ("label", "profile", "mode"),
    [
        ("docker-default (enforce)", "docker-default", "enforce"),
        ("shop (complain)", "shop", "complain"),
        ("unconfined", "unconfined", "unconfined"),
        ("a profile (with words) (enforce)", "a profile (with words)", "enforce"),
    ],
)
def test_apparmor_of_the_kernel(label, profile, mode):
    found = subject(process=examples.process(label=label))
    assert (found.value("apparmor"), found.value("apparmor_mode")) == (profile, mode)


def test_apparmor_as_declared():
    found = subject(running=False)
    assert (found.value("apparmor"), found.value("apparmor_mode")) == ("docker-default", "enforce")
    found = subject(running=False, top__AppArmorProfile="", host__Privileged=True)
    assert (found.value("apparmor"), found.value("apparmor_mode")) == ("unconfined", "unconfined")
    found = subject(running=False, host__SecurityOpt=["apparmor=shop"])
    assert found.value("apparmor") == "shop" and isinstance(found.facts["apparmor_mode"], Unknown)
    found = subject(examples.engine(apparmor_modes={"shop": "complain"}), running=False, host__SecurityOpt=["apparmor=shop"])
    assert found.value("apparmor_mode") == "complain"


def test_apparmor_that_is_there_and_does_not_answer_is_unknown():
    assert isinstance(fact("apparmor", process=examples.process(label="")), Unknown)


def test_selinux():
    engine = examples.engine(selinux=True, apparmor=False)
    assert value("selinux", engine, process=examples.process(label="system_u:system_r:container_t:s0:c1,c2")) == "container_t"
    assert value("selinux", engine, process=examples.process(label="system_u:system_r:spc_t:s0")) == "spc_t"
    assert value("selinux", engine, running=False, top__ProcessLabel="system_u:system_r:container_t:s0:c1,c2") == "container_t"
    assert value("selinux", engine, running=False, host__SecurityOpt=["label=disable"]) == "disabled"
    assert value("selinux", engine, running=False, host__SecurityOpt=["disable"]) == "disabled"
    assert isinstance(fact("selinux", engine, process=examples.process(label="")), Unknown)
    assert value("apparmor", engine, process=examples.process(label="system_u:system_r:container_t:s0")) == ""
    assert value("selinux") == ""


def test_a_label_says_which_module_there_is_where_the_engine_does_not():
    engine = examples.engine(selinux=None, apparmor=None)
    found = subject(engine)
    assert (found.value("apparmor"), found.value("selinux")) == ("docker-default", "")
    assert isinstance(fact("apparmor", engine, running=False), Unknown)
    assert isinstance(fact("selinux", engine, running=False), Unknown)


# /proc, /sys and cgroups.


@pytest.mark.parametrize(
    ("version", "masked"),
    [("20.10.24", 10), ("24.0.6", 10), ("24.0.7", 11), ("28.0.1", 11), ("28.0.2", 12), ("29.7.2", 12), ("", 10)],
)
def test_paths_are_compared_with_those_of_the_release(version, masked):
    assert len(value("unmasked_paths", examples.engine(version=version), running=False, host__MaskedPaths=[])) == masked


def test_a_list_of_an_older_engine_lacks_what_a_newer_one_masks():
    old = [path for path in examples.MASKED if path != "/proc/interrupts"]
    assert value("unmasked_paths", running=False, host__MaskedPaths=old) == ("/proc/interrupts",)


def test_a_directory_above_masks_what_is_below():
    assert value("unmasked_paths", running=False, host__MaskedPaths=["/proc", "/sys"]) == ()


def test_masks_that_the_kernel_does_not_have_are_none():
    process = examples.process(mounts=tuple(row for row in examples.PROCESS.mounts if row[0] not in examples.MASKED))
    assert set(value("unmasked_paths", process=process)) == set(examples.MASKED)


def test_masks_that_only_the_kernel_has_count():
    assert value("unmasked_paths", host__MaskedPaths=None) == ()
    bare = examples.process(mounts=tuple(row for row in examples.PROCESS.mounts if row[0] != "/sys/firmware"))
    assert value("unmasked_paths", host__MaskedPaths=None, process=bare) == ("/sys/firmware",)


def mounted(**options: str) -> Process:
    rows = {"/" + name.replace("__", "/"): text for name, text in options.items()}
    return examples.process(mounts=tuple((point, rows.get(point, given), kind) for point, given, kind in examples.PROCESS.mounts if rows.get(point) != ""))


def test_writable_paths_are_those_of_the_kernel():
    assert value("writable_paths") == ()
    assert value("writable_paths", process=mounted(proc__sys="rw,relatime")) == ("/proc/sys",)
    assert value("writable_paths", process=mounted(proc__sys="")) == ("/proc/sys",)
    assert value("writable_paths", process=mounted(sys="rw,relatime")) == ("/sys",)
    assert "/proc/sysrq-trigger" in value("writable_paths", host__ReadonlyPaths=[], process=mounted(**{"proc__sysrq-trigger": ""}))


def test_writable_cgroups():
    assert value("writable_cgroups") is False
    assert value("writable_cgroups", process=mounted(sys__fs__cgroup="rw,nosuid")) is True
    assert value("writable_cgroups", running=False, host__SecurityOpt=["writable-cgroups=true"]) is True
    assert value("writable_cgroups", running=False, host__SecurityOpt=["writable-cgroups"]) is True
    assert value("writable_cgroups", running=False, host__SecurityOpt=["writable-cgroups=false"]) is False
    assert value("writable_cgroups", examples.engine(userns_remap=False), running=False, host__Privileged=True) is True


# Namespaces.


@pytest.mark.parametrize(
    ("name", "key", "kind"),
    [("pid_mode", "PidMode", "pid"), ("ipc_mode", "IpcMode", "ipc"), ("uts_mode", "UTSMode", "uts"), ("network_mode", "NetworkMode", "net")],
)
def test_namespaces_of_the_host_are_seen_by_their_number(name, key, kind):
    assert value(name, process=examples.process(namespaces={kind: 1})) == "host"
    assert value(name, **{f"host__{key}": "host"}) == "host"
    assert value(name) != "host"


def test_other_containers_are_called_by_their_names():
    names = {"aa" * 32: "agent", "bb" * 32: "db"}
    assert subject(names=names, host__PidMode="container:" + "aa" * 32).value("pid_mode") == "container:agent"
    assert subject(names=names, host__PidMode="container:" + "aa" * 6).value("pid_mode") == "container:agent"
    assert subject(names=names, host__PidMode="container:db").value("pid_mode") == "container:db"
    assert subject(names=names, host__PidMode="container:" + "cc" * 32).value("pid_mode") == "container:" + "cc" * 6
    assert subject(names=names, host__VolumesFrom=["bb" * 32 + ":ro"]).value("volumes_from") == ("db",)


def test_a_cgroup_namespace_is_the_daemons_default():
    assert value("cgroupns_mode") == "private"
    assert value("cgroupns_mode", process=examples.process(namespaces={"cgroup": 1})) == "host"
    assert value("cgroupns_mode", examples.engine(cgroup_version=1), running=False, host__CgroupnsMode="") == "host"
    assert isinstance(fact("cgroupns_mode", examples.engine(cgroup_version=None), running=False, host__CgroupnsMode=""), Unknown)


def test_networks():
    assert value("networks") == ("shop",)
    assert value("networks", settings__Networks={}, host__NetworkMode="default") == ("default",)
    assert value("networks", settings__Networks={}, host__NetworkMode="host") == ()
    assert value("macvlan_parents", settings__Networks={"segment": {}}) == ("macvlan on eth0",)
    assert isinstance(fact("macvlan_parents", examples.engine(networks=None)), Unknown)


# What of the host it sees.

BIND = {"Type": "bind", "Source": "/srv/x", "Destination": "/x", "Mode": "", "RW": True, "Propagation": "rprivate"}


def test_mounts():
    named = {"Type": "volume", "Name": "data", "Source": "/var/lib/docker/volumes/data/_data", "Destination": "/d", "RW": False}
    anonymous = {**named, "Name": "ef" * 32, "Destination": "/e"}
    found = value("mounts", top__Mounts=[BIND, named, anonymous], host__Tmpfs={"/tmp": "rw,size=1m", "/ro": "ro"})
    assert found == (
        Mount("bind", "/srv/x", "/x", False, "rprivate", "/srv/x"),
        Mount("volume", "data", "/d", True),
        Mount("volume", "", "/e", True),
        Mount("tmpfs", "", "/ro", True),
        Mount("tmpfs", "", "/tmp", False),
    )


def test_mounts_lead_where_somebody_looked():
    places = {"/x": examples.place("/etc", sockets=("/run/docker.sock",), replaceable="/srv belongs to ann")}
    found = subject(top__Mounts=[BIND], places=places)
    expected = Mount("bind", "/srv/x", "/x", False, "rprivate", "/etc", ("/run/docker.sock",), "/srv belongs to ann", looked=True)
    assert found.value("mounts") == (expected,)
    assert found.value("mounts_resolved") is True
    assert value("mounts_resolved", top__Mounts=[BIND]) is False


def test_the_kernel_says_whether_a_mount_is_read_only():
    process = examples.process(mounts=(*examples.PROCESS.mounts, ("/x", "ro,relatime", "ext4")))
    assert value("mounts", top__Mounts=[BIND], process=process)[0].read_only
    process = examples.process(mounts=(*examples.PROCESS.mounts, ("/x", "rw,relatime", "ext4")))
    assert not value("mounts", top__Mounts=[{**BIND, "RW": False}], process=process)[0].read_only


def test_a_list_with_odd_entries_is_partly_known():
    found = fact("mounts", top__Mounts=[7, {**BIND, "Source": "/etc"}])
    assert isinstance(found, Unknown) and found.partly is not None
    judged = {finding.rule: finding.status for finding in evaluate.judge([subject(top__Mounts=[7, {**BIND, "Source": "/etc"}])], RULES)}
    assert judged["mounts-no-sensitive-directories"] == model.FAIL
    assert judged["mounts-do-not-spread"] == model.UNKNOWN


def test_devices():
    devices = [{"PathOnHost": "/dev/sda", "PathInContainer": "/dev/x", "CgroupPermissions": "r"}, {"PathOnHost": "/dev/kvm"}]
    assert value("devices", host__Devices=devices) == (Device("/dev/sda", "/dev/x", "r"), Device("/dev/kvm"))
    assert value("device_requests", host__DeviceRequests=[{"Driver": "cdi", "DeviceIDs": ["v/gpu=0"]}, {"Count": -1}]) == (
        "cdi v/gpu=0",
        "any device of the default driver",
    )


def test_groups_that_own_sockets():
    assert value("api_socket_groups", host__GroupAdd=["998", "audio"]) == ("998",)
    assert value("api_socket_groups", examples.engine(api_groups=None)) == ()
    assert isinstance(fact("api_socket_groups", examples.engine(api_groups=None), host__GroupAdd=["998"]), Unknown)


# Network.


@pytest.mark.parametrize(
    ("bindings", "expected"),
    [
        ({"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}]}, (Port("0.0.0.0", 8080, 80), Port("::", 8080, 80))),
        ({"53/udp": [{"HostIp": "", "HostPort": "53"}]}, (Port("", 53, 53, "udp"),)),
        ({"443/tcp": None, "80/tcp": []}, ()),
        ({"80": [{"HostPort": ""}]}, (Port("", 0, 80),)),
    ],
)
def test_ports(bindings, expected):
    assert value("ports", settings__Ports=bindings) == expected


def test_ports_of_a_container_that_does_not_run_are_those_that_it_asks_for():
    assert value("ports", running=False, host__PortBindings={"80/tcp": [{"HostIp": "", "HostPort": "8000-8010"}]}) == (Port("", 8000, 80),)
    assert value("ports", running=False, host__PublishAllPorts=True, config__ExposedPorts={"80/tcp": {}}) == (Port("", 0, 80),)


def test_ports_that_cannot_be_read_are_unknown():
    for odd in ({"x/tcp": [{"HostPort": "1"}]}, {"80/tcp": [{"HostPort": "http"}]}, {"80/tcp": [7]}, {"80/tcp": "8080"}):
        found = fact("ports", settings__Ports=odd)
        assert isinstance(found, Unknown), odd


# Limits.


def test_limits_are_those_of_the_kernel():
    assert value("memory", process=examples.process(limits={"memory.max": "max"})) == 0
    assert value("memory", process=examples.process(limits={"memory.max": "1024"})) == 1024
    v1 = Process(status={}, limits={"memory.limit_in_bytes": "9223372036854771712"})
    assert value("memory", process=v1) == 0
    assert value("pids_limit", process=examples.process(limits={"pids.max": "max"})) == 0
    assert value("memory", running=False, host__Memory=5) == 5
    assert value("pids_limit", running=False, host__PidsLimit=-1) == 0
    assert value("pids_limit", running=False, host__PidsLimit=None) == 0


def test_restarts():
    assert value("restart_policy", host__RestartPolicy={"Name": "", "MaximumRetryCount": 0}) == "no"
    assert value("restart_retries", host__RestartPolicy={"Name": "on-failure", "MaximumRetryCount": 3}) == 3
    assert isinstance(fact("restart_policy", host__RestartPolicy={"Name": 7}), Unknown)


@pytest.mark.parametrize(
    ("check", "expected"),
    [(None, "none"), ({"Test": ["NONE"]}, "disabled"), ({"Test": ["CMD", "<withheld>"]}, "defined"), ({"Test": []}, "none"), ({}, "none")],
)
def test_healthchecks(check, expected):
    assert value("healthcheck", config__Healthcheck=check) == expected


def test_a_healthcheck_of_the_image_is_the_images():
    engine = examples.engine(images={examples.IMAGE: {"Config": {"Healthcheck": {"Test": ["CMD", "<withheld>"]}, "User": "app"}}})
    assert value("healthcheck", engine) == "image"
    assert value("image_user", engine) == "app"


def test_a_missing_healthcheck_is_none():
    look = examples.look()
    del look.inspect["Config"]["Healthcheck"]
    assert inspect.subject(look, examples.ENGINE).value("healthcheck") == "none"


def test_the_daemons_runtime_is_no_runtime_of_its_own():
    assert value("runtime") == ""
    assert value("runtime", host__Runtime="evil") == "evil"
    assert value("runtime", examples.engine(default_runtime="runsc")) == "runc"


def test_logs():
    assert value("log_driver") == "local" and value("log_bounded") is True
    endless = {"Type": "json-file", "Config": {}}
    assert value("log_bounded", host__LogConfig=endless) is False
    assert value("log_bounded", host__LogConfig={"Type": "json-file", "Config": {"max-size": "10m"}}) is True
    assert value("log_driver", host__LogConfig={"Type": "none"}) == "none"


# The rest.


def test_names_of_secrets_come_from_variables_labels_and_arguments():
    answer = {
        "Env": ["DB_PASSWORD=hunter2", "PATH=/bin"],
        "Labels": {"token": "hunter2"},
        "Cmd": ["--api-key=hunter2"],
        "Entrypoint": None,
        "Healthcheck": {"Test": ["CMD", "--password", "hunter2"]},
    }
    config = secrets.container({"Config": answer})["Config"]
    found = value("secret_names", **{f"config__{name}": item for name, item in config.items()})
    assert found == ("DB_PASSWORD", "label token", "argument --api-key", "healthcheck argument --password")


def test_an_address_of_an_api_is_seen():
    assert value("docker_host", config__Env=["DOCKER_HOST=tcp://proxy:2375"]) == "tcp://proxy:2375"
    assert value("docker_host") == ""


def test_what_a_new_container_would_have_is_said():
    assert value("stale") == ()
    engine = examples.engine(no_new_privileges=True, log=LogConfig("", "journald", {}), tags={"registry.example.com/shop/web:1.4": "sha256:" + "cd" * 32})
    found = value("stale", engine, host__SecurityOpt=None, process=examples.process(status={"NoNewPrivs": "0"}))
    assert len(found) == 3
    assert "no-new-privileges" in found[0] and "journald" in found[1] and "sha256:" in found[2]
    assert isinstance(fact("stale", examples.engine(log=None)), Unknown)


def test_a_setting_of_its_own_is_not_stale():
    engine = examples.engine(no_new_privileges=True)
    process = examples.process(status={"NoNewPrivs": "0"})
    assert value("stale", engine, host__SecurityOpt=["no-new-privileges=false"], process=process) == ()


# What the engine says.


def test_facts_of_the_engine():
    info = {
        "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=userns", "name=cgroupns"],
        "CgroupVersion": "2",
        "DefaultRuntime": "runc",
        "ServerVersion": "29.7.2",
    }
    look = EngineLook(
        "docker",
        info=info,
        version={"Version": "29.7.2"},
        images=({"Id": "sha256:1", "RepoTags": ["web:1"]}, {"Id": 7}),
        networks=({"Name": "segment", "Driver": "macvlan", "Options": {"parent": "eth0"}}, {"Name": 7}),
        containers=(examples.look(),),
    )
    found = inspect.engine_facts(look, DaemonLook(config={"log-driver": "local"}), {"shop": "complain"}, ["998"])
    assert (found.version, found.cgroup_version, found.apparmor, found.selinux, found.userns_remap, found.rootless) == ("29.7.2", 2, True, False, True, False)
    assert (found.seccomp, found.seccomp_opens, found.no_new_privileges) == ("builtin", (), False)
    assert found.log == LogConfig("", "local", {}) and found.tags == {"web:1": "sha256:1"}
    assert found.networks == {"segment": ("macvlan", "eth0")} and found.api_groups == {"998"}
    assert inspect.names_by_id(look) == {examples.ID: "web"}


def test_an_engine_that_says_nothing_is_not_known():
    found = inspect.engine_facts(EngineLook(errors={"networks": "denied"}))
    assert (found.cgroup_version, found.apparmor, found.selinux, found.userns_remap, found.rootless, found.no_new_privileges) == (None,) * 6
    assert (found.seccomp, found.seccomp_opens, found.networks, found.log, found.api_groups) == ("", None, None, None, None)


@pytest.mark.parametrize(
    ("options", "profile", "kind", "opens"),
    [
        (["name=seccomp,profile=default"], None, "builtin", ()),
        (["name=seccomp,profile=unconfined"], None, "unconfined", None),
        (["name=seccomp,profile=/etc/docker/s.json"], None, "custom", None),
        (
            ["name=seccomp,profile=/etc/docker/s.json"],
            {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["bpf"], "action": "SCMP_ACT_ALLOW"}]},
            "custom",
            ("bpf",),
        ),
        (["name=seccomp,profile=/etc/docker/s.json"], {"syscalls": 7}, "custom", None),
        ([], None, "unconfined", None),
    ],
)
def test_the_daemons_seccomp_profile(options, profile, kind, opens):
    found = inspect.engine_facts(EngineLook(info={"SecurityOptions": options}), DaemonLook(seccomp_profile=profile))
    assert (found.seccomp, found.seccomp_opens) == (kind, opens)


def test_no_new_privileges_of_the_daemon():
    quiet = EngineLook(info={"SecurityOptions": []})
    assert inspect.engine_facts(quiet, DaemonLook(config={"no-new-privileges": True})).no_new_privileges is True
    assert inspect.engine_facts(quiet, DaemonLook(config={}, flags={"no-new-privileges": ["true"]})).no_new_privileges is True
    assert inspect.engine_facts(quiet, DaemonLook(config={}, flags={"no-new-privileges": ["false"]})).no_new_privileges is False
    assert inspect.engine_facts(quiet, DaemonLook(config=None)).no_new_privileges is None


# Answers that nobody should give.


@pytest.mark.parametrize("part", ["HostConfig", "Config", "State", "Mounts", "NetworkSettings"])
@pytest.mark.parametrize("odd", [None, [], "x", 7, True])
def test_a_part_that_is_missing_or_of_another_kind_passes_nothing_that_it_decides(part, odd):
    look = examples.look(running=False)
    look.inspect[part] = odd
    found = inspect.subject(look, examples.ENGINE)
    decided = {
        "HostConfig": ["privileged", "cap_add", "capabilities", "seccomp", "no_new_privileges", "pid_mode", "devices", "memory", "read_only_rootfs", "ports"],
        "Config": ["user", "uid", "working_dir", "secret_names", "docker_host", "healthcheck", "image"],
        "State": ["running"],
        "Mounts": ["mounts"] if odd not in (None, []) else [],
        "NetworkSettings": [],
    }[part]
    for name in decided:
        assert isinstance(found.facts[name], Unknown), name


def test_an_empty_answer_passes_nothing():
    for answer in ({}, {"Id": "1"}, {"HostConfig": {}, "Config": {}, "State": {}}):
        for engine in (examples.ENGINE, inspect.EngineFacts()):
            judged = evaluate.judge([inspect.subject(ContainerLook(answer), engine)], RULES)
            passed = [finding.rule for finding in judged if finding.status == model.PASS]
            # That the host has cgroup v2 is known of the host.
            assert set(passed) <= {"cgroup-release-agent-out-of-reach"}, passed


SCALARS = st.none() | st.booleans() | st.integers(-5, 10) | st.text(max_size=8) | st.sampled_from(["host", "0", "container:x", "/etc", "\x1b[2J", "\ud800"])
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3), max_leaves=8)


def paths_of(holder: t.Any, path: tuple[str, ...] = ()) -> t.Iterator[tuple[str, ...]]:
    for key, item in holder.items():
        yield (*path, key)
        if isinstance(item, dict):
            yield from paths_of(item, (*path, key))


PATHS = sorted(paths_of(examples.ANSWER))


def changed(changes: t.Mapping[tuple[str, ...], t.Any]) -> dict[str, t.Any]:
    answer = copy.deepcopy(examples.ANSWER)
    for path, item in changes.items():
        holder: t.Any = answer
        for key in path[:-1]:
            holder = holder.get(key) if isinstance(holder, dict) else None
        if isinstance(holder, dict):
            holder[path[-1]] = item
    return answer


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(PATHS), JSON, max_size=6), st.booleans())
def test_no_answer_is_too_odd(changes, runs):
    look = ContainerLook(changed(changes), examples.PROCESS if runs else None)
    found = inspect.subject(look, examples.ENGINE)
    assert set(found.facts) == set(vocabulary.WORKLOAD)
    for finding in evaluate.judge([found], RULES, "h1"):
        assert finding.severity in severity.SEVERITIES
        assert finding.reason or finding.evidence


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(st.text(max_size=8) | st.sampled_from(["Id", "Name", "Mounts", "Config", "HostConfig", "State"]), JSON, max_size=6))
def test_nothing_is_passed_out_of_nothing(answer):
    for holder in ("HostConfig", "Config"):
        if isinstance(answer.get(holder), dict):
            # What is there is there; here nothing that the API has is.
            answer[holder] = {key: item for key, item in answer[holder].items() if key not in examples.ANSWER[holder]}
    answer.pop("Mounts", None)
    judged = evaluate.judge([inspect.subject(ContainerLook(answer), inspect.EngineFacts())], RULES)
    assert [finding.rule for finding in judged if finding.status == model.PASS] == []


@settings(deadline=None, max_examples=100)
@given(
    st.builds(
        Process,
        status=st.dictionaries(st.sampled_from(["Uid", "NoNewPrivs", "Seccomp", "CapBnd"]), st.text(max_size=12)),
        uid_map=st.lists(st.tuples(*[st.integers(0, 10)] * 3), max_size=2).map(tuple),
        label=st.text(max_size=20),
        namespaces=st.dictionaries(st.sampled_from(["pid", "net"]), st.integers(0, 3)),
        host_namespaces=st.dictionaries(st.sampled_from(["pid", "net"]), st.integers(0, 3)),
        mounts=st.lists(st.tuples(st.sampled_from(["/", "/proc/sys", "/sys", "relative", ""]), st.text(max_size=6), st.text(max_size=6)), max_size=4).map(
            tuple
        ),
        limits=st.dictionaries(st.sampled_from(["memory.max", "pids.max", "cpu.max"]), st.text(max_size=8) | st.just("9" * 400)),
        programs=st.none() | st.just(frozenset({"\x1b"})),
        error=st.sampled_from(["", "denied"]),
    )
)
def test_no_process_is_too_odd(process):
    found = inspect.subject(examples.look(process=process), examples.ENGINE)
    assert set(found.facts) == set(vocabulary.WORKLOAD)
    evaluate.judge([found], RULES)


def test_long_values_take_no_time():
    long = "a/" * 500_000
    look = examples.look(
        config__Env=[f"{long}={long}"],
        config__Labels={long: long},
        config__WorkingDir="/" + long,
        top__Mounts=[{**BIND, "Source": "/" + long, "Destination": "/" + long}],
    )
    before = time.process_time()
    evaluate.judge([inspect.subject(ContainerLook(secrets.container(look.inspect), look.process), examples.ENGINE)], RULES)
    assert time.process_time() - before < 15


def test_a_thousand_containers_take_about_a_millisecond_each():
    raw = json.loads(json.dumps(examples.ANSWER))
    before = time.process_time()
    subjects = [inspect.subject(ContainerLook(secrets.container(raw), examples.PROCESS), examples.ENGINE) for _number in range(200)]
    evaluate.judge(subjects, RULES, "h1")
    # Ten times what it takes on an idle machine.
    assert (time.process_time() - before) / 200 < 0.01


def test_the_daemons_ulimits_in_a_container_are_not_its_own():
    mine, default = {"Name": "nproc", "Soft": 10, "Hard": 20}, {"Name": "nofile", "Soft": 1024, "Hard": 2048}
    engine = inspect.engine_facts(EngineLook(), DaemonLook(config={"default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048}}}))
    assert value("ulimits", engine, host__Ulimits=[default]) == ()
    assert value("ulimits", engine, host__Ulimits=[default, mine]) == ("nproc",)
    assert value("ulimits", engine, host__Ulimits=[{**default, "Hard": 4096}]) == ("nofile",)
    flag = inspect.engine_facts(EngineLook(), DaemonLook(config={}, flags={"default-ulimit": ["nofile=1024:2048"]}))
    assert value("ulimits", flag, host__Ulimits=[default]) == ()
    unread = inspect.engine_facts(EngineLook(), DaemonLook(config=None, config_error="denied"))
    assert isinstance(fact("ulimits", unread, host__Ulimits=[default]), Unknown)
    assert value("ulimits", unread, host__Ulimits=None) == ()
