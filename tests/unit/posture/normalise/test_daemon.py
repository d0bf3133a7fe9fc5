# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The daemon's facts: what it says counts before its file, the file and the flags before the release's default."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import daemon, inspect
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import DaemonLook, EngineLook, Policy
from ansible_collections.bulkhead.docker.tests.unit.posture.normalise import engine_examples as examples
from ansible_collections.bulkhead.docker.tests.unit.posture.normalise import examples as container_examples


def facts(engine: EngineLook | None = None, look: DaemonLook | None = None, policy: Policy | None = None) -> dict[str, t.Any]:
    engine = engine or examples.engine()
    look = look or examples.daemon()
    used = {str(found.inspect.get("Image")) for found in engine.containers}
    return daemon.facts(engine, look, policy or Policy(), inspect.engine_facts(engine, look), used)


def value(name: str, *args: t.Any, **kwargs: t.Any) -> t.Any:
    found = facts(*args, **kwargs)[name]
    assert isinstance(found, Fact), found
    return found.value


def test_a_provisioned_host_is_read_as_it_is():
    found = {name: fact.value for name, fact in facts().items()}
    assert found == {
        "rootless": False,
        "icc": False,
        "log_level": "info",
        "debug": False,
        "iptables": True,
        "firewall_backend": "iptables",
        "insecure_registries": (),
        "storage_driver": "overlay2",
        "image_store": "overlay2",
        "listeners": (),
        "tcp_listening": (),
        "api_on_bridges": (),
        "tls_verify": False,
        "default_ulimits": ("nofile",),
        "userns_remap": True,
        "cgroup_parent": "containers.slice",
        "storage_opts": (),
        "authorization_plugins": (),
        "authorization_plugins_live": (),
        "authorization_from_flags": (),
        "log_driver": "local",
        "log_opts": ("max-file", "max-size"),
        "log_bounded": True,
        "log_remote": False,
        "central_log_drivers": (),
        "no_new_privileges": True,
        "live_restore": True,
        "swarm_active": False,
        "userland_proxy": True,
        "seccomp": "builtin",
        "seccomp_opens": (),
        "experimental": False,
        "config_problems": (),
        "pending_keys": (),
        "runtimes": {"io.containerd.runc.v2": "runc", "runc": "runc"},
        "default_runtime": "runc",
        "metrics_address": "",
        "diagnostic_port": 0,
        "min_api_version": "1.40",
        "usual_min_api_version": "1.40",
        "allow_direct_routing": False,
        "engine_warnings": (),
        "server_version": "29.9.0",
        "containers": (1, 0),
        "images": (1, 0),
        "default_address_pools": 2,
        "unanswered": (),
    }


@pytest.mark.parametrize(
    ("flags", "name", "expected"),
    [
        ({"log-level": ["warn"]}, "log_level", "warn"),
        ({"iptables": ["false"]}, "iptables", False),
        ({"userland-proxy": ["0"]}, "userland_proxy", False),
        ({"metrics-addr": ["0.0.0.0:9323"]}, "metrics_address", "0.0.0.0:9323"),
        ({"network-diagnostic-port": ["7000"]}, "diagnostic_port", 7000),
        ({"storage-opt": ["dm.basesize=20G"]}, "storage_opts", ("dm.basesize=20G",)),
        ({"default-ulimit": ["nofile=1024:2048", "nproc=10"]}, "default_ulimits", ("nofile", "nproc")),
        ({"cgroup-parent": ["system.slice"]}, "cgroup_parent", "system.slice"),
        ({"authorization-plugin": ["opa", "audit"]}, "authorization_from_flags", ("opa", "audit")),
        ({"host": ["fd://", "tcp://0.0.0.0:2375"]}, "listeners", ("tcp://0.0.0.0:2375",)),
        ({"allow-direct-routing": ["true"]}, "allow_direct_routing", True),
        ({"tlsverify": ["true"]}, "tls_verify", True),
        ({"tlsverify": ["false"]}, "tls_verify", False),
        ({"tls": ["true"]}, "tls_verify", True),
    ],
)
def test_flags_count(flags, name, expected):
    look = examples.daemon(without=("default-ulimits", "cgroup-parent"), flags=flags)
    assert value(name, look=look) == expected


@pytest.mark.parametrize("flags", [{"iptables": ["maybe"]}, {"iptables": [""]}])
def test_a_flag_that_says_nothing_is_unknown(flags):
    assert isinstance(facts(look=examples.daemon(flags=flags))["iptables"], Unknown)


def test_a_file_that_was_denied_leaves_unknown_what_no_flag_says():
    look = DaemonLook(config_error="denied: /etc/docker/daemon.json", flags={"log-level": ["info"]})
    found = facts(look=look)
    assert found["log_level"].value == "info"
    for name in ("iptables", "userland_proxy", "listeners", "default_ulimits", "authorization_plugins", "config_problems", "pending_keys", "log_bounded"):
        assert isinstance(found[name], Unknown) and "denied" in found[name].reason, name
    # What the daemon says of itself is known all the same.
    assert found["live_restore"].value is True and found["icc"].value is False


def test_a_file_that_is_no_json_is_a_problem():
    look = examples.daemon(config_error="/etc/docker/daemon.json line 3 holds no key")
    found = facts(look=dataclasses.replace(look, config=None, config_text="{,"))
    assert found["config_problems"].value == ("/etc/docker/daemon.json line 3 holds no key",)


def test_flags_that_are_not_known_leave_unknown_what_the_file_does_not_say():
    look = examples.daemon(flags={}, flags_error="denied: this account may not read the arguments of dockerd")
    found = facts(look=look)
    assert found["cgroup_parent"].value == "containers.slice"
    for name in ("iptables", "log_level", "listeners", "authorization_from_flags", "config_problems"):
        assert isinstance(found[name], Unknown), name


def test_a_value_of_a_wrong_kind_is_unknown_and_a_problem():
    look = examples.daemon({"iptables": "false"})
    found = facts(look=look)
    assert isinstance(found["iptables"], Unknown)
    assert any("iptables" in problem for problem in found["config_problems"].value)


def test_icc_is_what_the_bridge_has_not_what_the_file_says():
    networks = [examples.put(network) for network in examples.NETWORKS]
    networks[0]["Options"]["com.docker.network.bridge.enable_icc"] = "true"
    assert value("icc", examples.engine(networks=tuple(networks))) is True
    assert value("icc", examples.engine(networks=tuple(networks[1:]))) is False
    assert isinstance(facts(examples.engine(networks=(), errors={"networks": "denied"}))["icc"], Unknown)


def test_a_warning_of_the_daemon_counts_before_tlsverify():
    warning = "[DEPRECATION NOTICE]: API is accessible on https://0.0.0.0:2376 without TLS client verification."
    look = examples.daemon({"hosts": ["tcp://0.0.0.0:2376"], "tlsverify": True}, flags={})
    found = facts(examples.engine({"Warnings": [warning]}), look)
    assert found["tls_verify"].value is False
    assert facts(look=look)["tls_verify"].value is True


def test_tls_without_an_address_is_tcp_on_loopback():
    look = examples.daemon({"tls": True}, flags={})
    assert value("listeners", look=look) == ("tcp://localhost:2376",)


@pytest.mark.parametrize(
    ("listening", "expected"),
    [
        ((), ()),
        (("0.0.0.0:2375",), ("0.0.0.0:2375",)),
        (("[::]:8443",), ()),
        (("127.0.0.1:9323",), ()),
        (("0.0.0.0:2377", "[::]:7946"), ()),
    ],
)
def test_sockets_of_systemd_are_told_from_published_ports_metrics_and_the_swarm(listening, expected):
    # dockerd itself listens on the ports that containers publish, so not every socket is the API.
    container = container_examples.look(host__PortBindings={"443/tcp": [{"HostIp": "", "HostPort": "8443"}]})
    look = examples.daemon({"metrics-addr": "127.0.0.1:9323"}, listening=listening)
    assert value("tcp_listening", examples.engine(containers=(container,)), look) == expected


def test_without_socket_activation_only_declared_addresses_are_the_api():
    look = examples.daemon({"hosts": ["unix:///run/docker.sock", "tcp://10.0.0.1:2376"]}, flags={}, listening=("10.0.0.1:2376", "0.0.0.0:8443"))
    assert value("tcp_listening", look=look) == ("10.0.0.1:2376",)


def test_sockets_that_nobody_could_list_are_unknown():
    found = facts(look=examples.daemon(listening=None))
    assert isinstance(found["tcp_listening"], Unknown)
    assert isinstance(found["api_on_bridges"], Unknown) and found["api_on_bridges"].partly == Fact((), found["api_on_bridges"].partly.source)
    engine = examples.engine(containers=(), errors={"containers": "denied"})
    assert isinstance(facts(engine, examples.daemon(listening=("0.0.0.0:8443",)))["tcp_listening"], Unknown)


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (["tcp://0.0.0.0:2375"], ("0.0.0.0:2375",)),
        (["tcp://:2375"], (":2375",)),
        (["tcp://172.17.1.1:2376"], ("172.17.1.1:2376",)),
        (["tcp://10.0.0.1:2376", "unix:///run/docker.sock"], ()),
        (["tcp://127.0.0.1:2375"], ()),
    ],
)
def test_the_gateway_of_a_network_is_reached_by_its_containers(hosts, expected):
    assert value("api_on_bridges", look=examples.daemon({"hosts": hosts}, flags={})) == expected


def test_insecure_registries_are_those_besides_loopback():
    indexes = {"localhost:5000": {"Secure": False}, "reg:5000": {"Secure": False}}
    config = {"InsecureRegistryCIDRs": ["127.0.0.0/8", "::1/128", "0.0.0.0/0"], "IndexConfigs": indexes}
    assert value("insecure_registries", examples.engine({"RegistryConfig": config})) == ("0.0.0.0/0", "reg:5000")


def test_what_waits_for_a_restart_is_told():
    engine = examples.engine({"SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"], "LiveRestoreEnabled": False})
    pending = " ".join(facts(engine)["pending_keys"].value)
    for key in ("userns-remap", "no-new-privileges", "live-restore"):
        assert key in pending
    config = {"InsecureRegistryCIDRs": ["127.0.0.0/8"], "IndexConfigs": {"reg:5000": {"Secure": False}}, "Mirrors": None}
    assert "reg:5000" in " ".join(value("pending_keys", examples.engine({"RegistryConfig": config})))
    look = examples.daemon({"authorization-plugins": ["opa"], "min-api-version": "1.44"})
    found = " ".join(value("pending_keys", look=look))
    assert "opa" in found and "1.44" in found


def test_problems_say_line_and_key_and_no_secret():
    text = '{\n  "security": {"icc": false},\n  "log-driver": "splunk",\n  "log-opts": {"splunk-token": "0123-secret", "splunk-url": "x"}\n}\n'
    look = examples.daemon(config_text=text)
    found = facts(look=dataclasses.replace(look, config=json.loads(text)))["config_problems"].value
    assert any("line 2" in problem and "security" in problem for problem in found)
    assert not any("0123-secret" in problem for problem in found)


def test_a_flag_and_a_key_of_one_setting_are_a_problem():
    look = examples.daemon({"hosts": ["unix:///run/docker.sock"]})
    assert any("hosts" in problem for problem in value("config_problems", look=look))


@pytest.mark.parametrize(
    ("driver", "options", "bounded", "remote"),
    [
        ("local", {}, True, False),
        ("json-file", {}, False, False),
        ("json-file", {"max-size": "10m"}, True, False),
        ("json-file", {"max-file": "3"}, False, False),
        ("none", {}, True, False),
        ("journald", {}, True, False),
        ("fluentd", {"fluentd-address": "tcp://logs:24224"}, True, True),
        ("syslog", {"syslog-address": "udp://logs:514"}, True, True),
        ("some/plugin", {}, True, False),
    ],
)
def test_logs(driver, options, bounded, remote):
    look = examples.daemon({"log-driver": driver, "log-opts": options})
    found = facts(examples.engine({"LoggingDriver": driver}), look)
    assert found["log_bounded"].value is bounded
    assert found["log_remote"].value is remote


def test_options_of_another_driver_than_the_one_that_runs_say_nothing():
    found = facts(examples.engine({"LoggingDriver": "json-file"}))
    assert found["log_driver"].value == "json-file"
    assert isinstance(found["log_bounded"], Unknown) and isinstance(found["log_remote"], Unknown)


def test_a_warning_about_raw_rules_counts_before_the_file():
    engine = examples.engine({"Warnings": ["WARNING: DOCKER_INSECURE_NO_IPTABLES_RAW is set"]})
    assert value("allow_direct_routing", engine) is True
    assert value("allow_direct_routing", look=examples.daemon(environment={"DOCKER_INSECURE_NO_IPTABLES_RAW": "1"})) is True
    assert value("allow_direct_routing", look=examples.daemon({"allow-direct-routing": True})) is True


def test_the_containerd_store_is_told_from_a_driver():
    engine = examples.engine({"Driver": "overlayfs", "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]})
    assert value("image_store", engine) == "containerd, overlayfs"


def test_an_engine_that_says_nothing_is_unknown_where_nothing_else_tells():
    found = facts(examples.engine(version={}, info={"ServerVersion": None}))
    for name in ("server_version", "usual_min_api_version", "config_problems", "iptables"):
        assert isinstance(found[name], Unknown), name
    engine = EngineLook(product="docker", version=dict(examples.VERSION))
    found = facts(engine)
    for name in ("rootless", "userns_remap", "seccomp", "live_restore", "experimental", "storage_driver", "log_driver", "runtimes", "containers"):
        assert isinstance(found[name], Unknown), name


def test_unused_images_are_counted():
    unused = examples.put(examples.IMAGE, Id="sha256:" + "00" * 32, RepoTags=["old:1"], RepoDigests=[])
    assert value("images", examples.engine(images=(examples.IMAGE, unused))) == (2, 1)
    assert isinstance(facts(examples.engine(images=(), errors={"images": "denied"}))["images"], Unknown)
    assert isinstance(facts(examples.engine(errors={"containers": "denied"}))["images"], Unknown)
