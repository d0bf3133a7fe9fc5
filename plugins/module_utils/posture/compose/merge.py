# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""How compose joins several definitions of one thing: files in their order, a service with the one that it extends.

PRIVATE to the collection: no stability is promised to other users.

Rules: compose-go override/merge.go and override/uncity.go, loader/reset.go, for trees in canonical form. Mappings are joined
key by key and lists are appended; what is unique (a target of a volume, a published port) keeps its first place and takes
its last value.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import Node, kind_of, text_of

Path = tuple[str, ...]
_SERVICE: Path = ("services", "*")
# What an override replaces as a whole.
_REPLACED = frozenset(((*_SERVICE, "command"), (*_SERVICE, "entrypoint"), (*_SERVICE, "healthcheck", "test"), (*_SERVICE, "ulimits", "*")))


def join(base: Node, over: Node, path: Path = ()) -> Node:
    """Return what two definitions are together.

    Args:
        base, over: in canonical form; over comes later.
        path: where both stand, with ``*`` for names of services, networks and the like.

    Raises:
        ComposeError: they cannot be joined.
    """
    if path in _REPLACED:
        return over
    if over.value is None:
        return base
    if isinstance(base.value, dict):
        if not isinstance(over.value, dict):
            raise over.error(f"{'.'.join(path)} is a {kind_of(over.value)} here, but a mapping in {base.file}:{base.line}; both cannot be joined")
        if path == (*_SERVICE, "logging") and _other_driver(base, over):
            return over
        return over.with_value(_mappings(base.value, over.value, path))
    if isinstance(base.value, list):
        if not isinstance(over.value, list):
            raise over.error(f"{'.'.join(path)} is a {kind_of(over.value)} here, but a list in {base.file}:{base.line}; both cannot be joined")
        return over.with_value([*base.value, *over.value])
    return over


def documents(base: t.Mapping[str, Node], over: t.Mapping[str, Node]) -> dict[str, Node]:
    """Return what the tops of two files are together."""
    return _mappings(base, over, ())


def service(base: Node, over: Node) -> Node:
    """Return a service that extends another; its place is its own."""
    return join(base, over, _SERVICE).at(over)


def _mappings(base: t.Mapping[str, Node], over: t.Mapping[str, Node], path: Path) -> dict[str, Node]:
    found = dict(base)
    named = path in (("services",), ("networks",), ("volumes",), ("secrets",), ("configs",), (*_SERVICE, "ulimits"))
    for key, node in over.items():
        before = found.get(key)
        if before is None:
            found[key] = node
            continue
        joined = join(before, node, (*path, "*" if named else key))
        # A service stays where it was first defined; what is in it has places of its own.
        found[key] = joined.at(before) if path == ("services",) else joined
    return found


def _other_driver(base: Node, over: Node) -> bool:
    ours, theirs = base.get("driver"), over.get("driver")
    return ours is not None and theirs is not None and text_of(ours) != text_of(theirs)


def unique(root: t.Mapping[str, Node]) -> dict[str, Node]:
    """Return the top of a project in which nothing that is unique stands twice."""
    services = root.get("services")
    if services is None:
        return dict(root)
    return {**root, "services": services.with_value({name: _unique_service(node) for name, node in services.items()})}


def _unique_service(node: Node) -> Node:
    changed = {}
    for key, index in _UNIQUE.items():
        items = node.get(key)
        if items is not None and isinstance(items.value, list) and len(items.value) > 1:
            places: dict[t.Any, Node] = {}
            for number, item in enumerate(items.value):
                mark = index(item)
                places[(number,) if mark is None else mark] = item
            if len(places) < len(items.value):
                changed[key] = items.with_value(list(places.values()))
    return node.with_value({**node.value, **changed}) if changed else node


def _target(item: Node) -> t.Any:
    target = item.get("target")
    return None if target is None else text_of(target)


def _file_mount(item: Node) -> t.Any:
    return _target(item) or _key(item, "source")


def _key(item: Node, name: str) -> t.Any:
    node = item.get(name)
    return None if node is None else (name, text_of(node))


def _port(item: Node) -> t.Any:
    target = item.get("target")
    if target is None:
        return None
    texts = {name: text_of(node) for name in ("host_ip", "published", "protocol") for node in (item.get(name),) if node is not None}
    return (texts.get("host_ip") or "0.0.0.0", texts.get("published", ""), text_of(target), texts.get("protocol", "tcp"))


def _before_equals(item: Node) -> t.Any:
    return text_of(item).partition("=")[0]


_UNIQUE: dict[str, t.Callable[[Node], t.Any]] = {
    "cap_add": _before_equals,
    "cap_drop": _before_equals,
    "configs": _file_mount,
    "devices": _target,
    "dns": _before_equals,
    "dns_opt": _before_equals,
    "dns_search": _before_equals,
    "env_file": lambda item: _key(item, "path"),
    "expose": text_of,
    "links": _before_equals,
    "ports": _port,
    "profiles": _before_equals,
    "secrets": _file_mount,
    "tmpfs": _before_equals,
    "volumes": _target,
}


def resets(root: Node) -> list[Path]:
    """Return the paths of what a document resets (``!reset``) or overrides as a whole (``!override``)."""
    found: list[Path] = []
    waiting: list[tuple[Node, Path]] = [(root, ())]
    while waiting:
        node, path = waiting.pop()
        if node.tag:
            found.append(path)
        elif isinstance(node.value, dict):
            waiting += [(item, (*path, key)) for key, item in node.value.items()]
        elif isinstance(node.value, list):
            waiting += [(item, (*path, str(number))) for number, item in enumerate(node.value)]
    return found


def without_resets(node: Node) -> Node:
    """Return a document without what it resets; what it overrides stays."""
    if isinstance(node.value, dict):
        value: t.Any = {key: without_resets(item) for key, item in node.value.items() if item.tag != "reset"}
    elif isinstance(node.value, list):
        value = [without_resets(item) for item in node.value if item.tag != "reset"]
    else:
        return node
    return node.with_value(value)


class Removal:
    """What a document takes out of those before it.

    Args:
        paths: see `resets`.
    """

    def __init__(self, paths: t.Iterable[Path]) -> None:
        self._tree: dict[str, t.Any] = {}
        for path in paths:
            tree = self._tree
            for name in path[:-1]:
                tree = tree.setdefault(name, {})
                if tree is _ALL:
                    break
            else:
                if path:
                    tree[path[-1]] = _ALL

    def apply(self, root: t.Mapping[str, Node]) -> dict[str, Node]:
        """Return the top of a project without it. Items of lists stay, as in compose."""
        return _without(root, self._tree)

    def apply_to_service(self, name: str, node: Node) -> Node:
        """Return a service that is about to be extended by a service of the document."""
        tree = self._tree.get("services", {}).get(name)
        return node.with_value(_without(node.value, tree)) if tree else node


# The end of a path in Removal; a mapping that stays empty.
_ALL: dict[str, t.Any] = {}


def _without(mapping: t.Mapping[str, Node], tree: t.Mapping[str, t.Any]) -> dict[str, Node]:
    found = dict(mapping)
    for name, below in tree.items():
        node = found.get(name)
        if node is None:
            continue
        if below is _ALL:
            del found[name]
        elif isinstance(node.value, dict):
            found[name] = node.with_value(_without(node.value, below))
    return found
