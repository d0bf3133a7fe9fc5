# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Which keys an OpenPGP keyring holds: enough to compare fingerprints before a key is trusted.

PRIVATE to the collection: no stability is promised to other users.

Only what RFC 9580 says about packets (4.2), fingerprints (5.5.4) and armor (6) is here: nothing is verified, because apt,
dnf and rpm verify signatures themselves once they have the key. What they must not have is a key that nobody compared.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import typing as t

_BLOCK = re.compile(
    r"-----BEGIN PGP (?P<kind>[A-Z ]+)-----[ \t]*\r?\n(?P<headers>(?:[A-Za-z]+: [^\n]*\n)*)\s*?\r?\n?(?P<body>[A-Za-z0-9+/=\s]+?)-----END PGP (?P=kind)-----"
)
_PUBLIC_BLOCK = "PUBLIC KEY BLOCK"
_PUBLIC_KEY = 6
_SECRET_KEYS = (5, 7)
_LINE = 64


class BadKey(ValueError):
    """The text is no usable public key; the message is a sentence without a full stop."""


def packets(keyring: bytes) -> bytes:
    """Return the packets of a keyring, whether it is armored (one or more blocks) or binary.

    Raises:
        BadKey: there is no key in it, or a secret one.
    """
    if not keyring.lstrip().startswith(b"-----BEGIN PGP"):
        if not keyring or not keyring[0] & 0x80:
            raise BadKey("is neither an armored nor a binary OpenPGP public key")
        return keyring
    found = b""
    for block in _BLOCK.finditer(keyring.decode("ascii", errors="replace")):
        if block["kind"] != _PUBLIC_BLOCK:
            raise BadKey(f"holds a PGP {block['kind'].lower()}, where only public keys belong")
        # The checksum of an armor is a line of its own that starts with an equals sign.
        lines = [line.strip() for line in block["body"].splitlines() if not line.strip().startswith("=")]
        try:
            found += base64.b64decode("".join(lines), validate=True)
        except binascii.Error as error:
            raise BadKey("has an armor that cannot be decoded; take the key from its source again") from error
    if not found:
        raise BadKey("holds no complete PGP PUBLIC KEY BLOCK")
    return found


def fingerprints(keyring: bytes) -> tuple[str, ...]:
    """Return the fingerprints of the primary keys in a keyring, in upper-case hexadecimal digits.

    Raises:
        BadKey: it holds no public key, a secret one, one of a version that nobody should trust any more, or it is damaged.
    """
    found = []
    for tag, body in _packets(packets(keyring)):
        if tag in _SECRET_KEYS:
            raise BadKey("holds a secret key, where only public keys belong")
        if tag == _PUBLIC_KEY:
            found.append(_fingerprint(body))
    if not found:
        raise BadKey("holds no public key")
    return tuple(found)


def armored(keyring: bytes) -> str:
    """Return a keyring as one armored block, the same text for the same packets."""
    content = packets(keyring)
    encoded = base64.b64encode(content).decode("ascii")
    lines = [encoded[start : start + _LINE] for start in range(0, len(encoded), _LINE)]
    checksum = base64.b64encode(_crc24(content).to_bytes(3, "big")).decode("ascii")
    return "\n".join([f"-----BEGIN PGP {_PUBLIC_BLOCK}-----", "", *lines, f"={checksum}", f"-----END PGP {_PUBLIC_BLOCK}-----", ""])


def normal(fingerprint: str) -> str:
    """Return a fingerprint as fingerprints() writes it, however a person did.

    Raises:
        BadKey: it is no whole fingerprint; a short key id is none, because anybody can make a key that has it.
    """
    digits = re.sub(r"[\s:]", "", fingerprint).upper()
    digits = digits[2:] if digits.startswith("0X") else digits
    if not re.fullmatch(r"[0-9A-F]{40}|[0-9A-F]{64}", digits):
        raise BadKey(f"'{fingerprint}' is no fingerprint: give all 40 (or 64) hexadecimal digits, a shorter key id proves nothing")
    return digits


def shown(fingerprint: str) -> str:
    """Return a fingerprint in groups of four, as people compare them."""
    return " ".join(fingerprint[start : start + 4] for start in range(0, len(fingerprint), 4))


def _packets(content: bytes) -> t.Iterator[tuple[int, bytes]]:
    place = 0
    while place < len(content):
        header = content[place]
        if not header & 0x80:
            raise BadKey("is damaged: a packet does not start where one must")
        tag, length, place = _new_header(content, place) if header & 0x40 else _old_header(content, place)
        body = content[place : place + length]
        if len(body) != length:
            raise BadKey("is cut off in the middle of a packet; take the key from its source again")
        yield tag, body
        place += length


def _old_header(content: bytes, place: int) -> tuple[int, int, int]:
    size = {0: 1, 1: 2, 2: 4}.get(content[place] & 3)
    if size is None:
        raise BadKey("has a packet without a length, which no key has")
    start = place + 1
    return content[place] >> 2 & 0x0F, int.from_bytes(content[start : start + size], "big"), start + size


def _new_header(content: bytes, place: int) -> tuple[int, int, int]:
    tag, start = content[place] & 0x3F, place + 1
    first = content[start] if start < len(content) else 255
    if first < 192:
        return tag, first, start + 1
    if first < 224:
        second = content[start + 1] if start + 1 < len(content) else 0
        return tag, ((first - 192) << 8) + second + 192, start + 2
    if first == 255:
        return tag, int.from_bytes(content[start + 1 : start + 5], "big"), start + 5
    raise BadKey("has a packet in parts, which no key has")


def _fingerprint(body: bytes) -> str:
    version = body[0] if body else 0
    if version == 4:
        # SHA-1 is what the format prescribes here; nothing can be chosen.
        return hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body).hexdigest().upper()
    if version in (5, 6):
        return hashlib.sha256((b"\x9a" if version == 5 else b"\x9b") + len(body).to_bytes(4, "big") + body).hexdigest().upper()
    raise BadKey(f"holds a key of version {version}, which is too old to be trusted")


def _crc24(content: bytes) -> int:
    crc = 0xB704CE
    for byte in content:
        crc ^= byte << 16
        for _bit in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1864CFB
    return crc & 0xFFFFFF
