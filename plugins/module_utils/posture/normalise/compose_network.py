# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The networks of a compose service, and the ports that it publishes.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose import short
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import (
    Node,
    text_of,
    unset_in,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.compose_reading import (
    Known,
    Part,
    Placed,
    truth_of,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules.workload_network import INTERNAL_PORTS
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import Port

# Of a long range these ports are told apart: someone's shell, data, an API of an engine, the admission to a cluster.
_NOTABLE_PORTS = (80, 443, *INTERNAL_PORTS)


class Network(Part):
    """The networks that a service is on, and what it publishes."""

    def facts(self) -> dict[str, Known]:
        """Return the facts."""
        names = self._networks()
        mode, networks, parents = self._own(names)
        root = self._reading.root("network_mode")
        if root != self._name and isinstance(mode, Fact):
            mode = self._joined(mode, root)
        ports = self._ports(names)
        if isinstance(mode, Fact) and mode.value == "host" and self._node.get("ports") is not None:
            ports = mode.having(())
        return {"network_mode": mode, "networks": networks, "macvlan_parents": parents, "ports": ports}

    def _own(self, names: list[tuple[str, Node, Node | None]]) -> tuple[Known, Known, Known]:
        """Return by what the service itself says its mode, its networks, and the interfaces of the host that these use."""
        mode = self._text("network_mode", "is on networks of the project")
        if isinstance(mode, Unknown):
            return mode, mode, self._absent((), "has its own network_mode")
        if mode.value:
            shared = mode.value in ("host", "none") or ":" in mode.value
            return mode, mode.having(() if shared else (mode.value,)), mode.having(())
        networks, parents, taken = self._on_networks(names)
        return taken or mode, networks, parents

    def _joined(self, mode: Fact, name: str) -> Known:
        """Return what the network of a service is whose network this one joins: the host's where that one has it."""
        other = Network(self._reading.of(name))
        theirs = other._own(other._networks())[0]
        source = f"{mode.source} is {mode.value}, on the network of services.{name}"
        if isinstance(theirs, Unknown):
            return Unknown(theirs.reason, source)
        return mode._replace(value="host", source=source) if theirs.value == "host" else mode

    def _networks(self) -> list[tuple[str, Node, Node | None]]:
        """Return the networks of the service: name in the file, where it is named, and its definition."""
        if self._node.get("network_mode") is not None:
            return []
        node = self._node.get("networks")
        named = node.items() if node is not None else []
        if not named:
            return [("default", self._node, self._project.networks.get("default"))]
        return [(name, place, self._project.networks.get(name)) for name, place in named]

    def _on_networks(self, names: list[tuple[str, Node, Node | None]]) -> tuple[Known, Known, Fact | None]:
        found: list[str] = []
        parents: list[str] = []
        place = self._node
        unknown: Unknown | None = None
        taken: Fact | None = None
        for key, node, definition in names:
            place = node
            unset = unset_in(definition)
            if definition is not None and unset:
                unknown = self._unset("networks", unset, definition)
                continue
            driver = text_of(definition.value["driver"]) if definition is not None and definition.get("driver") is not None else ""
            external = definition is not None and definition.get("external") is not None and truth_of(definition.value["external"])
            named = definition.get("name") if definition is not None else None
            real = text_of(named) if named is not None else key if external else f"{self._project.name}_{key}"
            found.append(real)
            if driver == "host" or (external and real == "host"):
                found.pop()
                taken = Fact("host", f"networks.{key}", definition.file if definition else "", definition.line if definition else 0)
            elif external and real == "none":
                found.pop()
            options = definition.get("driver_opts") if definition is not None else None
            if driver in ("macvlan", "ipvlan"):
                parent = options.get("parent") if options is not None else None
                on = text_of(parent) if parent is not None else "an interface of its own"
                place = parent or t.cast(Node, definition)
                parents.append(Placed.of(f"{driver} on {on}", place))
            elif external and real not in ("bridge", "host", "none") and unknown is None:
                where = f"{self._at('networks')} in {node.file}:{node.line}"
                unknown = Unknown(f"the network {real} is external, and its driver is known on the host only", where)
        source = self._at("networks") if self._node.get("networks") is not None else f"{self._path} sets no networks"
        networks = Fact(tuple(found), source, place.file, place.line)
        shared: Known = Fact(tuple(parents), source, place.file, place.line)
        if unknown is not None:
            shared = unknown._replace(partly=t.cast(Fact, shared))
            if "not set" in unknown.reason:
                return unknown._replace(partly=networks), shared, taken
        return networks, shared, taken

    def _ports(self, names: list[tuple[str, Node, Node | None]]) -> Known:
        node = self._node.get("ports")
        if node is None:
            return self._absent((), "publishes no ports")
        address = self._binding(names)
        found: list[Port] = []
        for item in node.entries():
            if not unset_in(item):
                found += self._port(item, address)
        fact = self._here(tuple(found), "ports", node)
        unset = unset_in(node)
        return self._unset("ports", unset, node, fact) if unset else fact

    def _port(self, item: Node, address: str) -> list[Port]:
        texts = {key: text_of(value) for key, value in item.items() if key in ("host_ip", "published", "target", "protocol") and value.value is not None}
        try:
            inside = short.port_range(texts.get("target", ""))
            outside = short.port_range(texts["published"]) if texts.get("published") else (0, 0)
        except ValueError as error:
            raise item.error(f"{self._at('ports')} {error}") from error
        host_ip = texts.get("host_ip", "") or address
        protocol = texts.get("protocol", "tcp").lower() or "tcp"
        if inside[0] == inside[1] or outside == (0, 0):
            return [Port(host_ip, outside[0], inside[0], protocol, item.file, item.line)]
        first, last = outside
        behind = (port - inside[0] + first for port in _NOTABLE_PORTS)
        every = {first, last, *(port for port in (*_NOTABLE_PORTS, *behind) if first <= port <= last)}
        return [Port(host_ip, port, inside[0] + port - first, protocol, item.file, item.line) for port in sorted(every)]

    def _binding(self, names: list[tuple[str, Node, Node | None]]) -> str:
        """Return the address on which ports are published that name none."""
        option = "com.docker.network.bridge.host_binding_ipv4"
        default = self._daemon.get("default-network-opts")
        bridge = default.get("bridge") if isinstance(default, t.Mapping) else None
        common = str(bridge.get(option) or "") if isinstance(bridge, t.Mapping) else ""
        found = []
        for _key, _place, definition in names:
            node = definition.get("driver_opts") if definition is not None else None
            given = node.get(option) if node is not None else None
            external = definition is not None and definition.get("external") is not None
            found.append(text_of(given) if given is not None else "" if external else common)
        return found[0] if found and all(address == found[0] for address in found) else ""
