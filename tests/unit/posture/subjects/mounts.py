# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Containers that fail and pass the rules of rules/mounts.py."""

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import Mount


def bind(source: str, target: str = "/x", **more: object) -> Mount:
    return Mount("bind", source, target, host_path=source, **more)  # type: ignore[arg-type]


_SENSITIVE = (
    "/ /boot /dev /etc /etc/cron.d /etc/ssh /lib /lib64 /proc /proc/sys /sys /usr /usr/local/bin /bin /sbin /root /root/.ssh /home /home/ann/.ssh /var /run "
    "/var/run /var/lib /var/lib/docker /var/lib/docker/volumes /var/lib/containerd /var/spool/cron /opt //etc /etc/ /srv/../etc /./etc"
).split()

CASES = {
    "mounts-no-sensitive-directories": {
        "fails": [
            *({"mounts": (bind(path),)} for path in _SENSITIVE),
            *({"mounts": (bind(path, read_only=True),)} for path in ("/", "/etc", "/root/.ssh", "/home", "/usr", "/var/lib/docker", "/etc/shadow")),
            {"mounts": (bind("/etc/localtime"),)},
            {"mounts": (Mount("volume", "hostetc", "/e", host_path="/etc"),)},
            {"mounts": (Mount("bind", "/srv/link", "/e", host_path="/etc"),)},
        ],
        "passes": [
            {},
            {"mounts": (bind("/etc/localtime", read_only=True), bind("/etc/ssl/certs", read_only=True), bind("/usr/share/zoneinfo", read_only=True))},
            {"mounts": (bind("/srv/shop"), bind("/opt/shop/data"), bind("/etcetera"), bind("/var/www"), bind("/mnt/disk/shop"))},
            {"mounts": (Mount("volume", "data", "/usr"), Mount("volume", "data", "/d", host_path="/var/lib/docker/volumes/data/_data"))},
            {"mounts": (Mount("tmpfs", "", "/etc"), bind("/dev/log"), bind("/run/systemd/journal/socket"))},
        ],
    },
    "mounts-no-kernel-interfaces": {
        "fails": [
            {"mounts": (bind(path),)}
            for path in (
                "/proc",
                "/proc/sys/kernel/core_pattern",
                "/proc/sys",
                "/proc/sysrq-trigger",
                "/proc/sys/fs/binfmt_misc",
                "/sys/kernel/uevent_helper",
                "/sys/kernel/debug/tracing",
                "/sys/fs/cgroup",
                "/sys",
                "/proc/../proc/sys/kernel",
            )
        ]
        + [{"mounts": (bind("/sys/fs/cgroup", read_only=True),)}, {"mounts": (Mount("volume", "p", "/p", host_path="/proc/sys/kernel"),)}],
        "passes": [{}, {"mounts": (bind("/process"), bind("/proc/cpuinfo", read_only=True), bind("/srv/sys/kernel"))}],
    },
    "mounts-do-not-spread": {
        "fails": [{"mounts": (bind("/srv/x", propagation="shared"),)}, {"mounts": (bind("/srv/x", propagation="rshared"),)}],
        "passes": [{"mounts": (bind("/srv/x", propagation="rslave"), bind("/srv/y", propagation="rprivate"), bind("/srv/z"))}],
    },
    "mount-sources-not-replaceable": {
        "fails": [
            {"mounts": (bind("/home/ann/site", replaceable="/home/ann belongs to ann"),)},
            {"mounts": (bind("/tmp/x", replaceable="/tmp/x belongs to ann"),), "mounts_resolved": False},
        ],
        "passes": [{"mounts": (bind("/srv/site"),)}, {}],
    },
}
