# SPDX-License-Identifier: Apache-2.0
"""Prints what a host's engine is: packages, holds, files of sources, who answers, what its container and volume are.

look.py [SCRIPT]: SCRIPT, Python in base64, is run before.
"""

from __future__ import annotations

import base64
import hashlib
import json
import pathlib
import subprocess
import sys

PACKAGES = ("docker.io", "docker-cli", "containerd", "runc", "docker-ce", "docker-ce-cli", "containerd.io")
FILES = ("/etc/apt/keyrings", "/etc/apt/sources.list.d", "/etc/apt/preferences.d", "/etc/docker")


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


if sys.argv[1:]:
    exec(base64.b64decode(sys.argv[1]))
shown = run("dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status} ${Version}\n", *PACKAGES)
print(json.dumps({
    "packages": {line.split()[0]: line.split()[2] for line in shown.splitlines() if line.split()[1] == "installed"},
    "held": run("apt-mark", "showhold").split(),
    "files": {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() for top in FILES for path in sorted(pathlib.Path(top).glob("**/*")) if path.is_file()
    },
    "version": run("docker", "version", "--format", "{{.Server.Version}}"),
    "container": run("docker", "inspect", "--format", "{{.State.Status}} {{.Id}}", "kept"),
    "volume": run("docker", "run", "--rm", "--volume", "data:/data", "lab/busybox", "cat", "/data/file"),
}))  # fmt: skip
