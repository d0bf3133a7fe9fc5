# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a daemon configuration, as far as its values, the engine's release and a few facts can tell.

PRIVATE to the collection: no stability is promised to other users.

This is on purpose stricter than ``dockerd --validate``, which accepts most of what later keeps the daemon from starting
or is silently ignored (nested unknown sections, log options, address pools, drivers, contradictions between keys).
Sources: moby daemon/config (Validate, findConfigurationConflicts), daemon/daemon_unix.go (verifyDaemonSettings),
daemon/image_store_choice.go. Whole subsystems that exclude one another (swarm, image store, ...) are in exclusion_rows.py.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    daemon_json,
    daemon_keys,
    daemon_values,
    exclusion_rows,
    exclusions,
    log_drivers,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_keys import KEYS
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_values import Finding
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import Version, within


@dataclasses.dataclass(frozen=True)
class Context:
    """Facts of the host that decide whether a value can be.

    Attributes:
        swarm: whether the host is a node of a swarm.
        cgroup_driver: the driver that the engine chooses by itself, systemd or cgroupfs.
        cgroup_version: 1 or 2, or 0 where that is not known.
        open_files_limit: the most files that a container can be allowed to open, or 0 where dockerd may raise the limit.
        selinux: enforcing, permissive or off, None where that is not known; selinux_policy: whether it knows containers.
        log_drivers: names that the running engine says it has, plugins included; empty where none runs.
    """

    swarm: bool = False
    cgroup_driver: str = "systemd"
    cgroup_version: int = 0
    open_files_limit: int = 0
    selinux: str | None = None
    selinux_policy: bool | None = None
    log_drivers: tuple[str, ...] = ()


Config = t.Mapping[str, t.Any]
_Rule = t.Callable[[Config, Version, Context], t.Iterator[Problem]]


def problems(config: Config, version: Version, context: Context = Context()) -> list[Problem]:
    """Return every reason not to give a configuration to an engine of a release; none when it can be used.

    Args:
        config: the whole configuration, as daemon.json would hold it.
        version: of the engine that shall read it.
        context: what the host has.

    Returns:
        Problems whose ``where`` is the path of a key, such as ``log-opts.max-size``.
    """
    found: list[Problem] = []
    sound: dict[str, t.Any] = {}
    for name, value in config.items():
        findings = _key_problems(name, value, version)
        found += [Problem(daemon_json.path_text((name, *path)), message) for path, message in findings]
        if not findings:
            sound[name] = value
    # What relates keys to each other looks only at values that are right in themselves: one mistake, one message.
    for rule in _RULES:
        found += rule(sound, version, context)
    return found


def _key_problems(name: str, value: t.Any, version: Version) -> list[Finding]:
    known = _unusable(name, value, version)
    if known:
        return [Finding((), known)]
    key = KEYS[name]
    # The messages about log options name the option, so only the shape of the whole is judged here.
    if not (name == "log-opts" and isinstance(value, dict)):
        wrong = list(daemon_values.kind_findings(key.kind, value))
        if wrong:
            return wrong
    if key.choices and value not in key.choices:
        return [
            Finding(
                (),
                f"is {daemon_values.describe(value)}, but only "
                f"{', '.join(choice or '(empty)' for choice in key.choices)} exist",
            )
        ]
    return list(key.check(value, version)) if key.check else []


def _unusable(name: str, value: t.Any, version: Version) -> str:
    """Return why a release does not read a key at all, or an empty string."""
    if name in daemon_keys.NEVER_READ:
        return f"has no effect in daemon.json: {daemon_keys.NEVER_READ[name]}"
    key = KEYS.get(name)
    if key is None:
        return _unknown(name, value, version)
    if not within(version, key.since):
        return f"came with Docker {key.since}, but {version} is installed; remove it or upgrade the engine"
    if not key.known_to(version):
        return f"left with Docker {key.removed}, and {version} is installed; remove it" + (
            f": {key.note}" if key.note else ""
        )
    return ""


def _unknown(name: str, value: t.Any, version: Version) -> str:
    if name.lower() in KEYS:
        return f"is unknown: keys are written in lower case; write {name.lower()}"
    known = [key.name for key in KEYS.values() if key.known_to(version)]
    inner = [field for field in value if field in KEYS] if isinstance(value, dict) else []
    if inner:
        return (
            f"is no section of daemon.json, and of the keys in it ({', '.join(inner)}) dockerd applies the switches and "
            "ignores the rest without a word; move them to the top level"
        )
    near = difflib.get_close_matches(name.lower().replace("_", "-"), known, n=1, cutoff=0.7)
    singular = next((key.name for key in KEYS.values() if name and key.flag == name and key.known_to(version)), "")
    guess = singular or (near[0] if near else "")
    return f"is no key of daemon.json in Docker {version}" + (f"; did you mean {guess}" if guess else "; remove it")


def _logging(config: Config, version: Version, context: Context) -> t.Iterator[Problem]:
    if "log-driver" in config or "log-opts" in config:
        driver = config.get("log-driver") or "json-file"
        if f"{driver}:latest" in context.log_drivers:
            # The engine adds the tag itself (moby pkg/plugingetter, with distribution/reference).
            driver += ":latest"
        for path, message in log_drivers.problems(driver, config.get("log-opts", {}), version):
            yield Problem(path, message)


def _features(config: Config, version: Version, _context: Context) -> t.Iterator[Problem]:
    for name in config.get("features", {}):
        since = daemon_keys.FEATURES.get(name)
        if since is None:
            near = difflib.get_close_matches(name, daemon_keys.FEATURES, n=1)
            yield Problem(
                f"features.{name}",
                "is no feature of the engine, which would ignore it; "
                + (f"did you mean {near[0]}" if near else "remove it"),
            )
        elif not within(version, since[0]):
            yield Problem(
                f"features.{name}",
                f"came with Docker {since[0]}, but {version} is installed, which would ignore it; remove it",
            )


def _image_store(config: Config, version: Version, _context: Context) -> t.Iterator[Problem]:
    driver = config.get("storage-driver", "")
    store = config.get("features", {}).get("containerd-snapshotter")
    span = daemon_keys.GRAPH_DRIVERS.get(driver)
    known = ", ".join(name for name, span in daemon_keys.GRAPH_DRIVERS.items() if within(version, *span))
    if store is True and driver:
        if span is not None and driver not in daemon_keys.SNAPSHOTTERS:
            yield Problem(
                "storage-driver",
                f"is '{driver}', which the containerd image store (features.containerd-snapshotter true) does not "
                "have; remove it or set the feature to false",
            )
        elif driver not in daemon_keys.SNAPSHOTTERS:
            yield Problem(
                "storage-driver",
                f"is '{driver}', which is no snapshotter of containerd; known are "
                f"{', '.join(daemon_keys.SNAPSHOTTERS)}",
            )
    elif driver and span is None:
        # Since 29 a name that is no graph driver chooses the containerd store with a snapshotter of that name.
        if not (store is None and within(version, "29.0") and driver in daemon_keys.SNAPSHOTTERS):
            yield Problem("storage-driver", f"is '{driver}', which Docker {version} does not have; known are {known}")
    elif span is not None and not within(version, *span):
        yield Problem(
            "storage-driver",
            f"is '{driver}', which left with Docker {span[1]}, and {version} is installed; use overlay2",
        )
    for place, option in enumerate(config.get("storage-opts", [])):
        where = f"storage-opts[{place}]"
        name = option.partition("=")[0]
        owners = [
            owner
            for owner, options in daemon_keys.STORAGE_OPTIONS.items()
            if name in options and within(version, "", options[name])
        ]
        # These two are never chosen by the engine itself, so their options need the name of the driver.
        if not owners or (not driver and owners[0] in ("vfs", "devicemapper")):
            yield Problem(
                where, f"holds '{name}', which is no option of a storage driver of Docker {version}; remove it"
            )
        elif driver and driver not in owners:
            yield Problem(where, f"holds '{name}', which is no option of the storage driver {driver}; remove it")


def _cgroups(config: Config, _version: Version, context: Context) -> t.Iterator[Problem]:
    parent = config.get("cgroup-parent", "")
    chosen = [entry.partition("=")[2] for entry in config.get("exec-opts", [])]
    driver = chosen[0] if chosen else context.cgroup_driver
    is_slice = parent.endswith(".slice") and len(parent) > len(".slice") and "/" not in parent
    if parent and driver == "systemd" and not is_slice:
        yield Problem(
            "cgroup-parent",
            f"is '{parent}', but with the systemd cgroup driver it must be the name of a slice, such as docker.slice, "
            "or dockerd does not start",
        )


def _excluded(config: Config, version: Version, context: Context) -> t.Iterator[Problem]:
    """What excludes what, as far as it takes no more of the host than the context: the rows say it."""
    known = exclusion_rows.asked_of_daemon(config, version)
    known["swarm"] = context.swarm
    known["cgroup_version"] = context.cgroup_version or None
    known["selinux"] = context.selinux
    known["selinux_policy"] = context.selinux_policy
    rows = exclusion_rows.by(exclusions.BY_DAEMON)
    yield from exclusions.judge(rows, known, version, exclusion_rows.DIMENSIONS).refused


def _network(config: Config, version: Version, _context: Context) -> t.Iterator[Problem]:
    ip6tables = config.get("ip6tables", daemon_keys.default_of(KEYS["ip6tables"], version))
    if config.get("icc") is False and config.get("iptables") is False:
        yield Problem(
            "icc",
            "is false while iptables is false, and dockerd does not start so; let the engine manage its rules "
            "(iptables true)",
        )
    if (
        config.get("icc") is False
        and config.get("ipv6")
        and config.get("iptables", True)
        and not ip6tables
        and within(version, "27.0")
    ):
        yield Problem(
            "icc", "is false with ipv6 while ip6tables is false, and dockerd does not start so; set ip6tables to true"
        )
    if config.get("ip6tables") and not within(version, "27.0") and not config.get("experimental"):
        yield Problem(
            "ip6tables",
            f"needs experimental on Docker {version}, or dockerd does not start; remove it or upgrade the engine to "
            "27.0",
        )
    for name in ("bip", "bip6"):
        if config.get("bridge") and config.get(name):
            yield Problem(name, "excludes bridge, and dockerd does not start with both; keep one of the two")
    pools = config.get("default-address-pools", [])
    only_ipv6 = pools and all(ipaddress.ip_interface(pool["base"]).version == 6 for pool in pools)
    if only_ipv6 and not any(config.get(name) for name in ("bip", "bridge", "fixed-cidr")):
        yield Problem(
            "default-address-pools",
            "holds no IPv4 pool, which leaves none for the default bridge, and dockerd does not start so; add one",
        )
    if "host-gateway-ip" in config and "host-gateway-ips" in config:
        yield Problem(
            "host-gateway-ip",
            "is the old name of host-gateway-ips, and dockerd does not start with both; keep host-gateway-ips",
        )


def _lies_within(inner: t.Any, outer: t.Any) -> bool:
    # subnet_of compares networks of one version only, which types cannot say.
    return inner.version == outer.version and bool(inner.subnet_of(outer))


def _default_bridge(config: Config, version: Version, _context: Context) -> t.Iterator[Problem]:
    if config.get("ipv6") and not config.get("fixed-cidr-v6") and not within(version, "27.0"):
        yield Problem(
            "ipv6",
            f"needs fixed-cidr-v6 on Docker {version}, or dockerd does not start; name a subnet, such as fd00:26::/64",
        )
    for address, gateway in (("bip", "default-gateway"), ("bip6", "default-gateway-v6")):
        own = ipaddress.ip_interface(config[address]).ip if config.get(address) else None
        if own and config.get(gateway) and own == ipaddress.ip_address(config[gateway]):
            yield Problem(
                gateway,
                f"is {config[gateway]}, which {address} gives to the bridge itself, and dockerd does not start so; remove it, as "
                "the bridge is the gateway then",
            )
    # With live-restore dockerd leaves the bridge alone while containers run: such a mistake waits for the next boot.
    for address, inside in (("bip", ("fixed-cidr", "default-gateway")), ("bip6", ("fixed-cidr-v6", "default-gateway-v6"))):
        if not config.get(address):
            continue
        network = ipaddress.ip_interface(config[address]).network
        for name in inside:
            part = ipaddress.ip_interface(config[name]).network if config.get(name) else network
            if not _lies_within(part, network):
                yield Problem(
                    name,
                    f"is {config[name]}, which lies outside of {network}, the network of {address}, and dockerd does not start so; "
                    f"choose one inside, or change {address}",
                )
    if config.get("userland-proxy") is True and not config.get("userland-proxy-path") and within(version, "25.0"):
        # SIGHUP reads the file alone, without the path that a start looks up (moby config.Reload, verifyUserlandProxyConfig).
        yield Problem(
            "userland-proxy",
            f"is true without userland-proxy-path, and Docker {version} refuses every SIGHUP so; remove it, as true is "
            "the default",
        )
    if config.get("mtu") and not 68 <= config["mtu"] <= 65535:
        yield Problem("mtu", f"is {config['mtu']}, but a bridge carries packets of 68 to 65535 bytes; try 1500")


def _together(config: Config, _version: Version, _context: Context) -> t.Iterator[Problem]:
    if config.get("graph") and config.get("data-root"):
        yield Problem("graph", "is the old name of data-root, and dockerd does not start with both; keep data-root")
    if config.get("cri-containerd") and config.get("features", {}).get("embedded-containerd"):
        yield Problem(
            "cri-containerd", "excludes features.embedded-containerd, and dockerd does not start with both; keep one of the two"
        )


def _devices(config: Config, version: Version, _context: Context) -> t.Iterator[Problem]:
    # A preview until 28.2, then switched on unless it is switched off (moby cmd/dockerd/daemon.go).
    if config.get("cdi-spec-dirs") and not config.get("features", {}).get("cdi", within(version, "28.2")):
        yield Problem(
            "cdi-spec-dirs",
            f"is ignored by Docker {version} as long as features.cdi is not true; set it, or remove the key",
        )


def _discovery(config: Config, _version: Version, _context: Context) -> t.Iterator[Problem]:
    if config.get("cluster-advertise") and not config.get("cluster-store"):
        yield Problem("cluster-advertise", "needs cluster-store, and dockerd does not start without; use swarm mode")


def _ulimits(config: Config, _version: Version, context: Context) -> t.Iterator[Problem]:
    hard = config.get("default-ulimits", {}).get("nofile", {}).get("Hard", 0)
    if context.open_files_limit and hard > context.open_files_limit:
        yield Problem(
            "default-ulimits.nofile",
            f"has the hard limit {hard}, but this host has {context.open_files_limit} itself and lacks CAP_SYS_RESOURCE to raise it, "
            f"so no container would start; ask for at most {context.open_files_limit}",
        )


def _listeners(config: Config, _version: Version, _context: Context) -> t.Iterator[Problem]:
    for place, entry in enumerate(config.get("hosts", [])):
        if entry.startswith("tcp://") and not config.get("tlsverify"):
            yield Problem(
                f"hosts[{place}]",
                f"serves the API on {entry} without tlsverify, which gives root to everybody who reaches it; set "
                "tlsverify with tlscacert, tlscert and tlskey",
            )
    # Even false switches TLS on (moby daemon/command/daemon.go: "if they specify TLSVerify at all").
    asked = [name for name in ("tlsverify", "tls") if config.get(name) or (name == "tlsverify" and name in config)]
    if asked:
        shown = f"{asked[0]} is {daemon_values.describe(config[asked[0]])}"
        for name in ("tlscacert", "tlscert", "tlskey") if config.get("tlsverify") else ("tlscert", "tlskey"):
            if not config.get(name):
                also = "; name the file" if config[asked[0]] else f", which asks for TLS all the same; remove {asked[0]} or name the file"
                yield Problem(name, f"is missing while {shown}{also}")


def _runtimes(config: Config, version: Version, _context: Context) -> t.Iterator[Problem]:
    default = config.get("default-runtime", "")
    # moby daemon/runtime_unix.go, isPermissibleC8dRuntimeName.
    shims = "." in default and "/" not in default and not default.startswith(".") and within(version, "23.0")
    if (
        default
        and default not in ("runc", "io.containerd.runc.v2")
        and not shims
        and default not in config.get("runtimes", {})
    ):
        yield Problem("default-runtime", f"is '{default}', which runtimes does not hold; add it there or use runc")
    elif default not in ("", "runc", *config.get("runtimes", {})) and not within(version, "23.0"):
        # moby v20.10.24 daemon/info_unix.go, fillPlatformInfo: the runtime is looked up by name and not found.
        yield Problem(
            "default-runtime",
            f"is '{default}', a shim that runtimes does not hold, and Docker before 23.0 ends at SIGHUP and answers no "
            "info with it; use runc, or give it a name in runtimes",
        )


def _seccomp(config: Config, version: Version, _context: Context) -> t.Iterator[Problem]:
    if config.get("seccomp-profile") in ("builtin", "") and "seccomp-profile" in config and not within(version, "23.0"):
        yield Problem(
            "seccomp-profile",
            f"is '{config['seccomp-profile']}', which Docker {version} takes for the name of a file; remove the key "
            "to use the engine's own profile",
        )


def _plugins(config: Config, _version: Version, _context: Context) -> t.Iterator[Problem]:
    for place, name in enumerate(config.get("authorization-plugins", [])):
        if not name or "/" in name and ":" not in name:
            yield Problem(
                f"authorization-plugins[{place}]",
                f"holds '{name}', which is no name of a plugin; an unknown plugin stops the daemon, so name one "
                "that is installed",
            )


_RULES: tuple[_Rule, ...] = (
    _logging,
    _features,
    _image_store,
    _cgroups,
    _excluded,
    _network,
    _default_bridge,
    _together,
    _devices,
    _discovery,
    _ulimits,
    _listeners,
    _runtimes,
    _seccomp,
    _plugins,
)
