# SPDX-License-Identifier: Apache-2.0
"""What is on a host's file systems and disks, to prove that check mode changes nothing.

    fingerprint.py [DISK...]               prints the fingerprint of this host as JSON
    fingerprint.py --compare BEFORE AFTER  lists what differs; exit code 1 if anything does
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys

TREES = ("/etc", "/usr/local", "/var/lib", "/root", "/opt", "/srv", "/boot")
# Any Ansible run or the running system itself touches these.
VOLATILE = (
    "/root/.ansible", "/root/.cache", "/var/lib/apt/lists", "/var/lib/apt/periodic", "/var/lib/dpkg/lock", "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/triggers/Lock", "/var/lib/systemd",
    # In it readers of rpm's database note that they read.
    "/var/lib/rpm/rpmdb.sqlite-shm",
)
MEBIBYTE = 1024 * 1024


def content(path, status):
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(path)
    if stat.S_ISREG(status.st_mode):
        digest = hashlib.sha256()
        with open(path, "rb") as handle:
            for block in iter(lambda: handle.read(MEBIBYTE), b""):
                digest.update(block)
        return digest.hexdigest()
    return None


def entry(path):
    status = os.lstat(path)
    size = status.st_size if stat.S_ISREG(status.st_mode) else None
    return [stat.filemode(status.st_mode), status.st_uid, status.st_gid, size, content(path, status)]


def walk(top):
    pending = [top]
    while pending:
        path = pending.pop()
        if path in VOLATILE or not os.path.lexists(path):
            continue
        yield path
        if os.path.isdir(path) and not os.path.islink(path):
            pending.extend(os.path.join(path, name) for name in os.listdir(path))


def disk(path):
    with open(path, "rb") as handle:
        end = handle.seek(0, os.SEEK_END)
        edges = []
        for offset in (0, max(0, end - MEBIBYTE)):
            handle.seek(offset)
            edges.append(hashlib.sha256(handle.read(MEBIBYTE)).hexdigest())
    name = os.path.basename(path)
    return edges + sorted(part for part in os.listdir("/sys/class/block/" + name) if part.startswith(name))


def mounts():
    with open("/proc/self/mounts") as handle:
        return sorted(line.rsplit(" ", 3)[0] for line in handle)


def fingerprint(disks):
    found = {path: entry(path) for tree in TREES for path in walk(tree)}
    found.update({path: disk(path) for path in disks})
    found["mounts"] = mounts()
    return found


def load(path):
    with open(path) as handle:
        return json.load(handle)


def compare(before, after):
    for path in sorted(set(before) | set(after)):
        if path not in before:
            yield "new      " + path
        elif path not in after:
            yield "gone     " + path
        elif before[path] != after[path]:
            yield "changed  %s: %s -> %s" % (path, json.dumps(before[path]), json.dumps(after[path]))


def main(arguments):
    if arguments[:1] == ["--compare"]:
        differences = list(compare(load(arguments[1]), load(arguments[2])))
        print("\n".join(differences))
        return 1 if differences else 0
    print(json.dumps(fingerprint(arguments)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
