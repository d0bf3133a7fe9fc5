# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Judging a host before any of its files is touched: what is known of it and asked of it, put to the table of exclusions.

PRIVATE to the collection: no stability is promised to other users.

What excludes what is said in engine/exclusion_rows.py, not here.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import exclusion_rows, exclusions
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_ranges import Mapping, Range
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import Version

_WHOLE_ID_SPACE = "0 0 4294967295"
_NUMBERS = re.compile(r"\d+(?:\.\d+)*")
# By these two names XFS takes and shows one option (xfs(5)).
_QUOTA_OPTIONS = {"pquota": "prjquota"}


@dataclasses.dataclass(frozen=True)
class Filesystem:
    """A filesystem, mounted or still to be made.

    Attributes:
        type: as the kernel calls it; what runs in user space is just ``fuse``.
        options: of the mount and of the filesystem.
        type_entries: whether its directory entries tell the type of a file (d_type); None where that is not known.
    """

    type: str
    options: tuple[str, ...] = ()
    type_entries: bool | None = None


@dataclasses.dataclass(frozen=True)
class HostFacts:
    """What a host is, as module_utils/host/facts.py reads it; None where it could not be read.

    Attributes:
        cgroup_version: 1, 2, or 0 where neither is mounted.
        container, vm: what systemd-detect-virt prints, ``none`` on bare metal.
        uid_map, gid_map: the lines of /proc/self/uid_map and gid_map with single blanks.
        seccomp: whether the kernel filters system calls.
        max_user_namespaces: the sysctl, or -1 where the kernel has no user namespaces.
        filesystems: what the kernel mounts now or can load.
        layers: the filesystem that holds the layers now, or would without one of their own.
        engine_version: of the installed dockerd, empty without one; coming_version is what would be installed then.
        zfs, runc, containerd: their versions, empty where they are not installed.
        forward_policy: of iptables' chain FORWARD, empty without iptables.
        swarm_locked: whether the key of the node is encrypted (autolock).
        selinux: ``enforcing``, ``permissive`` or ``off``.
    """

    distribution: str = ""
    architecture: str = ""
    memory: int = 0
    processors: int = 0
    package_manager: str = ""
    vm: str | None = None
    lsms: tuple[str, ...] = ()
    engine_active: bool = False
    engine_version: str = ""
    coming_version: str = ""
    kernel: str | None = None
    init: str | None = None
    cgroup_version: int | None = None
    cgroup_controllers: tuple[str, ...] | None = None
    container: str | None = None
    uid_map: tuple[str, ...] | None = None
    gid_map: tuple[str, ...] | None = None
    seccomp: bool | None = None
    max_user_namespaces: int | None = None
    filesystems: tuple[str, ...] | None = None
    layers: Filesystem | None = None
    zfs: str | None = None
    runc: str | None = None
    containerd: str | None = None
    ip_forward: bool | None = None
    forward_policy: str | None = None
    swarm: bool | None = None
    swarm_locked: bool | None = None
    apparmor: bool | None = None
    apparmor_parser: bool | None = None
    apparmor_confined: bool | None = None
    apparmor_userns: bool | None = None
    selinux: str | None = None
    selinux_policy: bool | None = None


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked of the host.

    Attributes:
        config: of the daemon, with the keys that pin the image store.
        userns_remap: whether storage makes room for remapped ids, where the daemon is not asked for anything.
        mapping: the ranges that the remapped user has or would get.
        own: from the names of the layout to the filesystems that it asks for.
        backends: how it asks for them.
        uses_seccomp: whether containers shall have a seccomp profile.
    """

    config: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    userns_remap: bool = False
    mapping: Mapping | None = None
    own: t.Mapping[str, Filesystem] = dataclasses.field(default_factory=dict)
    backends: tuple[str, ...] = ()
    uses_seccomp: bool = True


def judge(facts: HostFacts, request: Request, version: Version | None) -> exclusions.Judgement:
    """Return every reason why the host cannot be what is asked for, what is worth knowing, and what could not be judged.

    Args:
        version: of the engine that is installed or will be, None where that is not known.
    """
    # Those of the daemon too: it judges by the data-root that it has, this by the one that is asked for.
    return exclusions.judge(exclusion_rows.ROWS, known(facts, request, version), version, exclusion_rows.DIMENSIONS)


def accept(told: t.Mapping[str, Problem], accepted: t.Sequence[str]) -> tuple[dict[str, Problem], list[Problem]]:
    """Leave out what somebody has accepted, by the names of rows.

    Returns:
        What is still to be told, and problems of names that are no rows or rows that refuse.
    """
    verdicts = {row.name: row.verdict for row in exclusion_rows.ROWS}
    wrong = [
        Problem(
            "accept",
            f"names '{name}', which {'refuses and cannot be accepted' if name in verdicts else 'is no row of docs/preflight.md'}; remove it",
        )
        for name in accepted
        if verdicts.get(name) != exclusions.TOLD
    ]
    return {name: problem for name, problem in told.items() if name not in accepted}, wrong


def known(facts: HostFacts, request: Request, version: Version | None) -> dict[str, t.Any]:
    """Return the value of every dimension of the table."""
    asked = exclusion_rows.asked_of_daemon(request.config, version)
    layers = _layers(facts, request, asked["store"])
    return {
        **asked,
        "userns_remap": asked["userns_remap"] or request.userns_remap,
        "engine": None if version is None else tuple(version),
        "init": facts.init,
        "kernel": _version(facts.kernel),
        "overlay": None if facts.filesystems is None else "overlay" in facts.filesystems,
        "seccomp": facts.seccomp,
        "container": facts.container,
        "user_namespace": None if not facts.uid_map else facts.uid_map[0] != _WHOLE_ID_SPACE,
        "ids_fit": _ids_fit(facts, request.mapping),
        "max_user_namespaces": facts.max_user_namespaces,
        "cgroup_version": facts.cgroup_version,
        "cgroup_controllers": facts.cgroup_controllers,
        "layers_on": layers.type if layers else None,
        "layers_options": tuple(_QUOTA_OPTIONS.get(option, option) for option in layers.options) if layers else None,
        "layers_type_entries": layers.type_entries if layers else None,
        "zfs": _version(facts.zfs),
        "runc": _version(facts.runc),
        "containerd": _version(facts.containerd),
        "ip_forward": facts.ip_forward,
        "forward_policy": facts.forward_policy,
        "swarm": facts.swarm,
        "swarm_locked": facts.swarm_locked,
        "apparmor": facts.apparmor,
        "apparmor_parser": facts.apparmor_parser,
        "apparmor_confined": facts.apparmor_confined,
        "apparmor_userns": facts.apparmor_userns,
        "selinux": facts.selinux,
        "selinux_policy": facts.selinux_policy,
        "uses_seccomp": request.uses_seccomp,
        "own": tuple(request.own),
        "partitions": "partition" in request.backends,
    }


def _layers(facts: HostFacts, request: Request, store: str | None) -> Filesystem | None:
    """The filesystem that will hold the layers: one that the layout asks for, or the one that is there."""
    names = ("containerd",) if store == "containerd" else ("overlay2", "data-root")
    return next((request.own[name] for name in names if name in request.own), facts.layers)


def _ids_fit(facts: HostFacts, mapping: Mapping | None) -> bool | None:
    if mapping is None:
        return True
    if facts.uid_map is None or facts.gid_map is None:
        return None
    return _inside(mapping.uid_ranges, facts.uid_map) and _inside(mapping.gid_ranges, facts.gid_map)


def _inside(ranges: t.Sequence[Range], lines: t.Sequence[str]) -> bool:
    mapped = [(int(inside), int(inside) + int(count)) for inside, _outside, count in (line.split() for line in lines)]
    return all(any(start <= found.start and found.end <= end for start, end in mapped) for found in ranges)


def _version(text: str | None) -> tuple[int, ...] | None:
    """Return the numbers that a version begins with: none for an empty one, None for one that cannot be read."""
    if not text:
        return None if text is None else ()
    match = _NUMBERS.match(text)
    return tuple(int(part) for part in match[0].split(".")) if match else None
