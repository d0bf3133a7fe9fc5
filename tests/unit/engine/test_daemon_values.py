# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Values that the sources of the engine take or refuse, where reading the key's name alone would say otherwise."""

from __future__ import annotations

import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_config
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_config import Context
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import parse, within

ENGINES = ("20.10.24", "23.0.16", "24.0.9", "25.0.17", "26.1.5", "27.5.1", "28.5.2", "29.0.0", "29.7.2")
CERTIFICATES = {"tlscert": "/cert.pem", "tlskey": "/key.pem"}
VERIFIED = {"tlsverify": True, "tlscacert": "/ca.pem", **CERTIFICATES}
OPTION = "com.docker.network"


def found(config, version):
    return daemon_config.problems(config, parse(version), Context())


def ulimit(**limit):
    return {"default-ulimits": {"nofile": {"Name": "nofile", **limit}}}


def policy(*rules, **more):
    return {"builder": {"gc": {"policy": list(rules), **more}}}


def filters(*entries):
    return policy({"keepStorage": "1g", "filter": list(entries)})


def bridge_option(name, value):
    return {"default-network-opts": {"bridge": {f"{OPTION}.{name}": value}}}


def pools(*entries):
    return {"default-address-pools": [{"base": base, "size": size} for base, size in entries]}


def storage(driver, *options):
    return {"storage-driver": driver, "storage-opts": list(options)}


def logging(driver, **options):
    return {"log-driver": driver, "log-opts": {name.replace("_", "-"): value for name, value in options.items()}}


def spans(cases):
    """Return a parameter for each engine between the releases that a case names, and for all where it names none."""
    return [
        pytest.param(config, engine, id=f"{engine}-{json.dumps(config)}")
        for config, *span in cases
        for engine in ENGINES
        if within(parse(engine), *span or [""])
    ]


GOOD = [
    *[({"hosts": [host], **VERIFIED},) for host in ("unix://", "fd://docker.socket", "tcp://[fd00::1]:2376", "tcp://:2376", "tcp://h")],
    ({"tls": True, **CERTIFICATES},),
    ({"tls": False},),
    ({"min-api-version": "1.52"}, "29.0"),
    ({"min-api-version": "1.55"}, "29.6"),
    ({"insecure-registries": ["10.0.0.0/8", "fd00::/8", "192.168.1.7/24", "10.0.0.1:5000", "::1", "[::1]:5000"]},),
    ({"insecure-registries": ["http://registry.example", "REGISTRY.example:5000"]},),
    ({"registry-mirrors": ["https://[fd00::1]:5000", "HTTPS://mirror.example/"]},),
    ({"registry-mirrors": ["https://mirror.example/proxy/hub"]}, "24.0"),
    ({"bip": "10.1.2.3/24", "default-gateway": "10.1.2.4", "fixed-cidr": "10.1.2.128/25"},),
    ({"ipv6": True, "fixed-cidr-v6": "fd00::/80", "default-gateway-v6": "fd00::2"},),
    ({"ipv6": True, "fixed-cidr-v6": "fe80::/64"},),
    ({"node-generic-resources": ["gpu=one", "gpu=two", "ssd = 2"]},),
    (policy({"keepStorage": "10.5 GiB", "filter": ["unused-for=2h30m"]}, {"all": True, "keepStorage": "20g"}),),
    (policy({"all": True}, enabled=False),),
    (policy({"all": True}), "27.5"),
    (filters("until=2026-01-02T03:04:05Z"), "29.0"),
    ({"builder": {"history": {"maxAge": 172800}}}, "24.0", "25.0"),
    ({"builder": {"history": {"maxAge": "48h"}}}, "25.0"),
    ({"default-runtime": "com.example.kata.v2"}, "23.0"),
    *[({"userns-remap": user},) for user in ("dockremap", "1000", "1000:1000", "user:group")],
    (ulimit(Soft=1024, Hard=-1),),
    (ulimit(Soft=-1, Hard=-1),),
    *[({"bridge-accept-fwmark": mark}, "29.0") for mark in ("1", "0xff/0xFF", "017", "0", "4294967295")],
    (bridge_option("bridge.enable_icc", "0"), "24.0"),
    (bridge_option("bridge.host_binding_ipv4", "::1"), "24.0"),
    (bridge_option("bridge.gateway_mode_ipv4", "nat-unprotected"), "28.0"),
    ({"default-network-opts": {"example/plugin:latest": {"a": "b"}, "macvlan": {"parent": "eth0"}}}, "24.0"),
    (pools(("10.0.0.0/8", 28), ("fd00::/104", 112)),),
    (pools(("10.0.0.0/8", 24), ("fd00::/8", 64)), "27.0"),
    ({**pools(("fd00::/48", 64)), "bip": "10.1.0.1/24"}, "27.0"),
    *[({"default-shm-size": size},) for size in ("64MB", "64 MiB", "1.5g", "1073741824")],
    (storage("vfs", "size=1G"),),
    (storage("btrfs", "btrfs.min_space=1G"),),
    (storage("devicemapper", "dm.thinpooldev=/dev/mapper/pool", "dm.fs=xfs"), "", "25.0"),
    (storage("overlay2", "overlay2.override_kernel_check=true"), "", "24.0"),
    ({"cdi-spec-dirs": [""], "features": {"cdi": True}}, "25.0"),
    ({"shutdown-timeout": -1},),
    ({"dns-search": [" lab ", "a-b.c.", "."]},),
    ({"metrics-addr": "[::1]:9323"},),
    (logging("syslog", syslog_address="udp://h:514/"),),
    (logging("gelf", gelf_address="tcp://h:12201/"),),
    (logging("fluentd", fluentd_address="unix:///run/fluentd.sock"),),
]

BAD = [
    *[
        ({"hosts": [host], **VERIFIED},)
        for host in ("npipe:////./pipe/x", "unix://docker.sock", "tcp://h:99999", "tcp://h:http", "TCP://h:1", "tcp://h:1/path")
    ],
    ({"hosts": ["tcp://a:1", "tcp://a:1"], **VERIFIED},),
    ({"tls": True},),
    ({"tls": True, "tlscert": "/cert.pem"},),
    ({"tlsverify": False},),
    ({"tls": False, "tlsverify": False},),
    ({"min-api-version": "1.99"},),
    ({"min-api-version": "1.55"}, "29.0", "29.6"),
    *[
        ({"insecure-registries": [name]},)
        for name in ("-a", "ftp://a", "a/b", "a:99999", "1.2.3.4/0", "::/0", "0.0.0.0/0.0.0.0", "", "a b", "https://a/")
    ],
    *[({"registry-mirrors": [mirror]},) for mirror in ("https://[::1", "https://m:port", "https://m:99999", "https://m m")],
    ({"registry-mirrors": ["https://mirror.example/proxy/hub"]}, "", "24.0"),
    *[({"bip": address},) for address in ("172.26.0.1/255.255.0.0", "fd00::1/64", "172.26.0.1/33", " 172.26.0.1/16")],
    ({"fixed-cidr": "fd00::/64"},),
    *[({"fixed-cidr-v6": network},) for network in ("10.0.0.0/8", "ff02::/64", "fe80::/10")],
    ({"default-gateway": "fd00::1"},),
    ({"default-gateway-v6": "10.0.0.1"},),
    ({"bip": "10.1.0.1/24", "default-gateway": "10.1.0.1"},),
    *[({"node-generic-resources": [entry]},) for entry in ("gpu=a=b", "gpu=-1")],
    ({"builder": {"gc": []}},),
    ({"builder": {"gc": {"enabled": True, "Enabled": False}}},),
    *[(filters(*entries),) for entries in (["until"], ["until=1h", "unused-for=1h"], ["until=soon"])],
    (policy({"all": True}), "", "27.5"),
    ({"builder": {"gc": {"defaultKeepStorage": "10mi"}}},),
    ({"builder": {"history": {"maxAge": "48h"}}}, "24.0", "25.0"),
    ({"builder": {"history": {"maxAge": 172800}}}, "25.0"),
    ({"runtimes": {"a": {"runtimeType": "io.containerd.runc.v2", "options": []}}},),
    *[({"default-runtime": name},) for name in ("/usr/bin/shim", ".x")],
    ({"exec-opts": ["native.cgroupdriver=systemd", "native.cgroupdriver=cgroupfs"]},),
    *[({"userns-remap": user},) for user in ("a:b:c", ":b", "a:")],
    (ulimit(Soft=-5, Hard=100),),
    (ulimit(Soft=1, Hard=-9),),
    *[({"bridge-accept-fwmark": mark},) for mark in ("0x1FFFFFFFF", "099", "1/", "1/2/3")],
    (bridge_option("bridge.enable_icc", "maybe"),),
    (bridge_option("driver.mtu", "1k"),),
    (bridge_option("bridge.host_binding_ipv4", "lan"),),
    (bridge_option("bridge.gateway_mode_ipv4", "isolated"), "", "28.0"),
    (pools(("10.0.0.0/255.0.0.0", 24)),),
    (pools(("fd00::/48", 64)),),
    (pools(("10.0.0.0/8", 24), ("fd00::/8", 64)), "", "27.0"),
    *[({"default-shm-size": size},) for size in ("10mi", " 64m", "64ib", "\uff16\uff14m", "unlimited")],
    (storage("overlay2", "size=10G"),),
    (storage("", "size=10G"),),
    (storage("vfs", "overlay2.size=1G"),),
    (storage("btrfs", "btrfs.min_space=much"),),
    (storage("devicemapper", "dm.bogus=1"),),
    ({"cdi-spec-dirs": ["etc/cdi"], "features": {"cdi": True}},),
    ({"default-stop-timeout": -1},),
    ({"containerd-namespace": "plugins.moby"},),
    ({"graph": "/a", "data-root": "/b"},),
    ({"features": {"embedded-containerd": True}, "cri-containerd": True},),
    *[({"dns-search": [name]},) for name in ("a/b.example", "_tcp.example", "a..b", "a:53")],
    *[({"metrics-addr": address},) for address in ("[::0]:9323", "[0:0:0:0:0:0:0:0]:9323")],
    ({"dns": ["fe80::1%eth0"]},),
    (logging("gelf", gelf_address="udp://h/"),),
]


@pytest.mark.parametrize(("config", "version"), spans(GOOD))
def test_good(config, version):
    assert found(config, version) == []


@pytest.mark.parametrize(("config", "version"), spans(BAD))
def test_bad(config, version):
    assert found(config, version)


def test_a_newer_engine_may_serve_a_newer_api():
    assert found({"min-api-version": "1.99"}, "99.0") == []


def test_false_switches_tls_on_and_the_sentence_says_so():
    sentences = [str(problem) for problem in found({"tlsverify": False}, "29.7.2")]
    assert [sentence.partition(":")[0] for sentence in sentences] == ["tlscert", "tlskey"]
    assert all("asks for TLS all the same" in sentence for sentence in sentences)


def test_a_mirror_that_cannot_be_read_does_not_show_its_password():
    (problem,) = found({"registry-mirrors": ["https://user:secret@[::1"]}, "29.7.2")
    assert "secret" not in str(problem)
