# SPDX-License-Identifier: Apache-2.0
"""The lab's part outside the containers: what this machine allows, the hosts' images and their disks.

    machine.py up SCENARIO < platforms.json     prints what each host's container needs
    machine.py down SCENARIO < platforms.json   detaches and deletes disks, removes control groups
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import typing as t

import images

DISKS = pathlib.Path("/var/lib/bulkhead-lab/disks")
CGROUP = pathlib.Path("/sys/fs/cgroup")
CGROUP_PARENT = "bulkhead-lab"
PREFIX = "bulkhead-lab"
NAME = re.compile(r"^[a-z0-9][a-z0-9-]*$")
SIZE = re.compile(r"^[1-9][0-9]*[MG]$")
OPTIONS = {"name", "suite", "disks", "loop_backend", "engine_volumes", "groups", "children"}
VOLUMES = {"docker": "/var/lib/docker", "containerd": "/var/lib/containerd"}  # overlay2 over overlayfs is refused
OPEN_FILES = 65536
CAPABILITIES = (  # by bit
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN"
    " NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME"
    " SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ"
    " PERFMON BPF CHECKPOINT_RESTORE"
).split()


class LabError(Exception):
    pass


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout.strip()


def missing_capabilities() -> list[str]:
    """What the machine's own bounding set lacks cannot be given to a container."""
    status = pathlib.Path("/proc/self/status").read_text(encoding="ascii")
    bounding = int(status.split("CapBnd:")[1].split()[0], 16)
    last = int(pathlib.Path("/proc/sys/kernel/cap_last_cap").read_text(encoding="ascii"))
    return [name for bit, name in enumerate(CAPABILITIES) if bit <= last and not bounding >> bit & 1]


def open_files_limit() -> int:
    """The highest nofile limit a container on the host can have: without CAP_SYS_RESOURCE nobody can raise the machine's."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    bounded = "SYS_RESOURCE" in missing_capabilities() and hard != resource.RLIM_INFINITY
    return min(hard, OPEN_FILES) if bounded else OPEN_FILES


def cgroup_options(container: str) -> dict[str, t.Any]:
    if (CGROUP / "cgroup.controllers").exists():
        return {"cgroupns": "private", "volumes": [], "env": {}}
    unified = CGROUP / "unified"
    if not (unified / "cgroup.procs").exists():
        raise LabError("The lab needs a cgroup2 tree at /sys/fs/cgroup or /sys/fs/cgroup/unified and found none; boot with systemd.unified_cgroup_hierarchy=1.")
    return {"cgroupns": "host", "volumes": [f"{unified}:/sys/fs/cgroup:rw"], "env": {"LAB_CGROUP": f"{CGROUP_PARENT}/{container}"}}


def device_rules(platform: dict[str, t.Any]) -> list[str]:
    rules = []
    if platform.get("disks"):
        rules.append("b 259:* rwm")  # partitions have numbers only once they exist
        max_part = pathlib.Path("/sys/module/loop/parameters/max_part")
        if max_part.exists() and int(max_part.read_text(encoding="ascii")):
            rules.append("b 7:* rwm")
    if platform.get("loop_backend"):
        rules.append("b 7:* rwm")
    return sorted(set(rules))


def attach_disks(container: str, sizes: list[str]) -> list[str]:
    if not sizes:
        return []
    if not os.path.exists("/dev/loop-control"):
        raise LabError("The lab's disks need loop devices and /dev/loop-control is missing; load the loop module.")
    DISKS.mkdir(parents=True, exist_ok=True)
    devices = []
    for number, size in enumerate(sizes):
        image = DISKS / f"{container}-{number}.img"
        attached = run("losetup", "--noheadings", "--output", "NAME", "--associated", str(image)).split() if image.exists() else []
        if not attached:
            run("truncate", "--size", size, str(image))
            attached = [run("losetup", "--find", "--show", "--partscan", str(image))]
        devices.append(attached[0])
    return devices


def detach_disks(container: str) -> None:
    for image in sorted(DISKS.glob(f"{container}-[0-9]*.img")):
        for device in run("losetup", "--noheadings", "--output", "NAME", "--associated", str(image)).split():
            run("losetup", "--detach", device)
        image.unlink()


def remove_cgroups(container: str) -> None:
    top = CGROUP / "unified" / CGROUP_PARENT / container
    for directory, _names, _files in os.walk(top, topdown=False):
        os.rmdir(directory)


def checked(platforms: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    for platform in platforms:
        name = platform.get("name", "")
        if not NAME.match(name):
            raise LabError(f"The platform name {name!r} is not a host name of small letters, digits and dashes.")
        unknown = sorted(set(platform) - OPTIONS)
        if unknown:
            raise LabError(f"The platform {name} has the unknown key {unknown[0]!r}; use {', '.join(sorted(OPTIONS))}.")
        for size in platform.get("disks", []):
            if not SIZE.match(str(size)):
                raise LabError(f"The platform {name} has a disk of size {size!r}; write a number and M or G, as in 4G.")
    return platforms


def container_name(scenario: str, platform: dict[str, t.Any]) -> str:
    return f"{PREFIX}-{scenario.replace('_', '-')}-{platform['name']}"


def host(scenario: str, platform: dict[str, t.Any]) -> dict[str, t.Any]:
    container = container_name(scenario, platform)
    disks = attach_disks(container, platform.get("disks", []))
    cgroup = cgroup_options(container)
    if platform.get("loop_backend"):
        cgroup["env"]["LAB_LOOP_BACKEND"] = "1"
    devices = disks + (["/dev/loop-control"] if platform.get("loop_backend") else [])
    return {
        "name": platform["name"],
        "container": container,
        "image": images.ensure(platform.get("suite", "trixie")),
        "cap_drop": missing_capabilities(),
        "cgroupns": cgroup["cgroupns"],
        "devices": [f"{device}:{device}:rwm" for device in devices],
        "device_cgroup_rules": device_rules(platform),
        "env": {"container": "docker", **cgroup["env"]},
        "volumes": cgroup["volumes"] + [f"{container}-{name}:{path}" for name, path in {**VOLUMES, **platform.get("engine_volumes", {})}.items()],
        "variables": {
            "ansible_host": container,
            "ansible_become": False,  # the connection is root already, and the hosts have no sudo
            "lab_disks": disks,
            "lab_nofile": open_files_limit(),
        },
    }


def main() -> int:
    verb, scenario = sys.argv[1:3]
    try:
        platforms = checked(json.load(sys.stdin))
        if verb == "up":
            print(json.dumps([host(scenario, platform) for platform in platforms]))
        else:
            for platform in platforms:
                container = container_name(scenario, platform)
                detach_disks(container)
                remove_cgroups(container)
    except (LabError, images.BuildError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
