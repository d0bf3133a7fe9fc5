# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What a host must have before any of its files is touched: one small rule for each condition.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem

# Several lower layers and d_type checks as moby needs them (docs: storage/drivers/overlayfs-driver).
_OLDEST_KERNEL = (4, 0)
_WHOLE_ID_SPACE = "0 0 4294967295"


@dataclasses.dataclass(frozen=True)
class HostFacts:
    """What a host is, as module_utils/host/facts.py reads it; empty or zero where the host does not tell.

    Attributes:
        cgroup_version: 1, 2, or 0 where neither is mounted.
        container, vm: what systemd-detect-virt prints, ``none`` on bare metal.
        uid_map: the first line of /proc/self/uid_map with single blanks.
        seccomp: whether the kernel filters system calls.
        max_user_namespaces: the sysctl, or -1 where the kernel has no user namespaces.
        filesystems: what the kernel mounts now or can load.
        data_root_filesystem: the type that holds (or would hold) the data-root.
        engine_version: of the installed dockerd, empty without one.
    """

    distribution: str = ""
    kernel: str = ""
    architecture: str = ""
    init: str = ""
    cgroup_version: int = 0
    cgroup_controllers: tuple[str, ...] = ()
    container: str = "none"
    vm: str = "none"
    lsms: tuple[str, ...] = ()
    memory: int = 0
    processors: int = 0
    uid_map: str = _WHOLE_ID_SPACE
    seccomp: bool = True
    max_user_namespaces: int = 0
    filesystems: tuple[str, ...] = ()
    data_root_filesystem: str = ""
    package_manager: str = ""
    engine_version: str = ""
    engine_active: bool = False
    swarm: bool = False


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked of the host, as far as these rules look at it."""

    userns_remap: str = ""
    filesystems: tuple[str, ...] = ()
    own_names: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    uses_seccomp: bool = True


_Rule = t.Callable[[HostFacts, Request], t.Optional[Problem]]


def _init(facts: HostFacts, _request: Request) -> Problem | None:
    if facts.init == "systemd":
        return None
    return Problem(
        "process 1",
        f"is {facts.init or 'unknown'}, not systemd, and the daemon, its guards and its slice are units of systemd; use a host that boots with systemd",
    )


def _kernel(facts: HostFacts, _request: Request) -> Problem | None:
    numbers = tuple(int(part) for part in facts.kernel.split("-")[0].split(".")[:2] if part.isdigit())
    if len(numbers) < 2 or numbers >= _OLDEST_KERNEL:
        return None
    return Problem("kernel", f"is {facts.kernel}, and overlay2 needs at least {'.'.join(map(str, _OLDEST_KERNEL))}; upgrade the host")


def _cgroups(facts: HostFacts, _request: Request) -> Problem | None:
    if facts.cgroup_version:
        return None
    return Problem("/sys/fs/cgroup", "holds no cgroup filesystem, without which dockerd starts no container; mount one, or boot with systemd's default")


def _overlay(facts: HostFacts, _request: Request) -> Problem | None:
    if not facts.filesystems or "overlay" in facts.filesystems:
        return None
    return Problem(
        "kernel", "has no overlay filesystem and no module for it; load or install the module, because every other storage driver copies whole layers"
    )


def _overlay_on_overlay(facts: HostFacts, request: Request) -> Problem | None:
    own = {"overlay2", "data-root"} & set(request.own_names)
    if facts.data_root_filesystem != "overlay" or own:
        return None
    return Problem(
        "data-root", "lies on an overlay filesystem, on which overlay2 does not work; give overlay2 or the data-root a filesystem in docker_storage_layout"
    )


def _user_namespaces(facts: HostFacts, request: Request) -> Problem | None:
    if not request.userns_remap or facts.max_user_namespaces > 0:
        return None
    if facts.max_user_namespaces < 0:
        return Problem("kernel", "has no user namespaces, which userns-remap needs; use another kernel, or set docker_daemon_userns_remap to an empty string")
    return Problem(
        "user.max_user_namespaces",
        "is 0, so dockerd cannot make the user namespaces of userns-remap; raise the sysctl, or set docker_daemon_userns_remap to an empty string",
    )


def _nested_ids(facts: HostFacts, request: Request) -> Problem | None:
    if facts.uid_map == _WHOLE_ID_SPACE or not request.userns_remap:
        return None
    return Problem(
        "/proc/self/uid_map",
        f"is '{facts.uid_map}': this host itself is a container with mapped ids, which have no room for the ranges of userns-remap; "
        "give the host more ids and ranges within them, or set docker_daemon_userns_remap to an empty string",
    )


def _seccomp(facts: HostFacts, request: Request) -> Problem | None:
    if facts.seccomp or not request.uses_seccomp:
        return None
    return Problem("kernel", "has no seccomp filters, so containers would run without any; use a kernel with CONFIG_SECCOMP_FILTER")


def _legacy_virtualisation(facts: HostFacts, _request: Request) -> Problem | None:
    if facts.container not in ("openvz", "wsl", "proot"):
        return None
    return Problem(
        "virtualisation", f"is {facts.container}, where dockerd has neither its own kernel nor what it needs of the shared one; use a virtual machine"
    )


def _partitions_in_container(facts: HostFacts, request: Request) -> Problem | None:
    if facts.container not in ("lxc", "lxc-libvirt") or "partition" not in request.backends:
        return None
    return Problem(
        "docker_storage_layout",
        "asks for partitions in an LXC container, which has no disks of its own; "
        "size a mount point from the host and use the backend existing, or use a virtual machine",
    )


RULES: tuple[_Rule, ...] = (
    _init,
    _kernel,
    _cgroups,
    _overlay,
    _overlay_on_overlay,
    _user_namespaces,
    _nested_ids,
    _seccomp,
    _legacy_virtualisation,
    _partitions_in_container,
)


def problems(facts: HostFacts, request: Request) -> list[Problem]:
    """Return every reason why the host cannot be what is asked for."""
    return [problem for problem in (rule(facts, request) for rule in RULES) if problem is not None]
