# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The networks and volumes that a compose project defines, as subjects: what the engine would say of them once they are made.

PRIVATE to the collection: no stability is promised to other users.

What is external is made by somebody else, and is judged where it is; what has no definition of its own is as the engine
makes it, which no rule objects to.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.project import Project
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import Node, text_of, unset_in
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Subject, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import network
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import EngineLook

# What says who uses an element; the rest is what its definition says.
_USERS = ("containers", "users")


def subjects(project: Project) -> list[Subject]:
    """Return the networks and volumes that have a definition of their own.

    Raises:
        ComposeError: a value is none that compose could use.
    """
    found = []
    for name, node in project.networks.items():
        if node.items() and not _external(node):
            (subject,) = network.subjects(EngineLook(networks=(_answer(name, node, "bridge"),))) or (None,)
            if subject is not None:
                found.append(_placed(subject, "networks", node, _users(project, "networks", name)))
    for name, node in project.volumes.items():
        if node.items() and not _external(node):
            (subject,) = network.volumes(EngineLook(volumes=(_answer(name, node, "local"),)), Fact((), "not made yet"))
            found.append(_placed(subject, "volumes", node, _users(project, "volumes", name)))
    return found


def _external(node: Node) -> bool:
    external = node.get("external")
    return external is not None and text_of(external).lower() not in ("false", "no", "off", "n")


def _answer(name: str, node: Node, driver: str) -> dict[str, t.Any]:
    """Return what the engine's API would answer of an element."""
    given, options, labels, internal = node.get("driver"), node.get("driver_opts"), node.get("labels"), node.get("internal")
    return {
        "Name": name,
        "Driver": text_of(given) if given is not None else driver,
        "Options": {key: text_of(value) for key, value in options.items()} if options is not None else {},
        "Labels": {key: text_of(value) for key, value in labels.items()} if labels is not None else {},
        "Ingress": False,
        "Internal": internal is not None and text_of(internal).lower() in ("true", "yes", "on", "y"),
    }


def _placed(subject: Subject, kind: str, node: Node, users: tuple[str, ...]) -> Subject:
    """Return a subject whose facts stand in a file."""
    place = node.get("driver_opts") or node
    source = f"{kind}.{subject.name}"
    unset = unset_in(node)
    reason = f"depends on ${{{unset[0]}}}, which is not set" if unset else ""
    facts: dict[str, Fact | Unknown] = {}
    for key, fact in subject.facts.items():
        if key in _USERS:
            facts[key] = Fact(users, "services", node.file, node.line)
        elif reason or isinstance(fact, Unknown):
            facts[key] = Unknown(reason or t.cast(Unknown, fact).reason, f"{source} in {node.file}:{node.line}")
        else:
            facts[key] = Fact(fact.value, source, place.file, place.line)
    return Subject(subject.kind, subject.name, facts, {"labels": subject.identity.get("labels", {})}, node.file, node.line)


def _users(project: Project, key: str, name: str) -> tuple[str, ...]:
    found = []
    for service, node in project.services.items():
        used = node.get(key)
        if used is None:
            continue
        sources = [item.get("source") for item in used.entries()]
        if name in dict(used.items()) or any(source is not None and text_of(source) == name for source in sources):
            found.append(service)
    return tuple(found)
