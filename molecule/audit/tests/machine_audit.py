# SPDX-License-Identifier: Apache-2.0
"""The audit of the machine's own kernel, which answers nobody in another process namespace: programs of a lab host run in the
machine's, with the host's files. Only where nobody else uses it, and everything is put back."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import socket
import subprocess
import time
import zipfile
from pathlib import Path

import ansible

COLLECTION = Path(__file__).resolve().parents[3]
ARCHIVE = "/root/audit-modules.zip"
NAIVE = "lab-naive"
KEY = "bulkhead-docker"
_NETLINK_AUDIT = 9
_SYSCALL = 1300
_RUNNER = """
import importlib, json, sys
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": json.loads(sys.argv[2])}).encode()
basic._ANSIBLE_PROFILE = "legacy"
importlib.import_module("ansible_collections.bulkhead.docker.plugins.modules." + sys.argv[1]).main()
"""


class Machine:
    """Runs programs with the files of a lab host in the machine's own process namespace."""

    def __init__(self, container: str) -> None:
        shown = subprocess.run(["docker", "inspect", "--format", "{{.State.Pid}}", container], capture_output=True, text=True, check=False)
        self.pid = shown.stdout.strip()

    def run(self, *command: str, person: bool = False, **more) -> subprocess.CompletedProcess:
        """Run a program.

        Args:
            person: whether it carries the mark of somebody who logged in.
        """
        entered = ["nsenter", f"--mount=/proc/{self.pid}/ns/mnt", "--", *command]
        if person:
            entered = ["sh", "-c", 'echo 1000 > /proc/self/loginuid && exec "$@"', "sh", *entered]
        return subprocess.run(entered, capture_output=True, text=True, check=False, **more)

    def auditctl(self, *arguments: str) -> str:
        return self.run("auditctl", *arguments).stdout

    def why_not(self) -> str:
        """Return why the audit of this machine is not for tests, empty where it is."""
        if os.geteuid() or not self.pid.isdigit():
            return "the lab's engine is not on this machine, or the tests are not root"
        status, listed = self.run("auditctl", "-s"), self.run("auditctl", "-l")
        if status.returncode or listed.returncode:
            return f"the kernel of this machine does not answer: {status.stderr.strip()}"
        words = dict(line.split(" ", 1) for line in status.stdout.splitlines() if " " in line)
        if words.get("pid") != "0" or words.get("enabled") != "0" or listed.stdout.strip() != "No rules":
            return "somebody uses the audit of this machine"
        return ""

    @contextlib.contextmanager
    def borrowed(self):
        """Switch the audit on, with room for many records and no waiting when it is full; afterwards all is as it was."""
        before = dict(line.split(" ", 1) for line in self.auditctl("-s").splitlines() if " " in line)
        try:
            self.auditctl("--backlog_wait_time", "0")
            self.auditctl("-b", "16384")
            self.auditctl("-e", "1")
            yield self
        finally:
            self.auditctl("-D")
            self.auditctl("-e", before["enabled"])
            self.auditctl("-b", before["backlog_limit"])
            self.auditctl("--backlog_wait_time", before["backlog_wait_time"])

    def rules(self, key: str = KEY) -> set[str]:
        return {line for line in self.auditctl("-l").splitlines() if re.search(rf"(?:-k |key=){key}\b", line)}

    def module(self, name: str = "docker_audit_rules", **arguments):
        """Run a module of the collection as Ansible does, and return what it answers."""
        done = self.run("env", f"PYTHONPATH={ARCHIVE}", "python3", "-B", "-c", _RUNNER, name, json.dumps(arguments))
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        assert lines, done.stderr
        return json.loads(lines[-1])


@contextlib.contextmanager
def counted():
    """Count records of system calls by key while the block runs."""
    counts: dict[str, int] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_AUDIT) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024 * 1024)
        listener.bind((0, 1))
        listener.settimeout(0.3)
        yield counts
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                record = listener.recv(65536)
            except TimeoutError:
                break
            except OSError:
                # The buffer overflowed: there were more than anybody counted.
                counts["lost"] = counts.get("lost", 0) + 1
                continue
            if int.from_bytes(record[4:6], "little") == _SYSCALL:
                match = re.search(rb'key="([^"]+)"', record)
                name = match[1].decode() if match else ""
                counts[name] = counts.get(name, 0) + 1


def pack() -> bytes:
    """Return an archive from which Python imports the collection's modules and what they need."""
    core = Path(ansible.__file__).parent
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((core / "module_utils").rglob("*.py")):
            archive.write(path, f"ansible/{path.relative_to(core)}")
        base = "ansible_collections/bulkhead/docker"
        for branch in ("module_utils", "modules"):
            for path in sorted((COLLECTION / "plugins" / branch).rglob("*.py")):
                archive.write(path, f"{base}/{path.relative_to(COLLECTION)}")
        there = set(archive.namelist())
        directories = {str(parent) for name in there for parent in Path(name).parents if str(parent) != "."}
        for directory in sorted(directories):
            if f"{directory}/__init__.py" not in there:
                archive.writestr(f"{directory}/__init__.py", "")
    return content.getvalue()
