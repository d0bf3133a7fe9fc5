# SPDX-License-Identifier: Apache-2.0
"""Adoption, keys that are dropped, deferred restarts, what a restart interrupts, and two runs at once."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import typing as t

import lab
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import Daemon

#: A file as an administrator writes it: tabs, short lists, his own order, no end of line.
BY_HAND = """{
\t"log-level" : "warn",   "dns-search": ["lab.test",
\t\t"second.test"],

\t"runtimes": {"his": {"path":"/usr/sbin/runc"}},
\t"debug": true
}"""


def sighup() -> None:
    lab.call("systemctl", "kill", "--signal=HUP", "--kill-who=main", "docker.service")
    time.sleep(1.5)


def adoption() -> dict[str, t.Any]:
    lab.clean()
    lab.CONFIG.write_text(BY_HAND, encoding="utf-8")
    lab.foreign_restart()
    pid = lab.main_pid()
    seen: dict[str, t.Any] = {"found": BY_HAND, "nothing": lab.ask({})}
    seen["nothing left"] = lab.text(lab.CONFIG)
    seen["same value"] = lab.ask({"debug": True})
    seen["same value left"] = lab.text(lab.CONFIG)
    seen["again"] = lab.ask({"debug": True})
    seen["foreseen"] = lab.predict({"debug": False, "runtimes": {"ours": {"path": "/usr/sbin/runc"}}})
    seen["other value"] = lab.ask({"debug": False, "runtimes": {"ours": {"path": "/usr/sbin/runc"}}})
    seen["other value left"] = lab.text(lab.CONFIG)
    seen["runtimes"] = sorted(lab.info()["Runtimes"])
    seen["dropped"] = lab.ask({})
    seen["dropped left"] = lab.text(lab.CONFIG)
    seen["same daemon"] = lab.main_pid() == pid
    seen["debug"] = lab.info()["Debug"]
    for damage in ("nonsense", '{"schema": 99}'):
        lab.ask({"debug": False})
        lab.MEMORY.write_text(damage, encoding="utf-8")
        before = lab.text(lab.CONFIG)
        answer = lab.ask({"max-download-attempts": 7})
        kept = [path.read_text() for path in lab.MEMORY.parent.glob("daemon.json.unreadable*")]
        seen[f"memory {damage}"] = {
            "answer": answer,
            "kept": damage in kept,
            "his keys": [key for key in json.loads(before or "{}") if key not in json.loads(lab.text(lab.CONFIG) or "{}")],
            "again": lab.ask({"max-download-attempts": 7}),
        }
    return seen


def dropped_keys() -> dict[str, t.Any]:
    lab.clean()
    settings = {
        "labels": ["tier=web"],
        "debug": True,
        "live-restore": True,
        "registry-mirrors": ["https://one.test"],
        "shutdown-timeout": 20,
        "insecure-registries": ["registry.test:5000"],
        "default-shm-size": "32M",
        "runtimes": {"one": {"path": "/usr/sbin/runc"}},
    }
    seen: dict[str, t.Any] = {"first": lab.ask(settings)}
    pid, held = lab.main_pid(), lab.container("held")
    # The naive way: take the keys out and send SIGHUP.
    kept = lab.text(lab.CONFIG)
    lab.CONFIG.write_text("{}\n", encoding="utf-8")
    sighup()
    seen["naive"] = observed()
    lab.CONFIG.write_text(kept or "", encoding="utf-8")
    sighup()
    seen["foreseen"] = lab.predict({})
    seen["dropped"] = lab.ask({})
    seen["observed"] = observed()
    seen["same daemon"] = lab.main_pid() == pid
    seen["container lives"] = lab.alive(held)
    seen["again"] = lab.ask({})
    # Somebody sets one of them: his value stays.
    config = json.loads(lab.text(lab.CONFIG) or "{}")
    lab.CONFIG.write_text(json.dumps({**config, "labels": ["his=1"]}), encoding="utf-8")
    sighup()
    seen["his"] = lab.ask({})
    seen["with a restart"] = lab.ask({"raw-logs": True})
    seen["left"] = json.loads(lab.text(lab.CONFIG) or "{}")
    seen["his labels"] = lab.info()["Labels"]
    return seen


def observed() -> dict[str, t.Any]:
    found = lab.info()
    registries = found["RegistryConfig"]
    return {
        "labels": found["Labels"],
        "debug": found["Debug"],
        "live-restore": found["LiveRestoreEnabled"],
        "registry-mirrors": registries["Mirrors"] or [],
        "insecure-registries": sorted(name for name in registries["IndexConfigs"] if name != "docker.io"),
        "runtimes": "one" in found["Runtimes"],
    }


def deferred() -> dict[str, t.Any]:
    lab.clean()
    now = {"live-restore": True, "log-driver": "json-file"}
    later = {"live-restore": True, "log-driver": "local", "debug": True}
    seen: dict[str, t.Any] = {"first": lab.ask(now)}
    pid, held = lab.main_pid(), lab.container("held")
    seen["foreseen"] = lab.predict(later, may_restart=False)
    seen["deferred"] = lab.ask(later, may_restart=False)
    seen["debug at once"] = lab.info()["Debug"]
    seen["driver not yet"] = lab.info()["LoggingDriver"]
    seen["twice"] = lab.ask(later, may_restart=False)
    seen["taken back"] = lab.ask(now, may_restart=False)
    seen["debug taken back"] = lab.info()["Debug"]
    seen["same daemon"] = lab.main_pid() == pid
    lab.ask(later, may_restart=False)
    lab.foreign_restart()
    seen["after somebody's restart"] = lab.ask(later, may_restart=False)
    seen["later"] = lab.ask({**later, "raw-logs": True}, may_restart=False)
    seen["auto"] = lab.ask({**later, "raw-logs": True})
    seen["after auto"] = lab.ask({**later, "raw-logs": True}, may_restart=False)
    seen["container lives"] = lab.alive(held)
    seen["recreate"] = seen["after auto"]["recreate"]
    return seen


def interrupted_without_live_restore() -> dict[str, t.Any]:
    lab.clean()
    for name, options in (
        ("always", ["--restart", "always"]),
        ("unless", ["--restart", "unless-stopped"]),
        ("failure", ["--restart", "on-failure"]),
        ("plain", []),
        ("gone", ["--rm"]),
    ):
        lab.container(name, *options)
    foreseen = lab.predict({"raw-logs": True})
    done = lab.ask({"raw-logs": True})
    time.sleep(2)
    running = lab.call("docker", "ps", "--format", "{{.Names}}").split()
    there = lab.call("docker", "ps", "--all", "--format", "{{.Names}}").split()
    return {"foreseen": foreseen, "done": done, "running": sorted(running), "there": sorted(there)}


def interrupted_with_live_restore() -> dict[str, t.Any]:
    lab.clean()
    lab.ask({"live-restore": True})
    lab.call("docker", "run", "--detach", "--name", "served", "--publish", "8080:80", "lab/busybox", "nc", "-ll", "-p", "80", "-e", "cat")
    session = subprocess.Popen(["docker", "exec", "served", "sleep", "600"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    follower = subprocess.Popen(["docker", "logs", "--follow", "served"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pid = int(lab.call("docker", "inspect", "--format", "{{.State.Pid}}", "served"))
    connection = connected()
    seen: dict[str, t.Any] = {"before": echoes(connection)}
    seen["reload"] = lab.ask({"live-restore": True, "debug": True})
    seen["connection after the reload"] = echoes(connection)
    seen["session after the reload"] = session.poll() is None
    seen["foreseen"] = lab.predict({"live-restore": True, "debug": True, "raw-logs": True})
    seen["done"] = lab.ask({"live-restore": True, "debug": True, "raw-logs": True})
    time.sleep(2)
    seen["connection after the restart"] = echoes(connection)
    seen["session after the restart"] = session.poll() is None
    seen["follower after the restart"] = follower.poll() is None
    seen["container lives"] = lab.alive(pid)
    for process in (session, follower):
        process.kill()
        process.wait()
    return seen


def connected() -> socket.socket:
    for _attempt in range(20):
        try:
            connection = socket.create_connection(("127.0.0.1", 8080), timeout=3)
        except OSError:
            time.sleep(0.3)
            continue
        if echoes(connection):
            return connection
    raise RuntimeError("nobody answers on the published port")


def echoes(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"x")
        return connection.recv(1) == b"x"
    except OSError:
        return False


def two_at_once() -> dict[str, t.Any]:
    lab.clean()
    holder = subprocess.Popen([sys.executable, __file__, "hold"], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    holder.stdout.readline()
    before = lab.files()
    seen: dict[str, t.Any] = {"holder": holder.pid, "refused": lab.ask({"debug": True}, probe_timeout=1.0)}
    seen["untouched"] = lab.files() == before
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    seen["after the kill"] = lab.ask({"debug": True})
    both = [
        subprocess.Popen([sys.executable, __file__, "ask", f"turn={number}"], stdout=subprocess.PIPE, text=True)
        for number in range(2)
    ]
    seen["both"] = [json.loads(process.communicate(timeout=120)[0]) for process in both]
    seen["labels"] = lab.info()["Labels"]
    seen["file"] = json.loads(lab.text(lab.CONFIG) or "{}")
    return seen


def before_the_boot() -> dict[str, t.Any]:
    lab.clean()
    now = {"live-restore": True, "log-driver": "json-file"}
    first = lab.ask(now)
    lab.container("held", "--restart", "always")
    return {"first": first, "deferred": lab.ask({**now, "log-driver": "local"}, may_restart=False)}


def after_the_boot() -> dict[str, t.Any]:
    wanted = {"live-restore": True, "log-driver": "local"}
    return {"foreseen": lab.predict(wanted, may_restart=False), "done": lab.ask(wanted, may_restart=False), "driver": lab.info()["LoggingDriver"]}


STORIES = (
    adoption,
    dropped_keys,
    deferred,
    interrupted_without_live_restore,
    interrupted_with_live_restore,
    two_at_once,
)


def main() -> None:
    found = {}
    for story in STORIES:
        began = time.monotonic()
        try:
            found[story.__name__] = story()
        except Exception as error:  # what went wrong in one must not hide the others
            found[story.__name__] = {"error": repr(error)}
        found[story.__name__]["seconds"] = round(time.monotonic() - began, 1)
    lab.clean()
    lab.report("/root/lab/stories.json", found)


if __name__ == "__main__":
    if sys.argv[1:2] == ["hold"]:
        with Daemon().lock(5):
            print(os.getpid(), flush=True)
            time.sleep(120)
    elif sys.argv[1:2] == ["before-the-boot"]:
        lab.report("/root/lab/before_the_boot.json", before_the_boot())
    elif sys.argv[1:2] == ["after-the-boot"]:
        lab.bring_up()
        print(json.dumps(after_the_boot()))
    elif sys.argv[1:2] == ["ask"]:
        print(json.dumps(lab.ask({"labels": [sys.argv[2]]}, probe_timeout=30.0)))
    else:
        main()
