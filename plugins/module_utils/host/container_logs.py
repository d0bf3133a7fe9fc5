# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The logs of this host's containers: where they lie, how they are delivered, what room they need, what they refer to.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import json
import os
import stat
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    log_budget,
    log_containers,
    log_delivery,
    log_drivers,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.log_budget import Budget, Filesystem, LogConfig
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import Version
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files, mounts
from ansible_collections.bulkhead.docker.plugins.module_utils.host.docker_api import ApiError, DockerApi

Config = t.Mapping[str, t.Any]

#: What new containers once got, the latest first; one entry for each change that a run of ours made.
MEMORY_FILE = "/var/lib/bulkhead/log-defaults.json"
_REMEMBERED = 20
_KEYS = ("log-driver", "log-opts")
_JOURNAL_SOCKET = "/run/systemd/journal/socket"


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is asked about logs.

    Attributes:
        verdict: WARN, ENFORCE or IGNORE, what is done when they have no room; IGNORE asks nothing of the host.
        containers: how many containers shall have room beside the existing ones.
    """

    verdict: str = log_budget.IGNORE
    containers: int = 0


@dataclasses.dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        budget, delivery: of the wanted configuration; None where its log keys are wrong.
        unlike: containers whose settings differ from those of new ones.
        formers: what new containers got before.
        problems: reasons to refuse.
        warnings: what a person should know.
    """

    budget: Budget | None = None
    delivery: log_delivery.Delivery | None = None
    unlike: tuple[dict[str, t.Any], ...] = ()
    formers: tuple[LogConfig, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()

    def as_returns(self) -> dict[str, t.Any]:
        """Return it as the module returns it."""
        return {
            "log_budget": self.budget.as_dict() if self.budget else None,
            "log_delivery": self.delivery.as_dict() if self.delivery else None,
            "log_settings": list(self.unlike),
        }


def look(
    asked: Asked,
    before: Config,
    after: Config,
    flags: t.Mapping[str, t.Sequence[str]],
    version: Version,
    root: str | None,
    info: Config | None,
    api: t.Callable[[], DockerApi],
    memory: str = "",
) -> Report:
    """Judge how containers log with a configuration.

    Args:
        asked: see there.
        before, after: the configuration in the file, and the wanted one.
        flags: of the daemon's unit.
        version: of the engine.
        root: the effective root with the wanted configuration, None when that is not known yet.
        info: what the running daemon says, None when none answers.
        api: gives the connection to it, if it has to be asked for its containers.
        memory: the file that remembers what new containers once got, empty for MEMORY_FILE.
    """
    try:
        default = log_containers.default_of(after, flags)
        old = log_containers.default_of(before, flags)
    except (AttributeError, TypeError):
        return Report()  # Of a wrong type: others say so.
    if log_drivers.problems(default.driver, default.options, version):
        return Report()
    changes = (old.driver, old.options) != (default.driver, default.options)
    formers = tuple(([old] if changes else []) + (remembered(memory) if asked.verdict != log_budget.IGNORE else []))
    problems = [*_missing_driver(default.driver, info), *_missing_files(default)]
    warnings = [log_delivery.warning(default.driver, default.options)] if changes else []
    existing: list[LogConfig] | None = None
    place = None
    if asked.verdict != log_budget.IGNORE:
        place = filesystem(root) if root else None
        if changes or asked.containers or asked.verdict == log_budget.ENFORCE:
            try:
                existing = _containers(info, api, root)
            except ApiError as error:
                warnings.append(f"How much containers can log is not known: {error}.")
    budget = log_budget.budget(default, asked.containers, existing, place, version)
    short = [Problem("log-opts", message) for message in [log_budget.shortage(budget)] if message]
    late = [Problem("log-opts", message) for message in [log_budget.leftovers(budget)] if message]
    if asked.verdict == log_budget.ENFORCE:
        problems += short
    if asked.verdict != log_budget.IGNORE:
        warnings += [str(problem) for problem in (*short, *late) if problem not in problems]
    return Report(
        budget=budget,
        delivery=log_delivery.delivery(default.driver, default.options),
        unlike=tuple(log_containers.unlike(existing or (), default, formers)),
        formers=formers,
        problems=tuple(problems),
        warnings=tuple(warning for warning in warnings if warning),
    )


def filesystem(root: str) -> Filesystem:
    """Return the filesystem that holds, or will hold, the logs of containers below an effective root."""
    directory = os.path.join(root, "containers")
    nearest = os.path.realpath(directory)
    while not os.path.isdir(nearest):
        nearest = os.path.dirname(nearest)
    status = os.statvfs(nearest)
    targets = [mount.target for mount in mounts.mountinfo()]
    holding = [target for target in targets if os.path.commonpath([target, nearest]) == target]
    return Filesystem(
        target=max(holding, key=len, default="/"),
        size=status.f_blocks * status.f_frsize,
        free=status.f_bavail * status.f_frsize,
        logs=_logs_below(directory),
    )


def remembered(memory: str = "") -> list[LogConfig]:
    """Return what new containers got before the changes that runs of ours made, the latest first."""
    try:
        entries = json.loads(files.read_text(memory or MEMORY_FILE) or "[]")
        return [LogConfig("", str(entry["driver"]), dict(entry["options"])) for entry in entries]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []  # Without a memory, values of former defaults count as settings of the containers' own.


def remember(before: Config, after: Config, memory: str = "") -> None:
    """Note what new containers got until now, when a change of that is about to be written."""
    old, new = log_containers.default_of(before), log_containers.default_of(after)
    if (old.driver, old.options) == (new.driver, new.options):
        return
    known = remembered(memory)
    if known and (known[0].driver, known[0].options) == (old.driver, old.options):
        return
    entries = [{"driver": entry.driver, "options": dict(entry.options)} for entry in (old, *known)][:_REMEMBERED]
    path = memory or MEMORY_FILE
    files.ensure_directory(os.path.dirname(path), mode=0o700)
    files.write_text(path, json.dumps(entries, indent=2) + "\n", mode=0o600)


def _containers(info: Config | None, api: t.Callable[[], DockerApi], root: str | None) -> list[LogConfig]:
    if info is None and root and _holds_anything(os.path.join(root, "containers")):
        raise ApiError(f"the Docker engine does not answer, and {root} holds containers")
    if not (info or {}).get("Containers"):
        return []
    return [log_containers.of_container(inspected) for inspected in api().inspect_all()]


def _holds_anything(directory: str) -> bool:
    try:
        return bool(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return False


def _logs_below(directory: str) -> int:
    """Return the bytes in files of containers' directories; links are not followed, and what vanishes does not count."""
    total = 0
    for base, _names, entries in os.walk(directory, followlinks=False):
        for entry in entries:
            try:
                status = os.lstat(os.path.join(base, entry))
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                total += status.st_size
    return total


def _missing_driver(driver: str, info: Config | None) -> list[Problem]:
    there = ((info or {}).get("Plugins") or {}).get("Log") or []
    # What a plugin is called depends on how it was installed, so only the engine's own drivers are judged.
    if not there or driver not in log_drivers.DRIVERS or driver in (*there, "none"):
        return []
    return [
        Problem(
            "log-driver",
            f"is {driver}, which this build of the engine lacks, so that no container could be created; it has "
            f"{', '.join(sorted(there))}",
        )
    ]


def _missing_files(default: LogConfig) -> list[Problem]:
    tls = default.options.get("syslog-address", "").startswith("tcp+tls://")
    named = {
        f"log-opts.{name}": path
        for name, path in default.options.items()
        if name in log_drivers.FILES and (tls or not name.startswith("syslog-"))
    }
    place = log_drivers.address(default.driver, default.options) if default.driver == "syslog" else None
    if place is not None and place.path:
        named["log-opts.syslog-address"] = place.path
    if default.driver == "journald":
        named["log-driver"] = _JOURNAL_SOCKET
    return [
        Problem(where, f"needs {path}, which does not exist, and no container would start; put it there first")
        for where, path in named.items()
        if not os.path.exists(path)
    ]
