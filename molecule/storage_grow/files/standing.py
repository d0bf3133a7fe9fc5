# SPDX-License-Identifier: Apache-2.0
"""Prints what must not change while filesystems grow, and how large they are."""

import json
import os
import subprocess
import sys


def said(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def mount_number(path):
    with open("/proc/self/mountinfo", encoding="utf-8") as handle:
        return [line.split()[0] for line in handle if line.split()[4] == path]


places = [f"{sys.argv[1]}/{name}" for name in ("overlay2", "volumes")]
print(json.dumps({
    "dockerd": said("systemctl", "show", "--property", "MainPID", "--value", "docker.service"),
    "container": said("docker", "inspect", "--format", "{{.State.Pid}} {{.State.StartedAt}} {{.RestartCount}}", "writer"),
    "mounts": {path: mount_number(path) for path in places},
    "sizes": {os.path.basename(path): os.statvfs(path).f_blocks * os.statvfs(path).f_frsize for path in places},
}))
