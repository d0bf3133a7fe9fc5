# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""From the services of a compose project to subjects: what Docker would make of each, with the line that decides it.

PRIVATE to the collection: no stability is promised to other users.

What a service leaves open is what the engine does by default, or what a given daemon.json says. What only the image knows
(its user, its health check) counts as not set, since a deploy must not hang on it; the source of such a fact says so. What
depends on a variable without a value is unknown.

The groups of facts lie beside: compose_rights, compose_network, compose_storage, compose_running, compose_words; what they
are made with in compose_reading, and how services call one another in compose_names.

Source: docker/compose pkg/compose/create.go for what becomes of a service.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.project import Files, Project
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import Node, sentence, text_of
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    COMPOSE_SERVICE,
    Fact,
    Subject,
    Unknown,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.compose_names import Names, containers
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.compose_network import Network
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.compose_reading import (
    NOTHING_KNOWN,
    Assumptions,
    FileSays,
    Known,
    Part,
    Reading,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.compose_rights import Rights
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.compose_running import Running
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.compose_storage import Storage
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.compose_words import Words


def subjects(project: Project, files: Files, assumptions: Assumptions = NOTHING_KNOWN) -> tuple[list[Subject], list[str]]:
    """Return the services of a project as subjects, and what is odd about them.

    Args:
        files: for seccomp profiles, env files and label files that services name; they are read for names only.

    Raises:
        ComposeError: a value is none that compose could use, with its line.
    """
    found = []
    warnings: dict[str, None] = {}
    named = containers(project)
    roots: dict[tuple[str, str], str] = {}
    mounts: dict[str, Known] = {}
    said: dict[tuple[str, str, bool], FileSays] = {}
    taken = [0]
    for name, node in project.services.items():
        provider = node.get("provider")
        if provider is not None:
            kind = provider.get("type")
            by = text_of(kind) if kind is not None else "somebody else"
            text = f"services.{name} is made by the provider {by}, not as a container, so it was not judged"
            warnings[sentence(text, provider.file, provider.line)] = None
        elif assumptions.profiles is None or _active(node, assumptions.profiles):
            found.append(_subject(Reading(name, node, project, files, assumptions, named, roots, mounts, said, taken, warnings)))
    return found, list(warnings)


def _active(node: Node, wanted: t.Collection[str]) -> bool:
    profiles = [text_of(item) for item in node.value["profiles"].entries()] if "profiles" in node.value else []
    return not profiles or "*" in wanted or any(profile in wanted for profile in profiles)


def _subject(reading: Reading) -> Subject:
    """Return a service with every fact of a workload."""
    words, names = Words(reading), Names(reading)
    facts: dict[str, Known] = {
        **_Outlook(reading).facts(),
        **Rights(reading).facts(),
        **Network(reading).facts(),
        **Storage(reading).facts(),
        **Running(reading).facts(),
        **words.facts(),
    }
    names.check()
    return Subject(COMPOSE_SERVICE, reading.name, facts, names.identity(words.labels), reading.node.file, reading.node.line)


class _Outlook(Part):
    """What can be said of something that does not run yet, on a host that nobody looked at."""

    def facts(self) -> dict[str, Known]:
        """Return the facts."""
        return {
            "trusted_registries": Fact(self._reading.assumptions.trusted_registries, "the policy", self._node.file, self._node.line),
            "image": self._text("image", "is built, so it has no image of a registry"),
            "running": self._absent(False, "is only defined"),
            "mounts_resolved": self._absent(False, "was read without a look at the host"),
            "programs": Unknown("nothing runs yet", self._path),
            "stale": self._absent((), "is not created yet, so nothing of it is older than a setting"),
            "engine_cgroup": self._absent(2, "runs on a host that was not looked at; cgroup version 2 is assumed"),
        }
