# SPDX-License-Identifier: Apache-2.0
"""The configurations that are shown to real engines, at least one good and one bad for every key of daemon.json.

A case holds what it puts into the file, and how the effect of it is seen. Cases with a group share a dockerd with the
others of that group; the rest get one for themselves. Text is given where the point is not JSON's values but its letters.

    python cases.py FILE     writes the plan for the hosts
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
import typing as t

Seen = t.Mapping[str, t.Any]
Observer = t.Callable[[Seen], bool]
PLUGIN = "schema-authz"
TOGETHER = "together"
TAKEN = "taken"


@dataclasses.dataclass(frozen=True)
class Case:
    """One configuration.

    Attributes:
        key: the key that it is about.
        what: what is special about it; the key and this are its name.
        config: what the file holds.
        effect: tells from what was observed whether the value is in force; see also `by`.
        by: in words, where the effect is seen.
        group: cases of one group may share a dockerd; empty for a dockerd of its own.
        text: the file's text where it is not the plain JSON of config.
    """

    key: str
    what: str
    config: dict[str, t.Any]
    effect: Observer
    by: str
    group: str = ""
    text: str | None = None

    @property
    def name(self) -> str:
        return f"{self.key}: {self.what}"


CASES: list[Case] = []


def good(
    key: str,
    value: t.Any,
    effect: tuple[str, Observer] | None = None,
    group: str = TOGETHER,
    what: str = "",
    **more: t.Any,
) -> None:
    """A value that is meant to work; more are other keys that it needs, with underscores for dashes."""
    by, seen = effect or in_config(key, value)
    others = {name.replace("_", "-"): item for name, item in more.items()}
    CASES.append(Case(key, what or f"good {json.dumps(value)}", {key: value, **others}, seen, by, group))


def bad(
    key: str, value: t.Any, effect: tuple[str, Observer] | None = None, group: str = "", what: str = "", **more: t.Any
) -> None:
    """A value that is meant to be refused; where an engine takes it all the same, the effect tells what comes of it."""
    by, seen = effect or in_config(key, value)
    others = {name.replace("_", "-"): item for name, item in more.items()}
    CASES.append(Case(key, what or f"bad {json.dumps(value)}", {key: value, **others}, seen, by, group))


def text(what: str, content: str, effect: tuple[str, Observer] | None = None) -> None:
    """A file whose letters are the point; content holds bytes as latin-1."""
    by, seen = effect or nothing()
    CASES.append(Case("(file)", what, {}, seen, by, "", content))


# How an effect is seen.


def in_config(key: str, value: t.Any) -> tuple[str, Observer]:
    """The configuration that dockerd itself prints after SIGHUP holds the value."""

    def seen(found: Seen) -> bool:
        config = found["config"] or {}
        shown = config.get(key, _inside(config, key))
        return shown == value or (not shown and not value)

    return "the daemon's own configuration", seen


def config_holds(part: str) -> tuple[str, Observer]:
    """The configuration that dockerd itself prints holds the part somewhere."""
    return "the daemon's own configuration", lambda found: part in json.dumps(found["config"])


def info(path: str, value: t.Any) -> tuple[str, Observer]:
    """/info holds the value at the path."""
    return f"/info {path}", lambda found: _at(found["info"], path) == value


def info_holds(path: str, part: t.Any) -> tuple[str, Observer]:
    """/info holds the part somewhere below the path."""
    return f"/info {path}", lambda found: str(part) in json.dumps(_at(found["info"], path), ensure_ascii=False)


def bridge(option: str, value: str) -> tuple[str, Observer]:
    """The default bridge has an option."""
    name = f"com.docker.network.{option}"
    return f"/networks/bridge {name}", lambda found: ((found["bridge"] or {}).get("Options") or {}).get(name) == value


def bridge_holds(part: str) -> tuple[str, Observer]:
    """The default bridge has an address or a subnet."""
    return "/networks/bridge IPAM", lambda found: part in json.dumps((found["bridge"] or {}).get("IPAM"))


def listening(address: str) -> tuple[str, Observer]:
    return "a listening socket", lambda found: address in found["listening"]


def gateways(count: int) -> tuple[str, Observer]:
    """28 shows the addresses as empty strings, because copying the configuration for a reload loses what is in them."""

    def seen(found: Seen) -> bool:
        config = found["config"]
        return config.get("host-gateway-ip") == "10.0.0.9" or len(config.get("host-gateway-ips") or []) == count

    return "the number of addresses in the daemon's own configuration", seen


def nothing() -> tuple[str, Observer]:
    """There is nothing that could have an effect."""
    return "nothing to see", lambda _found: True


def never() -> tuple[str, Observer]:
    """An engine that accepts this ignores it; the source has no reader of it."""
    return "no reader in the source", lambda _found: False


def _at(value: t.Any, path: str) -> t.Any:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _inside(config: t.Mapping[str, t.Any], key: str) -> t.Any:
    return next((value[key] for value in config.values() if isinstance(value, dict) and key in value), None)


# The daemon itself.
good(
    "data-root",
    "{dir}/elsewhere",
    ("/info DockerRootDir", lambda found: found["info"]["DockerRootDir"].endswith("/elsewhere")),
)
bad("data-root", 5)
bad("data-root", "relative/place", info_holds("DockerRootDir", "relative/place"))
good("exec-root", "{dir}/elsewhere-exec", ("its directory", lambda found: "elsewhere-exec" in found["files"]))
bad("exec-root", True)
good("pidfile", "{dir}/other.pid", ("the file", lambda found: str(found["pid"]) in found["pidfiles"]))
bad("pidfile", ["/run/x"])
good("group", "daemon", ("the socket's group", lambda found: found["files"]["docker.sock"][1] == 1))
bad("group", "no-such-group")
bad("group", 5)
good("hosts", ["unix://{dir}/docker.sock"], ("an answer on the socket", lambda found: bool(found["info"])))
bad("hosts", ["unix://{dir}/docker.sock", "ftp://127.0.0.1"])
bad("hosts", ["unix://{dir}/docker.sock", "127.0.0.1:2375"], listening("127.0.0.1:2375"), what="without a scheme")
bad(
    "hosts", ["unix://{dir}/docker.sock", "tcp://127.0.0.1:2375"], listening("127.0.0.1:2375"), what="without tlsverify"
)
bad("hosts", "unix://{dir}/docker.sock", what="a string")
TLS = {"tlscacert": "/etc/schema/ca.pem", "tlscert": "/etc/schema/cert.pem", "tlskey": "/etc/schema/key.pem"}
TLS_HOSTS = ["unix://{dir}/docker.sock", "tcp://127.0.0.1:2376"]
for name in ("tlsverify", *TLS):
    value = True if name == "tlsverify" else TLS[name]
    rest = {key: item for key, item in {"tlsverify": True, **TLS, "hosts": TLS_HOSTS}.items() if key != name}
    good(name, value, listening("127.0.0.1:2376"), "tls", **rest)
    bad(name, 5 if name != "tlsverify" else "true", **rest)
    if name != "tlsverify":
        bad(name, "/etc/schema/missing.pem", what="a missing file", **rest)
good("tls", True, listening("127.0.0.1:2376"), "tls", what="with tlsverify", tlsverify=True, hosts=TLS_HOSTS, **TLS)
bad("tls", "true")
bad("tlsverify", True, what="without files", group="", hosts=TLS_HOSTS)
good("debug", True, info("Debug", True))
bad("debug", "true")
bad("debug", 1)
bad("debug", None, group=TOGETHER, what="null")
good("log-level", "debug")
bad("log-level", "loud")
bad("log-level", "DEBUG", what="upper case", group=TAKEN)
good("log-format", "json", ("lines of JSON", lambda found: found["log"].lstrip().startswith("{")))
bad("log-format", "xml")
good("raw-logs", True)
bad("raw-logs", "yes")
good(
    "labels",
    ["site=home", "rack=7"],
    ("/info Labels", lambda found: sorted(found["info"]["Labels"]) == ["rack=7", "site=home"]),
)
bad("labels", ["site=home", "site=work"])
bad("labels", ["site"])
bad("labels", "site=home", what="a string")
good("experimental", True, info("ExperimentalBuild", True))
bad("experimental", 1)
good("features", {"buildkit": True})
bad("features", {"buildkit": "true"})
bad("features", {"no-such-feature": True}, never(), TOGETHER)
good(
    "metrics-addr",
    "127.0.0.1:9323",
    ("metrics over HTTP", lambda found: found["metrics"]),
    experimental=True,
    what="with experimental",
)
good("metrics-addr", "127.0.0.1:9323", ("metrics over HTTP", lambda found: found["metrics"]), group="", what="alone")
bad("metrics-addr", "nonsense", experimental=True)
bad("metrics-addr", "0.0.0.0:9323", listening(":9323"), experimental=True, group=TAKEN)
good("min-api-version", "1.44", what="good")
bad("min-api-version", "1.10")
good("authorization-plugins", [PLUGIN], info("Plugins.Authorization", [PLUGIN]))
bad("authorization-plugins", PLUGIN, what="a string")
good(
    "node-generic-resources",
    ["gpu=one"],
    ("the daemon's own configuration", lambda found: "gpu" in json.dumps(found["config"]) or not found["config"]),
)
bad("node-generic-resources", ["gpu"])
bad("node-generic-resources", ["a=1", "a=b"], what="a number and a name")
good("swarm-default-advertise-addr", "127.0.0.1")
bad("swarm-default-advertise-addr", 5)
good(
    "proxies",
    {"http-proxy": "http://127.0.0.1:1", "https-proxy": "http://127.0.0.1:2", "no-proxy": "localhost"},
    info("HttpProxy", "http://127.0.0.1:1"),
)
bad("proxies", {"http_proxy": "http://127.0.0.1:1"})
bad("proxies", {"http-proxy": 5})
bad("proxies", "http://127.0.0.1:1")
for name in ("http-proxy", "https-proxy", "no-proxy"):
    bad(name, "http://127.0.0.1:1", info_holds("HttpProxy", "127.0.0.1:1"), "toplevel", what="at the top level")
good("rootless", False)
bad("rootless", "no")
bad("rootless", True, what="for root")
good("selinux-enabled", False)
bad("selinux-enabled", 0)
good("live-restore", True, info("LiveRestoreEnabled", True))
bad("live-restore", "yes")
good("shutdown-timeout", 20)
bad("shutdown-timeout", "20")
bad("shutdown-timeout", 0, group=TOGETHER, what="zero")
bad("shutdown-timeout", 1.5)
good("oom-score-adjust", 300, ("/proc/<pid>/oom_score_adj", lambda found: found["oom"] == "300"))
bad("oom-score-adjust", "300")
bad("oom-score-adjust", 5000)

# Registries and transfers.
good("insecure-registries", ["registry.lab:5000"], info_holds("RegistryConfig.IndexConfigs", "registry.lab:5000"))
bad("insecure-registries", "registry.lab:5000", what="a string")
bad(
    "insecure-registries",
    ["https://registry.lab"],
    info_holds("RegistryConfig.IndexConfigs", "registry.lab"),
    what="with a scheme",
    group=TAKEN,
)
bad("insecure-registries", ["0.0.0.0/0"], info_holds("RegistryConfig.InsecureRegistryCIDRs", "0.0.0.0/0"), group=TAKEN)
good("registry-mirrors", ["https://mirror.lab/"], info("RegistryConfig.Mirrors", ["https://mirror.lab/"]))
bad("registry-mirrors", ["mirror.lab"])
bad("registry-mirrors", ["https://user:word@mirror.lab"])
bad("registry-mirrors", ["https://mirror.lab/?x=1"])
bad("registry-mirrors", ["ftp://mirror.lab"])
for name, default in (("max-concurrent-downloads", 3), ("max-concurrent-uploads", 5), ("max-download-attempts", 5)):
    good(name, default + 3)
    bad(name, -1)
    bad(name, str(default))
    bad(name, 0, group=TOGETHER, what="zero")
good(
    "allow-nondistributable-artifacts",
    ["registry.lab:5000"],
    info_holds("RegistryConfig.AllowNondistributableArtifactsHostnames", "registry.lab:5000"),
)
bad("allow-nondistributable-artifacts", "registry.lab")

# Storage and runtimes.
good("storage-driver", "vfs", info("Driver", "vfs"))
good("storage-driver", "overlay2", info("Driver", "overlay2"), "")
bad("storage-driver", "bogus")
bad("storage-driver", "aufs")
bad("storage-driver", ["vfs"])
good("storage-opts", ["overlay2.override_kernel_check=1"], group="", storage_driver="overlay2")
good("storage-opts", [])
bad("storage-opts", ["overlay2.bogus=1"], storage_driver="overlay2")
bad("storage-opts", {"overlay2.size": "1G"})
bad("storage-opts", ["overlay2.size=many"], storage_driver="overlay2")
good("containerd", "/run/containerd/containerd.sock")
bad("containerd", 5)
good(
    "containerd-namespace",
    "schema",
    (
        "the daemon's own configuration or /info",
        lambda found: (
            "schema"
            in json.dumps([_at(found["info"], "Containerd"), (found["config"] or {}).get("containerd-namespace")])
        ),
    ),
)
bad("containerd-namespace", 5)
bad("containerd-namespace", "not a name/at all", ("no container is made here", lambda _found: False), group=TAKEN)
good("cri-containerd", False)
bad("cri-containerd", "no")
good(
    "builder",
    {
        "gc": {
            "enabled": True,
            "defaultKeepStorage": "10GB",
            "policy": [{"keepStorage": "5GB", "filter": ["unused-for=48h"]}],
        }
    },
    ("the daemon's own configuration", lambda found: "5GB" in json.dumps(found["config"]["builder"])),
)
bad("builder", {"gc": {"enabled": "yes"}})
bad("builder", {"gcc": {"enabled": True}}, never(), TOGETHER)
bad("builder", {"gc": {"policies": []}}, never(), TOGETHER, what="a misspelt field of gc")
bad("builder", {"gc": {"enabled": True, "defaultKeepStorage": "plenty"}}, never(), what="a size that is none")
bad(
    "builder",
    {"gc": {"enabled": True, "policy": [{"keepStorage": "plenty"}]}},
    never(),
    what="a size of a policy that is none",
)
bad(
    "builder",
    {"gc": {"enabled": True, "policy": [{"filter": {"unused-for": "48h"}}]}},
    what="a filter that is an object",
)
good(
    "builder",
    {"Entitlements": {"network-host": True, "security-insecure": False}},
    what="entitlements",
    effect=("the daemon's own configuration", lambda found: "network-host" in json.dumps(found["config"]["builder"])),
)
good(
    "cdi-spec-dirs",
    ["/etc/schema/cdi"],
    info("CDISpecDirs", ["/etc/schema/cdi"]),
    "cdi",
    what="with the feature",
    features={"cdi": True},
)
good("cdi-spec-dirs", ["/etc/schema/cdi"], info("CDISpecDirs", ["/etc/schema/cdi"]), "", what="alone")
bad(
    "cdi-spec-dirs",
    ["/etc/schema/cdi"],
    info("CDISpecDirs", ["/etc/schema/cdi"]),
    what="without the feature",
    features={"cdi": False},
)
bad("cdi-spec-dirs", "/etc/cdi", what="a string")
good("nri-opts", {"enable": True})
bad("nri-opts", {"enabled": True})
good("runtimes", {"other": {"path": "/usr/sbin/runc"}}, info("Runtimes.other.path", "/usr/sbin/runc"))
bad("runtimes", {"runc": {"path": "/usr/sbin/runc"}})
bad("runtimes", {"other": {}}, info_holds("Runtimes", "other"), what="empty")
bad(
    "runtimes",
    {"other": {"path": "/usr/sbin/runc", "runtimeType": "io.containerd.runc.v2"}},
    info_holds("Runtimes", "other"),
    what="path and type",
)
bad(
    "runtimes",
    {"other": {"path": "/usr/sbin/no-such"}},
    info_holds("Runtimes", "other"),
    what="a missing program",
    group=TAKEN,
)
good(
    "runtimes",
    {"other": {"runtimeType": "io.containerd.runc.v2"}},
    config_holds("io.containerd.runc.v2"),
    what="a type",
)
good(
    "runtimes",
    {"other": {"runtimeType": "io.containerd.runc.v2", "options": {"SystemdCgroup": True}}},
    config_holds("io.containerd.runc.v2"),
    what="a type with options",
)
bad(
    "runtimes",
    {"other": {"path": "/usr/sbin/runc", "options": {"SystemdCgroup": True}}},
    info_holds("Runtimes", "other"),
    what="options without a type",
)
bad("runtimes", {"other": {"path": "/usr/sbin/runc", "arguments": []}}, never(), what="an unknown field", group=TAKEN)
good(
    "runtimes",
    {"other": {"path": "/usr/sbin/runc", "runtimeArgs": ["--debug"]}},
    info_holds("Runtimes.other", "--debug"),
    what="arguments",
)
bad(
    "runtimes",
    {"other": {"runtimeType": "io.containerd.runc.v2", "runtimeArgs": ["--debug"]}},
    info_holds("Runtimes", "other"),
    what="arguments with a type",
)
good(
    "default-runtime", "fast", info("DefaultRuntime", "fast"), "runtime", runtimes={"fast": {"path": "/usr/sbin/runc"}}
)
bad("default-runtime", "no-such")
bad("default-runtime", 5)
good("exec-opts", ["native.cgroupdriver=cgroupfs"], info("CgroupDriver", "cgroupfs"))
bad("exec-opts", ["native.cgroupdriver=bogus"])
bad("exec-opts", ["bogus=1"], never())
bad("exec-opts", ["native.cgroupdriver"], never())
good("init", True)
bad("init", "true")
good("init-path", "/usr/bin/docker-init")
bad("init-path", 5)
bad(
    "init-path",
    "/no/such/init",
    ("/info InitBinary", lambda found: found["info"].get("InitBinary") == "init"),
    what="a missing program",
    group=TAKEN,
)
good("cgroup-parent", "/lab", exec_opts=["native.cgroupdriver=cgroupfs"])
bad("cgroup-parent", "/lab", what="no slice under systemd", exec_opts=["native.cgroupdriver=systemd"])
good("cgroup-parent", "lab.slice", what="a slice", group="systemd", exec_opts=["native.cgroupdriver=systemd"])
bad("cgroup-parent", 5)
bad("cpu-rt-period", 1000000)
good("cpu-rt-period", 0)
bad("cpu-rt-period", "0")
bad("cpu-rt-runtime", 950000)
good("cpu-rt-runtime", 0)
bad("cpu-rt-runtime", "0")

# What containers get.
good("userns-remap", "remapped", info_holds("SecurityOptions", "userns"), "userns")
bad("userns-remap", "no-such-user")
bad("userns-remap", "root", info_holds("SecurityOptions", "userns"), what="root")
bad("userns-remap", "default", info_holds("SecurityOptions", "userns"), what="default")
bad("userns-remap", 1)
good("no-new-privileges", True)
bad("no-new-privileges", "true")
good("seccomp-profile", "/etc/schema/seccomp.json", info_holds("SecurityOptions", "/etc/schema/seccomp.json"))
bad("seccomp-profile", 5)
bad("seccomp-profile", "/etc/schema/missing.json", what="a missing file")
bad("seccomp-profile", "builtin", info_holds("SecurityOptions", "name=seccomp,profile="), what="builtin")
bad("seccomp-profile", "unconfined", info_holds("SecurityOptions", "unconfined"), what="unconfined")
good("default-ulimits", {"nofile": {"Name": "nofile", "Soft": 64, "Hard": 128}})
bad("default-ulimits", {"nofile": {"Name": "nofile", "Soft": 128, "Hard": 64}}, what="soft above hard", group=TAKEN)
bad("default-ulimits", {"bogus": {"Name": "bogus", "Soft": 1, "Hard": 1}}, what="an unknown limit", group=TAKEN)
bad("default-ulimits", {"nofile": {"Soft": 1, "Hard": 1}}, what="without its name", group=TAKEN)
bad("default-ulimits", {"nofile": 64})
bad("default-ulimits", {"nofile": {"Name": "nofile", "Soft": "64", "Hard": "64"}}, what="strings")
good(
    "default-shm-size",
    "128m",
    ("the daemon's own configuration", lambda found: found["config"]["default-shm-size"] in (134217728, "128MiB")),
)
bad("default-shm-size", 134217728, what="a number")
bad("default-shm-size", "many")
bad("default-shm-size", "-1")
good("default-ipc-mode", "shareable")
bad("default-ipc-mode", "host")
good("default-cgroupns-mode", "host")
bad("default-cgroupns-mode", "shared")
good("default-stop-timeout", 20)
bad("default-stop-timeout", "20")
good("log-driver", "local", info("LoggingDriver", "local"))
bad("log-driver", 5)
bad("log-driver", "bogus", group=TAKEN)
bad("log-driver", "logentries", group=TAKEN)
good("log-opts", {"max-size": "5m", "max-file": "3"})
bad("log-opts", {"max-size": 5})
bad("log-opts", {"max-size": "five"}, never(), what="a size that is none")
bad("log-opts", {"bogus": "1"})
bad("log-opts", {"mode": "sometimes"})
bad("log-opts", ["max-size=5m"])

# Network.
good("bridge", "none", ("/networks", lambda found: found["bridge"] is None), "bridge")
bad("bridge", "no-such-bridge")
bad("bridge", "no-such-bridge", what="with bip", bip="172.31.9.1/24")
good("bip", "172.31.9.1/24", bridge_holds("172.31.9."))
bad("bip", "garbage")
bad("bip", "172.31.9.1")
bad("bip", "172.31.9.0/24", bridge_holds("172.31.9.0"), what="a network address")
good("bip6", "fd00:9::1/64", bridge_holds("fd00:9::"), group="bip6", ipv6=True, fixed_cidr_v6="fd00:9::/64")
bad("bip6", "garbage", ipv6=True)
good("fixed-cidr", "172.31.9.128/25", bridge_holds("172.31.9.128/25"), bip="172.31.9.1/24")
bad("fixed-cidr", "garbage")
bad("fixed-cidr", "10.99.0.0/25", bridge_holds("10.99.0.0/25"), what="outside of bip", bip="172.31.9.1/24", group=TAKEN)
good("fixed-cidr-v6", "fd00:8::/64", bridge_holds("fd00:8::"), ipv6=True)
bad("fixed-cidr-v6", "garbage", ipv6=True)
bad("fixed-cidr-v6", "172.31.9.0/25", bridge_holds("172.31.9.0/25"), ipv6=True)
good("default-gateway", "172.31.9.254", bridge_holds("172.31.9.254"), bip="172.31.9.1/24")
bad("default-gateway", "garbage")
bad("default-gateway", "10.99.0.1", what="outside of bip", bip="172.31.9.1/24")
good("default-gateway-v6", "fd00:8::ffff", bridge_holds("fd00:8::ffff"), ipv6=True, fixed_cidr_v6="fd00:8::/64")
bad("default-gateway-v6", "garbage")
good("mtu", 1400, bridge("driver.mtu", "1400"))
bad("mtu", -1)
bad("mtu", "1400")
bad("mtu", 0, bridge("driver.mtu", "0"), TOGETHER, what="zero")
good("network-control-plane-mtu", 1400)
bad("network-control-plane-mtu", "1400")
bad("network-control-plane-mtu", -5, group=TAKEN)
good("ip", "127.0.0.1", bridge("bridge.host_binding_ipv4", "127.0.0.1"))
bad("ip", "300.1.1.1")
bad("ip", "garbage")
good("icc", False, bridge("bridge.enable_icc", "false"))
bad("icc", "false")
bad("icc", False, what="without iptables", iptables=False)
good(
    "ipv6",
    True,
    ("/networks/bridge EnableIPv6", lambda found: found["bridge"]["EnableIPv6"]),
    fixed_cidr_v6="fd00:8::/64",
)
bad(
    "ipv6", True, ("/networks/bridge EnableIPv6", lambda found: found["bridge"]["EnableIPv6"]), what="without a network"
)
bad("ipv6", "true")
good("iptables", False, ("no rules", lambda found: found["rules"] == 0), "iptables")
bad("iptables", "false")
good("ip6tables", True, ("rules of ip6tables", lambda found: found["rules6"] > 0), experimental=True)
good("ip6tables", True, ("rules of ip6tables", lambda found: found["rules6"] > 0), "", what="alone")
bad("ip6tables", "true")
good("ip-forward", False, ("/proc/sys/net/ipv4/ip_forward", lambda found: found["forward"] == "0"))
bad("ip-forward", "false")
good("ip-forward-no-drop", True)
bad("ip-forward-no-drop", "true")
good("ip-masq", False, bridge("bridge.enable_ip_masquerade", "false"))
bad("ip-masq", "false")
good("userland-proxy", False)
bad("userland-proxy", "false")
good("userland-proxy-path", "/usr/sbin/docker-proxy", group="proxy")
bad("userland-proxy-path", 5)
bad("userland-proxy-path", "/no/such/proxy", what="a missing program")
good("allow-direct-routing", True)
bad("allow-direct-routing", "true")
good("firewall-backend", "iptables")
bad("firewall-backend", "pf")
good("bridge-accept-fwmark", "0x1/0x3")
bad("bridge-accept-fwmark", "one")
good(
    "default-address-pools",
    [{"base": "10.211.0.0/16", "size": 24}],
    ("a new network", lambda found: "10.211." in json.dumps((found["probe"] or {}).get("IPAM"))),
)
bad("default-address-pools", [{"base": "10.211.0.0/16", "size": 33}])
bad("default-address-pools", [{"base": "10.211.0.0/16", "size": 8}])
bad("default-address-pools", [{"base": "garbage", "size": 24}])
bad("default-address-pools", [{"base": "10.211.0.0/16"}])
bad("default-address-pools", [{"base": "10.211.0.0/16", "size": "24"}])
bad(
    "default-address-pools",
    [{"base": "10.211.0.0/16", "size": 24}, {"base": "10.211.0.0/20", "size": 24}],
    ("a new network", lambda found: "10.211." in json.dumps((found["probe"] or {}).get("IPAM"))),
    what="overlapping",
    group=TAKEN,
)
bad("default-address-pools", [{"base": "10.211.0.0/16", "sise": 24}], what="a misspelt field")
good(
    "default-network-opts",
    {"bridge": {"com.docker.network.driver.mtu": "1300"}},
    ("a new network", lambda found: (found["probe"]["Options"] or {}).get("com.docker.network.driver.mtu") == "1300"),
)
bad("default-network-opts", {"bridge": {"com.docker.network.driver.mtu": 1300}})
bad("default-network-opts", {"bridge": {"mtu": "1300"}}, never(), what="an unknown option", group=TAKEN)
bad(
    "default-network-opts",
    {"bridge": {"com.docker.network.bridge.enable_ic": "false"}},
    never(),
    what="a misspelt option",
    group=TAKEN,
)
bad("default-network-opts", {"brigde": {"com.docker.network.driver.mtu": "1300"}}, never(), what="an unknown driver")
good("network-diagnostic-port", 0, ("no listening socket", lambda found: ":9444" not in found["listening"]))
bad("network-diagnostic-port", 9444, listening(":9444"), "diagnostic", what="before SIGHUP")
bad(
    "network-diagnostic-port",
    9444,
    ("a listening socket after SIGHUP", lambda found: ":9444" in found["relistening"]),
    "diagnostic",
    what="after SIGHUP",
)
bad("network-diagnostic-port", 70000, never())
bad("network-diagnostic-port", "9444")
good("dns", ["9.9.9.9"])
bad("dns", ["dns.lab"])
bad("dns", "9.9.9.9")
good("dns-opts", ["timeout:3"])
bad("dns-opts", "timeout:3")
good("dns-search", ["lab.example"])
bad("dns-search", "lab.example")
bad("dns-search", ["-!-"])
good("host-gateway-ip", "10.0.0.9", gateways(1))
bad("host-gateway-ip", "garbage")
good("host-gateway-ips", ["10.0.0.9", "fd00::9"], gateways(2), "gateways")
bad("host-gateway-ips", ["garbage"])
bad("host-gateway-ips", ["10.0.0.9"], what="with the old name", host_gateway_ip="10.0.0.9")
bad("host-gateway-ips", ["10.0.0.9", "10.0.0.8"], what="two of a family")

# Gone.
good(
    "graph", "{dir}/graph", ("/info DockerRootDir", lambda found: found["info"]["DockerRootDir"].endswith("/graph")), ""
)
bad("graph", 5)
good("api-cors-header", "*")
bad("api-cors-header", 5)
good("cluster-store", "etcd://127.0.0.1:1", group="cluster", cluster_advertise="127.0.0.1:2376")
bad("cluster-store", 5)
good("cluster-store-opts", {"kv.path": "lab"}, group="cluster")
bad("cluster-store-opts", "kv.path=lab")
good("cluster-advertise", "127.0.0.1:2376", group="cluster", cluster_store="etcd://127.0.0.1:1")
bad("cluster-advertise", "127.0.0.1:2376", what="without a store")
bad("cluster-advertise", 5)
good("deprecated-key-path", "{dir}/key.json", ("the file", lambda found: "key.json" in found["files"]))
bad("deprecated-key-path", 5, never())

# Names that are none, or that the file cannot set.
for name in ("containerd-plugins-namespace", "containerd-plugin-namespace"):
    bad(name, "plugins", info_holds("Containerd.Namespaces.Plugins", '"plugins"'))
bad("resolv-conf", "/etc/resolv.conf")
bad("default-init", "docker-init")
bad("swarm-raft-heartbeat-tick", 1)
bad("swarm-raft-election-tick", 10)
bad("no-such-key", True)
bad("ICC", False, what="upper case")
bad("label", ["a=b"], never(), what="the flag's name", group=TAKEN)
bad("logging", {"log-driver": "local"}, info("LoggingDriver", "local"), "nested", what="a section around a key")
bad("network", {"icc": False}, bridge("bridge.enable_icc", "false"), "nested", what="a section around a switch")

# The letters of the file.
text("empty", "")
text("an empty object", "{}")
text("null", "null")
text("a list", "[]")
text("a comment", '{\n  // why\n  "debug": true\n}')
text("a trailing comma", '{"debug": true,}')
text("something behind the end", "{} {}")
text("a key twice", '{"debug": true, "debug": false}', info("Debug", True))
text("a nested key twice", '{"log-opts": {"max-size": "1m", "max-size": "2m"}}', never())
text("NaN", '{"mtu": NaN}')
text("a huge number", '{"mtu": 1e400}')
text("a number too large for the machine", '{"mtu": 99999999999999999999}')
text("a byte order mark", '\xef\xbb\xbf{"debug": true}', info("Debug", True))
text("UTF-16", '{"debug": true}'.encode("utf-16").decode("latin-1"), info("Debug", True))
text("bytes that are no UTF-8", '{"labels": ["a=\xff"]}', never())
text("a character of control in a string", '{"labels": ["a=\x01"]}')
text("deep nesting", '{"builder": ' + '{"x": ' * 3000 + "1" + "}" * 3001, never())


# What SIGHUP does: each key that it reaches with two values; the second is written while the daemon runs.
RELOADED: dict[str, tuple[t.Any, t.Any]] = {
    "debug": (True, True),
    "labels": (["a=1"], ["a=2"]),
    "live-restore": (True, True),
    "insecure-registries": (["one.lab"], ["two.lab"]),
    "registry-mirrors": (["https://one.lab/"], ["https://two.lab/"]),
    "shutdown-timeout": (21, 22),
    "default-stop-timeout": (21, 22),
    "runtimes": (
        {"one": {"path": "/usr/sbin/runc"}},
        {"two": {"path": "/usr/sbin/runc"}, "one": {"path": "/usr/sbin/runc"}},
    ),
    "default-runtime": ("one", "two"),
    "default-shm-size": ("128m", "256m"),
    "default-ipc-mode": ("shareable", "shareable"),
    "default-cgroupns-mode": ("host", "host"),
    "max-concurrent-downloads": (6, 7),
    "max-concurrent-uploads": (6, 7),
    "max-download-attempts": (6, 7),
    "features": ({"buildkit": True}, {"buildkit": False}),
    "network-diagnostic-port": (9444, 9445),
    "nri-opts": ({"enable": False}, {"enable": True}),
    "authorization-plugins": ([PLUGIN], [PLUGIN, "schema-second"]),
    "allow-nondistributable-artifacts": (["one.lab"], ["two.lab"]),
}


#: What is written to have the default back; the model must say the same.
RESETS: dict[str, t.Any] = {
    "debug": False,
    "labels": [],
    "live-restore": False,
    "insecure-registries": [],
    "registry-mirrors": [],
    "shutdown-timeout": 15,
    "default-stop-timeout": 10,
    "runtimes": {},
    "default-runtime": "runc",
    "default-shm-size": "64M",
    "default-ipc-mode": "private",
    "default-cgroupns-mode": "private",
    "max-concurrent-downloads": 3,
    "max-concurrent-uploads": 5,
    "max-download-attempts": 5,
    "features": {},
    "network-diagnostic-port": 0,
    "nri-opts": {},
    "authorization-plugins": [],
    "allow-nondistributable-artifacts": [],
}


#: The words of a command line that set what a key sets, with the value that the file gives; dockerd takes no setting twice.
FLAGS: dict[str, tuple[t.Any, list[str]]] = {
    "data-root": ("/scratch", ["--data-root=/scratch"]),
    "exec-root": ("/scratch", ["--exec-root=/scratch"]),
    "pidfile": ("/scratch", ["-p", "/scratch"]),
    "group": ("root", ["-G", "root"]),
    "hosts": (["unix:///scratch"], ["-H", "unix:///scratch"]),
    "tls": (True, ["--tls"]),
    "tlsverify": (True, ["--tlsverify"]),
    "tlscacert": ("/scratch", ["--tlscacert=/scratch"]),
    "tlscert": ("/scratch", ["--tlscert", "/scratch"]),
    "tlskey": ("/scratch", ["--tlskey=/scratch"]),
    "debug": (True, ["-D"]),
    "log-level": ("debug", ["-l", "debug"]),
    "log-format": ("json", ["--log-format=json"]),
    "raw-logs": (True, ["--raw-logs"]),
    "labels": (["a=b"], ["--label", "a=b"]),
    "experimental": (True, ["--experimental=true"]),
    "features": ({"buildkit": True}, ["--feature", "buildkit=true"]),
    "metrics-addr": ("127.0.0.1:1", ["--metrics-addr=127.0.0.1:1"]),
    "authorization-plugins": (["x"], ["--authorization-plugin=x"]),
    "node-generic-resources": (["a=1"], ["--node-generic-resource=a=1"]),
    "swarm-default-advertise-addr": ("eth0", ["--swarm-default-advertise-addr=eth0"]),
    "proxies": ({"http-proxy": "http://x"}, ["--http-proxy=http://x"]),
    "rootless": (False, ["--rootless=false"]),
    "selinux-enabled": (False, ["--selinux-enabled=false"]),
    "live-restore": (True, ["--live-restore"]),
    "shutdown-timeout": (9, ["--shutdown-timeout", "9"]),
    "oom-score-adjust": (1, ["--oom-score-adjust=1"]),
    "insecure-registries": (["x.lab"], ["--insecure-registry=x.lab"]),
    "registry-mirrors": (["https://x.lab"], ["--registry-mirror=https://x.lab"]),
    "max-concurrent-downloads": (9, ["--max-concurrent-downloads=9"]),
    "max-concurrent-uploads": (9, ["--max-concurrent-uploads=9"]),
    "max-download-attempts": (9, ["--max-download-attempts=9"]),
    "storage-driver": ("vfs", ["-s", "vfs"]),
    "storage-opts": (["a=b"], ["--storage-opt=a=b"]),
    "containerd": ("/scratch", ["--containerd=/scratch"]),
    "containerd-namespace": ("x", ["--containerd-namespace=x"]),
    "cri-containerd": (True, ["--cri-containerd"]),
    "cdi-spec-dirs": (["/scratch"], ["--cdi-spec-dir=/scratch"]),
    "default-runtime": ("x", ["--default-runtime=x"]),
    "exec-opts": (["native.cgroupdriver=cgroupfs"], ["--exec-opt=native.cgroupdriver=cgroupfs"]),
    "init": (True, ["--init"]),
    "init-path": ("/scratch", ["--init-path=/scratch"]),
    "cgroup-parent": ("/x", ["--cgroup-parent=/x"]),
    "cpu-rt-period": (1, ["--cpu-rt-period=1"]),
    "cpu-rt-runtime": (1, ["--cpu-rt-runtime=1"]),
    "userns-remap": ("x", ["--userns-remap=x"]),
    "no-new-privileges": (True, ["--no-new-privileges"]),
    "seccomp-profile": ("/scratch", ["--seccomp-profile=/scratch"]),
    "default-ulimits": ({"nofile": {"Name": "nofile", "Soft": 1, "Hard": 1}}, ["--default-ulimit=nofile=1:1"]),
    "default-shm-size": ("1m", ["--default-shm-size=1m"]),
    "default-ipc-mode": ("private", ["--default-ipc-mode=private"]),
    "default-cgroupns-mode": ("private", ["--default-cgroupns-mode=private"]),
    "log-driver": ("local", ["--log-driver=local"]),
    "log-opts": ({"max-size": "1m"}, ["--log-opt=max-size=1m"]),
    "bridge": ("none", ["-b", "none"]),
    "bip": ("172.31.9.1/24", ["--bip=172.31.9.1/24"]),
    "bip6": ("fd00::1/64", ["--bip6=fd00::1/64"]),
    "fixed-cidr": ("172.31.9.0/25", ["--fixed-cidr=172.31.9.0/25"]),
    "fixed-cidr-v6": ("fd00::/64", ["--fixed-cidr-v6=fd00::/64"]),
    "default-gateway": ("172.31.9.9", ["--default-gateway=172.31.9.9"]),
    "default-gateway-v6": ("fd00::9", ["--default-gateway-v6=fd00::9"]),
    "mtu": (1400, ["--mtu=1400"]),
    "network-control-plane-mtu": (1400, ["--network-control-plane-mtu=1400"]),
    "ip": ("127.0.0.1", ["--ip=127.0.0.1"]),
    "icc": (False, ["--icc=false"]),
    "ipv6": (True, ["--ipv6"]),
    "iptables": (True, ["--iptables"]),
    "ip6tables": (True, ["--ip6tables"]),
    "ip-forward": (True, ["--ip-forward"]),
    "ip-forward-no-drop": (True, ["--ip-forward-no-drop"]),
    "ip-masq": (True, ["--ip-masq"]),
    "userland-proxy": (False, ["--userland-proxy=false"]),
    "userland-proxy-path": ("/scratch", ["--userland-proxy-path=/scratch"]),
    "allow-direct-routing": (True, ["--allow-direct-routing"]),
    "default-address-pools": (
        [{"base": "10.211.0.0/16", "size": 24}],
        ["--default-address-pool=base=10.211.0.0/16,size=24"],
    ),
    "default-network-opts": ({"bridge": {"a": "b"}}, ["--default-network-opt=bridge=a=b"]),
    "network-diagnostic-port": (1, ["--network-diagnostic-port=1"]),
    "dns": (["9.9.9.9"], ["--dns=9.9.9.9"]),
    "dns-opts": (["a"], ["--dns-opt=a"]),
    "dns-search": (["lab"], ["--dns-search=lab"]),
    "host-gateway-ip": ("10.0.0.9", ["--host-gateway-ip=10.0.0.9"]),
    "firewall-backend": ("iptables", ["--firewall-backend=iptables"]),
    "bridge-accept-fwmark": ("1", ["--bridge-accept-fwmark=1"]),
    "nri-opts": ({"enable": True}, ["--nri-opts=enable=true"]),
    "default-stop-timeout": (9, ["--default-stop-timeout=9"]),
    "api-cors-header": ("x", ["--api-cors-header=x"]),
    "cluster-store": ("x", ["--cluster-store=x"]),
    "cluster-store-opts": ({"a": "b"}, ["--cluster-store-opt=a=b"]),
    "cluster-advertise": ("x", ["--cluster-advertise=x"]),
    "allow-nondistributable-artifacts": (["x.lab"], ["--allow-nondistributable-artifacts=x.lab"]),
}
# runtimes may stand in both places; three have no flag; two are older names of a key that is asked about.
WITHOUT_CLASH = ("runtimes", "builder", "min-api-version", "deprecated-key-path", "host-gateway-ips", "graph")


def plan() -> dict[str, t.Any]:
    """Return what the hosts are given."""
    cases = []
    for case in CASES:
        entry = {"name": case.name, "config": case.config, "group": case.group}
        if case.text is not None:
            entry["text"] = case.text
        cases.append(entry)
    first = {key: values[0] for key, values in RELOADED.items()}
    second = {key: values[1] for key, values in RELOADED.items()}
    return {
        "cases": cases,
        "plugins": [PLUGIN, "schema-second"],
        "whole": TOGETHER,
        "flags": FLAGS,
        "reloaded": sorted(RELOADED),
        "walks": {"reload": [first, second, {}, second, RESETS, {}]},
    }


if __name__ == "__main__":
    pathlib.Path(sys.argv[1]).write_text(json.dumps(plan()), encoding="utf-8")
