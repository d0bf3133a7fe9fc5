# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Every key of daemon.json as data: what it holds, which engines know it, and what changing it costs.

PRIVATE to the collection: no stability is promised to other users.

Sources: the json tags of moby's daemon/config/config.go and config_linux.go and daemon/pkg/registry/config.go (before
29: registry/config.go), the flags of daemon/command/config.go and config_unix.go (before 29: cmd/dockerd), and the
reload path of daemon/reload.go and reload_unix.go, compared tag by tag from v20.10.24 to docker-v29.7.2.

Adding a key is one entry here, and one check in daemon_values where its kind does not say everything.
"""

from __future__ import annotations

import copy
import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_values as values
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import Version, within

#: How a change gets to the daemon: it reads the key again on SIGHUP, or only when it starts.
RELOAD = "reload"
RESTART = "restart"
#: What an absent key does on SIGHUP: the daemon keeps the old value, or goes back to its default.
KEEPS = "keeps"
RESETS = "resets"
#: Whom a change reaches once the daemon has it: the daemon itself at once, containers at their next start, only
#: containers created later, or only networks created later. The default bridge is set up when the daemon starts while
#: no container runs, and stays as it is where containers live through a restart (moby daemon/daemon_unix.go,
#: initNetworkController).
DAEMON = "daemon"
BRIDGE = "bridge"
STARTED = "started"
CREATED = "created"
NETWORKS = "networks"
#: The key has no flag of its own.
NO_FLAG = "(none)"


@dataclasses.dataclass(frozen=True)
class Key:
    """One key of daemon.json.

    Attributes:
        kind: what the value is; one of the kinds of daemon_values.KINDS.
        default: the engine's own value where the key is absent; None where it has none or computes it.
        default_since: for keys whose default changed, the release and the new default; see also default_of.
        apply: RELOAD or RESTART; see also apply_of.
        reload_until: for keys that can be reloaded, the release from which they no longer can.
        absent: KEEPS or RESETS, for keys that can be reloaded.
        reset: for keys that can be reloaded, the value to write so that SIGHUP brings the default back; None where it
            depends on the host.
        reaches: DAEMON, BRIDGE, STARTED, CREATED or NETWORKS.
        since, removed: the releases that brought and dropped the key; empty for before 20.10 and for never.
        flag: dockerd's long flag for the same setting, without dashes; empty where it is the key's name, NO_FLAG where
            there is none.
        short: dockerd's short flag, one letter.
        members: whether the value is a map whose members may belong to different owners.
        choices: the only values, where there are few.
        check: finds what the kind cannot: called with the value and the release, yields findings.
        note: why the key is refused on releases without it.
    """

    name: str
    kind: str = values.STRING
    default: t.Any = None
    apply: str = RESTART
    absent: str = KEEPS
    reset: t.Any = None
    reaches: str = DAEMON
    reload_until: str = ""
    since: str = ""
    removed: str = ""
    flag: str = ""
    short: str = ""
    default_since: tuple[str, t.Any] | None = None
    members: bool = False
    choices: tuple[str, ...] = ()
    check: values.Check | None = None
    note: str = ""

    def known_to(self, version: Version) -> bool:
        """Tell whether a release accepts the key."""
        return within(version, self.since, self.removed)


_ENTRIES = (
    # The daemon itself.
    Key("data-root", values.PATH, "/var/lib/docker"),
    Key("exec-root", values.PATH, "/var/run/docker"),
    Key("pidfile", values.PATH, "/var/run/docker.pid", short="p"),
    Key("group", values.STRING, "docker", short="G"),
    Key("hosts", values.STRINGS, flag="host", short="H", check=values.check_hosts),
    Key("tls", values.BOOL, False),
    Key("tlsverify", values.BOOL, False),
    Key("tlscacert", values.PATH),
    Key("tlscert", values.PATH),
    Key("tlskey", values.PATH),
    Key("debug", values.BOOL, False, RELOAD, reset=False, short="D"),
    Key(
        "log-level",
        values.STRING,
        "info",
        short="l",
        choices=("trace", "debug", "info", "warn", "error", "fatal", "panic"),
    ),
    Key("log-format", values.STRING, "text", since="25.0", choices=("text", "json")),
    Key("raw-logs", values.BOOL, False),
    Key("labels", values.STRINGS, [], RELOAD, reset=[], flag="label", check=values.check_labels),
    Key("experimental", values.BOOL, False),
    Key("features", values.BOOL_MAP, {}, RELOAD, RESETS, {}, members=True, flag="feature"),
    Key("metrics-addr", values.STRING, "", check=values.check_metrics),
    Key(
        "min-api-version",
        values.STRING,
        "1.44",
        since="29.0",
        flag=NO_FLAG,
        default_since=("29.3", "1.40"),
        check=values.check_min_api,
    ),
    Key("authorization-plugins", values.STRINGS, [], RELOAD, RESETS, [], flag="authorization-plugin"),
    Key(
        "node-generic-resources",
        values.STRINGS,
        [],
        flag="node-generic-resource",
        check=values.check_resources,
    ),
    Key("swarm-default-advertise-addr", values.STRING, ""),
    Key("proxies", values.STRUCTURED, since="23.0", check=values.check_proxies),
    Key("rootless", values.BOOL, False, check=values.check_rootless),
    Key("selinux-enabled", values.BOOL, False),
    Key("live-restore", values.BOOL, False, RELOAD, reset=False),
    Key("shutdown-timeout", values.INT, 15, RELOAD, reset=15, check=values.check_not_zero),
    Key("oom-score-adjust", values.INT, removed="26.0", check=values.check_oom_score, note="set OOMScoreAdjust= in the unit instead"),
    # Registries and transfers.
    Key(
        "insecure-registries",
        values.STRINGS,
        [],
        RELOAD,
        reset=[],
        flag="insecure-registry",
        check=values.check_insecure,
    ),
    Key(
        "registry-mirrors",
        values.STRINGS,
        [],
        RELOAD,
        reset=[],
        flag="registry-mirror",
        check=values.check_mirrors,
    ),
    Key("max-concurrent-downloads", values.COUNT, 3, RELOAD, RESETS, 3, check=values.check_not_zero),
    Key("max-concurrent-uploads", values.COUNT, 5, RELOAD, RESETS, 5, check=values.check_not_zero),
    Key("max-download-attempts", values.COUNT, 5, RELOAD, RESETS, 5, check=values.check_not_zero),
    Key(
        "allow-nondistributable-artifacts",
        values.STRINGS,
        [],
        RELOAD,
        reset=[],
        reload_until="28.0",
        removed="28.1",
        note="the engine ignores it: artifacts are always pushed",
    ),
    # Storage and runtimes.
    Key("storage-driver", values.STRING, "", short="s"),
    Key("storage-opts", values.STRINGS, [], flag="storage-opt", check=values.check_storage_options),
    Key("containerd", values.STRING, ""),
    Key("containerd-namespace", values.STRING, "moby", check=values.check_namespace),
    Key("cri-containerd", values.BOOL, False),
    Key("builder", values.STRUCTURED, flag=NO_FLAG, check=values.check_builder),
    Key("cdi-spec-dirs", values.STRINGS, ["/etc/cdi", "/var/run/cdi"], since="25.0", flag="cdi-spec-dir", check=values.check_spec_dirs),
    Key("nri-opts", values.STRUCTURED, None, RELOAD, RESETS, {}, since="29.2", flag="nri-opts", check=values.check_nri),
    Key("runtimes", values.STRUCTURED, {}, RELOAD, reset={}, members=True, flag="add-runtime", check=values.check_runtimes),
    Key("default-runtime", values.STRING, "runc", RELOAD, reset="runc", reaches=CREATED),
    Key("exec-opts", values.STRINGS, [], flag="exec-opt", check=values.check_exec_opts),
    Key("init", values.BOOL, False, reaches=STARTED),
    Key("init-path", values.PATH, ""),
    Key("cgroup-parent", values.STRING, "", reaches=STARTED),
    Key("cpu-rt-period", values.INT, 0),
    Key("cpu-rt-runtime", values.INT, 0),
    # What containers get.
    Key("userns-remap", values.STRING, "", reaches=CREATED, check=values.check_userns),
    Key("no-new-privileges", values.BOOL, False, reaches=CREATED),
    Key("seccomp-profile", values.STRING, reaches=STARTED, check=values.check_seccomp_path),
    Key(
        "default-ulimits",
        values.STRUCTURED,
        {},
        members=True,
        flag="default-ulimit",
        reaches=STARTED,
        check=values.check_ulimits,
    ),
    Key("default-shm-size", values.SIZE, "64M", RELOAD, reset="64M", reaches=CREATED),
    Key("default-ipc-mode", values.STRING, "private", RELOAD, reset="private", reaches=CREATED, choices=("private", "shareable")),
    Key("default-cgroupns-mode", values.STRING, None, RELOAD, reaches=CREATED, choices=("private", "host")),
    Key("default-stop-timeout", values.INT, 10, RELOAD, reset=10, since="29.7", reaches=CREATED, check=values.check_positive),
    Key("log-driver", values.STRING, "json-file", reaches=CREATED),
    Key("log-opts", values.STRING_MAP, {}, flag="log-opt", reaches=CREATED),
    # Network.
    Key("bridge", values.STRING, "", short="b", reaches=BRIDGE),
    Key("bip", values.CIDR, "", reaches=BRIDGE, check=values.check_bridge_address),
    Key("bip6", values.CIDR, "", since="28.0", reaches=BRIDGE, check=values.check_ipv6_network),
    Key("fixed-cidr", values.CIDR, "", reaches=BRIDGE, check=values.check_ipv4),
    Key("fixed-cidr-v6", values.CIDR, "", reaches=BRIDGE, check=values.check_ipv6_network),
    Key("default-gateway", values.IP, "", reaches=BRIDGE, check=values.check_ipv4),
    Key("default-gateway-v6", values.IP, "", reaches=BRIDGE, check=values.check_ipv6),
    Key("mtu", values.COUNT, 1500, reaches=BRIDGE, check=values.check_not_zero),
    Key("network-control-plane-mtu", values.COUNT, 1500, check=values.check_not_zero),
    Key("ip", values.IP, "0.0.0.0", reaches=BRIDGE),
    Key("icc", values.BOOL, True, reaches=BRIDGE),
    Key("ipv6", values.BOOL, False, reaches=BRIDGE),
    Key("iptables", values.BOOL, True),
    Key("ip6tables", values.BOOL, False, default_since=("27.0", True)),
    Key("ip-forward", values.BOOL, True),
    Key("ip-forward-no-drop", values.BOOL, False, since="28.0"),
    Key("ip-masq", values.BOOL, True, reaches=BRIDGE),
    Key("userland-proxy", values.BOOL, True),
    Key("userland-proxy-path", values.PATH),
    Key("allow-direct-routing", values.BOOL, False, since="28.2"),
    Key("firewall-backend", values.STRING, "", since="29.0", choices=("", "iptables", "nftables")),
    Key("bridge-accept-fwmark", values.STRING, "", since="29.0", check=values.check_fwmark),
    Key(
        "default-address-pools",
        values.STRUCTURED,
        flag="default-address-pool",
        reaches=NETWORKS,
        check=values.check_address_pools,
    ),
    Key(
        "default-network-opts",
        values.STRUCTURED,
        {},
        since="24.0",
        members=True,
        flag="default-network-opt",
        reaches=NETWORKS,
        check=values.check_network_opts,
    ),
    Key("network-diagnostic-port", values.COUNT, 0, RELOAD, RESETS, 0, check=values.check_port),
    Key("dns", values.IPS, [], reaches=STARTED),
    Key("dns-opts", values.STRINGS, [], flag="dns-opt", reaches=STARTED),
    Key("dns-search", values.STRINGS, [], reaches=STARTED, check=values.check_search_domains),
    Key("host-gateway-ip", values.IP),
    Key("host-gateway-ips", values.IPS, since="28.0", flag="host-gateway-ip", check=values.check_gateways),
    # Gone.
    Key("graph", values.PATH, removed="24.0", short="g", note="use data-root"),
    Key(
        "api-cors-header",
        values.STRING,
        removed="28.0",
        note="put a reverse proxy before the API where a browser needs it",
    ),
    Key("cluster-store", values.STRING, removed="23.0", note="external key-value stores are gone; use swarm mode"),
    Key(
        "cluster-store-opts",
        values.STRING_MAP,
        flag="cluster-store-opt",
        removed="23.0",
        note="external key-value stores are gone; use swarm mode",
    ),
    Key("cluster-advertise", values.STRING, removed="23.0", note="external key-value stores are gone; use swarm mode"),
    Key("deprecated-key-path", values.PATH, flag=NO_FLAG, removed="24.0", note="the engine ignores it"),
)

KEYS: dict[str, Key] = {entry.name: entry for entry in _ENTRIES}

#: Names that dockerd's own check lets through or that its source carries, but that never take effect from the file.
NEVER_READ = {
    "http-proxy": "write it inside proxies; dockerd ignores it at the top level",
    "https-proxy": "write it inside proxies; dockerd ignores it at the top level",
    "no-proxy": "write it inside proxies; dockerd ignores it at the top level",
    "containerd-plugins-namespace": "dockerd accepts it and ignores it; give it as a flag in the unit",
    "containerd-plugin-namespace": "dockerd does not start with it; give --containerd-plugins-namespace in the unit",
    "resolv-conf": "dockerd does not start with it; use dns",
    "default-init": "dockerd does not start with it; use init",
    "swarm-raft-heartbeat-tick": "dockerd does not start with it; set it with docker swarm",
    "swarm-raft-election-tick": "dockerd does not start with it; set it with docker swarm",
}

#: The switches in features that an engine reads, the release that brought each, and whether SIGHUP is enough.
FEATURES: dict[str, tuple[str, str]] = {
    "buildkit": ("", RELOAD),
    "cdi": ("25.0", RESTART),
    "containerd-snapshotter": ("24.0", RESTART),
    "containerd-migration": ("29.0", RESTART),
    "time-namespaces": ("29.5", RESTART),
    "swarm-nftables": ("29.6", RESTART),
    "embedded-containerd": ("29.7", RESTART),
}

#: Graph drivers with the releases that brought and dropped them; other names are snapshotters of containerd.
GRAPH_DRIVERS: dict[str, tuple[str, str]] = {
    "overlay2": ("", ""),
    "fuse-overlayfs": ("", ""),
    "btrfs": ("", ""),
    "zfs": ("", ""),
    "vfs": ("", ""),
    "aufs": ("", "24.0"),
    "overlay": ("", "24.0"),
    "devicemapper": ("", "25.0"),
}
#: The options of each graph driver, each with the release that dropped it.
STORAGE_OPTIONS: dict[str, dict[str, str]] = {
    "overlay2": {"overlay2.size": "", "overlay2.override_kernel_check": "24.0"},
    "btrfs": {"btrfs.min_space": ""},
    "zfs": {"zfs.fsname": ""},
    "vfs": {"size": ""},
    "devicemapper": {
        f"dm.{name}": "25.0"
        for name in (
            "basesize loopdatasize loopmetadatasize fs mkfsarg mountopt metadatadev datadev thinpooldev blkdiscard blocksize "
            "override_udev_sync_check use_deferred_removal use_deferred_deletion min_free_space xfs_nospace_max_retries "
            "directlvm_device directlvm_device_force thinp_percent thinp_metapercent thinp_autoextend_percent "
            "thinp_autoextend_threshold libdm_log_level"
        ).split()
    },
}
SNAPSHOTTERS = (
    "overlayfs",
    "native",
    "btrfs",
    "zfs",
    "fuse-overlayfs",
    "stargz",
    "nydus",
    "soci",
    "erofs",
    "blockfile",
    "devmapper",
)


def default_of(key: Key, version: Version) -> t.Any:
    """Return what an absent key means to a release, or None where the engine computes it."""
    if key.default_since and within(version, key.default_since[0]):
        return key.default_since[1]
    return key.default


def apply_of(key: Key, version: Version) -> str:
    """Return RELOAD or RESTART: how a change of a key gets to a daemon of a release."""
    return RESTART if key.reload_until and within(version, key.reload_until) else key.apply


def reset_value(key: Key, version: Version, cgroup_version: int = 0) -> t.Any:
    """Return the value that brings the default of a key back on SIGHUP, or None where no value does.

    A key that the daemon KEEPS when it is absent goes back to its default only when this value is written. The caller
    leaves the value in the file, or the next SIGHUP without it keeps what was reloaded last.

    Args:
        key: one of KEYS.
        version: of the engine that runs.
        cgroup_version: 1 or 2, which decides the default of default-cgroupns-mode; 0 where it is not known.
    """
    if apply_of(key, version) != RELOAD or not key.known_to(version):
        return None
    if key.name == "default-cgroupns-mode":
        return {1: "host", 2: "private"}.get(cgroup_version)
    return copy.deepcopy(key.reset)
