# SPDX-License-Identifier: Apache-2.0
"""What the drivers share: the host's daemon, its containers, and a clean start for each case."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import versions
from ansible_collections.bulkhead.docker.plugins.module_utils.host import daemon_plan, daemon_transaction
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import Daemon
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon_plan import DaemonError, Request

CONFIG = pathlib.Path("/etc/docker/daemon.json")
PROFILE = pathlib.Path("/etc/docker/seccomp-bulkhead.json")
MEMORY = pathlib.Path("/var/lib/bulkhead/daemon.json")
DROP_IN = pathlib.Path("/etc/systemd/system/docker.service.d/case.conf")

#: A profile of the host's own engine with one call less.
FILTER = {"base": "builtin", "deny": ["keyctl"]}


def call(*arguments: str, check: bool = True, timeout: float = 120) -> str:
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=timeout, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def succeeds(*arguments: str) -> bool:
    return subprocess.run(arguments, capture_output=True, check=False).returncode == 0


def release() -> int:
    return versions.parse(Daemon().engine_version() or "0").major


def main_pid() -> int:
    return int(call("systemctl", "show", "--property", "MainPID", "--value", "docker.service"))


def active() -> bool:
    return succeeds("systemctl", "is-active", "--quiet", "docker.service")


def serves() -> bool:
    return succeeds("docker", "info")


def text(path: pathlib.Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def files() -> list[str | None]:
    return [text(CONFIG), text(PROFILE)]


def bring_up() -> None:
    call("systemctl", "reset-failed", "docker.service", "docker.socket", check=False)
    call("systemctl", "start", "docker.service")


def foreign_restart() -> None:
    call("systemctl", "reset-failed", "docker.service", "docker.socket", check=False)
    call("systemctl", "restart", "docker.service")


def clean(config: dict[str, t.Any] | None = None) -> None:
    """A daemon that nobody of ours has touched, with a file of the administrator or with none."""
    for name in call("docker", "ps", "--all", "--quiet", check=False).split():
        call("docker", "rm", "--force", name, check=False)
    DROP_IN.unlink(missing_ok=True)
    call("systemctl", "daemon-reload")
    call("systemctl", "stop", "docker.socket", "docker.service")
    for path in (CONFIG, PROFILE, MEMORY):
        path.unlink(missing_ok=True)
    if config is not None:
        CONFIG.parent.mkdir(exist_ok=True)
        CONFIG.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    bring_up()


def drop_in(*lines: str) -> None:
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text("\n".join(["[Service]", *lines, ""]), encoding="utf-8")
    call("systemctl", "daemon-reload")


def container(name: str, *options: str) -> int:
    """Start a container and return the process id of its first process."""
    call("docker", "run", "--detach", "--name", name, *options, "lab/busybox", "sleep", "3600")
    return int(call("docker", "inspect", "--format", "{{.State.Pid}}", name))


def alive(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


def ask(settings: dict[str, t.Any], host: Daemon | None = None, **options: t.Any) -> dict[str, t.Any]:
    """Run what the module runs; return what it would, or why it failed."""
    began = time.monotonic()
    request = Request(settings=settings, **{"probe_timeout": 20.0, **options})
    try:
        plan, outcome = daemon_transaction.converge(host or Daemon(), request)
    except DaemonError as error:
        return {"failed": str(error), "seconds": time.monotonic() - began}
    return {
        "changed": outcome.changed,
        "action": outcome.action,
        "pending": outcome.pending,
        "pending_restart": outcome.pending_restart,
        "interrupts": [entry.as_dict() for entry in outcome.interrupts],
        "recreate": outcome.recreate,
        "warnings": outcome.warnings,
        "managed": list(plan.merged.managed),
        "foreign": list(plan.merged.foreign),
        "adopted": list(plan.merged.adopted),
        "reset": plan.merged.reset,
        "wanted": [plan.wanted.config, plan.wanted.seccomp],
        "diff": daemon_transaction.differences(plan, str(CONFIG))["prepared"],
        "seconds": time.monotonic() - began,
    }


def predict(settings: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
    return ask(settings, predicting=True, **options)


def memory() -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads(MEMORY.read_text(encoding="utf-8")))


def info() -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", Daemon().api().info())


def report(path: str, found: t.Any) -> None:
    """Leave what was seen for the tests."""
    pathlib.Path(path).write_text(json.dumps(found, indent=1), encoding="utf-8")


def seed_from_arguments() -> int:
    given = sys.argv[1] if len(sys.argv) > 1 else ""
    return int(given) if given else int.from_bytes(os.urandom(4), "big")


__all__ = ["DaemonError", "daemon_plan"]
