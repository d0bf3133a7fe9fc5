# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""How a compose service is called, by whom, and what of the project it refers to.

PRIVATE to the collection: no stability is promised to other users.

A service answers to its own name, to that of its container, to its host name and to its aliases on a network; `links` give
it names of others that it alone knows. Ways from service to service (attack_paths) are found by these.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.project import Project
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import Node, text_of, unset_in
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.compose_reading import Part

# An API of Docker without certificates listens there: in docker:dind, and in proxies of the socket.
_API_PORT = "2375"
_MODES = (("pid_mode", "pid"), ("ipc_mode", "ipc"), ("network_mode", "network_mode"))


def containers(project: Project) -> dict[str, str]:
    """Return by name of a container the service that gives it."""
    named = ((node.get("container_name"), name) for name, node in project.services.items())
    return {text_of(node): name for node, name in named if node is not None and not node.unset}


class Names(Part):
    """How a service is called, and whom it calls."""

    def identity(self, labels: t.Mapping[str, str]) -> dict[str, t.Any]:
        """Return what waivers and attack paths know the service by.

        Args:
            labels: of the service.

        Returns:
            ``image``, ``project``, ``service``, ``labels``, and for attack paths ``names`` (what others on its networks call
            it), ``links`` (by the name that it has for another service that service), ``joins`` (by fact the service whose
            namespace it joins), ``volumes`` (by name in the file the engine's name of a volume that other projects may use)
            and ``offers_api`` (whether it serves an API of Docker to its networks).
        """
        image = self._node.get("image")
        joins = {fact: self._reading.joined(key) for fact, key in _MODES}
        return {
            "image": text_of(image) if image is not None else "",
            "project": self._project.name,
            "service": self._name,
            "labels": labels,
            "names": self._names(),
            "links": self._links(),
            "joins": {fact: name for fact, name in joins.items() if name},
            "volumes": self._volumes(),
            "offers_api": self._offers_api(),
        }

    def _names(self) -> tuple[str, ...]:
        found = [node for node in (self._node.get("container_name"), self._node.get("hostname")) if node is not None and not node.unset]
        networks = self._node.get("networks")
        for _network, settings in networks.items() if networks is not None else ():
            aliases = settings.get("aliases")
            found += aliases.entries() if aliases is not None else []
        return tuple(dict.fromkeys(text_of(node) for node in found))

    def _links(self) -> dict[str, str]:
        links = self._node.get("links")
        found = {}
        for item in links.entries() if links is not None else ():
            service, colon, alias = text_of(item).partition(":")
            if colon and alias and service in self._project.services:
                found[alias] = service
        return found

    def _volumes(self) -> dict[str, str]:
        used = self._node.get("volumes")
        found = {}
        for item in used.entries() if used is not None else ():
            source = item.get("source")
            name = text_of(source) if source is not None else ""
            definition = self._project.volumes.get(name)
            if definition is not None and (definition.get("name") is not None or _external(definition)):
                given = definition.get("name")
                found[name] = text_of(given) if given is not None else name
        return found

    def _offers_api(self) -> bool:
        exposed = self._node.get("expose")
        if any(text_of(item).partition("/")[0] == _API_PORT for item in (exposed.entries() if exposed is not None else ())):
            return True
        words = []
        for key in ("entrypoint", "command"):
            node = self._node.get(key)
            if node is not None:
                words += [text_of(item) for item in node.entries()] if node.is_list() else text_of(node).split()
        if any("tcp://" in word and word.rpartition(":")[2] == _API_PORT for word in words):
            return True
        # The image of a nested engine asks for certificates unless it is told where to put none.
        image, places = self._node.get("image"), self._node.get("environment", "DOCKER_TLS_CERTDIR")
        name = text_of(image).rpartition("/")[2] if image is not None else ""
        return name.startswith("docker:") and "dind" in name and places is not None and not places.unset and text_of(places) == ""

    # What it refers to.

    def check(self) -> None:
        """Warn of what the service names and the project does not have, at which compose stops."""
        project = self._project
        for key, known, kind in (
            ("networks", project.networks, "network"),
            ("depends_on", project.services, "service"),
        ):
            node = self._node.get(key)
            for name, place in node.items() if node is not None else ():
                if name not in known and name != "default":
                    self._missing(place, key, kind, name)
        for key, elements, kind in (("secrets", project.secrets, "secret"), ("configs", project.configs, "config")):
            node = self._node.get(key)
            for item in node.entries() if node is not None else ():
                source = item.get("source")
                if source is not None and not source.unset and text_of(source) not in elements:
                    self._missing(item, key, kind, text_of(source))
        node = self._node.get("volumes")
        for item in node.entries() if node is not None else ():
            source, kind_node = item.get("source"), item.get("type")
            named = text_of(source) if source is not None and kind_node is not None and text_of(kind_node) == "volume" and not unset_in(item) else ""
            if named and named not in project.volumes:
                self._missing(item, "volumes", "volume", named)
        for key in ("network_mode", "pid", "ipc"):
            node = self._node.get(key)
            text = text_of(node) if node is not None else ""
            if node is not None and text.startswith("service:") and not node.unset and text[len("service:"):] not in project.services:
                self._missing(node, key, "service", text[len("service:"):])

    def _missing(self, node: Node, key: str, kind: str, name: str) -> None:
        self._warn(node, f"{self._at(key)} names the {kind} {name}, which the project does not have; compose refuses it")


def _external(definition: Node) -> bool:
    external = definition.get("external")
    return external is not None and text_of(external).lower() not in ("false", "no", "off", "n")
