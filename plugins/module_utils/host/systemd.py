# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What systemd knows and does: unit properties, start, stop, reload, and a unit's last words in the journal.

PRIVATE to the collection: no stability is promised to other users.

All of it is asked of the system's manager, or with a scope of the manager of one user.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import text_lines
from ansible_collections.bulkhead.docker.plugins.module_utils.host import accounts, commands, unit_environment

if t.TYPE_CHECKING:
    from ansible_collections.bulkhead.docker.plugins.module_utils.engine.rootless import Account


@dataclasses.dataclass(frozen=True)
class Scope:
    """Which manager is asked: how systemctl is called, and which fields of the journal hold a unit's name.

    Attributes:
        systemctl: the beginning of the argument vector.
        matches: groups of matches of journalctl; %s stands for the unit. Each group is an alternative.
    """

    systemctl: tuple[str, ...] = ("systemctl",)
    matches: tuple[tuple[str, ...], ...] = (("--unit=%s",),)

    def journal(self, unit: str) -> list[str]:
        """Return the arguments by which journalctl finds a unit's messages."""
        groups = [[match.replace("%s", unit) for match in group] for group in self.matches]
        return [word for index, group in enumerate(groups) for word in (["+"] if index else []) + group]


SYSTEM = Scope()
#: States of a unit that does its work; dockerd from 29.0 on says when it reads its configuration anew, and is ``reloading`` then.
RUNNING = ("active", "reloading", "refreshing")


def user_scope(account: Account) -> Scope:
    """Return the manager of a user; the account must exist, and its manager run (user@.service(5))."""
    return Scope(
        accounts.command(account, "systemctl", "--user"),
        # Anybody may name a unit in a message of his own; the uid is the kernel's word (systemd.journal-fields(7)).
        (("_SYSTEMD_USER_UNIT=%s", f"_UID={account.uid}"), ("USER_UNIT=%s", f"_UID={account.uid}")),
    )


def properties(unit: str, names: t.Sequence[str], scope: Scope = SYSTEM) -> dict[str, str]:
    """Return the named properties of a unit as systemctl prints them; a unit that is not there yields empty values.

    Of one that is printed more than once, as EnvironmentFiles is for each file, all are returned with blanks between.
    """
    shown = commands.run([*scope.systemctl, "show", "--property", ",".join(names), "--", unit], check=False)
    found: dict[str, list[str]] = {}
    for name, equals, value in (line.partition("=") for line in text_lines.lines_of(shown.stdout)):
        if equals:
            found.setdefault(name, []).append(value)
    return {name: " ".join(found.get(name, [])) for name in names}


def properties_of(
    units: t.Sequence[str], names: t.Sequence[str], run: t.Callable[..., commands.CommandResult] = commands.run
) -> dict[str, dict[str, str]]:
    """Return the named properties of several units in one question, as `properties` does for one.

    Raises:
        commands.CommandError: systemctl is not there, or does not answer.
    """
    shown = run([*SYSTEM.systemctl, "show", "--property", ",".join(names), "--", *units], timeout=20, check=False)
    # One block for each unit, in their order, with an empty line between.
    blocks = shown.stdout.split("\n\n") if shown.rc == 0 else []
    found: dict[str, dict[str, str]] = {}
    for number, unit in enumerate(units):
        values: dict[str, list[str]] = {}
        for line in text_lines.lines_of(blocks[number]) if number < len(blocks) else ():
            name, equals, value = line.partition("=")
            if equals:
                values.setdefault(name, []).append(value)
        found[unit] = {name: " ".join(values.get(name, [])) for name in names}
    return found


environment = unit_environment.environment


def is_active(unit: str) -> bool:
    """Tell whether a unit is active now (a unit that is still starting or stopping is not)."""
    return properties(unit, ["ActiveState"])["ActiveState"] in RUNNING


def has_failed(unit: str) -> bool:
    """Tell whether systemd has given a unit up (one that waits to be started again has not failed yet)."""
    return properties(unit, ["ActiveState"])["ActiveState"] == "failed"


def is_installed(unit: str) -> bool:
    """Tell whether systemd finds a file for the unit."""
    return properties(unit, ["LoadState"])["LoadState"] in ("loaded", "masked")


def daemon_reload(scope: Scope = SYSTEM) -> None:
    """Make systemd read its unit files again."""
    commands.run([*scope.systemctl, "daemon-reload"], timeout=120)


def reset_failed(unit: str, scope: Scope = SYSTEM) -> None:
    """Clear a unit's failed state and its start counter, so that a deliberate start is not refused (start-limit-hit)."""
    commands.run([*scope.systemctl, "reset-failed", "--", unit], check=False)


def start(unit: str, timeout: float = 180, scope: Scope = SYSTEM) -> commands.CommandResult:
    """Start a unit and return what systemctl said; the caller judges the exit status."""
    return commands.run([*scope.systemctl, "start", "--", unit], timeout=timeout, check=False)


def restart(unit: str, timeout: float = 240, scope: Scope = SYSTEM) -> commands.CommandResult:
    """Restart a unit and return what systemctl said; the caller judges the exit status."""
    return commands.run([*scope.systemctl, "restart", "--", unit], timeout=timeout, check=False)


def stop(*units: str, timeout: float = 180, scope: Scope = SYSTEM) -> commands.CommandResult:
    """Stop units and return what systemctl said; the caller judges the exit status."""
    return commands.run([*scope.systemctl, "stop", "--", *units], timeout=timeout, check=False)


def journal_sync() -> None:
    """Wait until the journal has written what it was given."""
    commands.run(["journalctl", "--sync"], check=False)


def journal_cursor() -> str:
    """Return the journal's newest position, to read later what came after it; empty where there is no journal."""
    shown = commands.run(["journalctl", "--quiet", "--no-pager", "--lines=0", "--show-cursor"], check=False)
    for line in shown.stdout.splitlines():
        if line.startswith("-- cursor: "):
            return line[len("-- cursor: "):].strip()
    return ""


def journal(unit: str, cursor: str = "", lines: int = 200, scope: Scope = SYSTEM) -> list[str]:
    """Return the messages of a unit, oldest first, at most the given number, only those after the cursor if one is given."""
    arguments = ["journalctl", "--quiet", "--no-pager", "--output=cat", f"--lines={lines}", *scope.journal(unit)]
    if cursor:
        arguments.append(f"--after-cursor={cursor}")
    return [line for line in commands.run(arguments, check=False).stdout.splitlines() if line.strip()]
