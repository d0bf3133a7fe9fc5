# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""A fleet as it looks in practice, for the tests of the page in a browser."""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.tests.unit.report import drift_examples
from ansible_collections.bulkhead.docker.tests.unit.report.drift_examples import difference, look

MASKED = difference(
    "unit-masked", "docker_daemon", "unit:docker.service", what="docker.service is masked, not loaded", expected="loaded", observed="masked",
    source="systemctl show docker.service", route="restore", blast="nothing",
)
HOLD = difference(
    "hold-removed", "docker_engine", "package:docker.io", expected=True, observed=False, source="/var/lib/dpkg/status", blast="nothing",
    what="docker.io is not held any more, so the next upgrade of the host takes it along",
)
SHADOWED = difference(
    "data-shadowed", "docker_storage", "mount_point:/var/lib/docker/100000.100000/volumes", expected=[], observed=["web_data", "db_data"],
    what="under the filesystem on /var/lib/docker/100000.100000/volumes lie web_data, db_data, which nobody sees", route="restore", blast="nothing",
    source="/var/lib/docker/100000.100000/volumes",
)
LIVE = difference(
    "key-changed-live", "docker_daemon", "daemon:log-opts", expected={"max-size": "10m"}, observed={"max-size": "-1"}, blast="reload",
    what="dockerd runs with other log-opts than its file says", source="/info", changed_at=None,
)


def made(hosts: int = 12) -> dict[str, t.Any]:
    """Return the document of a fleet, most of it clean."""
    newer = {"name": "runc", "installed": "1.1.5", "offered": "1.1.15"}
    results: list[dict[str, t.Any]] = [{"name": f"docker-{number:02}.example.org", "looks": [look()]} for number in range(hosts)]
    results += [
        {"name": "web-01.example.org", "looks": [look(drift_examples.EDITED, MASKED, drift_examples.OLD, SHADOWED)]},
        {"name": "web-02.example.org", "looks": [look(drift_examples.EDITED, HOLD), look(HOLD, LIVE)]},
        {"name": "web-03.example.org", "looks": [look(HOLD), look()]},
        {"name": "db-01.example.org", "looks": [look(unknown=[drift_examples.UNKNOWN], upgrades=[newer])]},
        {"name": "db-02.example.org", "looks": [{"unreachable": True, "msg": "Failed to connect to the host via ssh: Connection timed out"}]},
        {"name": "db-03.example.org", "looks": [{"failed": True, "msg": "The module needs root."}]},
    ]
    return drift_examples.made(results)
