# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What a compose service mounts, and which devices and groups it is given.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import posixpath
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.canonical import normal
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import Node, text_of, unset_in
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.compose_reading import (
    NUMBER,
    Known,
    Part,
    truth_of,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules.escapes import sockets_through
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import Device, Mount

# PATH_MAX of Linux.
_LONGEST_PATH = 4096
_CDI = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]+=[A-Za-z0-9_.:-]+\Z")
_DEEPEST = 20
#: How many mounts the services of a project may take from one another: each chain of them doubles.
MOST_TAKEN = 5000


class Storage(Part):
    """What a service sees of the host: mounts, devices, groups."""

    def facts(self) -> dict[str, Known]:
        """Return the facts."""
        groups = self._items("group_add")
        return {
            "mounts": self.mounts(),
            "volumes_from": self._items("volumes_from", _taken_from),
            "devices": self._devices(),
            "device_requests": self._device_requests(),
            "device_cgroup_rules": self._items("device_cgroup_rules"),
            "group_add": groups,
            "api_socket_groups": self._api_groups(groups),
            "use_api_socket": self._truth("use_api_socket"),
            "read_only_rootfs": self._truth("read_only"),
        }

    def _api_groups(self, groups: Known) -> Known:
        """A group that is called like an engine owns its socket; whether a number does is known on the host only."""
        own = _only(groups, lambda name: name in ("docker", "podman"))
        if isinstance(groups, Fact) and any(NUMBER.match(name) for name in groups.value):
            return Unknown("which groups own sockets of the API is known on the host only", groups.source, t.cast(Fact, own))
        return own

    def mounts(self, depth: int = 0) -> Known:
        """Return what the service mounts, and what it takes from others with volumes_from.

        Args:
            depth: how many services are between this one and the one that is judged.
        """
        known = self._reading.mounts.get(self._name)
        if known is None:
            # What comes back to this service before it is known is a circle, which compose refuses.
            self._reading.mounts[self._name] = Unknown("services take volumes from one another in a circle", self._at("volumes_from"))
            known = self._reading.mounts[self._name] = self._all_mounts(depth)
        return known

    def _all_mounts(self, depth: int) -> Known:
        own = self._own_mounts()
        node = self._node.get("volumes_from")
        if node is None:
            return own
        known = own.partly if isinstance(own, Unknown) else own
        found: list[Mount] = list(known.value) if known is not None else []
        targets = {mount.target for mount in found}
        unknown = own if isinstance(own, Unknown) else None
        for item in node.entries():
            others = self._of_another(item, depth)
            part = others.partly if isinstance(others, Unknown) else others
            # What a service mounts itself counts before what it takes.
            fresh = [mount for mount in (part.value if part is not None else ()) if mount.target not in targets]
            found += fresh
            targets.update(mount.target for mount in fresh)
            unknown = unknown or (others if isinstance(others, Unknown) else None)
        place = known if known is not None and known.line and known.value else self._here((), "volumes_from", node)
        fact = place.having(tuple(found))
        return unknown._replace(partly=fact) if unknown is not None else fact

    def _of_another(self, item: Node, depth: int) -> Known:
        """Return the mounts of the service or container that an entry of volumes_from names."""
        words = text_of(item).split(":")
        source = f"{self._at('volumes_from')} in {item.file}:{item.line}"
        if item.unset:
            return self._unset("volumes_from", item.unset, item)
        container = words[0] == "container" and len(words) > 1
        name = self._reading.named(":".join(words[:2]) if container else f"service:{words[0]}")
        if not name:
            return Unknown(f"what {words[1] if container else words[0]} mounts is not part of the project", source)
        if name == self._name:
            return self._here((), "volumes_from", item)
        if depth >= _DEEPEST:
            return Unknown(f"volumes are taken from one another over more than {_DEEPEST} services", source)
        theirs = Storage(self._reading.of(name)).mounts(depth + 1)
        part = theirs.partly if isinstance(theirs, Unknown) else theirs
        kept = [mount for mount in (part.value if part is not None else ()) if mount.kind != "tmpfs"]
        self._reading.taken[0] += len(kept)
        if self._reading.taken[0] > MOST_TAKEN:
            return Unknown(f"services take more than {MOST_TAKEN} mounts from one another", source)
        read_only = words[-1] == "ro" and len(words) > (2 if container else 1)
        fact = self._here(
            tuple(mount._replace(read_only=mount.read_only or read_only, file=item.file, line=item.line) for mount in kept), "volumes_from", item
        )
        return Unknown(theirs.reason, source, fact) if isinstance(theirs, Unknown) else fact

    def _own_mounts(self) -> Known:
        found: list[Mount] = []
        unset: dict[str, None] = {}
        first: Node | None = None
        for key in ("volumes", "tmpfs", "secrets", "configs"):
            node = self._node.get(key)
            if node is None:
                continue
            first = first or node
            for item in node.entries():
                mount, names = self._mount(key, item)
                unset.update(dict.fromkeys(names))
                # A socket by its name is one, wherever the variable leads.
                if mount is not None and (not names or sockets_through(mount)):
                    found.append(mount)
        if first is None:
            return self._absent((), "mounts nothing")
        fact = self._here(tuple(found), "volumes", first)
        return self._unset("volumes", tuple(unset), first, fact) if unset else fact

    def _mount(self, key: str, item: Node) -> tuple[Mount | None, tuple[str, ...]]:
        """Return what an item mounts, and the variables without a value that this depends on."""
        if key == "tmpfs":
            target = text_of(item).partition(":")[0]
            return Mount("tmpfs", "", normal(target), file=item.file, line=item.line), item.unset
        if key in ("secrets", "configs"):
            return self._file_mount(key, item)
        texts = {name: text_of(node) for name, node in item.items() if name in ("type", "source", "target") and node.value is not None}
        unset = unset_in(item)
        kind = texts.get("type", "volume")
        source = texts.get("source", "")
        read_only = item.get("read_only") is not None and not item.value["read_only"].unset and truth_of(item.value["read_only"])
        propagation = item.get("bind", "propagation")
        host_path = source if kind == "bind" else ""
        if kind == "volume" and source:
            definition = self._project.volumes.get(source)
            unset = tuple(dict.fromkeys((*unset, *unset_in(definition))))
            host_path = _device_of(definition)
            subpath = item.get("volume", "subpath")
            if host_path and subpath is not None:
                host_path = normal(posixpath.join(host_path, text_of(subpath)))
        if len(source) > _LONGEST_PATH or len(host_path) > _LONGEST_PATH:
            raise item.error(f"{self._at(key)} names a place that is longer than {_LONGEST_PATH} characters; no path is")
        mount = Mount(
            kind=kind,
            source=source,
            target=texts.get("target", ""),
            read_only=read_only,
            propagation=text_of(propagation) if propagation is not None else "",
            host_path=host_path,
            file=item.file,
            line=item.line,
        )
        return (mount if texts else None), unset

    def _file_mount(self, key: str, item: Node) -> tuple[Mount | None, tuple[str, ...]]:
        """A secret or config from a file is that file, bound into the container read-only."""
        source = item.get("source")
        if source is None:
            raise item.error(f"{self._at(key)} has an entry without a source; add source")
        name = text_of(source)
        elements = self._project.secrets if key == "secrets" else self._project.configs
        definition = elements.get(name)
        node = definition.get("file") if definition is not None else None
        if node is None:
            return None, unset_in(item)
        target = item.get("target")
        where = text_of(target) if target is not None else name
        path = posixpath.join("/run/secrets" if key == "secrets" else "/", where)
        host_path = text_of(node)
        mount = Mount("bind", host_path, normal(path), True, "", host_path, (), "", item.file, item.line)
        return mount, (*unset_in(item), *node.unset)

    def _devices(self) -> Known:
        node = self._node.get("devices")
        if node is None:
            return self._absent((), "is given no devices")
        found = []
        for item in node.entries():
            if unset_in(item):
                continue
            texts = {key: text_of(value) for key, value in item.items() if key in ("source", "target", "permissions")}
            if not _CDI.match(texts.get("source", "")):
                found.append(Device(normal(texts.get("source", "")), texts.get("target", ""), texts.get("permissions") or "rwm", item.file, item.line))
        fact = self._here(tuple(found), "devices", node)
        names = unset_in(node)
        return self._unset("devices", names, node, fact) if names else fact

    def _device_requests(self) -> Known:
        """Devices that drivers or CDI hand over: in devices, gpus, and the reservations of deploy."""
        found: list[str] = []
        place: Node | None = None
        devices = self._node.get("devices")
        for item in devices.entries() if devices is not None else ():
            source = item.get("source")
            if source is not None and _CDI.match(text_of(source)):
                found.append(text_of(source))
                place = place or item
        for node in (self._node.get("gpus"), self._node.get("deploy", "resources", "reservations", "devices")):
            for item in node.entries() if node is not None else ():
                driver = item.get("driver")
                wanted = item.get("capabilities")
                capabilities = [text_of(entry) for entry in wanted.entries()] if wanted is not None else []
                found.append(text_of(driver) if driver is not None else ",".join(capabilities) or "gpu")
                place = place or item
        if place is None:
            return self._absent((), "asks for no devices of a driver")
        return self._here(tuple(found), "devices", place)


def _device_of(definition: Node | None) -> str:
    """Return the directory or disk of the host that a volume with driver options is."""
    driver = definition.get("driver") if definition is not None else None
    options = definition.get("driver_opts") if definition is not None else None
    if options is None or (driver is not None and text_of(driver) != "local"):
        return ""
    device = options.get("device")
    path = text_of(device) if device is not None else ""
    return normal(path) if path.startswith("/") else ""


def _only(fact: Known, wanted: t.Callable[[t.Any], bool]) -> Known:
    """Return the items of a list that are wanted."""
    if isinstance(fact, Unknown):
        part = fact.partly
        return fact._replace(partly=part.having(tuple(filter(wanted, part.value))) if part is not None else None)
    return fact.having(tuple(filter(wanted, fact.value)))


def _taken_from(text: str) -> str:
    if text.startswith("container:"):
        return text[len("container:"):].partition(":")[0]
    return text.partition(":")[0]
