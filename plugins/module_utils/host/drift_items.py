# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Which things of a host belong to which role, when the role's section of the manifest is recorded.

PRIVATE to the collection: no stability is promised to other users.

One function for each role. It gets what the role knows and the eyes that look, and returns names of things; what cannot be
there on this host, it leaves out.
"""

from __future__ import annotations

import os
import pwd
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.drift.kinds import ABSENT
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.model import item
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import unit_flags
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    drift_firewall,
    drift_look,
    drift_places,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import guard

CONFIG_FILE = drift_places.CONFIG_FILE
SECCOMP_FILE = drift_places.SECCOMP_FILE
STATE_DIRECTORY = drift_places.STATE_DIRECTORY
API_SOCKET = drift_places.API_SOCKET
UNITS = drift_places.UNITS
OUR_DROP_INS = drift_places.OUR_DROP_INS
_SYSTEMD = "/etc/systemd/system/"

Knowledge = t.Mapping[str, t.Any]
Eyes = drift_look.Eyes


class UnknownRole(Exception):
    """No role of this name leaves anything that could be recorded; the message says so."""


def of_role(role: str, known: Knowledge, eyes: Eyes) -> list[str]:
    """Return the things of a role.

    Args:
        known: what the role knows; see the module docker_manifest.

    Raises:
        UnknownRole: there is no such role.
        KeyError, TypeError, AttributeError: what it knows is not what it has to be.
    """
    if role not in _ROLES:
        raise UnknownRole(f"sections: there is nothing to record of '{role}'; the roles are {', '.join(sorted(_ROLES))}")
    return list(dict.fromkeys(_ROLES[role](known, eyes)))


def units(sections: t.Mapping[str, Knowledge]) -> list[str]:
    """Return the units of systemd that recording these roles will ask for."""
    slices = [str(known.get("slice") or "") for role, known in sections.items() if role == "docker_daemon"]
    own = [str(name) for known in sections.values() for field in ("units", "timers") for name in known.get(field) or ()]
    return [*UNITS, *(name for name in slices if name.endswith(".slice")), *own]


def packages(known: Knowledge) -> list[str]:
    """Return the names of the packages of the engine's role."""
    return [str(entry["name"] if isinstance(entry, dict) else entry) for entry in known.get("packages") or ()]


def _userns(known: Knowledge, eyes: Eyes) -> list[str]:  # pylint: disable=unused-argument
    user = str(known.get("user") or "").partition(":")[0]
    return [item("ranges", user), item("account", user)] if user else []


def _storage(known: Knowledge, eyes: Eyes) -> list[str]:  # pylint: disable=unused-argument
    targets = list(known.get("targets") or ())
    points = [str(target["mount_point"]).rstrip("/") for target in targets]
    found = [item("file", path) for path in (guard.PROGRAM, *OUR_DROP_INS)] if targets else []
    for target, path in zip(targets, points):
        found += [item("mount", path), item("fstab", path), item("mount_point", path)]
        if target.get("mode") is not None:
            found.append(item("directory", path))
    roots = [str(known.get("data_root") or "").rstrip("/"), str(known.get("effective_root") or "").rstrip("/")]
    found += [item("directory", path) for path in dict.fromkeys(roots) if path and path not in points and targets]
    return found


def _engine(known: Knowledge, eyes: Eyes) -> list[str]:  # pylint: disable=unused-argument
    found = [item("package", name) for name in packages(known)]
    for unit in UNITS:
        fragment, masked = drift_look.fragment_of(unit)
        if fragment and not masked:
            found.append(item("foreign_file", fragment))
    found += [item("file", str(path)) for path in known.get("files") or ()]
    return found


def _daemon(known: Knowledge, eyes: Eyes) -> list[str]:
    config_file = str(known.get("config_file") or CONFIG_FILE)
    user = str(known.get("rootless_user") or "")
    if user:
        return [item("file", str(known.get("config_file") or _config_file_of(user))), item("user_unit", f"{user}/docker.service")]
    found = [item("file", config_file), item("directory", os.path.dirname(config_file)), item("directory", STATE_DIRECTORY)]
    config = drift_places.configuration(config_file)
    profile = config.get("seccomp-profile")
    if isinstance(profile, str) and profile.startswith("/"):
        found.append(item("file", profile))
    parent = str(known.get("slice") or "")
    if parent.endswith(".slice"):
        found += [item("file", _SYSTEMD + parent), item("unit", parent)]
    for unit in UNITS:
        found.append(item("unit", unit))
        found += [item("foreign_file", path) for path in eyes.observe(item("unit", unit))["drop_ins"] if not path.startswith("/run/")]
        found += [item("foreign_file", path) for path in drift_places.environment_files(eyes.unit(unit)["EnvironmentFiles"])]
    found.append(item("process", "dockerd"))
    if eyes.observe(item("socket", API_SOCKET))["type"] == drift_look.SOCKET:
        found.append(item("socket", API_SOCKET))
    flags = unit_flags.parse(drift_places.arguments(eyes.unit("docker.service")))
    found += _network(config, flags, eyes)
    return found


def _config_file_of(user: str) -> str:
    """Return where a user's daemon has its configuration."""
    from ansible_collections.bulkhead.docker.plugins.module_utils.engine import rootless

    account = rootless.Account(user, pwd.getpwnam(user).pw_dir)
    return f"{account.config_directory}/daemon.json"


def _network(config: t.Mapping[str, t.Any], flags: t.Mapping[str, t.Sequence[str]], eyes: Eyes) -> list[str]:
    def on(key: str) -> bool:
        return bool(config.get(key, [*flags.get(key, ["true"])][-1] not in ("false", "0")))

    if eyes.unit("docker.service")["ActiveState"] != "active":
        # What a daemon makes when it starts is not there now.
        return []
    found = []
    if on("ip-forward"):
        found.append(item("sysctl", "net.ipv4.ip_forward"))
    if not on("iptables"):
        return [thing for thing in found if _is_on(eyes, thing)]
    if not on("icc"):
        found.append(item("sysctl", "net.bridge.bridge-nf-call-iptables"))
    found = [thing for thing in found if _is_on(eyes, thing)]
    family = drift_firewall.NFTABLES if "nftables" in (config.get("firewall-backend"), *flags.get("firewall-backend", ())) else drift_firewall.IPTABLES
    families = [family]
    if family == drift_firewall.IPTABLES and on("ip6tables"):
        families.append(drift_firewall.IP6TABLES)
    # Nothing of dockerd's in a family means that it makes nothing there.
    found += [item("firewall", name) for name in families if drift_firewall.skeleton(eyes.firewall(name) or ())]
    return found


def _is_on(eyes: Eyes, thing: str) -> bool:
    return str(eyes.observe(thing)["value"]) not in ("0", ABSENT)


def _auditd(known: Knowledge, eyes: Eyes) -> list[str]:  # pylint: disable=unused-argument
    from ansible_collections.bulkhead.docker.plugins.module_utils.host import audit_rules

    if known.get("state", "present") == "absent" or not os.path.lexists(audit_rules.RULES_FILE):
        return []
    found = [item("file", audit_rules.RULES_FILE)]
    if os.path.lexists(audit_rules.TMPFILES_FILE):
        found.append(item("file", audit_rules.TMPFILES_FILE))
    return [*found, item("audit", audit_rules.RULES_FILE)]


def _apparmor(known: Knowledge, eyes: Eyes) -> list[str]:  # pylint: disable=unused-argument
    found = []
    for name in known.get("profiles") or ():
        path = f"/etc/apparmor.d/{name}"
        if os.path.lexists(path):
            found += [item("file", path), item("apparmor", str(name))]
    return found


def _pull(known: Knowledge, eyes: Eyes) -> list[str]:  # pylint: disable=unused-argument
    return [
        *(item("file", str(path)) for path in known.get("files") or ()),
        *(item("timer", str(name)) for name in known.get("timers") or ()),
        *(item("unit", str(name)) for name in known.get("units") or ()),
    ]


def _rootless(known: Knowledge, eyes: Eyes) -> list[str]:  # pylint: disable=unused-argument
    user = str(known.get("user") or "")
    if not user:
        return []
    return [
        item("ranges", user),
        item("account", user),
        *(item("file", str(path)) for path in known.get("files") or ()),
        item("user_unit", f"{user}/docker.service"),
    ]


def _limits(known: Knowledge, eyes: Eyes) -> list[str]:
    return [*_pull(known, eyes), *(item("limits", str(name)) for name in known.get("slices") or ())]


_ROLES: dict[str, t.Callable[[Knowledge, Eyes], list[str]]] = {
    "docker_userns": _userns,
    "docker_storage": _storage,
    "docker_engine": _engine,
    "docker_daemon": _daemon,
    "docker_limits": _limits,
    "docker_auditd": _auditd,
    "docker_apparmor": _apparmor,
    "docker_pull": _pull,
    "docker_rootless": _rootless,
}
ROLES = tuple(_ROLES)
