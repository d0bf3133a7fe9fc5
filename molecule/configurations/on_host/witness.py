# SPDX-License-Identifier: Apache-2.0
"""What must not change while configurations come and go: a container that serves, the files, the daemon."""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import signal
import stat
import subprocess
import time
import typing as t

import connections
import docker

CONFIG = pathlib.Path("/etc/docker/daemon.json")
STATE = pathlib.Path("/var/lib/bulkhead/daemon.json")
IMAGE, TARBALL = "lab/busybox", "/usr/share/bulkhead-lab/busybox.tar"
SERVED = "served"
WEB, ECHO = 8080, 7007
_SERVICE = "mkdir -p /tmp/www; echo served > /tmp/www/index.html; httpd -p 80 -h /tmp/www; exec nc -ll -p 7 -e cat"
#: How each open connection reaches the container: from another machine and from the host's own address by DNAT, from
#: the loopback address through docker-proxy.
PATHS = {
    "neighbour": (connections.HOST, connections.NETNS),
    "own address": (connections.HOST, ""),
    "loopback": ("127.0.0.1", ""),
}


def run(*words: str, check: bool = True) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


def daemon_property(name: str) -> str:
    return run("systemctl", "show", "--property", name, "--value", "docker.service")


def engine() -> docker.APIClient:
    return docker.APIClient(version="auto", timeout=30)


def files() -> dict[str, t.Any]:
    """The configuration as it lies there, and everything beside it and beside our memory."""
    found: dict[str, t.Any] = {"beside": sorted(os.listdir(CONFIG.parent)), "memory": sorted(os.listdir(STATE.parent))}
    status = CONFIG.lstat() if os.path.lexists(CONFIG) else None
    if status is not None:
        found["mode"] = [stat.filemode(status.st_mode), status.st_uid, status.st_gid]
        found["inode"] = status.st_ino
        found["link"] = os.readlink(CONFIG) if CONFIG.is_symlink() else ""
    if status is not None and stat.S_ISREG(status.st_mode):
        found["bytes"] = CONFIG.read_bytes().hex()
    return found


def memory() -> dict[str, t.Any]:
    return json.loads(STATE.read_text(encoding="utf-8"))


class Witness:
    """One container with two published ports, and connections to it that are never closed.

    Attributes:
        streams: the connections, by the names of PATHS.
        opened: how often each of them had to be opened.
    """

    def __init__(self) -> None:
        connections.make_neighbour()
        if not engine().images(IMAGE):
            run("docker", "import", TARBALL, IMAGE)
        self.pid, self.born = 0, "none"
        self.streams: dict[str, connections.Stream] = {}
        self.opened: dict[str, int] = {}
        self.stand_by()

    def stand_by(self) -> None:
        """Start the container and open the connections that are not there or no longer live."""
        if self._born() != self.born or not self._is_known():
            if self._born() == self.born:
                # The daemon lost it, and nothing else ends it.
                os.kill(self.pid, signal.SIGKILL)
            run("docker", "rm", "--force", SERVED, check=False)
            run("docker", "run", "--detach", "--name", SERVED, "--publish", f"{WEB}:80", "--publish", f"{ECHO}:7", IMAGE, "sh", "-c", _SERVICE)
            self.pid = engine().inspect_container(SERVED)["State"]["Pid"]
            self.born = self._born()
            self._await_service()
        for name, (address, netns) in PATHS.items():
            if name not in self.streams or self.streams[name].broken:
                self.streams[name] = connections.Stream(address, ECHO, netns)
                self.opened[name] = self.opened.get(name, 0) + 1

    def broken_streams(self) -> dict[str, str]:
        """Return the connections that carry nothing any more, each with the reason."""
        return {name: stream.broken or "silent" for name, stream in self.streams.items() if not stream.carries()}

    def complaints(self) -> list[str]:
        """Return what is wrong with the container, the daemon or our memory; nothing when all is well."""
        found = []
        if self._born() != self.born:
            found.append("the container's process is another one or gone")
        found += [f"the port does not serve on {address}" for address in ("127.0.0.1", connections.HOST) if not self._serves(address)]
        if daemon_property("ActiveState") != "active":
            found.append(f"docker.service is {daemon_property('ActiveState')}")
        try:
            if not self._is_known():
                found.append("the daemon does not know the running container")
        except docker.errors.DockerException as error:
            found.append(f"the daemon does not answer: {error}")
        return found

    def _is_known(self) -> bool:
        inspected = engine().inspect_container(SERVED)
        return bool(inspected["State"]["Running"] and inspected["State"]["Pid"] == self.pid)

    def _await_service(self) -> None:
        for _attempt in range(100):
            time.sleep(0.1)
            # Unpublished, because docker-proxy accepts before anybody listens behind it.
            listening = pathlib.Path(f"/proc/{self.pid}/net/tcp6").read_text(encoding="ascii")
            if all(f":{port:04X} {0:032X}:0000 0A" in listening for port in (80, 7)):
                return

    def _born(self) -> str:
        try:
            return pathlib.Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19]
        except OSError:
            return ""

    @staticmethod
    def _serves(address: str) -> bool:
        try:
            connection = http.client.HTTPConnection(address, WEB, timeout=10)
            connection.request("GET", "/index.html")
            return connection.getresponse().read() == b"served\n"
        except (OSError, http.client.HTTPException):
            return False
