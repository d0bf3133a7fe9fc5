# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Containers that fail and pass the rules of rules/isolation.py."""

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import model

DEFAULT = frozenset("AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT".split())
ROOT = {"uid": 0, "uid_mapped": False}

CASES = {
    "container-not-privileged": {"fails": [{"privileged": True}], "passes": [{"privileged": False}]},
    "container-runs-as-user": {
        "fails": [ROOT, {"kind": model.COMPOSE_SERVICE, "uid": 0, "uid_mapped": model.Unknown("nobody knows")}],
        "passes": [{"uid": 0, "uid_mapped": True}, {"uid": 1000, "uid_mapped": False}, {"uid": model.Unknown("a name"), "uid_mapped": True}],
    },
    "capabilities-none-beyond-default": {
        "fails": [{"capabilities": frozenset({"SYS_ADMIN"})}, {"capabilities": DEFAULT | {"NET_ADMIN"}}, {"capabilities": frozenset({"CAP_63"})}],
        "passes": [{"capabilities": DEFAULT}, {"capabilities": frozenset({"NET_BIND_SERVICE"})}],
    },
    "capabilities-restricted": {
        "fails": [{"capabilities": DEFAULT}, {"capabilities": DEFAULT | {"NET_ADMIN"}}],
        "passes": [{"capabilities": DEFAULT - {"NET_RAW"}}, {"capabilities": frozenset()}],
    },
    "capability-net-raw-dropped": {
        "fails": [{"capabilities": DEFAULT}, {"capabilities": DEFAULT, "networks": ("bridge",), "network_mode": "bridge"}],
        "passes": [{"capabilities": DEFAULT - {"NET_RAW"}}],
    },
    "seccomp-filter-on": {"fails": [{"seccomp": "unconfined"}], "passes": [{"seccomp": "builtin"}, {"seccomp": "custom"}]},
    "seccomp-profile-closes-dangerous-calls": {
        "fails": [{"seccomp": "custom", "seccomp_opens": ("bpf", "mount")}],
        "passes": [{"seccomp": "custom"}, {"seccomp": "builtin"}],
    },
    "apparmor-profile-set": {
        "fails": [{"apparmor": "unconfined", "apparmor_mode": "unconfined"}],
        "passes": [{"apparmor": "docker-default"}, {"apparmor": "shop"}],
    },
    "apparmor-profile-enforced": {"fails": [{"apparmor_mode": "complain"}], "passes": [{"apparmor_mode": "enforce"}, {"apparmor_mode": "kill"}]},
    "selinux-type-confines": {
        "fails": [{"selinux": "disabled"}, {"selinux": "spc_t"}, {"selinux": "container_runtime_t"}],
        "passes": [{"selinux": "container_t"}, {"selinux": "container_init_t"}],
    },
    "no-new-privileges": {"fails": [{"no_new_privileges": False}], "passes": [{"no_new_privileges": True}]},
    "pid-namespace-own": {"fails": [{"pid_mode": "host"}, {"pid_mode": "container:agent"}, {"pid_mode": "service:agent"}], "passes": [{"pid_mode": ""}]},
    "ipc-namespace-own": {
        "fails": [{"ipc_mode": "host"}, {"ipc_mode": "container:db"}],
        "passes": [{"ipc_mode": "private"}, {"ipc_mode": "none"}, {"ipc_mode": ""}, {"ipc_mode": "shareable"}],
    },
    "uts-namespace-own": {"fails": [{"uts_mode": "host"}, {"uts_mode": "host", "capabilities": frozenset({"SYS_ADMIN"})}], "passes": [{"uts_mode": ""}]},
    "user-namespace-own": {
        "fails": [
            {"userns_mode": "host", "uid_mapped": False},
            {"uid_mapped": False},
            {"kind": model.COMPOSE_SERVICE, "userns_mode": "host", "uid_mapped": False},
        ],
        "passes": [{}, {"userns_mode": "host", "uid_mapped": True}, {"kind": model.COMPOSE_SERVICE, "uid_mapped": False}],
    },
    "cgroup-namespace-own": {
        "fails": [{"cgroupns_mode": "host"}, {"cgroupns_mode": "host", "capabilities": frozenset({"SYS_ADMIN"})}],
        "passes": [{"cgroupns_mode": "private"}],
    },
}
