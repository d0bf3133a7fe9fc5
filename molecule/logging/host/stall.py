# SPDX-License-Identifier: Apache-2.0
"""Lets containers write to receivers and tells which of them stood still.

Reads a list of [driver, options] from standard input; prints for each whether the container came to its end, and how many
bytes it wrote. One that has not moved for three seconds stands still.
"""

from __future__ import annotations

import concurrent.futures
import json
import subprocess
import sys
import time

import docker

# More than the buffers of a pipe, of a socket and of the drivers' own clients hold.
COMMAND = ["sh", "-c", "exec head -c 24000000 /dev/zero"]


def written(pid):
    with open(f"/proc/{pid}/io", encoding="ascii") as handle:
        return int(dict(line.split(": ") for line in handle.read().splitlines())["wchar"])


def attempt(case):
    driver, options = case
    client = docker.APIClient(version="auto", timeout=60)
    host_config = {"LogConfig": {"Type": driver, "Config": options}, "NetworkMode": "none"}
    name = client.create_container_from_config({"Image": "lab/busybox", "Cmd": COMMAND, "HostConfig": host_config})["Id"]
    client.start(name)
    moved, last = time.monotonic(), -1
    while time.monotonic() - moved < 3:
        state = client.inspect_container(name)["State"]
        if not state["Running"]:
            return name, True, last
        try:
            now = written(state["Pid"])
        except (OSError, ValueError):
            continue
        if now != last:
            moved, last = time.monotonic(), now
        time.sleep(0.1)
    return name, False, last


def main():
    cases = json.load(sys.stdin)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        found = list(pool.map(attempt, cases))
    # The engine waits for its driver when a container is removed, and the driver for the receiver: let go first.
    subprocess.run(["systemctl", "restart", "log-receivers.service"], check=True)
    client = docker.APIClient(version="auto", timeout=60)
    for name, _ended, _bytes in found:
        client.remove_container(name, force=True)
    json.dump([{"ended": ended, "written": count} for _name, ended, count in found], sys.stdout)


if __name__ == "__main__":
    main()
