# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What the running daemon has of the files, and the force that brings it to others.

PRIVATE to the collection: no stability is promised to other users.

Files do not tell what a daemon runs with: they may have been changed since it was started, by us or by somebody else,
and what can be reloaded may have been. What is known comes from our memory, which names the run of the daemon that was
proved, and from the time of its start.
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_changes, daemon_json, daemon_keys
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_changes import (
    FORCES,
    LIVE,
    RELOAD,
    RESTART,
    Change,
    Merged,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files, State
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import Version

Config = t.Mapping[str, t.Any]


def base(state: State, found: Files, active: bool, invocation: str, fresh: bool) -> Files | None:
    """Return the files whose restart-only settings the daemon has, or None where that is not known.

    Args:
        state: our memory.
        found: the files as they are.
        active: whether dockerd runs.
        invocation: systemd's id of its run.
        fresh: whether it was started after the files were written, whoever started it.
    """
    if not active:
        return state.good or found
    if state.good is not None and invocation and state.invocation == invocation:
        return state.good
    if fresh or (state.good == found and not state.pending):
        return found
    return None


def parsed(files: Files) -> dict[str, t.Any]:
    """Return the configuration in files, empty where they hold none."""
    try:
        return daemon_json.parse(files.config or "")
    except daemon_json.DaemonJsonError:
        return {}


def differences(
    before: Files, profile: str | None, config: dict[str, t.Any], version: Version
) -> list[Change]:
    """Return what differs between files and a configuration with a profile of ours, its content included."""
    old = parsed(before)
    changes = daemon_changes.changes(old, config, version)
    if (
        profile is not None
        and profile != before.seccomp
        and old.get("seccomp-profile") == config.get("seccomp-profile")
    ):
        changes.append(
            Change("seccomp-profile", _content(before.seccomp), _content(profile), RESTART, daemon_keys.STARTED)
        )
    return changes


def force(
    known: Files | None,
    found: Files,
    profile: str | None,
    config: dict[str, t.Any],
    version: Version,
    reloaded: Config,
    odd: t.Iterable[Problem] = (),
) -> str:
    """Return the least force that gives a running daemon a configuration: LIVE, RELOAD or RESTART.

    Args:
        known: the files whose restart-only settings it has; None where that is not known.
        found: the files as they are; what can be reloaded may have been reloaded from them.
        profile: the profile of ours that the configuration names.
        config: the new configuration.
        version: of the engine.
        reloaded: what it took at SIGHUP since, as far as it is known.
        odd: where the daemon's own account differs from the new configuration.
    """
    if known is None:
        return RESTART
    needed = [change.apply for change in differences(known, profile, config, version)]
    if known != found:
        maybe = differences(found, profile, config, version)
        needed += [change.apply for change in maybe if change.apply == RELOAD or _keeps(change.path)]
    same_keys = {name: config[name] for name in reloaded if name in config}
    needed += [change.apply for change in daemon_changes.changes(reloaded, same_keys, version)]
    # A key that the file does not hold keeps its old value on SIGHUP.
    needed += [
        RELOAD if problem.where in config and daemon_keys.KEYS[problem.where].apply == RELOAD else RESTART
        for problem in odd
    ]
    return max(needed, key=FORCES.index, default=LIVE)


def reloadable(config: Config) -> dict[str, t.Any]:
    """Return the keys of a configuration that a daemon takes at SIGHUP and keeps when they are absent at the next."""
    return {name: value for name, value in config.items() if _keeps(name)}


def with_resets(
    merged: Merged,
    current: Config,
    known: Files | None,
    state: State,
    version: Version,
    cgroup_version: int,
) -> Merged:
    """Return a merge in which keys that nobody wants any more have the value that resets them on SIGHUP.

    Args:
        merged: the merge, without such keys.
        current: what the file holds.
        known: see force.
        state: our memory, which knows what earlier runs left in the file and what the daemon took at SIGHUP.
        version: of the engine.
        cgroup_version: of the host.
    """
    held = [current, state.reloaded, {} if known is None else parsed(known)]
    values = daemon_changes.resets(held, merged.config, version, cgroup_version)
    for name, value in state.reset.items():
        if daemon_changes.is_left(name, current, state.reset) and name not in merged.config:
            values[name] = value
    return dataclasses.replace(merged, config={**merged.config, **values}, reset=values)


def _keeps(path: str) -> bool:
    key = daemon_keys.KEYS.get(path.partition(".")[0])
    return key is not None and key.apply == RELOAD and key.absent == daemon_keys.KEEPS


def _content(text: str | None) -> str | None:
    return None if text is None else f"profile with sha256 {hashlib.sha256(text.encode()).hexdigest()[:12]}"
