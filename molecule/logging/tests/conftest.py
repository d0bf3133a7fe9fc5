# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import versions
from lab_docker import for_test

PROGRAMS = "/opt/logging"


@pytest.fixture
def docker(host, request):
    """The engine of the host; containers of the test go when it ends."""
    yield from for_test(host, request)


@pytest.fixture
def version(docker):
    """The version of the host's engine."""
    return versions.parse(docker.info()["ServerVersion"])


@pytest.fixture
def program(host):
    """Runs one of the scenario's programs on the host, with a value on its input, and returns what it prints."""

    def run(name, given):
        return json.loads(host.check_output(f"printf %%s %s | python3 {PROGRAMS}/{name}", json.dumps(given)))

    return run
