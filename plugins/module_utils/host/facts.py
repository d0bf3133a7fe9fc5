# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What this host is: kernel, cgroups, virtualisation, security modules, memory, engine; all in one short look.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import os
import platform

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.preflight import HostFacts
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    docker_data,
    engine,
    mounts,
    packages,
    systemd,
)


def gather(data_root: str) -> HostFacts:
    """Look at the host without changing anything.

    Args:
        data_root: dockerd's data-root, whose filesystem is looked up and whose swarm state is looked for.
    """
    version, controllers = cgroups()
    return HostFacts(
        distribution=_os_release().get("PRETTY_NAME", ""),
        kernel=platform.release(),
        architecture=platform.machine(),
        init=_text("/proc/1/comm"),
        cgroup_version=version,
        cgroup_controllers=controllers,
        container=_detect("--container"),
        vm=_detect("--vm"),
        lsms=tuple(name for name in _text("/sys/kernel/security/lsm").split(",") if name),
        memory=_memory(),
        processors=os.cpu_count() or 0,
        uid_map=" ".join(_text("/proc/self/uid_map").splitlines()[0].split()) if _text("/proc/self/uid_map") else "",
        seccomp=os.path.exists("/proc/sys/kernel/seccomp/actions_avail"),
        max_user_namespaces=_number("/proc/sys/user/max_user_namespaces", -1) if os.path.exists("/proc/self/ns/user") else -1,
        filesystems=_filesystems(),
        data_root_filesystem=filesystem_of(data_root),
        package_manager="apt" if packages.apt_is_here() else "",
        engine_version=engine.installed_version() or "",
        engine_active=systemd.is_active("docker.service"),
        swarm=any(docker_data.inventory(root).swarm for root in docker_data.roots_below(data_root)),
    )


def cgroups() -> tuple[int, tuple[str, ...]]:
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        return 2, tuple(_text("/sys/fs/cgroup/cgroup.controllers").split())
    controllers = tuple(sorted(os.path.basename(mount.target) for mount in mounts.mountinfo() if mount.fstype == "cgroup"))
    return (1, controllers) if controllers else (0, ())


def _detect(kind: str) -> str:
    if commands.find("systemd-detect-virt") is None:
        return "none"
    # Its exit status is 1 when it finds nothing, which it also prints.
    return commands.run(["systemd-detect-virt", kind], check=False).stdout.strip() or "none"


def _filesystems() -> tuple[str, ...]:
    known = {line.split()[-1] for line in _text("/proc/filesystems").splitlines() if line.strip()}
    if "overlay" not in known and commands.find("modprobe") and commands.run(["modprobe", "--dry-run", "overlay"], check=False).rc == 0:
        known.add("overlay")
    return tuple(sorted(known))


def filesystem_of(path: str) -> str:
    best = ("", "")
    for mount in mounts.mountinfo():
        inside = path == mount.target or path.startswith(mount.target.rstrip("/") + "/")
        if inside and len(mount.target) >= len(best[0]):
            best = (mount.target, mount.fstype)
    return best[1]


def _os_release() -> dict[str, str]:
    pairs = (line.split("=", 1) for line in _text("/etc/os-release").splitlines() if "=" in line)
    return {key: value.strip("\"'") for key, value in pairs}


def _memory() -> int:
    for line in _text("/proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def _number(path: str, otherwise: int) -> int:
    text = _text(path)
    return int(text) if text.isdigit() else otherwise


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read().strip()
    except OSError:
        return ""
