# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What of the host's filesystem a container sees: directories that decide over the host, the kernel's files, how mounts spread.

PRIVATE to the collection: no stability is promised to other users.

Places are compared by whole components of the path, after dots and the link /var/run; a place of the list counts with
everything below it unless an exception says otherwise. Where somebody looked on the host, the place that a mount really
leads to counts beside the one that it names.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.checks import no_items, passed, shown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    CONTAINER,
    FAIL,
    WORKLOADS,
    Evidence,
    NotKnown,
    Outcome,
    Rule,
    Subject,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules.escapes import normal
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.severity import (
    DATA,
    DEFENCE,
    FROM_CONTAINER,
    FROM_HOST,
    HOST_PART,
    HOST_ROOT,
    HYGIENE,
    RECREATE,
    ROOTLESS,
    USERNS,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import Mount

# What somebody who may write there gets from the host, and what somebody who may only read.
_PROGRAMS = (HOST_PART, HYGIENE)
_SECRETS = (HOST_PART, DATA)
_STATE = (HOST_PART, DEFENCE)

# Directories whose content decides over the host, with everything below them.
_TREES: dict[str, tuple[str, str]] = {
    "/boot": _STATE,
    "/dev": _STATE,
    "/etc": _SECRETS,
    "/home": _SECRETS,
    "/lib": _PROGRAMS,
    "/lib32": _PROGRAMS,
    "/lib64": _PROGRAMS,
    "/usr": _PROGRAMS,
    "/bin": _PROGRAMS,
    "/sbin": _PROGRAMS,
    "/proc": _STATE,
    "/sys": _STATE,
    "/root": _SECRETS,
    "/run": _STATE,
    "/var/lib/docker": _SECRETS,
    "/var/lib/containerd": _SECRETS,
    "/var/lib/containers": _SECRETS,
    "/var/lib/kubelet": _SECRETS,
    "/var/lib/rancher": _SECRETS,
    "/var/lib/bulkhead": _SECRETS,
    "/var/lib/dpkg": _PROGRAMS,
    "/var/lib/rpm": _PROGRAMS,
    "/var/lib/cloud": _SECRETS,
    "/var/lib/systemd": _STATE,
    "/var/spool/cron": _STATE,
    "/var/spool/at": _STATE,
    "/var/log": (DEFENCE, HYGIENE),
}
# Directories that are sensitive themselves, as they hold some of the above, while most of what is below them is not.
_PARENTS: dict[str, tuple[str, str]] = {
    "/": _SECRETS,
    "/var": _SECRETS,
    "/var/lib": _SECRETS,
    "/var/spool": _STATE,
    "/opt": _PROGRAMS,
    "/srv": (DEFENCE, HYGIENE),
    "/mnt": (DEFENCE, HYGIENE),
    "/media": (DEFENCE, HYGIENE),
    "/tmp": (DEFENCE, HYGIENE),
}
# What containers read in good faith: no secrets, nothing that changes the host.
_READABLE = (
    "/etc/localtime",
    "/etc/timezone",
    "/etc/os-release",
    "/etc/lsb-release",
    "/etc/debian_version",
    "/etc/redhat-release",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/machine-id",
    "/etc/ssl/certs",
    "/etc/ca-certificates",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/alternatives",
    "/etc/passwd",
    "/etc/group",
    "/usr/share/zoneinfo",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/lib/os-release",
    "/lib/modules",
    "/usr/lib/modules",
    "/usr/src",
    "/run/systemd/resolve/resolv.conf",
    "/run/systemd/resolve/stub-resolv.conf",
    "/sys/devices/system/cpu",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/dev/null",
    "/dev/urandom",
)
# What is made to be written by programs that are not trusted.
_WRITABLE = ("/dev/null", "/dev/zero", "/dev/log", "/dev/shm", "/run/systemd/journal/dev-log", "/run/systemd/journal/socket", "/run/systemd/notify")
# Files of the kernel through which root of a container orders the host: the first part of each path.
_KERNEL = (
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/hotplug",
    "/proc/sys/kernel/poweroff_cmd",
    "/proc/sys/fs/binfmt_misc",
    "/proc/sysrq-trigger",
    "/proc/kcore",
    "/proc/kmsg",
    "/proc/kallsyms",
    "/proc/kpageflags",
    "/sys/kernel/uevent_helper",
    "/sys/kernel/security",
    "/sys/kernel/debug",
    "/sys/kernel/tracing",
    "/sys/kernel/config",
    "/sys/kernel/mm",
    "/sys/fs/cgroup",
    "/sys/fs/bpf",
    "/sys/fs/selinux",
    "/sys/firmware",
    "/sys/module",
    "/sys/bus",
    "/sys/class",
    "/sys/devices",
    "/sys/power",
)
_PROCESS = re.compile(r"/proc/(?:self|thread-self|[0-9]+)(?:/|$)")
_DEEPEST = max(tree.count("/") for tree in _TREES)
_SHARED = ("shared", "rshared")
_ORDER = (HOST_ROOT, HOST_PART, DATA, DEFENCE, HYGIENE)


def places(mount: Mount) -> tuple[str, ...]:
    """Return the places of the host that a mount names and leads to; none for a volume that the engine keeps."""
    found: dict[str, None] = {}
    if mount.kind == "bind" and mount.source:
        found[normal(mount.source)] = None
    if mount.host_path and not (mount.kind == "volume" and mount.host_path.endswith("/_data")):
        found[normal(mount.host_path)] = None
    return tuple(path for path in found if path.startswith("/"))


def sensitivity(path: str, read_only: bool) -> str:
    """Return what a place of the host gives to whoever has it mounted, empty where it is nothing that matters.

    Args:
        path: as `places` has it.
    """
    if _within(path, _WRITABLE) or (read_only and _within(path, _READABLE)):
        return ""
    reach = _PARENTS.get(path)
    # No tree lies deeper than this, while somebody may name a path without end.
    parts = path.split("/", _DEEPEST + 1)[: _DEEPEST + 1]
    while reach is None and len(parts) > 1:
        reach = _TREES.get("/".join(parts))
        parts.pop()
    if reach is None:
        return ""
    return reach[1] if read_only else reach[0]


def is_kernel(path: str) -> bool:
    """Tell whether a place holds files through which the kernel takes orders, or is above one that does."""
    above = ("/proc", "/proc/sys", "/proc/sys/kernel", "/proc/sys/fs", "/sys", "/sys/kernel", "/sys/fs")
    # A process of the host shows its memory, its variables, and by root and cwd all files that it sees.
    return path in above or _within(path, _KERNEL) or _PROCESS.match(path) is not None


def _within(path: str, parents: t.Iterable[str]) -> bool:
    return any(path == parent or path.startswith(parent + "/") for parent in parents)


def _no_sensitive_places(subject: Subject) -> Outcome:
    fact = subject.fact("mounts")
    expected = "no directory that decides over the host"
    pieces = []
    reaches: set[str] = set()
    for mount in fact.value:
        found = [(path, reach) for path in places(mount) for reach in (sensitivity(path, mount.read_only),) if reach]
        if found:
            reaches.update(reach for _path, reach in found)
            pieces.append(_piece(fact, mount, found[-1][0], expected))
    if not pieces:
        return passed(fact, expected, "none")
    return Outcome(FAIL, tuple(pieces), "", next(reach for reach in _ORDER if reach in reaches))


def _no_kernel_places(subject: Subject) -> Outcome:
    fact = subject.fact("mounts")
    expected = "none of /proc and /sys of the host"
    pieces = []
    writable = False
    for mount in fact.value:
        found = [path for path in places(mount) if is_kernel(path) and not (mount.read_only and _within(path, _READABLE))]
        if found:
            writable = writable or not mount.read_only
            pieces.append(_piece(fact, mount, found[-1], expected))
    if not pieces:
        return passed(fact, expected, "none")
    if not writable:
        return Outcome(FAIL, tuple(pieces), "", DEFENCE)
    # A user who is not root of the host may read most of it, and write to little.
    root = subject.known("uid") in (0, None) and not subject.known("uid_mapped")
    return Outcome(FAIL, tuple(pieces), "", HOST_ROOT if root else HOST_PART)


def _piece(fact: t.Any, mount: Mount, path: str, expected: str) -> Evidence:
    access = "read-only" if mount.read_only else "writable"
    named = mount.source or mount.kind
    text = f"{named} at {mount.target}, {access}" if path == normal(named) else f"{named} (leads to {path}) at {mount.target}, {access}"
    return Evidence(fact.source, shown(text), expected, mount.file or fact.file, mount.line or fact.line)


def _spreads(mount: Mount) -> str:
    return f"{mount.source or mount.kind} at {mount.target}, {mount.propagation}" if mount.propagation in _SHARED else ""


def _sources_stay(subject: Subject) -> Outcome:
    fact = subject.fact("mounts")
    expected = "sources that only root can replace"
    pieces = [
        Evidence(fact.source, shown(f"{mount.source} at {mount.target}: {mount.replaceable}"), expected, mount.file or fact.file, mount.line or fact.line)
        for mount in fact.value
        if mount.replaceable
    ]
    if pieces:
        return Outcome(FAIL, tuple(pieces))
    resolved = subject.fact("mounts_resolved")
    if not resolved.value:
        raise NotKnown("not every source of its mounts could be looked at", resolved.source)
    return passed(resolved, expected, "none that others could replace")


RULES = (
    Rule(
        id="mounts-no-sensitive-directories",
        title="No directory that decides over the host is mounted into the container",
        why="Whoever writes to /etc, /root, /usr or the engine's data gets the host's root at the next login, job or start; reading them gives its secrets.",
        applies_to=WORKLOADS,
        check=_no_sensitive_places,
        attacker=FROM_CONTAINER,
        reach=HOST_PART,
        remedy="Mount in `volumes` the single file that is needed, with `:ro`, or use a volume or one of `configs`.",
        blast=RECREATE,
        cis_1_6=("5.6",),
        cis_1_8=("5.6",),
        references=("ATT&CK T1611", "OWASP Docker rule 8"),
        tempered_by=(USERNS, ROOTLESS),
    ),
    Rule(
        id="mounts-no-kernel-interfaces",
        title="No files of the host's kernel are mounted into the container",
        why="Through core_pattern, uevent_helper, binfmt_misc and their like the kernel runs a program of the container as root of the host.",
        applies_to=WORKLOADS,
        check=_no_kernel_places,
        attacker=FROM_CONTAINER,
        reach=HOST_ROOT,
        remedy="Remove the entry from `volumes`; collectors of metrics read /proc and /sys of the host read-only at another place.",
        blast=RECREATE,
        cis_1_6=("5.6",),
        cis_1_8=("5.6",),
        references=("ATT&CK T1611", "CVE-2022-0492"),
        tempered_by=(USERNS, ROOTLESS),
    ),
    Rule(
        id="mounts-do-not-spread",
        title="Mounts that the container makes stay in the container",
        why="With shared propagation what is mounted inside appears on the host, over whatever was there.",
        applies_to=WORKLOADS,
        check=no_items("mounts", _spreads, "rprivate or rslave"),
        attacker=FROM_CONTAINER,
        reach=HOST_PART,
        remedy="Remove `shared` from the entry of `volumes`, or `bind.propagation`; `rslave` is enough to see what the host mounts later.",
        blast=RECREATE,
        cis_1_6=("5.20",),
        cis_1_8=("5.20",),
        tempered_by=(USERNS, ROOTLESS),
    ),
    Rule(
        id="mount-sources-not-replaceable",
        title="Only root can change where the container's mounts lead",
        why="Whoever owns a directory above a mount's source puts a link in its place, and the next start mounts what they chose.",
        applies_to=(CONTAINER,),
        check=_sources_stay,
        attacker=FROM_HOST,
        reach=HOST_PART,
        remedy="Keep sources of mounts in directories that belong to root and that nobody else may write to, such as /srv.",
        blast=RECREATE,
        references=("ATT&CK T1574", "CVE-2021-30465"),
    ),
)
