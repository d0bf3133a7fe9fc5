# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Trees with everything that the data of containers can hold, and what is in a tree as plain values.

The look at a tree shares nothing with the code under test.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_ranges import Mapping, Range
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_shift import Shift

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="owners, devices and trusted attributes need root")
RANGE = Mapping((Range("dockremap", 100000, 65536),), (Range("dockremap", 200000, 65536),))
ON = Shift(None, RANGE)
ACCESS_LIST = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", *entry) for entry in ((1, 6, 0xFFFFFFFF), (2, 4, 1000), (4, 4, 0xFFFFFFFF), (8, 6, 33), (16, 6, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF))
)
CAPABILITY = struct.pack("<5I", 0x02000001, 0x2000, 0, 0, 0)
# Nanoseconds that no clock rounds to, before 1970 too.
TIME = 1_234_567_890_123_456_789


def write(path, content=b"content"):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as handle:
        handle.write(content)


def can(directory, action):
    """Tell whether the filesystem of the tests and the rights of this process allow something."""
    probe = os.path.join(directory, "probe")
    write(probe)
    try:
        action(probe)
    except OSError:
        return False
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(probe)
    return True


def fill(root):
    """Make a tree with all there is; return the names of what this filesystem or process cannot have."""
    missing = []
    write(f"{root}/etc/passwd", b"root:x:0:0\n")
    os.chown(f"{root}/etc/passwd", 1000, 33)
    os.chmod(f"{root}/etc/passwd", 0o640)
    write(f"{root}/bin/su", b"\x7fELF")
    os.chown(f"{root}/bin/su", 5, 6)
    os.chmod(f"{root}/bin/su", 0o6755)
    write(f"{root}/empty", b"")
    write(f"{root}/large", os.urandom(3 * 1024 * 1024 + 17))
    write(os.fsdecode(os.fsencode(root) + b"/\xff\xfe latin \xe9\n name"), b"odd")
    os.mkdir(f"{root}/sticky")
    os.chmod(f"{root}/sticky", 0o3777)
    os.mkdir(f"{root}/nothing in it")
    os.makedirs(f"{root}/many")
    for number in range(600):
        write(f"{root}/many/{number:04}", str(number).encode())
    for name in ("etc/second", "bin/third"):
        os.link(f"{root}/large", f"{root}/{name}")
    os.symlink("/etc/shadow", f"{root}/etc/absolute")
    os.symlink("no such thing", f"{root}/dangling")
    os.symlink("..", f"{root}/many/up")
    os.lchown(f"{root}/dangling", 7, 8)
    os.mkfifo(f"{root}/pipe", 0o606)
    with socket.socket(socket.AF_UNIX) as made:
        here = os.open(root, os.O_RDONLY)
        made.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
    with open(f"{root}/sparse", "wb") as handle:
        handle.truncate(64 * 1024 * 1024)
        for start in (5 * 1024 * 1024 + 4096, 40 * 1024 * 1024):
            handle.seek(start)
            handle.write(b"island" * 1000)
    with open(f"{root}/hole", "wb") as handle:
        handle.truncate(2 * 1024 * 1024 * 1024 * 1024)
    for name, kind, device in (("whiteout", stat.S_IFCHR, (0, 0)), ("disk", stat.S_IFBLK, (7, 200))):
        try:
            os.mknod(f"{root}/{name}", kind | 0o600, os.makedev(*device))
        except PermissionError:
            missing.append(name)
    if "whiteout" not in missing:
        os.link(f"{root}/whiteout", f"{root}/many/whiteout")
    for path, name, value in (
        ("etc/passwd", "user.comment", b"\0bytes\xff"),
        ("etc/passwd", "system.posix_acl_access", ACCESS_LIST),
        ("sticky", "system.posix_acl_default", ACCESS_LIST),
        ("many", "trusted.overlay.opaque", b"y"),
        ("bin", "trusted.overlay.redirect", b"/usr/bin"),
        ("dangling", "trusted.of.link", b"1"),
        ("pipe", "trusted.of.pipe", b"2"),
        ("bin/su", "security.capability", CAPABILITY),
    ):
        try:
            os.setxattr(f"{root}/{path}", name, value, follow_symlinks=False)
        except OSError:
            missing.append(name)
    for directory, _directories, files in os.walk(root, topdown=False):
        for name in files:
            os.utime(f"{directory}/{name}", ns=(TIME, TIME), follow_symlinks=False)
        os.utime(directory, ns=(TIME + 1, TIME + 1))
    os.utime(f"{root}/empty", ns=(-5_000_000_001, -5_000_000_001))
    return missing


def look(root, shift=None):
    """Return everything that makes up a tree, by path; ids as they become by a shift."""
    found, names = {}, {}
    for directory, directories, files in os.walk(os.fsencode(root)):
        for name in [b"."] * (directory == os.fsencode(root)) + directories + files:
            path = os.path.normpath(directory + b"/" + name)
            status = os.lstat(path)
            uid, gid = status.st_uid, status.st_gid
            if shift is not None:
                uid, gid = shift.uid(uid), shift.gid(gid)
            content = None
            if stat.S_ISREG(status.st_mode) and status.st_size < 1 << 30:
                with open(path, "rb") as handle:
                    content = handle.read()
            elif stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            attributes = {}
            for attribute in os.listxattr(path, follow_symlinks=False):
                value = os.getxattr(path, attribute, follow_symlinks=False)
                attributes[attribute] = value if shift is None else shift.attribute(attribute, value)[0]
            relative = os.path.relpath(path, os.fsencode(root))
            if not stat.S_ISDIR(status.st_mode):
                names.setdefault(status.st_ino, []).append(relative)
            size = status.st_size if stat.S_ISREG(status.st_mode) else 0
            found[relative] = (status.st_mode, uid, gid, status.st_mtime_ns, status.st_rdev, size, content, attributes)
    return found, sorted(sorted(same) for same in names.values() if len(same) > 1)
