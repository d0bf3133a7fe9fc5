# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""A container as the engine's API describes it and as the kernel runs it, in the facts that rules ask for.

PRIVATE to the collection: no stability is promised to other users.

Where a container runs and /proc could be read, what the kernel says counts; the engine's word counts elsewhere, as long as
it says something: a default that it does not record is unknown. The answers are those of secrets.container, of Docker 20.10
to 29 or of Podman. A key that is missing or of another type than the API has is unknown, never a default, except for keys
that the API leaves out when they are empty.
Sources: moby daemon/oci_linux.go, create_unix.go, daemon_unix.go (parseSecurityOpt), seccomp_linux.go, pkg/oci/defaults.go
and pkg/oci/caps; runc libcontainer/rootfs_linux.go; proc(5), cgroups(7), capabilities(7).
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import model, secrets, vocabulary
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Subject, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.capabilities import (
    ALL_CAPABILITIES,
    DEFAULT_CAPABILITIES,
    bounding_set,
    capability,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.inspect_engine import (
    EngineFacts,
    engine_facts,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.inspect_kernel import READ_ONLY
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.inspect_network import Network
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.inspect_rights import uid_of
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.inspect_running import Running
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.inspect_storage import Storage
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.values import Found, mapping, text
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import ContainerLook, EngineLook

__all__ = (
    "ALL_CAPABILITIES",
    "DEFAULT_CAPABILITIES",
    "READ_ONLY",
    "EngineFacts",
    "bounding_set",
    "capability",
    "engine_facts",
    "names_by_id",
    "subject",
    "uid_of",
)


def names_by_id(engine: EngineLook) -> dict[str, str]:
    """Return the names of all containers by their ids, for modes such as ``container:<id>``."""
    return {text(look.inspect.get("Id")): _name(look.inspect) for look in engine.containers if look.inspect.get("Id")}


def subject(look: ContainerLook, engine: EngineFacts, names: t.Mapping[str, str] | None = None) -> Subject:
    """Return a container with all facts of vocabulary.WORKLOAD, each known with its source or unknown with the reason.

    Args:
        names: see names_by_id.
    """
    return _Container(look, engine, names or {}).subject()


_METHODS = tuple((name, f"_{name}") for name in vocabulary.WORKLOAD)


class _Container(Network, Storage, Running):
    """One container; every method of the classes gives the fact of its name."""

    def subject(self) -> Subject:
        """Return the subject."""
        if self.look.error:
            facts: dict[str, Found] = {name: Unknown(self.look.error, self.where) for name in vocabulary.WORKLOAD}
        else:
            facts = {name: getattr(self, method)() for name, method in _METHODS}
        return Subject(model.CONTAINER, _name(self.answer), facts, self._identity())

    def _identity(self) -> dict[str, t.Any]:
        labels = mapping(self.config.get("Labels"))
        kept = {str(name): "" if value in (secrets.SECRET, secrets.WITHHELD) else text(value) for name, value in labels.items()}
        project = kept.get("com.docker.compose.project", "")
        service = kept.get("com.docker.swarm.service.name", "")
        if project and kept.get("com.docker.compose.service"):
            service = f"{project}/{kept['com.docker.compose.service']}"
        image = text(self.answer.get("Image"))
        digests = self.engine.images.get(image, {}).get("RepoDigests")
        return {
            "id": self.identifier,
            "image": text(self.config.get("Image")),
            "digest": next((digest.rpartition("@")[2] for digest in digests if isinstance(digest, str)), "") if isinstance(digests, list) else "",
            "project": project or kept.get("com.docker.stack.namespace", ""),
            "service": service,
            "labels": kept,
        }


def _name(answer: t.Mapping[str, t.Any]) -> str:
    name = answer.get("Name")
    return (name.lstrip("/") if isinstance(name, str) else "") or text(answer.get("Id"))[:12] or "unnamed"
