# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import pytest
from lab_docker import for_test

#: Where each host's dockerd keeps its data after the move, and the base of its range.
ROOTS = {
    "bookworm": "/var/lib/docker/100000.100000",
    "trixie": "/var/lib/docker",
    "forky": "/srv/docker",
}


@pytest.fixture
def docker(host, request):
    """The engine of the host; containers and volumes of the test go when it ends."""
    yield from for_test(host, request)


@pytest.fixture(scope="module")
def name(host):
    return host.ansible.get_variables()["inventory_hostname"]


@pytest.fixture(scope="module")
def root(name):
    if name not in ROOTS:
        pytest.skip("was moved often, see test_kills.py and test_journey.py")
    return ROOTS[name]


@pytest.fixture(scope="module")
def before(host):
    return json.loads(host.file("/root/lab/before.json").content_string)


@pytest.fixture(scope="module")
def after(host):
    return json.loads(host.check_output("python3 /root/lab/describe.py"))


@pytest.fixture(scope="module")
def journal(host):
    return json.loads(host.file("/var/lib/bulkhead/move.json").content_string)
