# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Containers that fail and pass the rules of rules/escapes.py."""

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import model
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import Device, Mount

ADMIN = frozenset({"SYS_ADMIN"})


def bind(source: str, target: str = "/x", **more: object) -> Mount:
    return Mount("bind", source, target, host_path=source, **more)  # type: ignore[arg-type]


CASES = {
    "capability-sys-admin-not-held": {
        "fails": [{"capabilities": ADMIN}, {"capabilities": ADMIN, "apparmor_mode": "unconfined", "seccomp": "unconfined"}],
        "passes": [{"capabilities": frozenset({"NET_ADMIN"})}],
    },
    "capability-sys-ptrace-not-with-host-processes": {
        "fails": [{"capabilities": frozenset({"SYS_PTRACE"}), "pid_mode": "host"}],
        "passes": [{"capabilities": frozenset({"SYS_PTRACE"})}, {"pid_mode": "host"}],
    },
    "capability-net-not-on-host-network": {
        "fails": [
            {"capabilities": frozenset({"NET_RAW"}), "network_mode": "host"},
            {"capabilities": frozenset({"NET_ADMIN"}), "network_mode": "host"},
        ],
        "passes": [{"capabilities": frozenset({"NET_RAW"})}, {"network_mode": "host"}],
    },
    "capability-dac-read-search-not-held": {"fails": [{"capabilities": frozenset({"DAC_READ_SEARCH"})}], "passes": [{"capabilities": ADMIN}]},
    "capability-sys-module-not-held": {"fails": [{"capabilities": frozenset({"SYS_MODULE"})}], "passes": [{"capabilities": ADMIN}]},
    "capability-sys-rawio-not-held": {"fails": [{"capabilities": frozenset({"SYS_RAWIO"})}], "passes": [{"capabilities": ADMIN}]},
    "devices-none-of-the-host": {
        "fails": [
            {"devices": (Device(path),)} for path in ("/dev/mem", "/dev/fuse", "/dev/sda", "/dev/nvme0n1p2", "/dev/ttyUSB0", "/dev/kmsg", "/dev", "/dev/dm-0")
        ],
        "passes": [{"devices": ()}, {"devices": (Device("/dev/null"), Device("/dev/urandom"))}],
    },
    "devices-not-bind-mounted": {
        "fails": [{"mounts": (bind(path),)} for path in ("/dev", "/dev/mem", "/dev/fuse", "/dev/../dev/kmsg", "/dev//sda")],
        "passes": [{"mounts": (bind("/dev/shm"), bind("/dev/log"), bind("/dev/null"), bind("/srv/dev"))}, {}],
    },
    "device-rules-none": {
        "fails": [
            {"device_cgroup_rules": ("b 8:* rwm",), "capabilities": frozenset({"MKNOD"})},
            {"device_cgroup_rules": ("c 189:* rmw",)},
            {"device_cgroup_rules": ("",)},
        ],
        "passes": [{}],
    },
    "device-requests-none": {"fails": [{"device_requests": ("nvidia",)}, {"device_requests": ("vendor.com/gpu=0",)}], "passes": [{}]},
    "system-paths-masked": {"fails": [{"unmasked_paths": ("/proc/kcore", "/proc/keys")}, {"unmasked_paths": ("/proc/interrupts",)}], "passes": [{}]},
    "system-paths-read-only": {
        "fails": [
            {"writable_paths": ("/proc/sys",)},
            {"writable_paths": ("/proc/sys",), "uid": 0, "uid_mapped": False, "apparmor_mode": "unconfined"},
            {"writable_paths": ("/proc/bus",)},
        ],
        "passes": [{}],
    },
    "cgroups-read-only": {"fails": [{"writable_cgroups": True, "uid_mapped": False}], "passes": [{}, {"writable_cgroups": True, "uid_mapped": True}]},
    "cgroup-release-agent-out-of-reach": {
        "fails": [{"engine_cgroup": 1, "capabilities": ADMIN, "uid_mapped": False}],
        "passes": [{}, {"engine_cgroup": 1}, {"engine_cgroup": 1, "capabilities": ADMIN, "uid_mapped": True}, {"capabilities": ADMIN, "uid_mapped": False}],
    },
    "api-socket-not-mounted": {
        "fails": [
            *(
                {"mounts": (bind(path, read_only=True),)}
                for path in (
                    "/var/run/docker.sock",
                    "/run/docker.sock",
                    "/run",
                    "/var/run/",
                    "/",
                    "/run/containerd",
                    "/run/containerd/containerd.sock",
                    "/run/user/1000",
                    "/run/user/1000/docker.sock",
                    "/run/podman",
                    "/srv/docker.sock",
                )
            ),
            {"mounts": (bind("/srv/x", sockets=("/run/docker.sock",)),)},
            {"mounts": (Mount("volume", "sockets", "/x", host_path="/run"),)},
        ],
        "passes": [{"mounts": (bind("/srv/run"), bind("/var"), Mount("volume", "docker.sock", "/x"), bind("/run/mysqld"))}, {}],
    },
    "api-socket-not-handed-over": {"fails": [{"use_api_socket": True}], "passes": [{"use_api_socket": False}]},
    "api-socket-group-not-joined": {
        "fails": [
            {"group_add": ("998",), "api_socket_groups": ("998",)},
            {"group_add": ("docker",)},
            {"group_add": ("docker",), "mounts": (bind("/run/docker.sock"),)},
        ],
        "passes": [{}, {"group_add": ("audio",)}],
    },
    "api-address-not-given": {
        "fails": [{"docker_host": "tcp://172.17.0.1:2375"}, {"docker_host": "unix:///tmp/x.sock"}, {"docker_host": "ssh://root@host"}],
        "passes": [{"docker_host": ""}],
    },
    "working-directory-in-the-image": {
        "fails": [
            {"working_dir": path}
            for path in (
                "/proc/self/fd/8",
                "/proc/self/fd/8/../..",
                "/proc/1/fd/7",
                "//proc/self/fd/8",
                "/proc/thread-self/fd/3",
                "/dev/fd/8",
                "/proc/self/task/1/fd/8",
            )
        ],
        "passes": [{"working_dir": "/srv"}, {"working_dir": ""}, {"working_dir": "/srv/proc/self"}],
    },
    "mount-targets-outside-kernel-trees": {
        "fails": [
            {"mounts": (Mount("tmpfs", "", "/proc/sys"),)},
            {"mounts": (bind("/srv/x", "/dev/pts"),)},
            {"mounts": (Mount("volume", "v", "/sys/../sys/fs/cgroup"),)},
        ],
        "passes": [{"mounts": (Mount("tmpfs", "", "/dev/shm"), bind("/proc", "/host/proc", read_only=True), bind("/srv/x", "/device"))}],
    },
    "runtime-confines": {"fails": [{"runtime": "evil"}, {"runtime": "nvidia"}], "passes": [{"runtime": ""}, {"runtime": "runsc"}]},
    "hooks-not-privileged": {"kind": model.COMPOSE_SERVICE, "fails": [{"hook_privileged": ("post_start[0]",)}], "passes": [{}]},
    "build-not-privileged": {
        "kind": model.COMPOSE_SERVICE,
        "fails": [{"build_privileges": ("privileged",)}, {"build_privileges": ("network: host",)}],
        "passes": [{}],
    },
}
