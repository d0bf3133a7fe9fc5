# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Daemons that fail and pass the rules of rules/daemon.py."""

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_openers import OPENERS

_HTTP = "[DEPRECATION NOTICE]: API is accessible on http://0.0.0.0:2375 without encryption.\n         Access to the remote API is equivalent to root"
_HTTPS = "[DEPRECATION NOTICE]: API is accessible on https://0.0.0.0:2376 without TLS client verification."
_TLS = {"listeners": ("tcp://10.0.0.1:2376",), "tls_verify": True}

CASES = {
    "engine-answers": {"fails": [{"unanswered": ("containers: denied by an authorization plugin",)}], "passes": [{"unanswered": ()}]},
    "daemon-rootless": {"fails": [{"rootless": False}, {"rootless": False, "userns_remap": True}], "passes": [{"rootless": True}]},
    "daemon-icc-off": {"fails": [{"icc": True}], "passes": [{"icc": False}]},
    "daemon-log-level": {
        "fails": [{"log_level": level} for level in ("warn", "error", "fatal", "panic", "debug", "trace")] + [{"debug": True}],
        "passes": [{"log_level": "info"}],
    },
    "daemon-manages-firewall": {"fails": [{"iptables": False}], "passes": [{"iptables": True}]},
    "daemon-no-insecure-registries": {
        "fails": [{"insecure_registries": ("0.0.0.0/0",)}, {"insecure_registries": ("registry.example.com:5000",)}],
        "passes": [{"insecure_registries": ()}],
    },
    "daemon-storage-driver-not-aufs": {"fails": [{"storage_driver": "aufs"}], "passes": [{"storage_driver": "overlayfs"}]},
    "daemon-storage-driver-not-devicemapper": {"fails": [{"storage_driver": "devicemapper"}], "passes": [{"storage_driver": "overlay2"}]},
    "daemon-storage-driver-shares-layers": {
        "fails": [{"storage_driver": "vfs"}, {"storage_driver": "native"}],
        "passes": [{"storage_driver": "overlayfs"}, {"storage_driver": "btrfs"}],
    },
    "daemon-api-tls": {
        "fails": [
            {"listeners": ("tcp://0.0.0.0:2375",)},
            {"listeners": ("tcp://127.0.0.1:2375",)},
            {"tcp_listening": ("[::]:2375",)},
            {"engine_warnings": (_HTTP,)},
            {**_TLS, "engine_warnings": (_HTTPS,)},
        ],
        "passes": [{"listeners": ()}, _TLS, {**_TLS, "tcp_listening": ("10.0.0.1:2376",)}],
    },
    "daemon-api-not-on-container-networks": {
        "fails": [{"api_on_bridges": ("0.0.0.0:2375",)}, {"api_on_bridges": ("172.17.0.1:2376",), "tls_verify": True}],
        "passes": [{"api_on_bridges": ()}, _TLS],
    },
    "daemon-default-ulimits": {"fails": [{"default_ulimits": ()}], "passes": [{"default_ulimits": ("nofile", "nproc")}]},
    "daemon-user-namespaces": {
        "fails": [{"rootless": False, "userns_remap": False}],
        "passes": [{"rootless": False, "userns_remap": True}, {"rootless": True, "userns_remap": False}],
    },
    "daemon-cgroup-parent": {
        "fails": [{"cgroup_parent": parent} for parent in ("system.slice", "-.slice", "user.slice", "/", "/system.slice", "system.slice/docker.service")],
        "passes": [{"cgroup_parent": parent} for parent in ("", "docker.slice", "containers.slice", "/docker", "limits-web.slice")],
    },
    "daemon-base-size-untouched": {
        "fails": [{"storage_opts": ("dm.basesize=20G",)}, {"storage_opts": ("overlay2.size=1G", "DM.basesize=20G")}],
        "passes": [{"storage_opts": ()}, {"storage_opts": ("overlay2.size=20G",)}],
    },
    "daemon-authorization-plugin": {
        "fails": [
            {"authorization_plugins": ()},
            {"authorization_plugins": (), "api_clients": ("tcp://0.0.0.0:2376",)},
            {"authorization_plugins": (), "authorization_plugins_live": ("opa",), "authorization_from_flags": ("opa",)},
            {"authorization_plugins": (), "authorization_from_flags": ("opa",), "api_clients": ()},
            {"authorization_plugins": ("opa", "audit"), "authorization_plugins_live": ("opa",)},
        ],
        "passes": [{}],
    },
    "daemon-authorization-survives-reload": {
        "fails": [
            {"authorization_plugins": (), "authorization_from_flags": ("opa",)},
            {"authorization_from_flags": ("opa",)},
        ],
        "passes": [{}],
    },
    "daemon-central-logs": {
        "fails": [
            {"log_driver": "none", "log_remote": False, "central_log_drivers": ()},
            {"log_driver": "local", "log_remote": False, "central_log_drivers": ("fluentd", "journald")},
        ],
        "passes": [
            {"log_driver": "journald", "log_remote": False, "central_log_drivers": ("journald",)},
            {"log_driver": "gelf", "log_remote": True, "central_log_drivers": ()},
        ],
    },
    "daemon-logs-bounded": {"fails": [{"log_bounded": False}], "passes": [{"log_bounded": True}]},
    "daemon-no-new-privileges": {"fails": [{"no_new_privileges": False}], "passes": [{"no_new_privileges": True}]},
    "daemon-live-restore": {"fails": [{"live_restore": False}], "passes": [{"live_restore": True}]},
    "daemon-userland-proxy-off": {"fails": [{"userland_proxy": True}], "passes": [{"userland_proxy": False}]},
    "daemon-seccomp": {
        "fails": [
            {"seccomp": "unconfined", "seccomp_opens": tuple(sorted(OPENERS))},
            {"seccomp": "custom", "seccomp_opens": ("bpf", "mount")},
            {"seccomp": "custom", "seccomp_opens": tuple(sorted(OPENERS))},
        ],
        "passes": [{"seccomp": "builtin"}, {"seccomp": "custom", "seccomp_opens": ()}],
    },
    "daemon-not-experimental": {"fails": [{"experimental": True}], "passes": [{"experimental": False}]},
    "daemon-config-sound": {
        "fails": [{"config_problems": ("security: is no section of daemon.json.",)}],
        "passes": [{"config_problems": ()}],
    },
    "daemon-runs-its-file": {
        "fails": [{"pending_keys": ("userns-remap: the daemon says false, but the configuration says true.",)}],
        "passes": [{"pending_keys": ()}],
    },
    "daemon-metrics-local": {
        "fails": [{"metrics_address": address} for address in ("0.0.0.0:9323", ":9323", "[::]:9323", "10.0.0.1:9323")],
        "passes": [{"metrics_address": address} for address in ("", "127.0.0.1:9323", "[::1]:9323", "localhost:9323")],
    },
    "daemon-diagnostic-port-off": {"fails": [{"diagnostic_port": 7000}], "passes": [{"diagnostic_port": 0}]},
    "daemon-runc-is-runc": {
        "fails": [
            {"runtimes": {"runc": "/evil"}},
            {"runtimes": {"runc": "runc", "io.containerd.runc.v2": "/usr/bin/crun"}},
            {"runtimes": {"runc": "/usr/local/bin/runc"}},
            {"runtimes": {"runc": "/usr/bin/../../tmp/runc"}},
        ],
        "passes": [{"runtimes": {"runc": "runc", "crun": "/usr/bin/crun"}}, {"runtimes": {"runc": ""}}, {"runtimes": {"runc": "/usr/bin/runc"}}],
    },
    "daemon-runtimes-in-system-places": {
        "fails": [
            {"runtimes": {"runc": "runc", "mine": "/home/dev/runc"}},
            {"runtimes": {"mine": "/usr/bin/../../tmp/runc"}},
            {"runtimes": {"mine": "./runc"}},
        ],
        "passes": [{"runtimes": {"runc": "runc", "runsc": "/usr/local/bin/runsc", "kata": ""}}, {"runtimes": {"crun": "crun"}}],
    },
    "daemon-default-runtime-known": {
        "fails": [{"default_runtime": "nvidia"}, {"default_runtime": ""}],
        "passes": [
            {"default_runtime": "runc"},
            {"default_runtime": "nvidia", "runtimes": {"nvidia": "nvidia-container-runtime"}},
            {"default_runtime": "io.containerd.runsc.v1"},
        ],
    },
    "daemon-no-direct-routing": {
        "fails": [{"allow_direct_routing": True}],
        "passes": [{"allow_direct_routing": False}, {"allow_direct_routing": False, "server_version": "28.0.0"}],
    },
    "daemon-min-api-version": {
        "fails": [{"min_api_version": "1.24"}, {"min_api_version": "1.9"}, {"min_api_version": "1.40", "usual_min_api_version": "1.44"}],
        "passes": [{"min_api_version": "1.44"}, {"min_api_version": "1.40"}],
    },
}
