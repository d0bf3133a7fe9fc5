# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from lab_docker import for_test


@pytest.fixture
def docker(host, request):
    """The engine of the host; containers of the test go when it ends."""
    yield from for_test(host, request)


@pytest.fixture
def name(host):
    return host.backend.get_hostname()


@pytest.fixture
def shown(host):
    """Return properties of a unit as systemd has them."""

    def ask(unit, *names):
        text = host.check_output(f"systemctl show --property {','.join(names)} {unit}")
        return dict(line.split("=", 1) for line in text.splitlines())

    return ask


@pytest.fixture
def controllers(host):
    """The controllers that the host's control groups have; without any only units can be looked at."""
    return host.run("cat /sys/fs/cgroup/cgroup.controllers").stdout.split()
