# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Carrying a move of the engine's packages out: one transaction, then the proof that the engine serves, or the way back.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import package_versions
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    engine,
    files,
    package_manager,
    systemd,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import STATE_DIRECTORY, UNIT, Daemon
from ansible_collections.bulkhead.docker.plugins.module_utils.host.package_manager import Manager
from ansible_collections.bulkhead.docker.plugins.module_utils.host.package_plan import Outcome

WAY_BACK = STATE_DIRECTORY + "/packages-before"


class MoveError(Exception):
    """The move failed; the message says why, and where the host stands now."""


@dataclasses.dataclass(frozen=True)
class Result:
    """What a move did: the version that answers, None where the engine did not run before and was not started."""

    serving: str | None
    warnings: tuple[str, ...] = ()


def run(outcome: Outcome, probe_timeout: float) -> Result:
    """Carry a plan out.

    Args:
        outcome: a plan without problems, with a command or something to hold.
        probe_timeout: seconds in which the new engine has to answer, if the old one did.

    Raises:
        MoveError: it could not be done; the packages are what they were, as far as they could be had.
    """
    manager = package_manager.named(outcome.manager)
    served = engine.serving_version()
    warnings: list[str] = []
    if outcome.command:
        wrong = manager.prepare(outcome.command)
        if wrong:
            raise MoveError(f"{wrong}; nothing was changed.")
        served, warnings = _move(outcome, manager, served, probe_timeout)
    if outcome.to_hold:
        manager.hold(outcome.to_hold)
    return Result(served, tuple(warnings))


def _move(outcome: Outcome, manager: Manager, served: str | None, probe_timeout: float) -> tuple[str | None, list[str]]:
    """Return what answers after the transaction, and warnings."""
    daemon = Daemon()
    kept, warnings = _keep_way_back(outcome, manager) if served else ([], [])
    held = [name for name, known in manager.known(_names(outcome.back), sources=False).items() if known.held] if kept else []
    # systemd counts starts: after a few within a minute it would refuse the deliberate one (start-limit-hit).
    systemd.reset_failed(UNIT)
    cursor = daemon.journal_cursor()
    reason = manager.transaction(outcome.command, start=served is not None)
    serving = None
    if reason and served and not systemd.is_active(UNIT):
        # A package whose service does not start fails in apt's eyes, and apt does not say why.
        reason += f" (dockerd: {daemon.journal_reason(cursor) or 'it gave no reason'})"
    elif not reason and served:
        expected = package_versions.upstream(outcome.plan.engine_after)
        if package_versions.upstream(engine.serving_version() or "") != expected:
            # Not every package restarts its service: the old program would go on and answer for the new one.
            with contextlib.suppress(commands.CommandError):
                systemd.restart(UNIT)
        serving = _await(probe_timeout)
        if serving is None or package_versions.upstream(serving) != expected:
            serving = None
            reason = f"the new engine does not serve within {probe_timeout:g} seconds: {daemon.journal_reason(cursor) or 'it gave no reason'}"
    if reason:
        raise MoveError(_back(outcome, manager, kept, held, served, reason, probe_timeout))
    if not outcome.plan.engine_before:
        manager.enable(UNIT)
    return serving, warnings


def _keep_way_back(outcome: Outcome, manager: Manager) -> tuple[list[str], list[str]]:
    files.ensure_directory(STATE_DIRECTORY, mode=0o700)
    files.ensure_directory(WAY_BACK, mode=0o700)
    paths = manager.download(outcome.back, WAY_BACK)
    if len(paths) == len(outcome.back):
        return paths, []
    return [], [f"There is no way back to {', '.join(outcome.back)}: neither a package source nor {manager.NAME}'s cache has all of them."]


def _await(seconds: float) -> str | None:
    deadline = time.monotonic() + seconds
    while True:
        serving = engine.serving_version()
        # A daemon that ended and waits to be started again may answer in between.
        if serving and systemd.is_active(UNIT):
            return serving
        if systemd.has_failed(UNIT) or time.monotonic() > deadline:
            return None
        time.sleep(1)


def _back(
    outcome: Outcome, manager: Manager, kept: t.Sequence[str], held: t.Sequence[str], served: str | None, reason: str, probe_timeout: float
) -> str:
    """Put the old packages back and return what to tell."""
    new = [name for name in _names(outcome.plan.install) if name not in _names(outcome.back)]
    before = ", ".join(outcome.back)
    if not kept:
        return f"{reason}. It stays so: {before or 'the state before'} cannot be had any more; repair the new engine, or install the old packages by hand."
    command = manager.install_command((), [name for name, known in manager.known(new, sources=False).items() if known.installed] if new else [], kept)
    systemd.reset_failed(UNIT)
    failed = manager.transaction(command, start=True)
    if failed:
        return (
            f"{reason}. Going back to {before} failed too ({failed}); the packages lie in {WAY_BACK}: "
            f"install them with {manager.BY_HAND} {WAY_BACK}/*{manager.SUFFIX}."
        )
    if held:
        manager.hold(held)
    systemd.reset_failed(UNIT)
    systemd.start(UNIT)
    serving = _await(probe_timeout)
    state = f"which serves again as {serving}" if serving else f"which does not serve either, though it did before as {served}; see journalctl --unit {UNIT}"
    return f"{reason}. The host is back at {before}, {state}."


def _names(entries: t.Sequence[str]) -> list[str]:
    return [entry.partition("=")[0] for entry in entries]
