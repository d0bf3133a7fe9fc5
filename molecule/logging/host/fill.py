# SPDX-License-Identifier: Apache-2.0
"""Lets a container write, and watches how large its directory gets meanwhile.

Reads {driver, options, megabytes, lines} from standard input; prints the largest sum of its log files, their sum at the
end, the names of the files, and how many samples were taken.
"""

from __future__ import annotations

import json
import os
import sys
import time

import docker

# Without line ends the engine cuts messages of 16 KiB, the longest that it makes; random bytes cannot be compressed.
WRITERS = {
    "endless": "head -c {}000000 /dev/urandom | tr '\\n' ' '",
    "short": "head -c {}000000 /dev/urandom",
    "text": "yes 'what nobody reads, but everybody has to keep somewhere, in a file that somebody has to rotate' | head -c {}000000",
}


def files(directory):
    """Return the log files below a directory: inode by path."""
    found = {}
    for base in (directory, os.path.join(directory, "local-logs")):
        try:
            with os.scandir(base) as entries:
                found.update({entry.path: entry.inode() for entry in entries if ".log" in entry.name})
        except FileNotFoundError:
            continue
    return found


def sample(directory):
    """Return the sum of the sizes at one moment, None when files were renamed or removed while it was taken."""
    before = files(directory)
    sizes = {}
    try:
        for path, inode in before.items():
            sizes[inode] = os.stat(path).st_size
    except FileNotFoundError:
        return None
    return sum(sizes.values()) if files(directory) == before else None


def main():
    asked = json.load(sys.stdin)
    client = docker.APIClient(version="auto", timeout=60)
    host_config = {"LogConfig": {"Type": asked["driver"], "Config": asked["options"]}, "NetworkMode": "none"}
    command = ["sh", "-c", WRITERS[asked.get("lines", "endless")].format(asked["megabytes"])]
    name = client.create_container_from_config({"Image": "lab/busybox", "Cmd": command, "HostConfig": host_config})["Id"]
    directory = os.path.join(client.info()["DockerRootDir"], "containers", name)
    largest = taken = 0
    try:
        client.start(name)
        deadline = time.monotonic() + 120
        asked_at = 0.0
        while time.monotonic() < deadline:
            size = sample(directory)
            if size is not None:
                largest, taken = max(largest, size), taken + 1
            if time.monotonic() - asked_at > 0.5:
                asked_at = time.monotonic()
                if not client.inspect_container(name)["State"]["Running"]:
                    break
            time.sleep(0.001)
        else:
            raise SystemExit(f"the container still writes after 120 s: {asked}")
        # The last file may still be compressed.
        for _attempt in range(100):
            largest = max(largest, sample(directory) or 0)
            time.sleep(0.01)
        names = sorted(os.path.basename(path) for path in files(directory))
        result = {"largest": largest, "end": sample(directory), "names": names, "samples": taken}
    finally:
        client.remove_container(name, force=True)
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
