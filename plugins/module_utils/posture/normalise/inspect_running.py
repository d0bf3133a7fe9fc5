# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""How a container runs: its limits, restarts and health, its logs, what runs in it, and which defaults it has missed.

PRIVATE to the collection: no stability is promised to other users.

Source: cgroups(7); moby api/types/container (HostConfig, Config).
"""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import log_budget, log_containers, versions
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.log_budget import LogConfig
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import secrets
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.inspect_reading import Reading, mapped
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.values import Found, mapping, text
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import Process

# cgroup v1 writes the largest multiple of a page instead of "max".
_ENDLESS = 1 << 62


class Running(Reading):
    """Limits and life."""

    def _read_only_rootfs(self) -> Found:
        if "/" in self.mounted:
            return Fact("ro" in self.mounted["/"][0].split(","), f"{self.proc}/mountinfo")
        return self._get("HostConfig", "ReadonlyRootfs", (bool,), False)

    def _limit(self, names: t.Sequence[str]) -> tuple[int, str] | None:
        """Return the content of the first cgroup file that there is, 0 for no limit."""
        for name in names if self.process is not None else ():
            word = t.cast(Process, self.process).limits.get(name)
            first = word.split()[0] if isinstance(word, str) and word.split() else ""
            if first in ("max", "-1"):
                return 0, name
            if first.isdecimal():
                number = int(first[:20])
                return (0 if number >= _ENDLESS else number), name
        return None

    def _memory(self) -> Found:
        limit = self._limit(("memory.max", "memory.limit_in_bytes"))
        if limit is not None:
            return Fact(limit[0], f"cgroup {limit[1]} of the container")
        return self._get("HostConfig", "Memory", (int,), 0)

    def _pids_limit(self) -> Found:
        limit = self._limit(("pids.max",))
        if limit is not None:
            return Fact(limit[0], f"cgroup {limit[1]} of the container")
        return mapped(self._get("HostConfig", "PidsLimit", (int,), 0), lambda number: max(number, 0))

    def _cpu_limited(self) -> Found:
        limit = self._limit(("cpu.max", "cpu.cfs_quota_us"))
        parts: list[Found] = [self._get("HostConfig", name, (int,), 0) for name in ("CpuShares", "NanoCpus", "CpuQuota")]
        processors = self._get("HostConfig", "CpusetCpus", (str,), "")
        source = f"{self._pointer('HostConfig', 'CpuShares')}, NanoCpus, CpuQuota and CpusetCpus"
        if limit is not None and limit[0]:
            return Fact(True, f"cgroup {limit[1]} of the container")
        shares = parts[0]
        # 1024 is what a container without shares has.
        if isinstance(shares, Fact) and shares.value not in (0, 1024):
            return Fact(True, shares.source)
        if isinstance(processors, Fact) and processors.value:
            return Fact(True, processors.source)
        if limit is not None:
            return Fact(False, f"cgroup {limit[1]} of the container, {source}")
        if any(isinstance(part, Fact) and part.value > 0 for part in parts[1:]):
            return Fact(True, source)
        unknown = next((part for part in (*parts, processors) if isinstance(part, Unknown)), None)
        return Unknown(unknown.reason, unknown.source) if unknown is not None else Fact(False, source)

    def _oom_kill_disabled(self) -> Found:
        return self._get("HostConfig", "OomKillDisable", (bool,), False)

    def _oom_score_adj(self) -> Found:
        return self._get("HostConfig", "OomScoreAdj", (int,), 0)

    def _restart(self, key: str, kind: type, empty: t.Any) -> Found:
        policy = self._get("HostConfig", "RestartPolicy", (dict,), {})
        if isinstance(policy, Unknown):
            return policy
        value = policy.value.get(key, empty)
        source = f"{policy.source}/{key}"
        if not isinstance(value, kind) or isinstance(value, bool):
            return Unknown("the restart policy in the engine's answer is of a kind that it should not be", source)
        return Fact(value or empty, source)

    def _restart_policy(self) -> Found:
        return self._restart("Name", str, "no")

    def _restart_retries(self) -> Found:
        return self._restart("MaximumRetryCount", int, 0)

    def _healthcheck(self) -> Found:
        found = self._get("Config", "Healthcheck", (dict,), None, omitted=True)
        if isinstance(found, Unknown):
            return found
        test = found.value.get("Test") if found.value else None
        if not test:
            return found.having("none")
        if not isinstance(test, (list, tuple)):
            return Unknown("the healthcheck in the engine's answer is of a kind that it should not be", found.source)
        if test[0] == "NONE":
            return found.having("disabled")
        image = mapping(mapping(self.engine.images.get(text(self.answer.get("Image")))).get("Config"))
        return found.having("image" if mapping(image.get("Healthcheck")).get("Test") == test else "defined")

    def _ulimits(self) -> Found:
        listed = self._get("HostConfig", "Ulimits", (list, tuple), ())
        defaults = self.engine.ulimits
        if isinstance(listed, Fact) and listed.value and defaults is None:
            return Unknown("the daemon's default ulimits, which the engine writes into every container, are not known", listed.source)
        own = [mapping(entry) for entry in listed.value] if isinstance(listed, Fact) else []
        others = (entry for entry in own if (defaults or {}).get(str(entry.get("Name"))) != (entry.get("Soft"), entry.get("Hard")))
        names = (text(entry.get("Name")) or "unnamed" for entry in others)
        return mapped(listed, lambda _entries: tuple(names))

    def _sysctls(self) -> Found:
        given = self._get("HostConfig", "Sysctls", (dict,), {}, omitted=True)
        return mapped(given, lambda values: tuple(sorted((str(name), str(value)) for name, value in values.items())))

    def _cgroup_parent(self) -> Found:
        return self._get("HostConfig", "CgroupParent", (str,), "")

    def _runtime(self) -> Found:
        found = self._get("HostConfig", "Runtime", (str,), "", omitted=True)
        return mapped(found, lambda name: "" if name == self.engine.default_runtime else name)

    def _working_dir(self) -> Found:
        return self._get("Config", "WorkingDir", (str,), "")

    def _secret_names(self) -> Found:
        listed = self._texts("Config", "Env")
        if isinstance(listed, Unknown):
            return Unknown(listed.reason, listed.source)
        found = [
            *secrets.environment_secrets(self.config.get("Env")),
            *(f"label {name}" for name in secrets.label_secrets(self.config.get("Labels"))),
            *secrets.argument_secrets(self.config.get("Entrypoint")),
            *secrets.argument_secrets(self.config.get("Cmd")),
            *(f"healthcheck {name}" for name in secrets.argument_secrets(mapping(self.config.get("Healthcheck")).get("Test"))),
        ]
        return Fact(tuple(dict.fromkeys(found)), f"{self._pointer('Config', 'Env')}, Labels, Entrypoint, Cmd and Healthcheck (values were withheld)")

    def _docker_host(self) -> Found:
        listed = self._texts("Config", "Env")
        if isinstance(listed, Unknown):
            return Unknown(listed.reason, listed.source)
        entries = [entry.partition("=")[2] for entry in listed.value if entry.startswith("DOCKER_HOST=")]
        return Fact(entries[-1] if entries else "", listed.source)

    def _log_config(self) -> LogConfig | Unknown:
        given = self._get("HostConfig", "LogConfig", (dict,), None)
        if isinstance(given, Unknown):
            return given
        options = given.value.get("Config") if given.value else None
        driver = given.value.get("Type") if given.value else None
        if not isinstance(driver, str) or not isinstance(options, (dict, type(None))):
            return Unknown("the log settings in the engine's answer are of a kind that they should not be", given.source)
        return LogConfig("", driver or log_containers.BUILT_IN.driver, {str(name): text(value) for name, value in (options or {}).items()})

    def _log_driver(self) -> Found:
        config = self._log_config()
        return config if isinstance(config, Unknown) else Fact(config.driver, f"{self._pointer('HostConfig', 'LogConfig')}/Type")

    def _log_bounded(self) -> Found:
        config = self._log_config()
        source = self._pointer("HostConfig", "LogConfig")
        if isinstance(config, Unknown):
            return Unknown(config.reason, config.source)
        return Fact(_is_bounded(config.driver, tuple(sorted(config.options.items())), self.engine.version), source)

    def _labels(self) -> Found:
        return mapped(self._get("Config", "Labels", (dict,), {}), lambda given: tuple(sorted(map(str, given))))

    def _programs(self) -> Found:
        source = "the processes of its cgroup"
        if self.process is not None and self.process.programs is not None:
            return Fact(self.process.programs, source)
        return Unknown(self.unread or ("its processes were not looked at" if self.process is not None else "it does not run"), source)

    def _stale(self) -> Found:
        found = []
        sources = [self.where]
        option = self._option("no-new-privileges")
        if self._status("NoNewPrivs") == "0" and self.engine.no_new_privileges and option == "":
            found.append("no-new-privileges is off, the daemon's default is on")
            sources.append(f"{self.proc}/status NoNewPrivs")
        config = self._log_config()
        unknown = ""
        if isinstance(config, LogConfig) and self.engine.log is not None:
            found += log_containers.differences(config, self.engine.log)
        else:
            unknown = "its log settings, or the daemon's, could not be read"
        reference = text(self.config.get("Image"))
        current = self.engine.tags.get(reference) or self.engine.tags.get(f"{reference}:latest")
        image = text(self.answer.get("Image"))
        if current and image and current != image:
            found.append(f"its image is {image[:19]}, {reference} is {current[:19]} now")
        if self.engine.no_new_privileges is None or (self.engine.no_new_privileges and option == "" and self._status("NoNewPrivs") is None):
            unknown = unknown or "whether no-new-privileges is in force for it is not known"
        fact = Fact(tuple(found), ", ".join(sources))
        return Unknown(unknown, self.where, fact) if unknown else fact

    def _hook_privileged(self) -> Found:
        return Fact((), "a container has no lifecycle hooks")

    def _build_privileges(self) -> Found:
        return Fact((), "a container is not built")

    def _unknown_keys(self) -> Found:
        return Fact((), "a container comes from no file")

    def _engine_cgroup(self) -> Found:
        source = "GET /info /CgroupVersion"
        return Unknown("the engine does not say its cgroup version", source) if self.engine.cgroup_version is None else Fact(self.engine.cgroup_version, source)


@functools.lru_cache(maxsize=512)
def _is_bounded(driver: str, options: tuple[tuple[str, str], ...], version: str) -> bool:
    try:
        release = versions.parse(version)
    except ValueError:
        release = versions.NEWEST_KNOWN
    return driver == "none" or log_budget.share(driver, dict(options), release) is not None
