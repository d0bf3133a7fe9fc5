# SPDX-License-Identifier: Apache-2.0
"""What looking for drift costs in a fleet: the playbook drift for 1, 5 and 20 hosts that are in order, all on this machine.

The hosts share the machine's processors with the controller, so a fleet of real machines is faster.

Started by `make bench`, which sets up the environment and an engine.
"""

from __future__ import annotations

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCENARIO = "fleet"
SIZES = (1, 5, 20)
ROUNDS = 3


def must(command: list[str], env: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def inventory(directory: pathlib.Path) -> pathlib.Path:
    """Write the hosts and the variables with which the scenario made them."""
    scenario = yaml.safe_load((ROOT / "molecule" / SCENARIO / "molecule.yml").read_text(encoding="utf-8"))
    base = yaml.safe_load((ROOT / ".config" / "molecule" / "config.yml").read_text(encoding="utf-8"))
    shared = {name: value for part in (base, scenario) for name, value in part["provisioner"]["inventory"]["group_vars"]["all"].items()}
    hosts = {}
    for platform in scenario["platforms"]:
        container = f"bulkhead-lab-{SCENARIO}-{platform['name']}"
        devices = json.loads(must(["docker", "inspect", "--format", "{{json .HostConfig.Devices}}", container], dict(os.environ)))
        hosts[platform["name"]] = {"ansible_host": container, "lab_disks": sorted(device["PathInContainer"] for device in devices)}
    connection = {"ansible_connection": "community.docker.docker", "ansible_become": False, "ansible_python_interpreter": "/usr/bin/python3"}
    path = directory / "inventory.json"
    path.write_text(json.dumps({"all": {"hosts": hosts, "vars": {**connection, **shared}}}), encoding="utf-8")
    return path


def play(playbook: str, size: int, hosts: pathlib.Path, **variables: object) -> str:
    limit = ",".join(f"host{number:02d}" for number in range(1, size + 1))
    given = ["--inventory", str(hosts), "--forks", str(size), "--limit", limit, "--extra-vars", json.dumps(variables)]
    return must(["ansible-playbook", *given, f"bulkhead.docker.{playbook}"], dict(os.environ))


def measure(size: int, hosts: pathlib.Path) -> float:
    reports = hosts.with_name("reports")
    begin = time.monotonic()
    said = play("drift", size, hosts, docker_drift_directory=str(reports), docker_drift_formats=["json"])
    took = time.monotonic() - begin
    verdicts = [host["verdict"] for host in json.loads((reports / "drift.json").read_text(encoding="utf-8"))["hosts"]]
    if verdicts != ["clean"] * size:
        sys.exit(f"a host has drifted or could not be looked at, so this is no healthy fleet:\n{said[-2000:]}")
    return took


def main() -> None:
    molecule_env = {name: value for name, value in os.environ.items() if name != "ANSIBLE_COLLECTIONS_PATH"}
    try:
        must(["molecule", "converge", "--scenario-name", SCENARIO], molecule_env)
        with tempfile.TemporaryDirectory() as work:
            hosts = inventory(pathlib.Path(work))
            # The manifest remembers the inputs, and those of this inventory are written in another way than the scenario's.
            play("provision", max(SIZES), hosts)
            times = {size: [measure(size, hosts) for _round in range(ROUNDS + 1)][1:] for size in SIZES}
    finally:
        must(["molecule", "destroy", "--scenario-name", SCENARIO], molecule_env)
    print(f"looking for drift on hosts that are in order, {ROUNDS} rounds, seconds (median, least, most), and for each host")
    for size, values in times.items():
        print(f"  {size:>3} hosts {statistics.median(values):6.2f} {min(values):6.2f} {max(values):6.2f}   {statistics.median(values) / size:5.2f}")


if __name__ == "__main__":
    main()
