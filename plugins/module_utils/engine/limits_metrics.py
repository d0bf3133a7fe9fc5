# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The timer that tells of pressure, of what was killed and of filling disks: its units and its configuration, as texts of files.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem

UNIT = "bulkhead-docker-limits"
SERVICE = f"{UNIT}.service"
TIMER = f"{UNIT}.timer"
UNITS = "/etc/systemd/system"
PROGRAM = "/usr/local/lib/bulkhead/docker-limits-metrics"
DIRECTORY = "/etc/bulkhead"
CONFIG = f"{DIRECTORY}/docker-limits.json"
#: Where the program remembers how full filesystems were.
STATE = "bulkhead-limits"
METRICS = "bulkhead_limits.prom"

#: From what on a threshold is crossed, in percent, and in hours for the time until a filesystem is full.
THRESHOLDS: dict[str, float] = {
    "cpu_some": 80,
    "memory_some": 20,
    "memory_full": 10,
    "io_full": 40,
    "memory_used": 90,
    "tasks_used": 80,
    "disk_used": 85,
    "inodes_used": 90,
    "full_within_hours": 24,
}
_LONGEST_HOURS = 24 * 60
_TIME = re.compile(r"[0-9][0-9a-z .]{0,60}")
_PATH = re.compile(r"/[A-Za-z0-9/._@+-]{0,500}")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What is told, where to and how often.

    Attributes:
        directory: of the textfile collector.
        interval: as systemd writes it (systemd.time(7)).
        python: the interpreter of the program.
        slices: those that are told of.
        roots: directories of Docker; the filesystems that they lie on, and those below, are told of.
        thresholds: by name; those that are not there have their default.
        program: the text of the program, without its first line.
    """

    directory: str
    program: str
    interval: str = "1min"
    python: str = "/usr/bin/python3"
    slices: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    thresholds: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


def problems(wanted: Wanted) -> list[Problem]:
    """Return what is wrong with it."""
    found = []
    if _TIME.fullmatch(wanted.interval) is None:
        found.append(Problem("docker_limits_interval", f"is {wanted.interval!r}, which is no span of time; write it as '1min'"))
    for name, path in (("textfile_directory", wanted.directory), ("python", wanted.python)):
        if _PATH.fullmatch(path) is None:
            found.append(Problem(f"docker_limits_{name}", f"is {path!r}, which is no absolute path of plain characters"))
    for name, value in wanted.thresholds.items():
        label = f"docker_limits_thresholds.{name}"
        if name not in THRESHOLDS:
            found.append(Problem(label, f"is no threshold; known are {', '.join(THRESHOLDS)}"))
            continue
        most = _LONGEST_HOURS if name == "full_within_hours" else 100
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= most:
            found.append(Problem(label, f"is {value!r}; write a number above 0 and up to {most}, which are {'hours' if most > 100 else 'percent'}"))
    return found


def config(wanted: Wanted) -> str:
    """Return the text of the program's configuration."""
    thresholds = {**THRESHOLDS, **wanted.thresholds}
    document = {
        "directory": wanted.directory,
        "slices": list(wanted.slices),
        "roots": list(wanted.roots),
        "thresholds": {name: float(value) for name, value in sorted(thresholds.items())},
    }
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def service(wanted: Wanted) -> str:
    """Return the text of the service, which looks once. It may write metrics and its memory, and nothing else."""
    return (
        "# Managed by the role bulkhead.docker.docker_limits.\n"
        "[Unit]\n"
        "Description=Tell of the pressure on containers, and of filling filesystems of Docker\n"
        "\n[Service]\n"
        "Type=oneshot\n"
        f"ExecStart={PROGRAM}\n"
        "TimeoutStartSec=60\n"
        f"StateDirectory={STATE}\n"
        "StateDirectoryMode=0700\n"
        "UMask=0077\n"
        # It has to get through when nothing else does.
        "OOMScoreAdjust=-500\n"
        "NoNewPrivileges=true\n"
        "CapabilityBoundingSet=\n"
        "ProtectSystem=strict\n"
        f"ReadWritePaths={wanted.directory}\n"
        "ProtectHome=true\n"
        "PrivateNetwork=true\n"
        "RestrictAddressFamilies=none\n"
        "SystemCallArchitectures=native\n"
        "MemoryDenyWriteExecute=true\n"
    )


def timer(wanted: Wanted) -> str:
    """Return the text of the timer."""
    return (
        "# Managed by the role bulkhead.docker.docker_limits.\n"
        "[Unit]\n"
        "Description=Tell of the pressure on containers regularly\n"
        "\n[Timer]\n"
        "OnActiveSec=0\n"
        f"OnUnitActiveSec={wanted.interval}\n"
        "AccuracySec=1s\n"
        "\n[Install]\n"
        "WantedBy=timers.target\n"
    )


def texts(wanted: Wanted) -> dict[str, tuple[str, int]]:
    """Return every file of it, by path, with its mode."""
    return {
        PROGRAM: (f"#!{wanted.python} -I\n{wanted.program}", 0o755),
        CONFIG: (config(wanted), 0o600),
        f"{UNITS}/{SERVICE}": (service(wanted), 0o644),
        f"{UNITS}/{TIMER}": (timer(wanted), 0o644),
    }
