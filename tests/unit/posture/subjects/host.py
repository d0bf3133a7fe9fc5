# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Hosts that fail and pass the rules of rules/host.py."""

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import model
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import FileFacts

_PROGRAM = FileFacts("file", 0o755, 0, 0, "root", "root")

CASES = {
    "docker-data-on-own-filesystem": {
        "kind": model.HOST,
        "fails": [
            {"separate_storage": (("/var/lib/docker/overlay2", ""), ("/var/lib/docker/volumes", ""))},
            {"separate_storage": (("/var/lib/docker/overlay2", "/var/lib/docker/overlay2"), ("/var/lib/docker/volumes", ""))},
        ],
        "passes": [{"separate_storage": (("/var/lib/docker/overlay2", "/var/lib/docker"), ("/var/lib/docker/volumes", "/var/lib/docker"))}],
    },
    "docker-group-is-trusted": {
        "kind": model.HOST,
        "fails": [
            {"docker_group": ("al",), "trusted_users": ("alice",)},
            {"docker_group": ("alice", "bob"), "trusted_users": ("bob",)},
            {"docker_group": ("alice",)},
        ],
        "passes": [{}, {"docker_group": ("alice", "bob"), "trusted_users": ("bob", "alice", "carol")}],
    },
    "daemon-programs-are-safe": {
        "kind": model.HOST,
        "fails": [
            {"executables": {"/opt/kata": _PROGRAM._replace(mode=0o757)}},
            {"executables": {"/opt/kata": _PROGRAM._replace(mode=0o775, gid=1000, group="build")}},
            {"executables": {"/opt/kata": _PROGRAM._replace(uid=1000, owner="build")}},
            {"executables": {"/opt/kata": _PROGRAM._replace(weak_parent="/opt")}},
            {"executables": {"/opt/kata": _PROGRAM, "/opt/nri/plugins": FileFacts("directory", 0o777, 0, 0, "root", "root")}},
            {"executables": {"/opt/kata": "it cannot be looked at", "/opt/other": _PROGRAM._replace(mode=0o777)}},
        ],
        "passes": [
            {"executables": {"/opt/kata": _PROGRAM._replace(mode=0o775)}},
            {"executables": {"/opt/kata": _PROGRAM._replace(uid=1000, owner="alice")}, "daemon_owners": (0, 1000)},
        ],
    },
    "docker-data-closed-to-others": {
        "kind": model.HOST,
        "fails": [
            {"data_directories": {"/var/lib/docker": FileFacts("directory", 0o711, 0, 0, "root", "root")}},
            {"data_directories": {"/var/lib/docker": FileFacts("directory", 0o770, 0, 999, "root", "docker")}},
            {"data_directories": {"/srv/docker": FileFacts("directory", 0o710, 0, 0, "root", "root", weak_parent="/srv")}},
            {"data_directories": {"/var/lib/docker": "denied", "/var/lib/containerd": FileFacts("directory", 0o755, 0, 0, "root", "root")}},
        ],
        "passes": [
            {"data_directories": {"/var/lib/docker/100000.100000": FileFacts("directory", 0o710, 0, 100000, "root", "100000")}},
            {"data_directories": {"/home/me/docker": FileFacts("directory", 0o710, 1000, 1000, "me", "me")}, "daemon_owners": (0, 1000)},
        ],
    },
    "kernel-crypto-out-of-reach": {
        "kind": model.HOST,
        "fails": [{"kernel_crypto": ()}],
        "passes": [{"kernel_crypto": ("/etc/modprobe.d/alg.conf: install algif_aead /bin/false",)}],
    },
    "no-registry-passwords": {"kind": model.HOST, "fails": [{"registry_auths": ("/root/.docker/config.json",)}], "passes": [{}]},
    "loopback-is-not-routed": {
        "kind": model.HOST,
        "fails": [{"sysctls": {"net.ipv4.conf.all.route_localnet": "1"}}, {"sysctls": {"net.ipv4.conf.eth0.route_localnet": "1"}}],
        "passes": [{}],
    },
    "links-are-protected": {
        "kind": model.HOST,
        "fails": [
            {"sysctls": {"fs.protected_symlinks": "0", "fs.protected_hardlinks": "1"}},
            {"sysctls": {"fs.protected_symlinks": "1", "fs.protected_hardlinks": "0"}},
        ],
        "passes": [{}],
    },
    "daemon-environment-is-harmless": {
        "kind": model.HOST,
        "fails": [
            {"daemon_environment": {"DOCKER_INSECURE_NO_IPTABLES_RAW": "1"}},
            {"daemon_environment": {"DOCKER_RAMDISK": "false"}},
        ],
        "passes": [{"daemon_environment": {"DOCKER_INSECURE_NO_IPTABLES_RAW": "0", "DOCKER_RAMDISK": "", "DOCKER_OTHER": "1"}}],
    },
    "no-privileged-exec": {
        "kind": model.HOST,
        "fails": [{"exec_audit": ("web: privileged",)}, {"exec_audit": model.Unknown("some ended", "events", model.Fact(("web: as root",), "events"))}],
        "passes": [{}],
    },
}
