# SPDX-License-Identifier: Apache-2.0
"""What a run without work costs: the playbooks provision and drift beside a play that only installs Docker, copies a file
and ensures a service, on the same host, in turn, so that a machine that gets slower slows all three.

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

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCENARIO = "demo"
CONTAINER = "bulkhead-lab-demo-host"
ROUNDS = 5
# What looking for drift may cost at most, as a share of each of the others.
MOST = {"provision": 0.25, "minimal": 0.5}


def must(command: list[str], **more: object) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **more)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def disks() -> list[str]:
    shown = json.loads(must(["docker", "inspect", CONTAINER]))[0]
    return sorted(device["PathInContainer"] for device in shown["HostConfig"]["Devices"])


def inventory(directory: pathlib.Path) -> pathlib.Path:
    limit = int(must(["docker", "exec", CONTAINER, "sh", "-c", "ulimit -Hn"]).replace("unlimited", "65536"))
    layout = [{"name": name, "device": device, "fstype": fstype} for (name, fstype), device in zip((("overlay2", "xfs"), ("volumes", "ext4")), disks())]
    nofile = {"Name": "nofile", "Soft": min(limit, 65536), "Hard": min(limit, 65536)}
    host = {
        "ansible_connection": "community.docker.docker",
        "ansible_host": CONTAINER,
        "ansible_become": False,
        "ansible_python_interpreter": "/usr/bin/python3",
        "docker_storage_layout": layout,
        "docker_daemon_default_ulimits": {"nofile": nofile},
    }
    path = directory / "inventory.json"
    path.write_text(json.dumps({"all": {"hosts": {"host": host}}}), encoding="utf-8")
    return path


def measure(playbook: str, hosts: pathlib.Path) -> float:
    begin = time.monotonic()
    said = must(["ansible-playbook", "--inventory", str(hosts), playbook])
    took = time.monotonic() - begin
    if "changed=0" not in said:
        sys.exit(f"{playbook} changed something, so this is no run without work:\n{said[-2000:]}")
    return took


def main() -> None:
    env_running = must(["docker", "ps", "--quiet", "--filter", f"name=^{CONTAINER}$"]).strip()
    molecule_env = {name: value for name, value in os.environ.items() if name != "ANSIBLE_COLLECTIONS_PATH"}
    try:
        must(["molecule", "converge", "--scenario-name", SCENARIO], env=molecule_env)
        with tempfile.TemporaryDirectory() as work:
            directory = pathlib.Path(work)
            hosts = inventory(directory)
            config = directory / "daemon.json"
            config.write_text(must(["docker", "exec", CONTAINER, "cat", "/etc/docker/daemon.json"]), encoding="utf-8")
            minimal = directory / "minimal.yml"
            minimal.write_text((ROOT / "tests" / "bench" / "minimal.yml").read_text(encoding="utf-8"), encoding="utf-8")
            playbooks = {"provision": "bulkhead.docker.provision", "minimal": str(minimal), "drift": "bulkhead.docker.drift"}
            # The manifest remembers the inputs, and those of this inventory are written in another way than the scenario's.
            must(["ansible-playbook", "--inventory", str(hosts), playbooks["provision"]])
            times: dict[str, list[float]] = {name: [] for name in playbooks}
            for _round in range(ROUNDS + 1):
                for name, playbook in playbooks.items():
                    times[name].append(measure(playbook, hosts))
    finally:
        if not env_running:
            must(["molecule", "destroy", "--scenario-name", SCENARIO], env=molecule_env)
    # The first round warms caches.
    counted = {name: values[1:] for name, values in times.items()}
    print(f"a run without work, {ROUNDS} rounds in turn, seconds (median, least, most)")
    for name, values in counted.items():
        print(f"  {name:<10} {statistics.median(values):6.2f} {min(values):6.2f} {max(values):6.2f}")
    ratio("provision", "minimal", counted)
    missed = [f"drift in {most} of {name}" for name, most in MOST.items() if ratio("drift", name, counted) > most]
    if missed:
        sys.exit(f"missed: {'; '.join(missed)}")


def ratio(ours: str, theirs: str, counted: dict[str, list[float]]) -> float:
    """Print and return how much of one another took, round by round."""
    ratios = [one / other for one, other in zip(counted[ours], counted[theirs])]
    print(f"  {ours} / {theirs}, round by round: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    return statistics.median(ratios)


if __name__ == "__main__":
    main()
