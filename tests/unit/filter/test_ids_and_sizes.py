# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import importlib

import pytest
from ansible.errors import AnsibleFilterError

ONE = [{"start": 100000, "count": 65536}]
JOINED = [{"start": 100000, "count": 1000}, {"start": 300000, "count": 1000}]
LATER = [{"start": 200000, "count": 65536}]


def apply(name, *arguments):
    module = importlib.import_module(f"ansible_collections.bulkhead.docker.plugins.filter.{name}")
    return module.FilterModule().filters()[name](*arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("host_id", (0, ONE), 100000),
        ("host_id", ("999", ONE), 100999),
        ("host_id", (1000, JOINED), 300000),
        ("container_id", (100999, ONE), 999),
        ("container_id", (300000, JOINED), 1000),
        ("effective_root", ("/var/lib/docker",), "/var/lib/docker"),
        ("effective_root", ("/var/lib/docker/", []), "/var/lib/docker"),
        ("effective_root", ("/var/lib/docker/", ONE), "/var/lib/docker/100000.100000"),
        ("effective_root", ("/srv/docker", ONE, LATER), "/srv/docker/100000.200000"),
        ("size_bytes", ("20m",), 20971520),
        ("size_bytes", (4096,), 4096),
    ],
)
def test_filters(name, arguments, result):
    assert apply(name, *arguments) == result


@pytest.mark.parametrize(
    ("name", "arguments", "word"),
    [
        ("host_id", (65536, ONE), "outside the mapping"),
        ("host_id", (-1, ONE), "is no id"),
        ("host_id", (True, ONE), "is no id"),
        ("host_id", ("root", ONE), "is no id"),
        ("host_id", (0, []), "needs a list of ranges"),
        ("host_id", (0, "100000:65536"), "needs a list of ranges"),
        ("host_id", (0, ["100000:65536"]), "is no range"),
        ("host_id", (0, [{"start": 100000}]), "is no range"),
        ("host_id", (0, [{"start": "100000", "count": 65536}]), "is no range"),
        ("host_id", (0, [{"start": 4294967295, "count": 2}]), "beyond the highest id"),
        ("container_id", (99999, ONE), "outside the mapping"),
        ("container_id", (1.5, ONE), "is no id"),
        ("effective_root", ("docker", ONE), "no absolute path"),
        ("effective_root", (None,), "no absolute path"),
        ("effective_root", ("/var/lib/docker", "100000"), "needs a list of ranges"),
        ("size_bytes", ("much",), "is not a size"),
        ("size_bytes", (True,), "is not a size"),
    ],
)
def test_errors_name_the_filter(name, arguments, word):
    with pytest.raises(AnsibleFilterError, match=word) as raised:
        apply(name, *arguments)
    assert str(raised.value).startswith(f"{name}: ")
