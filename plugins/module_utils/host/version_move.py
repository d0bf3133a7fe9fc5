# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What a host does with its engine, read from its files, so that a move to another release can be judged.

PRIVATE to the collection: no stability is promised to other users.

Files tell the same whether the engine runs or not, and need no client library (moby daemon/container: config.v2.json and
hostconfig.json).
"""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    daemon_changes,
    daemon_config,
    daemon_json,
    image_store,
    packages,
    versions,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.version_moves import (
    Container,
    Host,
    Move,
    notes,
    problems,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host import daemon_facts, docker_data, files, systemd
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import UNIT, Daemon

_DEBIAN_OPTIONS = "/etc/default/docker"
_RESTARTING = ("always", "unless-stopped", "on-failure")


def move_of(plan: packages.PackagePlan) -> Move | None:
    """Return the move that a plan of packages makes, or None where the engine stays what it is or is new."""
    if not plan.moves_engine:
        return None
    before, after = (versions.parse(packages.release(version)) for version in (plan.engine_before, plan.engine_after))
    return Move(before, after, replaces=bool(set(plan.remove) & set(packages.ENGINES)))


def judge(move: Move, new_engine: str, settings: t.Mapping[str, t.Any], store: str) -> tuple[list[Problem], list[str]]:
    """Judge a move against this host.

    Args:
        move: the two releases.
        new_engine: the package that brings the new dockerd.
        settings: keys that docker_daemon is going to manage; empty where that is not known.
        store: the image store it is going to pin.

    Returns:
        What forbids the move, and what has to be told.
    """
    daemon = Daemon()
    text = files.read_text(daemon.config_file) or ""
    try:
        config = daemon_json.parse(text)
    except daemon_json.DaemonJsonError as error:
        return [Problem(daemon.config_file, f"is not a configuration: {error}")], []
    host = look(daemon, config, new_engine)
    found = problems(move, host)
    if settings:
        found += _settings_problems(move, host, daemon, settings, store)
    return list(dict.fromkeys(found)), notes(move, host)


def look(daemon: Daemon, config: t.Mapping[str, t.Any], new_engine: str) -> Host:
    """Gather what the judgement needs.

    Args:
        new_engine: the package whose unit is going to start dockerd.
    """
    unit = daemon.unit()
    root = daemon.effective_root(config, unit) or daemon_facts.data_root(config, unit.flags)
    return Host(
        config=config,
        config_file=daemon.config_file,
        flags=unit.flags if _command_is_overridden() else packages.UNIT_FLAGS.get(new_engine, {"host": ["fd://"]}),
        containers=tuple(containers(root)),
        layers=docker_data.layer_drivers(root),
        context=daemon.context(root),
        legacy_options=any(line.strip().startswith("DOCKER_OPTS=") for line in (files.read_text(_DEBIAN_OPTIONS) or "").splitlines()),
    )


def containers(root: str) -> list[Container]:
    """Return the containers below an effective root; what cannot be read is left out, as dockerd does."""
    base = os.path.join(root, "containers")
    found = []
    for name in sorted(os.listdir(base)) if os.path.isdir(base) else []:
        config, host = (_object(os.path.join(base, name, file)) for file in ("config.v2.json", "hostconfig.json"))
        if not config:
            continue
        log = host.get("LogConfig") or {}
        found.append(
            Container(
                name=str(config.get("Name") or name).lstrip("/"),
                running=bool((config.get("State") or {}).get("Running")),
                driver=str(config.get("Driver") or ""),
                log_driver=str(log.get("Type") or ""),
                log_opts={str(key): str(value) for key, value in (log.get("Config") or {}).items()},
                restarts=(host.get("RestartPolicy") or {}).get("Name") in _RESTARTING,
            )
        )
    return found


def _settings_problems(move: Move, host: Host, daemon: Daemon, settings: t.Mapping[str, t.Any], store: str) -> list[Problem]:
    try:
        wanted = image_store.pinned(settings, store, move.after)
    except ValueError as error:
        return [Problem("image_store", str(error))]
    merged = daemon_changes.merge(host.config, wanted, daemon.read_state()[0].managed)
    return [
        Problem(problem.where, f"{problem.message} (judged for Docker {move.after}, to which the packages are going to move)")
        for problem in daemon_config.problems(merged.config, move.after, host.context)
    ]


def _command_is_overridden() -> bool:
    paths = systemd.properties(UNIT, ("DropInPaths",))["DropInPaths"].split()
    texts = (files.read_text(os.path.realpath(path)) or "" for path in paths)
    return any(line.strip().startswith("ExecStart=") for text in texts for line in text.splitlines())


def _object(path: str) -> dict[str, t.Any]:
    try:
        value = json.loads(files.read_text(path) or "{}")
    except (files.FileError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
