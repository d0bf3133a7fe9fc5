# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What a daemon configuration refers to on the host: users, groups, id ranges, files, plugins, cgroups.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import os
import socket
import ssl
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import id_ranges, seccomp
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_config import Context
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    daemon_addresses,
    daemon_places,
    files,
    security_modules,
    subid_files,
    systemd,
)

DEFAULT_DATA_ROOT = "/var/lib/docker"
_CONTAINERD = "containerd.service"
#: Is there while dockerd runs a containerd of its own (moby: libcontainerd/supervisor).
_MANAGED_CONTAINERD = "/run/docker/containerd/containerd.pid"
_PLUGIN_SOCKETS = ("/run/docker/plugins",)
_PLUGIN_SPECS = ("/etc/docker/plugins", "/usr/lib/docker/plugins")

Config = t.Mapping[str, t.Any]


def context(swarm: bool) -> Context:
    """Return the facts of this host that decide whether a value can be."""
    unified = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
    booted = os.path.isdir("/run/systemd/system")
    return Context(
        swarm=swarm,
        cgroup_driver="systemd" if unified and booted else "cgroupfs",
        cgroup_version=2 if unified else 1,
        open_files_limit=_open_files_limit(),
        selinux=security_modules.selinux_mode(),
        selinux_policy=security_modules.selinux_policy_for_containers(),
    )


def _open_files_limit() -> int:
    # What process 1 may not do, no service of the host may: 24 is CAP_SYS_RESOURCE (capabilities(7)).
    for line in _lines("/proc/1/status"):
        if line.startswith("CapBnd:") and int(line.split()[1], 16) >> 24 & 1:
            return 0
    for line in _lines("/proc/1/limits"):
        if line.startswith("Max open files"):
            hard = line.split()[4]
            return int(hard) if hard.isdigit() else 0
    return 0


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii", errors="replace") as handle:
            return handle.read().splitlines()
    except OSError:
        return []


def data_root(config: Config, flags: t.Mapping[str, t.Sequence[str]]) -> str:
    """Return the data-root of a configuration, or of the unit's flags where the file leaves it open."""
    given = config.get("data-root") or [*flags.get("data-root", []), DEFAULT_DATA_ROOT][0]
    return str(given)


def effective_root(config: Config, flags: t.Mapping[str, t.Sequence[str]]) -> str | None:
    """Return the directory that dockerd would use, or None when the remapped user has no ranges yet."""
    base = data_root(config, flags)
    user = str(config.get("userns-remap") or [*flags.get("userns-remap", []), ""][0]).partition(":")[0]
    if not user:
        return id_ranges.effective_root(base, None)
    mapping = subid_files.mapping_of(user)
    return None if mapping is None else id_ranges.effective_root(base, mapping)


def problems(config: Config, root: str | None, predicting: bool, own_seccomp: str) -> list[Problem]:
    """Return what a configuration needs and the host lacks.

    Args:
        config: the whole configuration; values of a wrong type are passed over, others report them.
        root: the effective root, where the engine keeps its managed plugins.
        predicting: whether users, ranges and programs may still come before the real run (check mode, preflight).
        own_seccomp: the path of the profile that this run writes itself.
    """
    found = [] if predicting else [*_user_problems(config), *_program_problems(config)]
    found += _file_problems(config, own_seccomp)
    found += daemon_addresses.problems(config, predicting)
    found += daemon_places.data_root_problems(config.get("data-root"), root)
    group = config.get("group")
    if (
        isinstance(group, str)
        and group
        and not group.isdigit()
        and not predicting
        and not subid_files.group_exists(group)
    ):
        found.append(
            Problem("group", f"is '{group}', but this host has no such group; make the group or remove the key")
        )
    for name in _strings(config.get("authorization-plugins")):
        if not _plugin_exists(name, root):
            found.append(
                Problem(
                    "authorization-plugins",
                    f"names '{name}', which is not installed, and a daemon that cannot find it stops; install and "
                    "start the plugin first",
                )
            )
        elif _is_deaf(name):
            found.append(
                Problem(
                    "authorization-plugins",
                    f"names '{name}', but nobody answers on its socket, and a daemon that cannot reach it stops; start "
                    "the plugin first",
                )
            )
    return found


def containerd_problems() -> list[Problem]:
    """Return that the host's containerd has ended for good: dockerd answers on without it, and starts no container."""
    if os.path.exists(_MANAGED_CONTAINERD) or systemd.properties(_CONTAINERD, ["ActiveState"])["ActiveState"] != "failed":
        return []
    return [Problem(_CONTAINERD, f"has failed, and Docker starts no container without it; see journalctl -u {_CONTAINERD}, then start it")]


def _user_problems(config: Config) -> list[Problem]:
    value = config.get("userns-remap")
    if not isinstance(value, str) or value.partition(":")[0] in ("", "default", "root", "0"):
        return []
    user, _colon, group = value.partition(":")
    number = subid_files.account_number(user)
    if number is None:
        return [
            Problem(
                "userns-remap", f"names the user '{user}', but this host has no such account; make the account first"
            )
        ]
    if not subid_files.group_exists(group or user):
        return [
            Problem(
                "userns-remap",
                f"needs the group '{group or user}', but this host has no such group; make the group first",
            )
        ]
    uid_file, gid_file = subid_files.read()
    plan = id_ranges.plan(user, uid_file, gid_file, user_number=number)
    if plan.problems:
        return list(plan.problems)
    lacking = [
        file.path for file, addition in ((uid_file, plan.add_uid), (gid_file, plan.add_gid)) if addition is not None
    ]
    if lacking:
        return [
            Problem(
                "userns-remap",
                f"names the user '{user}', who has no range in {' and '.join(lacking)}; give the user one first, "
                "with docker_subid",
            )
        ]
    return []


def _file_problems(config: Config, own_seccomp: str) -> list[Problem]:
    found = []
    profile = config.get("seccomp-profile")
    if isinstance(profile, str) and profile.startswith("/") and profile != own_seccomp:
        try:
            text = files.read_text(os.path.realpath(profile))
        except files.FileError as error:
            found.append(Problem("seccomp-profile", str(error)))
        else:
            if text is None:
                found.append(
                    Problem(
                        "seccomp-profile",
                        f"names {profile}, which does not exist, and dockerd does not start without it; write the "
                        "profile first or remove the key",
                    )
                )
            else:
                found += seccomp.problems(text, where=f"seccomp-profile {profile}")
    if config.get("tls") or config.get("tlsverify"):
        found += _certificate_problems(config)
    return found


def _certificate_problems(config: Config) -> list[Problem]:
    named = {name: config.get(name) for name in ("tlscacert", "tlscert", "tlskey")}
    paths = {name: path for name, path in named.items() if isinstance(path, str) and path}
    missing = [
        Problem(
            name,
            f"names {path}, which does not exist, and dockerd does not start without it; put the file there first",
        )
        for name, path in paths.items()
        if not os.path.exists(path)
    ]
    if missing:
        return missing
    found = []
    # PROTOCOL_TLS_SERVER is where dockerd uses them; nothing is connected here.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if "tlscacert" in paths:
        try:
            context.load_verify_locations(paths["tlscacert"])
        except (ssl.SSLError, OSError, ValueError) as error:
            found.append(
                Problem(
                    "tlscacert",
                    f"names {paths['tlscacert']}, which holds no certificate that can be read ({error}); "
                    "put the certificate of the authority there",
                )
            )
    if "tlscert" in paths and "tlskey" in paths:
        try:
            # An encrypted key would ask for its password, which dockerd cannot answer either.
            context.load_cert_chain(paths["tlscert"], paths["tlskey"], password=lambda: b"")
        except (ssl.SSLError, OSError, ValueError) as error:
            found.append(
                Problem(
                    "tlscert",
                    f"names {paths['tlscert']}, which is no certificate for the unencrypted key {paths['tlskey']} "
                    f"({error}); give a pair that belongs together",
                )
            )
    return found


def _program_problems(config: Config) -> list[Problem]:
    found = []
    named = [(key, config.get(key)) for key in ("init-path", "userland-proxy-path")]
    runtimes = config.get("runtimes")
    if isinstance(runtimes, dict):
        named += [
            (f"runtimes.{name}", entry.get("path")) for name, entry in runtimes.items() if isinstance(entry, dict)
        ]
    for where, program in named:
        if isinstance(program, str) and program and commands.find(program) is None:
            found.append(
                Problem(
                    where,
                    f"names the program {program}, which this host does not have; install it first or remove the key",
                )
            )
    return found


def _plugin_exists(name: str, root: str | None) -> bool:
    # As in moby pkg/plugins/discovery.go; managed plugins lie below the root under their ids.
    if ":" in name or "/" in name:
        return True
    places = [
        os.path.join(base, *parts) for base in _PLUGIN_SOCKETS for parts in ((f"{name}.sock",), (name, f"{name}.sock"))
    ]
    places += [
        os.path.join(base, *parts)
        for base in _PLUGIN_SPECS
        for end in (".spec", ".json")
        for parts in ((name + end,), (name, name + end))
    ]
    if any(os.path.exists(path) for path in places):
        return True
    managed = os.path.join(root or DEFAULT_DATA_ROOT, "plugins")
    return os.path.isdir(managed) and any(len(entry) == 64 for entry in os.listdir(managed))


def _is_deaf(name: str) -> bool:
    """Tell whether a plugin has a socket on which nobody answers; plugins without one here are not judged."""
    sockets = [
        path
        for base in _PLUGIN_SOCKETS
        for path in (os.path.join(base, f"{name}.sock"), os.path.join(base, name, f"{name}.sock"))
        if os.path.exists(path)
    ]
    for path in sockets[:1]:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(5)
            try:
                probe.connect(path)
            except OSError:
                return True
    return False


def _strings(value: t.Any) -> list[str]:
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []
