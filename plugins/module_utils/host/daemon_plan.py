# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Deciding what a run has to do to the daemon, or why it must not: everything before the first write.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    daemon_changes,
    daemon_config,
    daemon_info,
    daemon_json,
    daemon_keys,
    image_store,
    problems,
    seccomp,
    unit_flags,
    versions,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_changes import (
    LIVE,
    RELOAD,
    RESTART,
    Change,
    Merged,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files, State
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import Daemon, Unit
from ansible_collections.bulkhead.docker.plugins.module_utils.host.docker_api import ApiError, SdkMissing

START = "start"
NONE = "none"
BUILTIN = "builtin"


class DaemonError(Exception):
    """The run cannot go on or has failed; the message is for the user and complete."""


class Refused(DaemonError):
    """The request cannot be carried out and nothing was written.

    Attributes:
        problems: all reasons.
    """

    def __init__(self, reasons: t.Iterable[Problem]) -> None:
        self.problems = tuple(dict.fromkeys(reasons))
        super().__init__(problems.summary(self.problems))


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        settings: the keys of daemon.json to manage.
        seccomp_profile: ``builtin``, or the text of a profile.
        image_store: ``overlay2``, ``containerd``, or empty where the engine chooses.
        may_restart: whether a restart may happen now.
        may_start: whether a daemon that does not run is started.
        predicting: whether nothing may be changed (check mode).
        probe_timeout: seconds in which the daemon has to serve again.
        coming_version: the release to judge by where packages are going to move the engine; empty takes the installed one.
    """

    settings: dict[str, t.Any]
    seccomp_profile: str = BUILTIN
    image_store: str = ""
    may_restart: bool = True
    may_start: bool = True
    predicting: bool = False
    probe_timeout: float = 90
    coming_version: str = ""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        found: the files as they are.
        wanted: the files as they shall be.
        merged: the new configuration and who owns what in it.
        before: the configuration in the file.
        changes: what differs between the two.
        need: the least force, LIVE, RELOAD, RESTART or START.
        pending: what was needed before this run changed anything, LIVE, RELOAD or RESTART.
        version: of the engine.
        reported_version: as the engine prints it, None where it is not installed.
        unit, state, info: what systemd, our memory and the daemon say; info is None when the daemon does not answer.
        root: the effective root that the daemon shall use, None when that is not known yet.
        proven: whether the files as they are, are those that the serving daemon runs with.
    """

    found: Files
    wanted: Files
    merged: Merged
    before: dict[str, t.Any]
    changes: tuple[Change, ...]
    need: str
    pending: str
    version: versions.Version
    reported_version: str | None
    unit: Unit
    state: State
    info: dict[str, t.Any] | None
    root: str | None
    proven: bool
    warnings: tuple[str, ...]

    @property
    def writes(self) -> bool:
        """Whether a file will be written or removed."""
        return self.wanted != self.found


def make(host: Daemon, request: Request) -> Plan:
    """Look at the host and decide.

    Raises:
        DaemonError: the request cannot be carried out; all reasons at once, and nothing was changed.
    """
    warnings: list[str] = []
    found = host.read_files()
    try:
        current = daemon_json.parse(found.config or "")
    except daemon_json.DaemonJsonError as error:
        raise Refused([Problem(host.config_file, f"is not a configuration: {error}")]) from error
    state, damage = host.read_state()
    if damage:
        warnings.append(damage)
    reported, version = _version(host, request, warnings)
    unit = host.unit()
    if reported and not unit.loaded and not request.predicting:
        raise DaemonError(
            "dockerd is installed, but systemd has no docker.service to run it; install the unit of the "
            "distribution's package."
        )

    refused: list[Problem] = []
    try:
        desired = image_store.pinned(request.settings, request.image_store, version)
    except ValueError as error:
        desired = dict(request.settings)
        refused.append(Problem("image_store", str(error)))
    if request.seccomp_profile != BUILTIN:
        refused += seccomp.problems(request.seccomp_profile)
        if "seccomp-profile" in desired:
            refused.append(
                Problem(
                    "seccomp-profile",
                    "is set in settings while seccomp_profile gives the text of one; keep one of the two",
                )
            )
        desired["seccomp-profile"] = host.seccomp_file
    merged = daemon_changes.merge(current, desired, state.managed)
    config = merged.config
    info = _info(host, unit, request)
    old_root = (info or {}).get("DockerRootDir") or host.effective_root(current, unit)
    root = host.effective_root(config, unit) if _usable(config) else None

    refused += daemon_config.problems(config, version, host.context(old_root))
    refused += unit_flags.problems(unit.flags, config, host.config_file)
    refused += host.problems(config, old_root, request.predicting)
    refused += _hidden_data(host, current, config, old_root, root)
    hidden = daemon_info.hidden_by_store(info, config, version) if info else ""
    if hidden:
        refused.append(Problem("storage-driver", hidden))
    if refused:
        raise Refused(refused)

    wanted = Files(_text(found.config, current, config), _profile(request, found, config, host))
    changes = daemon_changes.changes(current, config, version)
    if (
        wanted.seccomp is not None
        and wanted.seccomp != found.seccomp
        and current.get("seccomp-profile") == config.get("seccomp-profile")
    ):
        changes.append(
            Change("seccomp-profile", _content(found.seccomp), _content(wanted.seccomp), RESTART, daemon_keys.STARTED)
        )
    pending = _pending(host, unit, state, found, current, info, version)
    plan = Plan(
        found=found,
        wanted=wanted,
        merged=merged,
        before=current,
        changes=tuple(changes),
        need=_need(
            unit,
            request,
            reported,
            info is not None,
            max(daemon_changes.force(changes), pending, key=daemon_changes.FORCES.index),
        ),
        pending=pending,
        version=version,
        reported_version=reported,
        unit=unit,
        state=state,
        info=info,
        root=root,
        proven=unit.active and info is not None and pending == LIVE,
        warnings=tuple(warnings),
    )
    _validate(host, plan, request)
    return plan


def _version(host: Daemon, request: Request, warnings: list[str]) -> tuple[str | None, versions.Version]:
    if request.coming_version:
        return None, versions.parse(request.coming_version)
    reported = host.engine_version()
    if reported is not None:
        try:
            return reported, versions.parse(reported)
        except ValueError as error:
            raise Refused([Problem("dockerd", f"has a version that cannot be read: {error}")]) from error
    if not request.predicting:
        raise DaemonError("dockerd is not installed on this host; install the Docker engine first.")
    coming = host.coming_version()
    if coming:
        return None, versions.parse(coming)
    warnings.append(
        f"Docker is not installed yet, so the configuration was judged as Docker {versions.NEWEST_KNOWN} would read it."
    )
    return None, versions.NEWEST_KNOWN


def _info(host: Daemon, unit: Unit, request: Request) -> dict[str, t.Any] | None:
    try:
        if not request.predicting:
            host.api().require_sdk()
        return host.api().info() if unit.active else None
    except SdkMissing as error:
        if request.predicting:
            return None
        raise DaemonError(f"The daemon cannot be asked: {error}.") from error
    except ApiError:
        return None


def _usable(config: t.Mapping[str, t.Any]) -> bool:
    return all(isinstance(config.get(key, ""), str) for key in ("data-root", "userns-remap"))


def _hidden_data(
    host: Daemon,
    before: t.Mapping[str, t.Any],
    after: t.Mapping[str, t.Any],
    old_root: str | None,
    root: str | None,
) -> list[Problem]:
    # Whatever the old values were: what counts is whether the daemon would look elsewhere.
    if old_root is None or (root is not None and os.path.realpath(old_root) == os.path.realpath(root)):
        return []
    key = "data-root" if before.get("data-root") != after.get("data-root") else "userns-remap"
    if root is None and before.get(key) == after.get(key):
        return []
    held = host.inventory(old_root)
    if not held.any:
        return []
    return [
        Problem(
            key,
            f"would move the daemon from {old_root} to {root or 'a new root below it'}, and hide {held.describe()} "
            "in the old place; "
            "move or remove the data first, or keep the setting",
        )
    ]


def _text(found: str | None, current: t.Mapping[str, t.Any], config: dict[str, t.Any]) -> str | None:
    """Keep a file to the letter as long as it says what it shall, and do not make one that says nothing."""
    if daemon_changes.same(current, config):
        return found
    return daemon_json.render(config)


def _profile(request: Request, found: Files, config: t.Mapping[str, t.Any], host: Daemon) -> str | None:
    if request.seccomp_profile != BUILTIN:
        text = request.seccomp_profile
        return text if text.endswith("\n") else text + "\n"
    return found.seccomp if config.get("seccomp-profile") == host.seccomp_file else None


def _content(text: str | None) -> str | None:
    return None if text is None else f"profile with sha256 {hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _pending(
    host: Daemon,
    unit: Unit,
    state: State,
    found: Files,
    current: dict[str, t.Any],
    info: dict[str, t.Any] | None,
    version: versions.Version,
) -> str:
    """Return the force that is needed because the daemon does not run with the files as they are."""
    if not unit.active:
        return LIVE
    # A start after the files were written has done whatever was pending, whoever started the daemon.
    if host.written() > unit.started:
        if state.pending:
            return state.pending
        if state.good is None or state.good.seccomp != found.seccomp:
            return RESTART
        if state.good != found:
            return daemon_changes.force(daemon_changes.changes(_parsed(state.good), current, version))
    if info is None:
        return LIVE
    odd = daemon_info.disagreements(
        info, current, version, root_to_check(info, host.effective_root(current, unit)), unit_flags.keys(unit.flags)
    )
    if not odd:
        return LIVE
    # A key that the file does not hold keeps its old value on SIGHUP.
    reloadable = all(problem.where in current and daemon_keys.KEYS[problem.where].apply == RELOAD for problem in odd)
    return RELOAD if reloadable else RESTART


def _parsed(known: Files) -> dict[str, t.Any]:
    try:
        return daemon_json.parse(known.config or "")
    except daemon_json.DaemonJsonError:
        return {}


def root_to_check(info: t.Mapping[str, t.Any], root: str | None) -> str | None:
    """Return the root to compare with the daemon's, or None where a link makes them the same directory."""
    shown = info.get("DockerRootDir")
    return None if root is None or not shown or os.path.realpath(shown) == os.path.realpath(root) else root


def _need(unit: Unit, request: Request, reported: str | None, answers: bool, force: str) -> str:
    if unit.active:
        # A daemon that is up and silent serves nobody.
        return force if answers or request.predicting else RESTART
    if not request.may_start:
        return LIVE
    return START if reported or request.predicting else LIVE


def _validate(host: Daemon, plan: Plan, request: Request) -> None:
    if plan.reported_version is None or plan.wanted.config is None or plan.wanted.config == plan.found.config:
        return
    if not versions.within(plan.version, "23.0"):
        return
    config = dict(plan.merged.config)
    if request.predicting:
        # dockerd looks the user up, who may still be made before the real run.
        config.pop("userns-remap", None)
    said = host.validate(daemon_json.render(config), plan.unit)
    if said:
        raise Refused([Problem("dockerd's own check says", said)])
