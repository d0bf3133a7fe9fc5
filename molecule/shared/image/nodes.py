# SPDX-License-Identifier: Apache-2.0
"""Device nodes for the partitions of a lab host's own loop disks, because a container has no udev.

The kernel announces partitions on the uevent socket; a node appears within a millisecond of its partition.
With LAB_LOOP_BACKEND=1 it also makes nodes for loop devices that nobody uses, for "mount -o loop".
"""

from __future__ import annotations

import os
import re
import select
import socket
import stat

SYSFS = "/sys/class/block"
UEVENT_GROUP = 1
RESCAN_SECONDS = 2
PARTITION = re.compile(r"^(loop[0-9]+)p[0-9]+$")
LOOP = re.compile(r"^loop[0-9]+$")


def is_block(path):
    try:
        return stat.S_ISBLK(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


def device_number(name):
    try:
        with open(os.path.join(SYSFS, name, "dev")) as handle:
            major, minor = handle.read().split(":")
    except OSError:  # gone since it was listed
        return None
    return os.makedev(int(major), int(minor))


def make_node(name):
    number = device_number(name)
    path = "/dev/" + name
    if number is None:
        return
    if is_block(path):
        if os.stat(path).st_rdev == number:
            return
        os.unlink(path)
    os.mknod(path, stat.S_IFBLK | 0o660, number)


def own_partitions():
    for name in os.listdir(SYSFS):
        match = PARTITION.match(name)
        if match and is_block("/dev/" + match.group(1)):
            yield name


def free_loops():
    for name in os.listdir(SYSFS):
        if LOOP.match(name) and not os.path.exists(os.path.join(SYSFS, name, "loop")):
            yield name


def synchronise(loop_backend):
    wanted = set(own_partitions())
    for name in os.listdir("/dev"):
        if PARTITION.match(name) and name not in wanted:
            os.unlink("/dev/" + name)
    for name in wanted:
        make_node(name)
    if loop_backend:
        for name in free_loops():
            make_node(name)


def main():
    loop_backend = os.environ.get("LAB_LOOP_BACKEND") == "1"
    events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, getattr(socket, "NETLINK_KOBJECT_UEVENT", 15))
    events.bind((0, UEVENT_GROUP))
    synchronise(loop_backend)
    print("watching", flush=True)
    while True:
        ready = select.select([events], [], [], RESCAN_SECONDS)[0]
        if ready and b"SUBSYSTEM=block" not in events.recv(65536):
            continue
        synchronise(loop_backend)


if __name__ == "__main__":
    main()
