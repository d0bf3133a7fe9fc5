# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The short forms of compose: volumes, ports and devices in one text.

PRIVATE to the collection: no stability is promised to other users.

Rules: compose-go format/volume.go and transform/device.go, go-connections nat/nat.go for ports.
"""

from __future__ import annotations

import re
import typing as t

PROPAGATIONS = frozenset(("rprivate", "private", "rshared", "shared", "rslave", "slave"))
_PORTS = re.compile(r"(?P<first>[0-9]{1,5})(?:-(?P<last>[0-9]{1,5}))?\Z")
# A longer range is one entry with its two ends: nobody reads a finding for each of thirty thousand ports.
LONGEST_RANGE = 64


class Volume(t.NamedTuple):
    """A volume in its short form; ``kind`` is bind or volume."""

    kind: str
    source: str
    target: str
    read_only: bool = False
    propagation: str = ""


class PublishedPort(t.NamedTuple):
    """A published port; ports are texts, since each can be a range, and ``published`` is empty for one that the engine chooses."""

    host_ip: str
    published: str
    target: str
    protocol: str


def volume(text: str) -> Volume:
    """Return what the short form of a volume means.

    Raises:
        ValueError: it is none; the message ends a sentence.
    """
    if len(text) < 3:
        if not text:
            raise ValueError("is an empty volume")
        return Volume("volume", "", text)
    fields = _fields(text)
    if any(field == "" for field in fields):
        raise ValueError(f"has nothing between two colons in {_shown(text)}")
    if len(fields) == 1:
        return Volume("volume", "", fields[0])
    if len(fields) > 3:
        raise ValueError(f"has too many colons in {_shown(text)}")
    options = fields[2].split(",") if len(fields) == 3 else []
    read_only = False
    propagation = ""
    for option in options:
        if option in ("ro", "rw"):
            read_only = option == "ro"
        elif option in PROPAGATIONS:
            propagation = option
    return Volume("bind" if is_path(fields[0]) else "volume", fields[0], fields[1], read_only, propagation)


def is_path(source: str) -> bool:
    """Tell whether the source of a volume is a path, not a name."""
    return source.startswith((".", "/", "~", "\\\\")) or _is_drive(source[:2])


def ports(text: str) -> list[PublishedPort]:
    """Return what the short form of a port means; a range gives one entry for each port, or one for all when it is long.

    Raises:
        ValueError: it is none; the message ends a sentence.
    """
    address, slash, protocol = text.rpartition("/")
    if not slash:
        address, protocol = text, "tcp"
    protocol = protocol.lower()
    if protocol not in ("tcp", "udp", "sctp"):
        raise ValueError(f"names the protocol {_shown(protocol)} in {_shown(text)}; there are tcp, udp and sctp")
    fields = address.split(":")
    target = _range(fields[-1], text)
    published = fields[-2] if len(fields) > 1 else ""
    host_ip = ":".join(fields[:-2])
    if host_ip.startswith("[") and host_ip.endswith("]"):
        host_ip = host_ip[1:-1]
    if not published:
        return [PublishedPort(host_ip, "", port, protocol) for port in _each(*target)]
    outside = _range(published, text)
    if outside[1] - outside[0] != target[1] - target[0]:
        if target[0] != target[1]:
            raise ValueError(f"has two ranges of different length in {_shown(text)}")
        return [PublishedPort(host_ip, published, str(target[0]), protocol)]
    return [PublishedPort(host_ip, *pair, protocol) for pair in zip(_each(*outside), _each(*target))]


def port_range(text: str) -> tuple[int, int]:
    """Return the first and the last port of a text such as ``8000-8010``.

    Raises:
        ValueError: it is none; the message ends a sentence.
    """
    return _range(text, text)


class DeviceMapping(t.NamedTuple):
    """A device in its short form."""

    source: str
    target: str
    permissions: str


def device(text: str) -> DeviceMapping:
    """Return what the short form of a device means.

    Raises:
        ValueError: it is none; the message ends a sentence.
    """
    fields = text.split(":")
    if len(fields) > 3:
        raise ValueError(f"has too many colons in {_shown(text)}; write source, target and permissions under keys")
    target = fields[1] if len(fields) > 1 else ""
    return DeviceMapping(fields[0], target or fields[0], fields[2] if len(fields) > 2 else "rwm")


def _fields(text: str) -> list[str]:
    """Split at colons, except at that of a Windows drive."""
    fields: list[str] = []
    for part in text.split(":"):
        if fields and len(fields[-1]) == 1 and fields[-1].isalpha():
            fields[-1] += ":" + part
        else:
            fields.append(part)
    return fields


def _is_drive(text: str) -> bool:
    return len(text) == 2 and text[0].isalpha() and text[1] == ":"


def _range(text: str, whole: str) -> tuple[int, int]:
    match = _PORTS.match(text)
    if match is None:
        raise ValueError(f"is no port: {_shown(whole)}; write HOST:CONTAINER, such as 127.0.0.1:8080:80")
    first = int(match["first"])
    last = int(match["last"]) if match["last"] else first
    if not 0 <= first <= last <= 65535:
        raise ValueError(f"has a port that cannot be in {_shown(whole)}; ports go from 0 to 65535, the lower one first")
    return first, last


def _each(first: int, last: int) -> list[str]:
    if last - first >= LONGEST_RANGE:
        return [f"{first}-{last}"]
    return [str(port) for port in range(first, last + 1)]


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "\u2026")
