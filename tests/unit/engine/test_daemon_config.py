# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_config
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_config import Context
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import parse

HARDENED = {
    "icc": False,
    "live-restore": True,
    "userland-proxy": False,
    "no-new-privileges": True,
    "log-driver": "json-file",
    "log-opts": {"max-size": "10m", "max-file": "5"},
    "userns-remap": "dockremap",
    "storage-driver": "overlay2",
    "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 65536, "Hard": 65536}},
    "default-address-pools": [{"base": "172.26.0.0/16", "size": 24}],
    "cgroup-parent": "docker.slice",
    "max-concurrent-downloads": 6,
}


def found(config, version="28.5.2", **context):
    return daemon_config.problems(config, parse(version), Context(**context))


@pytest.mark.parametrize("version", ["20.10.24+dfsg1", "23.0.6", "26.1.5+dfsg1", "28.5.2+dfsg3", "29.7.2"])
def test_a_hardened_configuration_is_fine_everywhere(version):
    assert found(HARDENED, version) == []


@pytest.mark.parametrize(
    ("config", "version"),
    [
        ({}, "20.10.24"),
        ({"debug": True, "labels": ["a=b", "c=d"], "default-shm-size": "128m"}, "20.10.24"),
        ({"runtimes": {"crun": {"path": "/usr/bin/crun"}}, "default-runtime": "crun"}, "20.10.24"),
        ({"runtimes": {"nvidia": {"args": [], "path": "nvidia-container-runtime"}}}, "28.5.2"),
        ({"default-runtime": "io.containerd.runsc.v1"}, "24.0.0"),
        ({"features": {"containerd-snapshotter": False}, "storage-driver": "overlay2"}, "29.7.2"),
        ({"features": {"containerd-snapshotter": True}, "storage-driver": "overlayfs"}, "28.5.2"),
        ({"storage-driver": "overlayfs"}, "29.0.1"),
        ({"userns-remap": "dockremap:dockremap", "features": {"containerd-snapshotter": False}}, "29.7.2"),
        ({"proxies": {"http-proxy": "http://u:p@proxy:3128", "no-proxy": "localhost"}}, "23.0.0"),
        ({"builder": {"gc": {"enabled": True, "defaultKeepStorage": "10GB"}}}, "20.10.24"),
        (
            {
                "builder": {
                    "GC": {"Enabled": True, "Policy": [{"All": True}]},
                    "History": {"MaxAge": "24h", "MaxEntries": 5},
                }
            },
            "28.5.2",
        ),
        ({"hosts": ["unix:///run/docker.sock", "fd://"]}, "28.5.2"),
        (
            {
                "hosts": ["tcp://10.0.0.1:2376"],
                "tlsverify": True,
                "tlscacert": "/c",
                "tlscert": "/d",
                "tlskey": "/k",
            },
            "28.5.2",
        ),
        ({"cgroup-parent": "/docker", "exec-opts": ["native.cgroupdriver=cgroupfs"]}, "28.5.2"),
        ({"storage-driver": "overlay2", "storage-opts": ["overlay2.size=10G"]}, "28.5.2"),
        ({"storage-driver": "devicemapper", "storage-opts": ["dm.basesize=20G"]}, "24.0.0"),
        ({"metrics-addr": "127.0.0.1:9323", "insecure-registries": ["10.0.0.0/8", "reg.example.org:5000"]}, "28.5.2"),
        ({"default-network-opts": {"bridge": {"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"}}}, "28.5.2"),
        ({"ip6tables": True, "experimental": True}, "26.1.5"),
        ({"ip6tables": True}, "27.0.0"),
        ({"bridge": "none", "iptables": False}, "28.5.2"),
        ({"default-ulimits": {"core": {"Name": "core", "Soft": 0, "Hard": 0}}}, "28.5.2"),
        ({"default-ulimits": {"memlock": {"Name": "memlock", "Soft": -1, "Hard": -1}}}, "28.5.2"),
        ({"seccomp-profile": "builtin"}, "23.0.0"),
        ({"seccomp-profile": "/etc/docker/s.json"}, "20.10.24"),
        ({"registry-mirrors": ["https://mirror.example.org"]}, "28.5.2"),
        ({"firewall-backend": "nftables"}, "29.0.0"),
        ({"bridge-accept-fwmark": "0x1/0x3"}, "29.0.0"),
        ({"min-api-version": "1.44"}, "29.0.0"),
        ({"nri-opts": {"enable": True}}, "29.2.0"),
        ({"authorization-plugins": ["opa-docker-authz"]}, "28.5.2"),
        ({"log-level": "warn", "log-format": "json"}, "28.5.2"),
        ({"node-generic-resources": ["gpu=a", "gpu=b", "ssd=2"]}, "28.5.2"),
        ({"dns-search": [".", "lab.example."]}, "28.5.2"),
        ({"host-gateway-ips": ["10.0.0.1", "fd00::1"]}, "28.5.2"),
        ({"ipv6": True, "fixed-cidr-v6": "fd00:26::/64"}, "26.1.5"),
        ({"ipv6": True}, "27.0"),
        ({"bip": "172.26.0.1/16", "fixed-cidr": "172.26.8.0/24", "default-gateway": "172.26.0.9"}, "28.5.2"),
        ({"cdi-spec-dirs": ["/etc/cdi"], "features": {"cdi": True}}, "25.0"),
        ({"cdi-spec-dirs": ["/etc/cdi"]}, "28.2"),
        ({"builder": {"gc": {"policy": [{"maxUsedSpace": "9g", "filter": ["type=source.local", "unused-for=48h"]}]}}}, "28.0"),
        ({"builder": {"entitlements": {"device": True}}}, "29.0"),
        ({"runtimes": {"a": {"runtimeType": "io.containerd.runsc.v1", "options": {"ConfigPath": "/x"}}}}, "23.0"),
        ({"default-network-opts": {"bridge": {"com.docker.network.bridge.gateway_mode_ipv6": "routed"}}}, "27.0"),
    ],
)
def test_good(config, version):
    assert found(config, version) == []


# What `dockerd --validate` 29.7.2 accepts although the daemon later fails or ignores it.
ACCEPTED_BY_DOCKERD = [
    ({"security": {"no-new-privileges": True, "icc": False}}, "security", "no section of daemon.json"),
    ({"http-proxy": "http://p:3128"}, "http-proxy", "inside proxies"),
    ({"containerd-plugins-namespace": "x"}, "containerd-plugins-namespace", "ignores it"),
    ({"debug": None}, "debug", "null"),
    ({"storage-driver": "bogus"}, "storage-driver", "does not have"),
    ({"storage-driver": "aufs"}, "storage-driver", "left with Docker 24.0"),
    ({"log-driver": "bogus"}, "log-driver", "is unknown"),
    ({"log-opts": {"max-sise": "1m"}}, "log-opts.max-sise", "did you mean max-size"),
    ({"default-ulimits": {"nofiles": {"Name": "nofiles", "Soft": 1, "Hard": 1}}}, "default-ulimits", "no limit"),
    ({"bip": "garbage"}, "bip", "address with a prefix length"),
    ({"bridge": "br0", "bip": "172.26.0.1/16"}, "bip", "excludes bridge"),
    ({"bridge": "br0", "bip6": "fd00::1/64"}, "bip6", "excludes bridge"),
    ({"default-address-pools": [{"base": "172.26.0.0/16", "size": 33}]}, "default-address-pools", "between 16 and 32"),
    ({"cgroup-parent": "docker"}, "cgroup-parent", "name of a slice"),
    ({"cgroup-parent": ".slice"}, "cgroup-parent", "name of a slice"),
    ({"data-root": "docker"}, "data-root", "relative path"),
    ({"seccomp-profile": "unconfined"}, "seccomp-profile", "switches seccomp off"),
    ({"seccomp-profile": "profile.json"}, "seccomp-profile", "absolute path"),
    ({"default-runtime": "missing"}, "default-runtime", "runtimes does not hold"),
    ({"runtimes": {"a": {"path": ""}}}, "runtimes", "neither path nor runtimeType"),
    ({"runtimes": {"runc": {"path": "/usr/bin/evil"}}}, "runtimes", "cannot be replaced"),
    ({"features": {"container-snapshotter": True}}, "features.container-snapshotter", "did you mean"),
    ({"features": {"zzz": True}}, "features.zzz", "no feature of the engine"),
    ({"default-network-opts": {"bridge": {"icc": "false"}}}, "default-network-opts", "unknown option 'icc'"),
    ({"default-network-opts": {"brigde": {}}}, "default-network-opts", "no network driver"),
    ({"min-api-version": "1.10"}, "min-api-version", "older than 1.24"),
    ({"hosts": ["0.0.0.0:2375"]}, "hosts", "names no scheme"),
    ({"hosts": ["tcp://0.0.0.0:2375"], "tls": False}, "hosts", "without tlsverify"),
    ({"hosts": ["tcp://0.0.0.0:2376"], "tls": True}, "hosts", "without tlsverify"),
    ({"insecure-registries": ["0.0.0.0/0"]}, "insecure-registries", "every registry"),
    ({"insecure-registries": ["::/0"]}, "insecure-registries", "every registry"),
    ({"metrics-addr": "0.0.0.0:9323"}, "metrics-addr", "every network"),
    ({"metrics-addr": ":9323"}, "metrics-addr", "every network"),
    ({"icc": False, "iptables": False}, "icc", "iptables is false"),
    ({"allow-nondistributable-artifacts": ["x"]}, "allow-nondistributable-artifacts", "left with Docker 28.1"),
    ({"deprecated-key-path": "/x"}, "deprecated-key-path", "left with Docker 24.0"),
]


def below(where, path):
    return where == path or where.startswith((f"{path}.", f"{path}["))


@pytest.mark.parametrize(("config", "where", "words"), ACCEPTED_BY_DOCKERD)
def test_what_dockerd_accepts(config, where, words):
    problems = found(config, "29.7.2")
    assert any(words in problem.message for problem in problems if below(problem.where, where))


@pytest.mark.parametrize(
    ("config", "version", "where", "words"),
    [
        ({"ICC": False}, "28.5.2", "ICC", "write icc"),
        ({"live_restore": True}, "28.5.2", "live_restore", "did you mean live-restore"),
        ({"label": ["a=b"]}, "28.5.2", "label", "did you mean labels"),
        ({"storage-opt": ["a=b"]}, "28.5.2", "storage-opt", "did you mean storage-opts"),
        ({"dns-opt": ["a"]}, "28.5.2", "dns-opt", "did you mean dns-opts"),
        ({"qwertz": 1}, "28.5.2", "qwertz", "remove it"),
        ({"logging": {"log-driver": "local"}}, "28.5.2", "logging", "move them to the top level"),
        ({"resolv-conf": "/x"}, "28.5.2", "resolv-conf", "does not start"),
        ({"graph": "/srv"}, "24.0.0", "graph", "use data-root"),
        ({"oom-score-adjust": -500}, "26.1.5", "oom-score-adjust", "OOMScoreAdjust"),
        ({"api-cors-header": "*"}, "28.5.2", "api-cors-header", "left with Docker 28.0"),
        ({"cluster-store": "consul://x"}, "26.1.5", "cluster-store", "swarm"),
        ({"log-format": "json"}, "24.0.0", "log-format", "came with Docker 25.0"),
        ({"default-network-opts": {}}, "20.10.24", "default-network-opts", "came with Docker 24.0"),
        ({"features": {"cdi": True}}, "24.0.0", "features.cdi", "came with Docker 25.0"),
        ({"features": {"cdi": "true"}}, "28.5.2", "features", "the string 'true'"),
        ({"icc": "false"}, "28.5.2", "icc", "the string 'false'"),
        ({"mtu": "1500"}, "28.5.2", "mtu", "whole number"),
        ({"mtu": -1}, "28.5.2", "mtu", "0 or more"),
        ({"labels": "a=b"}, "28.5.2", "labels", "a list of strings"),
        ({"labels": ["novalue"]}, "28.5.2", "labels", "not key=value"),
        ({"labels": ["a=b", "a=c"]}, "28.5.2", "labels", "two values"),
        ({"log-opts": {"max-file": 3, "max-size": "1m"}}, "28.5.2", "log-opts.max-file", "must be a string"),
        ({"log-opts": ["max-size=1m"]}, "28.5.2", "log-opts", "is a list"),
        ({"log-level": "warning"}, "28.5.2", "log-level", "only trace, debug"),
        ({"default-ipc-mode": "host"}, "28.5.2", "default-ipc-mode", "only private, shareable"),
        ({"dns": ["dns.example.org"]}, "28.5.2", "dns", "IP addresses"),
        ({"registry-mirrors": ["mirror.example.org"]}, "28.5.2", "registry-mirrors", "https://"),
        ({"registry-mirrors": ["https://u:secret@m.example.org"]}, "28.5.2", "registry-mirrors", "credentials"),
        ({"exec-opts": ["native.cgroupdriver=sytemd"]}, "28.5.2", "exec-opts", "only native.cgroupdriver"),
        ({"proxies": {"httpProxy": "x"}}, "28.5.2", "proxies", "unknown field"),
        ({"proxies": "http://x"}, "28.5.2", "proxies", "must be an object"),
        ({"builder": {"gcc": {}}}, "28.5.2", "builder", "unknown field 'gcc'"),
        ({"builder": {"gc": {"enabled": "yes"}}}, "28.5.2", "builder", "field 'enabled'"),
        ({"userns-remap": "default"}, "28.5.2", "userns-remap", "name the user"),
        ({"userns-remap": "root"}, "28.5.2", "userns-remap", "switches the remapping off"),
        (
            {"userns-remap": "dockremap", "features": {"containerd-snapshotter": True}},
            "29.7.2",
            "userns-remap",
            "cannot be combined",
        ),
        (
            {"storage-driver": "overlay2", "features": {"containerd-snapshotter": True}},
            "29.7.2",
            "storage-driver",
            "image store",
        ),
        (
            {"storage-driver": "overlayfz", "features": {"containerd-snapshotter": True}},
            "29.7.2",
            "storage-driver",
            "no snapshotter",
        ),
        ({"storage-driver": "devicemapper"}, "26.1.5", "storage-driver", "left with Docker 25.0"),
        ({"storage-driver": "overlayfs"}, "28.5.2", "storage-driver", "does not have"),
        ({"storage-opts": ["overlay2.override_kernel_check=true"]}, "24.0.0", "storage-opts", "no option"),
        ({"storage-driver": "overlay2", "storage-opts": ["zfs.fsname=a"]}, "28.5.2", "storage-opts", "overlay2"),
        ({"default-address-pools": {"base": "x"}}, "28.5.2", "default-address-pools", "a list of pools"),
        ({"default-address-pools": [{"base": "172.26.0.0", "size": 24}]}, "28.5.2", "default-address-pools", "prefix"),
        ({"default-address-pools": [{"base": "x/y", "size": 24}]}, "28.5.2", "default-address-pools", "no network"),
        (
            {"default-address-pools": [{"base": "172.26.0.0/16", "size": 24}, {"base": "172.26.8.0/24", "size": 28}]},
            "28.5.2",
            "default-address-pools",
            "overlaps",
        ),
        (
            {"default-ulimits": {"nofile": {"Name": "nofile", "Soft": 9, "Hard": 1}}},
            "28.5.2",
            "default-ulimits",
            "above",
        ),
        ({"default-ulimits": {"nofile": {"Soft": 1, "Hard": 1}}}, "28.5.2", "default-ulimits", "its name again"),
        ({"default-ulimits": {"nofile": {"name": "nofile"}}}, "28.5.2", "default-ulimits.nofile.name", "write Name"),
        ({"hosts": ["fd://", "tcp://10.0.0.1:2375"]}, "28.5.2", "hosts[1]", "without tlsverify"),
        ({"default-ulimits": {"nofile": 1024}}, "28.5.2", "default-ulimits", "must be an object"),
        ({"tlsverify": True}, "28.5.2", "tlscacert", "is missing"),
        ({"seccomp-profile": "builtin"}, "20.10.24", "seccomp-profile", "name of a file"),
        ({"ip6tables": True}, "26.1.5", "ip6tables", "experimental"),
        ({"icc": False, "ipv6": True, "ip6tables": False}, "28.5.2", "icc", "ip6tables"),
        ({"host-gateway-ip": "1.2.3.4", "host-gateway-ips": ["1.2.3.4"]}, "28.5.2", "host-gateway-ip", "old name"),
        ({"network-diagnostic-port": 70000}, "28.5.2", "network-diagnostic-port", "65535"),
        ({"bridge-accept-fwmark": "mark"}, "29.0.0", "bridge-accept-fwmark", "mark/mask"),
        ({"nri-opts": {"enabled": True}}, "29.2.0", "nri-opts", "unknown field"),
        ({"firewall-backend": "pf"}, "29.0.0", "firewall-backend", "iptables, nftables"),
        ({"runtimes": {"a": {"path": "/a", "arguments": []}}}, "28.5.2", "runtimes", "unknown field 'arguments'"),
        ({"runtimes": {"a": {"path": "/a", "args": ["--debug"]}}}, "28.5.2", "runtimes.a.args", "write them as runtimeArgs"),
        ({"runtimes": {"a": {"path": "/a", "runtimeType": "b"}}}, "28.5.2", "runtimes", "both"),
        ({"authorization-plugins": [""]}, "28.5.2", "authorization-plugins", "no name of a plugin"),
        ({"metrics-addr": "localhost"}, "28.5.2", "metrics-addr", "not address:port"),
        ({"min-api-version": "v1.44"}, "29.0.0", "min-api-version", "not a version"),
        ({"default-shm-size": 67108864}, "28.5.2", "default-shm-size", "in quotes"),
        ({"shutdown-timeout": 0}, "28.5.2", "shutdown-timeout", "is 0"),
        ({"mtu": 0}, "28.5.2", "mtu", "is 0"),
        ({"rootless": True}, "28.5.2", "rootless", "rootlesskit"),
        ({"node-generic-resources": ["gpu"]}, "28.5.2", "node-generic-resources[0]", "not name=value"),
        ({"node-generic-resources": ["a=1", "a=b"]}, "28.5.2", "node-generic-resources[1]", "counts a and names it"),
        ({"labels": ["x=1", "com.docker.x=1"]}, "28.5.2", "labels[1]", "keeps for itself"),
        ({"dns-search": ["lab", "-!-"]}, "28.5.2", "dns-search[1]", "no domain"),
        ({"host-gateway-ips": ["10.0.0.1", "10.0.0.2"]}, "28.5.2", "host-gateway-ips[1]", "two addresses of IPv4"),
        ({"containerd-namespace": "a/b"}, "28.5.2", "containerd-namespace", "no name of a namespace"),
        ({"storage-opts": ["overlay2.size=many"]}, "28.5.2", "storage-opts[0]", "no size"),
        ({"storage-opts": ["overlay2.size"]}, "28.5.2", "storage-opts[0]", "not name=value"),
        ({"bip": "172.26.0.0/16"}, "28.5.2", "bip", "such as 172.26.0.1"),
        ({"fixed-cidr-v6": "10.0.0.0/24"}, "28.5.2", "fixed-cidr-v6", "no IPv6 network"),
        ({"bip": "172.26.0.1/24", "fixed-cidr": "10.0.0.0/25"}, "28.5.2", "fixed-cidr", "outside of 172.26.0.0/24"),
        ({"bip": "172.26.0.1/24", "default-gateway": "10.0.0.1"}, "28.5.2", "default-gateway", "outside of"),
        ({"ipv6": True}, "26.1.5", "ipv6", "needs fixed-cidr-v6"),
        ({"cdi-spec-dirs": ["/etc/cdi"]}, "26.1.5", "cdi-spec-dirs", "features.cdi is not true"),
        ({"cdi-spec-dirs": ["/etc/cdi"], "features": {"cdi": False}}, "28.5.2", "cdi-spec-dirs", "features.cdi"),
        ({"cluster-advertise": "10.0.0.1:1"}, "20.10.24", "cluster-advertise", "needs cluster-store"),
        ({"oom-score-adjust": 5000}, "20.10.24", "oom-score-adjust", "-1000 to 1000"),
        ({"runtimes": {"a": {"path": "/a", "options": {"x": 1}}}}, "28.5.2", "runtimes.a.options", "only a runtimeType"),
        ({"runtimes": {"a": {"runtimeType": "b", "runtimeArgs": ["c"]}}}, "28.5.2", "runtimes.a.runtimeArgs", "a path"),
        ({"runtimes": {"a": {"runtimeType": "b"}}}, "20.10.24", "runtimes.a.runtimeType", "came with Docker 23.0"),
        ({"builder": {"history": {"maxEntries": 5}}}, "23.0.0", "builder.history", "came with Docker 24.0"),
        ({"builder": {"history": {"maxAge": 5}}}, "28.5.2", "builder.history.maxAge", "a duration"),
        ({"builder": {"entitlements": {"device": True}}}, "28.5.2", "builder.entitlements.device", "came with"),
        ({"builder": {"gc": {"policy": {}}}}, "28.5.2", "builder.gc.policy", "a list of rules"),
        ({"builder": {"gc": {"policy": [{"keepStorage": "x"}]}}}, "28.5.2", "builder.gc.policy[0].keepStorage", "a size"),
        ({"builder": {"gc": {"policy": [{"all": True}, {"filter": ["age=1"]}]}}}, "28.5.2", "builder.gc.policy[1]", "filter"),
        ({"builder": {"gc": {"policy": [{"filter": ["type!=x"]}]}}}, "28.5.2", "builder.gc.policy[0].filter[0]", "everything"),
        ({"builder": {"gc": {"policy": [{"filter": ["id=a", "ID=b"]}]}}}, "28.5.2", "builder.gc.policy", "twice"),
        ({"builder": {"gc": {"policy": [{"maxUsedSpace": "1g"}]}}}, "27.5.0", "builder.gc.policy[0]", "came with"),
        (
            {"default-network-opts": {"bridge": {"com.docker.network.bridge.gateway_mode_ipv4": "nat"}}},
            "26.1.5",
            "default-network-opts.bridge.com.docker.network.bridge.gateway_mode_ipv4",
            "came with Docker 27.0",
        ),
        (
            {"default-network-opts": {"bridge": {"com.docker.network.bridge.enable_ic": "1"}}},
            "28.5.2",
            "default-network-opts.bridge.com.docker.network.bridge.enable_ic",
            "did you mean com.docker.network.bridge.enable_icc",
        ),
    ],
)
def test_bad(config, version, where, words):
    problems = found(config, version)
    assert any(words in problem.message for problem in problems if below(problem.where, where))


@pytest.mark.parametrize(
    ("config", "context", "where"),
    [
        ({"live-restore": True}, {"swarm": True}, ["live-restore"]),
        ({"live-restore": False}, {"swarm": True}, []),
        ({"firewall-backend": "nftables"}, {"swarm": True}, ["firewall-backend"]),
        ({"firewall-backend": "nftables", "features": {"swarm-nftables": True}}, {"swarm": True}, []),
        ({"cgroup-parent": "/docker"}, {"cgroup_driver": "cgroupfs"}, []),
        (
            {"cgroup-parent": "/docker", "exec-opts": ["native.cgroupdriver=systemd"]},
            {"cgroup_driver": "cgroupfs"},
            ["cgroup-parent"],
        ),
        ({"cpu-rt-runtime": 950000}, {"cgroup_version": 2}, ["cpu-rt-runtime"]),
        ({"cpu-rt-runtime": 950000}, {"cgroup_version": 1}, []),
    ],
)
def test_what_the_host_decides(config, context, where):
    assert [problem.where for problem in found(config, "29.7.2", **context)] == where


def test_all_problems_are_told_at_once():
    problems = found({"ICC": False, "mtu": "x", "log-driver": "bogus", "bip": "garbage"})
    assert [problem.where for problem in problems] == ["ICC", "mtu", "bip", "log-driver"]


def test_a_value_that_is_wrong_in_itself_is_not_judged_again():
    problems = found({"features": "x", "log-driver": 5, "log-opts": {"max-size": "1m"}, "hosts": "tcp://x"})
    assert [problem.where for problem in problems] == ["features", "log-driver", "hosts"]


@pytest.mark.parametrize("key", sorted(daemon_config.KEYS))
@pytest.mark.parametrize("value", [None, True, 5, 1.5, "x", "", [], [None], {}, {"x": None}], ids=repr)
def test_no_value_breaks_the_checks(key, value):
    for version in ("20.10.24", "29.7.2"):
        assert all(problem.message for problem in found({key: value}, version))


@pytest.mark.parametrize(
    "config, expected",
    [
        ({"bip": "10.77.0.1/24", "fixed-cidr": "10.77.0.128/25", "default-gateway": "10.77.0.254"}, []),
        ({"bip": "10.77.0.1/24", "fixed-cidr": "10.78.0.0/25"}, ["fixed-cidr"]),
        ({"bip": "10.77.0.1/24", "default-gateway": "10.78.0.1"}, ["default-gateway"]),
        ({"bip": "10.77.0.1/24", "fixed-cidr": "fd00::/80"}, ["fixed-cidr"]),
        ({"fixed-cidr": "10.78.0.0/25"}, []),
        ({"bip6": "fd00::1/64", "fixed-cidr-v6": "fd01::/80"}, ["fixed-cidr-v6"]),
        ({"mtu": 67}, ["mtu"]),
        ({"mtu": 70000}, ["mtu"]),
        ({"mtu": 9000}, []),
        ({"userland-proxy": True}, ["userland-proxy"]),
        ({"userland-proxy": True, "userland-proxy-path": "/usr/sbin/docker-proxy"}, []),
        ({"userland-proxy": False}, []),
    ],
)
def test_the_default_bridge(config, expected):
    found = daemon_config.problems(config, parse("28.5.2"))
    assert [problem.where for problem in found] == expected


def test_a_default_that_older_engines_reload():
    assert daemon_config.problems({"userland-proxy": True}, parse("24.0.9")) == []


@pytest.mark.parametrize(
    ("version", "config", "refused"),
    [
        ("20.10.24", {"default-runtime": "io.containerd.runc.v2"}, True),
        ("23.0.0", {"default-runtime": "io.containerd.runc.v2"}, False),
        ("20.10.24", {"default-runtime": "runc"}, False),
        ("20.10.24", {"default-runtime": "crun", "runtimes": {"crun": {"path": "/usr/bin/crun"}}}, False),
    ],
)
def test_a_shim_as_default_runtime_ends_old_daemons(version, config, refused):
    found = [str(problem) for problem in daemon_config.problems(config, parse(version), Context())]
    assert any("ends at SIGHUP" in problem for problem in found) is refused


def test_a_log_plugin_without_its_tag_is_one_that_the_running_engine_has():
    config, release = {"log-driver": "loki", "log-opts": {"loki-url": "https://logs.example.com"}}, parse("28.5.2")
    assert [problem.where for problem in daemon_config.problems(config, release)] == ["log-driver"]
    assert daemon_config.problems(config, release, Context(log_drivers=("json-file", "loki:latest"))) == []
