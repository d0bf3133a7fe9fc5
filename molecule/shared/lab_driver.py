# SPDX-License-Identifier: Apache-2.0
"""For drivers that run on the controller: scripts on the lab's hosts, and playbooks against them as a user runs them."""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import subprocess
import typing as t

Json = dict[str, t.Any]


class Lab:
    """The hosts of a scenario, and the playbook runs against them.

    Args:
        directory: where each run gets a directory with what it said and its reports.
        prefix: of the hosts' containers.
        apart: whether each run is recorded in its directory instead of among the scenario's runs.
    """

    def __init__(self, directory: pathlib.Path, prefix: str, apart: bool = False) -> None:
        self.directory = directory
        self.prefix = prefix
        self.variables: Json = {}
        self._apart = apart
        # Runs may be started from several threads.
        self._numbers = itertools.count(1)

    def on(self, host: str, script: str, check: bool = True, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        """Run a script on a host."""
        done = subprocess.run(
            ["docker", "exec", "--interactive", self.prefix + host, "sh", "-eu"], input=script, capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and done.returncode:
            raise RuntimeError(f"{host}: {script}\n{done.stdout}{done.stderr}")
        return done

    def start(self, playbook: str, hosts: t.Collection[str], *options: str, **variables: t.Any) -> tuple[subprocess.Popen[str], pathlib.Path, pathlib.Path]:
        """Start a playbook run; return it, where its reports will be, and where it says what it says."""
        reports = self.directory / f"run-{next(self._numbers):03d}"
        reports.mkdir()
        said = reports / "said"
        everything = {"docker_drift_directory": str(reports), "docker_drift_formats": ["json"], **self.variables, **variables}
        environment = {**os.environ, "LAB_RUNS": str(reports)} if self._apart else None
        with said.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(
                ["ansible-playbook", "--limit", ",".join(sorted(hosts)), "--extra-vars", json.dumps(everything), *options, playbook],
                stdout=output, stderr=subprocess.STDOUT, text=True, start_new_session=True, env=environment,
            )
        return process, reports, said

    def play(self, playbook: str, hosts: t.Collection[str], *options: str, **variables: t.Any) -> Json:
        """Run a playbook and return its exit status, what it said, and the reports by host."""
        process, reports, said = self.start(playbook, hosts, *options, **variables)
        status = process.wait(timeout=1800)
        return {"status": status, "said": said.read_text(encoding="utf-8")[-6000:], "hosts": read_reports(reports)}


def read_reports(directory: pathlib.Path) -> Json:
    """Return the last report's hosts by name."""
    report = directory / "drift.json"
    if not report.exists():
        return {}
    return {host["name"]: host for host in json.loads(report.read_text(encoding="utf-8"))["hosts"]}
