# SPDX-License-Identifier: Apache-2.0
"""Kill a run at every point of the transaction, and see what is left.

Called without arguments it does all points; called with a point it is the run that kills itself there.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import lab
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files, State
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import Daemon

OLD = {"live-restore": True, "labels": ["run=old"]}
NEW = {"live-restore": True, "labels": ["run=new"], "raw-logs": True}
RELOADED = {"live-restore": True, "labels": ["run=new"]}
# Every check passes, but nobody can make a file there.
BROKEN = {**NEW, "pidfile": "/proc/docker.pid"}

#: Each point: the settings that are asked for, and whether with a profile before and with one after. A profile costs its
#: proof, so only the points that have to do with it have one.
POINTS = {
    "before the memory is written": (NEW, False, False),
    "while the memory is written": (NEW, False, False),
    "between the memory and the files": (NEW, False, False),
    "while the profile is written": (NEW, False, True),
    "between the profile and daemon.json": (NEW, False, True),
    "while daemon.json is written": (NEW, False, False),
    "between daemon.json and the removal of the profile": (NEW, True, False),
    "between the files and SIGHUP": (RELOADED, False, False),
    "between SIGHUP and its proof": (RELOADED, False, False),
    "between the files and the restart": (NEW, False, False),
    "while systemd stops the daemon": (NEW, False, False),
    "while the daemon starts": (NEW, False, False),
    "between the restart and its proof": (NEW, False, True),
    "between the proof and the memory": (NEW, False, False),
    "in the rollback, before the files": (BROKEN, False, False),
    "in the rollback, while daemon.json is written": (BROKEN, False, True),
    "in the rollback, after the files": (BROKEN, False, False),
    "in the rollback, while the daemon starts": (BROKEN, False, False),
    "in the rollback, before the memory": (BROKEN, False, False),
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Fragile(Daemon):
    """A host on which the run ends at one point."""

    def __init__(self, point: str) -> None:
        super().__init__()
        self.point = point
        self.back = point.startswith("in the rollback")
        self.writes = self.saves = self.starts = 0

    def at(self, point: str) -> None:
        if point == self.point:
            die()

    def write_state(self, state: State) -> None:
        self.saves += 1
        if self.saves == 1:
            self.at("before the memory is written")
        if self.starts == 1:
            self.at("between the proof and the memory")
        if self.starts == 2:
            self.at("in the rollback, before the memory")
        super().write_state(state)

    def write_files(self, wanted: Files) -> None:
        self.writes += 1
        self.at("between the memory and the files" if self.writes == 1 else "in the rollback, before the files")
        super().write_files(wanted)

    def reload(self) -> None:
        self.at("between the files and SIGHUP")
        super().reload()
        time.sleep(0.3)
        self.at("between SIGHUP and its proof")

    def restart(self, timeout: float) -> bool:
        self.starts += 1
        self.at("between the files and the restart" if self.starts == 1 else "in the rollback, after the files")
        if self.point == "while systemd stops the daemon" or (self.point.endswith("while the daemon starts") and self.starts == 1 + self.back):
            threading.Timer(0.05 if "stops" in self.point else 0.6, die).start()
        up = super().restart(timeout)
        if self.starts == 1:
            self.at("between the restart and its proof")
        return up


def break_renames(host: Fragile) -> None:
    """Die in the middle of an atomic write: the new text is on the disk and has no name yet."""
    real = os.rename
    seen: list[str] = []

    def rename(source: str, target: str) -> None:
        seen.append(target)
        if target == str(lab.MEMORY):
            host.at("while the memory is written")
        if target == str(lab.PROFILE):
            host.at("while the profile is written")
        if target == str(lab.CONFIG):
            host.at("while daemon.json is written")
            if seen.count(target) == 2:
                host.at("in the rollback, while daemon.json is written")
        real(source, target)
        if target == str(lab.PROFILE):
            host.at("between the profile and daemon.json")
        if target == str(lab.CONFIG):
            host.at("between daemon.json and the removal of the profile")

    files.os.rename = rename


def profile(wanted: bool) -> object:
    return lab.FILTER if wanted else "builtin"


def one(point: str) -> dict[str, object]:
    settings, had, has = POINTS[point]
    first = lab.ask(OLD, seccomp_profile=profile(had))
    old = lab.files()
    new = lab.predict(settings, seccomp_profile=profile(has))["wanted"]
    pid = lab.container("held", "--publish", "8080:80")
    run = subprocess.run([sys.executable, __file__, point], capture_output=True, text=True, check=False, timeout=180)
    ended = time.monotonic()
    left = lab.files()
    config = json.loads(left[0] or "{}")
    seen: dict[str, object] = {
        "first": first,
        "killed": run.returncode == -signal.SIGKILL,
        "said": run.stdout + run.stderr,
        "config": "old" if left[0] == old[0] else "new" if left[0] == new[0] else left[0],
        "profile": "old" if left[1] == old[1] else "new" if left[1] == new[1] else left[1],
        "names a missing profile": "seccomp-profile" in config and left[1] is None,
    }
    # Whoever watches over the run mends what it left; the lock tells when that has ended.
    with Daemon().lock(120):
        seen["watched"] = round(time.monotonic() - ended, 1)
    mended = lab.files()
    seen["then"] = "old" if mended == old else "new" if mended == new else "mixed"
    lab.call("systemctl", "reset-failed", "docker.service", "docker.socket", check=False)
    seen["serves"] = lab.active() and lab.serves()
    seen["starts"] = lab.succeeds("systemctl", "restart", "docker.service")
    seen["starts again"] = lab.serves()
    seen["container lives"] = lab.alive(pid)
    wanted = NEW if settings is BROKEN else settings
    seen["next"] = lab.ask(wanted, seccomp_profile=profile(has))
    seen["holds"] = {key: json.loads(lab.CONFIG.read_text()).get(key) for key in wanted} == wanted
    seen["labels"] = lab.info()["Labels"]
    seen["again"] = lab.ask(wanted, seccomp_profile=profile(has))
    seen["memory"] = {key: lab.memory()[key] for key in ("pending", "managed", "invocation")}
    seen["container lives at the end"] = lab.alive(pid)
    seen["litter"] = sorted(path.name for path in lab.CONFIG.parent.iterdir() if path.name.startswith("."))
    lab.call("docker", "rm", "--force", "held")
    for path in lab.CONFIG.parent.iterdir():
        if path.name.startswith("."):
            path.unlink()
    return seen


def main() -> None:
    lab.clean()
    found = {}
    for point in POINTS:
        began = time.monotonic()
        try:
            found[point] = one(point)
        except Exception as error:  # what went wrong at one point must not hide the others
            found[point] = {"error": repr(error)}
            lab.clean()
        found[point]["seconds"] = round(time.monotonic() - began, 1)
        print(point, found[point], flush=True)
    lab.clean()
    lab.report("/root/lab/kills.json", found)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        fragile = Fragile(sys.argv[1])
        break_renames(fragile)
        settings, _had, has = POINTS[sys.argv[1]]
        print(lab.ask(settings, host=fragile, seccomp_profile=profile(has)))
    else:
        main()
