# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The options by which modules are told of a layout, and the plan that follows from them on this host.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import id_ranges
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.host import storage, subid_files
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import layout, move, plan

ARGUMENTS: dict[str, t.Any] = {
    "layout": {"type": "list", "elements": "dict", "required": True},
    "disk": {"type": "str", "default": ""},
    "fstype": {"type": "str", "default": "xfs", "choices": list(layout.FSTYPES)},
    "loop_directory": {"type": "path", "default": "/var/lib/bulkhead/loop"},
    "data_root": {"type": "path", "default": "/var/lib/docker"},
    "userns_remap": {"type": "str", "default": "dockremap"},
    "userns_start": {"type": "int"},
    "userns_count": {"type": "int", "default": id_ranges.DEFAULT_COUNT},
    "wipe": {"type": "list", "elements": "str", "default": []},
    "existing_data": {"type": "str", "choices": [move.REFUSE, move.MOVE], "default": move.REFUSE},
}


@dataclasses.dataclass(frozen=True)
class Request:
    """What a user asks of the storage of a host.

    Attributes:
        ranges_ready: whether the remapped user has account and ranges already.
        may_move: whether existing data may be moved.
    """

    entries: t.Sequence[layout.Entry]
    problems: t.Sequence[Problem]
    data_root: str
    mapping: id_ranges.Mapping | None
    loop_directory: str
    wipe: t.Sequence[str]
    ranges_ready: bool
    may_move: bool = False

    def plan(self, movable: plan.Movable | None = None) -> plan.StoragePlan:
        """Look at the host and compute the plan; a request with problems of its own is not planned.

        Args:
            movable: existing data that may be moved; see move_plan.make.
        """
        if self.problems:
            return plan.StoragePlan("", problems=tuple(self.problems))
        host = storage.gather(self.entries, self.data_root, self.mapping, self.loop_directory, self.wipe)
        return plan.compute(self.entries, host, self.data_root, self.mapping, self.wipe, movable)


def read(params: t.Mapping[str, t.Any]) -> Request:
    """Read the options of a module; for userns-remap, the ranges that the user has or would be given are used."""
    entries, problems = layout.parse(params["layout"], params["disk"], params["loop_directory"], params["fstype"])
    data_root = "/" + params["data_root"].strip("/")
    for option in ("data_root", "loop_directory"):
        if not layout.PLAIN_PATH.fullmatch(params[option]):
            problems.append(
                Problem(
                    option,
                    f"is '{params[option]}', which systemd's units, fstab and mount would not all read alike; "
                    "name a directory of Docker's own by an absolute path of letters, digits and . _ - + @ : , only, such as /var/lib/docker",
                )
            )
    mapping = None
    ready = True
    if params["userns_remap"]:
        user = params["userns_remap"]
        uid_file, gid_file = subid_files.read()
        ranges = id_ranges.plan(
            user, uid_file, gid_file, user_number=subid_files.account_number(user), start=params["userns_start"], count=params["userns_count"]
        )
        problems += ranges.problems
        mapping = ranges.mapping
        ready = not (ranges.add_uid or ranges.add_gid) and subid_files.account_exists(user)
    may_move = params["existing_data"] == move.MOVE
    return Request(entries, problems, data_root, mapping, params["loop_directory"], params["wipe"], ready, may_move)
