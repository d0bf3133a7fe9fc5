# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The note that a run of dockerd was started with something that has been put right since, so that only a restart helps.

PRIVATE to the collection: no stability is promised to other users.

Whoever puts it right notes it before, and the daemon's transaction reads it. It names systemd's id of that run of dockerd, so
whoever restarts Docker settles it, and nobody has to remove it.
"""

from __future__ import annotations

import json

from ansible_collections.bulkhead.docker.plugins.module_utils.host import files

PATH = "/var/lib/bulkhead/restart-due.json"
#: No run of dockerd has this many reasons to be restarted that anybody would read.
_MOST = 20


def note(invocation: str, reason: str) -> None:
    """Note why a run of dockerd has to end; nothing where there is none."""
    if not invocation:
        return
    reasons = read(invocation)
    if reason not in reasons:
        text = json.dumps({"invocation": invocation, "reasons": [*reasons, reason][:_MOST]}, indent=1) + "\n"
        files.ensure_directory(PATH.rpartition("/")[0], mode=0o700)
        files.write_text(PATH, text, mode=0o600)


def read(invocation: str) -> list[str]:
    """Return why a run of dockerd has to end; a note that is damaged, or about another run, says nothing."""
    try:
        noted = json.loads(files.read_text(PATH) or "{}")
        if not invocation or noted.get("invocation") != invocation:
            return []
        return [str(reason) for reason in noted.get("reasons") or []]
    except (ValueError, AttributeError, TypeError, RecursionError, files.FileError):
        return []
