# SPDX-License-Identifier: Apache-2.0
"""Remove all that the make targets left on this machine: hosts, disks, images, the lab's engine, environments."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

import engine
from shell import ROOT, VENV, output, say

DISKS = engine.STATE / "disks"
CACHES = (".venv", "build", ".ansible", ".cache", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", "tests/output")


def docker(host: str | None, *arguments: str) -> list[str]:
    found = output("docker", *(["--host", host] if host else []), *arguments)
    return (found or "").split()


def remove_hosts(host: str | None) -> None:
    names = docker(host, "ps", "--all", "--format", "{{.Names}}", "--filter", f"label={engine.LABEL}")
    running = docker(host, "ps", "--format", "{{.Names}}", "--filter", f"label={engine.LABEL}")
    for name in names:
        if name in running:
            docker(host, "exec", name, "sh", "/usr/lib/bulkhead-lab/release")
        docker(host, "rm", "--force", name)
    for volume in docker(host, "volume", "ls", "--quiet", "--filter", "name=^bulkhead-lab-"):
        for mountpoint in docker(host, "volume", "inspect", "--format", "{{.Mountpoint}}", volume):
            output("chattr", "-R", "-f", "-i", "-a", mountpoint)
        docker(host, "volume", "rm", volume)
    for image in docker(host, "images", "--quiet", "bulkhead-lab"):
        docker(host, "rmi", "--force", image)


def remove_machines() -> None:
    output(sys.executable, str(ROOT / "molecule" / "shared" / "vm.py"), "clean", "all")


def remove_disks() -> None:
    for image in sorted(DISKS.glob("*.img")):
        for device in (output("losetup", "--noheadings", "--output", "NAME", "--associated", str(image)) or "").split():
            output("losetup", "--detach", device)


def remove_cgroups() -> None:
    for directory, _names, _files in os.walk("/sys/fs/cgroup/unified/bulkhead-lab", topdown=False):
        os.rmdir(directory)


def remove_state() -> None:
    if engine.STATE.exists():
        # What an interrupted run left immutable cannot be deleted otherwise.
        output("chattr", "-R", "-f", "-i", "-a", str(engine.STATE))
        subprocess.run(["rm", "--recursive", "--force", "--one-file-system", str(engine.STATE)], check=True)


def remove_molecule_state() -> None:
    for directory in pathlib.Path.home().glob(".ansible/tmp/molecule.*"):
        config = directory / "state.yml"
        if config.exists() and any(directory.name.endswith(f".{path.name}") for path in (ROOT / "molecule").iterdir()):
            shutil.rmtree(directory, ignore_errors=True)


def everything() -> int:
    if engine.our_daemon() is not None:
        remove_hosts(engine.SOCKET)
        engine.stop()
    if engine.answers(None):
        remove_hosts(None)
    remove_machines()
    remove_disks()
    remove_cgroups()
    remove_state()
    remove_molecule_state()
    for name in CACHES:
        shutil.rmtree(ROOT / name, ignore_errors=True)
    for directory in [path for path in ROOT.rglob("__pycache__") if VENV not in path.parents]:
        shutil.rmtree(directory, ignore_errors=True)
    say("removed the lab's hosts, machines, disks, images and engine, the environments and the caches")
    return 0
