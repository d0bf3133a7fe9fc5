# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What excludes what on a Docker host: the dimensions, and one row for each combination.

PRIVATE to the collection: no stability is promised to other users.

To add a row, add it here and give it a host that matches and one that just does not in
tests/unit/engine/test_exclusion_rows.py; `make docs` puts it into docs/preflight.md. Rows with ``by=BY_DAEMON`` need no
more of the host than the context of engine/daemon_config.py, which judges every configuration by them;
engine/preflight.py judges by all.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.exclusions import (
    BY_DAEMON,
    TOLD,
    Condition,
    Dimension,
    Row,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import Version, within

_DAEMON_JSON = "the configuration of the daemon"
_LAYOUT = "docker_storage_layout"

DIMENSIONS: dict[str, Dimension] = {
    dimension.name: dimension
    for dimension in (
        Dimension("engine", "the engine's release", "dockerd --version, or apt's candidate"),
        # The host.
        Dimension("init", "process 1", "/proc/1/comm"),
        Dimension("kernel", "the kernel", "uname(2)"),
        Dimension("overlay", "overlay", "/proc/filesystems", "the kernel has overlay", "the kernel has no overlay"),
        Dimension("seccomp", "seccomp", "/proc/sys/kernel/seccomp", "the kernel has seccomp", "the kernel has no seccomp"),
        Dimension("container", "virtualisation", "systemd-detect-virt --container"),
        Dimension(
            "user_namespace",
            "the user namespace of the host",
            "/proc/self/uid_map",
            "the host itself lies in a user namespace",
            "the host has all ids",
        ),
        Dimension(
            "ids_fit",
            "room for the ranges",
            "/proc/self/uid_map",
            "the ranges fit into the ids of the host",
            "the ranges do not fit into the ids of the host",
        ),
        Dimension("max_user_namespaces", "user.max_user_namespaces", "/proc/sys/user/max_user_namespaces"),
        Dimension("cgroup_version", "the cgroup version", "/sys/fs/cgroup"),
        Dimension("cgroup_controllers", "the list of cgroup controllers", "/sys/fs/cgroup/cgroup.controllers"),
        Dimension("layers_on", "the filesystem of the layers", "/proc/self/mountinfo"),
        Dimension("layers_options", "the mount of the layers", "/proc/self/mountinfo"),
        Dimension(
            "layers_type_entries",
            "d_type of the layers' filesystem",
            "readdir(3) there",
            "directory entries have a type there",
            "directory entries have no type there",
        ),
        Dimension("zfs", "ZFS", "/sys/module/zfs/version"),
        Dimension("runc", "runc", "runc --version"),
        Dimension("containerd", "containerd", "containerd --version"),
        Dimension(
            "ip_forward", "net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward", "net.ipv4.ip_forward is 1", "net.ipv4.ip_forward is 0"
        ),
        Dimension("forward_policy", "the policy of iptables' chain FORWARD", "iptables -S FORWARD"),
        Dimension("swarm", "swarm", "Docker's data", "the host is a node of a swarm", "the host is no node of a swarm"),
        Dimension(
            "swarm_locked",
            "autolock of the swarm",
            "the key of the node below Docker's data",
            "the swarm is locked by autolock",
            "the swarm is not locked",
        ),
        Dimension("apparmor", "AppArmor", "/sys/module/apparmor", "the kernel enforces AppArmor", "the kernel has no AppArmor"),
        Dimension(
            "apparmor_parser", "apparmor_parser", "/sbin", "apparmor_parser is installed", "apparmor_parser is not installed"
        ),
        Dimension(
            "apparmor_confined",
            "the AppArmor label of the host",
            "/proc/self/attr/current",
            "an AppArmor profile confines the host itself",
            "no AppArmor profile confines the host itself",
        ),
        Dimension(
            "apparmor_userns",
            "kernel.apparmor_restrict_unprivileged_userns",
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "AppArmor restricts user namespaces",
            "AppArmor does not restrict user namespaces",
        ),
        Dimension("selinux", "SELinux", "/sys/fs/selinux/enforce"),
        Dimension(
            "selinux_policy",
            "SELinux' policy for containers",
            "/etc/selinux",
            "the policy for containers is installed",
            "the policy for containers is not installed",
        ),
        # What is asked of it.
        Dimension("userns_remap", "userns-remap", _DAEMON_JSON, "userns-remap is set", "userns-remap is not set"),
        Dimension("store", "the image store", _DAEMON_JSON),
        Dimension("quota", "overlay2.size", _DAEMON_JSON, "overlay2.size is set", "overlay2.size is not set"),
        Dimension("live_restore", "live-restore", _DAEMON_JSON, "live-restore is on", "live-restore is off"),
        Dimension("firewall", "firewall-backend", _DAEMON_JSON),
        Dimension("rules", "iptables", _DAEMON_JSON, "iptables is on", "iptables is off"),
        Dimension("forwarding", "ip-forward", _DAEMON_JSON, "ip-forward is on", "ip-forward is off"),
        Dimension(
            "swarm_nftables",
            "features.swarm-nftables",
            _DAEMON_JSON,
            "features.swarm-nftables is on",
            "features.swarm-nftables is off",
        ),
        Dimension(
            "time_namespaces",
            "features.time-namespaces",
            _DAEMON_JSON,
            "features.time-namespaces is not off",
            "features.time-namespaces is off",
        ),
        Dimension("cpu_rt_period", "cpu-rt-period", _DAEMON_JSON, "cpu-rt-period is set", "cpu-rt-period is not set"),
        Dimension("cpu_rt_runtime", "cpu-rt-runtime", _DAEMON_JSON, "cpu-rt-runtime is set", "cpu-rt-runtime is not set"),
        Dimension("selinux_enabled", "selinux-enabled", _DAEMON_JSON, "selinux-enabled is on", "selinux-enabled is off"),
        Dimension(
            "uses_seccomp", "the seccomp profile", _DAEMON_JSON, "containers have a seccomp profile", "containers have none"
        ),
        Dimension("own", "the layout", _LAYOUT),
        Dimension("partitions", "partitions", _LAYOUT, "the layout asks for partitions", "the layout asks for no partitions"),
    )
}


def _is(name: str, value: t.Any = True) -> Condition:
    return Condition(name, "is", value)


def _not(name: str, value: t.Any = True) -> Condition:
    return Condition(name, "is not", value)


def _one(name: str, *values: t.Any) -> Condition:
    return Condition(name, "is one of", values)


def _none(name: str, *values: t.Any) -> Condition:
    return Condition(name, "is none of", values)


def _below(name: str, *version: int) -> Condition:
    return Condition(name, "is below", version)


def _from(name: str, *version: int) -> Condition:
    return Condition(name, "is at least", version)


def _has(name: str, value: str) -> Condition:
    return Condition(name, "has", value)


def _lacks(name: str, *values: str) -> Condition:
    return Condition(name, "lacks", values)


def _unfixed(name: str, fixes: tuple[tuple[int, ...], ...]) -> Condition:
    return Condition(name, "is older than the fix in", fixes)


def _fixed(name: str, fixes: tuple[tuple[int, ...], ...]) -> Condition:
    return Condition(name, "is not older than the fix in", fixes)


_LXC = ("lxc", "lxc-libvirt")
# Both stores mount layers with the kernel's overlay; zfs and btrfs as storage drivers do not.
_WITH_OVERLAY = _one("store", "overlay2", "containerd", "engine's choice")
# CVE-2025-31133, CVE-2025-52565, CVE-2025-52881: https://github.com/opencontainers/runc/releases.
_RUNC_FIXES = ((1, 2, 8), (1, 3, 3), (1, 4, 0))
# CVE-2024-25621, CVE-2025-64329: https://github.com/containerd/containerd/security/advisories.
_CONTAINERD_FIXES = ((1, 7, 29), (2, 0, 7), (2, 1, 5), (2, 2, 0))

HOST = "The host itself"
VIRTUAL = "Virtualisation"
IDS = "User namespaces"
CGROUPS = "Control groups"
FILESYSTEMS = "The filesystem of the layers"
QUOTAS = "Quotas"
STORES = "The image store"
SWARM = "Swarm"
FIREWALL = "Firewall"
MODULES = "AppArmor and SELinux"
RUNTIMES = "runc and containerd"

ROWS: tuple[Row, ...] = (
    Row(
        "init-not-systemd",
        HOST,
        (_not("init", "systemd"),),
        "process 1",
        "is {init}, not systemd, and the daemon, its guards and its slice are units of systemd; use a host that boots with systemd",
        "systemd.unit(5)",
    ),
    Row(
        "kernel-overlay2",
        HOST,
        (_below("kernel", 4, 0),),
        "kernel",
        "is {kernel}, and overlay2 needs at least 4.0; upgrade the host",
        "docs: engine/storage/drivers/overlayfs-driver",
    ),
    Row(
        "kernel-openat2",
        HOST,
        (_below("kernel", 5, 6), _from("kernel", 4, 0)),
        "kernel",
        "is {kernel}, without openat2(2) of 5.6, so runc resolves paths inside of containers in steps that a hostile "
        "container can race against; plan a newer kernel",
        "openat2(2); github.com/cyphar/filepath-securejoin",
        verdict=TOLD,
    ),
    Row(
        "overlay-missing",
        HOST,
        (_is("overlay", False),),
        "kernel",
        "has no overlay filesystem and no module for it; load or install the module, because every other storage driver "
        "copies whole layers",
        "moby: daemon/graphdriver/overlayutils SupportsOverlay",
    ),
    Row(
        "seccomp-missing",
        HOST,
        (_is("seccomp", False), _is("uses_seccomp")),
        "kernel",
        "has no seccomp filters, so containers would run without any; use a kernel with CONFIG_SECCOMP_FILTER",
        "moby: pkg/sysinfo; seccomp(2)",
    ),
    Row(
        "shared-kernel",
        VIRTUAL,
        (_one("container", "openvz", "wsl", "proot"),),
        "virtualisation",
        "is {container}, where dockerd has neither its own kernel nor what it needs of the shared one; use a virtual machine",
        "systemd-detect-virt(1)",
    ),
    Row(
        "lxc",
        VIRTUAL,
        (_one("container", *_LXC),),
        "virtualisation",
        "is {container}: Docker shares the kernel of an outer host, which must allow nesting and keyctl, and neither disks "
        "nor kernel settings are this host's own; prefer a virtual machine",
        "Proxmox VE: Linux Container; LXD and Incus: security.nesting",
        verdict=TOLD,
    ),
    Row(
        "lxc-partitions",
        VIRTUAL,
        (_one("container", *_LXC), _is("partitions")),
        "docker_storage_layout",
        "asks for partitions in an LXC container, which has no disks of its own; size a mount point from the host and use "
        "the backend existing, or use a virtual machine",
        "lxc.container.conf(5)",
    ),
    Row(
        "lxc-runc-sysctl",
        VIRTUAL,
        (_one("container", *_LXC), _is("apparmor_confined"), _fixed("runc", _RUNC_FIXES)),
        "virtualisation",
        "is {container} under an AppArmor profile, and runc {runc} opens sysctls in a way that older profiles of LXC "
        "forbid, so every container fails with 'reopen fd 8: permission denied'; this can be mended on the outer host only: "
        "lxc-pve 6.0.5-2, Incus 6.19 or newer",
        "runc#4968, runc#4972, moby#51405",
        verdict=TOLD,
    ),
    Row(
        "container-nspawn",
        VIRTUAL,
        (_is("container", "systemd-nspawn"),),
        "virtualisation",
        "is systemd-nspawn, which by default forbids the system calls and devices that containers inside need; give it "
        "SystemCallFilter=, Capability= and the devices, or use a virtual machine",
        "systemd-nspawn(1)",
        verdict=TOLD,
    ),
    Row(
        "container-docker",
        VIRTUAL,
        (_one("container", "docker", "podman", "rkt", "pouch", "container-other"),),
        "virtualisation",
        "is {container}: dockerd runs in a container, which for Docker must be privileged and is then no wall; this is for "
        "tests, not for production",
        "systemd-detect-virt(1)",
        verdict=TOLD,
    ),
    Row(
        "userns-overlay",
        IDS,
        (_is("user_namespace"), _below("kernel", 5, 11)),
        "kernel",
        "is {kernel}, and inside a user namespace overlay needs 5.11; upgrade the kernel of the outer host, or run Docker on "
        "a host with all ids",
        "moby: daemon/graphdriver/overlayutils/userxattr.go; mount(8)",
    ),
    Row(
        "userns-switched-off",
        IDS,
        (_is("userns_remap"), _is("max_user_namespaces", 0)),
        "user.max_user_namespaces",
        "is 0, so dockerd cannot make the user namespaces of userns-remap; raise the sysctl, or set "
        "docker_daemon_userns_remap to an empty string",
        "user_namespaces(7)",
    ),
    Row(
        "userns-missing",
        IDS,
        (_is("userns_remap"), _is("max_user_namespaces", -1)),
        "kernel",
        "has no user namespaces, which userns-remap needs; use another kernel, or set docker_daemon_userns_remap to an "
        "empty string",
        "user_namespaces(7)",
    ),
    Row(
        "userns-no-room",
        IDS,
        (_is("userns_remap"), _is("user_namespace"), _is("ids_fit", False)),
        "/proc/self/uid_map",
        "shows that this host itself is a container with mapped ids, which have no room for the ranges of userns-remap; "
        "give the host more ids and ranges within them, or set docker_daemon_userns_remap to an empty string",
        "user_namespaces(7), subuid(5)",
    ),
    Row(
        "userns-apparmor",
        IDS,
        (_is("apparmor_userns"),),
        "kernel.apparmor_restrict_unprivileged_userns",
        "is 1, so programs without privileges make no user namespaces unless their AppArmor profile allows it: rootless "
        "Docker needs such a profile, this daemon does not",
        "Ubuntu 24.04: release notes; apparmor.d(5)",
        verdict=TOLD,
    ),
    Row(
        "cgroups-missing",
        CGROUPS,
        (_is("cgroup_version", 0),),
        "/sys/fs/cgroup",
        "holds no cgroup filesystem, without which dockerd starts no container; mount one, or boot with systemd's default",
        "moby: daemon/daemon.go (Devices cgroup isn't mounted)",
    ),
    Row(
        "cgroups-v1",
        CGROUPS,
        (_is("cgroup_version", 1),),
        "/sys/fs/cgroup",
        "is cgroup v1, which Docker 29 calls deprecated and will leave by May 2029; boot with systemd.unified_cgroup_hierarchy=1",
        "moby#51111; moby: daemon/info_unix.go",
        verdict=TOLD,
        since="29.0",
    ),
    Row(
        "cgroups-v2-old-engine",
        CGROUPS,
        (_is("cgroup_version", 2),),
        "/sys/fs/cgroup",
        "is cgroup v2, with which Docker before 20.10 does not start; upgrade the engine",
        "moby: daemon/daemon.go of 19.03 (Devices cgroup isn't mounted)",
        removed="20.10",
    ),
    Row(
        "cgroups-v2-lxc-delegation",
        CGROUPS,
        (_is("cgroup_version", 2), _one("container", *_LXC), _lacks("cgroup_controllers", "cpu", "memory", "pids")),
        "/sys/fs/cgroup/cgroup.controllers",
        "holds {cgroup_controllers}: the outer host has not delegated cpu, memory and pids, so limits of containers fail or "
        "are dropped; delegate them to this LXC container",
        "cgroups(7); moby: pkg/sysinfo/cgroup2_linux.go",
    ),
    Row(
        "cgroups-v2-delegation",
        CGROUPS,
        (_is("cgroup_version", 2), _none("container", *_LXC), _lacks("cgroup_controllers", "cpu", "io", "memory", "pids")),
        "/sys/fs/cgroup/cgroup.controllers",
        "holds {cgroup_controllers}, and without cpu, io, memory and pids Docker drops those limits of containers with a "
        "warning; enable the controllers in the kernel or delegate them",
        "cgroups(7); moby: daemon/daemon_unix.go verifyPlatformContainerResources",
        verdict=TOLD,
    ),
    *(
        Row(
            f"realtime-{name[7:]}",
            CGROUPS,
            (_is(name.replace("-", "_")), _is("cgroup_version", 2)),
            name,
            "works only with cgroup v1, and this host has v2, with which dockerd does not start; remove it",
            "moby: daemon/daemon_unix.go initCPURtController",
            by=BY_DAEMON,
        )
        for name in ("cpu-rt-period", "cpu-rt-runtime")
    ),
    Row(
        "layers-on-overlay",
        FILESYSTEMS,
        (_is("layers_on", "overlay"), _WITH_OVERLAY),
        "data-root",
        "lies on an overlay filesystem, on which overlay2 does not work; give overlay2 or the data-root a filesystem in docker_storage_layout",
        "moby: daemon/graphdriver/overlayutils SupportsOverlay; docs: engine/storage/drivers/select-storage-driver",
    ),
    Row(
        "layers-on-unfit",
        FILESYSTEMS,
        (_one("layers_on", "nfs", "nfs4", "cifs", "smb3", "9p", "fuse", "ecryptfs", "aufs", "vfat", "exfat", "ntfs3"), _WITH_OVERLAY),
        "data-root",
        "lies on {layers_on}, which lacks what overlay needs of the filesystem below it (trusted attributes, entry types or "
        "whiteouts); give overlay2 or the data-root an XFS or ext4 in docker_storage_layout",
        "kernel: Documentation/filesystems/overlayfs (upper filesystem)",
    ),
    Row(
        "layers-on-old-zfs",
        FILESYSTEMS,
        (_is("layers_on", "zfs"), _below("zfs", 2, 2), _WITH_OVERLAY),
        "data-root",
        "lies on ZFS {zfs}, which makes no whiteouts before 2.2: dockerd starts with overlay2 and pulls fail later; upgrade "
        "ZFS, or give overlay2 a filesystem in docker_storage_layout",
        "moby#45884, openzfs#9414",
    ),
    Row(
        "layers-in-memory",
        FILESYSTEMS,
        (_one("layers_on", "tmpfs", "ramfs"),),
        "data-root",
        "lies on {layers_on}, in memory: images, containers and volumes are gone after a reboot; give the data-root a filesystem on a disk",
        "tmpfs(5)",
        verdict=TOLD,
    ),
    Row(
        "layers-without-types",
        FILESYSTEMS,
        (_is("layers_type_entries", False), _WITH_OVERLAY),
        "data-root",
        "lies on {layers_on} without types in directory entries (XFS made with ftype=0), and dockerd does not start "
        "overlay2 there; make the filesystem again with ftype=1",
        "moby: daemon/graphdriver/overlay2/overlay.go Init (SupportsDType)",
    ),
    Row(
        "quota-not-xfs",
        QUOTAS,
        (_is("quota"), _is("store", "overlay2"), _not("layers_on", "xfs")),
        "storage-opts",
        "holds overlay2.size, but the layers lie on {layers_on}, and dockerd starts with it on XFS only; use xfs in "
        "docker_storage_layout, or remove the option",
        "moby: daemon/graphdriver/overlay2/overlay.go Init",
    ),
    Row(
        "quota-no-pquota",
        QUOTAS,
        (_is("quota"), _is("store", "overlay2"), _is("layers_on", "xfs"), _lacks("layers_options", "prjquota")),
        "storage-opts",
        "holds overlay2.size, but the XFS of the layers is not mounted with pquota, and dockerd does not start; write "
        "quota: true in its entry of docker_storage_layout (for the root filesystem: rootflags=pquota)",
        "moby: daemon/internal/quota/projectquota.go; xfs(5)",
    ),
    Row(
        "quota-nodev",
        QUOTAS,
        (_is("quota"), _is("store", "overlay2"), _has("layers_options", "nodev")),
        "storage-opts",
        "holds overlay2.size, but the layers are mounted with nodev, which forbids the device node that Docker sets quotas "
        "through, and dockerd does not start; remove nodev from the options",
        "moby: daemon/internal/quota/projectquota.go makeBackingFsDev",
    ),
    Row(
        "quota-userns",
        QUOTAS,
        (_is("quota"), _is("store", "overlay2"), _is("user_namespace")),
        "storage-opts",
        "holds overlay2.size, but this host lies in a user namespace, in which Docker has no quotas and does not start; "
        "remove the option and cap the host from outside",
        "moby: daemon/internal/quota/projectquota.go NewControl",
    ),
    Row(
        "quota-containerd",
        QUOTAS,
        (_is("quota"), _is("store", "containerd")),
        "storage-opts",
        "holds overlay2.size, an option of the graph driver, which containerd's image store does not have; remove it, or "
        "set features.containerd-snapshotter to false",
        "moby: daemon/containerd",
        since="24.0",
        by=BY_DAEMON,
    ),
    Row(
        "containerd-userns",
        STORES,
        (_is("userns_remap"), _is("store", "containerd")),
        "userns-remap",
        "cannot be combined with features.containerd-snapshotter true; set the feature to false, or do without remapping",
        "moby#47377; moby: daemon/command/daemon_linux.go (29 does not start, 24 to 28 fail to build)",
        since="24.0",
        by=BY_DAEMON,
    ),
    Row(
        "containerd-own-overlay2",
        STORES,
        (_has("own", "overlay2"), _is("store", "containerd")),
        "docker_storage_layout",
        "asks for a filesystem for overlay2, but layers go to containerd's image store; ask for containerd instead, or set "
        "docker_daemon_image_store to overlay2",
        "docs: engine/storage/containerd; moby: daemon/image_store_choice.go",
        since="24.0",
    ),
    Row(
        "overlay2-own-containerd",
        STORES,
        (_has("own", "containerd"), _is("store", "overlay2")),
        "docker_storage_layout",
        "asks for a filesystem for containerd, but images lie in overlay2, so it stays nearly empty; ask for overlay2 instead",
        "docs: engine/storage/containerd",
        verdict=TOLD,
    ),
    Row(
        "store-copies-layers",
        STORES,
        (_one("store", "vfs", "native"),),
        "storage-driver",
        "is {store}, which copies every layer whole, so each container costs the room and the time of its image; use overlay2 where "
        "the filesystem can hold it",
        "docs: engine/storage/drivers/vfs-driver",
        verdict=TOLD,
    ),
    Row(
        "store-left-to-chance",
        STORES,
        (_is("store", "engine's choice"),),
        "docker_daemon_image_store",
        "is empty, so Docker 29 and newer choose by what they find: even lost+found on a new ext4 makes it overlay2, an "
        "empty XFS makes it containerd; set overlay2 or containerd",
        "moby: daemon/image_store_choice.go",
        verdict=TOLD,
        since="29.0",
    ),
    Row(
        "swarm-live-restore",
        SWARM,
        (_is("swarm"), _is("live_restore")),
        "live-restore",
        "is true on a node of a swarm, and dockerd does not start so; set it to false or leave the swarm",
        "moby: daemon/config/config_linux.go IsSwarmCompatible",
        by=BY_DAEMON,
    ),
    Row(
        "swarm-nftables",
        SWARM,
        (_is("swarm"), _is("firewall", "nftables"), _is("rules"), _is("swarm_nftables", False)),
        "firewall-backend",
        "is nftables on a node of a swarm, with which dockerd does not start; use iptables or leave the swarm",
        "moby: daemon/config/config_linux.go IsSwarmCompatible",
        by=BY_DAEMON,
    ),
    Row(
        "swarm-autolock",
        SWARM,
        (_is("swarm"), _is("swarm_locked")),
        "swarm",
        "is locked by autolock: after each restart of dockerd this manager waits for 'docker swarm unlock', so no reboot "
        "of it is unattended; keep the key where you can reach it then",
        "docs: engine/swarm/swarm_manager_locking",
        verdict=TOLD,
    ),
    Row(
        "nftables-no-forwarding",
        FIREWALL,
        (_is("firewall", "nftables"), _is("rules"), _is("forwarding"), _is("ip_forward", False)),
        "net.ipv4.ip_forward",
        "is 0, and with firewall-backend nftables dockerd does not switch it on but does not start; set the sysctl to 1",
        "moby: daemon/libnetwork/drivers/bridge/setup_ip_forwarding.go checkIPv4Forwarding",
        since="29.0",
    ),
    Row(
        "nftables-forward-drop",
        FIREWALL,
        (_is("firewall", "nftables"), _is("rules"), _is("forward_policy", "DROP")),
        "iptables",
        "drops what its chain FORWARD does not accept, and with firewall-backend nftables dockerd accepts nothing there, so "
        "containers reach nobody; set the policy to ACCEPT and drop in a table of your own",
        "docs: engine/network/firewall-nftables; moby: daemon/libnetwork/drivers/bridge/internal/iptabler/cleaner.go",
        verdict=TOLD,
        since="29.0",
    ),
    Row(
        "apparmor-no-parser-old",
        MODULES,
        (_is("apparmor"), _is("apparmor_parser", False)),
        "AppArmor",
        "is enforced by the kernel, but apparmor_parser is not installed, and this Docker, depending on its build, starts no "
        "container or runs all unconfined; install the package apparmor",
        "moby: daemon/apparmor_default.go of 20.10 and 23.0.1; runc: libcontainer/apparmor IsEnabled",
        removed="23.0.2",
    ),
    Row(
        "apparmor-no-parser",
        MODULES,
        (_is("apparmor"), _is("apparmor_parser", False)),
        "AppArmor",
        "is enforced by the kernel, but apparmor_parser is not installed, so Docker runs every container unconfined and "
        "says nothing; install the package apparmor and restart dockerd",
        "containerd: pkg/apparmor HostSupports (in moby from 23.0.2); moby: daemon/apparmor_default.go",
        verdict=TOLD,
        since="23.0.2",
    ),
    Row(
        "selinux-asked-without",
        MODULES,
        (_is("selinux_enabled"), _is("selinux", "off")),
        "selinux-enabled",
        "is true on a host without SELinux, which dockerd answers with one warning in its log and containers without "
        "labels; set docker_daemon_selinux to auto, or boot with SELinux",
        "moby: daemon/daemon_unix.go configureKernelSecuritySupport",
        by=BY_DAEMON,
    ),
    Row(
        "selinux-asked-without-policy",
        MODULES,
        (_is("selinux_enabled"), _not("selinux", "off"), _is("selinux_policy", False)),
        "selinux-enabled",
        "is true, but the policy for containers is missing, so containers get no label and run with the daemon's rights; "
        "install container-selinux first",
        "go-selinux: loadLabels (lxc_contexts)",
        by=BY_DAEMON,
    ),
    Row(
        "selinux-unused",
        MODULES,
        (_is("selinux", "enforcing"), _is("selinux_policy"), _is("selinux_enabled", False)),
        "selinux-enabled",
        "is false on a host that enforces SELinux, so nothing but ids separates containers from one another and the host; "
        "set docker_daemon_selinux to auto",
        "docs: engine/daemon (selinux-enabled); container_selinux(8)",
        verdict=TOLD,
    ),
    Row(
        "selinux-no-policy",
        MODULES,
        (_is("selinux", "enforcing"), _is("selinux_policy", False), _is("selinux_enabled", False)),
        "SELinux",
        "is enforced, but the policy for containers is missing, so Docker runs without labels; install container-selinux",
        "container_selinux(8)",
        verdict=TOLD,
    ),
    Row(
        "selinux-own-filesystems",
        MODULES,
        (_one("selinux", "enforcing", "permissive"), _is("selinux_enabled"), _not("own", ())),
        "docker_storage_layout",
        "makes filesystems on a host with SELinux, and a new filesystem has no labels: run restorecon -R on the mount "
        "points, after semanage fcontext -a -e /var/lib/docker for a data-root elsewhere",
        "restorecon(8), semanage-fcontext(8), container_selinux(8)",
        verdict=TOLD,
    ),
    Row(
        "runc-time-namespaces",
        RUNTIMES,
        (_below("runc", 1, 2), _from("kernel", 5, 6), _is("time_namespaces")),
        "runc",
        "is {runc}, but this Docker gives each container a time namespace, which runc knows from 1.2 on, so no container "
        "starts; upgrade runc, or set features.time-namespaces to false",
        "moby: daemon/pkg/oci/defaults.go, moby#52326; runc 1.2.0: release notes",
        since="29.5",
    ),
    Row(
        "runc-unfixed",
        RUNTIMES,
        (_unfixed("runc", _RUNC_FIXES),),
        "runc",
        "is {runc}, and containers could break out of it by CVE-2025-31133, CVE-2025-52565 or CVE-2025-52881 until upstream's "
        "1.2.8, 1.3.3 and 1.4.0; see in the distribution's tracker whether it has the fixes",
        "runc: security advisories of November 2025",
        verdict=TOLD,
    ),
    Row(
        "containerd-unfixed",
        RUNTIMES,
        (_unfixed("containerd", _CONTAINERD_FIXES),),
        "containerd",
        "is {containerd}, with CVE-2024-25621 (directories that all users can enter) and CVE-2025-64329 until upstream's "
        "1.7.29, 2.0.7, 2.1.5 and 2.2.0; see in the distribution's tracker whether it has the fixes",
        "containerd: security advisories of November 2025",
        verdict=TOLD,
    ),
)


def by(judge: str) -> tuple[Row, ...]:
    """Return the rows that BY_DAEMON or BY_HOST judges."""
    return tuple(row for row in ROWS if row.by == judge)


def asked_of_daemon(config: t.Mapping[str, t.Any], version: Version | None) -> dict[str, t.Any]:
    """Return the dimensions that a configuration of the daemon decides; values of a wrong type count as absent.

    Args:
        config: what daemon.json holds, the keys that pin the image store included.
        version: of the engine that reads it, None where that is not known.
    """
    features = _of_type(config, "features", dict, {})
    options = [option for option in _of_type(config, "storage-opts", list, []) if isinstance(option, str)]
    return {
        "userns_remap": bool(_of_type(config, "userns-remap", str, "")),
        "store": _store(config, features, version),
        "quota": any(option.lower().startswith("overlay2.size=") for option in options),
        "live_restore": _of_type(config, "live-restore", bool, False),
        "firewall": _of_type(config, "firewall-backend", str, "") or "iptables",
        "rules": _of_type(config, "iptables", bool, True),
        "forwarding": _of_type(config, "ip-forward", bool, True),
        "swarm_nftables": features.get("swarm-nftables") is True,
        "time_namespaces": features.get("time-namespaces") is not False,
        "cpu_rt_period": bool(config.get("cpu-rt-period")),
        "cpu_rt_runtime": bool(config.get("cpu-rt-runtime")),
        "selinux_enabled": _of_type(config, "selinux-enabled", bool, False),
    }


def _store(config: t.Mapping[str, t.Any], features: t.Mapping[str, t.Any], version: Version | None) -> str | None:
    """As moby's daemon/image_store_choice.go decides before it looks at the disk."""
    explicit = features.get("containerd-snapshotter")
    if explicit is True:
        return "containerd"
    if explicit is False or config.get("userns-remap") or config.get("storage-driver"):
        driver = config.get("storage-driver") or "overlay2"
        return driver if isinstance(driver, str) else "overlay2"
    if version is None:
        return None
    return "engine's choice" if within(version, "29.0") else "overlay2"


def _of_type(config: t.Mapping[str, t.Any], key: str, kind: type, otherwise: t.Any) -> t.Any:
    value = config.get(key)
    return value if isinstance(value, kind) else otherwise
