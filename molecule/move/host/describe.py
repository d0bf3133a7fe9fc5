# SPDX-License-Identifier: Apache-2.0
"""Print what the engine holds and what lies in its volumes, with ids as containers see them, so that it can be compared across a move."""

import grp
import hashlib
import json
import os
import pwd
import re
import stat
import subprocess
import sys


def docker(*arguments):
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout


def container_id(host_id, base):
    return host_id - base if base and host_id >= base else host_id


def acl(path, base):
    shown = subprocess.run(["getfacl", "--numeric", "--omit-header", "--absolute-names", "--physical", "--", path], capture_output=True, check=False)
    shown = shown.stdout.decode("utf-8", "replace")
    return re.sub(r"(user|group):(\d+):", lambda found: f"{found[1]}:{container_id(int(found[2]), base)}:", shown)


def describe(path, base, links):
    status = os.lstat(path)
    kind = stat.S_IFMT(status.st_mode)
    found = {
        "kind": oct(kind),
        "mode": oct(stat.S_IMODE(status.st_mode)),
        "uid": container_id(status.st_uid, base),
        "gid": container_id(status.st_gid, base),
        "mtime": None if stat.S_ISDIR(status.st_mode) else status.st_mtime_ns,
    }
    if kind == stat.S_IFREG:
        with open(path, "rb") as handle:
            found["sha256"] = hashlib.sha256(handle.read()).hexdigest()
        found["size"] = status.st_size
        found["sparse"] = status.st_blocks * 512 < status.st_size // 2
        if status.st_nlink > 1:
            links.setdefault(status.st_ino, []).append(path)
    if kind == stat.S_IFLNK:
        found["leads"] = os.fsdecode(os.readlink(path))
    else:
        found["acl"] = acl(path, base)
        for name in os.listxattr(path):
            if name.startswith("user."):
                found[name] = os.getxattr(path, name).hex()
            if name == "security.capability":
                value = os.getxattr(path, name)
                # The third version names the id that is root to it.
                found[name] = value[4:20].hex()
                found["capable for"] = container_id(int.from_bytes(value[20:24], "little"), base) if len(value) == 24 else 0
    if kind in (stat.S_IFCHR, stat.S_IFBLK):
        found["device"] = [os.major(status.st_rdev), os.minor(status.st_rdev)]
    return found


def tree(top, base):
    links = {}
    found = {}
    for directory, directories, names in os.walk(os.fsencode(top)):
        for name in [b"", *names, *[each for each in directories if os.path.islink(os.path.join(directory, each))]]:
            path = os.path.join(directory, name) if name else directory
            found[os.path.relpath(path, os.fsencode(top)).decode("utf-8", "backslashreplace")] = describe(path, base, links)
    groups = sorted(sorted(os.path.relpath(path, os.fsencode(top)).decode("utf-8", "backslashreplace") for path in paths) for paths in links.values())
    return {"files": found, "links": groups}


def main():
    root = docker("info", "--format", "{{.DockerRootDir}}").strip()
    remapped = re.fullmatch(r"(\d+)\.\d+", os.path.basename(root))
    base = int(remapped[1]) if remapped else 0
    volumes = docker("volume", "ls", "--quiet").split()
    inspected = json.loads(docker("container", "inspect", *docker("ps", "--all", "--quiet", "--no-trunc").split()))
    print(
        json.dumps(
            {
                "root": root,
                "base": base,
                "images": sorted(docker("images", "--all", "--quiet", "--no-trunc").split()),
                "tags": sorted(docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()),
                "containers": {
                    entry["Name"].lstrip("/"): {
                        "id": entry["Id"],
                        "running": entry["State"]["Running"],
                        "restart": entry["HostConfig"]["RestartPolicy"],
                    }
                    for entry in inspected
                },
                "labels": {name: json.loads(docker("volume", "inspect", name))[0]["Labels"] for name in volumes},
                "volumes": {name: tree(f"{root}/volumes/{name}/_data", base) for name in volumes if name != "log" or "--all" in sys.argv},
                "accounts": [len(pwd.getpwall()), len(grp.getgrall())],
            },
            indent=1,
            sort_keys=True,
        )
    )


main()
