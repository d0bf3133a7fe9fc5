# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Subjects that are as they should be, and how a test makes others of them by naming what is different.

A file subjects/<name>.py holds CASES for the rules of rules/<name>.py: by the id of a rule, subjects that fail it and
subjects that pass it, each as the facts in which it differs from the good one of the kind (`GOOD`).
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import audit_watch, model
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Subject, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules import files
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import AuditWatch, FileFacts

DEFAULT_CAPABILITIES = frozenset(
    "CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP".split()
)

GOOD_WORKLOAD: dict[str, t.Any] = {
    "running": True,
    "image": "registry.example.com/shop/web@sha256:" + "ab" * 32,
    "user": "1000:1000",
    "image_user": "",
    "uid": 1000,
    "host_uid": 101000,
    "uid_mapped": True,
    "privileged": False,
    "cap_add": (),
    "cap_drop": ("ALL",),
    "capabilities": frozenset(),
    "seccomp": "builtin",
    "seccomp_opens": (),
    "apparmor": "docker-default",
    "apparmor_mode": "enforce",
    "selinux": "",
    "no_new_privileges": True,
    "unmasked_paths": (),
    "writable_paths": (),
    "writable_cgroups": False,
    "pid_mode": "",
    "ipc_mode": "private",
    "uts_mode": "",
    "userns_mode": "",
    "cgroupns_mode": "private",
    "network_mode": "shop",
    "networks": ("shop",),
    "mounts": (),
    "mounts_resolved": True,
    "volumes_from": (),
    "devices": (),
    "device_cgroup_rules": (),
    "device_requests": (),
    "group_add": (),
    "api_socket_groups": (),
    "use_api_socket": False,
    "ports": (),
    "read_only_rootfs": True,
    "memory": 256 * 1024 * 1024,
    "cpu_limited": True,
    "pids_limit": 100,
    "oom_kill_disabled": False,
    "oom_score_adj": 0,
    "restart_policy": "on-failure",
    "restart_retries": 5,
    "healthcheck": "defined",
    "ulimits": (),
    "sysctls": (),
    "cgroup_parent": "",
    "runtime": "",
    "working_dir": "/srv",
    "secret_names": (),
    "docker_host": "",
    "log_driver": "local",
    "log_bounded": True,
    "labels": (),
    "programs": frozenset({"web"}),
    "stale": (),
    "hook_privileged": (),
    "build_privileges": (),
    "macvlan_parents": (),
    "unknown_keys": (),
    "engine_cgroup": 2,
}

# The other kinds are added by the files that need them, through `good`.
GOOD: dict[str, dict[str, t.Any]] = dict.fromkeys(model.WORKLOADS, GOOD_WORKLOAD)
GOOD[model.COMPOSE_SERVICE] = {**GOOD_WORKLOAD, "trusted_registries": ("registry.example.com",)}

GOOD[model.DAEMON] = {
    "rootless": True,
    "icc": False,
    "log_level": "info",
    "debug": False,
    "iptables": True,
    "firewall_backend": "iptables",
    "insecure_registries": (),
    "storage_driver": "overlay2",
    "listeners": (),
    "tcp_listening": (),
    "api_clients": ("alice",),
    "api_on_bridges": (),
    "tls_verify": False,
    "default_ulimits": ("nofile",),
    "userns_remap": False,
    "cgroup_parent": "containers.slice",
    "storage_opts": (),
    "authorization_plugins": ("opa",),
    "authorization_plugins_live": ("opa",),
    "authorization_from_flags": (),
    "log_driver": "fluentd",
    "log_opts": ("mode",),
    "log_bounded": True,
    "log_remote": True,
    "central_log_drivers": ("fluentd",),
    "no_new_privileges": True,
    "live_restore": True,
    "swarm_active": False,
    "userland_proxy": False,
    "seccomp": "builtin",
    "seccomp_opens": (),
    "experimental": False,
    "config_problems": (),
    "pending_keys": (),
    "runtimes": {"runc": "runc", "io.containerd.runc.v2": "runc"},
    "default_runtime": "runc",
    "metrics_address": "",
    "diagnostic_port": 0,
    "min_api_version": "1.40",
    "usual_min_api_version": "1.40",
    "allow_direct_routing": False,
    "engine_warnings": (),
    "image_store": "overlay2",
    "server_version": "29.7.2",
    "containers": (10, 1),
    "images": (12, 2),
    "default_address_pools": 2,
    "unanswered": (),
}
GOOD[model.IMAGE] = {
    "references": ("registry.example.com/shop/web:2.1",),
    "digests": ("registry.example.com/shop/web@sha256:" + "ab" * 32,),
    "user": "1000",
    "healthcheck": True,
    "history": (
        'CMD ["/srv/web"]',
        "COPY web /srv/ # buildkit",
        "RUN /bin/sh -c apt-get update && apt-get install -y ca-certificates # buildkit",
        "/bin/sh -c #(nop) ADD file:0123456789abcdef in / ",
    ),
    "secret_names": (),
    "working_dir": "/srv",
    "created": 1_780_000_000,
    "registry": "registry.example.com",
    "trusted_registries": ("registry.example.com",),
    "used": True,
    "maximum_age_days": 90,
    "age_days": 12,
}
GOOD[model.SWARM] = {
    "active": True,
    "manager": True,
    "managers": 3,
    "listen_address": "10.0.0.1:2377",
    "advertise_address": "10.0.0.1:2377",
    "data_path_address": "10.1.0.1",
    "autolock": True,
    "certificate_expiry": 90 * 24 * 3600,
    "ca_age_days": 100,
    "secrets": 2,
    "wanted": "yes",
    "nodes": 5,
    "plain_secrets": (),
    "maximum_ca_age_days": 365,
}
GOOD[model.NETWORK] = {
    "driver": "bridge",
    "encrypted": False,
    "ingress": False,
    "internal": False,
    "icc": True,
    "gateway_modes": (),
    "trusted_interfaces": (),
    "containers": ("web",),
}
GOOD[model.VOLUME] = {
    "driver": "local",
    "device": "",
    "device_type": "",
    "options": (),
    "secret_names": (),
    "data_is_link": False,
    "users": ("web",),
}
# The facts of the host that rules/versions.py asks for; its other facts stand beside.
GOOD.setdefault(model.HOST, {}).update(
    {
        "engine_version": "29.9.0",
        "containerd_version": "2.3.6",
        "runc_versions": {"/usr/bin/runc": "1.3.6"},
        "package_backports": {},
        "minimum_version": "29.5.1",
        "cgroup_version": 2,
        "authorization_plugins": ("opa",),
    }
)


# What rules/files.py, host.py and audit_rules.py ask for.
_ROOT_FILE = FileFacts("file", 0o644, 0, 0, "root", "root")
GOOD[model.HOST].update(
    {
        "daemon_owners": (0,),
        "api_socket_group": "docker",
        "file_places": {group.name: (f"/good/{group.name}",) for group in files.GROUPS},
        "files": {
            f"/good/{group.name}": FileFacts("socket", 0o660, 0, 999 if group.group else 0, "root", "docker" if group.group else "root")
            if "socket" in group.name and "unit" not in group.name
            else _ROOT_FILE._replace(mode=group.mode)
            for group in files.GROUPS
        },
        "executables": {"/usr/bin/runc": _ROOT_FILE._replace(mode=0o755), "/etc/cdi": FileFacts("directory", 0o755, 0, 0, "root", "root")},
        "separate_storage": (("/var/lib/docker/overlay2", "/var/lib/docker/overlay2"), ("/var/lib/docker/volumes", "/var/lib/docker/volumes")),
        "docker_group": (),
        "trusted_users": (),
        "sysctls": {"fs.protected_symlinks": "1", "fs.protected_hardlinks": "1", "net.ipv4.conf.all.route_localnet": "0"},
        "registry_auths": (),
        "daemon_environment": {"DOCKER_TMPDIR": "/tmp"},
        "exec_audit": (),
        "audit_enabled": True,
        "audited_paths": {watched.name: {f"/good/{watched.name}": audit_watch.FILE} for watched in audit_watch.WATCHED},
        "audit_watches": (AuditWatch("/good", "wa", recursive=True),),
        "audit_declared": (AuditWatch("/good", "wa", recursive=True),),
        "volume_links": (),
        "kernel": "6.12.0",
        # A host that has all that holes need, and nothing that makes them less.
        "internal_networks": ("back",),
        "encrypted_networks": ("back",),
        "firewalld": ("/usr/sbin/firewalld",),
        "containerd_images": True,
        "all_ids_mapped": False,
        "data_directories": {"/var/lib/docker": FileFacts("directory", 0o710, 0, 0, "root", "root")},
        "open_data": (),
        "kernel_crypto": ("the package of the kernel 6.12.0 has the fix",),
    }
)


def subject(kind: str, **different: t.Any) -> Subject:
    """Return the good subject of a kind with some facts different; `Unknown` values stay unknown."""
    values = {**GOOD[kind], **different}
    facts = {name: value if isinstance(value, (Fact, Unknown)) else Fact(value, f"test {name}") for name, value in values.items()}
    return Subject(kind, "web", facts, {"id": "0" * 64, "image": values.get("image", ""), "labels": {}})
