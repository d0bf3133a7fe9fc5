# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The kinds of values that daemon.json knows, and the checks of single keys that go beyond a kind.

PRIVATE to the collection: no stability is promised to other users.

Every check takes a value of the right kind and the release that shall read it, and yields findings: the path below the
key, and a sentence without a final stop with what was found and what to do.
Sources: moby daemon/config/config.go (Validate), config_linux.go (validatePlatformConfig), builder.go, opts/, and
daemon/daemon_unix.go (verifyDaemonSettings), for everything that only a start would find.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import typing as t
import urllib.parse

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import parse_size
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import Version, within

BOOL = "true or false"
INT = "a whole number"
COUNT = "a whole number of 0 or more"
STRING = "a string"
PATH = "an absolute path"
CIDR = "an address with a prefix length, such as 172.26.0.1/16"
IP = "an IP address"
SIZE = "a size in quotes, such as \"64m\""
DURATION = "a duration, such as \"48h\""
STRINGS = "a list of strings"
IPS = "a list of IP addresses"
STRING_MAP = "an object whose values are strings"
BOOL_MAP = "an object whose values are true or false"
STRUCTURED = "an object or a list with a fixed form"
KINDS = (BOOL, INT, COUNT, STRING, PATH, CIDR, IP, SIZE, DURATION, STRINGS, IPS, STRING_MAP, BOOL_MAP, STRUCTURED)

ULIMITS = (
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
)


class Finding(t.NamedTuple):
    """What is wrong at a path below a key, as names and positions; an empty path is the key itself."""

    path: tuple[str | int, ...]
    message: str


class Field(t.NamedTuple):
    """One field of an object with a fixed form: its kind, and the releases that brought and dropped it."""

    kind: str
    since: str = ""
    removed: str = ""


Findings = t.Iterator[Finding]
Check = t.Callable[[t.Any, Version], Findings]

_SIZES = {name: Field(SIZE, "28.0") for name in ("reservedspace", "maxusedspace", "minfreespace")}
#: The sections of builder; Go reads their names and fields without regard to case.
BUILDER: dict[str, dict[str, Field]] = {
    "gc": {
        "enabled": Field(BOOL),
        "policy": Field(STRUCTURED),
        "defaultkeepstorage": Field(SIZE),
        **{f"default{name}": field for name, field in _SIZES.items()},
    },
    "entitlements": {
        "network-host": Field(BOOL),
        "security-insecure": Field(BOOL),
        "device": Field(BOOL, "29.0"),
    },
    "history": {"maxage": Field(DURATION), "maxentries": Field(INT)},
}
BUILDER_SINCE = {"gc": "", "entitlements": "", "history": "24.0"}
BUILDER_RULE = {"all": Field(BOOL), "filter": Field(STRINGS), "keepstorage": Field(SIZE), **_SIZES}
#: The filters of a rule, as name=value; a rule whose filter has another name holds for everything (moby
#: builder/builder-next/builder.go, cacheFields and toBuildkitPruneInfo).
BUILDER_FILTERS = (
    "until",
    "unused-for",
    "id",
    "parent",
    "type",
    "description",
    "inuse",
    "shared",
    "private",
    "mutable",
    "immutable",
)
PROXIES = {name: Field(STRING) for name in ("http-proxy", "https-proxy", "no-proxy")}
NRI = {"enable": Field(BOOL), "plugin-path": Field(PATH), "plugin-config-path": Field(PATH), "socket-path": Field(PATH)}
RUNTIME = {
    "path": Field(STRING),
    "runtimeArgs": Field(STRINGS),
    "runtimeType": Field(STRING, "23.0"),
    "options": Field(STRUCTURED, "23.0"),
}
ULIMIT = {"Name": Field(STRING), "Soft": Field(INT), "Hard": Field(INT)}
ADDRESS_POOL = {"base": Field(STRING), "size": Field(INT)}
#: The options that the bridge driver reads, with the release that brought each to it.
BRIDGE_OPTIONS: dict[str, str] = {
    "com.docker.network.bridge.name": "",
    "com.docker.network.bridge.enable_ip_masquerade": "",
    "com.docker.network.bridge.enable_icc": "",
    "com.docker.network.bridge.host_binding_ipv4": "",
    "com.docker.network.bridge.inhibit_ipv4": "",
    "com.docker.network.bridge.gateway_mode_ipv4": "27.0",
    "com.docker.network.bridge.gateway_mode_ipv6": "27.0",
    "com.docker.network.bridge.trusted_host_interfaces": "28.2",
    "com.docker.network.container_iface_prefix": "",
    "com.docker.network.driver.mtu": "",
    "com.docker.network.enable_ipv4": "28.0",
    "com.docker.network.enable_ipv6": "",
    "com.docker.network.host_ipv4": "",
    "com.docker.network.host_ipv6": "25.0",
}
NETWORK_DRIVERS = ("bridge", "macvlan", "ipvlan", "overlay")
_LETTER = re.compile(r"[A-Za-z]")
_DOMAIN = re.compile(r":?(([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])(\.([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]))*)\.?:?\d*")
_DURATION = re.compile(r"(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+|\d+")
_NAMESPACE = re.compile(r"[A-Za-z0-9]+([._-][A-Za-z0-9]+)*")
_SCHEME = re.compile(r"(?P<scheme>unix|tcp|fd|npipe)://")
_FWMARK = re.compile(r"(0x[0-9a-fA-F]+|\d+)(/(0x[0-9a-fA-F]+|\d+))?")


def kind_problem(kind: str, value: t.Any) -> str:
    """Return a sentence when a value is not of a kind, or an empty string."""
    return next((finding.message for finding in kind_findings(kind, value)), "")


def kind_findings(kind: str, value: t.Any) -> Findings:
    """Yield why a value is not of a kind, each with the path of the entry or member that is wrong."""
    if value is None:
        yield Finding((), f"is null, which dockerd reads as absent; give it {kind} or remove the key")
    elif kind in _MADE_OF:
        container, words, fits = _MADE_OF[kind]
        if not isinstance(value, (dict, list)) or not isinstance(value, container):
            yield Finding((), _wrong(kind, value))
            return
        entries: t.Iterable[tuple[t.Any, t.Any]] = value.items() if isinstance(value, dict) else enumerate(value)
        for place, item in entries:
            if not fits(item):
                what = f"{place} with {describe(item)}" if isinstance(value, dict) else describe(item)
                yield Finding((place,), f"holds {what}, but it must be {kind}{words(item)}")
    elif not _is_kind(kind, value):
        yield Finding((), _wrong(kind, value))


def _wrong(kind: str, value: t.Any) -> str:
    if kind == PATH and isinstance(value, str):
        return f"is the relative path '{value}', which depends on where dockerd is started; write an absolute path"
    if kind == SIZE and isinstance(value, int) and not isinstance(value, bool):
        return f"is {describe(value)}, but it must be {kind}; dockerd reads no size without quotes"
    return f"is {describe(value)}, but it must be {kind}"


def _is_kind(kind: str, value: t.Any) -> bool:
    if kind == BOOL:
        return isinstance(value, bool)
    if kind in (INT, COUNT):
        return isinstance(value, int) and not isinstance(value, bool) and (kind == INT or value >= 0)
    if kind == STRUCTURED:
        return isinstance(value, (dict, list))
    if kind == DURATION:
        # A number is in nanoseconds on some releases and in seconds on others.
        return isinstance(value, str) and _DURATION.fullmatch(value) is not None
    if not isinstance(value, str):
        return False
    if kind == SIZE:
        return _is_size(value)
    # dockerd takes an empty string for an absent key.
    return kind == STRING or value == "" or _SHAPES[kind](value)


def describe(value: t.Any) -> str:
    """Return a value of JSON in words for a message, with its type where that may be what is wrong."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the string '{value}'" if len(value) <= 80 else "a long string"
    return "a list" if isinstance(value, list) else "an object"


def check_hosts(value: list[str], _version: Version) -> Findings:
    """Every listener names how it listens; dockerd guesses otherwise."""
    for place, entry in enumerate(value):
        if not _SCHEME.match(entry):
            yield Finding(
                (place,),
                f"entry '{entry}' names no scheme, so dockerd would guess; write unix://, fd:// or tcp:// before it",
            )


def check_labels(value: list[str], _version: Version) -> Findings:
    """Labels are key=value, one key has one value, and some names are Docker's own."""
    found: dict[str, str] = {}
    for place, label in enumerate(value):
        name, separator, content = label.partition("=")
        if not separator or not name:
            yield Finding((place,), f"entry '{label}' is not key=value")
        elif label.lower().startswith(("com.docker.", "io.docker.", "org.dockerproject.")):
            yield Finding((place,), f"entry '{label}' has a name that Docker keeps for itself; use a prefix of your own")
        elif found.setdefault(name, content) != content:
            yield Finding((place,), f"holds {name} with two values, '{found[name]}' and '{content}'; keep one")


def check_metrics(value: str, _version: Version) -> Findings:
    """The metrics have no authentication: an address for everybody is refused."""
    if not value:
        return
    host, separator, port = value.rpartition(":")
    if not separator or not port.isdigit() or not 0 < int(port) < 65536:
        yield Finding((), f"'{value}' is not address:port; write it like 127.0.0.1:9323")
    elif host.strip("[]") in ("", "0.0.0.0", "::"):
        yield Finding(
            (),
            f"'{value}' serves the metrics to every network without any authentication; name one address, such as "
            f"127.0.0.1:{port}",
        )


def check_min_api(value: str, _version: Version) -> Findings:
    """The lowest version of the API that is served; below 1.24 no engine serves any."""
    match = re.fullmatch(r"1\.(\d+)", value)
    if match is None:
        yield Finding((), f"'{value}' is not a version of the API; write it like 1.44")
    elif int(match[1]) < 24:
        yield Finding((), f"'{value}' is older than 1.24, the oldest that an engine can serve; write 1.24 or newer")


def check_proxies(value: t.Any, version: Version) -> Findings:
    """An object of three strings."""
    yield from fields(value, PROXIES, version)


def check_nri(value: t.Any, version: Version) -> Findings:
    """The options of NRI plugins (29.2)."""
    yield from fields(value, NRI, version)


def check_insecure(value: list[str], _version: Version) -> Findings:
    """A registry that is not verified is named; the whole internet is not."""
    for place, entry in enumerate(value):
        if re.fullmatch(r"(0\.0\.0\.0|::|0*(:0*)+)/0", entry):
            yield Finding(
                (place,), f"entry '{entry}' switches the verification of every registry off; name the registries"
            )


def check_mirrors(value: list[str], _version: Version) -> Findings:
    """A mirror is an http or https address without credentials, query or fragment."""
    for place, entry in enumerate(value):
        parts = urllib.parse.urlsplit(entry)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            yield Finding(
                (place,), f"entry '{entry}' is not an address of a mirror; write it like https://mirror.example.org"
            )
        elif parts.query or parts.fragment or "@" in parts.netloc:
            yield Finding(
                (place,),
                "an entry holds credentials, a query or a fragment, which dockerd refuses; write only scheme, host "
                "and path",
            )


def check_rootless(value: bool, _version: Version) -> Findings:
    """dockerd says so itself where rootlesskit runs it (moby daemon/config/config_linux.go, setPlatformDefaults)."""
    if value:
        yield Finding(
            (), "is true, which dockerd sets by itself where rootlesskit starts it and cannot do otherwise; remove it"
        )


def check_resources(value: list[str], _version: Version) -> Findings:
    """Generic resources of a node are name=count, or name=member once for each member."""
    kinds: dict[str, bool] = {}
    for place, entry in enumerate(value):
        name, separator, content = entry.partition("=")
        if not separator or not name or not content:
            yield Finding((place,), f"entry '{entry}' is not name=value, so dockerd does not start; write gpu=2")
        elif kinds.setdefault(name, content.isdigit()) != content.isdigit() or (
            content.isdigit() and [item.partition("=")[0] for item in value].count(name) > 1
        ):
            yield Finding(
                (place,), f"counts {name} and names it too, so dockerd does not start; write one count, or names only"
            )


def check_builder(value: t.Any, version: Version) -> Findings:
    """The collection, entitlements and history of the built-in builder."""
    sections = {name: Field(STRUCTURED, BUILDER_SINCE[name]) for name in BUILDER}
    yield from fields(value, sections, version, any_case=True)
    for name, content in value.items() if isinstance(value, dict) else ():
        known = BUILDER.get(name.lower())
        if known and isinstance(content, dict):
            yield from _below((name,), fields(content, known, version, any_case=True), f"in {name}, ")
            for field, item in content.items():
                if field.lower() == "policy" and name.lower() == "gc":
                    yield from _below((name, field), _policy(item, version), f"in {name}, ")


def _policy(value: t.Any, version: Version) -> Findings:
    if not isinstance(value, list):
        yield Finding((), "the policy must be a list of rules")
        return
    for place, rule in enumerate(value):
        yield from _below((place,), fields(rule, BUILDER_RULE, version, any_case=True), "a rule of the policy ")
        for field, item in rule.items() if isinstance(rule, dict) else ():
            if field.lower() == "filter" and isinstance(item, list):
                yield from _below((place, field), _filters(item), "a rule of the policy ")


def _filters(value: list[t.Any]) -> Findings:
    names = [str(entry).partition("=")[0].strip().lower() for entry in value]
    for place, name in enumerate(names):
        if name not in BUILDER_FILTERS:
            yield Finding(
                (place,),
                f"holds the unknown filter '{value[place]}', without which it would hold for everything; known are "
                f"{', '.join(BUILDER_FILTERS)}, each as name=value",
            )
        elif name in names[:place]:
            yield Finding((place,), f"holds the filter {name} twice, so dockerd does not start; keep one")


def check_runtimes(value: t.Any, version: Version) -> Findings:
    """Each runtime has a path or a type, and none takes the place of runc."""
    if not isinstance(value, dict):
        yield Finding((), f"is {describe(value)}, but it must be an object of runtimes by name")
        return
    for name, runtime in value.items():
        if name in ("runc", "io.containerd.runc.v2"):
            yield Finding(
                (name,), f"holds '{name}', which is the engine's own and cannot be replaced; use another name"
            )
            continue
        inner = list(fields(runtime, RUNTIME, version))
        yield from _below((name,), inner or _runtime(runtime), f"runtime '{name}' ")


def _runtime(runtime: dict[str, t.Any]) -> Findings:
    path, kind = runtime.get("path"), runtime.get("runtimeType")
    if not path and not kind:
        yield Finding((), "has neither path nor runtimeType; name the program")
    elif path and kind:
        yield Finding((), "has both path and runtimeType; keep one")
    elif path and runtime.get("options"):
        yield Finding(("options",), "has options, which only a runtimeType takes; give runtimeArgs to a path")
    elif kind and runtime.get("runtimeArgs"):
        yield Finding(("runtimeArgs",), "has runtimeArgs, which only a path takes; give options to a runtimeType")


def check_exec_opts(value: list[str], _version: Version) -> Findings:
    """The only option is the cgroup driver."""
    for place, entry in enumerate(value):
        if entry not in ("native.cgroupdriver=systemd", "native.cgroupdriver=cgroupfs"):
            yield Finding(
                (place,),
                f"entry '{entry}' is unknown; only native.cgroupdriver=systemd and native.cgroupdriver=cgroupfs exist",
            )


def check_userns(value: str, _version: Version) -> Findings:
    """A named user with ranges of its own; 'default' lets dockerd choose ranges that may overlap."""
    user = value.partition(":")[0]
    if user == "default":
        yield Finding(
            (),
            "is 'default', which lets dockerd make the user and choose ids that another user may own; name the "
            "user, such as dockremap, and give it ranges first",
        )
    elif user in ("root", "0"):
        yield Finding((), f"is '{value}', which switches the remapping off; name another user, or remove the key")


def check_seccomp_path(value: str, _version: Version) -> Findings:
    """A path to a profile or the engine's own; nothing that takes the filter away."""
    if value == "unconfined":
        yield Finding(
            (), "is 'unconfined', which switches seccomp off for every container; remove the key, or name a profile"
        )
    elif value not in ("", "builtin") and not value.startswith("/"):
        yield Finding((), f"is '{value}', which is neither 'builtin' nor an absolute path of a profile")


def check_ulimits(value: t.Any, version: Version) -> Findings:
    """Known limits, each with its name repeated and the soft one not above the hard one."""
    if not isinstance(value, dict):
        yield Finding((), f"is {describe(value)}, but it must be an object of limits by name")
        return
    for name, limit in value.items():
        if name not in ULIMITS:
            yield Finding((name,), f"'{name}' is no limit of setrlimit(2); known are {', '.join(ULIMITS)}")
            continue
        inner = list(fields(limit, ULIMIT, version))
        yield from _below((name,), inner or _limit(name, limit), f"limit '{name}' ")


def _limit(name: str, limit: dict[str, t.Any]) -> Findings:
    soft, hard = limit.get("Soft", 0), limit.get("Hard", 0)
    if limit.get("Name", "") != name:
        yield Finding((), f"must hold its name again, as Name: {name}, or dockerd sets a limit without a name")
    elif hard != -1 and (soft == -1 or soft > hard):
        yield Finding(("Soft",), f"has a soft limit of {soft} above the hard limit of {hard}; lower it")


def check_fwmark(value: str, _version: Version) -> Findings:
    """A mark, with or without a mask."""
    if value and not _FWMARK.fullmatch(value):
        yield Finding((), f"'{value}' is not a mark or mark/mask; write it like 0x1/0x3")


def check_port(value: int, _version: Version) -> Findings:
    """No port but 0, for none: a start never opens it, and SIGHUP opens it but does not move it.

    Source: moby daemon/reload.go (reloadNetworkDiagnosticPort), the only caller of StartDiagnostic.
    """
    if value > 65535:
        yield Finding((), f"is {value}, but a port is at most 65535")
    elif value:
        yield Finding(
            (),
            f"is {value}, which dockerd opens only on SIGHUP and never when it starts, so it would be gone after the "
            "next restart; remove it",
        )


def check_not_zero(value: int, _version: Version) -> Findings:
    """Where the file says 0, a start takes the default and SIGHUP may take the 0; 20.10 has no limit with some.

    Source: moby daemon/config/config.go (MergeDaemonConfigurations), daemon/reload.go.
    """
    if value == 0:
        yield Finding(
            (),
            "is 0, which means the default to some releases and no limit to others; write another number, or remove "
            "the key",
        )


def check_oom_score(value: int, _version: Version) -> Findings:
    """The kernel takes -1000 to 1000 (proc(5), oom_score_adj)."""
    if not -1000 <= value <= 1000:
        yield Finding((), f"is {value}, but the kernel takes -1000 to 1000")


def check_bridge_address(value: str, _version: Version) -> Findings:
    """The bridge has an address of its own; that of a network as a whole cannot be it."""
    if value:
        found = ipaddress.ip_interface(value)
        if found.network.num_addresses > 2 and found.ip == found.network.network_address:
            yield Finding(
                (), f"'{value}' is the address of the network itself; write one in it, such as {found.ip + 1}"
            )


def check_ipv6_network(value: str, _version: Version) -> Findings:
    """Subnets of the default bridge for IPv6 are IPv6."""
    if value and ipaddress.ip_interface(value).version != 6:
        yield Finding((), f"'{value}' is no IPv6 network; write it like fd00:26::/64")


def check_search_domains(value: list[str], _version: Version) -> Findings:
    """Domains as dockerd takes them; a single dot is none."""
    for place, entry in enumerate(value):
        name = entry.strip(" ")
        if name != "." and not (_LETTER.search(name) and _DOMAIN.match(name)):
            yield Finding((place,), f"entry '{entry}' is no domain, so dockerd does not start; write it like example.org")


def check_gateways(value: list[str], _version: Version) -> Findings:
    """At most one address of each family."""
    families = [ipaddress.ip_address(entry).version for entry in value]
    for place, family in enumerate(families):
        if family in families[:place]:
            yield Finding((place,), f"holds two addresses of IPv{family}, so dockerd does not start; keep one")


def check_namespace(value: str, _version: Version) -> Findings:
    """Names of namespaces as containerd takes them (containerd pkg/identifiers)."""
    if value and (len(value) > 76 or not _NAMESPACE.fullmatch(value)):
        yield Finding(
            (), f"'{value}' is no name of a namespace of containerd, and no container would start; write one like moby"
        )


def check_storage_options(value: list[str], _version: Version) -> Findings:
    """Options of storage drivers are name=value, and a size is one; daemon_config knows which driver has which."""
    for place, entry in enumerate(value):
        name, separator, content = entry.partition("=")
        if not separator:
            yield Finding((place,), f"entry '{entry}' is not name=value")
        elif name.endswith("size") and not _is_size(content):
            yield Finding((place,), f"entry '{entry}' holds no size, so dockerd does not start; write {name}=10G")


def check_address_pools(value: t.Any, version: Version) -> Findings:
    """Pools of subnets; a subnet cannot be larger than its pool, and pools do not overlap."""
    if not isinstance(value, list):
        yield Finding((), f"is {describe(value)}, but it must be a list of pools with base and size")
        return
    networks: list[t.Any] = []
    for place, pool in enumerate(value):
        inner = list(fields(pool, ADDRESS_POOL, version))
        yield from _below((place,), inner or _pool(pool, networks), "pool ")


def _pool(pool: dict[str, t.Any], networks: list[t.Any]) -> Findings:
    base, size = pool.get("base", ""), pool.get("size", 0)
    try:
        network = ipaddress.ip_network(base, strict=False)
    except ValueError:
        yield Finding(("base",), f"has the base '{base}', which is no network; write it like 172.26.0.0/16")
        return
    if "/" not in base:
        yield Finding(("base",), f"has the base '{base}' without a prefix length; write it like 172.26.0.0/16")
    elif not network.prefixlen <= size <= network.max_prefixlen:
        yield Finding(
            ("size",),
            f"{base} has the size {size}, but it must lie between {network.prefixlen} and {network.max_prefixlen}",
        )
    for other in networks:
        if other.version == network.version and other.overlaps(network):
            yield Finding(("base",), f"{base} overlaps the pool {other}; keep them apart")
    networks.append(network)


def check_network_opts(value: t.Any, version: Version) -> Findings:
    """Options by network driver, as strings."""
    if not isinstance(value, dict):
        yield Finding((), f"is {describe(value)}, but it must be an object of options by network driver")
        return
    for driver, options in value.items():
        if driver not in NETWORK_DRIVERS:
            yield Finding(
                (driver,),
                f"'{driver}' is no network driver with options; known are bridge, macvlan, ipvlan and overlay",
            )
        found = list(kind_findings(STRING_MAP, options))
        yield from _below((driver,), found, f"driver '{driver}' ")
        if driver == "bridge" and not found:
            for name in options:
                yield from _below((driver, name), _bridge_option(name, version), "driver 'bridge' ")


def _bridge_option(name: str, version: Version) -> Findings:
    since = BRIDGE_OPTIONS.get(name)
    if since is None:
        near = difflib.get_close_matches(name, BRIDGE_OPTIONS, n=1)
        yield Finding(
            (),
            f"holds the unknown option '{name}', which it would ignore; "
            + (f"did you mean {near[0]}" if near else "its options begin with com.docker.network."),
        )
    elif not within(version, since):
        yield Finding(
            (), f"holds '{name}', which came with Docker {since}, but {version} is installed; remove it"
        )


def fields(value: t.Any, known: t.Mapping[str, Field], version: Version, any_case: bool = False) -> Findings:
    """Check an object against its known fields, their kinds and their releases."""
    if not isinstance(value, dict):
        yield Finding((), f"is {describe(value)}, but it must be an object with {', '.join(known)}")
        return
    for name, item in value.items():
        field = known.get(name.lower() if any_case else name)
        if field is None:
            near = next((other for other in known if other.lower() == name.lower()), "")
            known_are = f"write {near}" if near else f"known are {', '.join(known)}"
            yield Finding((name,), f"holds the unknown field '{name}'; {known_are}")
        elif not within(version, field.since, field.removed):
            yield Finding(
                (name,),
                f"field '{name}' came with Docker {field.since}, but {version} is installed, which would ignore it; "
                "remove it",
            )
        else:
            yield from _below((name,), kind_findings(field.kind, item), f"field '{name}' ")


def _below(path: tuple[str | int, ...], found: t.Iterable[Finding], before: str = "") -> Findings:
    for finding in found:
        yield Finding((*path, *finding.path), f"{before}{finding.message}")


def _is_size(value: str) -> bool:
    try:
        parse_size(value)
    except ValueError:
        return False
    return True


def _is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _is_interface(value: str) -> bool:
    try:
        ipaddress.ip_interface(value)
    except ValueError:
        return False
    return "/" in value


def _as_text(value: t.Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _no_words(_item: t.Any) -> str:
    return ""


def _quoted(item: t.Any) -> str:
    return f'; write "{_as_text(item)}" in quotes' if isinstance(item, (int, float)) else ""


_Entries = tuple[type, t.Callable[[t.Any], str], t.Callable[[t.Any], bool]]
#: Kinds that hold others: what they are, what more to say about a wrong entry, and whether an entry is right.
_MADE_OF: dict[str, _Entries] = {
    STRINGS: (list, _no_words, lambda item: isinstance(item, str)),
    IPS: (list, _no_words, lambda item: isinstance(item, str) and _is_ip(item)),
    STRING_MAP: (dict, _quoted, lambda item: isinstance(item, str)),
    BOOL_MAP: (dict, _no_words, lambda item: isinstance(item, bool)),
}
_SHAPES: dict[str, t.Callable[[str], bool]] = {
    PATH: lambda value: value.startswith("/"),
    CIDR: _is_interface,
    IP: _is_ip,
}
