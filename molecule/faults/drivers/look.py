# SPDX-License-Identifier: Apache-2.0
"""Run on a lab host: what it is like, as JSON. It asks the kernel, systemd and dockerd, and nothing of the collection."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import pathlib
import re
import stat
import subprocess
import sys
import typing as t

DATA_ROOT = "/var/lib/docker"
PLACES = pathlib.Path("/opt/faults/places.json")
ROOT_OF_RANGE = re.compile(r"\d+\.\d+")
#: What Docker makes in a root that it uses.
OF_A_ROOT = {"buildkit", "containers", "image", "network", "overlay2", "volumes"}
FILES = (
    *("/etc/docker", "/etc/subuid", "/etc/subgid", "/etc/fstab", "/etc/passwd", "/etc/group", "/usr/local/lib/bulkhead"),
    *("/etc/systemd/system/docker.service.d", "/etc/systemd/system/containerd.service.d", "/etc/systemd/system/containers.slice"),
    *("/etc/systemd/system/docker.service", "/etc/systemd/system/docker.socket", "/etc/default/docker"),
)
Json = dict[str, t.Any]


def run(*command: str, timeout: float = 20) -> str:
    """Return what a command prints, nothing when it fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def entry(path: str) -> str:
    status = os.lstat(path)
    kind = stat.S_IFMT(status.st_mode)
    content = ""
    if stat.S_ISREG(status.st_mode):
        content = hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
    elif stat.S_ISLNK(status.st_mode):
        content = os.readlink(path)
    return f"{kind:o} {stat.S_IMODE(status.st_mode):04o} {status.st_uid}:{status.st_gid} {content}"


def tree(top: str) -> dict[str, str]:
    """Return everything from a path on, by its path."""
    if not os.path.lexists(top):
        return {}
    found = {}
    pending = [top]
    while pending:
        path = pending.pop()
        try:
            found[path] = entry(path)
            if os.path.isdir(path) and not os.path.islink(path):
                pending += [os.path.join(path, name) for name in os.listdir(path)]
        except OSError as error:
            found[path] = f"cannot be read: {error.strerror}"
    return found


def digest(top: str) -> str:
    found = tree(top)
    return hashlib.sha256(json.dumps({path[len(top):]: what for path, what in found.items()}, sort_keys=True).encode()).hexdigest() if found else "gone"


def mounts(paths: t.Iterable[str]) -> dict[str, Json]:
    """Return what is mounted on each path, with the UUID that the device itself tells."""
    found: dict[str, Json] = {}
    table = [line.split() for line in pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
    for path in paths:
        lines = [line for line in table if line[4] == path]
        if lines:
            line = lines[-1]
            after = line[line.index("-") + 1:]
            uuid = run("blkid", "--probe", "--match-tag", "UUID", "--output", "value", "--", after[1]).strip() if after[1].startswith("/dev/") else ""
            read_only = "ro" in line[5].split(",") or "ro" in after[2].split(",")
            found[path] = {"uuid": uuid, "read-only": read_only, "layers": len(lines)}
    return found


def under(path: str) -> Json:
    """Return what lies under whatever is mounted on a path, and whether that directory can be written."""
    script = 'while mountpoint -q -- "$1"; do umount -l -- "$1" || exit 1; done; lsattr -d -- "$1" | cut -d" " -f1; ls -A -- "$1"'
    lines = run("unshare", "--mount", "--propagation", "private", "--", "sh", "-c", script, "sh", path).splitlines()
    return {"immutable": bool(lines) and "i" in lines[0], "entries": sorted(lines[1:])}


def roots() -> list[str]:
    """Return what of a root of Docker lies where none should."""
    found = []
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(DATA_ROOT)):
            if ROOT_OF_RANGE.fullmatch(name) or name in OF_A_ROOT:
                found.append(name)
    return found


def listening() -> list[str]:
    """Return the addresses that listen, without containerd's own of the loopback, which is another one at each of its starts."""
    shown = [line.split() for line in run("ss", "--no-header", "--listening", "--tcp", "--udp", "--numeric", "--processes").splitlines()]
    return sorted({f"{fields[0]} {fields[4]}" for fields in shown if not (fields[4].startswith("127.") and '"containerd"' in fields[-1])})


def engine() -> Json:
    shown = run("timeout", "8", "docker", "info", "--format", "{{json .}}")
    if not shown:
        return {}
    info = json.loads(shown)
    if info.get("ServerErrors"):
        return {}
    return {
        "root": info.get("DockerRootDir"),
        "userns": any("name=userns" in option for option in info.get("SecurityOptions") or ()),
        "live-restore": info.get("LiveRestoreEnabled"),
        "logs": info.get("LoggingDriver"),
        "containers": sorted(run("docker", "ps", "--all", "--format", "{{.Names}}").split()),
        "volumes": sorted(run("docker", "volume", "ls", "--quiet").split()),
    }


def units() -> dict[str, str]:
    names = ("docker.service", "docker.socket", "containerd.service")
    shown = subprocess.run(
        ["systemctl", "show", "--property", "Id,ActiveState,UnitFileState,DropInPaths", *names], capture_output=True, text=True, check=False
    ).stdout
    return dict(zip(names, (block.strip() for block in shown.split("\n\n"))))


def sockets() -> str:
    with contextlib.suppress(OSError):
        status = os.stat("/run/docker.sock")
        return f"{stat.S_IFMT(status.st_mode):o} {stat.S_IMODE(status.st_mode):04o} {status.st_uid}:{status.st_gid}"
    return "none"


def disks() -> dict[str, str]:
    """Return the signatures of every block device of the host."""
    return {path: run("wipefs", "--noheadings", "--output", "TYPE,UUID", path).strip() for path in sorted(glob.glob("/dev/loop[0-9]*"))}


def moment() -> str:
    """Return which dockerd there is now, and what systemd does with it."""
    return run("systemctl", "show", "--property", "InvocationID,ActiveState,SubState,NRestarts", "docker.service")


def look(places: Json) -> Json:
    """Return what a host is like. A look during which dockerd stops or starts mixes two states, so it is taken again, but not for ever."""
    for _attempt in range(5):
        before = moment()
        found = see(places)
        if moment() == before:
            break
    return found


def see(places: Json) -> Json:
    root = places.get("root", "")
    paths = places.get("mounts", [])
    return {
        "volumes": digest(f"{root}/volumes/lab-kept/_data") if root else "",
        "layer": digest(places["layer"]) if places.get("layer") else "",
        "mounts": mounts(paths),
        "under": {path: under(path) for path in paths},
        "roots": roots(),
        "listening": listening(),
        "socket": sockets(),
        "engine": engine(),
        "units": units(),
        "invocation": run("systemctl", "show", "--value", "--property", "InvocationID", "docker.service").strip(),
        "files": {path: what for top in FILES for path, what in tree(top).items()},
        "manifest": manifest(),
        "packages": {"half": run("dpkg", "--audit").strip(), "held": run("apt-mark", "showhold").split(), "there": os.path.exists("/usr/sbin/dockerd")},
        "disks": disks() if not root else {},
    }


def manifest() -> str:
    """Tell whether the manifest and the daemon's memory can be read as what they are."""
    for path in ("/var/lib/bulkhead/manifest.json", "/var/lib/bulkhead/daemon.json"):
        try:
            if not isinstance(json.loads(pathlib.Path(path).read_text(encoding="utf-8")), dict):
                return f"{path} is no mapping"
        except (OSError, ValueError) as error:
            return f"{path}: {error}"
    return "in order"


def note_places() -> None:
    """Make what has to be kept, once the host is in order, and remember where everything lies."""
    PLACES.parent.mkdir(mode=0o700, exist_ok=True)
    root = json.loads(run("docker", "info", "--format", "{{json .DockerRootDir}}"))
    shown = run("findmnt", "--noheadings", "--list", "--output", "TARGET").split()
    paths = sorted(path for path in shown if path.startswith(root) or path == DATA_ROOT)
    paths = [path for path in paths if path in pathlib.Path("/etc/fstab").read_text(encoding="utf-8").split()]
    layer = run("docker", "inspect", "--format", "{{.GraphDriver.Data.UpperDir}}", "lab-kept").strip()
    PLACES.write_text(json.dumps({"root": root, "mounts": paths, "layer": layer}), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["note"]:
        note_places()
    else:
        print(json.dumps(look(json.loads(PLACES.read_text(encoding="utf-8")) if PLACES.exists() else {})))
