# SPDX-License-Identifier: Apache-2.0
"""What breaks on hosts: each fault with a script that makes it, one that ends it, and how each phase has to end.

The scripts are for sh on a host, as root, with the variables of SETUP: ROOT is Docker's root; V and O are the mount points
of volumes and overlay2, and VDEV and ODEV their devices; SPARE is a disk that nobody uses.
"""

from __future__ import annotations

import dataclasses
import typing as t

from fault_matrix import AUDIT, BOOT, CHANGE, CHECK, FIRST, HEALED, LAST_GOOD, MEND, REFUSED, RESTART, SECOND, Cell

FORKY = "forky"
HOSTS = ("bookworm", "trixie", FORKY, "second-trixie")

SETUP = """
docker import --change 'CMD ["true"]' /usr/share/bulkhead-lab/busybox.tar lab/busybox >/dev/null
docker inspect lab-kept >/dev/null 2>&1 || docker run --name lab-kept --volume lab-kept:/data lab/busybox sh -c \
    'echo kept >/data/file; mkdir /data/deep; head -c 300000 /dev/urandom >/data/deep/random; chown 65534 /data/deep; echo layer >/layer'
mkdir -p /opt/faults/saved
ROOT=$(docker info --format '{{.DockerRootDir}}')
device() { findmnt --noheadings --nofsroot --output SOURCE --mountpoint "$1" | tail -n 1; }
uuid() { blkid --probe --match-tag UUID --output value "$1"; }
cat >/opt/faults/env <<END
ROOT=$ROOT
V=$ROOT/volumes
O=$ROOT/overlay2
VDEV=$(device $ROOT/volumes)
ODEV=$(device $ROOT/overlay2)
VUUID=$(uuid "$(device $ROOT/volumes)")
END
sync
"""
KEEP = """
# A comment that is lost with the file is nobody's to know.
sed -i '/^#/d' /etc/fstab
rm -rf /opt/faults/saved
mkdir -p /opt/faults/saved
cd / && tar --create --file /opt/faults/saved/files.tar etc/docker etc/subuid etc/subgid etc/fstab etc/passwd etc/group etc/default/docker \
    etc/systemd/system/docker.service.d etc/systemd/system/containerd.service.d etc/systemd/system/containers.slice usr/local/lib/bulkhead \
    var/lib/bulkhead/manifest.json var/lib/bulkhead/daemon.json var/lib/dpkg/status
"""
#: Brings a host back from what KEEP has kept; only used where a cell has failed, so that those after it mean something.
RESTORE = """
systemctl stop docker.socket docker.service || :
pkill -f '[l]ab-fault' || :
systemctl enable --now lab-nodes || :
rm -f /etc/systemd/system/*.d/99-lab.conf
umount /etc/docker /var/lib/bulkhead /etc 2>/dev/null || :
for place in $V $O; do umount --lazy $place 2>/dev/null || :; done
rm -f /etc/.lab-* /var/lib/dpkg/updates/0000
cd / && tar --extract --same-owner --unlink-first --file /opt/faults/saved/files.tar
systemctl unmask docker.service docker.socket containerd.service
systemctl daemon-reload
systemctl reset-failed
systemctl start containerd.service docker.socket docker.service
"""

CONFIG = "/etc/docker/daemon.json"
SECCOMP = "/etc/docker/seccomp-bulkhead.json"
STATE = "/var/lib/bulkhead"
MANIFEST = STATE + "/manifest.json"
MEMORY = STATE + "/daemon.json"
REST = "systemctl stop docker.socket docker.service\n"
SERVE = "systemctl reset-failed docker.service || :; systemctl start docker.socket docker.service\n"
#: A run of ansible on the host is Python that reads a program from its standard input; the oldest is the module itself.
MODULE = "pgrep --oldest --exact --full /usr/bin/python3"
KILL = f"until kill -9 $({MODULE}); do sleep 0.05; done"


def when(condition: str, deed: str) -> str:
    """Return a script that leaves a process behind which does a deed as soon as a condition holds."""
    return f"setsid sh -c ': lab-fault; until {condition}; do sleep 0.1; done; {deed}' >/dev/null 2>&1 </dev/null &\n"


def drop_in(unit: str, *lines: str) -> str:
    """Return a script that adds to a unit what somebody in a hurry adds."""
    text = "\\n".join(("[Service]", *lines))
    return f"mkdir -p /etc/systemd/system/{unit}.d; printf '{text}\\n' >/etc/systemd/system/{unit}.d/99-lab.conf; systemctl daemon-reload\n"


NO_DROP_INS = "rm -f /etc/systemd/system/*.d/99-lab.conf; systemctl daemon-reload\n"


@dataclasses.dataclass(frozen=True)
class Ends:
    """How a phase ends under a fault.

    Attributes:
        outcome: see fault_matrix.OUTCOMES.
        says: words of the sentence.
        inject, lift: instead of the fault's own.
        variables: of the run, as names and JSON.
        cut: how the run is ended: ``module`` by a script of the host, ``connection`` when the host has /run/lab-moment.
        twice: whether two runs are started at once.
        heals: whether the first provision goes to its end after it was refused.
    """

    outcome: str
    says: str = ""
    inject: str | None = None
    lift: str | None = None
    variables: tuple[tuple[str, str], ...] = ()
    cut: str = ""
    twice: bool = False
    heals: bool = False


@dataclasses.dataclass(frozen=True)
class Fault:
    """A row of the matrix.

    Attributes:
        phases: from a phase to how it ends.
        inject: makes the fault.
        lift: ends it, before the next run; a fault without goes on, or is over by itself, and the next run has to cope.
        hosts: where it is possible.
    """

    phases: t.Mapping[str, Ends]
    inject: str = ""
    lift: str = ""
    hosts: tuple[str, ...] = HOSTS


def corrupt(path: str, how: str) -> str:
    """Return a script that damages a file in one of the ways in which files get damaged."""
    ways = {
        "truncated": f"truncate --size=$(($(stat --format=%s {path}) / 2)) {path}\n",
        "binary": f"head -c 300 /dev/urandom >{path}\n",
        "empty": f": >{path}\n",
        "of the wrong type": f"printf '[1]\\n' >{path}\n",
    }
    return ways[how]


FULL = (
    "fallocate --length $(($(stat --file-system --format '%a*%S' {0}) - 4000000)) {0}/lab-filler 2>/dev/null || :\n"
    "head -c 300M /dev/zero >{0}/lab-filler-2 2>/dev/null || :\n"
)
EMPTIED = "rm -f {0}/lab-filler {0}/lab-filler-2\n"


def small(path: str) -> str:
    """Return a script that puts a filesystem under a directory that has no room at all; the directory keeps what it holds."""
    return (
        f"mkdir -p /mnt/lab {path}; size=$(($(du -s --apparent-size -B4096 {path} | cut -f1) + $(find {path} | wc -l) + 40)); "
        f"mount -t tmpfs -o size=$((size * 4096)),mode=$(stat -c %a {path}) lab /mnt/lab; cp -a {path}/. /mnt/lab/; "
        f"head -c 1G /dev/zero >/mnt/lab/.lab-filler 2>/dev/null || :; mount --bind /mnt/lab {path}; umount /mnt/lab\n"
    )


def unsmall(path: str) -> str:
    return f"umount {path}\n"


def read_only(path: str) -> str:
    return f"mkdir -p {path}; mount --bind {path} {path}; mount -o remount,bind,ro {path}\n"


HIDE = REST + "systemctl disable --now lab-nodes; umount $V; rm $VDEV\n"
SHOW = "systemctl enable --now lab-nodes; until [ -b $VDEV ]; do sleep 0.1; done\n"
NEW_UUID = REST + "umount $V; case $(blkid -p -s TYPE -o value $VDEV) in xfs) xfs_admin -U generate $VDEV;; *) tune2fs -f -U random $VDEV;; esac\n"
OLD_UUID = (
    "umount $V || :; "
    "case $(blkid -p -s TYPE -o value $VDEV) in xfs) xfs_admin -U $VUUID $VDEV;; *) e2fsck -fy $VDEV || :; tune2fs -f -U $VUUID $VDEV;; esac\n"
)
OTHER = REST + "umount $V; mkfs.ext4 -q -F $SPARE; mount $SPARE $V\n"
NO_OTHER = REST + "umount $V || :; wipefs --all --quiet $SPARE\n"
SAME = REST + "umount $V; case $(blkid -p -s TYPE -o value $VDEV) in xfs) mkfs.xfs -q -f -m uuid=$VUUID $SPARE;; *) mkfs.ext4 -q -F -U $VUUID $SPARE;; esac\n"
NOT_SAME = "wipefs --all --quiet $SPARE\n"
BROKEN = "sync; python3 -c 'import fcntl, os, struct, sys; fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack(\"I\", 1))' $V\n"
WHOLE = REST + "while mountpoint -q $V || grep -q \" $V \" /proc/self/mounts; do umount --lazy $V; done; mount $VDEV /mnt && umount /mnt\n"

IMPOSTOR = (
    "rm /run/docker.sock; setsid python3 -c 'import os, socket, time; # lab-fault\n"
    "s = socket.socket(socket.AF_UNIX); s.bind(\"/run/docker.sock\"); os.chmod(\"/run/docker.sock\", 0o666); s.listen(9)\n"
    "time.sleep(600)' >/dev/null 2>&1 </dev/null &\nuntil [ -S /run/docker.sock ]; do sleep 0.05; done\n"
)
OWN_SOCKET = "pkill -f '[l]ab-fault'; systemctl stop docker.service docker.socket; rm -f /run/docker.sock; systemctl start docker.socket docker.service\n"
HANGS = drop_in("docker.service", "ExecStart=", "ExecStart=/bin/sleep 600", "TimeoutStartSec=4")
HANGS_WHEN_CHANGED = (
    "printf '#!/bin/sh\\ngrep -q raw-logs /etc/docker/daemon.json && exec sleep 600\\nexec /usr/sbin/dockerd \"$@\"\\n' >/usr/local/sbin/lab-dockerd; "
    "chmod 755 /usr/local/sbin/lab-dockerd\n"
    + drop_in("docker.service", "ExecStart=", "ExecStart=/usr/local/sbin/lab-dockerd -H fd:// --containerd=/run/containerd/containerd.sock")
    + "systemctl reset-failed docker || :; systemctl restart docker\n"
)
LIMIT = (
    drop_in("docker.service", "ExecStartPre=/bin/false")
    + "systemctl restart docker || :; for time in 1 2 3 4; do systemctl start docker || :; done\n"
    + NO_DROP_INS
)
HOLD_LOCK = "setsid flock /var/lib/bulkhead/daemon.lock sleep 600 >/dev/null 2>&1 </dev/null &\nsleep 0.3\n"
NO_LOCK = "pkill -f 'sleep [6]00' || :\n"
DPKG_LOCK = (
    "setsid python3 -c 'import fcntl, time; # lab-fault\n"
    "a = open(\"/var/lib/dpkg/lock-frontend\", \"w\"); fcntl.lockf(a, fcntl.LOCK_EX); b = open(\"/var/lib/dpkg/lock\", \"w\"); fcntl.lockf(b, fcntl.LOCK_EX)\n"
    "time.sleep(600)' >/dev/null 2>&1 </dev/null &\nsleep 0.3\n"
)
NO_DPKG_LOCK = "pkill -f '[l]ab-fault'\n"
HALF = "sed -i '/^Package: runc$/,/^$/s/^Status: .*/Status: hold ok half-configured/' /var/lib/dpkg/status\n"
DAMAGED_UPDATE = "printf 'x' >/var/lib/dpkg/updates/0000\n"

QUICK = (("docker_daemon_probe_timeout", "6"),)
CUT_BEFORE = Ends(
    REFUSED, "is not a configuration", inject="mkdir -p /etc/docker; printf '{\"debug\": tr' >/etc/docker/daemon.json\n", lift="rm -r /etc/docker\n"
)

FAULTS: dict[str, Fault] = {
    # Killed, cut off
    "dockerd killed": Fault(
        {
            FIRST: Ends(HEALED, inject=when("pgrep --exact dockerd", "sleep 0.5; pkill --signal KILL --exact dockerd"), heals=True),
            SECOND: Ends(HEALED),
            CHANGE: Ends(HEALED, inject=when(f"grep -q raw-logs {CONFIG}", "systemctl kill -s KILL docker")),
            RESTART: Ends(HEALED),
        },
        "systemctl kill -s KILL docker\n",
    ),
    "containerd killed": Fault(
        {
            CHANGE: Ends(HEALED, inject=when(f"grep -q raw-logs {CONFIG}", "systemctl kill -s KILL containerd")),
            RESTART: Ends(HEALED),
        },
        "systemctl kill -s KILL containerd\n",
    ),
    "containerd dead": Fault(
        {
            SECOND: Ends(REFUSED, "containerd"),
            CHECK: Ends(REFUSED, "containerd"),
            MEND: Ends(HEALED, lift=""),
        },
        drop_in("containerd.service", "ExecStart=", "ExecStart=/bin/false", "Restart=no") + "systemctl kill -s KILL containerd; sleep 0.5\n",
        NO_DROP_INS,
    ),
    "the module killed": Fault(
        {
            FIRST: Ends(HEALED, inject=when("wipefs $DISK | grep -q gpt", KILL), cut="module"),
            SECOND: Ends(HEALED, inject=when(MODULE, f"sleep 0.3; {KILL}"), cut="module"),
            CHANGE: Ends(HEALED, inject=when(f"grep -q raw-logs {CONFIG}", f"sleep 0.3; {KILL}"), cut="module"),
            MEND: Ends(
                HEALED,
                inject=f"umount --lazy $V; sed -i 's/\"icc\": false/\"icc\": true/' {CONFIG}\n"
                + when("mountpoint -q $V", f"sleep 0.3; {KILL}"),
                cut="module",
            ),
        },
    ),
    "the connection lost": Fault(
        {
            FIRST: Ends(HEALED, inject=when("[ -e /usr/sbin/dockerd ]", "touch /run/lab-moment"), cut="connection"),
            SECOND: Ends(HEALED, inject=when(MODULE, "sleep 2; touch /run/lab-moment"), cut="connection"),
            CHANGE: Ends(HEALED, inject=when(f"grep -q raw-logs {CONFIG}", "touch /run/lab-moment"), cut="connection"),
            MEND: Ends(
                HEALED, inject="umount --lazy $V; chmod 666 /etc/docker/daemon.json\n" + when("mountpoint -q $V", "touch /run/lab-moment"), cut="connection"
            ),
        },
    ),
    "two runs at once": Fault(
        {
            FIRST: Ends(HEALED, twice=True, heals=True),
            CHANGE: Ends(HEALED, twice=True),
            MEND: Ends(HEALED, inject=f"umount --lazy $O; rm {SECCOMP}\n", twice=True),
        },
    ),
    "a run that holds the lock": Fault(
        {
            CHANGE: Ends(REFUSED, "Another run", variables=QUICK),
            MEND: Ends(REFUSED, "Another run", variables=QUICK, inject=f"chmod 666 {CONFIG}\n" + HOLD_LOCK),
        },
        HOLD_LOCK,
        NO_LOCK,
    ),
    # Full
    "volumes full": Fault(
        {
            CHECK: Ends(REFUSED, "free of"),
            CHANGE: Ends(LAST_GOOD),
            RESTART: Ends(LAST_GOOD),
        },
        FULL.format("$V"),
        EMPTIED.format("$V"),
    ),
    "overlay2 full": Fault(
        {
            CHECK: Ends(REFUSED, "free of"),
            CHANGE: Ends(REFUSED, "is full"),
            RESTART: Ends(REFUSED, "no space left on device"),
        },
        FULL.format("$O"),
        EMPTIED.format("$O"),
    ),
    "/etc full": Fault(
        {
            FIRST: Ends(REFUSED, "No space left"),
            CHANGE: Ends(REFUSED, "No space left"),
            MEND: Ends(REFUSED, "No space left", inject=f"rm {CONFIG}\n" + small("/etc/docker"), lift=unsmall("/etc/docker")),
        },
        small("/etc"),
        unsmall("/etc"),
    ),
    "state directory full": Fault(
        {
            CHANGE: Ends(REFUSED, "No space left"),
            CHECK: Ends(REFUSED, "lies on the filesystem"),
        },
        small(STATE),
        unsmall(STATE),
    ),
    # Read-only, I/O errors
    "/etc/docker read-only": Fault(
        {
            CHANGE: Ends(REFUSED, "Read-only file system"),
            MEND: Ends(REFUSED, "Read-only file system", inject=f"rm {SECCOMP}\n" + read_only("/etc/docker"), lift="umount /etc/docker\n"),
        },
        read_only("/etc/docker"),
        "umount /etc/docker\n",
    ),
    "state directory read-only": Fault(
        {CHANGE: Ends(REFUSED, "Read-only file system")}, read_only(STATE), f"umount {STATE}\n"
    ),
    "volumes read-only": Fault(
        {
            SECOND: Ends(HEALED, lift=""),
            CHECK: Ends(REFUSED, "ro, and was"),
            MEND: Ends(HEALED, lift=""),
            RESTART: Ends(REFUSED, "read-only"),
        },
        REST + "mount -o remount,ro $V\n",
        "mount -o remount,rw $V\n",
    ),
    "overlay2 read-only": Fault(
        {CHECK: Ends(REFUSED, "ro, and was"), MEND: Ends(HEALED, lift=""), RESTART: Ends(REFUSED, "read-only")},
        REST + "mount $O 2>/dev/null || :; mount -o remount,ro $O\n",
        "mount -o remount,rw $O\n",
    ),
    "I/O errors on volumes": Fault(
        {
            SECOND: Ends(REFUSED, "Input/output error"),
            CHECK: Ends(REFUSED, "Input/output error"),
            MEND: Ends(REFUSED, "Input/output error"),
            RESTART: Ends(REFUSED, "mounting it failed"),
            BOOT: Ends(HEALED, lift=""),
        },
        BROKEN,
        WHOLE,
    ),
    # The wrong disk
    "disk missing": Fault(
        {
            FIRST: Ends(REFUSED, "is missing", inject="mv $DISK /root/lab-disk\n", lift="mv /root/lab-disk $DISK\n"),
            SECOND: Ends(REFUSED, "nothing was written"),
            CHANGE: Ends(REFUSED, "did not start"),
            CHECK: Ends(REFUSED, "docker.service is inactive"),
            MEND: Ends(REFUSED, "mounting it failed"),
            RESTART: Ends(REFUSED, "mounting it failed"),
            BOOT: Ends(REFUSED, "mounting it failed"),
            AUDIT: Ends(REFUSED, "engine"),
        },
        HIDE,
        SHOW,
    ),
    "disk swapped for another": Fault(
        {
            FIRST: Ends(REFUSED, "holds ext4", inject="mkfs.ext4 -q -F $DISK\n", lift="head -c 200M /dev/zero >$DISK; wipefs --all --quiet $DISK\n"),
            SECOND: Ends(REFUSED, "already mounts UUID="),
            CHECK: Ends(REFUSED, "docker.service is inactive"),
            MEND: Ends(REFUSED, "mounting it failed"),
            RESTART: Ends(REFUSED, "mounting it failed"),
        },
        NEW_UUID,
        OLD_UUID,
    ),
    "another filesystem mounted in its place": Fault(
        {
            SECOND: Ends(REFUSED, "which is not the filesystem of the layout"),
            CHECK: Ends(REFUSED, "is mounted"),
            MEND: Ends(REFUSED, "which is not the filesystem of the layout"),
            RESTART: Ends(REFUSED, "instead of"),
        },
        OTHER,
        NO_OTHER,
    ),
    "UUID duplicated": Fault(
        {
            SECOND: Ends(REFUSED, "mount(8) would take any"),
            CHECK: Ends(REFUSED, "docker.service is inactive"),
            MEND: Ends(REFUSED, "has the UUID"),
            RESTART: Ends(REFUSED, "has the UUID"),
        },
        SAME,
        NOT_SAME,
    ),
    # Mounts
    "unmounted under the running daemon": Fault(
        {
            SECOND: Ends(HEALED),
            CHANGE: Ends(HEALED),
            CHECK: Ends(REFUSED, "nothing is mounted on"),
            MEND: Ends(HEALED),
            RESTART: Ends(HEALED),
            BOOT: Ends(HEALED),
        },
        "umount --lazy $V\n",
    ),
    "bare mount point removed": Fault(
        {
            SECOND: Ends(HEALED),
            CHECK: Ends(REFUSED, "not immutable any more"),
            MEND: Ends(HEALED),
            RESTART: Ends(REFUSED, "mounting it failed"),
        },
        REST + "umount $V; chattr -i $V; rmdir $V\n",
    ),
    "bare mount point unprotected": Fault(
        {CHECK: Ends(REFUSED, "not immutable any more"), MEND: Ends(HEALED)},
        "umount --lazy $V; chattr -i $V; mount $V\n",
    ),
    "lost+found": Fault(
        {SECOND: Ends(HEALED), MEND: Ends(HEALED), RESTART: Ends(HEALED)},
        "mkdir -m 700 $V/lost+found\n",
        hosts=(FORKY,),
    ),
    # Files
    **{
        f"daemon.json {how}": Fault(
            {
                **({FIRST: CUT_BEFORE} if how == "truncated" else {}),
                **({SECOND: Ends(REFUSED, "daemon.json") if how == "truncated" else Ends(HEALED)} if how in ("truncated", "empty") else {}),
                **({BOOT: Ends(REFUSED, "daemon.json")} if how in ("truncated", "empty") else {}),
                **({CHANGE: Ends(REFUSED, "daemon.json")} if how in ("truncated", "binary") else {}),
                **({RESTART: Ends(REFUSED, "daemon.json")} if how != "binary" else {}),
                **({AUDIT: Ends(REFUSED, "daemon.json")} if how == "truncated" else {}),
                CHECK: Ends(REFUSED, "daemon.json"),
                MEND: Ends(HEALED),
            },
            corrupt(CONFIG, how),
        )
        for how in ("truncated", "binary", "empty", "of the wrong type")
    },
    **{
        f"manifest {how}": Fault({CHECK: Ends(REFUSED, "manifest"), MEND: Ends(HEALED)}, corrupt(MANIFEST, how))
        for how in ("truncated", "binary", "of the wrong type")
    },
    **{
        f"memory of the daemon {how}": Fault({CHANGE: Ends(HEALED), MEND: Ends(HEALED)}, corrupt(MEMORY, how))
        for how in ("truncated", "binary")
    },
    **{
        f"subuid {how}": Fault(
            {
                **({SECOND: Ends(REFUSED, "is not owner:start:count"), RESTART: Ends(REFUSED, "subuid")} if how == "truncated" else {}),
                CHECK: Ends(REFUSED, "subuid"),
                MEND: Ends(HEALED),
            },
            corrupt("/etc/subuid", how),
        )
        for how in ("truncated", "empty")
    },
    "subuid binary": Fault(
        {
            FIRST: Ends(REFUSED, "/etc/subuid", "cp -p /etc/subuid /root/subuid\n" + corrupt("/etc/subuid", "binary"), "cp -p /root/subuid /etc/subuid\n"),
            MEND: Ends(REFUSED, "/etc/subuid"),
        },
        corrupt("/etc/subuid", "binary"),
        "cd / && tar -xf /opt/faults/saved/files.tar etc/subuid\n",
    ),
    "subgid truncated": Fault({CHECK: Ends(REFUSED, "subgid"), MEND: Ends(HEALED)}, corrupt("/etc/subgid", "truncated")),
    **{
        f"fstab {how}": Fault(
            {
                **({SECOND: Ends(HEALED)} if how == "truncated" else {}),
                CHECK: Ends(REFUSED, "fstab"),
                MEND: Ends(HEALED),
            },
            corrupt("/etc/fstab", how),
        )
        for how in ("truncated", "empty")
    },
    "fstab binary": Fault(
        {CHECK: Ends(REFUSED, "fstab"), MEND: Ends(REFUSED, "/etc/fstab")},
        corrupt("/etc/fstab", "binary"),
        "cd / && tar -xf /opt/faults/saved/files.tar etc/fstab\n",
    ),
    **{
        f"seccomp profile {how}": Fault(
            {**({CHANGE: Ends(HEALED)} if how == "truncated" else {}), CHECK: Ends(REFUSED, "seccomp"), MEND: Ends(HEALED)}, corrupt(SECCOMP, how)
        )
        for how in ("truncated", "empty")
    },
    "claims of a killed run binary": Fault({SECOND: Ends(HEALED, inject=f"umount --lazy $V; head -c 300 /dev/urandom >{STATE}/storage-claims.json\n")}),
    # The daemon
    "dockerd hangs at its start": Fault(
        {
            CHANGE: Ends(LAST_GOOD, "restored", inject=HANGS_WHEN_CHANGED, lift=NO_DROP_INS, variables=QUICK),
            CHECK: Ends(REFUSED, "drop-in", lift=""),
            MEND: Ends(HEALED, lift=""),
            RESTART: Ends(REFUSED, "timed out"),
        },
        HANGS,
        NO_DROP_INS,
    ),
    "start limit hit": Fault(
        {
            CHANGE: Ends(HEALED),
            CHECK: Ends(REFUSED, "docker.service"),
            MEND: Ends(HEALED),
            RESTART: Ends(REFUSED, "too quickly"),
            AUDIT: Ends(REFUSED, "engine"),
        },
        LIMIT,
    ),
    "socket stolen": Fault(
        {
            SECOND: Ends(REFUSED, "did not serve"),
            CHECK: Ends(REFUSED, "docker.sock"),
            MEND: Ends(REFUSED, "did not serve"),
            AUDIT: Ends(REFUSED, "engine"),
        },
        IMPOSTOR,
        OWN_SOCKET,
    ),
    "socket of the wrong group": Fault(
        # The socket is systemd's: a restart of the service does not touch it, and is no cell.
        {SECOND: Ends(HEALED), CHECK: Ends(REFUSED, "docker.sock"), MEND: Ends(HEALED)},
        "chgrp users /run/docker.sock; chmod 666 /run/docker.sock\n",
    ),
    # Packages
    "package manager locked": Fault(
        {FIRST: Ends(REFUSED, "lock"), MEND: Ends(REFUSED, "lock", "dpkg --force-depends --force-hold --remove runc\n" + DPKG_LOCK, NO_DPKG_LOCK)},
        DPKG_LOCK,
        NO_DPKG_LOCK,
    ),
    "dpkg interrupted": Fault(
        {
            FIRST: Ends(REFUSED, "dpkg", inject=DAMAGED_UPDATE, lift="rm /var/lib/dpkg/updates/0000\n"),
            CHECK: Ends(REFUSED, "runc"),
            MEND: Ends(REFUSED, "installation was interrupted"),
        },
        HALF,
        "dpkg --configure --pending\n",
    ),
    # The clock
    "clock set back by ten years": Fault(
        {SECOND: Ends(HEALED), CHANGE: Ends(HEALED), MEND: Ends(HEALED)},
        f"touch -d '+10 years' {MANIFEST} {MEMORY} {CONFIG} {SECCOMP} /etc/systemd/system/docker.service.d/*\n",
    ),
}


CELLS = tuple(Cell(name, phase, ends.outcome, ends.says) for name, fault in FAULTS.items() for phase, ends in fault.phases.items())
