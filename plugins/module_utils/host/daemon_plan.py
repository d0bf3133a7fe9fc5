# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Deciding what a run has to do to the daemon, or why it must not: everything before the first write.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    daemon_changes,
    daemon_config,
    daemon_info,
    daemon_interrupts,
    daemon_json,
    daemon_moves,
    daemon_standing,
    daemon_text,
    image_store,
    problems,
    seccomp,
    unit_flags,
    versions,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_changes import (
    LIVE,
    RESTART,
    Change,
    Merged,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_interrupts import Interrupt
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files, State
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.host import container_logs, seccomp_plan
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
        seccomp_profile: ``builtin``, a profile, or a choice (see engine/seccomp_choice).
        image_store: ``overlay2``, ``containerd``, or empty where the engine chooses.
        may_restart: whether a restart may happen now.
        may_start: whether a daemon that does not run is started.
        predicting: whether nothing may be changed (check mode).
        probe_timeout: seconds in which the daemon has to serve again.
        logs: what is asked about the logs of containers.
        coming_version: the release to judge by where packages are going to move the engine; empty takes the installed one.
        moves_data: whether what the daemon holds is moved before, where it gets another root; that takes a restart.
    """

    settings: dict[str, t.Any]
    seccomp_profile: t.Any = BUILTIN
    image_store: str = ""
    may_restart: bool = True
    may_start: bool = True
    predicting: bool = False
    probe_timeout: float = 90
    logs: container_logs.Asked = container_logs.Asked()
    coming_version: str = ""
    moves_data: bool = False


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        found: the files as they are.
        wanted: the files as they shall be.
        merged: the new configuration and who owns what in it.
        before: the configuration in the file.
        changes: what differs between the two.
        outstanding: what differs between what the daemon runs with, as far as that is known, and the new configuration.
        moved: what differs between what the daemon was last proved to run with and the new configuration.
        need: the least force, LIVE, RELOAD, RESTART or START.
        version: of the engine.
        reported_version: as the engine prints it, None where it is not installed.
        unit, state, info: what systemd, our memory and the daemon say; info is None when the daemon does not answer.
        root: the effective root that the daemon shall use, None when that is not known yet.
        proven: whether the files as they are, are those that the serving daemon runs with.
        invocation: the run of dockerd that is known to have the restart-only settings of the last good files, empty
            where none is.
        interrupts: what a restart interrupts, where one is needed.
        logs: how containers log with the new configuration.
        outdated: why the dockerd that runs is not the one that its unit would start now.
    """

    found: Files
    wanted: Files
    merged: Merged
    before: dict[str, t.Any]
    changes: tuple[Change, ...]
    outstanding: tuple[Change, ...]
    moved: tuple[Change, ...]
    need: str
    version: versions.Version
    reported_version: str | None
    unit: Unit
    state: State
    info: dict[str, t.Any] | None
    root: str | None
    proven: bool
    invocation: str
    interrupts: tuple[Interrupt, ...]
    warnings: tuple[str, ...]
    logs: container_logs.Report = container_logs.Report()
    outdated: tuple[Problem, ...] = ()

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
        document = daemon_json.read(found.config or "")
    except daemon_json.DaemonJsonError as error:
        raise Refused([Problem(host.config_file, f"is not a configuration: {error}")]) from error
    current = document.config
    state, damage = host.read_state()
    if damage:
        warnings.append(damage)
    reported, version = _version(host, request, warnings)
    chosen = seccomp_plan.choose(host, request.seccomp_profile, version, request.predicting)
    request = dataclasses.replace(request, seccomp_profile=chosen.text)
    warnings += chosen.warnings
    unit = host.unit()
    _refuse_without_unit(unit, request, reported)
    info = _info(host, unit, request)
    old_root = (info or {}).get("DockerRootDir") or host.effective_root(current, unit)
    drivers = ((info or {}).get("Plugins") or {}).get("Log") or ()
    context = dataclasses.replace(host.context(old_root), log_drivers=tuple(drivers))

    refused: list[Problem] = list(chosen.problems)
    desired = _desired(host, request, version, refused)
    clean = daemon_changes.merge(current, desired, state.managed, state.reset)
    profile = _profile(request, found, clean.config, host)
    fresh = host.written() <= unit.started
    known = daemon_standing.base(state, found, unit.active, unit.invocation, fresh)
    # Where even that is not known a restart is due, which takes everything back.
    told = host.last_reload(unit) if info is not None and known is not None else {}
    # What somebody gave the daemon by SIGHUP and took out of the file again it still has.
    state = dataclasses.replace(state, reloaded={**state.reloaded, **daemon_info.left_by_reload(told, current, unit_flags.keys(unit.flags))})
    outdated = host.outdated(unit)

    def force(config: dict[str, t.Any]) -> str:
        odd = [*outdated, *_disagreements(host, unit, info, config, version), *daemon_info.reload_disagreements(told, config)]
        reloaded = state.reloaded if unit.invocation == state.invocation else {}
        return daemon_standing.force(known, found, profile, config, version, reloaded, odd)

    merged = daemon_standing.with_resets(clean, current, known, state, version, context.cgroup_version)
    if not unit.active or (request.may_restart and force(merged.config) == RESTART):
        # A daemon that starts takes the defaults by itself.
        merged = clean
    config = merged.config
    root = host.effective_root(config, unit) if _usable(config) else None

    refused += document.located(daemon_config.problems(config, version, context), host.config_file, merged.managed)
    refused += unit_flags.problems(unit.flags, config, host.config_file)
    refused += _unheard(unit, config)
    refused += host.problems(config, old_root, request.predicting)
    refused += daemon_moves.problems(info, current, config)
    if not (request.predicting and request.moves_data and request.may_restart):
        refused += _hidden_data(host, request, current, config, old_root, root)
    logs = host.logs(request.logs, current, config, unit, version, root, info)
    refused += logs.problems
    warnings += logs.warnings
    hidden = daemon_info.hidden_by_store(info, config, version) if info else ""
    if hidden:
        refused.append(Problem("storage-driver", hidden))
    if refused:
        raise Refused(refused)
    need = _need(unit, request, reported, info is not None, force(config))
    if root is not None and (need == START or (need == RESTART and request.may_restart)):
        refused += host.start_problems(root)
    if refused:
        raise Refused(refused)

    wanted = Files(_text(found.config, current, config, version), profile)
    good = state.good or found
    plan = Plan(
        found=found,
        wanted=wanted,
        merged=merged,
        before=current,
        changes=tuple(daemon_standing.differences(found, profile, config, version)),
        outstanding=tuple(daemon_standing.differences(known or found, profile, config, version)),
        moved=tuple(daemon_standing.differences(good, profile, config, version)),
        need=need,
        version=version,
        reported_version=reported,
        unit=unit,
        state=state,
        info=info,
        root=root,
        proven=unit.active
        and info is not None
        and known == found
        and not _disagreements(host, unit, info, current, version),
        invocation=unit.invocation if known is not None and info is not None else "",
        interrupts=(),
        warnings=tuple(warnings),
        logs=logs,
        outdated=tuple(outdated),
    )
    _validate(host, plan, request)
    return dataclasses.replace(plan, interrupts=interrupts(host, plan)) if plan.need == RESTART else plan


def _refuse_without_unit(unit: Unit, request: Request, reported: str | None) -> None:
    if reported and unit.masked and (unit.active or request.may_start):
        raise Refused(
            [
                Problem(
                    "docker.service",
                    "is masked, so systemd does not start dockerd; allow it with 'systemctl unmask docker.service', or "
                    "set start to false on a host whose daemon shall rest",
                )
            ]
        )
    if reported and not unit.loaded and not unit.masked and not request.predicting:
        raise DaemonError(
            "dockerd is installed, but systemd has no docker.service to run it; install the unit of the "
            "distribution's package."
        )


def _desired(
    host: Daemon, request: Request, version: versions.Version, refused: list[Problem]
) -> dict[str, t.Any]:
    """Return the keys to manage, those of the image store and of the profile included."""
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
    return desired


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


def _unheard(unit: Unit, config: t.Mapping[str, t.Any]) -> list[Problem]:
    """Return why nobody on this host could ask the daemon whether it serves."""
    hosts = config.get("hosts")
    if "host" in unit.flags or not isinstance(hosts, list) or not all(isinstance(entry, str) for entry in hosts):
        return []
    if not hosts or any(entry.startswith(("unix://", "fd://")) for entry in hosts):
        return []
    return [
        Problem(
            "hosts",
            "names no socket of this host, through which the daemon is asked whether it serves as configured; add "
            "unix:///var/run/docker.sock, or fd:// where docker.socket is in use",
        )
    ]


def _hidden_data(
    host: Daemon,
    request: Request,
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
    # What an earlier run has copied is old as soon as the daemon runs again; only who stopped it for this knows that it is not.
    if not held.any or (root is not None and request.moves_data and request.may_restart and host.was_moved(old_root, root)):
        return []
    instead = (
        "the data is moved together with the restart, which is deferred, so set docker_daemon_restart to auto for that run, or keep the setting"
        if request.moves_data and not request.may_restart
        else "let the role docker_storage move the data (docker_storage_existing_data), remove it, or keep the setting"
    )
    return [
        Problem(
            key,
            f"would move the daemon from {old_root} to {root or 'a new root below it'}, and hide {held.describe()} "
            f"in the old place; {instead}",
        )
    ]


def _text(
    found: str | None, current: t.Mapping[str, t.Any], config: dict[str, t.Any], version: versions.Version
) -> str | None:
    """Keep a file to the letter as long as it says what it shall, and do not make one that says nothing."""
    if daemon_json.same(current, config) and not (found is not None and daemon_json.unreadable(found, version)):
        return found
    return daemon_text.rewrite(found, config)


def _profile(request: Request, found: Files, config: t.Mapping[str, t.Any], host: Daemon) -> str | None:
    if request.seccomp_profile != BUILTIN:
        text = str(request.seccomp_profile)
        return text if text.endswith("\n") else text + "\n"
    return found.seccomp if config.get("seccomp-profile") == host.seccomp_file else None


def _disagreements(
    host: Daemon, unit: Unit, info: dict[str, t.Any] | None, config: dict[str, t.Any], version: versions.Version
) -> list[Problem]:
    """Return where the daemon's own account differs from a configuration; nothing where it gives none."""
    if info is None:
        return []
    root = root_to_check(info, host.effective_root(config, unit)) if _usable(config) else None
    return daemon_info.disagreements(info, config, version, root, unit_flags.keys(unit.flags))


def interrupts(host: Daemon, plan: Plan) -> tuple[Interrupt, ...]:
    """Return what a restart interrupts now."""
    inspected: list[dict[str, t.Any]] = []
    if (plan.info or {}).get("ContainersRunning"):
        try:
            inspected = host.api().inspect_all()
        except ApiError:
            # Containers are stopped or not whether we can name them or not; the engine is named in any case.
            inspected = []
    proxied = plan.before.get("userland-proxy", True) and "userland-proxy" not in unit_flags.keys(plan.unit.flags)
    return tuple(daemon_interrupts.interrupts(inspected, lives_on(plan), bool(proxied)))


def lives_on(plan: Plan) -> bool:
    """Tell whether containers go on through a restart: the old daemon leaves them alone and the new one takes them.

    A daemon that does not have live-restore yet is taught it by SIGHUP before it is restarted.
    """
    if "live-restore" in unit_flags.keys(plan.unit.flags):
        return bool((plan.info or {}).get("LiveRestoreEnabled"))
    return plan.merged.config.get("live-restore") is True


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
    text = plan.wanted.config
    if request.predicting and "userns-remap" in plan.merged.config:
        # dockerd looks the user up, who may still be made before the real run.
        text = daemon_json.render({key: value for key, value in plan.merged.config.items() if key != "userns-remap"})
    said = host.validate(text, plan.unit)
    if said:
        raise Refused([Problem("dockerd's own check says", said)])
