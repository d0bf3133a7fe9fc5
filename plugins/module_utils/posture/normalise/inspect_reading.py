# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""One container as its engine answers and as the kernel runs it: how a value is read, and when it is unknown.

PRIVATE to the collection: no stability is promised to other users.

A key that is missing or of another type than the API has is unknown, never a default, except for keys that the API leaves
out when they are empty.
"""

from __future__ import annotations

import collections.abc
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.inspect_engine import EngineFacts
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.values import Found, mapping, text
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import ContainerLook, Process

# What no engine leaves out: where it stands, what is missing beside it is empty.
_ALWAYS_GIVEN = {"HostConfig": "Privileged", "Config": "Env"}
ANONYMOUS = re.compile(r"[0-9a-f]{64}")


class Reading:
    """A container, and how its values are read.

    Args:
        look: the container.
        engine: its engine.
        names: names of all containers by their ids.
    """

    def __init__(self, look: ContainerLook, engine: EngineFacts, names: t.Mapping[str, str]) -> None:
        self.look = look
        self.engine = engine
        self.names = names
        answer = look.inspect if isinstance(look.inspect, collections.abc.Mapping) else {}
        self.answer = answer
        self.host = mapping(answer.get("HostConfig"))
        self.config = mapping(answer.get("Config"))
        self._parts = {"HostConfig": self.host, "Config": self.config, "": answer}
        self.identifier = text(answer.get("Id"))
        self.where = f"GET /containers/{self.identifier[:12]}/json"
        state = mapping(answer.get("State"))
        self.runs: bool | None = state.get("Running") if isinstance(state.get("Running"), bool) else None
        process = look.process
        self.process: Process | None = process if process is not None and not process.error else None
        # Why the kernel's word is missing although there should be one.
        self.unread = ""
        if self.process is None and (process is not None or self.runs):
            self.unread = (process.error if process is not None else "") or "its process was not looked at"
        elif self.runs is None and self.process is None:
            self.unread = "the engine does not say whether it runs"
        number = state.get("Pid")
        self.proc = f"/proc/{number}" if isinstance(number, int) and number > 0 else "/proc/PID"
        self.options = self._security_options()
        self.mounted = {point: (options, kind) for point, options, kind in self.process.mounts} if self.process else {}

    def _called(self, container: str) -> str:
        """Return the name of a container that an id or a name stands for."""
        found = self.names.get(container)
        if found is None and re.fullmatch(r"[0-9a-f]{12,63}", container):
            found = next((name for identifier, name in self.names.items() if identifier.startswith(container)), None)
        return found or (container[:12] if ANONYMOUS.fullmatch(container) else container.lstrip("/"))

    def _pointer(self, part: str, key: str) -> str:
        return f"{self.where} /{part}/{key}" if part else f"{self.where} /{key}"

    def _get(self, part: str, key: str, kinds: tuple[type, ...], empty: t.Any, omitted: bool = False) -> Found:
        """Return a value of the answer; null counts as empty.

        Args:
            part: HostConfig, Config or empty for the top.
            kinds: types that the API has for it.
            omitted: whether the API leaves it out when it is empty.
        """
        holder = self._parts[part]
        source = self._pointer(part, key)
        if key not in holder:
            if omitted and _ALWAYS_GIVEN[part] in holder:
                return Fact(empty, source)
            return Unknown(f"the engine's answer has no {key}", source)
        value = holder[key]
        if value is None:
            return Fact(empty, source)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            return Unknown(f"{key} in the engine's answer is of a kind that it should not be", source)
        return Fact(value, source)

    def _texts(self, part: str, key: str, omitted: bool = False) -> Found:
        found = self._get(part, key, (list, tuple), (), omitted)
        if isinstance(found, Unknown):
            return found
        known = tuple(item for item in found.value if isinstance(item, str))
        if len(known) == len(found.value):
            return found.having(known)
        return Unknown(f"{key} in the engine's answer holds what is no text", found.source, found.having(known))

    def _security_options(self) -> dict[str, list[str]] | Unknown:
        """Return the security options by name, as the engine reads them; for flags without a value it is ``true``."""
        found = self._texts("HostConfig", "SecurityOpt")
        if isinstance(found, Unknown):
            return found
        options: dict[str, list[str]] = {}
        for option in found.value:
            if option == "disable":
                options.setdefault("label", []).append(option)
                continue
            name, separator, value = option.partition("=" if "=" in option else ":")
            options.setdefault(name, []).append(value if separator else "true")
        return options

    def _option(self, name: str) -> str | Unknown:
        """Return the last value of a security option, empty where it has none."""
        if isinstance(self.options, Unknown):
            return self.options
        return [*self.options.get(name, ()), ""][-1] if name not in self.options else self.options[name][-1]

    def _status(self, name: str) -> str | None:
        value = self.process.status.get(name) if self.process is not None else None
        return value.strip() if isinstance(value, str) else None

    def _shares_with_host(self, kind: str) -> bool | None:
        """Return whether the container is in a namespace of process 1, None where that cannot be told."""
        if self.process is None:
            return None
        own, host = self.process.namespaces.get(kind), self.process.host_namespaces.get(kind)
        return own == host if own and host else None

    def _namespace_source(self, kind: str) -> str:
        return f"{self.proc}/ns/{kind}"


def mapped(found: Found, change: t.Callable[[t.Any], t.Any]) -> Found:
    """Return a fact with another value, also where only a part of it is known."""
    if isinstance(found, Fact):
        return found.having(change(found.value))
    return found if found.partly is None else found._replace(partly=found.partly.having(change(found.partly.value)))


def value_of(found: Found) -> t.Any:
    """Return the value of a fact, None where it is unknown."""
    return found.value if isinstance(found, Fact) else None
