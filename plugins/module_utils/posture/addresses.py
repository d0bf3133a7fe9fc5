# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Addresses on which something listens: whether everybody reaches them, or the host alone.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import ipaddress


def host_of(address: str) -> str:
    """Return an address without its port and without the brackets of IPv6."""
    last = address.rpartition("]")[2]
    if address.count(":") > 1 and not address.startswith("["):
        # An IPv6 address alone, or with a port that nobody could tell apart.
        host = address.rpartition(":")[0] if address.startswith(":::") else address
    else:
        host = address.rpartition(":")[0] if ":" in last else address
    return host.strip("[]")


def port_of(address: str) -> str:
    """Return the port of an address, empty where it has none; a scheme and a path do not matter."""
    port = address.partition("://")[2] if "://" in address else address
    port = port.partition("/")[0].rpartition(":")[2]
    return port if port.isdecimal() else ""


def is_wildcard(address: str) -> bool:
    """Tell whether an address, with or without a port, stands for every address of the host."""
    host = host_of(address)
    found = _number(host)
    return host in ("", "*") or (found is not None and found.is_unspecified)


def is_loopback(address: str) -> bool:
    """Tell whether an address, with or without a port, is one that only the host itself reaches; a name such as 127.example.com is none."""
    host = host_of(address)
    found = _number(host)
    return host == "localhost" or (found is not None and found.is_loopback)


def _number(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    # IPv4 in the form of IPv6.
    return getattr(found, "ipv4_mapped", None) or found
