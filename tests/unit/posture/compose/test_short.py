# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose import short


@pytest.mark.parametrize(
    "text, found",
    [
        ("/data", ("volume", "", "/data", False, "")),
        ("db:/data", ("volume", "db", "/data", False, "")),
        ("./a:/data:ro", ("bind", "./a", "/data", True, "")),
        ("../a:/data:rw", ("bind", "../a", "/data", False, "")),
        ("~/a:/data", ("bind", "~/a", "/data", False, "")),
        ("/a:/data:ro,rslave,z", ("bind", "/a", "/data", True, "rslave")),
        ("/a:/data:shared", ("bind", "/a", "/data", False, "shared")),
        ("/a:/data:nonsense", ("bind", "/a", "/data", False, "")),
        ("C:\\a:/data:ro", ("bind", "C:\\a", "/data", True, "")),
        ("/x", ("volume", "", "/x", False, "")),
        ("x", ("volume", "", "x", False, "")),
    ],
)
def test_volumes(text, found):
    assert short.volume(text) == found


@pytest.mark.parametrize("text", ["", "/a::ro", ":/data", "/a:/b:ro:x"])
def test_volumes_that_are_none(text):
    with pytest.raises(ValueError):
        short.volume(text)


@pytest.mark.parametrize(
    "text, found",
    [
        ("80", [("", "", "80", "tcp")]),
        ("8080:80", [("", "8080", "80", "tcp")]),
        ("8080:80/udp", [("", "8080", "80", "udp")]),
        ("127.0.0.1:8080:80", [("127.0.0.1", "8080", "80", "tcp")]),
        ("127.0.0.1::80", [("127.0.0.1", "", "80", "tcp")]),
        ("[::1]:8080:80", [("::1", "8080", "80", "tcp")]),
        ("[::]:8080:80/UDP", [("::", "8080", "80", "udp")]),
        ("::1:8080:80", [("::1", "8080", "80", "tcp")]),
        ("80-81", [("", "", "80", "tcp"), ("", "", "81", "tcp")]),
        ("90-91:80-81", [("", "90", "80", "tcp"), ("", "91", "81", "tcp")]),
        ("9000-9010:80", [("", "9000-9010", "80", "tcp")]),
        ("1000-2000:1000-2000", [("", "1000-2000", "1000-2000", "tcp")]),
        ("0:80", [("", "0", "80", "tcp")]),
    ],
)
def test_ports(text, found):
    assert short.ports(text) == found


@pytest.mark.parametrize("text", ["", "http", "80:http", "90-92:80-81", "81-80", "65536", "1:70000", "80/icmp", "-1", "80:80:80:x", "\u0661"])
def test_ports_that_are_none(text):
    with pytest.raises(ValueError):
        short.ports(text)


@pytest.mark.parametrize(
    "text, found",
    [
        ("/dev/fuse", ("/dev/fuse", "/dev/fuse", "rwm")),
        ("/dev/a:/dev/b", ("/dev/a", "/dev/b", "rwm")),
        ("/dev/a:/dev/b:r", ("/dev/a", "/dev/b", "r")),
        ("/dev/a::r", ("/dev/a", "/dev/a", "r")),
    ],
)
def test_devices(text, found):
    assert short.device(text) == found


def test_devices_that_are_none():
    with pytest.raises(ValueError, match="too many colons"):
        short.device("a:b:c:d")
