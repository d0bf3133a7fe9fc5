# SPDX-License-Identifier: Apache-2.0
"""A look at each of twenty hosts at once is one remote run for each, and none of them has drifted."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from lab_runs import last, module_runs


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    directory = tmp_path_factory.mktemp("drift")
    variables = {"docker_drift_directory": str(directory), "docker_drift_formats": ["json"]}
    environment = {**os.environ, "ANSIBLE_INVENTORY": os.environ["MOLECULE_INVENTORY_FILE"]}
    done = subprocess.run(
        ["ansible-playbook", "--extra-vars", json.dumps(variables), "bulkhead.docker.drift"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((Path(directory) / "drift.json").read_text(encoding="utf-8"))


def test_every_host_was_looked_at_once_and_is_clean(report):
    assert len(report["hosts"]) == 20
    assert {host["verdict"] for host in report["hosts"]} == {"clean"}
    for host in report["hosts"]:
        executed = [record["module"].rpartition(".")[2] for record in module_runs(last("drift"), host["name"]) if not record["delegated_to"]]
        assert executed == ["docker_host_drift"]
