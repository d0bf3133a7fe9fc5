# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a daemon configuration can have the addresses, ports and bridges that it names on this host.

PRIVATE to the collection: no stability is promised to other users.

dockerd looks at the default bridge only when it starts while no container runs, so with live-restore a mistake here
waits for the next boot (moby daemon/daemon_unix.go, initNetworkController).
"""

from __future__ import annotations

import errno
import ipaddress
import json
import os
import re
import socket
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands

Config = t.Mapping[str, t.Any]
Network = t.Union[ipaddress.IPv4Interface, ipaddress.IPv6Interface]
_DEFAULT_BRIDGE = "docker0"
_LISTENING = "0A"
_OWN = ("dockerd",)


def problems(config: Config, predicting: bool) -> list[Problem]:
    """Return what a configuration asks of the host's network and cannot have.

    Args:
        config: the whole configuration; values of a wrong form are passed over, others report them.
        predicting: whether interfaces and addresses may still come before the real run.
    """
    found = _ports(config, predicting)
    interfaces = _interfaces()
    if interfaces is not None:
        found += _overlaps(config, interfaces)
        found += [] if predicting else _missing(config, interfaces)
    return found


def _ports(config: Config, predicting: bool) -> list[Problem]:
    host, colon, port = str(config.get("metrics-addr") or "").rpartition(":")
    if not (colon and port.isdigit() and 0 < int(port) < 65536):
        return []
    address, number = host.strip("[]"), int(port)
    refused = _bind_error(address, number)
    if refused == errno.EADDRINUSE and (holder := _holder(number)) not in _OWN:
        message = f"names port {number} of {address}, which is in use by {holder or 'another program'}; choose another port, or stop that program"
    elif refused == errno.EADDRNOTAVAIL and not predicting:
        message = f"names {address}, but this host has no such address; name one of its own"
    else:
        return []
    return [Problem("metrics-addr", message)]


def _bind_error(address: str, port: int) -> int:
    """Return the error of taking a port for a moment; 0 where it is free, or where the name says nothing here."""
    try:
        family, kind, protocol, _name, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        return errno.EADDRNOTAVAIL
    with socket.socket(family, kind, protocol) as probe:
        # As Go does: connections that are fading away do not hold a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(place)
        except OSError as error:
            return error.errno or 0
    return 0


def _holder(port: int) -> str:
    """Return the name of the program that listens on a TCP port; empty where that cannot be seen (proc(5))."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in _lines(table)[1:]:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            held = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{process}/fd")]
        except OSError:
            continue
        if inodes.intersection(held):
            return "".join(_lines(f"/proc/{process}/comm"))
    return ""


def _interfaces() -> dict[str, list[Network]] | None:
    """Return the addresses of each interface; None where the host has no tool to tell them."""
    try:
        shown = commands.run(["ip", "-json", "address"], check=False).stdout
        return {
            entry["ifname"]: [
                ipaddress.ip_interface(f"{address['local']}/{address['prefixlen']}")
                for address in entry.get("addr_info", [])
                if "local" in address
            ]
            for entry in json.loads(shown)
            if "ifname" in entry
        }
    except (commands.CommandError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _overlaps(config: Config, interfaces: t.Mapping[str, t.Sequence[Network]]) -> list[Problem]:
    found = []
    for key in ("bip", "bip6"):
        wanted = _network(config.get(key))
        if wanted is None:
            continue
        for name, addresses in interfaces.items():
            if name == _DEFAULT_BRIDGE:
                continue
            for address in addresses:
                if address.version == wanted.version and not address.is_link_local and address.network.overlaps(wanted):
                    found.append(
                        Problem(
                            key,
                            f"is {config[key]}, which overlaps {address.network} of {name}, so the host and its "
                            "containers would no longer reach what is there; choose a network that is free",
                        )
                    )
    return found


def _network(value: t.Any) -> t.Any:
    try:
        return ipaddress.ip_interface(value).network if isinstance(value, str) and value else None
    except ValueError:
        return None


def _missing(config: Config, interfaces: t.Mapping[str, t.Sequence[Network]]) -> list[Problem]:
    found = []
    bridge = config.get("bridge")
    if (
        isinstance(bridge, str)
        and re.fullmatch(r"[^/\s]+", bridge)
        and bridge not in ("none", _DEFAULT_BRIDGE)
        and not os.path.isdir(f"/sys/class/net/{bridge}/bridge")
    ):
        found.append(
            Problem(
                "bridge",
                f"is '{bridge}', but this host has no such bridge, and dockerd does not start without it; make the "
                "bridge first, or remove the key",
            )
        )
    address = _network(config.get("ip"))
    if address is not None:
        wanted = ipaddress.ip_address(str(config["ip"]))
        own = {found.ip for addresses in interfaces.values() for found in addresses}
        if not (wanted.is_unspecified or wanted.is_loopback or wanted in own):
            found.append(
                Problem(
                    "ip",
                    f"is {wanted}, but this host has no such address, so no port could be published; name one of its "
                    "own",
                )
            )
    return found


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read().splitlines()
    except OSError:
        return []
