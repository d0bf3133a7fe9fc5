# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What the kernel knows about a process.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import os
import time

_SHIM = "containerd-shim"


def started(pid: int) -> float:
    """Return when a process was started, in seconds since the epoch; 0 when there is none.

    Reckoned from its age on the clock that goes on while the machine sleeps (proc_pid_stat(5), field 22;
    clock_gettime(2), CLOCK_BOOTTIME), so neither a suspend nor a clock that was wrong at boot moves it.
    """
    if pid <= 0:
        return 0.0
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as handle:
            # The second field is the program's name in parentheses and may hold anything.
            fields = handle.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    if len(fields) < 20 or not fields[19].isdecimal():
        return 0.0
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.time() - age


def arguments(pid: int) -> list[str] | None:
    """Return the arguments of a process without its program's name, or None when there is no such process (proc_pid_cmdline(5))."""
    if pid <= 0:
        return None
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as handle:
            words = handle.read().decode("utf-8", "surrogateescape").split("\0")
    except OSError:
        return None
    return words[1:-1] if len(words) > 1 else None


def containers(proc: str = "/proc") -> tuple[str, ...]:
    """Return the ids of the containers of which containerd's shims run, whether a daemon knows of them or not."""
    found = []
    for name in os.listdir(proc):
        if not name.isdigit():
            continue
        try:
            with open(f"{proc}/{name}/cmdline", "rb") as handle:
                words = handle.read(65536).decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        if os.path.basename(words[0]).startswith(_SHIM) and "-id" in words[:-1]:
            found.append(words[words.index("-id") + 1][:12])
    return tuple(sorted(set(found)))
