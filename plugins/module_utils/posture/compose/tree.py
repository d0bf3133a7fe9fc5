# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""A compose file in memory: values that know where they were written.

PRIVATE to the collection: no stability is promised to other users.

Trees are never changed: aliases, `extends` and included files share their parts. Whoever needs another value makes a new
node with the same place (Node.with_value).
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.plain import printable

# The limit of compose itself for one document (compose-go loader/reset.go); here it is for everything of one project.
MOST_NODES = 100_000
DEEPEST = 100
# Of a file's name its end is shown, so that there is room for what is wrong with it.
_LONGEST_NAME = 300


class ComposeError(Exception):
    """What was given is no project; the message is a sentence that begins with the file and the line.

    Attributes:
        file, line: where, empty and 0 where there is no such place.
        message: what was found and what to do, without the place and a full stop.
    """

    def __init__(self, message: str, file: str = "", line: int = 0) -> None:
        super().__init__(sentence(message, file, line))
        self.message = message
        self.file = file
        self.line = line


def sentence(message: str, file: str = "", line: int = 0) -> str:
    """Return what is said of a place, fit for a terminal: names in it are somebody else's."""
    shown = file if len(file) <= _LONGEST_NAME else "\u2026" + file[1 - _LONGEST_NAME:]
    place = f"{shown}:{line}: " if file and line else f"{shown}: " if file else ""
    return printable(f"{place}{message}.")


class Node:
    """A value of a file.

    Attributes:
        value: None, bool, int, float, str, a list of nodes, or a dict of nodes by text.
        file, line: where it was written; for what a key holds, the line of the key.
        unset: variables that it depends on and that have neither a value nor a default.
        tag: ``reset`` or ``override`` where the file says so, else empty.
    """

    __slots__ = ("value", "file", "line", "unset", "tag")

    def __init__(self, value: t.Any, file: str = "", line: int = 0, unset: tuple[str, ...] = (), tag: str = "") -> None:
        self.value = value
        self.file = file
        self.line = line
        self.unset = unset
        self.tag = tag

    def with_value(self, value: t.Any) -> Node:
        """Return another value at the same place."""
        return Node(value, self.file, self.line, self.unset)

    def at(self, other: Node) -> Node:
        """Return the same value at another place."""
        return Node(self.value, other.file, other.line, self.unset)

    def is_mapping(self) -> bool:
        """Tell whether it has keys."""
        return isinstance(self.value, dict)

    def is_list(self) -> bool:
        """Tell whether it has items."""
        return isinstance(self.value, list)

    def get(self, *names: str) -> Node | None:
        """Return what lies under keys; None where one is missing, null, or not in a mapping."""
        node: Node | None = self
        for name in names:
            if node is None or not isinstance(node.value, dict):
                return None
            node = node.value.get(name)
        return node if node is None or node.value is not None else None

    def items(self) -> list[tuple[str, Node]]:
        """Return keys and values; none where it is no mapping."""
        return list(self.value.items()) if isinstance(self.value, dict) else []

    def entries(self) -> list[Node]:
        """Return the items of a list; none where it is no list."""
        return self.value if isinstance(self.value, list) else []

    def error(self, message: str) -> ComposeError:
        """Return a refusal at this place."""
        return ComposeError(message, self.file, self.line)


class Budget:
    """How much of a project is still taken: what is small in a file can be endless when it is expanded."""

    def __init__(self, nodes: int = MOST_NODES) -> None:
        self._whole = nodes
        self._left = nodes

    def take(self, count: int, file: str, line: int = 0) -> None:
        """Count values, or refuse the project."""
        self._left -= count
        if self._left < 0:
            raise ComposeError(f"expands to more than {self._whole} values; that is no compose project but an attack or a mistake", file, line)

    def take_tree(self, node: Node) -> None:
        """Count a value with everything in it, before it is used once more."""
        waiting = [node]
        while waiting:
            found = waiting.pop()
            self.take(1, node.file, node.line)
            if isinstance(found.value, dict):
                waiting.extend(found.value.values())
            elif isinstance(found.value, list):
                waiting.extend(found.value)


def unset_in(node: Node | None) -> tuple[str, ...]:
    """Return the variables without a value that a value or anything in it depends on."""
    if node is None:
        return ()
    found: dict[str, None] = {}
    waiting = [node]
    while waiting:
        current = waiting.pop()
        found.update(dict.fromkeys(current.unset))
        if isinstance(current.value, dict):
            waiting.extend(current.value.values())
        elif isinstance(current.value, list):
            waiting.extend(current.value)
    return tuple(found)


def text_of(node: Node) -> str:
    """Return a scalar as compose writes it; refuse a list or mapping."""
    value = node.value
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    raise node.error(f"is a {kind_of(value)} where a text has to stand")


def kind_of(value: t.Any) -> str:
    """Return what a person calls a value of this kind."""
    if isinstance(value, dict):
        return "mapping"
    if isinstance(value, list):
        return "list"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "truth value"
    return "text" if isinstance(value, str) else "number"
