# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Containers that fail and pass the rules of rules/workload_network.py."""

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import Port

CASES = {
    "network-not-the-host": {"fails": [{"network_mode": "host"}], "passes": [{"network_mode": "shop"}, {"network_mode": "none"}]},
    "network-not-the-default-bridge": {
        "fails": [{"networks": ("bridge",)}, {"networks": ("default", "shop")}],
        "passes": [{"networks": ("shop",)}, {"networks": ()}],
    },
    "ports-bound-to-an-address": {
        "fails": [{"ports": (Port(address, 8080, 80),)} for address in ("", "0.0.0.0", "::", "[::]", "0:0:0:0:0:0:0:0", "::ffff:0.0.0.0", "*")],
        "passes": [{"ports": (Port("127.0.0.1", 8080, 80), Port("192.0.2.1", 8081, 80), Port("::1", 8082, 80), Port("[2001:db8::1]", 8083, 80))}, {}],
    },
    "ports-of-internal-services-closed": {
        "fails": [
            {"ports": (Port("", 5432, 5432),)},
            {"ports": (Port("192.0.2.1", 15432, 5432),)},
            {"ports": (Port("::", 22, 2222),)},
            {"ports": (Port("0.0.0.0", 2375, 2375),)},
        ],
        "passes": [{"ports": (Port("127.0.0.1", 5432, 5432), Port("[::1]", 6379, 6379), Port("", 443, 8443))}, {}],
    },
    "ports-not-privileged": {
        "fails": [{"ports": (Port("127.0.0.1", 80, 8080),)}, {"ports": (Port("[::]", 22, 22),)}, {"ports": (Port("", 1023, 1),)}],
        "passes": [{"ports": (Port("127.0.0.1", 1024, 80), Port("", 0, 80))}, {}],
    },
    "networks-behind-the-host": {"fails": [{"macvlan_parents": ("macvlan on eth0",)}], "passes": [{}]},
    "no-ssh-daemon": {
        "fails": [{"programs": frozenset({"web", "sshd"})}, {"programs": frozenset({"dropbear"})}],
        "passes": [{"programs": frozenset({"web", "ssh"})}],
    },
}
