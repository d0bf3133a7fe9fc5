# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Carrying a plan out: write, apply with the least force, prove, or go back to what worked.

PRIVATE to the collection: no stability is promised to other users.

What is pending is remembered before a file is replaced and forgotten after the proof, so a run that is killed anywhere
leaves the old files or the new ones, and the next run knows which still needs the daemon's attention.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    daemon_changes,
    daemon_info,
    daemon_interrupts,
    daemon_json,
    daemon_standing,
    unit_flags,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_changes import (
    LIVE,
    RELOAD,
    RESTART,
    Change,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_keys import BRIDGE
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    daemon_plan,
    files,
    locks,
    seccomp_plan,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import Daemon, Unit
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon_plan import (
    NONE,
    START,
    DaemonError,
    Plan,
    Request,
    lives_on,
    root_to_check,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.docker_api import ApiError

DEFERRED = "deferred"
# An authorization plugin that does not answer holds a reload up for 14 seconds (moby pkg/plugins, retries).
_RELOAD_TIMEOUT = 20.0
# How long a daemon has to go on after it was proved, in seconds: some end when their first work is done.
_SETTLING = 1.5
# What a daemon may need to stop, in seconds, on top of the time that it gives its containers.
_STOPPING = 15.0


@dataclasses.dataclass
class Outcome:
    """What a run did, or would do.

    Attributes:
        changed: whether a file or the daemon is another than before.
        action: NONE, START, RELOAD, RESTART or DEFERRED.
        pending_restart: whether the daemon waits for a restart.
        pending: the paths that it waits with.
        recreate: containers that lack settings of new containers.
        unapplied: keys of the default bridge that it does not have yet.
        warnings: sentences.
        interrupts: what the restart interrupts, or would interrupt.
    """

    changed: bool
    action: str
    pending_restart: bool
    pending: list[str] = dataclasses.field(default_factory=list)
    recreate: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    unapplied: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    interrupts: tuple[daemon_interrupts.Interrupt, ...] = ()


class Transaction:
    """One run against one daemon."""

    def __init__(self, host: Daemon, plan: Plan, request: Request) -> None:
        self._host = host
        self._plan = plan
        self._request = request
        self._state = plan.state
        self._config = plan.merged.config
        self._warnings = list(plan.warnings)
        self._interrupts = plan.interrupts

    def predict(self) -> Outcome:
        """Return what run would return, as far as that can be known without doing it."""
        action = self._action()
        self._announce(action)
        if action in (RELOAD, RESTART) and self._plan.info is not None:
            self._state = dataclasses.replace(self._state, since=self._since(action))
            recreate = self._stale(True, remember=False)
        else:
            recreate = []
        return self._outcome(action, recreate, [])

    def run(self) -> Outcome:
        """Do what the plan says.

        Raises:
            DaemonError: the daemon could not be brought to serve with the new files; the old ones are back.
        """
        plan, action = self._plan, self._action()
        kept = self._containers_to_keep(action)
        broken_before = self._host.journal_reason() or "it gave no reason" if plan.unit.failing else ""
        self._announce(action)
        if plan.writes or action in (START, RELOAD, RESTART):
            with self._host.watch(self._rescue):
                action = self._carry_out(action, kept, broken_before)
        self._remember(action)
        if plan.writes:
            self._host.remember_logs(plan.before, self._config)
        serving = plan.info is not None or action in (START, RESTART)
        unapplied = self._unapplied() if serving and action != DEFERRED else []
        return self._outcome(action, self._stale(serving), unapplied)

    def _outcome(self, action: str, recreate: list[dict[str, t.Any]], unapplied: list[str]) -> Outcome:
        return Outcome(
            changed=self._plan.writes or action in (START, RELOAD, RESTART),
            action=action,
            pending_restart=action == DEFERRED,
            pending=self._pending(action),
            recreate=recreate,
            unapplied=unapplied,
            warnings=self._warnings,
            interrupts=self._interrupts,
        )

    def _carry_out(self, action: str, kept: dict[str, str], broken_before: str) -> str:
        self._write()
        try:
            return self._apply(action, kept, broken_before)
        except (ApiError, commands.CommandError) as error:
            self._back("the daemon fell silent", str(error), broken_before)

    # Steps ---------------------------------------------------------------------------------------------------------

    def _action(self) -> str:
        need = self._plan.need
        if need == LIVE:
            return NONE
        return DEFERRED if need == RESTART and not self._request.may_restart else need

    def _announce(self, action: str) -> None:
        """Say what will be interrupted, before it is."""
        told = daemon_interrupts.warning(self._interrupts, deferred=action == DEFERRED)
        if told and action in (RESTART, DEFERRED):
            self._warnings.append(told)
        if action == DEFERRED:
            waiting = ", ".join(self._pending(action)) or ("" if self._plan.outdated else "settings of an earlier run")
            reasons = [*([f"to use {waiting}"] if waiting else []), *(f"because {problem.message}" for problem in self._plan.outdated)]
            self._warnings.append(f"The daemon waits for a restart, which is deferred, {', and '.join(reasons)}.")

    def _pending(self, action: str) -> list[str]:
        if action != DEFERRED:
            return []
        waiting = [change for change in self._plan.outstanding if change.apply != LIVE]
        # A reload that the daemon did not confirm waits for a restart as well.
        return sorted({change.path for change in waiting if change.apply == RESTART} or {one.path for one in waiting})

    def _write(self) -> None:
        plan = self._plan
        if not plan.writes:
            return
        managed = tuple(sorted({*self._state.managed, *plan.merged.managed}))
        pending = self._state.pending if plan.need in (LIVE, START) else plan.need
        self._save(
            managed=managed,
            pending=pending,
            good=plan.found if plan.proven else self._state.good,
            # Both what was and what will be left: whichever the file holds, it is known as ours.
            reset={**self._state.reset, **plan.merged.reset},
            invocation=plan.unit.invocation if plan.proven else plan.invocation if self._state.good else "",
        )
        try:
            self._host.write_files(plan.wanted)
        except files.FileError as error:
            if self._host.read_files() != plan.found:
                # One of both was written: they go together, forward or back.
                self._host.write_files(plan.found)
            self._save(**vars(plan.state))
            raise DaemonError(f"Nothing was changed: {error}.") from error

    def _apply(self, action: str, kept: dict[str, str], broken_before: str) -> str:
        """Make the daemon use the files and return what it took: a reload that it does not confirm becomes a restart."""
        if action == RELOAD and not self._reload():
            action = RESTART if self._request.may_restart else DEFERRED
            kept = kept if self._lives_on() else {}
            self._interrupts = daemon_plan.interrupts(self._host, self._plan)
            self._announce(action)
        elif action == DEFERRED and RELOAD in [change.apply for change in self._plan.changes]:
            # Not of interest whether it is confirmed: the restart that is due anyway takes what was not.
            self._reload()
        if action in (START, RESTART):
            self._restart(action, kept, broken_before)
        elif action == DEFERRED and self._ended():
            # With the new files it may serve or not; what was deferred is not worth finding out.
            self._back("the daemon ended at the reload", self._host.journal_reason(), broken_before)
        elif action == RELOAD and self._lost(kept):
            self._back("containers ended at the reload", ", ".join(self._lost(kept)), broken_before)
        return action

    def _reload(self) -> bool:
        """Send SIGHUP and return whether the daemon itself says that it took the configuration."""
        moment = self._host.now()
        self._host.reload()
        attributes = self._await_event(moment)
        if attributes is None:
            self._warnings.append("The daemon did not report a reload after SIGHUP.")
            return False
        odd = daemon_info.reload_disagreements(attributes, self._config)
        info = self._await_info()[0]
        odd += [problem for problem in self._disagreements(info or {}) if problem.where in self._reloaded()]
        self._warnings += [f"After SIGHUP: {problem}" for problem in odd]
        return not odd

    def _ended(self) -> bool:
        """Tell whether the daemon of before ended, be it that systemd has started another one since."""
        before, unit = self._plan.unit, self._host.unit()
        return before.active and (not unit.active or unit.invocation != before.invocation)

    def _reloaded(self) -> set[str]:
        changes = [*self._plan.changes, *self._plan.outstanding]
        return {_key(change.path) for change in changes if change.apply == RELOAD}

    def _await_event(self, moment: int) -> dict[str, str] | None:
        deadline = moment + int(min(_RELOAD_TIMEOUT, self._request.probe_timeout) * 1e9)
        while True:
            try:
                events = self._host.api().reloads_since(moment)
            except ApiError:
                events = []
            if events:
                return events[-1]
            if self._host.now() > deadline or self._ended():
                return None
            self._host.wait(0.2)

    def _restart(self, action: str, kept: dict[str, str], broken_before: str) -> None:
        running = self._plan.info or {}
        learns = (
            self._config.get("live-restore") is True
            and running.get("LiveRestoreEnabled") is False
            and running.get("ContainersRunning")
        )
        # The old daemon decides at its stop whether containers go on, so it has to learn of live-restore before.
        if learns:
            self._teach_live_restore()
            kept.update(self._running())
        cursor = self._host.journal_cursor()
        if not (self._start() if action == START else self._host.restart(self._patience(True))):
            self._back("the daemon did not start with the new configuration", self._why(cursor), broken_before)
        self._prove(kept, broken_before, cursor)

    def _start(self) -> bool:
        if self._host.start(self._patience(False)):
            return True
        # A start that hung before this run is not the one of the files and the unit that there are now.
        return self._plan.unit.starting and self._host.unit().starting and self._host.restart(self._patience(True))

    def _teach_live_restore(self) -> None:
        """Let the running daemon take live-restore, or put the old files back: a restart would stop what was said to go on."""
        self._reload()
        if (self._await_info()[0] or {}).get("LiveRestoreEnabled"):
            return
        names = ", ".join(sorted(self._running().values())[:10])
        self._host.write_files(self._plan.found)
        self._save(**vars(self._plan.state))
        raise DaemonError(
            f"The daemon does not take live-restore at SIGHUP, so the restart would stop {names}, which were to go on: "
            f"{self._host.journal_reason() or 'its journal holds no reason'}. {self._host.config_file} was restored to what it held "
            "before, and nothing was restarted; defer the restart, and do it when these containers may stop."
        )

    def _patience(self, stops: bool) -> float:
        """Return how long systemd may take: the daemon's time to serve, and before that the old one's time to stop."""
        given = self._plan.before.get("shutdown-timeout", 15)
        stopping = _STOPPING + (given if isinstance(given, int) and 0 < given < 3600 else 15) if stops else 0.0
        return self._request.probe_timeout + stopping

    def _why(self, cursor: str) -> str:
        """Return why the daemon is not up: its own words, or what systemd is still waiting for."""
        unit = self._host.unit()
        if unit.failing or not unit.starting:
            return self._host.journal_reason(cursor)
        return f"systemd is still waiting for it: {unit.step}; {self._host.journal_reason(cursor)}".rstrip("; ")

    def _prove(self, kept: dict[str, str], broken_before: str, cursor: str) -> None:
        begun = self._host.now()
        info, silence = self._await_info()
        if info is None:
            self._back(
                f"the daemon did not serve within {self._request.probe_timeout:g} seconds"
                if self._host.now() - begun >= self._request.probe_timeout * 1e9
                else "the daemon ended before it served",
                self._host.journal_reason(cursor) or silence,
                broken_before,
            )
        odd = [str(problem).rstrip(".") for problem in self._disagreements(info or {})]
        lost = self._lost(kept)
        if lost:
            odd.append(f"the containers {', '.join(lost)} did not live through it")
        odd += seccomp_plan.prove(self._host, self._plan, self._warnings)
        if odd:
            self._back("the daemon serves, but not as configured", "; ".join(odd), broken_before)
        if not self._stays():
            self._back("the daemon ended soon after it had started", self._host.journal_reason(cursor), broken_before)

    def _stays(self) -> bool:
        """Tell whether the daemon that serves now still does so a moment later, and not one that systemd started after it."""
        serving = self._host.unit()
        deadline = self._host.now() + int(_SETTLING * 1e9)
        while serving.active and self._host.now() < deadline:
            self._host.wait(0.5)
            now = self._host.unit()
            if not now.active or now.invocation != serving.invocation:
                return False
        return serving.active

    def _disagreements(self, info: t.Mapping[str, t.Any]) -> list[Problem]:
        root = root_to_check(info, self._plan.root)
        return daemon_info.disagreements(
            info, self._config, self._plan.version, root, unit_flags.keys(self._plan.unit.flags)
        )

    def _back(self, what: str, reason: str, broken_before: str, finish: bool = False) -> t.NoReturn:
        """Go back to the files that worked and to a daemon that runs or rests as before, and say everything in one message.

        With finish, a way back that was begun already is gone to its end.
        """
        target = self._target()
        said = f"{what[0].upper()}{what[1:]}: {reason or 'its journal holds no reason'}."
        rested = self._plan.unit.rests
        # Before the files go: a daemon that is started again and again would find none and run unhardened.
        stopped = rested and self._host.stop()
        if not rested and not finish and target == self._host.read_files():
            self._save(pending=RESTART, invocation="")
            before = f" It was already failing before this run: {broken_before}." if broken_before else ""
            raise DaemonError(
                f"{said}{before} The files are those that were there before, so there was nothing to restore; see "
                "journalctl -u docker.service."
            )
        try:
            self._host.write_files(target)
        except files.FileError as error:
            raise DaemonError(
                f"{said} The old files could not be restored either: {error}; put {self._host.config_file} right by "
                "hand."
            ) from error
        restored = (
            f"{self._host.config_file} was restored to what it held before"
            if target == self._plan.found
            else f"{self._host.config_file} was restored to the last configuration that worked"
        )
        if rested:
            self._save(pending="", managed=self._plan.state.managed, reset=self._plan.state.reset)
            now = "is stopped, as it was before" if stopped else "does not stop; stop docker.socket and docker.service by hand"
            raise DaemonError(f"{said} {restored}; the daemon {now}.")
        cursor = self._host.journal_cursor()
        up = self._host.restart(self._patience(True))
        serves = up and self._await_info()[0] is not None
        self._save(
            pending="" if serves else RESTART,
            good=target if serves else self._state.good,
            managed=self._plan.state.managed,
            reset=self._plan.state.reset,
            invocation=self._host.unit().invocation if serves else "",
        )
        if serves:
            raise DaemonError(f"{said} {restored}, and the daemon serves again with it.")
        again = self._why(cursor) or "its journal holds no reason"
        if broken_before:
            raise DaemonError(
                f"{said} {restored}, but the daemon was already failing before this run, and still is: {broken_before}."
            )
        raise DaemonError(f"{said} {restored}, but the daemon does not serve with it either: {again}.")

    def _rescue(self) -> None:
        """Leave a daemon that serves, and files with which it starts, where the run was killed."""
        host, before = self._host, self._plan.unit
        host.disconnect()
        self._state = host.read_state()[0]
        unit = self._settled()
        if unit.rests and before.rests:
            # It rested and still does.
            host.write_files(self._plan.found)
            self._save(managed=self._plan.state.managed, reset=self._plan.state.reset)
            return
        if not unit.active or self._await_info()[0] is None:
            self._back("the run was killed", "", "", finish=True)
        if unit.invocation == before.invocation and host.read_files() != self._target():
            # It has not been restarted, so nobody knows whether it starts with the new files.
            host.write_files(self._target())
            self._save(
                managed=self._plan.state.managed,
                reset=self._plan.state.reset,
                reloaded={**self._state.reloaded, **daemon_standing.reloadable(self._config)},
            )

    def _settled(self) -> Unit:
        """Return what systemd says when it has done what the run asked it for."""
        deadline = self._host.now() + int(self._patience(True) * 1e9)
        while True:
            unit = self._host.unit()
            if unit.active or unit.failing or self._host.now() > deadline or unit.step.startswith("inactive"):
                return unit
            self._host.wait(0.5)

    def _target(self) -> Files:
        # Files that were never proved are only worth going back to when nothing better is known.
        if (
            self._plan.proven
            or self._state.good is None
            or (not self._plan.unit.active and not self._plan.state.pending)
        ):
            return self._plan.found
        return self._state.good

    # Looking -------------------------------------------------------------------------------------------------------

    def _await_info(self) -> tuple[dict[str, t.Any] | None, str]:
        deadline = self._host.now() + int(self._request.probe_timeout * 1e9)
        while True:
            try:
                return self._host.api().info(), ""
            except ApiError as error:
                if self._host.now() > deadline or self._host.unit().failing:
                    return None, str(error)
            self._host.wait(0.5)

    def _containers_to_keep(self, action: str) -> dict[str, str]:
        running = self._plan.info or {}
        if not running.get("ContainersRunning") or action not in (RELOAD, RESTART):
            return {}
        return self._running() if action == RELOAD or self._lives_on() else {}

    def _lives_on(self) -> bool:
        return bool((self._plan.info or {}).get("LiveRestoreEnabled")) and lives_on(self._plan)

    def _running(self) -> dict[str, str]:
        return self._host.api().running()

    def _lost(self, kept: dict[str, str]) -> list[str]:
        lost = []
        for identifier in set(kept) - set(self._running() if kept else {}):
            state = (self._host.api().inspect(identifier) or {}).get("State") or {}
            # A container that came to its own good end, or was removed, was not lost.
            if state and not state.get("Running") and state.get("ExitCode") != 0:
                lost.append(kept[identifier])
        return sorted(lost)

    def _stale(self, serving: bool, remember: bool = True) -> list[dict[str, t.Any]]:
        """Return the containers that lack settings of new containers; asks only when there may be any."""
        recent = any(change.recreate for change in self._plan.moved)
        if not serving or not self._state.since or not (recent or self._state.stale):
            return []
        try:
            found = daemon_info.stale_containers(
                self._host.api().inspect_all(), self._config, self._state.since, self._plan.logs.formers
            )
        except ApiError as error:
            self._warnings.append(f"Whether containers have to be recreated is not known: {error}.")
            return []
        names = tuple(entry["name"] for entry in found)
        if names != self._state.stale:
            if names:
                self._warnings.append(
                    f"Settings that only new containers get do not reach {', '.join(names[:10])}"
                    f"{' …' if len(names) > 10 else ''}; create {'it' if len(names) == 1 else 'them'} again."
                )
            if remember:
                self._save(stale=names)
        return found

    def _unapplied(self) -> list[str]:
        """Return the keys that the default bridge does not have yet, as containers have lived through every restart since."""
        if not self._state.unapplied:
            return []
        try:
            older = daemon_info.outlived(self._host.api().inspect_all(), self._host.unit().started)
        except ApiError as error:
            self._warnings.append(f"Whether the default bridge has its new settings is not known: {error}.")
            return list(self._state.unapplied)
        if not older:
            self._save(unapplied=())
            return []
        self._warnings.append(
            f"The default bridge does not have the new {', '.join(self._state.unapplied)} yet, as containers have "
            "lived "
            f"through the restart ({', '.join(older[:5])}{' …' if len(older) > 5 else ''}); stop all containers and "
            "restart "
            "the daemon once."
        )
        return list(self._state.unapplied)

    # Memory --------------------------------------------------------------------------------------------------------

    def _remember(self, action: str) -> None:
        plan = self._plan
        deferred = action == DEFERRED
        served = action in (START, RELOAD, RESTART) or (action == NONE and plan.unit.active and plan.info is not None)
        bridged = {change.path for change in plan.moved if change.reaches == BRIDGE and change.apply != LIVE}
        reached = bridged if plan.unit.active and not deferred else set()
        if action in (START, RESTART):
            invocation = self._host.unit().invocation
        elif deferred:
            invocation = self._state.invocation
        else:
            invocation = plan.unit.invocation if served else self._state.invocation
        wanted = dataclasses.replace(
            self._state,
            managed=plan.merged.managed,
            good=plan.wanted if served else self._state.good,
            pending=RESTART if deferred else "",
            since=self._since(action),
            unapplied=tuple(sorted({*self._state.unapplied, *reached})),
            reset=plan.merged.reset,
            reloaded={**self._state.reloaded, **daemon_standing.reloadable(self._config)} if deferred else {},
            invocation=invocation,
        )
        self._save(**{field.name: getattr(wanted, field.name) for field in dataclasses.fields(wanted)})

    def _since(self, action: str) -> dict[str, float]:
        """Return since when keys that only new containers get have their values; a deferred one has its old value."""
        if action == DEFERRED:
            return self._state.since
        moment = self._host.now() / 1e9
        moved = {_key(change.path): moment for change in self._plan.moved if change.recreate and change.apply != LIVE}
        return {**self._state.since, **moved}

    def _save(self, **values: t.Any) -> None:
        changed = dataclasses.replace(self._state, **values)
        if changed != self._state:
            self._host.write_state(changed)
            self._state = changed


def _key(path: str) -> str:
    return path.partition(".")[0]


def differences(plan: Plan, config_file: str) -> dict[str, str]:
    """Return the diff that Ansible shows: the file before and after, and a line for each key with what it costs."""
    before, after = daemon_changes.masked(plan.before), daemon_changes.masked(plan.merged.config)
    lines = [
        f"{change.path}: {_shown(change.before)} -> {_shown(change.after)} {daemon_changes.marks(change)}"
        f"{_fate(change, plan)}"
        for change in plan.changes
    ]
    lines += [f"restart: {problem.message}" for problem in plan.outdated]
    lines += [f"restart: {entry.name}: {'; '.join(entry.why)}" for entry in plan.interrupts]
    return {
        "before_header": config_file,
        "after_header": config_file,
        "before": daemon_json.render(before) if plan.found.config is not None else "",
        "after": daemon_json.render(after) if plan.wanted.config is not None else "",
        "prepared": "".join(line + "\n" for line in lines),
    }


def _fate(change: Change, plan: Plan) -> str:
    if change.path in plan.merged.adopted:
        return " [taken over]"
    if _key(change.path) in plan.merged.reset:
        return " [resets the daemon; goes at the next restart]"
    return ""


def _shown(value: t.Any) -> str:
    return "(absent)" if value is None else daemon_json.compact(value)


def converge(host: Daemon, request: Request) -> tuple[Plan, Outcome]:
    """Decide and carry out, alone: a run that changes something keeps others out until it has ended.

    Raises:
        DaemonError: see daemon_plan.make and execute; also when another run does not end in time.
    """
    if request.predicting:
        plan = daemon_plan.make(host, request)
        return plan, execute(host, request, plan)
    try:
        # The other run may have to start the daemon twice, once with its files and once with the old ones.
        with host.lock(2 * request.probe_timeout):
            plan = daemon_plan.make(host, request)
            return plan, execute(host, request, plan)
    except locks.LockError as error:
        raise DaemonError(f"{error}.") from error


def execute(host: Daemon, request: Request, plan: Plan) -> Outcome:
    """Carry a plan out, or predict it.

    Raises:
        DaemonError: see Transaction.run; also when a tool or a file of the host fails on the way.
    """
    transaction = Transaction(host, plan, request)
    if request.predicting:
        return transaction.predict()
    try:
        return transaction.run()
    except (commands.CommandError, files.FileError, ApiError) as error:
        raise DaemonError(
            f"The change was interrupted: {error}; what is left to do is remembered, so run again."
        ) from error
