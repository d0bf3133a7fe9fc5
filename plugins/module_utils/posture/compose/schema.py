# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The keys that compose knows, by where they stand.

PRIVATE to the collection: no stability is promised to other users.

Source: schema/compose-spec.json of compose-go, July 2026. compose refuses a file with another key, so a hardening with a
slip in its name is not in force; here it is a finding, since the rest of the file can be judged all the same.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import Node

TOP = frozenset("version name include services models networks volumes secrets configs".split())
_BUILD = frozenset(
    "context dockerfile dockerfile_inline entitlements args ssh labels cache_from cache_to no_cache no_cache_filter additional_contexts network "
    "provenance sbom pull target shm_size extra_hosts isolation privileged secrets tags ulimits platforms".split()
)
_HOOK = frozenset("command user privileged working_dir environment image per_replica".split())
_DEVICE_REQUEST = frozenset("capabilities count device_ids driver options".split())
_FILE_MOUNT = frozenset("source target uid gid mode".split())
# By place: * is any key or item, and a place that is missing is not looked at.
_KNOWN: dict[tuple[str, ...], frozenset[str]] = {
    (): frozenset(
        "develop deploy annotations attach build blkio_config cap_add cap_drop cgroup cgroup_parent command configs container_name cpu_count "
        "cpu_percent cpu_shares cpu_quota cpu_period cpu_rt_period cpu_rt_runtime cpus cpuset credential_spec depends_on device_cgroup_rules devices "
        "dns dns_opt dns_search domainname entrypoint env_file label_file environment expose extends provider external_links extra_hosts gpus "
        "group_add healthcheck hostname image init ipc isolation labels links logging mac_address mem_limit mem_reservation mem_swappiness "
        "memswap_limit network_mode models networks oom_kill_disable oom_score_adj pid pids_limit platform ports pre_start post_start pre_stop "
        "privileged profiles pull_policy pull_refresh_after read_only restart runtime scale security_opt shm_size secrets sysctls stdin_open "
        "stop_grace_period stop_signal storage_opt tmpfs tty ulimits use_api_socket user uts userns_mode volumes volumes_from working_dir".split()
    ),
    ("build",): _BUILD,
    ("build", "secrets", "*"): _FILE_MOUNT,
    ("configs", "*"): _FILE_MOUNT,
    ("secrets", "*"): _FILE_MOUNT,
    ("deploy",): frozenset("mode endpoint_mode replicas labels rollback_config update_config resources restart_policy placement".split()),
    ("deploy", "resources"): frozenset(("limits", "reservations")),
    ("deploy", "resources", "limits"): frozenset(("cpus", "memory", "pids")),
    ("deploy", "resources", "reservations"): frozenset(("cpus", "memory", "generic_resources", "devices")),
    ("deploy", "resources", "reservations", "devices", "*"): _DEVICE_REQUEST,
    ("deploy", "restart_policy"): frozenset(("condition", "delay", "max_attempts", "window")),
    ("devices", "*"): frozenset(("source", "target", "permissions")),
    ("gpus", "*"): _DEVICE_REQUEST,
    ("healthcheck",): frozenset("disable interval retries test timeout start_period start_interval".split()),
    ("logging",): frozenset(("driver", "options")),
    ("networks", "*"): frozenset(
        "aliases interface_name ipv4_address ipv6_address link_local_ips mac_address driver_opts priority gw_priority".split()
    ),
    ("ports", "*"): frozenset("name mode host_ip target published protocol app_protocol".split()),
    ("pre_start", "*"): _HOOK,
    ("post_start", "*"): _HOOK - {"image", "per_replica"},
    ("pre_stop", "*"): _HOOK - {"image", "per_replica"},
    ("provider",): frozenset(("type", "options")),
    ("ulimits", "*"): frozenset(("soft", "hard")),
    ("volumes", "*"): frozenset("type source target read_only consistency bind volume tmpfs image".split()),
    ("volumes", "*", "bind"): frozenset("propagation create_host_path recursive selinux".split()),
    ("volumes", "*", "volume"): frozenset(("labels", "nocopy", "subpath")),
    ("volumes", "*", "tmpfs"): frozenset(("size", "mode")),
}
TOP_ELEMENTS = {
    "networks": frozenset("name driver driver_opts ipam external internal enable_ipv4 enable_ipv6 attachable labels".split()),
    "volumes": frozenset("name driver driver_opts external labels".split()),
    "secrets": frozenset("name environment file external labels driver driver_opts template_driver".split()),
    "configs": frozenset("name content environment file external labels template_driver".split()),
}


class _Tree(t.NamedTuple):
    known: frozenset[str] | None
    below: dict[str, _Tree]


def _tree(place: tuple[str, ...] = ()) -> _Tree:
    depth = len(place)
    below = {other[depth] for other in _KNOWN if len(other) > depth and other[:depth] == place}
    return _Tree(_KNOWN.get(place), {name: _tree((*place, name)) for name in sorted(below)})


_SERVICE = _tree()


def unknown_keys(service: Node) -> list[tuple[str, Node]]:
    """Return the keys of a service that compose does not know, each with its path; extensions (``x-``) are known."""
    found: list[tuple[str, Node]] = []
    _look(service, _SERVICE, "", found)
    return found


def unknown_elsewhere(root: t.Mapping[str, Node]) -> list[tuple[str, Node]]:
    """Return the unknown keys beside the services: at the top, and in networks, volumes, secrets and configs."""
    found = [(key, node) for key, node in root.items() if key not in TOP and not key.startswith("x-")]
    for kind, known in TOP_ELEMENTS.items():
        for name, element in root[kind].items() if kind in root else ():
            found += [(f"{kind}.{name}.{key}", node) for key, node in element.items() if key not in known and not key.startswith("x-")]
    return found


def _look(node: Node, tree: _Tree, path: str, found: list[tuple[str, Node]]) -> None:
    for key, value in node.items():
        if tree.known is not None and key not in tree.known and not key.startswith("x-"):
            found.append((f"{path}{key}", value))
            continue
        below = tree.below.get(key) or tree.below.get("*")
        if below is not None:
            _look(value, below, f"{path}{key}.", found)
    below = tree.below.get("*")
    if below is not None:
        for number, item in enumerate(node.entries()):
            _look(item, below, f"{path.rstrip('.')}[{number}].", found)
