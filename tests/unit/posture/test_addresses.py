# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Addresses that everybody reaches, and those that only the host does."""

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import addresses


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0:2375", "[::]:2375", ":2375", ":::2375", "*:2375", "0.0.0.0", "::", "[::]", "", "[::ffff:0.0.0.0]:80", "[::0]:80", "[0:0:0:0:0:0:0:0]:80"],
)
def test_every_address(address):
    assert addresses.is_wildcard(address) and not addresses.is_loopback(address)


@pytest.mark.parametrize("address", ["127.0.0.1:2375", "127.1.2.3", "[::1]:2375", "::1", "localhost:2375", "localhost", "[::ffff:127.0.0.1]:80"])
def test_loopback(address):
    assert addresses.is_loopback(address) and not addresses.is_wildcard(address)


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1:2376", "[fd00::1]:2376", "fd00::1", "host.example.com:80", "10.0.0.1", "localhost.example.com", "127.example.com:5000", "127.0.0.1.example.com"],
)
def test_one_address(address):
    assert not addresses.is_wildcard(address) and not addresses.is_loopback(address)


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("10.0.0.1:2376", "10.0.0.1", "2376"),
        ("[fd00::1]:2376", "fd00::1", "2376"),
        ("[fd00::1]", "fd00::1", ""),
        ("10.0.0.1", "10.0.0.1", ""),
        (":2375", "", "2375"),
        ("x:y", "x", ""),
    ],
)
def test_parts(address, host, port):
    assert addresses.host_of(address) == host
    assert addresses.port_of(address) == port


def test_a_port_behind_a_scheme():
    assert addresses.port_of("tcp://0.0.0.0:2375/v1") == "2375"
    assert addresses.port_of("fd://") == ""
