# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The drop-in that keeps dockerd from starting while its data is between two places.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import os

from ansible_collections.bulkhead.docker.plugins.module_utils.host import files, systemd

#: Goes with the next boot, and does not.
PASSING = "/run/systemd/system/docker.service.d/00-bulkhead-move.conf"
LASTING = "/etc/systemd/system/docker.service.d/00-bulkhead-move.conf"
_TEXT = """\
# Docker's data is being moved by the role bulkhead.docker.docker_storage, which removes this file when it is there.
[Service]
ExecStartPre=/bin/sh -c 'echo "Docker is not started while its data is moved; run the playbook again to go on" >&2; exit 1'
"""


def take(path: str) -> None:
    """Keep the daemon from starting.

    Args:
        path: PASSING or LASTING.
    """
    files.ensure_directory(os.path.dirname(path))
    files.write_text(path, _TEXT)
    systemd.daemon_reload()


def release() -> None:
    """Let the daemon start again."""
    gone = [files.remove(path) for path in (PASSING, LASTING)]
    if any(gone):
        systemd.daemon_reload()


def held_by() -> str:
    """Return the drop-in with which a move keeps the daemon from starting, or nothing."""
    return next((path for path in (PASSING, LASTING) if os.path.lexists(path)), "")
