# SPDX-License-Identifier: Apache-2.0
"""The collection's own Python on the lab hosts, so that one program can look at many containers."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from lab_docker import for_test

COLLECTION = Path(__file__).resolve().parents[3]
DRIVER = Path(__file__).with_name("on_host.py")
PLACE = "/root/lab"


@pytest.fixture
def docker(host, request):
    yield from for_test(host, request)


@pytest.fixture(scope="module")
def on_host(host, tmp_path_factory):
    """Call a function of on_host.py on the host; it returns what the function returns."""
    archive = tmp_path_factory.mktemp("driver") / "driver.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(DRIVER, arcname="on_host.py")
        base = "ansible_collections/bulkhead/docker/plugins"
        for package in ("ansible_collections", "ansible_collections/bulkhead", "ansible_collections/bulkhead/docker", base):
            tar.addfile(tarfile.TarInfo(f"{package}/__init__.py"), io.BytesIO())
        for path in sorted((COLLECTION / "plugins" / "module_utils").rglob("*.py")):
            tar.add(path, arcname=f"{base}/{path.relative_to(COLLECTION / 'plugins')}")
    host.check_output("mkdir -p %s", PLACE)
    host.ansible("ansible.builtin.unarchive", f"src={archive} dest={PLACE} owner=root group=root", check=False)

    def call(function, **arguments):
        return json.loads(
            host.check_output("cd %s && python3 -B on_host.py %s %s", PLACE, function, json.dumps(arguments)).splitlines()[-1]
        )

    yield call
    host.check_output("rm -r %s", PLACE)
