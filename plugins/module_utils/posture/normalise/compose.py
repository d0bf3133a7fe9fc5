# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""From the services of a compose project to subjects: what Docker would make of each, with the line that decides it.

PRIVATE to the collection: no stability is promised to other users.

What a service leaves open is what the engine does by default, or what a given daemon.json says. What only the image knows
(its user, its health check) counts as not set, since a deploy must not hang on it; the source of such a fact says so. What
depends on a variable without a value is unknown.

Sources: docker/compose pkg/compose/create.go for what becomes of a service, moby daemon/ for the defaults.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import posixpath
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import log_budget, log_containers
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import parse_size
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import NEWEST_KNOWN
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import secrets
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose import schema, short, variables
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.canonical import normal
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.project import Files, Project
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import (
    ComposeError,
    Node,
    sentence,
    text_of,
    unset_in,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    COMPOSE_SERVICE,
    Fact,
    Subject,
    Unknown,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import seccomp
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.inspect import (
    READ_ONLY,
    bounding_set,
    capability,
    uid_of,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules.escapes import sockets_through
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import Device, Mount, Port

# moby daemon/pkg/oci/defaults.go, 29.
_MASKED = (
    "/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/scsi /proc/timer_list "
    "/proc/timer_stats /sys/devices/virtual/powercap /sys/firmware"
).split()
# PATH_MAX of Linux.
_LONGEST_PATH = 4096
# Of a long range these ports are told apart: someone's shell, an API of an engine, the admission to a cluster.
_NOTABLE_PORTS = (22, 23, 80, 443, 2375, 2376, 2377, 3306, 5432, 6379, 6443, 10250)
_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))
_YES = frozenset(("true", "y", "yes", "on"))
_NO = frozenset(("false", "n", "no", "off"))
_RESTARTS = {"none": "no", "any": "always", "": "always"}
_CDI = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]+=[A-Za-z0-9_.:-]+\Z")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}\Z")

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
    """

    daemon: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    image_users: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    profiles: t.Collection[str] | None = None


def subjects(project: Project, files: Files, assumptions: Assumptions = Assumptions()) -> tuple[list[Subject], list[str]]:
    """Return the services of a project as subjects, and what is odd about them.

    Args:
        files: for seccomp profiles and env files that services name; env files are read for names only.

    Raises:
        ComposeError: a value is none that compose could use, with its line.
    """
    found = []
    warnings: dict[str, None] = {}
    for name, node in project.services.items():
        provider = node.get("provider")
        if provider is not None:
            kind = provider.get("type")
            by = text_of(kind) if kind is not None else "somebody else"
            text = f"services.{name} is made by the provider {by}, not as a container, so it was not judged"
            warnings[sentence(text, provider.file, provider.line)] = None
            continue
        if assumptions.profiles is not None and not _active(node, assumptions.profiles):
            continue
        service = _Service(name, node, project, files, assumptions, warnings)
        found.append(service.subject())
    return found, list(warnings)


def _active(node: Node, wanted: t.Collection[str]) -> bool:
    profiles = [text_of(item) for item in node.value["profiles"].entries()] if "profiles" in node.value else []
    return not profiles or "*" in wanted or any(profile in wanted for profile in profiles)


class _Option(t.NamedTuple):
    """An entry of security_opt; key is empty where it depends on a variable."""

    key: str
    value: str
    item: Node


class _Service:
    def __init__(self, name: str, node: Node, project: Project, files: Files, assumptions: Assumptions, warnings: dict[str, None]) -> None:
        self._name = name
        self._node = node
        self._project = project
        self._files = files
        self._daemon = assumptions.daemon
        self._image_users = assumptions.image_users
        self._warnings = warnings
        self._path = f"services.{name}"
        self._options = self._security_options()
        self._image = self._node.get("image")

    def subject(self) -> Subject:
        """Return the service with every fact of a workload."""
        privileged = self._truth("privileged")
        facts: dict[str, Known] = {
            "image": self._text("image", "is built, so it has no image of a registry"),
            "privileged": privileged,
            **self._identity(),
            **self._rights(privileged),
            **self._namespaces(),
            **self._network(),
            **self._storage(),
            **self._limits(),
            **self._life(),
            **self._words(),
            "unknown_keys": self._unknown_keys(),
            "running": self._absent(False, "is only defined"),
            "mounts_resolved": self._absent(False, "was read without a look at the host"),
            "programs": Unknown("nothing runs yet", self._path),
            "stale": self._absent((), "is not created yet, so nothing of it is older than a setting"),
            "engine_cgroup": self._absent(2, "runs on a host that was not looked at; cgroup version 2 is assumed"),
        }
        self._check_references()
        image = self._image
        labels = self._node.get("labels")
        identity = {
            "image": text_of(image) if image is not None else "",
            "project": self._project.name,
            "service": self._name,
            "labels": {key: text_of(value) for key, value in labels.items()} if labels is not None else {},
        }
        return Subject(COMPOSE_SERVICE, self._name, facts, identity, self._node.file, self._node.line)

    # What most facts are made of.

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
        return self._value(key, _truth, False, why or f"does not set {key}")

    def _items(self, key: str, convert: t.Callable[[str], str] = str, why: str = "") -> Known:
        """Return the fact of a list in which each item more can only make things worse."""
        node = self._node.get(key)
        if node is None:
            return self._absent((), why or f"does not set {key}")
        known = [item for item in node.entries() if not unset_in(item)]
        fact = self._here(tuple(Placed.of(convert(text_of(item)), item) for item in known), key, node)
        names = unset_in(node)
        return self._unset(key, names, node, fact) if names else fact

    def _security_options(self) -> list[_Option]:
        node = self._node.get("security_opt")
        found = []
        for item in node.entries() if node is not None else ():
            text = text_of(item)
            key, separator, value = text.partition("=")
            if not separator or ":" in key:
                key, separator, value = text.partition(":")
            found.append(_Option("" if item.unset and not key else key, value if separator else "", item))
        return found

    def _option(self, *keys: str) -> tuple[_Option | None, Unknown | None]:
        """Return the last entry of security_opt with one of the keys, or why nobody knows it."""
        for option in reversed(self._options):
            if option.key in keys or not option.key:
                if option.item.unset:
                    return None, self._unset("security_opt", option.item.unset, option.item)
                return option, None
        return None, None

    # Groups of facts.

    def _identity(self) -> dict[str, Known]:
        mapped = self._mapped()
        declared, source = self._image_user()
        image_user: Known = source if declared is None and isinstance(source, Unknown) else Fact(declared, str(source))
        node = self._node.get("user")
        if node is not None and (text_of(node) or node.unset):
            user: Known = self._unset("user", node.unset, node) if node.unset else self._here(text_of(node), "user", node)
        else:
            user = self._absent("", "sets no user")
        if isinstance(user, Unknown):
            uid: Known = user
        elif user.value:
            uid = self._uid(user.value, user)
        elif declared:
            uid = self._uid(declared, Fact(declared, str(source), self._node.file, self._node.line))
        elif declared is not None:
            uid = self._absent(0, "sets no user, and its image is known to set none")
        else:
            uid = self._absent(0, "sets no user; the image may set one, which is not known here")
        host_uid: Known = uid
        if isinstance(mapped, Unknown):
            host_uid = mapped
        elif mapped.value:
            host_uid = Unknown("which ids of the host the container gets is known on the host only", mapped.source)
        return {"user": user, "image_user": image_user, "uid": uid, "host_uid": host_uid, "uid_mapped": mapped}

    def _image_user(self) -> tuple[str | None, t.Any]:
        """Return the user that the image declares, as the caller knows it, with the source."""
        image = text_of(self._image) if self._image is not None and not unset_in(self._image) else ""
        for pattern, user in self._image_users.items():
            if image and fnmatch.fnmatchcase(image, pattern):
                return str(user), f"image_users, {pattern}"
        return None, Unknown("the image was not looked at", self._path)

    def _uid(self, user: str, fact: Fact) -> Known:
        number = uid_of(user)
        if number is not None:
            return fact._replace(value=number)
        return Unknown(f"the user {user.partition(':')[0]!r} is looked up in the image, which was not looked at; write a number", fact.source)

    def _mapped(self) -> Known:
        node = self._node.get("userns_mode")
        if node is not None and node.unset:
            return self._unset("userns_mode", node.unset, node)
        if node is not None and text_of(node) == "host":
            return self._here(False, "userns_mode", node)
        if self._daemon.get("userns-remap"):
            return Fact(True, "userns-remap of the daemon")
        return self._absent(False, "runs on a daemon without userns-remap")

    def _rights(self, privileged: Known) -> dict[str, Known]:
        added = self._capabilities("cap_add")
        dropped = self._capabilities("cap_drop")
        if isinstance(dropped, Unknown):
            dropped = dropped._replace(partly=None)
        whole = isinstance(privileged, Fact) and privileged.value
        facts: dict[str, Known] = {"cap_add": added, "cap_drop": dropped, "capabilities": self._bounding(privileged, added, dropped)}
        seccomp_mode, opens = self._seccomp(privileged)
        facts.update(seccomp=seccomp_mode, seccomp_opens=opens)
        apparmor = self._apparmor(privileged)
        facts["apparmor"] = apparmor
        if isinstance(apparmor, Unknown):
            facts["apparmor_mode"] = apparmor
        elif apparmor.value == "docker-default":
            facts["apparmor_mode"] = apparmor._replace(value="enforce")
        elif apparmor.value == "unconfined":
            facts["apparmor_mode"] = apparmor
        else:
            facts["apparmor_mode"] = Unknown(f"in which mode the profile {apparmor.value!r} is loaded is known on the host only", apparmor.source)
        facts["selinux"] = self._selinux()
        facts["no_new_privileges"] = self._no_new_privileges()
        opened, unknown = self._option("systempaths")
        bare = whole or (opened is not None and opened.value == "unconfined")
        if whole and isinstance(privileged, Fact):
            paths = Fact(tuple(_MASKED), privileged.source, privileged.file, privileged.line)
        elif opened is not None:
            paths = self._here(tuple(_MASKED) if bare else (), "security_opt", opened.item)
        else:
            paths = self._absent((), "leaves the paths of /proc and /sys as the engine has them")
        blind = unknown or (privileged if isinstance(privileged, Unknown) and not bare else None)
        facts["unmasked_paths"] = blind or paths
        facts["writable_paths"] = blind or paths._replace(value=READ_ONLY if bare else ())
        option, unknown = self._option("writable-cgroups")
        if whole and isinstance(privileged, Fact):
            facts["writable_cgroups"] = privileged
        elif unknown is not None:
            facts["writable_cgroups"] = unknown
        elif option is not None:
            facts["writable_cgroups"] = self._here(option.value in _TRUE or option.value == "", "security_opt", option.item)
        else:
            facts["writable_cgroups"] = privileged if isinstance(privileged, Unknown) else self._absent(False, "does not set writable-cgroups")
        return facts

    def _capabilities(self, key: str) -> Known:
        return self._items(key, capability)

    def _bounding(self, privileged: Known, added: Known, dropped: Known) -> Known:
        """Return what remains of the default set."""
        if isinstance(privileged, Fact) and privileged.value:
            return privileged._replace(value=bounding_set((), (), True))
        for fact in (privileged, added, dropped):
            if isinstance(fact, Unknown):
                return fact._replace(partly=None)
        add, drop = t.cast(Fact, added), t.cast(Fact, dropped)
        decides = add if add.value else drop
        return Fact(bounding_set(add.value, drop.value, False), f"{self._path}, from cap_add and cap_drop", decides.file, decides.line)

    def _seccomp(self, privileged: Known) -> tuple[Known, Known]:
        option, unknown = self._option("seccomp")
        if unknown is not None:
            return unknown, unknown
        if option is not None:
            if option.value in ("unconfined", "builtin"):
                return self._here(option.value, "security_opt", option.item), self._here(_opens(option.value), "security_opt", option.item)
            return self._here("custom", "security_opt", option.item), self._opened(option)
        if isinstance(privileged, Unknown):
            return privileged, privileged
        if privileged.value:
            return privileged._replace(value="unconfined"), privileged._replace(value=_opens("unconfined"))
        default = self._daemon.get("seccomp-profile") or "builtin"
        if default in ("builtin", "unconfined"):
            why = "sets no seccomp profile, and the daemon's is its own" if default == "builtin" else "sets no seccomp profile, and the daemon has none"
            return self._absent(default, why), self._absent(_opens(default), why)
        where = "seccomp-profile of the daemon"
        return Fact("custom", where), Unknown("the daemon's own seccomp profile was not looked at", where)

    def _opened(self, option: _Option) -> Known:
        """Return what a profile opens, read from the file that the service names."""
        source = f"{option.value}, named by {self._at('security_opt')}"
        path = normal(posixpath.join(self._project.directory, option.value))
        try:
            text = option.value if option.value.lstrip().startswith("{") else self._files.text(path)
        except ComposeError as error:
            return Unknown(f"the seccomp profile {option.value} {error.message}", source)
        if text is None:
            return Unknown(f"the seccomp profile {option.value} does not exist here", source)
        try:
            return Fact(seccomp.opened(text), source, option.item.file, option.item.line)
        except seccomp.Unreadable as error:
            return Unknown(f"{error} ({option.value})", source)

    def _apparmor(self, privileged: Known) -> Known:
        option, unknown = self._option("apparmor")
        if unknown is not None:
            return unknown
        if option is not None:
            return self._here(option.value or "docker-default", "security_opt", option.item)
        if isinstance(privileged, Unknown):
            return privileged
        if privileged.value:
            return privileged._replace(value="unconfined")
        return self._absent("docker-default", "sets no AppArmor profile, so it gets the engine's where the host has AppArmor")

    def _selinux(self) -> Known:
        found: Fact | None = None
        for option in self._options:
            if not option.key or option.key == "label":
                if option.item.unset:
                    return self._unset("security_opt", option.item.unset, option.item)
                what, _colon, value = option.value.replace("=", ":", 1).partition(":")
                if what == "disable":
                    found = self._here("disabled", "security_opt", option.item)
                elif what == "type":
                    found = self._here(value, "security_opt", option.item)
        return found or self._absent("", "runs on a host that was not looked at; that it has no SELinux is assumed")

    def _no_new_privileges(self) -> Known:
        option, unknown = self._option("no-new-privileges")
        if unknown is not None:
            return unknown
        if option is not None:
            if option.value not in _TRUE | _FALSE | {""}:
                raise option.item.error(f"{self._at('security_opt')} sets no-new-privileges to {option.value[:40]!r}; write true or false")
            return self._here(option.value not in _FALSE, "security_opt", option.item)
        if self._daemon.get("no-new-privileges") is True:
            return Fact(True, "no-new-privileges of the daemon")
        return self._absent(False, "does not set no-new-privileges, nor does the daemon")

    def _namespaces(self) -> dict[str, Known]:
        shared = str(self._daemon.get("default-ipc-mode") or "private")
        cgroup = str(self._daemon.get("default-cgroupns-mode") or "private")
        return {
            "pid_mode": self._text("pid", "has processes of its own"),
            "ipc_mode": self._text("ipc", "does not set ipc, so the daemon's default counts", shared),
            "uts_mode": self._text("uts", "has a host name of its own"),
            "userns_mode": self._text("userns_mode", "does not set userns_mode"),
            "cgroupns_mode": self._text("cgroup", "does not set cgroup, so the daemon's default counts", cgroup),
        }

    # Networks.

    def _network(self) -> dict[str, Known]:
        mode = self._text("network_mode", "is on networks of the project")
        names = self._networks()
        if isinstance(mode, Unknown):
            return {
                "network_mode": mode,
                "networks": mode,
                "macvlan_parents": self._absent((), "has its own network_mode"),
                "ports": self._ports(names),
                "device_requests": self._device_requests(),
            }
        if mode.value:
            shared = mode.value in ("host", "none") or ":" in mode.value
            networks: Known = mode._replace(value=() if shared else (mode.value,))
            parents: Known = mode._replace(value=())
        else:
            networks, parents, taken = self._on_networks(names)
            if taken is not None:
                mode = taken
        ports = self._ports(names)
        if mode.value == "host" and self._node.get("ports") is not None:
            ports = mode._replace(value=())
        return {"network_mode": mode, "networks": networks, "macvlan_parents": parents, "ports": ports, "device_requests": self._device_requests()}

    def _networks(self) -> list[tuple[str, Node, Node | None]]:
        """Return the networks of the service: name in the file, where it is named, and its definition."""
        if self._node.get("network_mode") is not None:
            return []
        node = self._node.get("networks")
        named = node.items() if node is not None else []
        if not named:
            return [("default", self._node, self._project.networks.get("default"))]
        return [(name, place, self._project.networks.get(name)) for name, place in named]

    def _on_networks(self, names: list[tuple[str, Node, Node | None]]) -> tuple[Known, Known, Fact | None]:
        found: list[str] = []
        parents: list[str] = []
        place = self._node
        unknown: Unknown | None = None
        taken: Fact | None = None
        for key, node, definition in names:
            place = node
            unset = unset_in(definition)
            if definition is not None and unset:
                unknown = self._unset("networks", unset, definition)
                continue
            driver = text_of(definition.value["driver"]) if definition is not None and definition.get("driver") is not None else ""
            external = definition is not None and definition.get("external") is not None and _truth(definition.value["external"])
            named = definition.get("name") if definition is not None else None
            real = text_of(named) if named is not None else key if external else f"{self._project.name}_{key}"
            found.append(real)
            if driver == "host" or (external and real == "host"):
                found.pop()
                taken = Fact("host", f"networks.{key}", definition.file if definition else "", definition.line if definition else 0)
            elif external and real == "none":
                found.pop()
            options = definition.get("driver_opts") if definition is not None else None
            if driver in ("macvlan", "ipvlan"):
                parent = options.get("parent") if options is not None else None
                on = text_of(parent) if parent is not None else "an interface of its own"
                place = parent or t.cast(Node, definition)
                parents.append(Placed.of(f"{driver} on {on}", place))
            elif external and real not in ("bridge", "host", "none") and unknown is None:
                where = f"{self._at('networks')} in {node.file}:{node.line}"
                unknown = Unknown(f"the network {real} is external, and its driver is known on the host only", where)
        source = self._at("networks") if self._node.get("networks") is not None else f"{self._path} sets no networks"
        networks = Fact(tuple(found), source, place.file, place.line)
        shared: Known = Fact(tuple(parents), source, place.file, place.line)
        if unknown is not None:
            shared = unknown._replace(partly=t.cast(Fact, shared))
            if "not set" in unknown.reason:
                return unknown._replace(partly=networks), shared, taken
        return networks, shared, taken

    def _ports(self, names: list[tuple[str, Node, Node | None]]) -> Known:
        node = self._node.get("ports")
        if node is None:
            return self._absent((), "publishes no ports")
        address = self._binding(names)
        found: list[Port] = []
        for item in node.entries():
            if not unset_in(item):
                found += self._port(item, address)
        fact = self._here(tuple(found), "ports", node)
        unset = unset_in(node)
        return self._unset("ports", unset, node, fact) if unset else fact

    def _port(self, item: Node, address: str) -> list[Port]:
        texts = {key: text_of(value) for key, value in item.items() if key in ("host_ip", "published", "target", "protocol") and value.value is not None}
        try:
            inside = short.port_range(texts.get("target", ""))
            outside = short.port_range(texts["published"]) if texts.get("published") else (0, 0)
        except ValueError as error:
            raise item.error(f"{self._at('ports')} {error}") from error
        host_ip = texts.get("host_ip", "") or address
        protocol = texts.get("protocol", "tcp").lower() or "tcp"
        if inside[0] == inside[1] or outside == (0, 0):
            return [Port(host_ip, outside[0], inside[0], protocol, item.file, item.line)]
        first, last = outside
        every = {first, last, *(port for port in _NOTABLE_PORTS if first <= port <= last)}
        return [Port(host_ip, port, inside[0] + port - first, protocol, item.file, item.line) for port in sorted(every)]

    def _binding(self, names: list[tuple[str, Node, Node | None]]) -> str:
        """Return the address on which ports are published that name none."""
        option = "com.docker.network.bridge.host_binding_ipv4"
        default = self._daemon.get("default-network-opts")
        bridge = default.get("bridge") if isinstance(default, t.Mapping) else None
        common = str(bridge.get(option) or "") if isinstance(bridge, t.Mapping) else ""
        found = []
        for _key, _place, definition in names:
            node = definition.get("driver_opts") if definition is not None else None
            given = node.get(option) if node is not None else None
            external = definition is not None and definition.get("external") is not None
            found.append(text_of(given) if given is not None else "" if external else common)
        return found[0] if found and all(address == found[0] for address in found) else ""

    # Storage and devices.

    def _storage(self) -> dict[str, Known]:
        groups = self._items("group_add")
        return {
            "mounts": self._mounts(),
            "volumes_from": self._items("volumes_from", _taken_from),
            "devices": self._devices(),
            "device_cgroup_rules": self._items("device_cgroup_rules"),
            "group_add": groups,
            "api_socket_groups": self._api_groups(groups),
            "use_api_socket": self._truth("use_api_socket"),
            "read_only_rootfs": self._truth("read_only"),
        }

    def _api_groups(self, groups: Known) -> Known:
        """A group that is called like an engine owns its socket; whether a number does is known on the host only."""
        own = _only(groups, lambda name: name in ("docker", "podman"))
        if isinstance(groups, Fact) and any(_NUMBER.match(name) for name in groups.value):
            return Unknown("which groups own sockets of the API is known on the host only", groups.source, t.cast(Fact, own))
        return own

    def _mounts(self) -> Known:
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
        read_only = item.get("read_only") is not None and not item.value["read_only"].unset and _truth(item.value["read_only"])
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

    # Limits.

    def _limits(self) -> dict[str, Known]:
        limits = ("deploy", "resources", "limits")
        memory = self._first((("mem_limit",), (*limits, "memory")), _size, 0, "has no limit of memory")
        pids = self._first((("pids_limit",), (*limits, "pids")), _count, 0, "has no limit of processes")
        cpu = self._first(
            ((*limits, "cpus"), ("cpus",), ("cpu_quota",), ("cpu_shares",), ("cpuset",), ("cpu_percent",), ("cpu_count",)),
            lambda node: text_of(node).strip() not in ("", "0", "0.0", "-1"),
            False,
            "has no limit of processors",
        )
        return {
            "memory": memory,
            "pids_limit": pids,
            "cpu_limited": cpu,
            "oom_kill_disabled": self._truth("oom_kill_disable"),
            "oom_score_adj": self._value("oom_score_adj", _whole, 0, "does not set oom_score_adj"),
            "ulimits": self._value("ulimits", lambda node: tuple(name for name, _limit in node.items()), (), "sets no ulimits"),
            "sysctls": self._sysctls(),
            "cgroup_parent": self._text("cgroup_parent", "does not set cgroup_parent"),
            "runtime": self._text("runtime", "does not set runtime"),
        }

    def _first(self, paths: t.Sequence[t.Sequence[str]], convert: t.Callable[[Node], t.Any], default: t.Any, why: str) -> Known:
        """Return the first of several values that is set to something."""
        last: Known | None = None
        for path in paths:
            if self._node.get(*path) is not None:
                last = self._value(".".join(path), convert, default, why, path)
                if isinstance(last, Unknown) or last.value:
                    return last
        return last or self._absent(default, why)

    def _sysctls(self) -> Known:
        node = self._node.get("sysctls")
        if node is None:
            return self._absent((), "sets no sysctls")
        found = tuple((name, text_of(value)) for name, value in node.items() if not value.unset)
        names = unset_in(node)
        fact = self._here(found, "sysctls", node)
        return self._unset("sysctls", names, node, fact) if names else fact

    # How it lives.

    def _life(self) -> dict[str, Known]:
        policy, retries = self._restart()
        driver, bounded = self._logs()
        return {
            "restart_policy": policy,
            "restart_retries": retries,
            "healthcheck": self._healthcheck(),
            "log_driver": driver,
            "log_bounded": bounded,
            "hook_privileged": self._hooks(),
            "build_privileges": self._build_privileges(),
        }

    def _restart(self) -> tuple[Known, Known]:
        swarm = self._node.get("deploy", "restart_policy")
        if swarm is not None:
            names = unset_in(swarm)
            if names:
                unknown = self._unset("deploy.restart_policy", names, swarm)
                return unknown, unknown
            condition = swarm.get("condition")
            attempts = swarm.get("max_attempts")
            word = text_of(condition) if condition is not None else ""
            key = "deploy.restart_policy"
            return self._here(_RESTARTS.get(word, word), key, swarm), self._here(_count(attempts) if attempts is not None else 0, key, swarm)
        node = self._node.get("restart")
        if node is None:
            return self._absent("no", "sets no restart policy"), self._absent(0, "sets no restart policy")
        if node.unset:
            unknown = self._unset("restart", node.unset, node)
            return unknown, unknown
        # A person who writes "false" means no; compose itself refuses it.
        policy, _colon, count = ("no" if node.value is False else text_of(node)).partition(":")
        if count and not _NUMBER.match(count):
            raise node.error(f"{self._at('restart')} is {text_of(node)[:40]!r}; write on-failure:5")
        return self._here(policy or "no", "restart", node), self._here(int(count) if count else 0, "restart", node)

    def _healthcheck(self) -> Known:
        node = self._node.get("healthcheck")
        if node is None:
            return self._absent("none", "sets no healthcheck; the image may have one, which is not known here")
        names = unset_in(node.get("disable"))
        if names:
            return self._unset("healthcheck", names, node)
        disable, test = node.get("disable"), node.get("test")
        if disable is not None and _truth(disable):
            return self._here("disabled", "healthcheck", disable)
        if test is None:
            return self._here("none", "healthcheck", node)
        words = [text_of(item) for item in test.entries()] if test.is_list() else [text_of(test)]
        return self._here("disabled" if words[:1] == ["NONE"] else "defined" if any(words) else "none", "healthcheck", test)

    def _logs(self) -> tuple[Known, Known]:
        node = self._node.get("logging")
        default = _default_logs(self._daemon)
        if node is not None and unset_in(node):
            unknown = self._unset("logging", unset_in(node), node)
            return unknown, unknown
        given = node.get("driver") if node is not None else None
        options = node.get("options") if node is not None else None
        driver = text_of(given) if given is not None else default.driver
        own = {name: text_of(value) for name, value in options.items()} if options is not None else {}
        both = {**default.options, **own} if driver == default.driver else own
        bounded = driver == "none" or log_budget.share(driver, both, NEWEST_KNOWN) is not None
        if node is None:
            why = "sets no logging, so the daemon's default counts"
            return self._absent(driver, why), self._absent(bounded, f"{why}: {driver}")
        return self._here(driver, "logging", given or node), self._here(bounded, "logging", node)

    def _hooks(self) -> Known:
        found = []
        unknown: Unknown | None = None
        place: Node | None = None
        for key in ("pre_start", "post_start", "pre_stop"):
            node = self._node.get(key)
            for number, hook in enumerate(node.entries() if node is not None else ()):
                privileged = hook.get("privileged")
                if privileged is None:
                    continue
                if privileged.unset:
                    unknown = self._unset(f"{key}[{number}]", privileged.unset, privileged)
                elif _truth(privileged):
                    found.append(f"{key}[{number}]")
                    place = place or privileged
        if place is not None:
            return self._here(tuple(found), "hooks", place)
        return unknown or self._absent((), "has no hook that runs privileged")

    def _build_privileges(self) -> Known:
        build = self._node.get("build")
        if build is None:
            return self._absent((), "is not built")
        found: list[str] = []
        place = build
        unset: tuple[str, ...] = ()
        privileged, network, entitlements = build.get("privileged"), build.get("network"), build.get("entitlements")
        for node in (privileged, network, entitlements):
            unset = (*unset, *unset_in(node))
        if privileged is not None and not privileged.unset and _truth(privileged):
            found.append("privileged")
            place = privileged
        if network is not None and text_of(network) == "host":
            found.append("network: host")
            place = network
        for item in entitlements.entries() if entitlements is not None else ():
            if not item.unset:
                found.append(f"entitlement {text_of(item)}")
                place = item
        fact = self._here(tuple(found), "build", place)
        return self._unset("build", unset, build, fact) if unset else fact

    # Words: labels, variables, directories.

    def _words(self) -> dict[str, Known]:
        labels = self._node.get("labels")
        docker_host = self._node.get("environment", "DOCKER_HOST")
        host: Known = self._absent("", "does not set DOCKER_HOST")
        if docker_host is not None:
            unset = docker_host.unset
            host = self._unset("environment", unset, docker_host) if unset else self._here(text_of(docker_host), "environment", docker_host)
        names, from_files = self._secret_names()
        if docker_host is None and "DOCKER_HOST" in from_files:
            host = Fact(*from_files["DOCKER_HOST"])
        return {
            "working_dir": self._text("working_dir", "sets no working_dir; that of the image is judged with the image"),
            "secret_names": names,
            "docker_host": host,
            "labels": self._here(tuple(name for name, _value in labels.items()), "labels", labels) if labels is not None else self._absent((), "has no labels"),
        }

    def _secret_names(self) -> tuple[Known, dict[str, tuple[str, str, str, int]]]:
        """Return the names under which something secret stands in plain text, and DOCKER_HOST where an env file has it."""
        found: dict[str, Node] = {}
        unset: dict[str, None] = {}
        first: Node | None = None
        for path, prefix in ((("environment",), ""), (("build", "args"), "build argument "), (("labels",), "label ")):
            node = self._node.get(*path)
            for name, value in node.items() if node is not None else ():
                if value.value is None:
                    # A name alone takes the value that it has where compose runs.
                    if path != ("labels",) and secrets.is_secret(name, self._project.values.get(name)):
                        found.setdefault(prefix + name, value)
                elif value.unset:
                    if secrets.named_secret(name):
                        unset.update(dict.fromkeys(value.unset))
                        first = first or value
                elif secrets.is_secret(name, value.value):
                    found.setdefault(prefix + name, value)
        for path, prefix in ((("entrypoint",), ""), (("command",), ""), (("healthcheck", "test"), "healthcheck ")):
            node = self._node.get(*path)
            if node is not None:
                words = [text_of(item) for item in node.entries()] if node.is_list() else text_of(node).split()
                found.update({f"{prefix}{name}": node for name in secrets.argument_secrets(secrets.arguments(words))})
        configs = self._node.get("configs")
        for item in configs.entries() if configs is not None else ():
            source = item.get("source")
            definition = self._project.configs.get(text_of(source)) if source is not None else None
            content = definition.get("content") if definition is not None else None
            if content is not None and secrets.form_of_secret(text_of(content)):
                found[f"content of config {text_of(t.cast(Node, source))}"] = content
        from_files: dict[str, tuple[str, str, str, int]] = {}
        blind = self._env_files(found, from_files)
        where = next(iter(found.values()), self._node)
        names = tuple(Placed.of(name, named) for name, named in found.items())
        fact = Fact(names, f"{self._path}, environment, arguments and labels", where.file, where.line)
        if unset and first is not None:
            return self._unset("environment", tuple(unset), first, fact), from_files
        return (blind._replace(partly=fact) if blind is not None else fact), from_files

    def _env_files(self, found: dict[str, Node], hosts: dict[str, tuple[str, str, str, int]]) -> Unknown | None:
        """Look at the names in env files; what is read there is not kept. Return why one could not be looked at."""
        node = self._node.get("env_file")
        blind: Unknown | None = None
        for item in node.entries() if node is not None else ():
            path = item.value["path"] if item.is_mapping() and "path" in item.value else item
            name = text_of(path)
            required = item.get("required")
            source = f"{self._at('env_file')} in {item.file}:{item.line}"
            if path.unset:
                blind = self._unset("env_file", path.unset, item)
                continue
            try:
                text = self._files.text(name)
                if text is None:
                    if required is None or _truth(required):
                        self._warn(item, f"{self._at('env_file')} names {name}, which does not exist here")
                        blind = Unknown(f"the env file {name} does not exist here", source)
                    continue
                given = item.get("format")
                raw = given is not None and text_of(given) == "raw"
                values = _raw_env(text) if raw else variables.read_env(text, name, self._project.values)
            except ComposeError as error:
                blind = Unknown(f"the env file {name} {error.message}", source)
                continue
            for key, value in values.items():
                if secrets.is_secret(key, value):
                    found.setdefault(f"{key} of {posixpath.basename(name)}", item)
            if "DOCKER_HOST" in values:
                hosts["DOCKER_HOST"] = (secrets.scrubbed(values["DOCKER_HOST"]), source, item.file, item.line)
        return blind

    def _unknown_keys(self) -> Known:
        found = schema.unknown_keys(self._node)
        if not found:
            return self._absent((), "has no key that compose does not know")
        return Fact(tuple(Placed.of(path, node) for path, node in found), self._path, found[0][1].file, found[0][1].line)

    def _check_references(self) -> None:
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

    def _warn(self, node: Node, message: str) -> None:
        self._warnings[sentence(message, node.file, node.line)] = None


def _opens(profile: str) -> tuple[str, ...]:
    return tuple(sorted(seccomp.OPENERS)) if profile == "unconfined" else ()


def _default_logs(daemon: t.Mapping[str, t.Any]) -> log_budget.LogConfig:
    options = daemon.get("log-opts")
    return log_containers.default_of({"log-driver": daemon.get("log-driver"), "log-opts": options if isinstance(options, t.Mapping) else None})


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
        return fact._replace(partly=part._replace(value=tuple(filter(wanted, part.value))) if part is not None else None)
    return fact._replace(value=tuple(filter(wanted, fact.value)))


def _taken_from(text: str) -> str:
    if text.startswith("container:"):
        return text[len("container:"):].partition(":")[0]
    return text.partition(":")[0]


def _raw_env(text: str) -> dict[str, str]:
    lines = (line.partition("=") for line in text.splitlines() if not line.lstrip().startswith("#"))
    return {name.strip(): value for name, equals, value in lines if equals}


def _truth(node: Node) -> bool:
    if isinstance(node.value, bool):
        return node.value
    word = text_of(node).lower()
    if word in _YES or word in _NO:
        return word in _YES
    raise node.error(f"is {text_of(node)[:40]!r} where compose wants true or false")


def _whole(node: Node) -> int:
    text = text_of(node).strip()
    if isinstance(node.value, float) and node.value.is_integer():
        return int(node.value)
    if not _NUMBER.match(text):
        raise node.error(f"is {text[:40]!r} where compose wants a whole number")
    return int(text)


def _count(node: Node) -> int:
    """A limit: what is negative is none."""
    return max(_whole(node), 0)


def _size(node: Node) -> int:
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
