# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What must not move while containers run: the places where dockerd finds them again after a restart.

PRIVATE to the collection: no stability is promised to other users.

A restart with live-restore keeps the processes of containers. dockerd then looks for them in containerd's namespace
(moby daemon/daemon.go, restore; libcontainerd/remote), and for their network namespaces below exec-root (daemon/
libnetwork/osl, basePath). With another value it takes them for dead and cuts their network off, while the processes run
on without anybody who could stop them. Going back to the old value does not bring them back.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_keys import KEYS
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem

#: The keys, each with what dockerd keeps in that place.
HOLDING_CONTAINERS = {
    "containerd-namespace": "the tasks",
    "exec-root": "the network namespaces",
}


def problems(
    info: t.Mapping[str, t.Any] | None, before: t.Mapping[str, t.Any], after: t.Mapping[str, t.Any]
) -> list[Problem]:
    """Return which keys would take running containers away from the daemon.

    Args:
        info: the answer of ``GET /info``, None where the daemon does not answer.
        before: the configuration in the file.
        after: the configuration that the file shall hold.
    """
    running = int((info or {}).get("ContainersRunning") or 0)
    if not running:
        return []
    found = []
    for key, held in HOLDING_CONTAINERS.items():
        old, new = (_place(config.get(key) or KEYS[key].default) for config in (before, after))
        if old != new:
            found.append(
                Problem(
                    key,
                    f"would move from {old} to {new}, and the daemon would lose {held} of the {running} running "
                    f"container{'s' if running > 1 else ''}, whose processes then run on out of its reach; stop all "
                    "containers first, or keep the setting",
                )
            )
    return found


def _place(value: t.Any) -> str:
    # /var/run is a link to /run on every host with systemd (hier(7)).
    text = str(value).rstrip("/")
    return text[len("/var") :] if text.startswith("/var/run/") else text
