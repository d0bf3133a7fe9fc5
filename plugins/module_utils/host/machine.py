# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Where an audit looks at a host: the host itself, or in tests a tree that stands for it.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.host import accounts, commands, mounts, security_modules


@dataclasses.dataclass(frozen=True)
class Machine:
    """Where a host is looked at.

    Attributes:
        root: a directory that stands for the root of the host; empty for the host itself.
        proc, cgroups: where the kernel shows processes and control groups.
        trusted: uids that may change anything besides the daemon's own.
        run, find: run a tool of the host, and say where it is.
        mounts, profiles, members, home: what is mounted, the modes of AppArmor profiles, who is in a group, and the home of a uid.
    """

    root: str = ""
    proc: str = "/proc"
    cgroups: str = "/sys/fs/cgroup"
    trusted: tuple[int, ...] = (0,)
    run: t.Callable[..., commands.CommandResult] = commands.run
    find: t.Callable[[str], str | None] = commands.find
    mounts: t.Callable[[], list[mounts.MountInfo]] = mounts.mountinfo
    profiles: t.Callable[[], dict[str, str] | None] = security_modules.loaded_profiles
    members: t.Callable[[str], set[str]] = accounts.members
    home: t.Callable[[int], str] = accounts.home


THIS = Machine()
