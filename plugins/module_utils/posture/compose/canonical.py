# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""One form for everything that compose lets people write in several, and absolute paths for relative ones.

PRIVATE to the collection: no stability is promised to other users.

Rules: compose-go transform/*.go and paths/*.go. A list of ``NAME=value`` becomes a mapping here, because compose joins such
lists by name anyway.
"""

from __future__ import annotations

import posixpath
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose import short
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import (
    Budget,
    Node,
    kind_of,
    text_of,
    unset_in,
)

_PAIRS = ("annotations", "environment", "labels", "sysctls")
_BUILD_PAIRS = ("args", "labels", "additional_contexts")
_TEXTS = ("dns", "dns_opt", "dns_search", "tmpfs")
_LISTS = (
    "cap_add cap_drop security_opt group_add device_cgroup_rules volumes_from external_links expose links profiles post_start pre_start pre_stop"
).split()
_MAPPINGS = ("deploy", "healthcheck", "logging", "ulimits", "credential_spec", "provider", "develop", "blkio_config", "storage_opt")
# Paths without a scheme: what has one lies elsewhere.
_REMOTE = ("http://", "https://", "git://", "ssh://", "oci://", "docker-image://", "git@", "github.com/", "service:", "target:", "oci-layout://")
# Where ~ leads when nobody said whose home it is: some home.
HOME = "/home/~"


class Places(t.NamedTuple):
    """Where relative paths begin.

    Attributes:
        directory: of the project, or of the file of an `extends`, on the host where it is going to run; absolute.
        here: the same where the files are read, as the caller writes it.
        home: of whoever runs compose; HOME where that is not known.
    """

    directory: str
    here: str = ""
    home: str = HOME

    def path(self, text: str) -> str:
        """Return the absolute path that a path of a compose file means."""
        if text.startswith("~"):
            return posixpath.normpath(posixpath.join(self.home, text[1:].lstrip("/"))) if text[1:].strip("/") else self.home
        if text.startswith("\\\\") or (len(text) > 2 and text[1:3] in (":\\", ":/")):
            return text
        return normal(posixpath.join(self.directory, text))

    def file(self, text: str) -> str:
        """Return the path at which a file is read that a compose file names."""
        return normal(posixpath.join(self.here, text))


def normal(path: str) -> str:
    """Return a path without ``.``, ``..`` and double slashes; an absolute one never begins with two slashes."""
    cleaned = posixpath.normpath(path) if path else path
    return "/" + cleaned.lstrip("/") if cleaned.startswith("//") else cleaned


def is_remote(path: str) -> bool:
    """Tell whether a path is an address of another host, or of another service's image."""
    return path.startswith(_REMOTE)


def document(root: Node, places: Places, budget: Budget) -> dict[str, Node]:
    """Return the top of a document in canonical form.

    Raises:
        ComposeError: something has a form that compose does not read.
    """
    found = dict(root.value)
    for kind in ("services", "volumes", "networks", "secrets", "configs"):
        node = root.get(kind)
        if node is None:
            found.pop(kind, None)
            continue
        _want(node, dict, kind)
        found[kind] = node.with_value({name: _element(kind, name, item, places, budget) for name, item in node.value.items()})
    return found


def _element(kind: str, name: str, node: Node, places: Places, budget: Budget) -> Node:
    if kind == "services":
        return service(name, node, places, budget)
    if node.value is None:
        return node
    _want(node, dict, f"{kind}.{name}")
    value = dict(node.value)
    external = value.get("external")
    if external is not None and isinstance(external.value, dict):
        value["external"] = external.with_value(True)
        if "name" in external.value and "name" not in value:
            value["name"] = external.value["name"]
    if "labels" in value:
        value["labels"] = pairs(value["labels"])
    if kind in ("secrets", "configs") and _is_text(value.get("file")):
        value["file"] = _path(value["file"], places)
    options = value.get("driver_opts")
    if kind == "volumes" and options is not None and isinstance(options.value, dict) and _is_text(options.value.get("device")):
        device, how = options.value["device"], options.get("o")
        mounted = text_of(how) if how is not None and _is_scalar(how) else ""
        if "bind" in mounted.split(",") or "rbind" in mounted.split(","):
            value["driver_opts"] = options.with_value({**options.value, "device": _path(device, places)})
    return node.with_value(value)


def service(name: str, node: Node, places: Places, budget: Budget) -> Node:
    """Return a service in canonical form; what is null keeps being so, since an override can take it back."""
    path = f"services.{name}"
    _want(node, dict, path)
    value: dict[str, Node] = {}
    for key, item in node.value.items():
        if item.value is None:
            value[key] = item
            continue
        place = f"{path}.{key}"
        if key in _PAIRS:
            value[key] = pairs(item)
        elif key in _TEXTS:
            value[key] = _texts(item)
        elif key in _LISTS:
            value[key] = _want(item, list, place)
        elif key in _MAPPINGS:
            value[key] = _want(item, dict, place)
        elif key in _SPECIAL:
            value[key] = _SPECIAL[key](item, place, places, budget)
        else:
            value[key] = item
    if "deploy" in value and value["deploy"].get("labels") is not None:
        deploy = value["deploy"]
        value["deploy"] = deploy.with_value({**deploy.value, "labels": pairs(deploy.value["labels"])})
    return node.with_value(value)


def pairs(node: Node) -> Node:
    """Return a mapping for a list of ``NAME=value``; a name alone has null."""
    if node.value is None or isinstance(node.value, dict):
        return node
    _want(node, list, "a list of NAME=value")
    found: dict[str, Node] = {}
    for item in node.value:
        name, equals, rest = text_of(item).partition("=")
        found[name] = item.with_value(rest if equals else None)
    return node.with_value(found)


def _texts(node: Node) -> Node:
    return node if isinstance(node.value, list) else node.with_value([node.with_value(text_of(node))])


def _build(node: Node, place: str, places: Places, budget: Budget) -> Node:
    if isinstance(node.value, str):
        return node.with_value({"context": _path(node, places)})
    _want(node, dict, place)
    value = dict(node.value)
    for key in _BUILD_PAIRS:
        if key in value and value[key].value is not None:
            value[key] = pairs(value[key])
    if _is_text(value.get("context")):
        value["context"] = _path(value["context"], places)
    if value.get("secrets") is not None:
        value["secrets"] = _file_mounts(value["secrets"], f"{place}.secrets", places, budget)
    return node.with_value(value)


def _names(node: Node, place: str, _places: Places, _budget: Budget) -> Node:
    if isinstance(node.value, dict):
        return node
    return node.with_value({text_of(item): item.with_value(None) for item in _want(node, list, place).value})


def _extends(node: Node, place: str, places: Places, _budget: Budget) -> Node:
    if isinstance(node.value, str):
        return node.with_value({"service": node})
    if not _is_text(_want(node, dict, place).value.get("service")):
        raise node.error(f"{place} does not say which service it extends; add service")
    return node


def _env_file(node: Node, place: str, places: Places, _budget: Budget) -> Node:
    items = []
    for item in _texts(node).value if isinstance(node.value, str) else _want(node, list, place).value:
        if isinstance(item.value, dict):
            value = dict(item.value)
            if not _is_text(value.get("path")):
                raise item.error(f"{place} has an entry without a path; add path")
            value["path"] = value["path"].with_value(places.file(value["path"].value))
        else:
            value = {"path": item.with_value(places.file(text_of(item))), "required": item.with_value(True)}
        items.append(item.with_value(value))
    return node.with_value(items)


def _label_file(node: Node, _place: str, places: Places, _budget: Budget) -> Node:
    return node.with_value([item.with_value(places.file(text_of(item))) for item in _texts(node).value])


def _file_mounts(node: Node, place: str, _places: Places, _budget: Budget) -> Node:
    return node.with_value(
        [item if isinstance(item.value, dict) else item.with_value({"source": item.with_value(text_of(item))}) for item in _want(node, list, place).value]
    )


def _gpus(node: Node, place: str, _places: Places, _budget: Budget) -> Node:
    if isinstance(node.value, str):
        return node.with_value([node.with_value({"count": node.with_value("all")})])
    return _want(node, list, place)


def _volumes(node: Node, place: str, places: Places, _budget: Budget) -> Node:
    return node.with_value([_volume(item, place, places) for item in _want(node, list, place).value])


def _volume(item: Node, place: str, places: Places) -> Node:
    if isinstance(item.value, dict):
        value = dict(item.value)
        if _is_text(value.get("type")) and value["type"].value == "bind" and _is_text(value.get("source")):
            value["source"] = _path(value["source"], places)
        target = item.get("target")
        if target is not None and _is_text(target):
            value["target"] = target.with_value(normal(target.value))
        elif not unset_in(item):
            raise item.error(f"{place} has an entry without a target; add target")
        return item.with_value(value)
    try:
        spec = short.volume(text_of(item))
    except ValueError as error:
        return _unknown_or_refused(item, place, error)
    value = {
        "type": item.with_value(spec.kind),
        "source": item.with_value(places.path(spec.source) if spec.kind == "bind" else spec.source),
        "target": item.with_value(normal(spec.target)),
        "read_only": item.with_value(spec.read_only),
    }
    if spec.propagation:
        value["bind"] = item.with_value({"propagation": item.with_value(spec.propagation)})
    return item.with_value(value)


def _ports(node: Node, place: str, _places: Places, budget: Budget) -> Node:
    found: list[Node] = []
    for item in _want(node, list, place).value:
        if isinstance(item.value, dict):
            if item.get("target") is None and not unset_in(item):
                raise item.error(f"{place} has an entry without a target; add target")
            found.append(item)
            continue
        try:
            specs = short.ports(text_of(item))
        except ValueError as error:
            found.append(_unknown_or_refused(item, place, error))
            continue
        budget.take(len(specs), item.file, item.line)
        found += [item.with_value({key: item.with_value(text) for key, text in spec._asdict().items() if text}) for spec in specs]
    return node.with_value(found)


def _devices(node: Node, place: str, _places: Places, _budget: Budget) -> Node:
    found = []
    for item in _want(node, list, place).value:
        if not isinstance(item.value, dict):
            try:
                spec = short.device(text_of(item))
            except ValueError as error:
                found.append(_unknown_or_refused(item, place, error))
                continue
            item = item.with_value({key: item.with_value(text) for key, text in spec._asdict().items()})
        elif item.get("target") is None and item.get("source") is not None:
            # It appears in the container under its own path, and is unique by that.
            item = item.with_value({**item.value, "target": item.value["source"]})
        found.append(item)
    return node.with_value(found)


def _unknown_or_refused(item: Node, place: str, error: ValueError) -> Node:
    """Keep an item that cannot be read because variables in it have no value; refuse any other."""
    if item.unset:
        return item.with_value({})
    raise item.error(f"{place} {error}") from error


_SPECIAL: dict[str, t.Callable[[Node, str, Places, Budget], Node]] = {
    "build": _build,
    "configs": _file_mounts,
    "depends_on": _names,
    "devices": _devices,
    "env_file": _env_file,
    "extends": _extends,
    "gpus": _gpus,
    "label_file": _label_file,
    "models": _names,
    "networks": _names,
    "ports": _ports,
    "secrets": _file_mounts,
    "volumes": _volumes,
}


def _want(node: Node, kind: type, place: str) -> Node:
    if not isinstance(node.value, kind):
        raise node.error(f"{place} is a {kind_of(node.value)}; compose wants a {'mapping' if kind is dict else 'list'}")
    return node


def _path(node: Node, places: Places) -> Node:
    text = text_of(node)
    return node.with_value(text if not text or is_remote(text) else places.path(text))


def _is_text(node: Node | None) -> bool:
    return node is not None and isinstance(node.value, str)


def _is_scalar(node: Node) -> bool:
    return not isinstance(node.value, (dict, list))
