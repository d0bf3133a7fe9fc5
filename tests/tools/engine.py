# SPDX-License-Identifier: Apache-2.0
"""The Docker engine that runs the lab's hosts: the machine's own if one answers, else one that we start and stop."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
import pathlib
import shutil
import signal
import subprocess
import time
import typing as t

from envs import apt_install
from shell import ToolError, locked, log_path, output, say, show_tail

RUN = pathlib.Path("/run/bulkhead-lab")
STATE = pathlib.Path("/var/lib/bulkhead-lab")
SOCKET = f"unix://{RUN}/docker.sock"
PID_FILE = RUN / "docker.pid"
BRIDGE = "bulkhead0"
SUBNETS = ("10.213.7.0/24", "172.31.231.0/24", "192.168.231.0/24")
START_SECONDS = 60
LABEL = "bulkhead-lab"
PACKAGES = {
    "losetup": "mount",
    "mmdebstrap": "mmdebstrap",
    "chattr": "e2fsprogs",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}


def answers(host: str | None) -> bool:
    command = ["docker", *(["--host", host] if host else []), "version", "--format", "{{.Server.Version}}"]
    return bool(shutil.which("docker")) and output(*command) is not None


def our_daemon() -> int | None:
    """Process id of our own dockerd; a stale pid file may name somebody else's process."""
    try:
        pid = int(PID_FILE.read_text(encoding="ascii"))
        command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if SOCKET.encode() in command else None


def free_subnet() -> ipaddress.IPv4Network:
    routes = [ipaddress.ip_network(line.split()[0]) for line in (output("ip", "-4", "route") or "").splitlines() if line[0].isdigit()]
    for text in SUBNETS:
        subnet = ipaddress.IPv4Network(text)
        if not any(subnet.overlaps(route) for route in routes if isinstance(route, ipaddress.IPv4Network)):
            return subnet
    raise ToolError(f"The lab's network needs one of {', '.join(SUBNETS)} and this machine routes all of them elsewhere.")


def network_rules(subnet: str) -> list[tuple[str, list[str]]]:
    mark = ["-m", "comment", "--comment", LABEL, "-j"]
    return [
        ("nat", ["POSTROUTING", "-s", subnet, "!", "-o", BRIDGE, *mark, "MASQUERADE"]),
        ("filter", ["FORWARD", "-i", BRIDGE, *mark, "ACCEPT"]),
        ("filter", ["FORWARD", "-o", BRIDGE, *mark, "ACCEPT"]),
    ]


def bridge_subnet() -> str | None:
    for line in (output("ip", "-4", "-oneline", "address", "show", "dev", BRIDGE) or "").splitlines():
        return str(ipaddress.ip_interface(line.split()[3]).network)
    return None


def make_network() -> None:
    """A bridge of our own: dockerd's rules would stay behind after it stopped."""
    if bridge_subnet() is None:
        subnet = free_subnet()
        gateway = f"{next(subnet.hosts())}/{subnet.prefixlen}"
        for command in (
            ["ip", "link", "add", "name", BRIDGE, "type", "bridge"], ["ip", "address", "add", gateway, "dev", BRIDGE], ["ip", "link", "set", BRIDGE, "up"],
        ):
            subprocess.run(command, check=True)
    for table, rule in network_rules(bridge_subnet() or ""):
        if output("iptables", "-w", "-t", table, "-C", *rule) is None:
            subprocess.run(["iptables", "-w", "-t", table, "-I", *rule], check=True)


def remove_network() -> None:
    subnet = bridge_subnet()
    if subnet is None:
        return
    for table, rule in network_rules(subnet):
        output("iptables", "-w", "-t", table, "-D", *rule)
    output("ip", "link", "delete", BRIDGE)


def refuse_unable_machine() -> None:
    if os.geteuid():
        raise ToolError("The lab starts a Docker engine and attaches loop devices, which needs root; run make as root.")
    if not shutil.which("dockerd") and not shutil.which("apt-get"):
        raise ToolError("No Docker engine answers and this system has no apt-get to install one; start one and let it answer on DOCKER_HOST.")


def start() -> None:
    refuse_unable_machine()
    apt_install({"dockerd": "docker.io", "iptables": "iptables", "ip": "iproute2"})
    if answers(None):  # where systemd runs, the package starts the engine
        return
    say("starting an engine for the lab")
    RUN.mkdir(mode=0o700, parents=True, exist_ok=True)
    if our_daemon() is None:
        PID_FILE.unlink(missing_ok=True)
        make_network()
        command = [
            "dockerd", "--host", SOCKET, "--data-root", str(STATE / "docker"), "--exec-root", str(RUN / "exec"), "--pidfile", str(PID_FILE),
            "--bridge", BRIDGE, "--iptables=false", "--config-file", str(RUN / "none.json"),
        ]
        RUN.joinpath("none.json").write_text("{}", encoding="ascii")
        with open(log_path("engine"), "wb") as log:
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)  # pylint: disable=consider-using-with
    deadline = time.monotonic() + START_SECONDS
    while not answers(SOCKET):
        if time.monotonic() > deadline:
            show_tail("engine")
            raise ToolError(f"The lab's engine did not answer within {START_SECONDS} s; its log is {log_path('engine')}.")
        time.sleep(0.2)


def stop() -> None:
    pid = our_daemon()
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        while our_daemon() is not None:
            time.sleep(0.1)
    remove_network()
    shutil.rmtree(RUN, ignore_errors=True)


def hosts(docker_host: str | None, scenario: str) -> list[str]:
    where = ["--host", docker_host] if docker_host else []
    found = output("docker", *where, "ps", "--format", "{{.Names}}", "--filter", f"label={LABEL}={scenario}")
    return (found or "").split()


@contextlib.contextmanager
def running() -> t.Iterator[dict[str, str]]:
    """The environment that leads to an engine. Our own is stopped when its last user has left and no container runs in it."""
    apt_install(PACKAGES)
    if not shutil.which("docker"):
        start_packages()
    own = STATE / "users.lock"
    if answers(None):
        yield {}
        return
    STATE.mkdir(parents=True, exist_ok=True)
    with open(own, "w", encoding="ascii") as users:
        with locked(STATE / "start.lock"):
            fcntl.flock(users, fcntl.LOCK_SH)
            if not answers(SOCKET):
                start()
        try:
            yield {} if answers(None) else {"DOCKER_HOST": SOCKET}
        finally:
            stop_if_last(users)


def start_packages() -> None:
    refuse_unable_machine()
    apt_install({"dockerd": "docker.io"})
    if not shutil.which("docker"):  # newer Debian releases package the client on its own
        apt_install({"docker": "docker-cli"})


def stop_if_last(users: t.TextIO) -> None:
    with locked(STATE / "start.lock"):
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if our_daemon() is not None and not output("docker", "--host", SOCKET, "ps", "--quiet"):
            stop()
