# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Addresses on which something listens: whether everybody reaches them, or the host alone.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations


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
    return host_of(address) in ("", "0.0.0.0", "::", "*", "::ffff:0.0.0.0")


def is_loopback(address: str) -> bool:
    """Tell whether an address, with or without a port, is one that only the host itself reaches."""
    host = host_of(address)
    return host in ("localhost", "::1") or host.startswith(("127.", "::ffff:127."))
