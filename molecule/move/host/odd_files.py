# SPDX-License-Identifier: Apache-2.0
"""Fill a directory with everything that a careless copy loses."""

import os
import socket
import subprocess
import sys

top = sys.argv[1]
os.chdir(top)


def write(name, content, mode=0o644, owner=(0, 0)):
    with open(name, "wb") as handle:
        handle.write(content)
    os.chown(name, *owner)
    os.chmod(name, mode)


write("plain", b"plain\n")
write("somebody's", b"x" * 100000, 0o640, (1000, 1001))
write("highest", b"last id of a range", 0o600, (65535, 65535))
write("setuid", b"#!/bin/true\n", 0o4755, (33, 33))
write("setgid", b"#!/bin/true\n", 0o2755, (0, 33))
write(b"name \xff\n with \t everything", b"bytes")
write("first", b"linked")
os.link("first", "second")
os.mkdir("deep", 0o1777)
os.link("first", "deep/third")
os.symlink("/etc/shadow", "outside")
os.symlink("no/such/file", "dangling")
os.lchown("dangling", 1000, 1000)
os.mkfifo("fifo", 0o600)
os.mknod("null", 0o20666, os.makedev(1, 3))
listener = socket.socket(socket.AF_UNIX)
listener.bind("socket")
with open("sparse", "wb") as handle:
    handle.seek(64 * 1024 * 1024)
    handle.write(b"end")
write("attributes", b"a")
os.setxattr("attributes", "user.note", b"kept")
write("acl", b"a")
subprocess.run(["setfacl", "-m", "u:1000:rw,g:33:r", "acl"], check=True)
os.mkdir("inherits")
subprocess.run(["setfacl", "-d", "-m", "u:1000:rwx", "inherits"], check=True)
# cap_net_raw=ep in the second version, which knows no user namespace (capabilities(7)).
write("capable", b"c", 0o755)
os.setxattr("capable", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
for number in range(200):
    os.makedirs(f"many/{number % 10}", exist_ok=True)
    write(f"many/{number % 10}/{number}", str(number).encode() * 50, owner=(number, number))
os.utime("plain", ns=(10**18 + 1, 10**18 + 123456789))
