# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import json
import socket

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import daemon_addresses

ADDRESSES = [
    {"ifname": "lo", "addr_info": [{"local": "127.0.0.1", "prefixlen": 8}]},
    {"ifname": "eth0", "addr_info": [{"local": "192.0.2.7", "prefixlen": 24}, {"local": "fe80::1", "prefixlen": 64}]},
    {"ifname": "docker0", "addr_info": [{"local": "172.17.0.1", "prefixlen": 24}]},
    {"ifname": "wire"},
]


@pytest.fixture
def network(tools):
    tools.answer("ip -json address", json.dumps(ADDRESSES))
    return tools


def keys(config, predicting=False):
    return [problem.where for problem in daemon_addresses.problems(config, predicting)]


@pytest.mark.parametrize(
    "config, expected",
    [
        ({"bip": "192.0.2.129/25"}, ["bip"]),
        ({"bip": "192.0.3.1/24"}, []),
        # Its own bridge has the network already.
        ({"bip": "172.17.0.1/24"}, []),
        # Every interface has a link-local address of the same network.
        ({"bip6": "fe80::5/64"}, []),
        ({"bip": "garbage"}, []),
        ({"bridge": "br-none"}, ["bridge"]),
        ({"bridge": "none"}, []),
        ({"bridge": "../br"}, []),
        ({"ip": "198.51.100.7"}, ["ip"]),
        ({"ip": "192.0.2.7"}, []),
        ({"ip": "0.0.0.0"}, []),
        ({"ip": "127.0.0.2"}, []),
        ({"ip": "garbage"}, []),
    ],
)
def test_addresses(network, config, expected):
    assert keys(config) == expected


def test_what_may_still_come_is_no_reason_in_check_mode(network):
    assert keys({"bridge": "br-none", "ip": "198.51.100.7", "metrics-addr": "198.51.100.7:9323"}, predicting=True) == []
    assert keys({"bip": "192.0.2.129/25"}, predicting=True) == ["bip"]


def test_without_the_tool_addresses_are_not_judged(tools):
    assert keys({"bip": "192.0.2.129/25", "bridge": "br-none"}) == []


def test_a_port_that_somebody_holds(network):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        problems = daemon_addresses.problems({"metrics-addr": f"127.0.0.1:{port}"}, True)
    assert [problem.where for problem in problems] == ["metrics-addr"]
    assert f"port {port} of 127.0.0.1, which is in use by " in str(problems[0])
    assert keys({"metrics-addr": f"127.0.0.1:{port}"}) == []


def test_the_daemon_may_keep_its_own_port(network, monkeypatch):
    monkeypatch.setattr(daemon_addresses, "_bind_error", lambda _address, _port: errno.EADDRINUSE)
    monkeypatch.setattr(daemon_addresses, "_holder", lambda _port: "dockerd")
    assert keys({"metrics-addr": "127.0.0.1:9323"}) == []


@pytest.mark.parametrize("address", ["198.51.100.7:9323", "no-such-host.invalid:9323"])
def test_an_address_of_others(network, address):
    assert keys({"metrics-addr": address}) == ["metrics-addr"]


@pytest.mark.parametrize("value", ["", None, "9323", "127.0.0.1:", "127.0.0.1:99999", 7, "127.0.0.1:0"])
def test_what_is_no_address_is_for_others_to_say(network, value):
    assert keys({"metrics-addr": value, "network-diagnostic-port": 0}) == []
