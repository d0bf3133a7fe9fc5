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

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import log_values
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import NEWEST_KNOWN, Version, within

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
OBJECT = "an object"
KINDS = (BOOL, INT, COUNT, STRING, PATH, CIDR, IP, SIZE, DURATION, STRINGS, IPS, STRING_MAP, BOOL_MAP, STRUCTURED, OBJECT)

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
_AGES = ("until", "unused-for")
PROXIES = {name: Field(STRING) for name in ("http-proxy", "https-proxy", "no-proxy")}
NRI = {"enable": Field(BOOL), "plugin-path": Field(PATH), "plugin-config-path": Field(PATH), "socket-path": Field(PATH)}
RUNTIME = {
    "path": Field(STRING),
    "runtimeArgs": Field(STRINGS),
    # No engine reads it; nvidia-ctk writes it empty.
    "args": Field(STRINGS),
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
#: How the values of those options are read; any text will do for the others (moby bridge_linux.go, fromLabels).
_BRIDGE_VALUES: dict[str, str] = {
    "com.docker.network.bridge.enable_ip_masquerade": "bool",
    "com.docker.network.bridge.enable_icc": "bool",
    "com.docker.network.bridge.host_binding_ipv4": "ip",
    "com.docker.network.bridge.inhibit_ipv4": "bool",
    "com.docker.network.bridge.gateway_mode_ipv4": "mode",
    "com.docker.network.bridge.gateway_mode_ipv6": "mode",
    "com.docker.network.driver.mtu": "mtu",
    "com.docker.network.enable_ipv4": "bool",
    "com.docker.network.enable_ipv6": "bool",
    "com.docker.network.host_ipv4": "ip",
    "com.docker.network.host_ipv6": "ip",
}
_GATEWAY_MODES = {"nat": "", "routed": "", "nat-unprotected": "28.0", "isolated": "28.0"}
#: The newest version of the API that each release serves (moby daemon/config/config.go, MaxAPIVersion).
_NEWEST_API = (("29.6", 55), ("29.3", 54), ("29.2", 53), ("29.0", 52))
#: Until 27.0 dockerd makes the list of all subnets of its pools when it starts; more than this take gigabytes.
_MOST_SUBNETS = 20
NETWORK_DRIVERS = ("bridge", "macvlan", "ipvlan", "overlay")
_LETTER = re.compile(r"[A-Za-z]")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"(?P<name>{_LABEL}(\.{_LABEL})*)\.?\s*")
_REGISTRY = re.compile(rf"({_LABEL}(\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]+))?")
_TCP = re.compile(r"(\[[0-9A-Fa-f:.%\w]*\]|[^:/\[\]@?#\s]*)(:(?P<port>[0-9]*))?")
_PREFIXED = re.compile(r"[0-9A-Fa-f.:]+/[0-9]{1,3}")
_DURATION = re.compile(r"(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+|\d+")
_NAMESPACE = re.compile(r"[A-Za-z0-9]+([._-][A-Za-z0-9]+)*")
_FWMARK = re.compile(r"0x(?P<hex>[0-9a-fA-F]+)|0(?P<octal>[0-7]+)|(?P<decimal>0|[1-9][0-9]*)")


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
    if kind == OBJECT:
        return isinstance(value, dict)
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
    """Every listener names how it listens, where dockerd would guess; and where, as it can be read."""
    for place, entry in enumerate(value):
        scheme, separator, address = entry.partition("://")
        port = _TCP.fullmatch(address)
        if not separator:
            yield Finding(
                (place,),
                f"entry '{entry}' names no scheme, so dockerd would guess; write unix://, fd:// or tcp:// before it",
            )
        elif scheme not in ("unix", "fd", "tcp"):
            yield Finding((place,), f"entry '{entry}' begins with {scheme}://, and dockerd knows unix://, fd:// and tcp:// only")
        elif scheme == "unix" and address and not address.startswith("/"):
            yield Finding(
                (place,), f"entry '{entry}' names no absolute path; write it like unix:///run/docker.sock, with three slashes"
            )
        elif scheme == "tcp" and (port is None or (port["port"] and not 0 < int(port["port"]) < 65536)):
            yield Finding((place,), f"entry '{entry}' is no address and port; write it like tcp://10.0.0.1:2376")
        elif scheme == "tcp" and entry in value[:place]:
            yield Finding((place,), f"entry '{entry}' stands there twice, and dockerd cannot listen twice; keep one")


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
    elif host in ("", "[]") or (_is_ip(host.strip("[]")) and ipaddress.ip_address(host.strip("[]")).is_unspecified):
        yield Finding(
            (),
            f"'{value}' serves the metrics to every network without any authentication; name one address, such as "
            f"127.0.0.1:{port}",
        )


def check_min_api(value: str, version: Version) -> Findings:
    """The lowest version of the API that is served; below 1.24 no engine serves any, nor above its own newest."""
    newest = next((minor for since, minor in _NEWEST_API if version <= NEWEST_KNOWN and within(version, since)), None)
    match = re.fullmatch(r"1\.(\d+)", value)
    if match is None:
        yield Finding((), f"'{value}' is not a version of the API; write it like 1.44")
    elif int(match[1]) < 24:
        yield Finding((), f"'{value}' is older than 1.24, the oldest that an engine can serve; write 1.24 or newer")
    elif newest is not None and int(match[1]) > newest:
        yield Finding(
            (), f"'{value}' is newer than 1.{newest}, the newest that Docker {version} serves, and dockerd does not start; lower it"
        )


def check_proxies(value: t.Any, version: Version) -> Findings:
    """An object of three strings."""
    yield from fields(value, PROXIES, version)


def check_nri(value: t.Any, version: Version) -> Findings:
    """The options of NRI plugins (29.2)."""
    yield from fields(value, NRI, version)


def check_insecure(value: list[str], _version: Version) -> Findings:
    """A registry that is not verified is named, by host and port or by network; the whole internet is not.

    Source: moby daemon/pkg/registry/config.go (loadInsecureRegistries); http:// and https:// are cut off there.
    """
    for place, entry in enumerate(value):
        name = re.sub("^https?://", "", entry, flags=re.IGNORECASE)
        host = _REGISTRY.fullmatch(name)
        if _is_interface(name):
            if not ipaddress.ip_interface(name).network.prefixlen:
                yield Finding(
                    (place,), f"entry '{entry}' switches the verification of every registry off; name the registries"
                )
        elif not _is_ip(name) and (host is None or int(host["port"] or 0) > 65535):
            yield Finding(
                (place,),
                f"entry '{entry}' is neither host, host:port nor a network, so dockerd does not start; write it like "
                "registry.example.org:5000",
            )


def check_mirrors(value: list[str], version: Version) -> Findings:
    """A mirror is an http or https address without credentials, query or fragment, and until 24.0 without a path."""
    for place, entry in enumerate(value):
        try:
            parts = urllib.parse.urlsplit(entry)
            known = parts.scheme in ("http", "https") and parts.netloc and not re.search(r"\s", entry)
            known = known and (parts.port is None or parts.port >= 0)
        except ValueError:
            known = False
        if not known:
            # A name and a password would stand in the message.
            shown = "an entry" if "@" in entry else f"entry '{entry}'"
            yield Finding((place,), f"{shown} is not an address of a mirror; write it like https://mirror.example.org")
        elif parts.query or parts.fragment or "@" in parts.netloc:
            yield Finding(
                (place,),
                "an entry holds credentials, a query or a fragment, which dockerd refuses; write only scheme, host "
                "and path",
            )
        elif parts.path not in ("", "/") and not within(version, "24.0"):
            yield Finding(
                (place,),
                f"entry '{entry}' has a path, with which Docker before 24.0 does not start; name a mirror without one",
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
        name, separator, content = (part.strip() for part in entry.partition("="))
        number = re.fullmatch(r"[+-]?[0-9]+", content) is not None
        if not separator or not name or not content or "=" in content or (number and int(content) < 0):
            yield Finding((place,), f"entry '{entry}' is not name=value, so dockerd does not start; write gpu=2")
        elif kinds.setdefault(name, number) != number or (
            number and [item.partition("=")[0].strip() for item in value].count(name) > 1
        ):
            yield Finding(
                (place,), f"counts {name} and names it too, so dockerd does not start; write one count, or names only"
            )


def check_builder(value: t.Any, version: Version) -> Findings:
    """The collection, entitlements and history of the built-in builder."""
    sections = {name: Field(OBJECT, BUILDER_SINCE[name]) for name in BUILDER}
    yield from fields(value, sections, version, any_case=True)
    for name, content in value.items() if isinstance(value, dict) else ():
        known = BUILDER.get(name.lower())
        if name.lower() == "history" and not within(version, "25.0"):
            known = {**BUILDER["history"], "maxage": Field(INT)}  # In seconds; 24 does not start with a duration.
        if known and isinstance(content, dict):
            yield from _below((name,), fields(content, known, version, any_case=True), f"in {name}, ")
            off = any(field.lower() == "enabled" and item is False for field, item in content.items())
            for field, item in content.items():
                if field.lower() == "policy" and name.lower() == "gc":
                    yield from _below((name, field), _policy(item, version, off), f"in {name}, ")


def _policy(value: t.Any, version: Version, off: bool) -> Findings:
    if not isinstance(value, list):
        yield Finding((), "the policy must be a list of rules")
        return
    for place, rule in enumerate(value):
        yield from _below((place,), fields(rule, BUILDER_RULE, version, any_case=True), "a rule of the policy ")
        if not isinstance(rule, dict):
            continue
        if not off and "keepstorage" not in map(str.lower, rule) and not within(version, "27.5"):
            yield Finding(
                (place,), f"a rule of the policy has no keepStorage, without which Docker {version} does not start; add it"
            )
        for field, item in rule.items():
            if field.lower() == "filter" and isinstance(item, list):
                yield from _below((place, field), _filters(item, version), "a rule of the policy ")


def _filters(value: list[t.Any], version: Version) -> Findings:
    names = [str(entry).partition("=")[0].strip().lower() for entry in value]
    for place, (name, entry) in enumerate(zip(names, map(str, value))):
        content = entry.partition("=")[2].strip()
        if name not in BUILDER_FILTERS:
            yield Finding(
                (place,),
                f"holds the unknown filter '{entry}', without which it would hold for everything; known are "
                f"{', '.join(BUILDER_FILTERS)}, each as name=value",
            )
        elif not content:
            yield Finding((place,), f"holds the filter '{entry}' without a value; write it as name=value")
        elif name in names[:place]:
            yield Finding((place,), f"holds the filter {name} twice, so dockerd does not start; keep one")
        elif name in _AGES and set(_AGES) <= {*names[:place], name}:
            yield Finding((place,), "holds both until and unused-for, so dockerd does not start; keep until")
        elif name in _AGES and log_values.duration_problem(content) and not (within(version, "29.0") and content[0].isdigit()):
            yield Finding((place,), f"holds the filter '{entry}', which is no duration, so dockerd does not start; write {name}=48h")


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
    elif runtime.get("args"):
        yield Finding(("args",), "has args, which dockerd ignores; write them as runtimeArgs")
    elif path and runtime.get("options"):
        yield Finding(("options",), "has options, which only a runtimeType takes; give runtimeArgs to a path")
    elif not isinstance(runtime.get("options", {}), dict):
        yield Finding(("options",), f"has options that are a list, but they must be {OBJECT}, or dockerd does not start")
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
        elif entry != value[0]:
            # Until 28.0 the first counts, from then on the last.
            yield Finding((place,), f"names two drivers, '{value[0]}' and '{entry}'; keep one")


def check_userns(value: str, _version: Version) -> Findings:
    """A named user with ranges of its own; 'default' lets dockerd choose ranges that may overlap."""
    user = value.partition(":")[0]
    if value and (not user or value.endswith(":") or value.count(":") > 1):
        yield Finding((), f"is '{value}', which is neither user nor user:group, so dockerd does not start; write it like dockremap")
    elif user == "default":
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
    elif soft < -1 or hard < -1:
        yield Finding((), "is negative, and only -1, for no limit, may be; write a number of 0 or more, or -1")
    elif hard != -1 and (soft == -1 or soft > hard):
        yield Finding(("Soft",), f"has a soft limit of {soft} above the hard limit of {hard}; lower it")


def check_fwmark(value: str, _version: Version) -> Findings:
    """A mark, with or without a mask."""
    parts = [_FWMARK.fullmatch(part) for part in value.split("/", 1)]
    if value and any(part is None or _number(part) > 0xFFFFFFFF for part in parts):
        yield Finding((), f"'{value}' is not a mark or mark/mask; write it like 0x1/0x3")


def _number(match: re.Match[str]) -> int:
    return int(match[match.lastgroup or 0], {"hex": 16, "octal": 8}.get(match.lastgroup or "", 10))


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


def check_positive(value: int, version: Version) -> Findings:
    """As check_not_zero, for numbers that may not be negative either."""
    yield from check_not_zero(value, version)
    if value < 0:
        yield Finding((), f"is {value}, with which dockerd does not start; write a number of 1 or more, or remove the key")


def check_oom_score(value: int, _version: Version) -> Findings:
    """The kernel takes -1000 to 1000 (proc(5), oom_score_adj)."""
    if not -1000 <= value <= 1000:
        yield Finding((), f"is {value}, but the kernel takes -1000 to 1000")


def check_bridge_address(value: str, version: Version) -> Findings:
    """The bridge has an IPv4 address of its own; that of a network as a whole cannot be it."""
    yield from check_ipv4(value, version)
    if value:
        found = ipaddress.ip_interface(value)
        if found.version == 4 and found.network.num_addresses > 2 and found.ip == found.network.network_address:
            yield Finding(
                (), f"'{value}' is the address of the network itself; write one in it, such as {found.ip + 1}"
            )


def check_ipv4(value: str, _version: Version) -> Findings:
    """What belongs to IPv4 of the default bridge is IPv4; dockerd does not start otherwise."""
    if value and ipaddress.ip_interface(value).version != 4:
        yield Finding((), f"'{value}' is no IPv4; write an IPv4 address here, and that of IPv6 into the key for IPv6")


def check_ipv6(value: str, _version: Version) -> Findings:
    """What belongs to IPv6 of the default bridge is IPv6."""
    if value and ipaddress.ip_interface(value).version != 6:
        yield Finding((), f"'{value}' is no IPv6 address; write it like fd00:26::1")


def check_ipv6_network(value: str, _version: Version) -> Findings:
    """Subnets of the default bridge for IPv6 are IPv6, and neither for many nor for one link (validateIPv6Subnet)."""
    network = ipaddress.ip_interface(value).network if value else None
    local = ipaddress.IPv6Network("fe80::/64")
    if network and network.version != 6:
        yield Finding((), f"'{value}' is no IPv6 network; write it like fd00:26::/64")
    elif isinstance(network, ipaddress.IPv6Network) and (
        network.is_multicast or (network != local and network.overlaps(local))
    ):
        yield Finding((), f"'{value}' is multicast or clashes with fe80::/64, and dockerd does not start; write it like fd00:26::/64")


def check_spec_dirs(value: list[str], _version: Version) -> Findings:
    """Directories with specifications of devices are absolute; one empty entry alone means none."""
    for place, entry in enumerate(value):
        if not entry.startswith("/") and value != [""]:
            yield Finding((place,), f"entry '{entry}' is no absolute path; write one, such as /etc/cdi")


def check_search_domains(value: list[str], _version: Version) -> Findings:
    """Domains as dockerd takes them; a single dot is none."""
    for place, entry in enumerate(value):
        name = entry.strip(" ")
        match = _DOMAIN.fullmatch(name)
        if name != "." and not (match and len(match["name"]) < 255 and _LETTER.search(name)):
            yield Finding((place,), f"entry '{entry}' is no domain, so dockerd does not start; write it like example.org")


def check_gateways(value: list[str], _version: Version) -> Findings:
    """At most one address of each family."""
    families = [ipaddress.ip_address(entry).version for entry in value]
    for place, family in enumerate(families):
        if family in families[:place]:
            yield Finding((place,), f"holds two addresses of IPv{family}, so dockerd does not start; keep one")


def check_namespace(value: str, _version: Version) -> Findings:
    """Names of namespaces as containerd takes them (containerd pkg/identifiers), and not the one for plugins."""
    if value == "plugins.moby":
        yield Finding((), f"is '{value}', where the engine keeps its plugins, and dockerd does not start; write one like moby")
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
        elif name.endswith(("size", ".min_space")) and not _is_size(content):
            yield Finding((place,), f"entry '{entry}' holds no size, so dockerd does not start; write {name}=10G")


def check_address_pools(value: t.Any, version: Version) -> Findings:
    """Pools of subnets; a subnet cannot be larger than its pool, and pools do not overlap."""
    if not isinstance(value, list):
        yield Finding((), f"is {describe(value)}, but it must be a list of pools with base and size")
        return
    networks: list[t.Any] = []
    for place, pool in enumerate(value):
        inner = list(fields(pool, ADDRESS_POOL, version))
        yield from _below((place,), inner or _pool(pool, networks, version), "pool ")


def _pool(pool: dict[str, t.Any], networks: list[t.Any], version: Version) -> Findings:
    base, size = pool.get("base", ""), pool.get("size", 0)
    try:
        network = ipaddress.ip_network(base, strict=False)
    except ValueError:
        yield Finding(("base",), f"has the base '{base}', which is no network; write it like 172.26.0.0/16")
        return
    if "/" not in base:
        yield Finding(("base",), f"has the base '{base}' without a prefix length; write it like 172.26.0.0/16")
    elif not _PREFIXED.fullmatch(base):
        yield Finding(("base",), f"has the base '{base}', which dockerd does not read; write it like 172.26.0.0/16")
    elif not network.prefixlen <= size <= network.max_prefixlen:
        yield Finding(
            ("size",),
            f"{base} has the size {size}, but it must lie between {network.prefixlen} and {network.max_prefixlen}",
        )
    elif size - network.prefixlen > _MOST_SUBNETS and not within(version, "27.0"):
        yield Finding(
            ("size",),
            f"{base} has the size {size}, so Docker {version} would list 2^{size - network.prefixlen} subnets when it starts and "
            f"run out of memory; write at most {network.prefixlen + _MOST_SUBNETS}, or a smaller base",
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
        # A driver of a plugin is named name:tag, and its options are its own.
        if driver not in NETWORK_DRIVERS and ":" not in driver:
            yield Finding(
                (driver,),
                f"'{driver}' is no network driver with options; known are bridge, macvlan, ipvlan and overlay",
            )
        found = list(kind_findings(STRING_MAP, options))
        yield from _below((driver,), found, f"driver '{driver}' ")
        if driver == "bridge" and not found:
            for name, item in options.items():
                yield from _below((driver, name), _bridge_option(name, item, version), "driver 'bridge' ")


def _bridge_option(name: str, value: str, version: Version) -> Findings:
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
    else:
        wrong = _bridge_value(_BRIDGE_VALUES.get(name, ""), value, version)
        if wrong:
            yield Finding((), f"holds '{name}' with '{value}', so no network could be created; {wrong}")


def _bridge_value(kind: str, value: str, version: Version) -> str:
    if kind == "bool":
        return "" if not log_values.boolean_problem(value) else 'write "true" or "false"'
    if kind == "ip":
        return "" if _is_ip(value) else "write an IP address"
    if kind == "mtu":
        return "" if not log_values.whole_problem(value, 0) else 'write a whole number, such as "1400"'
    if kind == "mode":
        known = [mode for mode, since in _GATEWAY_MODES.items() if within(version, since)]
        return "" if value in known else f"write one of {', '.join(known)}"
    return ""


def fields(value: t.Any, known: t.Mapping[str, Field], version: Version, any_case: bool = False) -> Findings:
    """Check an object against its known fields, their kinds and their releases."""
    if not isinstance(value, dict):
        yield Finding((), f"is {describe(value)}, but it must be an object with {', '.join(known)}")
        return
    names = [name.lower() for name in value]
    for place, (name, item) in enumerate(value.items()):
        field = known.get(name.lower() if any_case else name)
        if any_case and names.index(name.lower()) != place:
            yield Finding((name,), f"holds the field '{name}' twice, in different letters; keep one")
        elif field is None:
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
        log_values.binary_size(value)
    except ValueError:
        return False
    return True


def _is_ip(value: str) -> bool:
    if "%" in value:
        return False
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
    # Python also reads zones, and a netmask behind the slash.
    return _PREFIXED.fullmatch(value) is not None


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
