# SPDX-License-Identifier: Apache-2.0
"""Limits that somebody took away were found, named and mended by one role, and Docker did not notice."""

from __future__ import annotations

import json
import os
import pathlib

import pytest

REPORT = pathlib.Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "limits-drift"


@pytest.fixture(scope="module")
def report(host):
    (path,) = REPORT.glob("*.json")
    hosts = json.loads(path.read_text(encoding="utf-8"))["hosts"]
    return next(one for one in hosts if one["name"] == host.backend.get_hostname())


def test_everything_was_found_and_mended_by_this_role(report):
    found = {(one["name"], one["item"]) for one in report["differences"]}
    assert found >= {
        ("file-missing", "file:/etc/systemd/system/containers.slice.d/40-bulkhead-limits.conf"),
        ("file-edited", "file:/etc/systemd/system/containers-batch.slice"),
        ("unit-drop-ins", "unit:containers-critical.slice"),
        ("timer-stopped", "timer:bulkhead-docker-limits.timer"),
    }
    assert {one["role"] for one in report["differences"]} == {"docker_limits"}
    assert {one["standing"] for one in report["differences"]} == {"mended"}


def test_it_is_all_there_again(host, shown):
    assert host.file("/etc/systemd/system/containers.slice.d/40-bulkhead-limits.conf").contains("MemoryMax=80%")
    assert shown("containers-batch.slice", "MemoryMax")["MemoryMax"] == str(512 * 1024**2)
    assert not host.file("/etc/systemd/system/containers-critical.slice.d/99-mine.conf").exists
    assert host.run("find /var/lib/bulkhead/set-aside -name 99-mine.conf | grep .").rc == 0
    assert shown("bulkhead-docker-limits.timer", "ActiveState", "UnitFileState") == {"ActiveState": "active", "UnitFileState": "enabled"}


def test_docker_was_not_restarted(host):
    before = host.check_output("cat /root/docker-before")
    assert host.check_output("systemctl show --property InvocationID,ActiveEnterTimestampMonotonic docker.service") == before


def test_the_host_is_as_it_was_left(host):
    found = host.ansible("bulkhead.docker.docker_host_drift", check=False)
    assert [one for one in found["differences"] if one["role"] == "docker_limits"] == []
