# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Where Docker's things lie that drift is about, and what the unit and the file of the daemon say.

PRIVATE to the collection: no stability is promised to other users.

Apart from drift_items, because a check has to be quick and this is all that it needs of them.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_json, limits, unit_flags
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files, unit_environment

CONFIG_FILE = "/etc/docker/daemon.json"
SECCOMP_FILE = "/etc/docker/seccomp-bulkhead.json"
STATE_DIRECTORY = "/var/lib/bulkhead"
API_SOCKET = "/run/docker.sock"
#: The units on which Docker's service rests.
UNITS = ("docker.service", "docker.socket", "containerd.service")
#: Those of storage/guard.py, which a test compares.
OUR_DROP_INS = tuple(f"/etc/systemd/system/{unit}.d/10-bulkhead-storage.conf" for unit in ("containerd.service", "docker.service"))
#: The name of the drop-ins of the role docker_limits, which restart nothing and are files of that role.
LIMITS_DROP_IN = limits.DROP_IN


def configuration(path: str) -> dict[str, t.Any]:
    """Return what daemon.json holds, nothing where it cannot be read."""
    try:
        return daemon_json.parse(files.read_text(path) or "")
    except (files.FileError, daemon_json.DaemonJsonError):
        return {}


def arguments(shown: t.Mapping[str, str]) -> list[str]:
    """Return the arguments with which systemd would start dockerd now, its variables filled in.

    Args:
        shown: properties of docker.service.
    """
    if not shown["ExecStart"]:
        return []
    return unit_flags.arguments(shown["ExecStart"], unit_environment.environment(shown))


def environment_files(property_: str) -> list[str]:
    """Return the files of variables that a unit names, whether they are there or not; patterns are left out."""
    paths = (entry.strip().partition(" (")[0] for entry in property_.split(")"))
    return [path for path in paths if path.startswith("/") and not any(sign in path for sign in "*?[")]
