# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What systemd knows and does: unit properties, start, stop, reload, and a unit's last words in the journal.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands


def properties(unit: str, names: t.Sequence[str]) -> dict[str, str]:
    """Return the named properties of a unit as systemctl prints them; a unit that is not there yields empty values."""
    shown = commands.run(["systemctl", "show", "--property", ",".join(names), "--", unit], check=False)
    found = dict(line.split("=", 1) for line in shown.stdout.splitlines() if "=" in line)
    return {name: found.get(name, "") for name in names}


def is_active(unit: str) -> bool:
    """Tell whether a unit is active now (a unit that is still starting or stopping is not)."""
    return properties(unit, ["ActiveState"])["ActiveState"] == "active"


def is_installed(unit: str) -> bool:
    """Tell whether systemd finds a file for the unit."""
    return properties(unit, ["LoadState"])["LoadState"] in ("loaded", "masked")


def daemon_reload() -> None:
    """Make systemd read its unit files again."""
    commands.run(["systemctl", "daemon-reload"], timeout=120)


def reset_failed(unit: str) -> None:
    """Clear a unit's failed state and its start counter, so that a deliberate start is not refused (start-limit-hit)."""
    commands.run(["systemctl", "reset-failed", "--", unit], check=False)


def start(unit: str, timeout: float = 180) -> commands.CommandResult:
    """Start a unit and return what systemctl said; the caller judges the exit status."""
    return commands.run(["systemctl", "start", "--", unit], timeout=timeout, check=False)


def restart(unit: str, timeout: float = 240) -> commands.CommandResult:
    """Restart a unit and return what systemctl said; the caller judges the exit status."""
    return commands.run(["systemctl", "restart", "--", unit], timeout=timeout, check=False)


def stop(*units: str, timeout: float = 180) -> commands.CommandResult:
    """Stop units and return what systemctl said; the caller judges the exit status."""
    return commands.run(["systemctl", "stop", "--", *units], timeout=timeout, check=False)


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


def journal(unit: str, cursor: str = "", lines: int = 200) -> list[str]:
    """Return the messages of a unit, oldest first, at most the given number, only those after the cursor if one is given."""
    arguments = ["journalctl", "--quiet", "--no-pager", "--output=cat", f"--lines={lines}", f"--unit={unit}"]
    if cursor:
        arguments.append(f"--after-cursor={cursor}")
    return [line for line in commands.run(arguments, check=False).stdout.splitlines() if line.strip()]
