# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What the kernel keeps of the limits of a unit.

PRIVATE to the collection: no stability is promised to other users.

Each look for drift reads it, so it brings nothing along of what sets limits; see `limits` for that.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import limits
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files

CGROUPS = "/sys/fs/cgroup"
UNITS = limits.UNITS
#: How a unit file begins that the role docker_limits has written.
MANAGED = "# Managed by the role bulkhead.docker.docker_limits."


def text(path: str) -> str | None:
    """Return what a small file of the kernel holds, None where there is none."""
    try:
        with open(path, encoding="ascii", errors="replace") as handle:
            return handle.read(65536).strip()
    except OSError:
        return None


def place(unit: str) -> str:
    """Return the directory of a unit's control group, whether it is there or not."""
    if not unit.endswith(".slice"):
        return os.path.join(CGROUPS, limits.SYSTEM, unit)
    words = unit[: -len(".slice")].split("-")
    return os.path.join(CGROUPS, *("-".join(words[: number + 1]) + ".slice" for number in range(len(words))))


def live(unit: str, recorded: t.Sequence[str] | None = None) -> list[str] | None:
    """Return what the kernel keeps of what we limit of a unit, as ``file value``; None where the unit has no control group now.

    Args:
        recorded: what it kept when it was recorded; a value that systemd reckoned from a host with a little more memory is the same.
    """
    directory = place(unit)
    if not os.path.isdir(directory):
        return None
    before = dict(entry.partition(" ")[::2] for entry in recorded or ())
    names = [name for name, field in limits.FIELDS.items() if field.file and (field.file in before or (recorded is None and name in _set_by_us(unit)))]
    found = []
    for name in names:
        file = limits.FIELDS[name].file
        now = text(os.path.join(directory, file))
        if now is not None:
            value = " ".join(limits.said(name, now).split())
            old = before.get(file, "")
            found.append(f"{file} {old if old.isdigit() and limits.Expected(name, old, True).met_by(value) else value}")
    return found


def _set_by_us(unit: str) -> list[str]:
    """Return the limits that our unit file or drop-in has."""
    drop_in = files.read_text(f"{UNITS}/{unit}.d/{limits.DROP_IN}") or ""
    own = files.read_text(f"{UNITS}/{unit}") or ""
    return limits.set_by(drop_in + (own if own.startswith(MANAGED) else ""))
