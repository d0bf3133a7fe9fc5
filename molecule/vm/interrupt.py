# SPDX-License-Identifier: Apache-2.0
"""Begins to provision a machine, pulls its plug amid the filesystems, boots it again and notes what it was left with.

Usage: interrupt.py MACHINE FILE
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "shared"))
from vm import Machine  # noqa: E402

# Both partitions are there and the first has no filesystem yet, or just got one.
MOMENT = "while [ ! -b /dev/disk/by-partlabel/bulkhead-volumes ]; do sleep 0.2; done"
LEFT = """
printf 'claims=%s\\n' "$(cat /var/lib/bulkhead/storage-claims.json 2>/dev/null | head -c 300)"
printf 'partitions=%s\\n' "$(ls /dev/disk/by-partlabel | tr '\\n' ' ')"
printf 'fstab=%s\\n' "$(grep -c /var/lib/docker /etc/fstab)"
printf 'docker=%s\\n' "$(systemctl is-active docker.service)"
"""


def main() -> int:
    machine = Machine(sys.argv[1])
    run = subprocess.Popen(["ansible-playbook", "--tags", "docker_storage", "bulkhead.docker.provision"], stdin=subprocess.DEVNULL)
    try:
        machine.run(MOMENT, timeout=600)
        ended = run.poll()
        machine.cut()
    finally:
        run.kill()
        run.wait()
    machine.boot()
    left = dict(line.split("=", 1) for line in machine.run(LEFT).stdout.splitlines())
    pathlib.Path(sys.argv[2]).write_text(json.dumps({"ended": ended, **left}), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
