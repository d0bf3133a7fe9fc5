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
# sees to it that no other device has it, and fails with a sentence otherwise.
set -eu

refuse() {
    echo "mount-guard: $1" >&2
    exit 1
}

# The parts of a RAID or a multipath device, and snapshots in LVM, have the UUID of what is mounted by right.
by_right() {
    node=/sys/class/block/$(basename -- "$(readlink -f -- "$1")")
    for holder in "$node"/holders/* "$node"/../holders/*; do
        [ ! -e "$holder" ] || return 0
    done
    grep -qs '^LVM-' -- "$node/dm/uuid"
}

# dockerd takes a file without a word in it, or none, for its defaults: no user namespaces, and a root outside of what is
# mounted here. containerd does not care.
config=/etc/docker/daemon.json
case $(cat /proc/self/cgroup) in
    */docker.service*)
        if grep -qs '"config": "' /var/lib/bulkhead/daemon.json && ! grep -qs '[^[:space:]]' "$config"; then
            refuse "$config is empty or gone, and Docker would start with its defaults in another root; run the role docker_daemon, which puts it back"
        fi
        ;;
esac

while [ "$#" -ge 2 ]; do
    path=$1
    expected=$2
    shift 2
    mountpoint -q -- "$path" || mount -- "$path" || :
    # With the option nofail mount succeeds where there is no such device, too.
    mountpoint -q -- "$path" || refuse "$path is not mounted and mounting it failed; Docker is not started without it"
    source=$(findmnt --noheadings --nofsroot --output SOURCE --mountpoint "$path" | tail -n 1)
    found=$(blkid --probe --match-tag UUID --output value -- "$source") || found=none
    if [ "$found" != "$expected" ]; then
        refuse "$path has the filesystem $found from $source instead of $expected; Docker is not started on it"
    fi
    # Which of two gets mounted at boot is chance.
    same=$(blkid --cache-file /dev/null --match-token "UUID=$expected" --output device) || same=
    for other in $same; do
        if [ "$other" = "$source" ] || [ "$other" -ef "$source" ] || by_right "$other"; then continue; fi
        refuse "$other has the UUID $expected of $source on $path too; remove the copy or give it another UUID; Docker is not started with both"
    done
    # fsck makes it anew, and Docker before 29.4 takes it for a volume; one that holds something stays.
    rmdir -- "$path/lost+found" 2>/dev/null || :
done
"""


def drop_in(targets: t.Sequence[Target], also: t.Sequence[tuple[str, str]] = ()) -> str:
    """Return the text of the drop-in that guards the targets, and further mount points; it is the same for every unit."""
    return render([*((target.mount_point, target.uuid or UUID_NOT_KNOWN_YET) for target in targets), *also])


def render(guarded_pairs: t.Sequence[tuple[str, str]]) -> str:
    """Return the text of the drop-in from mount points, each with the UUID that must be mounted there."""
    words = " ".join(f"{path} {uuid}" for path, uuid in guarded_pairs)
    paths = " ".join(path for path, _uuid in guarded_pairs)
    return f"# Managed by the role bulkhead.docker.docker_storage.\n[Unit]\nRequiresMountsFor={paths}\n\n[Service]\nExecStartPre=+{PROGRAM} {words}\n"


def pairs(text: str) -> list[tuple[str, str]]:
    """Return the mount points that the text of a drop-in guards, each with its UUID."""
    for line in text.splitlines():
        words = line.split()
        if line.startswith(f"ExecStartPre=+{PROGRAM} "):
            return list(zip(words[1::2], words[2::2]))
    return []


def guarded(text: str) -> tuple[str, ...]:
    """Return the mount points that the text of a drop-in guards."""
    for line in text.splitlines():
        if line.startswith("RequiresMountsFor="):
            return tuple(line.partition("=")[2].split())
    return ()


def files(targets: t.Sequence[Target], also: t.Sequence[tuple[str, str]] = ()) -> dict[str, tuple[str, int]]:
    """Return every file that the guards consist of: from its path to its text and mode; see drop_in."""
    wanted = {PROGRAM: (PROGRAM_TEXT, 0o755)}
    for unit in UNITS:
        wanted[DROP_IN.format(unit=unit)] = (drop_in(targets, also), 0o644)
    return wanted
