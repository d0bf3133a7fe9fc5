# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from lab_docker import for_test

ROOT = "/var/lib/docker/100000.100000"


@pytest.fixture
def docker(host, request):
    """The engine of the host; containers and volumes of the test go when it ends."""
    yield from for_test(host, request)


@pytest.fixture(scope="session")
def root():
    """The effective root of the first range that is allocated on an empty host."""
    return ROOT
