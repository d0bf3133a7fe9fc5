# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The kinds of values that daemon.json knows, and the checks of single keys that go beyond a kind.

PRIVATE to the collection: no stability is promised to other users.

Every check takes a value of the right kind and returns sentences without a final stop: what was found and what to do.
Sources: moby daemon/config/config.go (Validate), config_linux.go (validatePlatformConfig), builder.go, opts/, and
daemon/daemon_unix.go (verifyDaemonSettings), for everything that only a start would find.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
import urllib.parse

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import parse_size

BOOL = "true or false"
INT = "a whole number"
COUNT = "a whole number of 0 or more"
STRING = "a string"
PATH = "an absolute path"
CIDR = "an address with a prefix length, such as 172.26.0.1/16"
IP = "an IP address"
SIZE = "a size, such as 64m"
STRINGS = "a list of strings"
IPS = "a list of IP addresses"
STRING_MAP = "an object whose values are strings"
BOOL_MAP = "an object whose values are true or false"
STRUCTURED = "an object or a list with a fixed form"
KINDS = (BOOL, INT, COUNT, STRING, PATH, CIDR, IP, SIZE, STRINGS, IPS, STRING_MAP, BOOL_MAP, STRUCTURED)

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
_SCHEME = re.compile(r"(?P<scheme>unix|tcp|fd|npipe)://")
_FWMARK = re.compile(r"(0x[0-9a-fA-F]+|\d+)(/(0x[0-9a-fA-F]+|\d+))?")


def kind_problem(kind: str, value: t.Any) -> str:
    """Return a sentence when a value is not of a kind, or an empty string."""
    if value is None:
        return f"is null, which dockerd reads as absent; give it {kind} or remove the key"
    wrong = f"is {describe(value)}, but it must be {kind}"
    if kind == BOOL:
        return "" if isinstance(value, bool) else wrong
    if kind in (INT, COUNT):
        fine = isinstance(value, int) and not isinstance(value, bool)
        return "" if fine and (kind == INT or value >= 0) else wrong
    if kind == SIZE:
        try:
            parse_size(value)
        except ValueError:
            return wrong
        return ""
    if kind == STRUCTURED:
        return "" if isinstance(value, (dict, list)) else wrong
    if kind in (STRINGS, IPS):
        if not isinstance(value, list):
            return wrong
        for item in value:
            if not isinstance(item, str) or (kind == IPS and not _is_ip(item)):
                return f"holds {describe(item)}, but it must be {kind}"
        return ""
    if kind in (STRING_MAP, BOOL_MAP):
        if not isinstance(value, dict):
            return wrong
        wanted = str if kind == STRING_MAP else bool
        for name, item in value.items():
            if not isinstance(item, wanted):
                hint = (
                    f'; write "{_as_text(item)}" in quotes'
                    if kind == STRING_MAP and isinstance(item, (int, float))
                    else ""
                )
                return f"holds {name} with {describe(item)}, but it must be {kind}{hint}"
        return ""
    if not isinstance(value, str):
        return wrong
    if value == "":
        return ""
    if kind == PATH and not value.startswith("/"):
        return f"is the relative path '{value}', which depends on where dockerd is started; write an absolute path"
    if kind == CIDR and not _is_interface(value):
        return wrong
    if kind == IP and not _is_ip(value):
        return wrong
    return ""


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


def check_hosts(value: list[str]) -> list[str]:
    """Every listener names how it listens; dockerd guesses otherwise."""
    return [
        f"entry '{entry}' names no scheme, so dockerd would guess; write unix://, fd:// or tcp:// before it"
        for entry in value
        if not _SCHEME.match(entry)
    ]


def check_labels(value: list[str]) -> list[str]:
    """Labels are key=value, and one key has one value."""
    found: dict[str, str] = {}
    problems = []
    for label in value:
        name, separator, content = label.partition("=")
        if not separator or not name:
            problems.append(f"entry '{label}' is not key=value")
        elif found.setdefault(name, content) != content:
            problems.append(f"holds {name} with two values, '{found[name]}' and '{content}'; keep one")
    return problems


def check_metrics(value: str) -> list[str]:
    """The metrics have no authentication: an address for everybody is refused."""
    if not value:
        return []
    host, separator, port = value.rpartition(":")
    if not separator or not port.isdigit() or not 0 < int(port) < 65536:
        return [f"'{value}' is not address:port; write it like 127.0.0.1:9323"]
    if host.strip("[]") in ("", "0.0.0.0", "::"):
        return [
            f"'{value}' serves the metrics to every network without any authentication; name one address, such as "
            f"127.0.0.1:{port}"
        ]
    return []


def check_min_api(value: str) -> list[str]:
    """The lowest version of the API that is served; below 1.24 no engine serves any."""
    match = re.fullmatch(r"1\.(\d+)", value)
    if match is None:
        return [f"'{value}' is not a version of the API; write it like 1.44"]
    return (
        []
        if int(match[1]) >= 24
        else [f"'{value}' is older than 1.24, the oldest that an engine can serve; write 1.24 or newer"]
    )


def check_proxies(value: t.Any) -> list[str]:
    """An object of three strings."""
    return fields(value, {"http-proxy": STRING, "https-proxy": STRING, "no-proxy": STRING})


def check_nri(value: t.Any) -> list[str]:
    """The options of NRI plugins (29.2)."""
    return fields(value, {"enable": BOOL, "plugin-path": PATH, "plugin-config-path": PATH, "socket-path": PATH})


def check_insecure(value: list[str]) -> list[str]:
    """A registry that is not verified is named; the whole internet is not."""
    return [
        f"entry '{entry}' switches the verification of every registry off; name the registries"
        for entry in value
        if re.fullmatch(r"(0\.0\.0\.0|::|0*(:0*)+)/0", entry)
    ]


def check_mirrors(value: list[str]) -> list[str]:
    """A mirror is an http or https address without credentials, query or fragment."""
    problems = []
    for entry in value:
        parts = urllib.parse.urlsplit(entry)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            problems.append(f"entry '{entry}' is not an address of a mirror; write it like https://mirror.example.org")
        elif parts.query or parts.fragment or "@" in parts.netloc:
            problems.append(
                "an entry holds credentials, a query or a fragment, which dockerd refuses; write only scheme, host "
                "and path"
            )
    return problems


def check_builder(value: t.Any) -> list[str]:
    """The collection, entitlements and history of the built-in builder; Go reads these names without regard to case."""
    problems = fields(value, {"gc": STRUCTURED, "entitlements": STRUCTURED, "history": STRUCTURED}, any_case=True)
    if not isinstance(value, dict):
        return problems
    for name, content in value.items():
        known = {
            "gc": {
                "enabled": BOOL,
                "policy": STRUCTURED,
                "defaultkeepstorage": SIZE,
                "defaultreservedspace": STRING,
                "defaultmaxusedspace": STRING,
                "defaultminfreespace": STRING,
            },
            "entitlements": {"network-host": BOOL, "security-insecure": BOOL, "device": STRUCTURED},
            "history": {"maxage": STRUCTURED, "maxentries": INT},
        }.get(name.lower())
        if known and isinstance(content, dict):
            known.pop("maxage", None)
            content = {field: item for field, item in content.items() if field.lower() != "maxage"}
            problems += [f"in {name}, {problem}" for problem in fields(content, known, any_case=True)]
    return problems


def check_runtimes(value: t.Any) -> list[str]:
    """Each runtime has a path or a type, and none takes the place of runc."""
    if not isinstance(value, dict):
        return [f"is {describe(value)}, but it must be an object of runtimes by name"]
    problems = []
    for name, runtime in value.items():
        if name in ("runc", "io.containerd.runc.v2"):
            problems.append(f"holds '{name}', which is the engine's own and cannot be replaced; use another name")
            continue
        inner = fields(runtime, {"path": STRING, "runtimeArgs": STRINGS, "runtimeType": STRING, "options": STRUCTURED})
        if not inner and not runtime.get("path") and not runtime.get("runtimeType"):
            inner = ["has neither path nor runtimeType; name the program"]
        elif not inner and runtime.get("path") and runtime.get("runtimeType"):
            inner = ["has both path and runtimeType; keep one"]
        problems += [f"runtime '{name}' {problem}" for problem in inner]
    return problems


def check_exec_opts(value: list[str]) -> list[str]:
    """The only option is the cgroup driver."""
    return [
        f"entry '{entry}' is unknown; only native.cgroupdriver=systemd and native.cgroupdriver=cgroupfs exist"
        for entry in value
        if entry not in ("native.cgroupdriver=systemd", "native.cgroupdriver=cgroupfs")
    ]


def check_userns(value: str) -> list[str]:
    """A named user with ranges of its own; 'default' lets dockerd choose ranges that may overlap."""
    user = value.partition(":")[0]
    if user == "default":
        return [
            "is 'default', which lets dockerd make the user and choose ids that another user may own; name the "
            "user, such as dockremap, and give it ranges first"
        ]
    if user in ("root", "0"):
        return [f"is '{value}', which switches the remapping off; name another user, or remove the key"]
    return []


def check_seccomp_path(value: str) -> list[str]:
    """A path to a profile or the engine's own; nothing that takes the filter away."""
    if value == "unconfined":
        return ["is 'unconfined', which switches seccomp off for every container; remove the key, or name a profile"]
    if value not in ("", "builtin") and not value.startswith("/"):
        return [f"is '{value}', which is neither 'builtin' nor an absolute path of a profile"]
    return []


def check_ulimits(value: t.Any) -> list[str]:
    """Known limits, each with its name repeated and the soft one not above the hard one."""
    if not isinstance(value, dict):
        return [f"is {describe(value)}, but it must be an object of limits by name"]
    problems = []
    for name, limit in value.items():
        if name not in ULIMITS:
            problems.append(f"'{name}' is no limit of setrlimit(2); known are {', '.join(ULIMITS)}")
            continue
        inner = fields(limit, {"Name": STRING, "Soft": INT, "Hard": INT})
        if not inner:
            soft, hard = limit.get("Soft", 0), limit.get("Hard", 0)
            if limit.get("Name", "") != name:
                inner = [f"must hold its name again, as Name: {name}, or dockerd sets a limit without a name"]
            elif hard != -1 and (soft == -1 or soft > hard):
                inner = [f"has a soft limit of {soft} above the hard limit of {hard}; lower it"]
        problems += [f"limit '{name}' {problem}" for problem in inner]
    return problems


def check_fwmark(value: str) -> list[str]:
    """A mark, with or without a mask."""
    return (
        []
        if not value or _FWMARK.fullmatch(value)
        else [f"'{value}' is not a mark or mark/mask; write it like 0x1/0x3"]
    )


def check_port(value: int) -> list[str]:
    """A TCP port, or 0 for none."""
    return [] if value < 65536 else [f"is {value}, but a port is at most 65535"]


def check_address_pools(value: t.Any) -> list[str]:
    """Pools of subnets; a subnet cannot be larger than its pool, and pools do not overlap."""
    if not isinstance(value, list):
        return [f"is {describe(value)}, but it must be a list of pools with base and size"]
    problems: list[str] = []
    networks: list[t.Any] = []
    for pool in value:
        inner = fields(pool, {"base": STRING, "size": INT})
        if not inner:
            base, size = pool.get("base", ""), pool.get("size", 0)
            try:
                network = ipaddress.ip_network(base, strict=False)
            except ValueError:
                inner = [f"has the base '{base}', which is no network; write it like 172.26.0.0/16"]
            else:
                if "/" not in base:
                    inner = [f"has the base '{base}' without a prefix length; write it like 172.26.0.0/16"]
                elif not network.prefixlen <= size <= network.max_prefixlen:
                    inner = [
                        f"{base} has the size {size}, but it must lie between {network.prefixlen} and "
                        f"{network.max_prefixlen}"
                    ]
                inner += [
                    f"{base} overlaps the pool {other}; keep them apart"
                    for other in networks
                    if other.version == network.version and other.overlaps(network)
                ]
                networks.append(network)
        problems += [f"pool {problem}" for problem in inner]
    return problems


def check_network_opts(value: t.Any) -> list[str]:
    """Options by network driver, as strings."""
    if not isinstance(value, dict):
        return [f"is {describe(value)}, but it must be an object of options by network driver"]
    problems = []
    for driver, options in value.items():
        if driver not in ("bridge", "macvlan", "ipvlan", "overlay"):
            problems.append(
                f"'{driver}' is no network driver with options; known are bridge, macvlan, ipvlan and overlay"
            )
        found = kind_problem(STRING_MAP, options)
        if found:
            problems.append(f"driver '{driver}' {found}")
        elif driver == "bridge":
            problems += [
                f"driver 'bridge' holds the unknown option '{name}'; the options of bridge begin with "
                "com.docker.network."
                for name in options
                if not name.startswith("com.docker.network.")
            ]
    return problems


def fields(value: t.Any, known: dict[str, str], any_case: bool = False) -> list[str]:
    """Check an object against its known fields and their kinds."""
    if not isinstance(value, dict):
        return [f"is {describe(value)}, but it must be an object with {', '.join(known)}"]
    problems = []
    for name, item in value.items():
        kind = known.get(name.lower() if any_case else name)
        if kind is None:
            problems.append(f"holds the unknown field '{name}'; known are {', '.join(known)}")
            continue
        found = kind_problem(kind, item)
        if found:
            problems.append(f"field '{name}' {found}")
    return problems


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
