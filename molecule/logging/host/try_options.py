# SPDX-License-Identifier: Apache-2.0
"""Asks the engine of this host about log drivers with options: may a container be created, does it start?

Reads a list of [driver, options, whether to start] from standard input and prints a list of what the engine said against
each, empty where it took it.
"""

from __future__ import annotations

import concurrent.futures
import json
import subprocess
import sys
import threading

import docker

IMAGE = "lab/busybox"
LOCAL = threading.local()


def client():
    if not hasattr(LOCAL, "client"):
        LOCAL.client = docker.APIClient(version="auto", timeout=60)
    return LOCAL.client


def attempt(case):
    driver, options, start = case
    api = client()
    name = ""
    try:
        # The variable makes the engine look at env-regex.
        host_config = {"LogConfig": {"Type": driver, "Config": options}, "NetworkMode": "none"}
        config = {"Image": IMAGE, "Cmd": ["true"], "Env": ["A=1"], "HostConfig": host_config}
        name = api.create_container_from_config(config)["Id"]
        if start:
            api.start(name)
    except docker.errors.APIError as error:
        return error.explanation or str(error)
    finally:
        if name:
            api.remove_container(name, force=True)
    return ""


def main():
    if not client().images(IMAGE):
        subprocess.run(["docker", "import", "/usr/share/bulkhead-lab/busybox.tar", IMAGE], check=True, stdout=subprocess.DEVNULL)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        json.dump(list(pool.map(attempt, json.load(sys.stdin))), sys.stdout)


if __name__ == "__main__":
    main()
