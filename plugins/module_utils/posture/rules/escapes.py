# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What opens the host by itself, or together with one other thing: capabilities, devices, kernel files, the engine's API.

PRIVATE to the collection: no stability is promised to other users.

Sources: capabilities(7), cgroups(7) and the kernel's admin-guide/cgroup-v1 (release_agent), core(5), moby
daemon/oci_linux.go, runc's advisories GHSA-xr7r-f8xq-vfvv, GHSA-9493-h29p-rfm2, GHSA-qw9x-cqr3-wc7r and GHSA-cgrx-mc8f-2prm.
"""

from __future__ import annotations

import posixpath
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.checks import (
    evidence,
    failed,
    is_empty,
    is_value,
    no_items,
    passed,
    place,
    shown,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    COMPOSE_SERVICE,
    FAIL,
    WORKLOADS,
    Evidence,
    Outcome,
    Rule,
    Subject,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules.isolation import UNCONFINED_TYPES
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.severity import (
    DEFENCE,
    FROM_CONTAINER,
    FROM_DEPLOYER,
    HOST_PART,
    HOST_ROOT,
    HYGIENE,
    NOTHING,
    RECREATE,
    ROOTLESS,
    USERNS,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import Device, Mount

# Sockets by which container engines take orders from whoever can write to them.
SOCKET_NAMES = frozenset(
    "docker.sock containerd.sock containerd.sock.ttrpc podman.sock crio.sock buildkitd.sock dockershim.sock cri-dockerd.sock nri.sock".split()
)
# Docker Desktop has its API there; the path has slashes or backslashes.
_PIPE = re.compile(r"[/\\]{2}[.?][/\\]pipe[/\\]docker_engine\w*", re.IGNORECASE)
SOCKET_PLACES = (
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/docker/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
    "/run/buildkit/buildkitd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/user/0/docker.sock",
)
_HOST_ROOT = re.compile(r"(?:/proc/(?:1|self|thread-self)(?:/task/[0-9]+)?/root(?=/|$))+")
_USER_RUNTIME = re.compile(r"/run/user/[0-9]+(?:/podman|/buildkit|/docker)?")
_DEEPEST = 32
_DESCRIPTORS = re.compile(r"/proc/(?:self|thread-self|[0-9]+)(?:/task/[0-9]+)?/fd(?:/|$)|/dev/fd(?:/|$)|/dev/std(?:in|out|err)(?:/|$)")

# Devices by what they are. The rest is a part of the host that somebody chose to give away.
_HARMLESS_DEVICES = frozenset("/dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/ptmx /dev/console".split())
_MEMORY_DEVICES = frozenset("/dev/mem /dev/kmem /dev/port /dev/kcore".split())
_USUAL_DEVICES = ("/dev/fuse", "/dev/net/tun", "/dev/kvm", "/dev/dri", "/dev/snd", "/dev/video", "/dev/nvidia", "/dev/vhost-", "/dev/hwrng", "/dev/kfd")
_DISKS = re.compile(
    r"/dev/(?:(?:sd|vd|hd|xvd)[a-z]+[0-9]*|nvme[0-9]+(?:n[0-9]+(?:p[0-9]+)?)?|mmcblk[0-9]+(?:p[0-9]+)?|md[0-9]+|dm-[0-9]+|loop[0-9]+|loop-control|nbd[0-9]+|"
    r"sg[0-9]+|mapper|disk|block|root|bsg|bus|ubd[a-z]|raw|zd[0-9]+|drbd[0-9]+|pmem[0-9]+|sr[0-9]+)(?:/.*)?"
)
_RUNTIMES = frozenset("runc crun youki runsc kata kata-runtime sysbox-runc io.containerd.runc.v2 io.containerd.runsc.v1 io.containerd.kata.v2".split())
_KERNEL_TREES = ("/proc", "/sys", "/dev")
_ORDINARY_TARGETS = ("/dev/shm", "/dev/mqueue", "/dev/hugepages")


def normal(path: str) -> str:
    """Return a path of the host without dots and doubled slashes, with /run for /var/run, and without ways round by /proc."""
    path = posixpath.normpath("/" + path.lstrip("/")) if path.startswith("/") else posixpath.normpath(path) if path else ""
    if path.startswith("/proc/"):
        # What dockerd or process 1 calls its root is the host's, however often.
        path = _HOST_ROOT.sub("", path) or "/"
    return path[4:] if path == "/var/run" or path.startswith("/var/run/") else path


def leads_to_descriptors(path: str) -> bool:
    """Tell whether a working directory is, or passes through, an open file of the process that makes the container.

    The kernel follows each part before it goes up again, so no part may lead there, whatever the whole comes to.
    """
    walked: list[str] = []
    for part in path[:4096].split("/"):
        if part == "..":
            walked = walked[:-1]
        elif part not in ("", "."):
            walked.append(part)
            # Deeper than this nothing is one, while somebody may write a path without end.
            if len(walked) <= _DEEPEST and _DESCRIPTORS.match(normal("/" + "/".join(walked))):
                return True
    return False


def sockets_through(mount: Mount) -> tuple[str, ...]:
    """Return the sockets of engines that a mount reaches: those that somebody saw, and those whose place is known."""
    if mount.sockets:
        return mount.sockets
    found: dict[str, None] = {}
    if mount.kind in ("bind", "npipe") and len(mount.source) < 100 and _PIPE.fullmatch(mount.source):
        found[mount.source] = None
    for path in {normal(mount.source) if mount.kind == "bind" else "", normal(mount.host_path)} - {""}:
        if path.rpartition("/")[2] in SOCKET_NAMES:
            found[path] = None
        elif _USER_RUNTIME.fullmatch(path) or path == "/run/user":
            # Most users run no engine: where somebody looked and saw none, the directory counts with other directories.
            if not mount.looked:
                found[f"{path}: sockets of a user's engine"] = None
        else:
            below = "/" if path == "/" else path + "/"
            found.update(dict.fromkeys(place for place in SOCKET_PLACES if place.startswith(below)))
    return tuple(sorted(found))


def device_reach(path: str) -> str:
    """Return what a device of the host gives, empty for one that every container has."""
    path = normal(path)
    if path in _HARMLESS_DEVICES:
        return ""
    if path in _MEMORY_DEVICES or path == "/dev" or _DISKS.fullmatch(path):
        return HOST_ROOT
    return DEFENCE if path.startswith(_USUAL_DEVICES) else HOST_PART


def without_lsm(subject: Subject) -> bool:
    """Tell whether it is known that neither AppArmor nor SELinux confines a subject."""
    apparmor, selinux = subject.known("apparmor_mode"), subject.known("selinux")
    # Where one is unknown nothing is claimed.
    return apparmor in ("", "unconfined", "complain") and (selinux == "" or selinux in UNCONFINED_TYPES)


def _worst(reaches: set[str]) -> str:
    return next(reach for reach in (HOST_ROOT, HOST_PART, DEFENCE, HYGIENE) if reach in reaches)


def _without(name: str, reach: str = HOST_PART) -> t.Callable[[Subject], Outcome]:
    def check(subject: Subject) -> Outcome:
        fact = subject.fact("capabilities")
        return failed(fact, f"without {name}", name, reach=reach) if name in fact.value else passed(fact, f"without {name}", f"without {name}")

    return check


def _no_sys_admin(subject: Subject) -> Outcome:
    fact = subject.fact("capabilities")
    expected = "without SYS_ADMIN"
    if "SYS_ADMIN" not in fact.value:
        return passed(fact, expected, expected)
    if without_lsm(subject) or subject.known("seccomp") == "unconfined":
        missing = [*(["AppArmor or SELinux"] if without_lsm(subject) else []), *(["seccomp"] if subject.known("seccomp") == "unconfined" else [])]
        return failed(fact, expected, f"SYS_ADMIN without {' and '.join(missing)}", reach=HOST_ROOT, reason="nothing keeps it from mounting what it likes")
    return failed(fact, expected, "SYS_ADMIN", reach=HOST_PART)


def _no_tracing_of_the_host(subject: Subject) -> Outcome:
    capabilities, mode = subject.fact("capabilities"), subject.fact("pid_mode")
    expected = "not SYS_PTRACE and the host's processes together"
    if "SYS_PTRACE" in capabilities.value and mode.value == "host":
        return Outcome(FAIL, (evidence(capabilities, expected, "SYS_PTRACE"), evidence(mode, expected)))
    fact = mode if "SYS_PTRACE" in capabilities.value else capabilities
    return passed(fact, expected, "not both")


def _no_net_capabilities_on_the_host(subject: Subject) -> Outcome:
    mode = subject.fact("network_mode")
    expected = "neither NET_ADMIN nor NET_RAW on the host's network"
    if mode.value != "host":
        return passed(mode, expected, mode.value or "a network of its own")
    capabilities = subject.fact("capabilities")
    held = sorted({"NET_ADMIN", "NET_RAW"}.intersection(capabilities.value))
    if not held:
        return passed(capabilities, expected, "neither")
    return Outcome(FAIL, (evidence(mode, expected), evidence(capabilities, expected, held)))


def _no_device_rules(subject: Subject) -> Outcome:
    fact = subject.fact("device_cgroup_rules")
    if not fact.value:
        return passed(fact, "none")
    capabilities = subject.known("capabilities")
    mknod = capabilities is None or "MKNOD" in capabilities
    reach = _worst({_rule_reach(rule, mknod) for rule in fact.value})
    found = tuple(Evidence(fact.source, shown(f"{rule} with MKNOD" if mknod else rule), "none", *place(fact, rule)) for rule in fact.value)
    return Outcome(FAIL, found, "with MKNOD, a default capability, it makes the device's file itself" if mknod else "", reach)


def _rule_reach(rule: str, mknod: bool) -> str:
    """Return what a rule such as ``b 8:* rwm`` gives; what cannot be read counts as all devices."""
    words = rule.split()
    kind = words[0] if words else "a"
    major = words[1].partition(":")[0] if len(words) > 1 else "*"
    if not mknod:
        return HOST_PART
    # Character devices of major 1 are memory; a rule for all of them holds those.
    return HOST_ROOT if kind != "c" or major in ("1", "*") else HOST_PART


def _no_devices(subject: Subject) -> Outcome:
    fact = subject.fact("devices")
    found: list[tuple[Device, str]] = [(device, device_reach(device.host_path)) for device in fact.value]
    bad = [(device, reach) for device, reach in found if reach]
    if not bad:
        return passed(fact, "none of the host's", "none of the host's" if not fact.value else None)
    # A disk that can only be read gives what is on it, not the host.
    reaches = {HOST_PART if reach == HOST_ROOT and "w" not in device.permissions and "m" not in device.permissions else reach for device, reach in bad}
    pieces = tuple(
        Evidence(fact.source, shown(f"{device.host_path} ({device.permissions})"), "none of the host's", device.file or fact.file, device.line or fact.line)
        for device, _reach in bad
    )
    return Outcome(FAIL, pieces, "", _worst(reaches))


def _no_bound_devices(subject: Subject) -> Outcome:
    fact = subject.fact("mounts")
    expected = "no device"
    pieces = []
    reaches = set()
    for mount in fact.value:
        path = normal(mount.host_path or (mount.source if mount.kind == "bind" else ""))
        if not path.startswith("/dev/") and path != "/dev":
            continue
        if path.startswith(("/dev/shm", "/dev/mqueue", "/dev/hugepages", "/dev/log")) or not device_reach(path):
            continue
        # The file alone opens nothing that the rules for devices keep closed, unless it is privileged or has such a rule.
        given = any(device.host_path == path for device in subject.known("devices", ()))
        allowed = given or subject.known("privileged") or subject.known("device_cgroup_rules")
        reaches.add(device_reach(path) if allowed else HOST_PART if path == "/dev" or device_reach(path) == HOST_ROOT else DEFENCE)
        pieces.append(Evidence(fact.source, f"{path} at {mount.target}", expected, mount.file or fact.file, mount.line or fact.line))
    return Outcome(FAIL, tuple(pieces), "", _worst(reaches)) if pieces else passed(fact, expected, "none")


def _kernel_files_masked(subject: Subject) -> Outcome:
    fact = subject.fact("unmasked_paths")
    if not fact.value:
        return passed(fact, "none")
    # What later releases mask besides tells of other programs, and no more.
    telling = {"/proc/interrupts", "/sys/devices/virtual/powercap", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug"}
    return failed(fact, "none", reach=DEFENCE if telling.issuperset(fact.value) else HOST_PART)


def _kernel_files_read_only(subject: Subject) -> Outcome:
    fact = subject.fact("writable_paths")
    if not fact.value:
        return passed(fact, "none")
    root = subject.known("uid") in (0, None) and not subject.known("uid_mapped")
    sensitive = {"/proc/sys", "/proc/sysrq-trigger", "/sys"}.intersection(fact.value)
    if root and sensitive and without_lsm(subject):
        return failed(fact, "none", reach=HOST_ROOT, reason="root of the host writes to them, and no AppArmor or SELinux refuses")
    return failed(fact, "none", reach=HOST_PART if sensitive and not subject.known("uid_mapped") else DEFENCE)


def _cgroups_read_only(subject: Subject) -> Outcome:
    fact = subject.fact("writable_cgroups")
    expected = "read-only, or ids that are mapped"
    if not fact.value:
        return passed(fact, expected, "read-only")
    mapped = subject.fact("uid_mapped")
    if mapped.value:
        return passed(mapped, expected, "its root is nobody to the kernel's groups of the host")
    return failed(fact, expected, "writable")


def _no_release_agent(subject: Subject) -> Outcome:
    version = subject.fact("engine_cgroup")
    expected = "cgroup v2, or no SYS_ADMIN"
    if version.value != 1:
        return passed(version, expected, f"cgroup v{version.value}")
    capabilities = subject.fact("capabilities")
    if "SYS_ADMIN" not in capabilities.value:
        return passed(capabilities, expected, "without SYS_ADMIN")
    mapped = subject.fact("uid_mapped")
    if mapped.value:
        return passed(mapped, expected, "its ids are mapped, and release_agent asks for the host's")
    return Outcome(FAIL, (evidence(version, expected, "cgroup v1"), evidence(capabilities, expected, "SYS_ADMIN")))


def _no_api_socket(subject: Subject) -> Outcome:
    fact = subject.fact("mounts")
    expected = "no socket of an engine's API, and nothing that holds one"
    pieces = []
    for mount in fact.value:
        sockets = sockets_through(mount)
        if sockets:
            # Read-only keeps nobody from connecting.
            where = mount.source or mount.host_path
            text = f"{where} at {mount.target}, with {shown(sockets)}" if sockets != (where,) else f"{where} at {mount.target}"
            pieces.append(Evidence(fact.source, shown(text), expected, mount.file or fact.file, mount.line or fact.line))
    return Outcome(FAIL, tuple(pieces)) if pieces else passed(fact, expected, "none")


def _no_api_group(subject: Subject) -> Outcome:
    fact = subject.facts.get("api_socket_groups")
    given = subject.fact("group_add")
    # A name is looked up in the image, but nobody else is called so.
    named = tuple(group for group in given.value if group == "docker")
    known = subject.known("api_socket_groups", ())
    found = tuple(dict.fromkeys((*known, *named)))
    expected = "no group that owns a socket of an engine's API"
    if found:
        reached = any(sockets_through(mount) for mount in subject.known("mounts", ()))
        return failed(given, expected, found, reach=HOST_ROOT if reached else HYGIENE)
    if fact is None or not given.value:
        return passed(given, expected)
    return passed(subject.fact("api_socket_groups"), expected)


def _no_api_address(subject: Subject) -> Outcome:
    fact = subject.fact("docker_host")
    if not fact.value:
        return passed(fact, "none")
    return failed(fact, "none", reach=HOST_ROOT if fact.value.startswith(("unix:", "/", "fd:")) else HOST_PART)


def _working_directory(subject: Subject) -> Outcome:
    fact = subject.fact("working_dir")
    expected = "a directory of the image"
    return (failed if leads_to_descriptors(fact.value) else passed)(fact, expected)


def _ordinary_target(mount: Mount) -> str:
    target = normal(mount.target)
    if any(target == place or target.startswith(place + "/") for place in _ORDINARY_TARGETS):
        return ""
    if any(target == tree or target.startswith(tree + "/") for tree in _KERNEL_TREES):
        return f"{mount.source or mount.kind} at {mount.target}"
    return ""


def _runtime(subject: Subject) -> Outcome:
    fact = subject.fact("runtime")
    expected = "the daemon's, or one that confines as well or better"
    return (passed if fact.value in _RUNTIMES or not fact.value else failed)(fact, expected)


RULES = (
    Rule(
        id="capability-sys-admin-not-held",
        title="The container lacks the capability SYS_ADMIN",
        why="SYS_ADMIN mounts filesystems and changes namespaces: with it most ways out of a container work.",
        applies_to=WORKLOADS,
        check=_no_sys_admin,
        attacker=FROM_CONTAINER,
        reach=HOST_PART,
        remedy="Remove SYS_ADMIN from `cap_add`; for FUSE, mount on the host and share the mount, for tracing run the tool on the host.",
        blast=RECREATE,
        cis_1_6=("5.4",),
        cis_1_8=("5.4",),
        references=("ATT&CK T1611",),
        tempered_by=(USERNS, ROOTLESS),
    ),
    Rule(
        id="capability-sys-ptrace-not-with-host-processes",
        title="The container cannot trace processes of the host",
        why="Whoever sees the host's processes and may trace them runs code of their choice in a process of the host's root.",
        applies_to=WORKLOADS,
        check=_no_tracing_of_the_host,
        attacker=FROM_CONTAINER,
        reach=HOST_ROOT,
        remedy="Remove `pid: host`, or SYS_PTRACE from `cap_add`, and debug from the host.",
        blast=RECREATE,
        cis_1_6=("5.4", "5.16"),
        cis_1_8=("5.4", "5.16"),
        references=("ATT&CK T1055.008",),
        tempered_by=(USERNS, ROOTLESS),
    ),
    Rule(
        id="capability-net-not-on-host-network",
        title="The container has no power over the host's network",
        why="On the host's network NET_ADMIN changes its firewall and addresses, and NET_RAW, a default capability, reads all of its traffic.",
        applies_to=WORKLOADS,
        check=_no_net_capabilities_on_the_host,
        attacker=FROM_CONTAINER,
        reach=HOST_PART,
        remedy="Remove `network_mode: host`, or NET_ADMIN from `cap_add` and add NET_RAW to `cap_drop`.",
        blast=RECREATE,
        cis_1_6=("5.4", "5.10"),
        cis_1_8=("5.4", "5.10"),
        references=("CVE-2020-15257",),
        tempered_by=(USERNS, ROOTLESS),
    ),
    Rule(
        id="capability-dac-read-search-not-held",
        title="The container lacks the capability DAC_READ_SEARCH",
        why="It opens any file of the host's filesystem by its handle, and with the default capabilities writes to it.",
        applies_to=WORKLOADS,
        check=_without("DAC_READ_SEARCH", HOST_ROOT),
        attacker=FROM_CONTAINER,
        reach=HOST_ROOT,
        remedy="Remove DAC_READ_SEARCH from `cap_add`; backups read volumes as the user who owns the files.",
        blast=RECREATE,
        cis_1_6=("5.4",),
        cis_1_8=("5.4",),
        references=("ATT&CK T1611",),
        tempered_by=(USERNS, ROOTLESS),
    ),
    Rule(
        id="capability-sys-module-not-held",
        title="The container lacks the capability SYS_MODULE",
        why="Whoever loads a module into the kernel owns the host.",
        applies_to=WORKLOADS,
        check=_without("SYS_MODULE", HOST_ROOT),
        attacker=FROM_CONTAINER,
        reach=HOST_ROOT,
        remedy="Remove SYS_MODULE from `cap_add`, and load the modules on the host with modules-load.d.",
        blast=RECREATE,
        cis_1_6=("5.4",),
        cis_1_8=("5.4",),
        references=("ATT&CK T1547.006",),
        tempered_by=(USERNS, ROOTLESS),
    ),
    Rule(
        id="capability-sys-rawio-not-held",
        title="The container lacks the capability SYS_RAWIO",
        why="It reaches the machine's ports and, with a device for it, its memory.",
        applies_to=WORKLOADS,
        check=_without("SYS_RAWIO"),
        attacker=FROM_CONTAINER,
        reach=HOST_PART,
        remedy="Remove SYS_RAWIO from `cap_add`, and read the state of disks with a tool on the host.",
        blast=RECREATE,
        cis_1_6=("5.4",),
        cis_1_8=("5.4",),
        tempered_by=(USERNS, ROOTLESS),
    ),
    Rule(
        id="devices-none-of-the-host",
        title="The container has no device of the host",
        why="A disk or the memory as a device is the whole host; other devices are drivers of the kernel with their own flaws.",
        applies_to=WORKLOADS,
        check=_no_devices,
        attacker=FROM_CONTAINER,
        reach=HOST_PART,
        remedy="Remove the entries from `devices`, or give only the permissions (r, w, m) that the program needs.",
        blast=RECREATE,
        cis_1_6=("5.18",),
        cis_1_8=("5.18",),
        references=("ATT&CK T1611",),
    ),
    Rule(
        id="devices-not-bind-mounted",
        title="No device of the host is mounted into the container",
        why="A bind mount of a device or of /dev goes past the list of devices, and waits for the first rule or capability that opens it.",
        applies_to=WORKLOADS,
        check=_no_bound_devices,
        attacker=FROM_CONTAINER,
        reach=HOST_PART,
        remedy="Remove the entry from `volumes`, and use `devices` for the single device that the program needs.",
        blast=RECREATE,
        cis_1_6=("5.18",),
        cis_1_8=("5.18",),
    ),
    Rule(
        id="device-rules-none",
        title="No rule gives the container devices of the host",
        why="A rule for devices together with MKNOD, a default capability, lets it make the file of a disk and write to it.",
        applies_to=WORKLOADS,
        check=_no_device_rules,
        attacker=FROM_CONTAINER,
        reach=HOST_PART,
        remedy="Remove `device_cgroup_rules`, or drop MKNOD and give the single device with `devices`.",
        blast=RECREATE,
        cis_1_6=("5.18",),
        cis_1_8=("5.18",),
        references=("ATT&CK T1611",),
        tempered_by=(USERNS, ROOTLESS),
    ),
    Rule(
        id="device-requests-none",
        title="The container asks for no devices from a driver",
        why="A driver or a CDI file adds devices, mounts and hooks that run on the host, none of which the definition shows.",
        applies_to=WORKLOADS,
        check=is_empty("device_requests"),
        attacker=FROM_CONTAINER,
        reach=DEFENCE,
        remedy="Remove `gpus`, or the request from `devices` or `deploy.resources.reservations.devices`, where no accelerator is needed, and keep "
        "the files of CDI writable for root only.",
        blast=RECREATE,
        cis_1_6=("5.18",),
        cis_1_8=("5.18",),
        references=("CVE-2024-0132", "CVE-2025-23266"),
    ),
    Rule(
        id="system-paths-masked",
        title="The kernel's files that the engine hides are hidden from the container",
        why="With `systempaths=unconfined` the container reads the kernel's memory, keys and firmware; no list of options shows it.",
        applies_to=WORKLOADS,
        check=_kernel_files_masked,
        attacker=FROM_CONTAINER,
        reach=HOST_PART,
        remedy="Remove `systempaths=unconfined` from `security_opt`, or create the container again so that it gets the list of the engine's release.",
        blast=RECREATE,
        references=("GHSA-6fw5-f8r9-fgfm", "GHSA-jq35-85cj-fj4p"),
        tempered_by=(USERNS, ROOTLESS),
    ),
    Rule(
        id="system-paths-read-only",
        title="The container cannot write to the kernel's settings",
        why="Whoever writes to /proc/sys names the program that the kernel runs as root of the host at the next crash.",
        applies_to=WORKLOADS,
        check=_kernel_files_read_only,
        attacker=FROM_CONTAINER,
        reach=HOST_PART,
        remedy="Remove `systempaths=unconfined` from `security_opt`, and set what the program needs with `sysctls`.",
        blast=RECREATE,
        references=("ATT&CK T1611", "CVE-2025-31133"),
        tempered_by=(USERNS, ROOTLESS),
    ),
    Rule(
        id="cgroups-read-only",
        title="The container cannot write to control groups of the host",
        why="With writable control groups it lifts its own limits, and on cgroup v1 makes the kernel run a program on the host.",
        applies_to=WORKLOADS,
        check=_cgroups_read_only,
        attacker=FROM_CONTAINER,
        reach=HOST_PART,
        remedy="Remove `writable-cgroups=true` from `security_opt`; systemd inside a container works with mapped ids.",
        blast=RECREATE,
        references=("CVE-2022-0492",),
        tempered_by=(USERNS, ROOTLESS),
    ),
    Rule(
        id="cgroup-release-agent-out-of-reach",
        title="The container cannot set the release agent of cgroup v1",
        why="On cgroup v1 whoever may mount sets the program that the kernel runs on the host when a group is empty.",
        applies_to=WORKLOADS,
        check=_no_release_agent,
        attacker=FROM_CONTAINER,
        reach=HOST_ROOT,
        remedy="Remove SYS_ADMIN from `cap_add`, and start the host with cgroup v2.",
        blast=RECREATE,
        references=("CVE-2022-0492", "ATT&CK T1611"),
        tempered_by=(ROOTLESS,),
    ),
    Rule(
        id="api-socket-not-mounted",
        title="No socket of a container engine is in reach of the container",
        why="Whoever talks to the engine's API starts a privileged container and owns the host; mounting it read-only changes nothing.",
        applies_to=WORKLOADS,
        check=_no_api_socket,
        attacker=FROM_CONTAINER,
        reach=HOST_ROOT,
        remedy="Remove the entry from `volumes`; a proxy that lets single read-only calls through serves dashboards and collectors.",
        blast=RECREATE,
        cis_1_6=("5.32",),
        cis_1_8=("5.32",),
        references=("OWASP Docker rule 1", "ATT&CK T1610"),
        tempered_by=(ROOTLESS,),
    ),
    Rule(
        id="api-socket-not-handed-over",
        title="The container does not get the engine's API from its client",
        why="`use_api_socket` mounts the engine's socket and the client's credentials, and stands in no list of mounts.",
        applies_to=WORKLOADS,
        check=is_value("use_api_socket", False),
        attacker=FROM_CONTAINER,
        reach=HOST_ROOT,
        remedy="Remove `use_api_socket`.",
        blast=RECREATE,
        cis_1_6=("5.32",),
        cis_1_8=("5.32",),
        references=("OWASP Docker rule 1", "ATT&CK T1610"),
        tempered_by=(ROOTLESS,),
    ),
    Rule(
        id="api-socket-group-not-joined",
        title="The container is in no group that owns a socket of an engine",
        why="With the group a user who is not root uses the socket as soon as any mount reaches it.",
        applies_to=WORKLOADS,
        check=_no_api_group,
        attacker=FROM_CONTAINER,
        reach=HOST_ROOT,
        remedy="Remove the group from `group_add`.",
        blast=RECREATE,
        cis_1_6=("5.32",),
        cis_1_8=("5.32",),
        tempered_by=(ROOTLESS,),
    ),
    Rule(
        id="api-address-not-given",
        title="The container is not led to an API of Docker",
        why="DOCKER_HOST says that the program drives an engine: whoever takes the program over drives it too.",
        applies_to=WORKLOADS,
        check=_no_api_address,
        attacker=FROM_CONTAINER,
        reach=HOST_PART,
        remedy="Remove DOCKER_HOST from `environment` and `env_file`, or lead it to a proxy that lets only the calls through that the program needs.",
        blast=RECREATE,
        cis_1_6=("5.32",),
        cis_1_8=("5.32",),
        references=("CVE-2025-9074",),
    ),
    Rule(
        id="working-directory-in-the-image",
        title="The container starts in a directory of its image",
        why="A working directory below /proc/self/fd lands in a directory of the host that the runtime holds open.",
        applies_to=WORKLOADS,
        check=_working_directory,
        attacker=FROM_DEPLOYER,
        reach=HOST_ROOT,
        remedy="Set `working_dir` to a directory of the image, and do not run the image before you know who wrote this.",
        blast=RECREATE,
        references=("CVE-2024-21626", "GHSA-xr7r-f8xq-vfvv"),
    ),
    Rule(
        id="mount-targets-outside-kernel-trees",
        title="Nothing is mounted over /proc, /sys or /dev of the container",
        why="Mounts there cover what the runtime hides or makes read-only, and win races against it.",
        applies_to=WORKLOADS,
        check=no_items("mounts", _ordinary_target, "targets outside of /proc, /sys and /dev"),
        attacker=FROM_DEPLOYER,
        reach=HOST_PART,
        remedy="Give the entry of `volumes` or `tmpfs` another target, and point the program there.",
        blast=RECREATE,
        references=("CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"),
    ),
    Rule(
        id="runtime-confines",
        title="The container is run by the daemon's runtime, or by one that confines as well",
        why="Another runtime decides by itself which of the limits of a container it applies.",
        applies_to=WORKLOADS,
        check=_runtime,
        attacker=FROM_DEPLOYER,
        reach=DEFENCE,
        remedy="Remove `runtime`, or accept the runtime by a waiver once you know what it leaves out.",
        blast=RECREATE,
    ),
    Rule(
        id="hooks-not-privileged",
        title="No lifecycle hook of the service runs privileged",
        why="A privileged hook runs a program of the image with every capability, whatever the service itself may do.",
        applies_to=(COMPOSE_SERVICE,),
        check=is_empty("hook_privileged"),
        attacker=FROM_DEPLOYER,
        reach=HOST_ROOT,
        remedy="Remove `privileged` from `post_start` and `pre_stop`, and prepare volumes with a one-off service that is not privileged.",
        blast=RECREATE,
        cis_1_6=("5.23",),
        cis_1_8=("5.23",),
    ),
    Rule(
        id="build-not-privileged",
        title="The build of the service has no privileges on the host",
        why="A privileged build, an entitlement or the host's network lets a Dockerfile and all that it downloads touch the host.",
        applies_to=(COMPOSE_SERVICE,),
        check=is_empty("build_privileges"),
        attacker=FROM_DEPLOYER,
        reach=HOST_ROOT,
        remedy="Remove `privileged`, `entitlements` and `network: host` from `build`.",
        blast=NOTHING,
    ),
)
