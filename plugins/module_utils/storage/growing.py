# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What a mounted filesystem takes without being unmounted, and what it does not: more room, but no quotas.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import format_size
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import layout as layouts
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.backends import GROW, WORTH_GROWING, Source, Step
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.facts import HostStorage


def filesystem(entry: layouts.Entry, source: Source, mount_point: str, host: HostStorage) -> tuple[list[Step], list[Problem]]:
    """Let a filesystem fill its device, where that is larger or is going to be."""
    has = host.filesystem_sizes.get(source.uuid, 0) if source.exists else 0
    if not has or source.size - has < WORTH_GROWING:
        return [], []
    if entry.fstype == "ext4" and not host.may_grow_ext4:
        problem = Problem(
            mount_point,
            f"has {format_size(has)} and could have {format_size(source.size)}, but this host may not grow a mounted ext4, "
            "because it lacks the capability CAP_SYS_RESOURCE; give it to the host, grow the filesystem from outside, or state the size it has",
        )
        return [], [problem]
    text = f"grow the {entry.fstype} on {mount_point} from {format_size(has)} to {format_size(source.size)} while it is in use"
    arguments = {"mount_point": mount_point, "fstype": entry.fstype, "uuid": source.uuid, "size": source.size}
    return [Step(GROW, text, source.device, arguments)], []


def quota(entry: layouts.Entry, source: Source, mount_point: str, host: HostStorage) -> list[Problem]:
    """Refuse to ask a mounted filesystem for quotas: the kernel passes over the option in a remount and says nothing."""
    if not entry.quota or entry.fstype != "xfs" or not source.uuid:
        return []
    mounted = [mount for mount in host.mounts if mount.target == mount_point and mount.uuid == source.uuid]
    if not mounted or mounted[-1].quota:
        return []
    return [
        Problem(
            mount_point,
            "is mounted without project quotas, and XFS takes them only when it is mounted, never in a remount; stop the containers, then "
            f"'systemctl stop docker.socket docker.service containerd.service' and 'umount --recursive {mount_point}', and run again",
        )
    ]
