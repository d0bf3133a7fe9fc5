# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The names of the facts that rules ask for, by kind of subject, and the shapes of their values.

PRIVATE to the collection: no stability is promised to other users.

normalise/ writes them, rules/ read them; a name that is not here fails the tests. Values of environment variables, keys
and passwords are never facts.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import model


class Mount(t.NamedTuple):
    """Something of outside that a container sees.

    Attributes:
        kind: ``bind``, ``volume``, ``tmpfs`` or as the engine says.
        source: for bind an absolute path of the host; for volume its name, empty for an anonymous one.
        target: absolute path in the container.
        read_only: whether it is mounted so.
        propagation: ``rprivate``, ``shared`` ...; empty for the default.
        host_path: the place on the host that is really reached: links resolved, the device of a volume with driver
            options; empty when it is none or not known. Equal to source where nobody could look.
        sockets: sockets of an API of a container engine that can be reached through it (paths on the host).
        replaceable: the first part of the host path that somebody besides root can replace, with whose it is; empty
            when none is.
        file, line: for compose files.
        looked: whether somebody looked on the host where it leads, and for sockets there.
    """

    kind: str
    source: str
    target: str
    read_only: bool = False
    propagation: str = ""
    host_path: str = ""
    sockets: tuple[str, ...] = ()
    replaceable: str = ""
    file: str = ""
    line: int = 0
    looked: bool = False


class Port(t.NamedTuple):
    """A published port; host_port 0 is chosen by the engine, host_ip "" is every address."""

    host_ip: str
    host_port: int
    container_port: int
    protocol: str = "tcp"
    file: str = ""
    line: int = 0


class Device(t.NamedTuple):
    """A device of the host given to a container; file and line for compose files."""

    host_path: str
    container_path: str = ""
    permissions: str = "rwm"
    file: str = ""
    line: int = 0


class FileFacts(t.NamedTuple):
    """What stat says of a path of the host, links followed.

    Attributes:
        kind: ``file``, ``directory``, ``socket``, ``other``, or ``absent``.
        mode: permission bits as a number.
        owner, group: names, or the numbers where there is none.
        link: where the path is a symbolic link, what it resolves to; else empty.
        weak_parent: the first directory above it that others than root can change; empty when none is.
    """

    kind: str
    mode: int = 0
    uid: int = 0
    gid: int = 0
    owner: str = ""
    group: str = ""
    link: str = ""
    weak_parent: str = ""


class AuditWatch(t.NamedTuple):
    """A rule that the kernel's audit has loaded for a path.

    Attributes:
        path: without links, as far as the kernel follows them.
        permissions: as in ``wa``.
        recursive: whether all below a directory is watched.
        people: whether only what people do is recorded, not what daemons and containers do (``auid!=unset``).
    """

    path: str
    permissions: str
    recursive: bool = False
    people: bool = False


# The facts of whatever is or becomes a container. "Effective" facts come from /proc and cgroup files for a running
# container, from what the engine would make of the definition elsewhere; the source of each says which.
WORKLOAD = {
    "running": "whether it runs now; false for what is only defined: bool",
    "image": "reference of the image as it was given: str",
    "user": "user as declared, empty for none: str",
    "image_user": "user that the image declares, empty for none: str",
    "uid": "uid of the first process as the container sees it: int",
    "host_uid": "uid of the first process as the host sees it: int",
    "uid_mapped": "whether root of the container is somebody else on the host: bool",
    "privileged": "bool",
    "cap_add": "capabilities added, without CAP_, upper case, ALL kept: tuple of str",
    "cap_drop": "capabilities dropped, the same form: tuple of str",
    "capabilities": "the bounding set that results, without CAP_: frozenset of str",
    "seccomp": "builtin, unconfined, or custom: str",
    "seccomp_opens": "dangerous system calls that a custom profile lets through to all, by name; empty for builtin: tuple of str",
    "apparmor": "name of the profile, docker-default by default, unconfined, or empty where the host has no AppArmor: str",
    "apparmor_mode": "enforce, complain, unconfined; empty where the host has no AppArmor: str",
    "selinux": "type of the process's label, disabled when labels are off for it, empty where the host has no SELinux: str",
    "no_new_privileges": "bool",
    "unmasked_paths": "paths that the engine masks by default and this container sees: tuple of str",
    "writable_paths": "paths of /proc and /sys that are read-only by default and here are not: tuple of str",
    "writable_cgroups": "bool",
    "pid_mode": "empty for its own, host, container:NAME, service:NAME: str",
    "ipc_mode": "empty for its own, private, shareable, host, none, container:NAME, service:NAME: str",
    "uts_mode": "empty or host: str",
    "userns_mode": "empty for the daemon's, or host: str",
    "cgroupns_mode": "private, host: str",
    "network_mode": "empty or the network's name, bridge, host, none, container:NAME, service:NAME: str",
    "networks": "names of the networks it is on; bridge or default stands for the engine's default bridge: tuple of str",
    "mounts": "tuple of Mount",
    "mounts_resolved": "whether somebody looked on the host where its binds lead, and who can replace what they name: bool",
    "volumes_from": "names of containers or services whose mounts it takes: tuple of str",
    "devices": "tuple of Device",
    "device_cgroup_rules": "tuple of str",
    "device_requests": "drivers or CDI names of requested devices: tuple of str",
    "group_add": "groups as given, names or numbers: tuple of str",
    "api_socket_groups": "those of group_add that own a socket of an engine's API on the host: tuple of str",
    "use_api_socket": "bool",
    "ports": "published ports: tuple of Port",
    "read_only_rootfs": "bool",
    "memory": "limit in bytes, 0 for none: int",
    "cpu_limited": "whether shares, quota or a set of processors is given: bool",
    "pids_limit": "0 for none: int",
    "oom_kill_disabled": "bool",
    "oom_score_adj": "int",
    "restart_policy": "no, always, unless-stopped, on-failure: str",
    "restart_retries": "0 for endless: int",
    "healthcheck": "defined, image, none or disabled: str",
    "ulimits": "names: tuple of str",
    "sysctls": "names with values: tuple of (name, value)",
    "cgroup_parent": "as declared, empty for none: str",
    "runtime": "as declared, empty for the default: str",
    "working_dir": "of the container or else its image: str",
    "secret_names": "names of environment variables, build arguments and labels that hold a secret in plain text: tuple of str",
    "docker_host": "where the environment leads clients to an API of Docker, empty for nowhere: str",
    "log_driver": "of the container, or the default that it would get; none switches logs off: str",
    "log_bounded": "whether its logs have an end: bool",
    "labels": "names: tuple of str",
    "programs": "names of the programs that run in it: frozenset of str",
    "stale": "settings that new containers get and this one has not: tuple of str",
    "hook_privileged": "lifecycle hooks that run privileged: tuple of str",
    "build_privileges": "entitlements, privileged or host network of its build: tuple of str",
    "macvlan_parents": "interfaces of the host that its macvlan or ipvlan networks use: tuple of str",
    "unknown_keys": "keys of a compose file that compose does not know, with their path in the service; none elsewhere: tuple of str",
    "engine_cgroup": "cgroup version of the host, 1 or 2: int",
}

# What is known besides of services of compose files only.
COMPOSE = {
    "trusted_registries": "of the policy, empty for none given: tuple of str",
}

HOST = {
    "separate_storage": "mount points that hold Docker's data, with the directories that have none: tuple of (directory, mount point or empty)",
    "docker_group": "members of the group that owns the API's socket: tuple of str",
    "trusted_users": "members that the policy allows: tuple of str",
    "files": "by path, for every path of rules/files.py: dict of str to FileFacts, or to a str that says why it could not be looked at",
    "file_places": "by the name of each group of rules/files.py, its paths on this host: dict of str to tuple of str",
    "daemon_owners": "uids that may own the daemon's files: root, and the user of a rootless daemon: tuple of int",
    "api_socket_group": "name of the group that the engine gives its socket to: str",
    "executables": "what the daemon runs as root, by path, links resolved: dict of str to FileFacts, or to a str as in files",
    "audit_enabled": "whether the kernel's audit is on: bool",
    "audit_watches": "tuple of AuditWatch",
    "audit_declared": "what the files of audit rules watch, loaded or not: tuple of AuditWatch",
    "audited_paths": "what has to be watched on this host, by the name of the rule, each path with its kind (file, directory, mount point): "
    "dict of str to dict of str to str",
    "engine_version": "str",
    "containerd_version": "str",
    "runc_versions": "by path of each runtime's program: dict of str to version, empty where it does not tell",
    "package_backports": "by component, what the distribution's changelog says is mended: dict of str to tuple of CVE names",
    "minimum_version": "what the policy asks for, empty for the floor of known holes only: str",
    "cgroup_version": "int",
    "sysctls": "dict of str to str",
    "registry_auths": "paths of client configurations that hold credentials in plain: tuple of str",
    "daemon_environment": "names of variables of the daemon that weaken it, with values that are no secrets: dict",
    "authorization_plugins": "of the engine, by file and flags: tuple of str",
    "volume_links": "names of volumes whose _data is a symbolic link: tuple of str",
    "exec_audit": "privileged or root exec sessions in the engine's recent events: tuple of str",
    "kernel": "str",
    "internal_networks": "names of the networks that are internal: tuple of str",
    "encrypted_networks": "names of the encrypted overlay networks: tuple of str",
    "firewalld": "what of firewalld is on the host: tuple of str",
    "containerd_images": "whether containerd keeps the images of the engine: bool",
    "all_ids_mapped": "whether root of every container, and of every build, is nobody on the host: bool",
    "data_directories": "the directories that hold the data of containers: dict of str to FileFacts, or to a str as in files",
    "kernel_crypto": "what keeps containers from the kernel's crypto (AF_ALG), or its hole from being there; empty for nothing: tuple of str",
    "open_data": "those of data_directories that others enter: tuple of str",
}

DAEMON = {
    "rootless": "bool",
    "icc": "whether containers on the default bridge reach one another: bool",
    "log_level": "str",
    "debug": "bool",
    "iptables": "whether the engine may manage the firewall: bool",
    "firewall_backend": "iptables, nftables, firewalld: str",
    "insecure_registries": "besides loopback: tuple of str",
    "storage_driver": "str",
    "listeners": "addresses of the API that are no unix sockets: tuple of str",
    "tcp_listening": "addresses on which dockerd really serves its API by TCP, as the kernel says: tuple of str",
    "api_clients": "who besides root may call the API: members of the group of the socket, and addresses that are no unix sockets: tuple of str",
    "api_on_bridges": "addresses of the API that containers reach through a network of theirs: tuple of str",
    "tls_verify": "bool",
    "default_ulimits": "tuple of str",
    "userns_remap": "bool",
    "cgroup_parent": "str",
    "storage_opts": "tuple of str",
    "authorization_plugins": "those of the file: tuple of str",
    "authorization_plugins_live": "those that the daemon says: tuple of str",
    "authorization_from_flags": "those that only a flag gives, which any reload drops: tuple of str",
    "log_driver": "str",
    "log_opts": "names: tuple of str",
    "log_bounded": "whether the logs of a new container have an end: bool",
    "log_remote": "whether the default driver sends logs away from the host: bool",
    "central_log_drivers": "drivers that count as central by the policy, empty for none given: tuple of str",
    "no_new_privileges": "bool",
    "live_restore": "bool",
    "swarm_active": "bool",
    "userland_proxy": "bool",
    "seccomp": "builtin, unconfined or custom: str",
    "seccomp_opens": "as for containers: tuple of str",
    "experimental": "bool",
    "config_problems": "what the schema of the release says about daemon.json: tuple of str",
    "pending_keys": "keys whose value in the file is not what runs: tuple of str",
    "runtimes": "by name, path: dict",
    "default_runtime": "str",
    "metrics_address": "str",
    "diagnostic_port": "int",
    "min_api_version": "str",
    "usual_min_api_version": "what the release accepts by itself, empty where it has no limit: str",
    "allow_direct_routing": "bool",
    "engine_warnings": "warnings of /info: tuple of str",
    "image_store": "overlay2, containerd ...: str",
    "server_version": "str",
    "containers": "number of containers, running and stopped: tuple of (running, stopped)",
    "images": "number of images, and how many of them no container uses: tuple of (all, unused)",
    "default_address_pools": "number: int",
    "unanswered": "questions that the engine did not answer, each with why: tuple of str",
}

IMAGE = {
    "references": "tuple of str",
    "digests": "tuple of str",
    "user": "str",
    "healthcheck": "bool",
    "history": "instructions, newest first: tuple of str",
    "secret_names": "names of variables and build arguments with a secret: tuple of str",
    "working_dir": "str",
    "created": "seconds since the epoch: int",
    "registry": "the registry of its first reference: str",
    "trusted_registries": "of the policy, empty for none given: tuple of str",
    "used": "whether a container uses it: bool",
    "maximum_age_days": "of the policy, 0 for none given: int",
    "age_days": "days since it was made, by the clock of the host: int",
}

SWARM = {
    "active": "bool",
    "manager": "bool",
    "managers": "int",
    "listen_address": "str",
    "advertise_address": "str",
    "data_path_address": "str",
    "autolock": "bool",
    "certificate_expiry": "seconds: int",
    "ca_age_days": "int",
    "secrets": "number: int",
    "wanted": "what the policy says: yes, no, or empty where nobody decided: str",
    "nodes": "int",
    "plain_secrets": "services that hold a secret in plain text: tuple of str",
    "maximum_ca_age_days": "of the policy, 0 for none given: int",
}

NETWORK = {
    "driver": "str",
    "encrypted": "bool",
    "ingress": "bool",
    "internal": "bool",
    "icc": "bool",
    "gateway_modes": "tuple of str",
    "trusted_interfaces": "tuple of str",
    "containers": "names: tuple of str",
}

VOLUME = {
    "driver": "str",
    "device": "host path or address that its driver options name, empty for none: str",
    "device_type": "kind of filesystem that its driver options name, such as nfs, none or tmpfs: str",
    "options": "mount options that its driver options name: tuple of str",
    "secret_names": "names of its driver options, and parts of them, that hold a secret in plain text: tuple of str",
    "data_is_link": "whether its _data is a symbolic link: bool",
    "users": "containers: tuple of str",
}

BY_KIND: dict[str, dict[str, str]] = {
    model.HOST: HOST,
    model.DAEMON: DAEMON,
    model.IMAGE: IMAGE,
    model.CONTAINER: WORKLOAD,
    model.COMPOSE_SERVICE: {**WORKLOAD, **COMPOSE},
    model.SWARM_SERVICE: WORKLOAD,
    model.SWARM: SWARM,
    model.NETWORK: NETWORK,
    model.VOLUME: VOLUME,
}
