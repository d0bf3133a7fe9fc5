# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Which networks a container is on, and which of its ports are published.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.inspect_kernel import Kernel
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.values import Found, mapping, text
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import Port


class Network(Kernel):
    """Networks and ports."""

    def _ports(self) -> Found:
        settings = mapping(self.answer.get("NetworkSettings"))
        given = settings.get("Ports")
        source = f"{self.where} /NetworkSettings/Ports"
        if not self.runs or not isinstance(given, t.Mapping):
            bindings = self._get("HostConfig", "PortBindings", (dict,), {})
            if isinstance(bindings, Unknown):
                return bindings
            given, source = bindings.value, bindings.source
        found: list[Port] = []
        broken = False
        for name, bindings in given.items():
            for binding in bindings if isinstance(bindings, (list, tuple)) else () if bindings is None else (None,):
                port = _port(str(name), binding)
                broken = broken or port is None
                if port is not None:
                    found.append(port)
        if not self.runs and self.host.get("PublishAllPorts") is True:
            for name in mapping(self.config.get("ExposedPorts")):
                port = _port(str(name), {})
                found += [port] if port is not None and not given.get(name) else []
        fact = Fact(tuple(found), source)
        return Unknown("the engine's answer holds what is no published port", source, fact) if broken else fact

    def _macvlan_parents(self) -> Found:
        networks = self._networks()
        if isinstance(networks, Unknown):
            return Unknown(networks.reason, networks.source)
        if self.engine.networks is None:
            return Unknown("the networks were not looked at", "GET /networks")
        used = [self.engine.networks.get(name) for name in networks.value]
        parents = (f"{driver} on {parent or 'an interface of its own'}" for driver, parent in filter(None, used) if driver in ("macvlan", "ipvlan"))
        return Fact(tuple(dict.fromkeys(parents)), "GET /networks")


def _port(name: str, binding: t.Any) -> Port | None:
    number, _separator, protocol = name.partition("/")
    if not number.isdecimal() or len(number) > 5 or not isinstance(binding, t.Mapping):
        return None
    # A range of ports of the host is allowed where the engine chooses one of them.
    chosen = text(binding.get("HostPort")).partition("-")[0]
    if chosen and (not chosen.isdecimal() or len(chosen) > 5):
        return None
    return Port(text(binding.get("HostIp")), int(chosen or 0), int(number), protocol or "tcp")
