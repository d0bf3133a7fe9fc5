# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""How a fact is read from the definition of a service: with the line that decides it, or unknown with the reason.

PRIVATE to the collection: no stability is promised to other users.

What every group of facts (compose_rights, compose_network, compose_storage, compose_running, compose_words) is made with.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import parse_size
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.project import Files, Project
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import (
    Node,
    sentence,
    text_of,
    unset_in,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown

_YES = frozenset(("true", "y", "yes", "on"))
_NO = frozenset(("false", "n", "no", "off"))
NUMBER = re.compile(r"[+-]?[0-9]{1,18}\Z")

Known = t.Union[Fact, Unknown]


class Placed(str):
    """A text that knows its line, for lists of texts whose rules point at single items (checks.no_items)."""

    file = ""
    line = 0

    @classmethod
    def of(cls, text: str, node: Node) -> Placed:
        """Return a text with the place of a node."""
        placed = cls(text)
        placed.file, placed.line = node.file, node.line
        return placed


@dataclasses.dataclass(frozen=True)
class Assumptions:
    """What is known of where a project is going to run.

    Attributes:
        daemon: what daemon.json says there; empty for an engine that nobody configured.
        image_users: by pattern of an image's reference, the user that the image declares.
        profiles: services of other profiles are left out; None for all services, whatever their profiles.
        trusted_registries: registries that images may come from, by the policy; empty where nobody decided.
    """

    daemon: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    image_users: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    profiles: t.Collection[str] | None = None
    trusted_registries: tuple[str, ...] = ()


#: An engine that nobody configured, images that nobody knows.
NOTHING_KNOWN = Assumptions()


class FileSays(t.NamedTuple):
    """What a file of variables or labels says that matters here.

    Attributes:
        wrong: why it could not be read, empty where it could; ends a sentence.
        secret_names: names under which something secret stands.
        labels: of a file of labels; None for one of variables.
        docker_host: where variables lead to an API of Docker, None for nowhere.
    """

    wrong: str
    secret_names: tuple[str, ...] = ()
    labels: dict[str, str] | None = None
    docker_host: str | None = None


class Reading(t.NamedTuple):
    """A service that is being read, and all that decides what becomes of it.

    Attributes:
        name, node: of the service, in canonical form.
        containers: by name of a container the service that gives its container this name.
        roots: by key and service whose namespace it has in the end, as far as somebody asked (`root`).
        mounts: by name of a service what it mounts, as far as somebody asked (compose_storage).
        said: by key, path and whether it is raw what a file says, as far as somebody asked (compose_words).
        taken: how many mounts services have taken from one another.
        warnings: takes what is odd, each a sentence.
    """

    name: str
    node: Node
    project: Project
    files: Files
    assumptions: Assumptions
    containers: t.Mapping[str, str]
    roots: dict[tuple[str, str], str]
    mounts: dict[str, Known]
    said: dict[tuple[str, str, bool], FileSays]
    taken: list[int]
    warnings: dict[str, None]

    def of(self, name: str) -> Reading:
        """Return another service of the project; what is odd about it is said when it is its turn."""
        return self._replace(name=name, node=self.project.services[name], warnings={})

    def named(self, text: str) -> str:
        """Return the service that a mode such as ``service:web`` or ``container:web`` names; empty where it is none of the project."""
        kind, _colon, name = text.partition(":")
        found = name if kind == "service" else self.containers.get(name, "") if kind == "container" else ""
        return found if found in self.project.services else ""

    def joined(self, key: str) -> str:
        """Return the service whose namespace this one joins by a key; empty for none of the project."""
        node = self.node.get(key)
        name = self.named(node.value) if node is not None and not node.unset and isinstance(node.value, str) else ""
        return name if name != self.name else ""

    def root(self, key: str) -> str:
        """Return the service whose namespace this one has in the end: of those that it joins one after the other the last, or itself."""
        way: dict[str, None] = {}
        name = self.name
        # Whoever comes to a service again has gone in a circle, which compose refuses.
        while name not in way and (key, name) not in self.roots:
            way[name] = None
            name = self.of(name).joined(key) or name
        end = self.roots.get((key, name), name)
        self.roots.update({(key, passed): end for passed in way})
        return end


class Part:
    """What every group of facts is made with.

    Args:
        reading: the service.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._name = reading.name
        self._node = reading.node
        self._project = reading.project
        self._files = reading.files
        self._daemon = reading.assumptions.daemon
        self._path = f"services.{reading.name}"

    def _at(self, key: str) -> str:
        return f"{self._path}.{key}"

    def _here(self, value: t.Any, key: str, node: Node) -> Fact:
        """Return a fact that stands in the file."""
        return Fact(value, self._at(key), node.file, node.line)

    def _absent(self, value: t.Any, why: str) -> Fact:
        """Return a fact that follows from what the service does not say."""
        return Fact(value, f"{self._path} {why}", self._node.file, self._node.line)

    def _unset(self, key: str, names: t.Sequence[str], node: Node, partly: Fact | None = None) -> Unknown:
        texts = " and ".join(f"${{{name}}}" for name in names[:3])
        verb = "is" if len(names) == 1 else "are"
        return Unknown(f"depends on {texts}, which {verb} not set", f"{self._at(key)} in {node.file}:{node.line}", partly)

    def _value(self, key: str, convert: t.Callable[[Node], t.Any], default: t.Any, why: str, path: t.Sequence[str] = ()) -> Known:
        """Return the fact of one value of the service.

        Args:
            key: how it is called, the path where it lies deeper.
            convert: from what stands in the file.
            default, why: what it is where nothing stands there, and the reason.
        """
        node = self._node.get(*(path or (key,)))
        if node is None:
            return self._absent(default, why)
        names = unset_in(node)
        return self._unset(key, names, node) if names else self._here(convert(node), key, node)

    def _text(self, key: str, why: str, default: str = "") -> Known:
        return self._value(key, text_of, default, why)

    def _truth(self, key: str, why: str = "") -> Known:
        return self._value(key, truth_of, False, why or f"does not set {key}")

    def _items(self, key: str, convert: t.Callable[[str], str] = str, why: str = "") -> Known:
        """Return the fact of a list in which each item more can only make things worse."""
        node = self._node.get(key)
        if node is None:
            return self._absent((), why or f"does not set {key}")
        known = [item for item in node.entries() if not unset_in(item)]
        fact = self._here(tuple(Placed.of(convert(text_of(item)), item) for item in known), key, node)
        names = unset_in(node)
        return self._unset(key, names, node, fact) if names else fact

    def _warn(self, node: Node, message: str) -> None:
        self._reading.warnings[sentence(message, node.file, node.line)] = None


def truth_of(node: Node) -> bool:
    """Return a truth value; refuse what compose does not read as one."""
    if isinstance(node.value, bool):
        return node.value
    word = text_of(node).lower()
    if word in _YES or word in _NO:
        return word in _YES
    raise node.error(f"is {text_of(node)[:40]!r} where compose wants true or false")


def whole_of(node: Node) -> int:
    """Return a whole number; refuse what is none."""
    text = text_of(node).strip()
    if isinstance(node.value, float) and node.value.is_integer():
        return int(node.value)
    if not NUMBER.match(text):
        raise node.error(f"is {text[:40]!r} where compose wants a whole number")
    return int(text)


def count_of(node: Node) -> int:
    """Return a limit: what is negative is none."""
    return max(whole_of(node), 0)


def size_of(node: Node) -> int:
    """Return a size in bytes; what is negative is none."""
    value = node.value
    if isinstance(value, float):
        return max(int(value), 0) if abs(value) < 2**63 else 0
    text = text_of(node).strip()
    if text.startswith("-"):
        return 0
    try:
        return parse_size(text)
    except (ValueError, OverflowError) as error:
        raise node.error(f"is {text[:40]!r} where compose wants a size, such as 512m") from error
