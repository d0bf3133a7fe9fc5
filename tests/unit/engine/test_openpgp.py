# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import base64
import hashlib

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import openpgp, package_sources


def packet(tag, body, new=True):
    if new:
        return bytes([0xC0 | tag, 255]) + len(body).to_bytes(4, "big") + body
    return bytes([0x80 | tag << 2 | 1]) + len(body).to_bytes(2, "big") + body


def key(seed, new=True):
    """A primary key, a user and a subkey: a keyring as gpg exports one, as far as packets go."""
    primary = b"\x04" + seed.encode() * 20
    digest = hashlib.sha1(b"\x99" + len(primary).to_bytes(2, "big") + primary).hexdigest().upper()
    return packet(6, primary, new) + packet(13, b"somebody", new) + packet(14, b"\x04sub", new), digest


@pytest.mark.parametrize("new", [True, False])
def test_fingerprints_of_primary_keys_only(new):
    content, digest = key("a", new)
    assert openpgp.fingerprints(content) == (digest,)
    assert openpgp.fingerprints(openpgp.armored(content).encode()) == (digest,)


def test_armor_is_stable_and_joins_blocks():
    one, first = key("a")
    other, second = key("b")
    both = (openpgp.armored(one) + openpgp.armored(other)).encode()
    assert openpgp.fingerprints(both) == (first, second)
    assert openpgp.armored(openpgp.armored(one).encode()) == openpgp.armored(one)


def test_crc_of_the_armor():
    # The checksum that RFC 9580 defines of nothing is its initial value.
    assert base64.b64encode(openpgp._crc24(b"").to_bytes(3, "big")) == b"twTO"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "neither"),
        (b"<html>not found</html>", "neither"),
        (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc", "no complete"),
        (openpgp.armored(packet(6, b"\x04key")).replace("PUBLIC", "PRIVATE").encode(), "only public keys"),
        (packet(5, b"\x04secret"), "secret key"),
        (packet(13, b"somebody"), "no public key"),
        (packet(6, b"\x03old"), "too old"),
        (packet(6, b"\x04key")[:-1], "cut off"),
    ],
)
def test_what_is_no_key_is_refused(content, said):
    with pytest.raises(openpgp.BadKey, match=said):
        openpgp.fingerprints(content)


@pytest.mark.parametrize("text", ["9DC8 5822 9FC7 DD38 854A  E2D8 8D81 803C 0EBF CD88", "0x9dc858229fc7dd38854ae2d88d81803c0ebfcd88"])
def test_fingerprints_however_they_are_written(text):
    assert openpgp.normal(text) == package_sources.UPSTREAMS["debian"].fingerprint


@pytest.mark.parametrize("text", ["0EBFCD88", "8D81803C0EBFCD88", "", "Z" * 40])
def test_a_short_id_proves_nothing(text):
    with pytest.raises(openpgp.BadKey):
        openpgp.normal(text)


def test_a_keyring_with_another_or_a_further_key_is_refused_with_both_fingerprints():
    one, first = key("a")
    other, second = key("b")
    assert package_sources.key_problem(one, [first], "key") is None
    assert package_sources.key_problem(one + other, [second, first], "key") is None
    for content, wanted in ((one, second), (one + other, first)):
        problem = str(package_sources.key_problem(content, [wanted], "key"))
        assert openpgp.shown(first) in problem
        assert openpgp.shown(second) in problem
