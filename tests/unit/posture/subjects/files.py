# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Hosts that fail and pass the rules of rules/files.py."""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import model
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules import files
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import FileFacts


def _case(group: files.FileGroup) -> dict[str, t.Any]:
    good = FileFacts("file", group.mode, 0, 0, "root", "root")

    def host(facts: FileFacts, path: str = "/x") -> dict[str, t.Any]:
        return {"file_places": {group.name: (path, "/absent")}, "files": {path: facts, "/absent": FileFacts("absent")}}

    # Each has one bit too much; all but the last are smaller numbers than 0644, as a comparison of numbers would have it.
    modes = [mode for mode in (0o466, 0o602, 0o577, 0o246, 0o1000 | group.mode, 0o4000 | group.mode, 0o777) if mode & ~group.mode]
    return {
        "kind": model.HOST,
        "fails": [
            *(host(good._replace(mode=mode)) for mode in modes),
            host(good._replace(uid=1000, owner="alice")),
            host(good._replace(gid=1000, group="alice")),
            host(good._replace(weak_parent="/srv")),
            host(FileFacts("directory", 0o777, 0, 0, "root", "root")),
            host(good._replace(mode=0o600), "/x/client.key"),
        ],
        "passes": [
            host(good),
            host(good._replace(mode=0o400)),
            host(good._replace(mode=0)),
            host(good._replace(link="/elsewhere")),
            host(FileFacts("directory", 0o755, 0, 0, "root", "root")),
            host(good._replace(mode=0o400), "/x/client.key"),
            {**host(good._replace(uid=1000, gid=1000, owner="alice", group="alice")), "daemon_owners": (0, 1000)},
            *([host(good._replace(gid=999, group="docker"))] if group.group else []),
        ],
    }


CASES = {group.name: _case(group) for group in files.GROUPS}
