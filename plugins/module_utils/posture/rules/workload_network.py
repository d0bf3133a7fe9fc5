# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What reaches a container over the network, and what it reaches: the host's network, published ports, shared bridges.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import ipaddress

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.checks import (
    failed,
    is_empty,
    is_not,
    no_items,
    not_applicable,
    passed,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    CONTAINER,
    WORKLOADS,
    Outcome,
    Rule,
    Subject,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.severity import (
    DATA,
    DEFENCE,
    FROM_CONTAINER,
    FROM_NETWORK,
    HOST_PART,
    HYGIENE,
    NEIGHBOURS,
    RECREATE,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import Port

# Below it only root may listen (net.ipv4.ip_unprivileged_port_start).
_FIRST_FREE_PORT = 1024
# Services that are made for a few known clients: data, queues, shells, consoles and APIs that drive machines.
INTERNAL_PORTS = {
    22: "SSH",
    111: "portmapper",
    389: "LDAP",
    445: "SMB",
    873: "rsync",
    1433: "SQL Server",
    1521: "Oracle",
    2049: "NFS",
    2375: "an API of Docker without TLS",
    2376: "an API of Docker",
    2377: "the management of a swarm",
    2379: "etcd",
    2380: "etcd",
    3306: "MySQL",
    3389: "RDP",
    4243: "an API of Docker",
    5432: "PostgreSQL",
    5672: "AMQP",
    5900: "VNC",
    5984: "CouchDB",
    6379: "Redis",
    6443: "an API of Kubernetes",
    7000: "Cassandra",
    8500: "Consul",
    9042: "Cassandra",
    9092: "Kafka",
    9200: "Elasticsearch",
    9300: "Elasticsearch",
    10250: "a kubelet",
    11211: "memcached",
    15672: "RabbitMQ",
    26257: "CockroachDB",
    27017: "MongoDB",
    50000: "agents of Jenkins",
}
_SSH = frozenset(("sshd", "dropbear", "sshd-session", "sshd-auth"))


def every_address(host_ip: str) -> bool:
    """Tell whether a port is published on all addresses of the host: no address, ``0.0.0.0``, ``::``, with brackets or not."""
    text = host_ip.strip().strip("[]").partition("%")[0]
    if text in ("", "*"):
        return True
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_unspecified or bool(mapped is not None and mapped.is_unspecified)


def is_loopback(host_ip: str) -> bool:
    """Tell whether a port is published for the host itself only."""
    text = host_ip.strip().strip("[]").partition("%")[0]
    if text == "localhost":
        return True
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or bool(mapped is not None and mapped.is_loopback)


def port_text(port: Port) -> str:
    """Return a published port as Docker writes it."""
    address = port.host_ip.strip("[]") or "every address"
    address = f"[{address}]" if ":" in address else address
    return f"{address}:{port.host_port or 'a port that the engine chooses'} to {port.container_port}/{port.protocol}"


def _on_every_address(port: Port) -> str:
    return port_text(port) if every_address(port.host_ip) else ""


def _privileged_port(port: Port) -> str:
    return port_text(port) if 0 < port.host_port < _FIRST_FREE_PORT else ""


def _internal_service(port: Port) -> str:
    service = INTERNAL_PORTS.get(port.container_port) or INTERNAL_PORTS.get(port.host_port)
    return f"{port_text(port)}, where {service} usually listens" if service and not is_loopback(port.host_ip) else ""


def _not_on_the_default_bridge(subject: Subject) -> Outcome:
    fact = subject.fact("networks")
    expected = "a network of its own project"
    found = [name for name in fact.value if name in ("bridge", "default", "docker0", "podman")]
    return failed(fact, expected, found) if found else passed(fact, expected)


def _no_ssh(subject: Subject) -> Outcome:
    if subject.known("running") is False:
        return not_applicable("it does not run")
    fact = subject.fact("programs")
    found = _SSH.intersection(fact.value)
    return failed(fact, "no SSH daemon", found) if found else passed(fact, "no SSH daemon", "none")


RULES = (
    Rule(
        id="network-not-the-host",
        title="The container has a network of its own",
        why="On the host's network it reaches services that listen for the host only, and none of the engine's rules apply to it.",
        applies_to=WORKLOADS,
        check=is_not("network_mode", "host", "a network of its own"),
        attacker=FROM_CONTAINER,
        reach=HOST_PART,
        remedy="Remove `network_mode: host`, and publish with `ports` what is needed.",
        blast=RECREATE,
        cis_1_6=("5.10",),
        cis_1_8=("5.10",),
        references=("CVE-2020-15257",),
    ),
    Rule(
        id="network-not-the-default-bridge",
        title="The container is not on the engine's default bridge",
        why="On the default bridge every container reaches every other one that nobody put elsewhere.",
        applies_to=WORKLOADS,
        check=_not_on_the_default_bridge,
        attacker=FROM_CONTAINER,
        reach=DEFENCE,
        remedy="Remove `network_mode: bridge`, or name a network of its project in `networks`; compose makes one by itself.",
        blast=RECREATE,
        variable="docker_daemon_icc",
        cis_1_6=("5.30",),
        cis_1_8=("5.30",),
        references=("OWASP Docker rule 5",),
    ),
    Rule(
        id="ports-bound-to-an-address",
        title="Published ports are bound to an address",
        why="A port without an address is open on every interface of the host, and the engine's rules come before those of ufw and firewalld.",
        applies_to=WORKLOADS,
        check=no_items("ports", _on_every_address, "an address of the host, such as 127.0.0.1"),
        attacker=FROM_NETWORK,
        reach=DEFENCE,
        remedy="Write the entry of `ports` as 127.0.0.1:8080:80 behind a proxy, or with the address that clients use.",
        blast=RECREATE,
        cis_1_6=("5.14",),
        cis_1_8=("5.14",),
        references=("OWASP Docker rule 5a",),
    ),
    Rule(
        id="ports-of-internal-services-closed",
        title="No database, console or API for a few clients is published to others",
        why="Services that trust their network are found within hours, and many have no password when they start.",
        applies_to=WORKLOADS,
        check=no_items("ports", _internal_service, "published on 127.0.0.1 or not at all"),
        attacker=FROM_NETWORK,
        reach=DATA,
        remedy="Remove the entry from `ports` and let clients join the network with `networks`, or publish it on 127.0.0.1.",
        blast=RECREATE,
        cis_1_6=("5.9",),
        cis_1_8=("5.9",),
        references=("OWASP Docker rule 5a", "ATT&CK T1133"),
    ),
    Rule(
        id="ports-not-privileged",
        title="Published ports are not among those that only root may open",
        why="Clients take what answers on a port below 1024 for a service of the host's administrator.",
        applies_to=WORKLOADS,
        check=no_items("ports", _privileged_port, f"{_FIRST_FREE_PORT} or more"),
        attacker=FROM_NETWORK,
        reach=HYGIENE,
        remedy="Publish a higher port in `ports`, behind the one proxy that needs 80 and 443, and waive the rule for that.",
        blast=RECREATE,
        cis_1_6=("5.8",),
        cis_1_8=("5.8",),
    ),
    Rule(
        id="networks-behind-the-host",
        title="The container is not on the host's physical network",
        why="With macvlan or ipvlan it talks to the segment past the host's firewall, with an address of its own.",
        applies_to=WORKLOADS,
        check=is_empty("macvlan_parents"),
        attacker=FROM_CONTAINER,
        reach=NEIGHBOURS,
        remedy="Use in `networks` one with `driver: bridge` and publish `ports`, or filter on the switch and accept this by a waiver.",
        blast=RECREATE,
    ),
    Rule(
        id="no-ssh-daemon",
        title="No SSH daemon runs in the container",
        why="It is one more way in, with keys and users that nobody looks after.",
        applies_to=(CONTAINER,),
        check=_no_ssh,
        attacker=FROM_NETWORK,
        reach=DEFENCE,
        remedy="Take the SSH daemon out of the image; docker exec gives a shell.",
        blast=RECREATE,
        cis_1_6=("5.7",),
        cis_1_8=("5.7",),
    ),
)
