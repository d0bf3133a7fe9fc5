# SPDX-License-Identifier: Apache-2.0
"""Lets containers write to receivers and tells which of them stood still.

Reads a list of [driver, options] from standard input; prints for each whether its process came to an end, how many bytes
it wrote, and whether the engine still answers for the container. A process that has not moved for four seconds stands
still. The engine is not asked meanwhile, because it does not answer for a container whose driver it waits for.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

import docker

# More than the buffers of a pipe, of a socket and of the drivers' own clients hold; first there is time to look at it.
COMMAND = ["sh", "-c", "sleep 2; exec head -c 8000000 /dev/zero"]


def start(client, driver, options):
    host_config = {"LogConfig": {"Type": driver, "Config": options}, "NetworkMode": "none"}
    name = client.create_container_from_config({"Image": "lab/busybox", "Cmd": COMMAND, "HostConfig": host_config})["Id"]
    client.start(name)
    return name, client.inspect_container(name)["State"]["Pid"]


def written(pid):
    """Return how many bytes a process has written, None when it is gone."""
    try:
        with open(f"/proc/{pid}/io", encoding="ascii") as handle:
            return int(dict(line.split(": ") for line in handle.read().splitlines())["wchar"])
    except (OSError, KeyError, ValueError):
        return None


def watch(pids):
    """Return for each process what it had written when it was last seen, and the set of those that are gone."""
    seen, moved, gone = {}, dict.fromkeys(pids, time.monotonic()), set()
    while set(pids) - gone:
        for pid in set(pids) - gone:
            now = written(pid)
            if now is None:
                gone.add(pid)
            elif now != seen.get(pid):
                seen[pid], moved[pid] = now, time.monotonic()
        if all(time.monotonic() - moved[pid] > 4 for pid in set(pids) - gone):
            break
        time.sleep(0.1)
    return seen, gone


def main():
    client = docker.APIClient(version="auto", timeout=60)
    started = [start(client, *case) for case in json.load(sys.stdin)]
    seen, gone = watch([pid for _name, pid in started])
    hasty = docker.APIClient(version="auto", timeout=3)
    found = []
    for name, pid in started:
        try:
            hasty.inspect_container(name)
            answered = True
        except OSError:
            answered = False
        found.append({"ended": pid in gone, "written": seen.get(pid), "answered": answered})
    # A receiver that came back would stall again, and with it the engine.
    subprocess.run(["systemctl", "stop", "log-receivers.service"], check=True)
    try:
        for name, _pid in started:
            client.remove_container(name, force=True)
    finally:
        subprocess.run(["systemctl", "start", "log-receivers.service"], check=True)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
