# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What a compose service may use up, how it is kept running, and what its hooks and its build may do.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import log_budget, log_containers
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import NEWEST_KNOWN
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import Node, text_of, unset_in
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.compose_reading import (
    NUMBER,
    Known,
    Part,
    Placed,
    count_of,
    size_of,
    truth_of,
    whole_of,
)

_RESTARTS = {"none": "no", "any": "always", "": "always"}


class Running(Part):
    """What a service may use up, how it is kept running, and what runs beside it."""

    def facts(self) -> dict[str, Known]:
        """Return the facts."""
        return {**self._limits(), **self._life()}

    def _limits(self) -> dict[str, Known]:
        limits = ("deploy", "resources", "limits")
        memory = self._first((("mem_limit",), (*limits, "memory")), size_of, 0, "has no limit of memory")
        pids = self._first((("pids_limit",), (*limits, "pids")), count_of, 0, "has no limit of processes")
        cpu = self._first(
            ((*limits, "cpus"), ("cpus",), ("cpu_quota",), ("cpu_shares",), ("cpuset",)),
            _limits_processors,
            False,
            "has no limit of processors",
        )
        return {
            "memory": memory,
            "pids_limit": pids,
            "cpu_limited": cpu,
            "oom_kill_disabled": self._truth("oom_kill_disable"),
            "oom_score_adj": self._value("oom_score_adj", whole_of, 0, "does not set oom_score_adj"),
            "ulimits": self._value("ulimits", lambda node: tuple(Placed.of(name, limit) for name, limit in node.items()), (), "sets no ulimits"),
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
        found = tuple((Placed.of(name, value), text_of(value)) for name, value in node.items() if not value.unset)
        names = unset_in(node)
        fact = self._here(found, "sysctls", node)
        return self._unset("sysctls", names, node, fact) if names else fact

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
            return self._here(_RESTARTS.get(word, word), key, swarm), self._here(count_of(attempts) if attempts is not None else 0, key, swarm)
        node = self._node.get("restart")
        if node is None:
            return self._absent("no", "sets no restart policy"), self._absent(0, "sets no restart policy")
        if node.unset:
            unknown = self._unset("restart", node.unset, node)
            return unknown, unknown
        # A person who writes "false" means no; compose itself refuses it.
        policy, _colon, count = ("no" if node.value is False else text_of(node)).partition(":")
        if count and not NUMBER.match(count):
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
        if disable is not None and truth_of(disable):
            return self._here("disabled", "healthcheck", disable)
        if test is None:
            return self._here("none", "healthcheck", node)
        words = [text_of(item) for item in test.entries()] if test.is_list() else [text_of(test)]
        asked = words[1:] if words[:1] in (["CMD"], ["CMD-SHELL"]) and test.is_list() else words
        return self._here("disabled" if words[:1] == ["NONE"] else "defined" if any(word.strip() for word in asked) else "none", "healthcheck", test)

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
                elif truth_of(privileged):
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
        if privileged is not None and not privileged.unset and truth_of(privileged):
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


def _default_logs(daemon: t.Mapping[str, t.Any]) -> log_budget.LogConfig:
    options = daemon.get("log-opts")
    return log_containers.default_of({"log-driver": daemon.get("log-driver"), "log-opts": options if isinstance(options, t.Mapping) else None})


def _limits_processors(node: Node) -> bool:
    text = text_of(node).strip()
    # cpu_count and cpu_percent are for Windows; on Linux the engine takes no notice of them.
    try:
        return float(text) > 0
    except ValueError:
        return bool(text)
