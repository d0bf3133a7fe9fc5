# SPDX-License-Identifier: Apache-2.0
"""Prints what a host's engine is: packages, locks, files of sources, who answers, what its container and volume are.

look.py [SCRIPT]: SCRIPT, Python in base64, is run before.
"""

from __future__ import annotations

import base64
import hashlib
import json
import pathlib
import subprocess
import sys

PACKAGES = ("docker-ce", "docker-ce-cli", "containerd.io", "runc", "podman-docker", "lab-editor")
FILES = ("/etc/yum.repos.d", "/etc/pki/rpm-gpg", "/etc/docker", "/etc/apt")


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


if sys.argv[1:]:
    exec(base64.b64decode(sys.argv[1]), {})
shown = run("rpm", "--query", "--queryformat", "%{NAME} %{EPOCHNUM}:%{VERSION}-%{RELEASE}\n", *PACKAGES)
print(json.dumps({
    "packages": {line.split()[0]: line.split()[1] for line in shown.splitlines() if "not installed" not in line},
    "held": sorted(line for line in run("dnf", "--quiet", "--disablerepo=*", "versionlock", "list").splitlines() if line),
    "files": {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() for top in FILES for path in sorted(pathlib.Path(top).glob("**/*")) if path.is_file()
    },
    "version": run("docker", "version", "--format", "{{.Server.Version}}"),
    "enabled": run("systemctl", "is-enabled", "docker.service"),
    "active": run("systemctl", "is-active", "docker.service"),
    "container": run("docker", "inspect", "--format", "{{.State.Status}} {{.Id}}", "kept"),
    "volume": run("docker", "run", "--rm", "--volume", "data:/data", "lab/busybox", "cat", "/data/file"),
}))  # fmt: skip
