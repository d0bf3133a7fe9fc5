# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""A hardened container as Docker 29 and the kernel show it, and how a test makes others of it by naming what differs."""

from __future__ import annotations

import copy
import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.log_budget import LogConfig
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.inspect import EngineFacts
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import ContainerLook, Place, Process

ID = "4f" * 32
IMAGE = "sha256:" + "ab" * 32
MASKED = (
    "/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/scsi /proc/timer_list /proc/timer_stats "
    "/sys/devices/virtual/powercap /sys/firmware"
).split()
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]

ENGINE = EngineFacts(
    version="29.7.2",
    cgroup_version=2,
    apparmor=True,
    selinux=False,
    apparmor_modes={"docker-default": "enforce"},
    userns_remap=True,
    rootless=False,
    no_new_privileges=False,
    seccomp="builtin",
    seccomp_opens=(),
    log=LogConfig("", "local", {}),
    api_groups=frozenset({"998"}),
    networks={"shop": ("bridge", ""), "segment": ("macvlan", "eth0")},
)

ANSWER: dict[str, t.Any] = {
    "Id": ID,
    "Name": "/web",
    "Created": "2026-01-01T00:00:00Z",
    "Image": IMAGE,
    "State": {"Status": "running", "Running": True, "Paused": False, "Pid": 4711},
    "AppArmorProfile": "docker-default",
    "ProcessLabel": "",
    "MountLabel": "",
    "HostConfig": {
        "Binds": None,
        "LogConfig": {"Type": "local", "Config": {}},
        "NetworkMode": "shop",
        "PortBindings": {},
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 5},
        "VolumesFrom": None,
        "CapAdd": None,
        "CapDrop": None,
        "CgroupnsMode": "private",
        "GroupAdd": None,
        "IpcMode": "private",
        "OomScoreAdj": 0,
        "PidMode": "",
        "Privileged": False,
        "PublishAllPorts": False,
        "ReadonlyRootfs": True,
        "SecurityOpt": ["no-new-privileges"],
        "UTSMode": "",
        "UsernsMode": "",
        "Runtime": "runc",
        "CpuShares": 0,
        "Memory": 268435456,
        "NanoCpus": 0,
        "CgroupParent": "",
        "CpuQuota": 0,
        "CpusetCpus": "",
        "Devices": [],
        "DeviceCgroupRules": None,
        "DeviceRequests": None,
        "OomKillDisable": None,
        "PidsLimit": 100,
        "Ulimits": None,
        "MaskedPaths": MASKED,
        "ReadonlyPaths": READ_ONLY,
    },
    "Mounts": [],
    "Config": {
        "User": "1000:1000",
        "Env": ["PATH=<withheld>"],
        "Cmd": ["<withheld>"],
        "Image": "registry.example.com/shop/web:1.4",
        "WorkingDir": "/srv",
        "Entrypoint": None,
        "Labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": "web", "tier": "<withheld>"},
        "Healthcheck": {"Test": ["CMD", "<withheld>"]},
    },
    "NetworkSettings": {"Ports": {}, "Networks": {"shop": {"NetworkID": "12"}}},
}

PROCESS = Process(
    status={"Uid": "101000\t101000\t101000\t101000", "NoNewPrivs": "1", "Seccomp": "2", "CapBnd": "00000000a80425fb", "CapEff": "0000000000000000"},
    uid_map=((0, 100000, 65536),),
    label="docker-default (enforce)",
    namespaces={"pid": 2, "ipc": 2, "uts": 2, "net": 2, "user": 2, "cgroup": 2, "mnt": 2},
    host_namespaces={"pid": 1, "ipc": 1, "uts": 1, "net": 1, "user": 1, "cgroup": 1, "mnt": 1},
    mounts=(
        ("/", "ro,relatime", "overlay"),
        ("/proc", "rw,nosuid,nodev,noexec", "proc"),
        ("/sys", "ro,nosuid,nodev,noexec", "sysfs"),
        ("/sys/fs/cgroup", "ro,nosuid", "cgroup2"),
        *((path, "ro", "proc") for path in READ_ONLY),
        *((path, "rw", "tmpfs") for path in MASKED if path not in ("/proc/asound", "/proc/sched_debug", "/proc/latency_stats", "/proc/timer_stats")),
    ),
    limits={"memory.max": "268435456", "pids.max": "100", "cpu.max": "50000 100000", "cpu.weight": "100"},
    programs=frozenset({"web"}),
)


def engine(**different: t.Any) -> EngineFacts:
    """Return the engine with something else."""
    return dataclasses.replace(ENGINE, **different)


def process(**different: t.Any) -> Process:
    """Return the process with something else; of status and limits only what is named."""
    merged = {name: {**getattr(PROCESS, name), **value} if name in ("status", "limits", "namespaces") else value for name, value in different.items()}
    return dataclasses.replace(PROCESS, **merged)


def place(path: str, **more: t.Any) -> Place:
    """Return where a mount leads."""
    return Place(path, **more)


def look(running: bool = True, process: Process | None = None, places: t.Mapping[str, Place] | None = None, **different: t.Any) -> ContainerLook:
    """Return the container with something else: ``host__Privileged=True``, ``config__User=""``, ``top__Mounts=[...]``.

    Args:
        running: without it there is no process.
    """
    answer = copy.deepcopy(ANSWER)
    if not running:
        answer["State"] = {"Status": "exited", "Running": False, "Paused": False, "Pid": 0}
    holders = {"host": answer["HostConfig"], "config": answer["Config"], "top": answer, "settings": answer["NetworkSettings"]}
    for name, value in different.items():
        where, _separator, key = name.partition("__")
        holders[where][key] = value
    return ContainerLook(answer, (process or PROCESS) if running else None, places or {})
