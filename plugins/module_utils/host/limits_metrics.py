# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The timer that tells of pressure and of filling disks: what of it is not as wanted, and making it so.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import json
import os
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import limits_metrics
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.limits_metrics import Wanted
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, files, managed_files, systemd


@dataclasses.dataclass(frozen=True)
class Plan:
    """What has to be done.

    Attributes:
        files: that differ.
        enable, start: whether the timer has to be enabled or disabled, started or stopped; None where it is right.
        left: metrics that would tell of a time long ago; empty where there are none.
        paths: every file that is kept.
        timers: those that run.
    """

    files: tuple[managed_files.Difference, ...] = ()
    enable: bool | None = None
    start: bool | None = None
    left: str = ""
    paths: tuple[str, ...] = ()
    timers: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        return bool(self.files or self.left) or self.enable is not None or self.start is not None

    def diff(self) -> list[dict[str, str]]:
        """Return what differs, in the form that Ansible shows."""
        timer = limits_metrics.TIMER
        shown = [one.as_diff() for one in self.files]
        for name, wanted in (("enabled", self.enable), ("started", self.start)):
            if wanted is not None:
                shown.append({"before_header": timer, "after_header": timer, "before": f"{name}: {not wanted}\n", "after": f"{name}: {wanted}\n"})
        return shown


def refusals(wanted: Wanted, predicting: bool) -> list[Problem]:
    """Return why the host cannot tell of it."""
    found = limits_metrics.problems(wanted)
    if found:
        return found
    if commands.run(["systemd-analyze", "timespan", wanted.interval], check=False).rc:
        found.append(Problem("docker_limits_interval", f"is {wanted.interval!r}, which this host's systemd does not understand; see systemd.time(7)"))
    # What is to have it may be installed by then.
    if not os.path.isdir(wanted.directory) and not predicting:
        found.append(
            Problem(
                "docker_limits_textfile_directory",
                f"is {wanted.directory}, which is no directory on this host; install the node exporter before, or make it",
            )
        )
    return found


def plan(wanted: Wanted) -> Plan:
    """Return what has to be done for a host to tell of it."""
    texts: dict[str, tuple[str | None, int]] = dict(limits_metrics.texts(wanted))
    return Plan(tuple(managed_files.differences(texts)), *_timer(True), paths=tuple(texts), timers=(limits_metrics.TIMER,))


def removal() -> Plan:
    """Return what has to be done for nothing of it to be left but what it remembers."""
    units = [f"{limits_metrics.UNITS}/{unit}" for unit in (limits_metrics.SERVICE, limits_metrics.TIMER)]
    found = managed_files.differences(dict.fromkeys([limits_metrics.PROGRAM, limits_metrics.CONFIG, *units], (None, 0)))
    if not found:
        return Plan()
    return Plan(tuple(found), *_timer(False), left=_left())


def _left() -> str:
    """Return the path of the metrics that the configuration on the host names; empty where there are none."""
    try:
        known = json.loads(files.read_text(limits_metrics.CONFIG) or "{}")
        path = os.path.join(str(known["directory"]), limits_metrics.METRICS)
    except (ValueError, KeyError, TypeError, files.FileError):
        return ""
    return path if os.path.lexists(path) else ""


def _timer(enabled: bool) -> tuple[bool | None, bool | None]:
    shown = systemd.properties(limits_metrics.TIMER, ["UnitFileState", "ActiveState"])
    is_enabled, runs = shown["UnitFileState"] == "enabled", shown["ActiveState"] in systemd.RUNNING
    return (None if is_enabled == enabled else enabled), (None if runs == enabled else enabled)


def carry_out(found: Plan) -> None:
    """Do it.

    Raises:
        commands.CommandError, files.FileError: it cannot be done.
    """
    if not found.changes:
        return
    removes = any(one.wanted is None for one in found.files)
    if removes:
        systemd.stop(limits_metrics.TIMER)
        commands.run(["systemctl", "disable", "--", limits_metrics.TIMER], check=False)
    else:
        files.ensure_directory(limits_metrics.DIRECTORY, mode=0o700)
    managed_files.apply(found.files)
    if found.left:
        files.remove(found.left)
    if found.files:
        systemd.daemon_reload()
    if removes:
        return
    if found.enable:
        commands.run(["systemctl", "enable", "--", limits_metrics.TIMER])
    if found.start or any(one.path.endswith(limits_metrics.TIMER) for one in found.files):
        _started(systemd.restart(limits_metrics.TIMER))
    if any(one.path in (limits_metrics.PROGRAM, limits_metrics.CONFIG) or one.path.endswith(limits_metrics.SERVICE) for one in found.files):
        # Shows at once that it can.
        _started(systemd.start(limits_metrics.SERVICE))


def _started(result: commands.CommandResult) -> None:
    if result.rc:
        words: t.Sequence[str] = systemd.journal(limits_metrics.SERVICE, lines=3)
        raise commands.CommandError(" ".join([f"{limits_metrics.SERVICE} cannot be run: {(result.stderr or result.stdout).strip()}", *words]))
