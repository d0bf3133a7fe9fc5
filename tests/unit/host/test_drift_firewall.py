# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import drift_firewall

# Of engines 26.1 and 28.5, with a container that publishes a port, a network of its own, and rules of others.
BEFORE_28 = """
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-USER - [0:0]
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o br-1234567890ab -j DOCKER
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i br-1234567890ab ! -o br-1234567890ab -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/24 ! -o docker0 -j MASQUERADE
-A POSTROUTING -s 10.0.0.0/8 -o eth0 -j MASQUERADE
-A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
COMMIT
"""
STAYS = [
    "filter chain DOCKER",
    "filter chain DOCKER-ISOLATION-STAGE-1",
    "filter chain DOCKER-USER",
    "filter -A FORWARD -j DOCKER-USER",
    "filter -A FORWARD -j DOCKER-ISOLATION-STAGE-1",
    "filter -A FORWARD -o docker0 -j DOCKER",
    "filter -A DOCKER-ISOLATION-STAGE-1 -j RETURN",
    "nat chain DOCKER",
    "nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
    "nat -A POSTROUTING -s 172.17.0.0/24 ! -o docker0 -j MASQUERADE",
    "nat -A DOCKER -i docker0 -j RETURN",
]


def test_only_what_stays_belongs_to_the_skeleton(tools):
    tools.answer("iptables-save", BEFORE_28)
    found = drift_firewall.rules("iptables")
    assert drift_firewall.skeleton(found) == STAYS
    assert len(found) > len(STAYS)


@pytest.mark.parametrize(
    "rule, stays",
    [
        ("filter -A DOCKER-FORWARD -j DOCKER-BRIDGE", True),
        ("filter -A DOCKER-BRIDGE -o docker0 -j DOCKER", True),
        ("filter -A DOCKER-BRIDGE -o br-0 -j DOCKER", False),
        ("filter -A DOCKER ! -i docker0 -o docker0 -j DROP", True),
        ("raw -A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP", False),
        ("filter -A DOCKER-USER -s 10.0.0.0/8 -j DROP", False),
        ("filter -A FORWARD -j KUBE-FORWARD", False),
        ("filter chain DOCKER-INGRESS", False),
        ("filter -A FORWARD -j DOCKER-INGRESS", False),
        ("filter -A DOCKER -d fd00::2/128 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT", False),
        ("table ip docker-bridges", True),
        ("table ip filter", False),
    ],
)
def test_what_stays(rule, stays):
    assert drift_firewall.skeleton([rule]) == ([rule] if stays else [])


def test_nftables(tools):
    tools.answer("nft list tables", "table ip docker-bridges\ntable ip6 docker-bridges\ntable inet mine\n")
    assert drift_firewall.skeleton(drift_firewall.rules("nftables")) == [
        "table ip docker-bridges",
        "table ip6 docker-bridges",
    ]


def test_a_firewall_that_cannot_be_read(tools):
    assert drift_firewall.rules("iptables") is None
    tools.answer("iptables-save", "", rc=3)
    assert drift_firewall.rules("iptables") is None
