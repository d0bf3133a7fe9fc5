# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The firewall rules that dockerd makes when it starts, apart from those of networks and containers.

PRIVATE to the collection: no stability is promised to other users.

Networks and containers come and go, and their rules with them. What stays for as long as dockerd runs is its chains, the
jumps into them and between them, and what it makes for its default bridge (moby: daemon/libnetwork/drivers/bridge,
setup_ip_tables.go and iptabler; programmed again at each start, and after a reload of firewalld).
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import text_lines
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands

IPTABLES, IP6TABLES, NFTABLES = "iptables", "ip6tables", "nftables"
SOURCES = {IPTABLES: "iptables-save", IP6TABLES: "ip6tables-save", NFTABLES: "nft list tables"}
_COMMANDS = {IPTABLES: ("iptables-save",), IP6TABLES: ("ip6tables-save",), NFTABLES: ("nft", "list", "tables")}
_BUILT_IN = ("INPUT", "FORWARD", "OUTPUT", "PREROUTING", "POSTROUTING")
#: Until 28.0 this chain had a last rule of dockerd's, which users may take away as they may fill the chain.
_OF_USERS = "DOCKER-USER"
_INTERFACE = re.compile(r"(?:^| )(?:-i|-o|--in-interface|--out-interface) (?P<name>\S+)")
_DEFAULT_BRIDGE = "docker0"
#: A single address, or a port.
_OF_CONTAINERS = re.compile(r"/(?:32|128) |--dport|--sport|--to-destination")
#: Comes with the ingress network of a swarm and goes with it.
_OF_SWARM = "DOCKER-INGRESS"


def rules(family: str) -> list[str] | None:
    """Return what dockerd may have made: each chain and rule with its table; None where the firewall cannot be read.

    Args:
        family: IPTABLES, IP6TABLES or NFTABLES.
    """
    try:
        said = commands.run(_COMMANDS[family], timeout=20, check=False)
    except commands.CommandError:
        return None
    if said.rc:
        return None
    if family == NFTABLES:
        return [line.strip() for line in text_lines.lines_of(said.stdout) if line.startswith("table ")]
    found = []
    table = ""
    for line in text_lines.lines_of(said.stdout):
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(":DOCKER"):
            found.append(f"{table} chain {line[1:].split(' ', 1)[0]}")
        elif line.startswith("-A "):
            found.append(f"{table} {line.strip()}")
    return found


def skeleton(found: t.Iterable[str]) -> list[str]:
    """Return those rules that dockerd keeps for as long as it runs, whatever networks and containers do."""
    return [rule for rule in found if _stays(rule)]


def _stays(rule: str) -> bool:
    if rule.startswith("table "):
        return rule.split(" ")[-1].startswith("docker-bridges")
    table, kind, rest = [*rule.split(" ", 2), "", ""][:3]
    if _OF_SWARM in rest:
        return False
    if kind == "chain":
        return True
    chain = rest.partition(" ")[0]
    target = rest.rpartition(" -j ")[2].partition(" ")[0]
    interfaces = {match["name"] for match in _INTERFACE.finditer(rest)}
    if chain == _OF_USERS or not interfaces <= {_DEFAULT_BRIDGE} or _OF_CONTAINERS.search(rest):
        return False
    if chain in _BUILT_IN:
        # Others have rules there too.
        return target.startswith("DOCKER") or (table == "nat" and target == "MASQUERADE" and interfaces == {_DEFAULT_BRIDGE})
    return chain.startswith("DOCKER")
