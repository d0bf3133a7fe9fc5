# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What this host is: kernel, cgroups, virtualisation, security modules, memory, engine; all in one short look.

PRIVATE to the collection: no stability is promised to other users.

What cannot be read is None: that something is not there and that nobody knows are two different answers.
"""

from __future__ import annotations

import os
import platform
import re

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import text_lines
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.preflight import Filesystem, HostFacts
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    directory_types,
    docker_data,
    engine,
    mounts,
    package_sources,
    security_modules,
    systemd,
)

# Upstream's containerd writes a v before its version.
_DOTTED = re.compile(r"\bv?(\d+\.\d+\.\d+)")


def gather(data_root: str, layers: str, with_firewall: bool = False) -> HostFacts:
    """Look at the host without changing anything.

    Args:
        data_root: dockerd's data-root, below which the state of a swarm is looked for.
        layers: the directory that holds or would hold the layers, whose filesystem is looked up.
        with_firewall: whether to ask iptables for its policy, which may load its modules.
    """
    version, controllers = cgroups()
    installed = engine.installed_version() or ""
    return HostFacts(
        distribution=_os_release().get("PRETTY_NAME", ""),
        architecture=platform.machine(),
        memory=_memory(),
        processors=os.cpu_count() or 0,
        package_manager=package_sources.manager(),
        vm=_detect("--vm"),
        lsms=tuple(name for name in (_text("/sys/kernel/security/lsm") or "").split(",") if name),
        engine_active=systemd.is_active("docker.service"),
        engine_version=installed,
        coming_version="" if installed else engine.coming_version() or "",
        kernel=platform.release() or None,
        init=_text("/proc/1/comm") or None,
        cgroup_version=version,
        cgroup_controllers=controllers,
        container=_detect("--container") or _container_by_its_traces(),
        uid_map=_id_map("/proc/self/uid_map"),
        gid_map=_id_map("/proc/self/gid_map"),
        seccomp=_exists_below("/proc/sys/kernel", "seccomp/actions_avail"),
        max_user_namespaces=_number("/proc/sys/user/max_user_namespaces") if os.path.exists("/proc/self/ns/user") else -1,
        filesystems=_filesystems(),
        layers=filesystem_of(layers),
        zfs=_text("/sys/module/zfs/version") or "",
        runc=_version_of("runc"),
        containerd=_version_of("containerd"),
        ip_forward=_switch("/proc/sys/net/ipv4/ip_forward"),
        forward_policy=_forward_policy() if with_firewall else None,
        swarm=any(docker_data.inventory(root).swarm for root in docker_data.roots_below(data_root)),
        swarm_locked=any(docker_data.swarm_is_locked(root) for root in docker_data.roots_below(data_root)),
        apparmor=security_modules.apparmor_enforced(),
        apparmor_parser=commands.find("apparmor_parser") is not None,
        apparmor_confined=security_modules.apparmor_confines_us(),
        apparmor_userns=_switch("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", absent=False),
        selinux=security_modules.selinux_mode(),
        selinux_policy=security_modules.selinux_policy_for_containers(),
    )


def filesystem_of(path: str) -> Filesystem | None:
    """Return the filesystem on which a path lies or would lie, None where no mount is known for it."""
    mount = mounts.mount_of(path)
    if mount is None:
        return None
    directory = path
    while directory != "/" and not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    kind = "fuse" if mount.fstype.startswith("fuse.") else mount.fstype
    return Filesystem(kind, mount.options, directory_types.supported(directory))


def cgroups() -> tuple[int | None, tuple[str, ...] | None]:
    unified = _text("/sys/fs/cgroup/cgroup.controllers")
    if unified is not None:
        return 2, tuple(unified.split())
    if not os.path.isdir("/sys/fs/cgroup"):
        return None, None
    controllers = tuple(sorted(os.path.basename(mount.target) for mount in mounts.mountinfo() if mount.fstype == "cgroup"))
    return (1, controllers) if controllers else (0, ())


def _detect(kind: str) -> str | None:
    if commands.find("systemd-detect-virt") is None:
        return None
    # Its exit status is 1 when it finds nothing, which it also prints.
    return commands.run(["systemd-detect-virt", kind], check=False).stdout.strip() or None


def _container_by_its_traces() -> str | None:
    """What systemd-detect-virt looks at too, for hosts without it; None where nothing is found, which proves nothing."""
    if "microsoft" in (_text("/proc/sys/kernel/osrelease") or "").lower():
        return "wsl"
    if os.path.exists("/proc/user_beancounters") and not os.path.exists("/proc/bc"):
        return "openvz"
    named = _text("/run/systemd/container")
    if named:
        return named
    traces = (("/run/.containerenv", "podman"), ("/.dockerenv", "docker"))
    return next((name for path, name in traces if os.path.exists(path)), None)


def _filesystems() -> tuple[str, ...] | None:
    text = _text("/proc/filesystems")
    if text is None:
        return None
    known = {line.split()[-1] for line in text.splitlines() if line.strip()}
    if "overlay" not in known and commands.find("modprobe") and commands.run(["modprobe", "--dry-run", "overlay"], check=False).rc == 0:
        known.add("overlay")
    return tuple(sorted(known))


def _version_of(program: str) -> str | None:
    """Return the version of a program, empty where it is not installed, None where it does not tell."""
    if commands.find(program) is None:
        return ""
    match = _DOTTED.search(commands.run([program, "--version"], check=False).stdout)
    return match[1] if match else None


def _forward_policy() -> str | None:
    if commands.find("iptables") is None:
        return ""
    listed = commands.run(["iptables", "--wait", "10", "-S", "FORWARD"], check=False).stdout.split()
    return listed[2] if listed[:2] == ["-P", "FORWARD"] else None


def _os_release() -> dict[str, str]:
    pairs = (line.split("=", 1) for line in (_text("/etc/os-release") or "").splitlines() if "=" in line)
    return {key: value.strip("\"'") for key, value in pairs}


def _memory() -> int:
    for line in (_text("/proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return (text_lines.number([*line.split(), "", ""][1]) or 0) * 1024
    return 0


def _id_map(path: str) -> tuple[str, ...] | None:
    text = _text(path)
    return tuple(" ".join(line.split()) for line in text.splitlines()) if text else None


def _exists_below(directory: str, name: str) -> bool | None:
    return os.path.exists(f"{directory}/{name}") if os.path.isdir(directory) else None


def _switch(path: str, absent: bool | None = None) -> bool | None:
    """Return whether a sysctl is on, and for a kernel that has none of that name what is given for that."""
    if not os.path.exists(path):
        return absent
    number = _number(path)
    return None if number is None else number != 0


def _number(path: str) -> int | None:
    text = _text(path)
    return int(text) if text and text.isdigit() else None


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read().strip()
    except OSError:
        return None
