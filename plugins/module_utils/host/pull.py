# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The timer by which a host keeps itself: what of it is not as wanted, and making it so.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.drift import pull
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, files, managed_files, systemd

#: Every file of it; those that may hold a secret are for root alone.
FILES = (pull.PROGRAM, pull.CONFIG, pull.INVENTORY, f"{pull.UNITS}/{pull.SERVICE}", f"{pull.UNITS}/{pull.TIMER}")
_SECRET = (pull.CONFIG, pull.INVENTORY)
_CHECK_SECONDS = 600


@dataclasses.dataclass(frozen=True)
class Plan:
    """What has to be done.

    Attributes:
        files: that differ.
        private: whether the directory of the files with secrets has to be made or closed.
        enable, start: whether the timer has to be enabled or disabled, started or stopped; None where it is right.
    """

    files: tuple[managed_files.Difference, ...]
    private: bool = False
    enable: bool | None = None
    start: bool | None = None
    metrics: str = ""

    @property
    def changes(self) -> bool:
        return bool(self.files or self.private or self.metrics) or self.enable is not None or self.start is not None

    def diff(self) -> list[dict[str, str]]:
        """Return what differs; nothing of what may hold a secret."""
        hidden = {"before": "", "after": "what may hold a secret is not shown\n"}
        shown = [{**one.as_diff(), **(hidden if one.path in _SECRET else {})} for one in self.files]
        for name, wanted in (("enabled", self.enable), ("started", self.start)):
            if wanted is not None:
                shown.append({"before_header": pull.TIMER, "after_header": pull.TIMER, "before": f"{name}: {not wanted}\n", "after": f"{name}: {wanted}\n"})
        return shown


def refusals(wanted: pull.Pull) -> list[str]:
    """Return why the host cannot keep itself so, with what its systemd says of the times."""
    found = pull.problems(wanted)
    if found:
        return found
    for name, verb, value in (("schedule", "calendar", wanted.schedule), ("jitter", "timespan", wanted.jitter), ("timeout", "timespan", wanted.timeout)):
        if commands.run(["systemd-analyze", verb, value], check=False).rc:
            found.append(f"docker_pull_{name} is {value!r}, which this host's systemd does not understand; see systemd.time(7).")
    if wanted.metrics and not os.path.isdir(wanted.metrics):
        found.append(f"docker_pull_textfile_directory is {wanted.metrics}, which is no directory on this host; install the node exporter before, or make it.")
    return found


def plan(wanted: pull.Pull, program: str, inventory: str | None, enabled: bool) -> Plan:
    """Return what has to be done for a host to keep itself.

    Args:
        program: the text of the program, without its first line.
        inventory: see `pull.inventory`; None for what is there.
        enabled: whether the timer runs.

    Raises:
        files.FileError: there is no inventory that could be kept, or a file cannot be looked at.
    """
    if inventory is None:
        inventory = files.read_text(pull.INVENTORY)
        if inventory is None:
            raise files.FileError(f"{pull.INVENTORY} is gone, and this host does not know what was in it; run the role docker_pull from the controller")
    texts: dict[str, tuple[str | None, int]] = {
        pull.PROGRAM: (f"#!{wanted.python} -I\n{program}", 0o755),
        pull.CONFIG: (pull.config(wanted), 0o600),
        pull.INVENTORY: (inventory, 0o600),
        **{path: (text, 0o644) for path, text in pull.units(wanted).items()},
    }
    found = managed_files.differences(texts)
    private = not os.path.isdir(pull.DIRECTORY) or files.attributes_differ(pull.DIRECTORY, 0o700)
    return Plan(tuple(found), private, *_timer(enabled))


def removal(metrics: str) -> Plan:
    """Return what has to be done for nothing of it to be left but what its runs left.

    Args:
        metrics: the directory of the textfile collector; what lies there would tell of a run that is long ago.
    """
    left = os.path.join(metrics, pull.METRICS) if metrics else ""
    found = managed_files.differences(dict.fromkeys(FILES, (None, 0)))
    return Plan(tuple(found), False, *_timer(False), metrics=left if left and os.path.lexists(left) else "")


def _timer(enabled: bool) -> tuple[bool | None, bool | None]:
    shown = systemd.properties(pull.TIMER, ["UnitFileState", "ActiveState"])
    is_enabled, runs = shown["UnitFileState"] == "enabled", shown["ActiveState"] in systemd.RUNNING
    return (None if is_enabled == enabled else enabled), (None if runs == enabled else enabled)


def carry_out(found: Plan) -> None:
    """Do it. Before the timer is enabled, the host proves that it can run what is configured.

    Raises:
        commands.CommandError, files.FileError: it cannot be done.
    """
    changed = {one.path for one in found.files}
    removes = any(one.wanted is None for one in found.files)
    if removes or found.start is False:
        systemd.stop(pull.TIMER)
    if removes or found.enable is False:
        commands.run(["systemctl", "disable", "--", pull.TIMER], check=False)
    if found.private:
        files.ensure_directory(pull.DIRECTORY)
        os.chmod(pull.DIRECTORY, 0o700)
        os.chown(pull.DIRECTORY, 0, 0)
    managed_files.apply(found.files)
    if found.metrics:
        files.remove(found.metrics)
    if any(path.startswith(pull.UNITS) for path in changed):
        systemd.daemon_reload()
    if removes:
        return
    prove()
    if found.enable:
        commands.run(["systemctl", "enable", "--", pull.TIMER])
    if found.start or (f"{pull.UNITS}/{pull.TIMER}" in changed and found.start is None and systemd.is_active(pull.TIMER)):
        _said(systemd.restart(pull.TIMER))


def prove() -> None:
    """See whether the host can run what is configured.

    Raises:
        commands.CommandError: it cannot; in the words of the program.
    """
    done = commands.run([pull.PROGRAM, "check"], timeout=_CHECK_SECONDS, check=False)
    if done.rc:
        words = (done.stderr or done.stdout).strip()
        raise commands.CommandError(words[len("docker-pull: "):].rstrip(".") if words.startswith("docker-pull: ") else words)


def _said(result: commands.CommandResult) -> None:
    if result.rc:
        raise commands.CommandError(f"{pull.TIMER} cannot be started: {(result.stderr or result.stdout).strip()}")


def state(enabled: bool) -> dict[str, t.Any]:
    """Return what the manifest has to watch. The service is none of it but by its file: it runs now and then, and not least while it looks."""
    return {"files": list(FILES), "units": [], "timers": [pull.TIMER] if enabled else []}
