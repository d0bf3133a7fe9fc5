# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The guards that keep Docker from starting without its filesystems, as texts of files.

PRIVATE to the collection: no stability is promised to other users.

``RequiresMountsFor=`` orders the boot, but it does not mount again what dockerd itself unmounts at every clean stop
(moby#36149): in a restart the mount unit's job is already done when that happens. So a program run before each start
mounts what is missing and compares the filesystem's UUID, and the unit fails when that cannot be done.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.storage.plan import Target

PROGRAM = "/usr/local/lib/bulkhead/mount-guard"
UNITS = ("containerd.service", "docker.service")
DROP_IN = "/etc/systemd/system/{unit}.d/10-bulkhead-storage.conf"
UUID_NOT_KNOWN_YET = "UUID-that-formatting-gives"

PROGRAM_TEXT = """\
#!/bin/sh
# Managed by the role bulkhead.docker.docker_storage.
# Arguments: pairs of a mount point and the UUID that must be mounted there. Mounts what is missing, checks every UUID,
# and fails with a sentence otherwise.
set -eu

refuse() {
    echo "mount-guard: $1" >&2
    exit 1
}

while [ "$#" -ge 2 ]; do
    path=$1
    expected=$2
    shift 2
    if ! mountpoint -q -- "$path"; then
        mount -- "$path" || refuse "$path is not mounted and mounting it failed; Docker is not started without it"
    fi
    source=$(findmnt --noheadings --nofsroot --output SOURCE --mountpoint "$path" | tail -n 1)
    found=$(blkid --probe --match-tag UUID --output value -- "$source") || found=none
    if [ "$found" != "$expected" ]; then
        refuse "$path has the filesystem $found from $source instead of $expected; Docker is not started on it"
    fi
done
"""


def drop_in(targets: t.Sequence[Target]) -> str:
    """Return the text of the drop-in that guards the targets; it is the same for every unit."""
    pairs = " ".join(f"{target.mount_point} {target.uuid or UUID_NOT_KNOWN_YET}" for target in targets)
    paths = " ".join(target.mount_point for target in targets)
    return f"# Managed by the role bulkhead.docker.docker_storage.\n[Unit]\nRequiresMountsFor={paths}\n\n[Service]\nExecStartPre=+{PROGRAM} {pairs}\n"


def guarded(text: str) -> tuple[str, ...]:
    """Return the mount points that the text of a drop-in guards."""
    for line in text.splitlines():
        if line.startswith("RequiresMountsFor="):
            return tuple(line.partition("=")[2].split())
    return ()


def files(targets: t.Sequence[Target]) -> dict[str, tuple[str, int]]:
    """Return every file that the guards consist of: from its path to its text and mode."""
    wanted = {PROGRAM: (PROGRAM_TEXT, 0o755)}
    for unit in UNITS:
        wanted[DROP_IN.format(unit=unit)] = (drop_in(targets), 0o644)
    return wanted
