# SPDX-License-Identifier: Apache-2.0
"""One page on a provisioned lab host, read from the host as it is now: summary.py CONTAINER."""

from __future__ import annotations

import json
import subprocess
import sys

IMAGE = "lab/busybox"
IMAGE_TAR = "/usr/share/bulkhead-lab/busybox.tar"
DATA_ROOT = "/var/lib/docker"
STATUS = ("NoNewPrivs", "Seccomp", "CapEff")


class Host:
    def __init__(self, container: str) -> None:
        self.container = container

    def run(self, *command: str) -> str:
        done = subprocess.run(["docker", "exec", self.container, *command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"`{' '.join(command)}` failed on {self.container}: {done.stderr.strip()}")
        return done.stdout.strip()

    def in_container(self, *command: str, user: str = "root") -> str:
        return self.run("docker", "run", "--rm", "--network", "none", "--user", user, IMAGE, *command)

    def uid_of_container_root(self) -> str:
        """The uid that the host sees for a process of root in a container."""
        name = self.run("docker", "run", "--detach", "--rm", IMAGE, "sleep", "60")
        try:
            return self.run("stat", "--format", "%u", f"/proc/{self.run('docker', 'inspect', '--format', '{{.State.Pid}}', name)}")
        finally:
            self.run("docker", "kill", name)


def section(title: str, lines: list[str]) -> None:
    print(f"\n{title}\n{'-' * len(title)}")
    print("\n".join(f"  {line}" for line in lines))


def filesystems(host: Host) -> list[str]:
    listed = host.run("findmnt", "--json", "--list", "--output", "TARGET,SOURCE,FSTYPE,SIZE,USE%,OPTIONS", "--real", "--nofsroot")
    rows = [row for row in json.loads(listed)["filesystems"] if row["target"].startswith(DATA_ROOT)]
    return [f"{row['target']:<42} {row['source']:<13} {row['fstype']:<5} {row['size']:>6} {row['use%']:>4}  {row['options'][:45]}" for row in rows]


def engine(host: Host) -> list[str]:
    info = json.loads(host.run("docker", "info", "--format", "{{json .}}"))
    return [
        f"version          {info['ServerVersion']}",
        f"effective root   {info['DockerRootDir']}",
        f"storage driver   {info['Driver']}",
        f"logging driver   {info['LoggingDriver']}",
        f"security         {' '.join(info['SecurityOptions'])}",
        f"live restore     {info['LiveRestoreEnabled']}",
    ]


def container_view(host: Host) -> list[str]:
    status = dict(line.split(":", 1) for line in host.in_container("cat", "/proc/self/status").splitlines())
    user = host.in_container("/bin/id-suid", "-u", user="nobody")
    return [
        f"root             is uid {host.uid_of_container_root()} on the host",
        f"uid_map          {' '.join(host.in_container('cat', '/proc/self/uid_map').split())}",
        *(f"{name:<16} {' '.join(status[name].split())}" for name in STATUS),
        f"setuid program   run by nobody (65534) it is {'still nobody' if user == '65534' else f'user {user}'}",
        *(f"mount            {line}" for line in host.in_container("sh", "-c", "grep ' / ' /proc/self/mounts | cut -c1-110").splitlines()),
    ]


def main() -> int:
    host = Host(sys.argv[1])
    try:
        host.run("docker", "import", IMAGE_TAR, IMAGE)
        section("File systems", filesystems(host))
        section("Engine", engine(host))
        section("Settings (/etc/docker/daemon.json)", json.dumps(json.loads(host.run("cat", "/etc/docker/daemon.json")), indent=2).splitlines())
        section("What a container sees", container_view(host))
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
