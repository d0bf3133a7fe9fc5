# SPDX-License-Identifier: Apache-2.0
"""Kill a move at every point, with and without the process that would take over, and let the next run finish it.

Called without arguments it does all points and prints what it saw; called with a point it is the run that kills itself there.
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    daemon_transaction,
    data_move,
    move_file,
    old_data,
    systemd,
    tree_copy,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import Daemon
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon_plan import Request
from ansible_collections.bulkhead.docker.plugins.module_utils.host.engine_control import EngineControl
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import move as moves
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import move_journal
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move_journal import Journal

CONFIG = pathlib.Path("/etc/docker/daemon.json")
POINTS = (
    "the move is noted",
    "half is copied",
    "the containers are noted",
    "the containers are stopped",
    "the daemon is stopped",
    "half is copied again",
    "all is compared",
    "daemon.json names the new root",
    "the daemon is started",
    "the start is noted",
    "the end is noted",
)


def die() -> None:
    if os.environ.get("LONELY"):
        # Also whoever would take over.
        for entry in pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
            os.kill(int(entry), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def after(holder: t.Any, name: str, point: str, chosen: str, which: t.Callable[..., bool] = lambda *_arguments, **_named: True, count: int = 1) -> None:
    """Let a function end the process when it returns from the given call."""
    if point != chosen:
        return
    real = getattr(holder, name)
    owner = os.getpid()
    seen = [0]

    def wrapped(*arguments: t.Any, **named: t.Any) -> t.Any:
        result = real(*arguments, **named)
        if os.getpid() == owner and which(*arguments, **named):
            seen[0] += 1
            if seen[0] == count:
                die()
        return result

    setattr(holder, name, wrapped)


def arm(point: str) -> None:
    def phase(wanted: str) -> t.Callable[..., bool]:
        return lambda journal, *_more: journal.phase == wanted

    trees = 8
    after(move_file, "write", "the move is noted", point, phase(move_journal.COPYING))
    after(tree_copy, "copy", "half is copied", point, count=3)
    after(move_file, "write", "the containers are noted", point, phase(move_journal.STOPPED))
    after(EngineControl, "stop_all", "the containers are stopped", point)
    after(systemd, "stop", "the daemon is stopped", point, lambda *units, **_named: "docker.service" in units)
    after(tree_copy, "copy", "half is copied again", point, lambda *_arguments: not systemd.is_active("docker.service"), count=trees // 2)
    after(move_file, "write", "all is compared", point, phase(move_journal.VERIFIED))
    after(Daemon, "write_files", "daemon.json names the new root", point)
    after(Daemon, "start", "the daemon is started", point)
    after(move_file, "write", "the start is noted", point, phase(move_journal.STARTED))
    after(move_file, "write", "the end is noted", point, phase(move_journal.DONE))


def run(new: str) -> None:
    """What the modules of the playbook do, in one process."""
    host = Daemon()
    settings = {**json.loads(CONFIG.read_text(encoding="utf-8")), "data-root": new}
    before = data_move.root_now(host)
    after_root = moves.Root(f"{new}{before.path[len(before.data_root):]}", new, before.ids)
    found = move_file.read()
    begun = found if found is not None and found.unfinished else None
    # Whoever took over may have finished it, as the plan of the modules sees too.
    if begun is not None or before.path != after_root.path:
        mover = data_move.Mover(host, begun or Journal(move_journal.COPYING, moves.Move(before, after_root)))
        if not mover.new_counts():
            with data_move.alone():
                mover.copy()
    request = Request(settings=settings, moves_data=True)
    data_move.around(host, lambda: after_root.path, lambda: daemon_transaction.converge(host, request))


def call(*arguments: str) -> str:
    return subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=300).stdout.strip()


def looks() -> dict[str, t.Any]:
    journal = move_file.read()
    return {
        "active": call("systemctl", "is-active", "docker.service") == "active",
        "root": call("docker", "info", "--format", "{{.DockerRootDir}}"),
        "running": sorted(call("docker", "ps", "--format", "{{.Names}}").split()),
        "phase": journal.phase if journal else "",
    }


def described() -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads(call("python3", "/root/lab/describe.py")))


def main() -> None:
    seen = []
    number = 0
    for lonely in ("", "yes"):
        for point in POINTS:
            number += 1
            # Also what the playbook's own move has left: the next move would forget it.
            if move_file.removable(move_file.read()):
                with data_move.alone():
                    old_data.remove(Daemon())
            new = f"/var/lib/docker/moved-{number}"
            was, before = looks(), described()
            killed = subprocess.run([sys.executable, __file__, point, new], env={**os.environ, "LONELY": lonely}, capture_output=True, text=True, check=False)
            # Whoever took over holds the lock until he is done.
            time.sleep(1)
            with data_move.locks.held(data_move.LOCK_FILE, 240):
                pass
            left = looks()
            again = subprocess.run([sys.executable, __file__, "", new], capture_output=True, text=True, check=False)
            now = described()
            seen.append(
                {
                    "point": point,
                    "lonely": bool(lonely),
                    "killed": killed.returncode,
                    "said": killed.stderr[-1500:],
                    "before": was,
                    "left": left,
                    "again": again.returncode,
                    "again_said": again.stderr[-1500:],
                    "after": looks(),
                    "new": new,
                    "same": all(now[key] == before[key] for key in ("images", "tags", "volumes", "labels"))
                    and sorted(now["containers"]) == sorted(before["containers"]),
                }
            )
            pathlib.Path("/root/lab/kills.json").write_text(json.dumps(seen, indent=1), encoding="utf-8")


if len(sys.argv) > 1:
    arm(sys.argv[1])
    run(sys.argv[2])
else:
    main()
