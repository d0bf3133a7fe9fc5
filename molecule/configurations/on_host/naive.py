# SPDX-License-Identifier: Apache-2.0
"""What three of the bad configurations do when somebody writes them and believes systemctl, as most set-ups do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import typing as t

import preparations
import witness


def _written(base: dict[str, t.Any], verb: str, **more: t.Any) -> int:
    """Write a configuration, let systemd do something with it, and return the exit status."""
    witness.CONFIG.write_text(json.dumps({**base, **more}), encoding="utf-8")
    return subprocess.run(["systemctl", verb, "docker.service"], capture_output=True, check=False).returncode


def _waited(until: t.Callable[[], bool], seconds: float = 40) -> bool:
    deadline = time.monotonic() + seconds
    while not until() and time.monotonic() < deadline:
        time.sleep(0.5)
    return until()


def run(base: dict[str, t.Any], watched: witness.Witness) -> dict[str, t.Any]:
    """Do all three, and leave a daemon with the good file; the container of the witness is lost in the last."""
    good = witness.CONFIG.read_bytes()
    daemon = witness.daemon_property("MainPID")
    found: dict[str, t.Any] = {}

    status = _written(base, "reload", **{"userland-proxy": True, "labels": ["tier=naive"]})
    time.sleep(2)
    found["proxy"] = {"status": status, "labels": witness.engine().info()["Labels"] or []}

    status = _written(base, "reload", **{"authorization-plugins": ["missing"]})
    ended = _waited(lambda: witness.daemon_property("MainPID") != daemon)
    found["plugin"] = {"status": status, "daemon ended": ended}
    witness.CONFIG.write_bytes(good)
    preparations.recover()

    status = _written(base, "restart", **{"containerd-namespace": "other"})
    witness.CONFIG.write_bytes(good)
    preparations.recover()
    found["namespace"] = {
        "status": status,
        "known": witness.engine().inspect_container(witness.SERVED)["State"]["Running"],
        "process": os.path.exists(f"/proc/{watched.pid}"),
    }
    os.kill(watched.pid, signal.SIGKILL)
    witness.run("docker", "rm", "--force", witness.SERVED)
    for link in os.listdir("/sys/class/net"):
        # What dockerd no longer knows would go on answering for the addresses of new containers.
        if link.startswith("veth"):
            witness.run("ip", "link", "delete", link)
    return found
