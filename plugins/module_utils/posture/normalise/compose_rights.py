# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Who the processes of a compose service are, what they may do, and which namespaces they share.

PRIVATE to the collection: no stability is promised to other users.

Source: moby daemon/ for the defaults and for how privileged, security_opt and the daemon's settings count together.
"""

from __future__ import annotations

import fnmatch
import posixpath
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_openers import OPENERS
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.canonical import normal
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import (
    ComposeError,
    Node,
    text_of,
    unset_in,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import seccomp
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.compose_reading import (
    Known,
    Part,
    Placed,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.inspect import (
    READ_ONLY,
    bounding_set,
    capability,
    uid_of,
)

# moby daemon/pkg/oci/defaults.go, 29.
_MASKED = (
    "/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/scsi /proc/timer_list "
    "/proc/timer_stats /sys/devices/virtual/powercap /sys/firmware"
).split()
_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))


class SecurityOption(t.NamedTuple):
    """An entry of security_opt; key is empty where it depends on a variable."""

    key: str
    value: str
    item: Node


class Rights(Part):
    """Who the service's processes are, what they may do, and which namespaces they share."""

    def facts(self) -> dict[str, Known]:
        """Return the facts."""
        privileged = self._truth("privileged")
        return {"privileged": privileged, **self._identity(), **self._filters(privileged), **self._masks(privileged), **self._namespaces()}

    def _security_options(self) -> list[SecurityOption]:
        node = self._node.get("security_opt")
        found = []
        for item in node.entries() if node is not None else ():
            text = text_of(item)
            key, separator, value = text.partition("=")
            if not separator or ":" in key:
                key, separator, value = text.partition(":")
            found.append(SecurityOption("" if item.unset and not key else key, value if separator else "", item))
        return found

    def _option(self, *keys: str) -> tuple[SecurityOption | None, Unknown | None]:
        """Return the last entry of security_opt with one of the keys, or why nobody knows it."""
        for option in reversed(self._security_options()):
            if option.key in keys or not option.key:
                if option.item.unset:
                    return None, self._unset("security_opt", option.item.unset, option.item)
                return option, None
        return None, None

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
        node = self._node.get("image")
        image = text_of(node) if node is not None and not unset_in(node) else ""
        for pattern, user in self._reading.assumptions.image_users.items():
            if image and fnmatch.fnmatchcase(image, pattern):
                return str(user), f"image_users, {pattern}"
        return None, Unknown("the image was not looked at", self._path)

    def _uid(self, user: str, fact: Fact) -> Known:
        number = uid_of(user)
        if number is not None:
            return fact.having(number)
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

    def _filters(self, privileged: Known) -> dict[str, Known]:
        added = self._capabilities("cap_add")
        dropped = self._capabilities("cap_drop")
        if isinstance(dropped, Unknown):
            dropped = dropped._replace(partly=None)
        facts: dict[str, Known] = {"cap_add": added, "cap_drop": dropped, "capabilities": self._bounding(privileged, added, dropped)}
        seccomp_mode, opens = self._seccomp(privileged)
        apparmor = self._apparmor(privileged)
        mode: Known = apparmor
        if isinstance(apparmor, Fact) and apparmor.value == "docker-default":
            mode = apparmor.having("enforce")
        elif isinstance(apparmor, Fact) and apparmor.value != "unconfined":
            mode = Unknown(f"in which mode the profile {apparmor.value!r} is loaded is known on the host only", apparmor.source)
        return {
            **facts,
            "seccomp": seccomp_mode,
            "seccomp_opens": opens,
            "apparmor": apparmor,
            "apparmor_mode": mode,
            "selinux": self._selinux(),
            "no_new_privileges": self._no_new_privileges(),
        }

    def _masks(self, privileged: Known) -> dict[str, Known]:
        facts: dict[str, Known] = {}
        whole = isinstance(privileged, Fact) and privileged.value
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
        facts["writable_paths"] = blind or paths.having(READ_ONLY if bare else ())
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
            return privileged.having(bounding_set((), (), True))
        unknown = next((fact for fact in (privileged, added, dropped) if isinstance(fact, Unknown)), None)
        if unknown is not None:
            return unknown._replace(partly=self._held_anyway(added, dropped))
        add, drop = t.cast(Fact, added), t.cast(Fact, dropped)
        decides = add if add.value else drop
        held = _with_lines(bounding_set(add.value, drop.value, False), add.value)
        return Fact(held, f"{self._path}, from cap_add and cap_drop", decides.file, decides.line)

    @staticmethod
    def _held_anyway(added: Known, dropped: Known) -> Fact | None:
        """Return the capabilities that are held whatever the variables without a value may become."""
        add = added.partly if isinstance(added, Unknown) else added
        if add is None:
            return None
        if isinstance(dropped, Unknown):
            # What is added by its name is held even after ALL is dropped.
            return add.having(frozenset(name for name in add.value if name != "ALL"))
        return add.having(_with_lines(bounding_set(add.value, dropped.value, False), add.value))

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
            return privileged.having("unconfined"), privileged.having(_opens("unconfined"))
        default = self._daemon.get("seccomp-profile") or "builtin"
        if default in ("builtin", "unconfined"):
            why = "sets no seccomp profile, and the daemon's is its own" if default == "builtin" else "sets no seccomp profile, and the daemon has none"
            return self._absent(default, why), self._absent(_opens(default), why)
        where = "seccomp-profile of the daemon"
        return Fact("custom", where), Unknown("the daemon's own seccomp profile was not looked at", where)

    def _opened(self, option: SecurityOption) -> Known:
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
            return privileged.having("unconfined")
        return self._absent("docker-default", "sets no AppArmor profile, so it gets the engine's where the host has AppArmor")

    def _selinux(self) -> Known:
        found: Fact | None = None
        for option in self._security_options():
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
            "pid_mode": self._joined("pid", self._text("pid", "has processes of its own")),
            "ipc_mode": self._joined("ipc", self._text("ipc", "does not set ipc, so the daemon's default counts", shared)),
            "uts_mode": self._text("uts", "has a host name of its own"),
            "userns_mode": self._text("userns_mode", "does not set userns_mode"),
            "cgroupns_mode": self._text("cgroup", "does not set cgroup, so the daemon's default counts", cgroup),
        }

    def _joined(self, key: str, mode: Known) -> Known:
        """Return the host's namespace for that of a service which has the host's."""
        root = self._reading.root(key)
        last = self._project.services[root].get(key) if root != self._name else None
        if isinstance(mode, Unknown) or last is None or last.unset or text_of(last) != "host":
            return mode
        return mode._replace(value="host", source=f"{mode.source} is {mode.value}, and services.{root}.{key} is host")


def _with_lines(held: t.Iterable[str], added: t.Sequence[str]) -> frozenset[str]:
    """Return capabilities of which those that cap_add gives know its line."""
    placed = {name: name for name in added}
    whole = placed.get("ALL")
    if whole is None:
        return frozenset(placed.get(name, name) for name in held)
    line = Node(None, getattr(whole, "file", ""), getattr(whole, "line", 0))
    return frozenset(placed.get(name) or Placed.of(name, line) for name in held)


def _opens(profile: str) -> tuple[str, ...]:
    return tuple(sorted(OPENERS)) if profile == "unconfined" else ()
