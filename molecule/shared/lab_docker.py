# SPDX-License-Identifier: Apache-2.0
"""Docker on a lab host, for tests: `from lab_docker import Docker`. Every container and volume gets a name of the test's own."""

from __future__ import annotations

import json
import time
import typing as t

IMAGE = "lab/busybox"
TARBALL = "/usr/share/bulkhead-lab/busybox.tar"
# Writes zero bytes to a file until its filesystem is full.
FILL = "dd if=/dev/zero of={} bs=1M; true"


class Docker:
    """The engine of one host; what it starts is removed by `close`."""

    def __init__(self, host: t.Any, prefix: str) -> None:
        self.host = host
        self.prefix = prefix
        self._containers: list[str] = []
        self._volumes: list[str] = []
        if not self.call("images", "--quiet", IMAGE):
            self.host.check_output("docker import %s %s", TARBALL, IMAGE)

    def call(self, *arguments: str) -> str:
        """Run the client and return what it prints; a failure fails the test with the client's words."""
        return self.host.check_output("docker" + " %s" * len(arguments), *arguments).strip()

    def attempt(self, *arguments: str) -> t.Any:
        """Run the client and return the finished command, whatever its exit status."""
        return self.host.run("docker" + " %s" * len(arguments), *arguments)

    def name(self, label: str) -> str:
        return f"{self.prefix}-{label}"

    def start(self, label: str, *options: str, command: t.Sequence[str] = ("sleep", "3600")) -> str:
        """Start a container in the background and return its name."""
        name = self.name(label)
        self._containers.append(name)
        self.call("run", "--detach", "--name", name, *options, IMAGE, *command)
        return name

    def once(self, *command: str, options: t.Sequence[str] = ()) -> str:
        """Run a command in a container of its own and return what it prints."""
        return self.call("run", "--rm", *options, IMAGE, *command)

    def volume(self, label: str, *options: str) -> str:
        name = self.name(label)
        self._volumes.append(name)
        return self.call("volume", "create", *options, name)

    def inspect(self, name: str) -> dict[str, t.Any]:
        return json.loads(self.call("inspect", name))[0]

    def pid(self, name: str) -> int:
        """Return the host's process id of a container's first process; 0 when it does not run."""
        return self.inspect(name)["State"]["Pid"]

    def info(self) -> dict[str, t.Any]:
        return json.loads(self.call("info", "--format", "{{json .}}"))

    def address(self, name: str) -> str:
        return self.inspect(name)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]

    def wait_until_serving(self, seconds: float = 60) -> None:
        """Wait until the engine answers; it may be starting."""
        deadline = time.monotonic() + seconds
        while not self._serves():
            if time.monotonic() > deadline:
                journal = self.host.run("journalctl --unit docker --no-pager --lines 20").stdout
                raise AssertionError(f"the engine does not answer after {seconds:g} s:\n{journal}")
            time.sleep(0.5)

    def _serves(self) -> bool:
        try:
            return bool(self.attempt("info").rc == 0)
        except RuntimeError:
            # So testinfra tells that ssh has lost its connection, which the next try makes anew.
            return False

    def close(self) -> None:
        for name in self._containers:
            self.attempt("rm", "--force", "--volumes", name)
        for name in self._volumes:
            self.attempt("volume", "rm", "--force", name)


def for_test(host: t.Any, request: t.Any) -> t.Iterator[Docker]:
    """Yield the engine to a test (`yield from` this in a fixture); what the test started goes when it ends."""
    engine = Docker(host, request.node.originalname.replace("_", "-")[:40])
    engine.wait_until_serving()
    yield engine
    engine.wait_until_serving()
    engine.close()


def used_percent(host: t.Any, path: str) -> int:
    """Return how full the filesystem of a path is, in percent of what anybody may use."""
    return int(host.check_output("df --output=pcent %s | tail -1", path).strip().rstrip("%"))


def free_bytes(host: t.Any, path: str) -> int:
    return int(host.check_output("df --output=avail --block-size=1 %s | tail -1", path).strip())


def mounted(host: t.Any, path: str) -> bool:
    return host.run("mountpoint -q %s", path).rc == 0


def refusal(host: t.Any, module: str, **arguments: t.Any) -> str:
    """Run a module for real and return why it refused; fails when it did not."""
    try:
        result = host.ansible(module, json.dumps(arguments), check=False)
    except host.ansible.AnsibleException as error:
        result = error.result
    # Newer releases of ansible-core print a failure without the word "failed" in it.
    assert result["changed"] is False and str(result.get("msg", "")), f"{module} did not refuse: {result}"
    return result["msg"]
