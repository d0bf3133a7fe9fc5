# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""A part of /proc and of the control groups that does not exist, as the kernel would show it for containers of an engine."""

from __future__ import annotations

import os
import pathlib
import typing as t

DEFAULT_CAPABILITIES = "00000000a80425fb"
NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
MASKED_FILES = ("/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/sched_debug", "/proc/scsi", "/sys/firmware")
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

STATUS = """\
Name:\tnginx
Umask:\t0022
State:\tS (sleeping)
Tgid:\t{pid}
Pid:\t{pid}
PPid:\t{parent}
Uid:\t{uid}\t{uid}\t{uid}\t{uid}
Gid:\t{uid}\t{uid}\t{uid}\t{uid}
Groups:\t{uid}
NSpid:\t{pid}\t1
CapInh:\t0000000000000000
CapPrm:\t0000000000000000
CapEff:\t0000000000000000
CapBnd:\t{capabilities}
CapAmb:\t0000000000000000
NoNewPrivs:\t{no_new_privileges}
Seccomp:\t2
Seccomp_filters:\t1
"""


class FakeProc:
    """Builds the trees.

    Args:
        base: an empty directory.
        unified: whether control groups are of version 2.
    """

    def __init__(self, base: pathlib.Path, unified: bool = True) -> None:
        self.proc = base / "proc"
        self.cgroups = base / "cgroup"
        self.unified = unified
        self.proc.mkdir()
        self.cgroups.mkdir()
        if unified:
            (self.cgroups / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
        self.namespaces(1, 4026531000)

    def namespaces(self, pid: int, first: int) -> None:
        directory = self.proc / str(pid) / "ns"
        directory.mkdir(parents=True)
        for number, name in enumerate(NAMESPACES):
            os.symlink(f"{name}:[{first + number}]", directory / name)

    def container(
        self,
        pid: int,
        identifier: str,
        *,
        uid: int = 101,
        no_new_privileges: int = 1,
        capabilities: str = "0000000000000000",
        label: str = "docker-default (enforce)",
        programs: t.Sequence[str] = ("nginx",),
        group: str = "",
        nested: str = "",
    ) -> None:
        """Make a process of a container; nested is a group that was made in the container, in which the process is."""
        directory = self.proc / str(pid)
        self.namespaces(pid, 4026540000 + pid * 10)
        (directory / "status").write_text(
            STATUS.format(pid=pid, parent=1, uid=uid, no_new_privileges=no_new_privileges, capabilities=capabilities)
        )
        (directory / "uid_map").write_text("         0     165536      65536\n")
        (directory / "attr" / "apparmor").mkdir(parents=True)
        (directory / "attr" / "apparmor" / "current").write_text(f"{label}\n")
        (directory / "mountinfo").write_text(self.mounts())
        group = group or f"/system.slice/docker-{identifier}.scope"
        controllers = ("",) if self.unified else ("cpu,cpuacct", "memory", "pids")
        lines = "".join(f"{number}:{name}:{group}{nested}\n" for number, name in enumerate(controllers))
        (directory / "cgroup").write_text(lines)
        numbers = []
        for number, program in enumerate(programs):
            other = pid if not number else pid * 1000 + number
            (self.proc / str(other)).mkdir(exist_ok=True)
            (self.proc / str(other) / "comm").write_text(f"{program}\n")
            numbers.append(other)
        self.group(group, nested, numbers)

    def group(self, group: str, nested: str, numbers: t.Sequence[int]) -> None:
        text = "".join(f"{number}\n" for number in numbers)
        if self.unified:
            limits = {"memory.max": "268435456", "memory.swap.max": "268435456", "pids.max": "200", "cpu.max": "50000 100000", "cpu.weight": "100"}
            places = {"": limits}
        else:
            places = {
                "memory": {"memory.limit_in_bytes": "268435456"},
                "pids": {"pids.max": "200"},
                "cpu": {"cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000", "cpu.shares": "1024"},
            }
        for controller, files in places.items():
            directory = pathlib.Path(f"{self.cgroups}/{controller}/{group}")
            inner = pathlib.Path(f"{directory}/{nested}")
            inner.mkdir(parents=True)
            for name, value in files.items():
                (directory / name).write_text(f"{value}\n")
            (directory / "cgroup.procs").write_text("" if nested else text)
            if nested:
                (inner / "cgroup.procs").write_text(text)

    @staticmethod
    def mounts() -> str:
        lines = [
            "900 800 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/A:/var/lib/docker/overlay2/l/B",
            "901 900 0:51 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw",
            "902 900 0:52 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755",
            "903 900 0:53 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro",
            "904 903 0:27 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw",
            "905 900 254:1 /var/lib/docker/volumes/shop_data/_data /data rw,relatime - xfs /dev/vdb rw",
            "906 900 254:1 /srv/a\\040b/conf /etc/nginx/conf.d ro,relatime - xfs /dev/vda1 rw",
        ]
        lines += [f"{910 + number} 901 0:51 {path[5:]} {path} ro,nosuid - proc proc rw" for number, path in enumerate(READ_ONLY)]
        lines += [f"{930 + number} 901 0:54 / {path} ro,relatime - tmpfs tmpfs ro" for number, path in enumerate(MASKED_FILES)]
        return "\n".join(lines) + "\n"
