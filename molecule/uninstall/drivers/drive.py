# SPDX-License-Identifier: Apache-2.0
"""Clears the lab's hosts with the playbook uninstall as a user would, in every way, and notes what it said and what was there then.

Usage: drive.py DIRECTORY STORY, where a story is fresh or docker_before. It leaves uninstall-STORY.json in the directory.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time
import typing as t

PREFIX = "bulkhead-lab-uninstall-"
UNINSTALL, PROVISION = "bulkhead.docker.uninstall", "bulkhead.docker.provision"
ROOT = "/var/lib/docker/100000.100000"
DATA = f"{ROOT}/volumes/keepme/_data"
MANIFEST = "/var/lib/bulkhead/manifest.json"
FINGERPRINT = pathlib.Path(__file__).resolve().parents[2] / "shared" / "fingerprint.py"
FILL = """
docker import /usr/share/bulkhead-lab/busybox.tar lab/busybox >/dev/null
docker volume create keepme >/dev/null
docker run --rm -v keepme:/data lab/busybox sh -c 'head -c 300000 /dev/urandom >/data/file; ln -s /etc/passwd /data/link; chown 1000:1000 /data/file'
docker run -d --name runs -v keepme:/data lab/busybox sleep 100000 >/dev/null
"""
LOOK = (
    """
echo "failed: $(systemctl list-units --failed --plain --no-legend | awk '{print $1}' | tr '\\n' ' ')"
echo "ports: $(ss --listening --tcp --udp --numeric --no-header | wc --lines)"
echo "docker: $(systemctl is-active docker.service || true)"
echo "dockerd: $(command -v dockerd || echo none)"
echo "chains: $(iptables-save 2>/dev/null | grep --count DOCKER || true)"
echo "mounts: $(grep --count /var/lib/docker/ /proc/mounts || true)"
echo "fstab: $(grep --count /var/lib/docker /etc/fstab || true)"
echo "units: $(ls /etc/systemd/system | grep --count -e containers.slice || true)"
echo "guards: $(ls /etc/systemd/system/docker.service.d /usr/local/lib/bulkhead 2>/dev/null | grep --count -e bulkhead -e guard || true)"
echo "held: $(dpkg --get-selections | grep --count hold || true)"
echo "ranges: $(grep --count dockremap /etc/subuid || true)"
echo "manifest: $(tr -d '\\n ' <%s | cut -c 1-200)"
"""
    % MANIFEST
)
Json = dict[str, t.Any]


class Host:
    """One host of the lab, and the playbooks run against it."""

    def __init__(self, name: str, directory: pathlib.Path) -> None:
        self.name = name
        self.directory = directory

    def run(self, script: str, check: bool = True) -> str:
        """Run a script on the host and return what it printed."""
        done = subprocess.run(
            ["docker", "exec", "--interactive", PREFIX + self.name, "sh", "-eu"], input=script, capture_output=True, text=True, timeout=600, check=False
        )
        if check and done.returncode:
            raise RuntimeError(f"{self.name}: {script}\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def look(self) -> dict[str, str]:
        """Return what is true on the host now."""
        return dict(line.partition(": ")[::2] for line in self.run(LOOK).splitlines() if ": " in line)

    def start(self, playbook: str, *options: str, **variables: t.Any) -> subprocess.Popen[str]:
        """Start a playbook against the host."""
        command = ["ansible-playbook", "--limit", self.name, "--extra-vars", json.dumps(variables), *options, playbook]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def play(self, playbook: str, *options: str, **variables: t.Any) -> Json:
        """Run a playbook; return its status, how many tasks changed something, and what the uninstaller said."""
        process = self.start(playbook, *options, **variables)
        stdout, stderr = process.communicate(timeout=900)
        try:
            told = json.loads(stdout[stdout.index("{") :])
        except ValueError:
            raise RuntimeError(f"{playbook}: {stdout[-3000:]}{stderr[-3000:]}") from None
        results = [task["hosts"][self.name] for play in told["plays"] for task in play["tasks"] if self.name in task["hosts"]]
        mine = next((result for result in results if "actions" in result and "uninstall" in playbook), {})
        failed = [result.get("msg") for result in results if result.get("failed")]
        return {
            "status": process.returncode,
            "changed": told["stats"][self.name]["changed"],
            "failed": failed,
            **{key: mine.get(key) for key in ("actions", "kept", "notes", "msg")},
        }

    def fingerprint(self, disks: t.Sequence[str] = ()) -> Json:
        """Return what is on the host's filesystems."""
        done = subprocess.run(
            ["docker", "exec", "--interactive", PREFIX + self.name, "python3", "-", *disks],
            input=FINGERPRINT.read_text(encoding="utf-8"),
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
        return t.cast("Json", json.loads(done.stdout))

    def differences(self) -> list[str]:
        """Return what is other than before the first provision."""
        before = json.loads((self.directory / f"fingerprint-{self.name}-before.json").read_text(encoding="utf-8"))
        now = self.fingerprint()
        names = {path for path in {*before, *now} if not path.startswith("/dev/")}
        words = {path: "new" if path not in before else "gone" if path not in now else "changed" for path in names}
        return sorted(f"{words[path]} {path}" for path in names if before.get(path) != now.get(path))

    def data(self) -> str:
        """Return the hashes of what is in the volume, with owners and kinds."""
        return self.run(f"cd {DATA} && sha256sum file && stat --format '%u:%g %F %s %N' file link")

    def killed(self, moment: str, **variables: t.Any) -> bool:
        """Start to uninstall and kill the module when a child of it with the given words runs; return whether it was caught."""
        process = self.start(UNINSTALL, **variables)
        script = f"""
        for turn in $(seq 1 4000); do
            child=$(pgrep --oldest --full -- '{moment}' || true)
            if [ -n "$child" ]; then
                kill -KILL "$(ps -o ppid= -p "$child" | tr -d ' ')" && echo caught
                exit 0
            fi
            sleep 0.05
        done
        """
        caught = self.run(script, check=False)
        process.communicate(timeout=300)
        # apt may go on without us; the next run waits for its lock.
        self.run("while pgrep --exact apt-get >/dev/null; do sleep 0.2; done; dpkg --configure -a", check=False)
        return "caught" in caught


def fresh(host: Host) -> Json:
    """A host that had nothing: data stay, are found again, and are given up."""
    told: Json = {}
    host.run(FILL)
    told["data_before"] = host.data()
    told["running"] = host.play(UNINSTALL)
    told["look_running"] = host.look()
    told["refused_manifests"] = {
        name: (
            host.run(f"cp -a {MANIFEST} /root/manifest; {breaking}"),
            host.play(UNINSTALL, docker_uninstall_stop_containers=True),
            host.run(f"rm -rf {MANIFEST}; mv /root/manifest {MANIFEST}"),
            host.run("docker ps --quiet | wc -l"),
        )[1::2]
        for name, breaking in {
            "missing": f"rm {MANIFEST}",
            "edited": f"sed -i 's#/usr/local/lib/bulkhead/mount-guard#/etc/passwd#' {MANIFEST}",
            "cut": f"truncate -s 1000 {MANIFEST}",
            "foreign": f"chown 1000 {MANIFEST}",
            "link": f"mv {MANIFEST} /root/other; ln -s /root/other {MANIFEST}",
        }.items()
    }
    host.run("rm -f /root/other")
    before = host.fingerprint()
    told["predicted"] = host.play(UNINSTALL, "--check", docker_uninstall_stop_containers=True)
    after = host.fingerprint()
    told["check_differences"] = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    told["killed"] = host.killed("^apt-get --yes .* remove", docker_uninstall_stop_containers=True)
    told["after_kill"] = host.play(UNINSTALL, docker_uninstall_stop_containers=True)
    told["again"] = host.play(UNINSTALL)
    told["look"] = host.look()
    told["differences"] = host.differences()
    told["data_kept"] = host.data()
    told["provisioned"] = host.play(PROVISION)
    told["volumes"] = host.run("docker volume ls --quiet")
    told["data_found"] = host.data()
    told["seen_by_container"] = host.run("docker run --rm -v keepme:/data lab/busybox sha256sum /data/file")
    told["unconfirmed"] = host.play(UNINSTALL, docker_uninstall_data="remove")
    told["confirmed_wrong"] = host.play(UNINSTALL, docker_uninstall_data="remove", docker_uninstall_data_confirm="bookworm")
    told["data_refused"] = host.data()
    confirmed = {"docker_uninstall_data": "remove", "docker_uninstall_data_confirm": host.name, "docker_uninstall_stop_containers": True}
    told["removed_predicted"] = host.play(UNINSTALL, "--check", **confirmed)
    told["removed"] = host.play(UNINSTALL, **confirmed)
    told["removed_again"] = host.play(UNINSTALL, **confirmed)
    told["removed_differences"] = host.differences()
    told["removed_look"] = host.look()
    return told


def docker_before(host: Host) -> Json:
    """A host that had Docker: it goes on with it; then the filesystems are put away, and found again."""
    told: Json = {}
    host.run(FILL)
    told["data_before"] = host.data()
    host.run("echo '# a line of somebody' >>/etc/systemd/system/containers.slice")
    told["kept"] = host.play(UNINSTALL, docker_uninstall_stop_containers=True)
    told["look"] = host.look()
    told["config"] = json.loads(host.run("cat /etc/docker/daemon.json"))
    told["seen_by_container"] = host.run("docker run --rm -v keepme:/data lab/busybox sha256sum /data/file")
    told["security"] = host.run("docker info --format '{{.SecurityOptions}} {{.LiveRestoreEnabled}}'")
    told["again"] = host.play(UNINSTALL)
    told["unmount_refused"] = host.play(UNINSTALL, docker_uninstall_data="unmount")
    told["unmounted"] = host.play(UNINSTALL, docker_uninstall_data="unmount", docker_uninstall_packages="all")
    told["unmounted_again"] = host.play(UNINSTALL, docker_uninstall_data="unmount", docker_uninstall_packages="all")
    told["unmounted_look"] = host.look()
    told["flags"] = host.run(f"lsattr -d {ROOT}/overlay2 {ROOT}/volumes; ls -A {ROOT}/overlay2 {ROOT}/volumes")
    told["provisioned"] = host.play(PROVISION)
    told["data_found"] = host.data()
    told["found_by_container"] = host.run("docker run --rm -v keepme:/data lab/busybox sha256sum /data/file")
    return told


STORIES: dict[str, tuple[str, t.Callable[[Host], Json]]] = {"fresh": ("trixie", fresh), "docker_before": ("bookworm", docker_before)}


def main(directory: str, story: str) -> None:
    """Tell one story."""
    place = pathlib.Path(directory)
    host, tell = STORIES[story]
    begun = time.monotonic()
    told = tell(Host(host, place))
    told["seconds"] = round(time.monotonic() - begun)
    (place / f"uninstall-{story}.json").write_text(json.dumps(told, indent=1), encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("ANSIBLE_STDOUT_CALLBACK", "ansible.posix.json")
    main(*sys.argv[1:])
