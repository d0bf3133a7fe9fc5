# SPDX-License-Identifier: Apache-2.0
"""Runs on a virtual machine that is to be thrown away: lets a container behave as badly as it can, and measures a neighbour and the host.

Prints an object of JSON on a line for each. Usage: hogs.py KIND... with KIND as fork, memory, cpu, disk. None runs without limits beside
these: nothing would end it.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import typing as t

IMAGE = "lab/busybox"
SLICE = "/sys/fs/cgroup/containers.slice"
BEFORE, DURING = 6.0, 12.0
#: What a neighbour does: forks, waits a tenth of a second, writes; and tells when it began and ended.
NEIGHBOUR = 'while :; do read a x </proc/uptime; sleep 0.1; echo x >/probe/f; read b x </proc/uptime; echo "$a $b"; done >>/probe/log'
HOGS = {
    "fork": ["sh", "-c", "b(){ b|b& }; b; sleep 60"],
    # One block of more than it may have, filled by the kernel: growing byte by byte takes an emulated processor minutes.
    "memory": ["sh", "-c", "while :; do dd if=/dev/zero of=/dev/null bs=400M count=1; done"],
    "cpu": ["sh", "-c", "i=0; while [ $i -lt 8 ]; do (while :; do :; done) & i=$((i+1)); done; wait"],
    "disk": ["sh", "-c", "while :; do dd if=/dev/zero of=/data/$$ bs=1M; sleep 0.2; done"],
}


def docker(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=240, check=False)
    if check and done.returncode:
        raise SystemExit(f"docker {' '.join(arguments)}: {done.stderr}")
    return done.stdout.strip()


def numbers(path: str) -> dict[str, int]:
    with contextlib.suppress(OSError), open(path, encoding="ascii") as handle:
        return {name: int(value) for name, value in (line.split() for line in handle)}
    return {}


class Host(threading.Thread):
    """What a service of the host does meanwhile: it starts a program, and writes a file to the disk."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.samples: list[tuple[float, float]] = []
        self.failures: list[str] = []
        self.ended = False

    def run(self) -> None:
        while not self.ended:
            began = time.monotonic()
            try:
                subprocess.run(["/bin/true"], check=True)
                descriptor = os.open("/var/tmp/hogs-probe", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
                os.write(descriptor, b"x")
                os.fsync(descriptor)
                os.close(descriptor)
            except (OSError, subprocess.SubprocessError) as error:
                self.failures.append(str(error))
            self.samples.append((began, time.monotonic() - began))
            time.sleep(0.1)


def neighbour(path: str, since: float, until: float) -> list[float]:
    """Return how long each round of the neighbour took that began in a time, without its waiting."""
    found = []
    with open(path, encoding="ascii", errors="replace") as handle:
        for line in handle:
            began, _blank, ended = line.strip().partition(" ")
            with contextlib.suppress(ValueError):
                if since <= float(began) < until:
                    found.append(max(0.0, float(ended) - float(began) - 0.1))
    return found


def summary(samples: t.Sequence[float]) -> dict[str, float]:
    if not samples:
        return {"rounds": 0}
    return {"rounds": len(samples), "median": round(statistics.median(samples), 3), "worst": round(max(samples), 3)}


def free(path: str) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def clear() -> None:
    docker("rm", "--force", "hogs-neighbour", "hogs-hog", check=False)
    docker("volume", "rm", "--force", "hogs-probe", "hogs-data", check=False)


def story(kind: str) -> dict[str, t.Any]:
    clear()
    docker("run", "--detach", "--name", "hogs-neighbour", "--volume", "hogs-probe:/probe", IMAGE, "sh", "-c", NEIGHBOUR)
    log = docker("volume", "inspect", "--format", "{{.Mountpoint}}", "hogs-probe") + "/log"
    events, refused = numbers(f"{SLICE}/memory.events"), numbers(f"{SLICE}/pids.events")
    root = free("/")
    host = Host()
    host.start()
    time.sleep(BEFORE)
    began = time.monotonic()
    # Creating a container costs an emulated processor seconds, which are neither before nor during.
    hog = docker("run", "--detach", "--name", "hogs-hog", "--volume", "hogs-data:/data", IMAGE, *HOGS[kind])
    scope = f"{SLICE}/docker-{hog}.scope"
    started = time.monotonic()
    most, group_events = 0, {}
    while time.monotonic() < started + DURING:
        with contextlib.suppress(OSError, ValueError), open(f"{scope}/pids.current", encoding="ascii") as handle:
            most = max(most, int(handle.read()))
        group_events = numbers(f"{scope}/pids.events") or group_events
        time.sleep(0.5)
    ended = time.monotonic()
    told = {
        "before": {
            "host": summary([took for at, took in host.samples if at < began]),
            "neighbour": summary(neighbour(log, 0, began)),
        },
        "during": {
            "host": summary([took for at, took in host.samples if started <= at < ended]),
            "neighbour": summary(neighbour(log, started, ended)),
        },
        "host_failures": len(host.failures),
        "hog": {"tasks": most, "refused": group_events.get("max", 0)},
    }
    after = numbers(f"{SLICE}/memory.events")
    told["oom_kills"] = after.get("oom_kill", 0) - events.get("oom_kill", 0)
    told["slice_refused"] = numbers(f"{SLICE}/pids.events").get("max", 0) - refused.get("max", 0)
    told["neighbour_runs"] = docker("inspect", "--format", "{{.State.Running}}", "hogs-neighbour") == "true"
    told["root_lost"] = root - free("/")
    host.ended = True
    clear()
    return told


def bounded() -> bool:
    """Tell whether the limits are there, without which a fork bomb would end with the machine."""
    for _try in range(60):
        with contextlib.suppress(OSError), open(f"{SLICE}/pids.max", encoding="ascii") as handle:
            if handle.read().strip() != "max":
                return True
        time.sleep(1)
    return False


if __name__ == "__main__":
    if not bounded():
        raise SystemExit("containers.slice has no limit of tasks; a fork bomb is not begun without it")
    if not docker("images", "--quiet", IMAGE):
        docker("import", "/usr/share/bulkhead-lab/busybox.tar", IMAGE)
    for chosen in sys.argv[1:]:
        print(json.dumps({chosen: story(chosen)}), flush=True)
