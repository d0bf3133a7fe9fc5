# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Containers that fail and pass the rules of rules/limits.py."""

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import model

_DIGEST = "@sha256:" + "ab" * 32

CASES = {
    "memory-limited": {"fails": [{"memory": 0}], "passes": [{"memory": 1 << 28}]},
    "cpu-limited": {"fails": [{"cpu_limited": False}], "passes": [{"cpu_limited": True}]},
    "pids-limited": {"fails": [{"pids_limit": 0}], "passes": [{"pids_limit": 100}]},
    "root-filesystem-read-only": {"fails": [{"read_only_rootfs": False}], "passes": [{"read_only_rootfs": True}]},
    "restarts-end": {
        "fails": [{"restart_policy": "always"}, {"restart_policy": "unless-stopped"}, {"restart_retries": 0}, {"restart_retries": 6}],
        "passes": [{"restart_policy": "no", "restart_retries": 0}, {"restart_retries": 5}, {"restart_retries": 1}],
    },
    "health-checked": {"fails": [{"healthcheck": "none"}, {"healthcheck": "disabled"}], "passes": [{"healthcheck": "defined"}, {"healthcheck": "image"}]},
    "ulimits-are-the-defaults": {"fails": [{"ulimits": ("nofile",)}], "passes": [{}]},
    "cgroup-parent-is-the-default": {
        "fails": [{"cgroup_parent": "/"}, {"cgroup_parent": "mine.slice"}],
        "passes": [{"cgroup_parent": ""}, {"cgroup_parent": "/docker"}],
    },
    "oom-killer-may-choose": {
        "fails": [{"oom_kill_disabled": True, "memory": 0}, {"oom_kill_disabled": True}, {"oom_score_adj": -1000}],
        "passes": [{"oom_score_adj": -500}, {"oom_score_adj": 500}, {}],
    },
    "kernel-settings-harmless": {
        "fails": [
            {"sysctls": (("kernel.core_pattern", "x"),)},
            {"sysctls": (("vm.max_map_count", "262144"),)},
            {"sysctls": (("net.core.somaxconn", "1024"),), "network_mode": "host"},
            {"sysctls": (("net.ipv4.conf.all.route_localnet", "1"),)},
            {"sysctls": (("net.ipv4.conf.eth0.rp_filter", "0"),)},
        ],
        "passes": [
            {"sysctls": (("net.core.somaxconn", "1024"), ("kernel.shmmax", "1"), ("net.ipv4.ip_unprivileged_port_start", "0"), ("fs.mqueue.msg_max", "9"))},
            {},
        ],
    },
    "logs-kept": {"fails": [{"log_driver": "none"}], "passes": [{"log_driver": "json-file"}, {"log_driver": "journald"}]},
    "logs-bounded": {"fails": [{"log_bounded": False}], "passes": [{"log_bounded": True}]},
    "secrets-not-in-plain-text": {"fails": [{"secret_names": ("DB_PASSWORD",)}], "passes": [{}]},
    "image-pinned": {
        "fails": [
            {"image": "nginx"},
            {"image": "nginx:latest"},
            {"image": "registry.example.com:5000/shop/web"},
            {"kind": model.COMPOSE_SERVICE, "image": "nginx:1.27"},
            {"kind": model.SWARM_SERVICE, "image": "nginx:1.27"},
        ],
        "passes": [
            {"image": "nginx" + _DIGEST},
            {"image": "nginx:1.27"},
            {"image": "sha256:" + "ab" * 32},
            {"kind": model.COMPOSE_SERVICE, "image": "registry.example.com:5000/web:latest" + _DIGEST},
        ],
    },
    "container-is-current": {"fails": [{"stale": ("no-new-privileges is off, the daemon's default is on",)}], "passes": [{}]},
}
