#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# First process of a lab host: gives systemd a writable cgroup2 tree of its own, then becomes systemd.
set -eu

# The engine inside mounts /proc for its containers, which the kernel refuses while parts of ours are hidden or read-only.
awk '$2 ~ "^/proc/|^/sys/firmware" {print $2}' /proc/self/mounts | while read -r hidden; do
    umount "$hidden"
done

if [ -n "${LAB_CGROUP:-}" ]; then
    # The machine runs cgroup v1 and its one cgroup2 tree is shared: move into a branch and make it the root.
    branch=/sys/fs/cgroup/$LAB_CGROUP
    mkdir -p "$branch"
    echo $$ > "$branch/cgroup.procs"
    mount --bind "$branch" /sys/fs/cgroup
    exec unshare --cgroup /sbin/init
fi
mount -o remount,rw /sys/fs/cgroup
exec /sbin/init
