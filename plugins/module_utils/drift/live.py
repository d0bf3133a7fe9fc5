# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What differs although no recorded thing does: the manifest itself, inputs, the running daemon, containers, room on disks.

PRIVATE to the collection: no stability is promised to other users.

Decisions only; what they rest on is looked at in host/drift_live.py.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.drift.manifest import Manifest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.model import (
    CONVERGE,
    NOTHING,
    OWNER,
    PERSON,
    RECORD,
    RECREATE,
    RELOAD,
    RESTART,
    RESTORE,
    Difference,
    item,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    daemon_changes,
    daemon_info,
    daemon_keys,
    daemon_standing,
    unit_flags,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import State as Memory
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import format_size
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import Version

#: The roles in the order in which provision runs them.
ROLES = (
    "docker_preflight",
    "docker_userns",
    "docker_storage",
    "docker_engine",
    "docker_rootless",
    "docker_apparmor",
    "docker_daemon",
    "docker_limits",
    "docker_auditd",
    "docker_pull",
)
DAEMON_ROLE = "docker_daemon"
ENGINE_ROLE = "docker_engine"
STORAGE_ROLE = "docker_storage"

# Names of differences -------------------------------------------------------------------------------------------------
MISSING = "manifest-missing"
DAMAGED = "manifest-damaged"
FOREIGN = "manifest-of-another-machine"
EXPOSED = "manifest-exposed"
UNRECORDED = "role-unrecorded"
INPUTS = "inputs-changed"
COLLECTION = "collection-changed"
SILENT = "engine-silent"
PENDING = "daemon-pending"
FORGOTTEN = "daemon-memory-damaged"
UNPROVEN = "daemon-unproven"
SETTING = "daemon-setting"
CLASH = "flags-clash"
OLDER = "container-older-than-defaults"
NO_ROOM = "disk-nearly-full"
NO_INODES = "inodes-nearly-full"
UPGRADE = "upgrade-offered"

_BLAST = {daemon_changes.LIVE: NOTHING, daemon_changes.RELOAD: RELOAD, daemon_changes.RESTART: RESTART}
#: In all formats of its log the configuration is a quoted text, whose own quotes are escaped.
_RELOADED = re.compile(r'(?P<config>\{(?:\\.[^"\\]*)+\})"')
_SWITCHES = ("debug", "live-restore")
_TOLD = (
    *("max-concurrent-downloads", "max-concurrent-uploads", "max-download-attempts", "shutdown-timeout"),
    *("default-runtime", "default-ipc-mode", "default-cgroupns-mode", "default-shm-size"),
)
_LISTS = ("labels", "insecure-registries", "registry-mirrors")


@dataclasses.dataclass(frozen=True)
class DaemonSeen:
    """What is known of the running daemon.

    Attributes:
        files: daemon.json and our seccomp profile as they are.
        memory: what the role that writes them remembers.
        version: of the engine.
        active: whether systemd says that it runs.
        invocation: systemd's id of its run.
        fresh: whether it was started after the files were written.
        flags: of the running process, see unit_flags.parse.
        info: the answer of GET /info, None where there is none.
        reload: attributes of its last reload event since its start, None where there was none or that is not known.
        config_file: the path of daemon.json.
        due: why it has to be restarted, because what it was started with was put right since.
    """

    files: Files
    memory: Memory
    version: Version
    active: bool
    invocation: str = ""
    fresh: bool = True
    flags: t.Mapping[str, t.Sequence[str]] = dataclasses.field(default_factory=dict)
    info: t.Mapping[str, t.Any] | None = None
    reload: t.Mapping[str, str] | None = None
    config_file: str = "/etc/docker/daemon.json"
    due: tuple[str, ...] = ()

    @property
    def good(self) -> Files:
        """The files that the role left: those that the daemon was proved with, or what it wrote and did not apply yet."""
        pending = bool(self.memory.pending)
        return self.files if self.memory.good is None or pending else self.memory.good

    @property
    def config(self) -> dict[str, t.Any]:
        """The configuration that the daemon shall have."""
        return daemon_standing.parsed(self.good)


@dataclasses.dataclass(frozen=True)
class Room:
    """How much of a filesystem is free.

    Attributes:
        path: where it was looked at.
        size, free: in bytes, as far as processes without privileges can use them.
        inodes, free_inodes: their numbers; 0 where the filesystem counts none.
    """

    path: str
    size: int
    free: int
    inodes: int = 0
    free_inodes: int = 0


def of_manifest(name: str, path: str, problem: str, changed_at: float | None, last_good: str = "") -> Difference:
    """Return the difference that says that there is no manifest to compare the host with, or that others can read it."""
    return Difference(name, "", item("manifest", path), f"{path} {problem}", None, None, path, RECORD, NOTHING, "", changed_at, last_good)


def of_unrecorded(known: Manifest, whole: t.Iterable[str]) -> list[Difference]:
    """Return the roles that make a converge of the host and of which a manifest says nothing.

    Such a role has never ended well, or what it made has never been applied, so nobody can say that the host is as it shall be.
    """
    return [
        Difference(
            UNRECORDED,
            role,
            item("section", role),
            f"nothing is recorded of {role}: it has not run to its end yet, or what it made still waits",
            source="/var/lib/bulkhead/manifest.json",
            blast=RESTART,
        )
        for role in whole
        if role not in known.sections
    ]


def of_sections(known: Manifest, inputs: t.Mapping[str, str], collection: str) -> list[Difference]:
    """Return which recorded roles would run with other variables now, or are of another release.

    Args:
        known: the manifest.
        inputs: hashes of variables by role, as they are now.
        collection: the version of the collection; empty compares none.
    """
    found = []
    for role, section in known.sections.items():
        now = inputs.get(role, "")
        if now and section.inputs and now != section.inputs:
            says = f"the variables of {role} are others than at its last converge, which did not see them yet"
            found.append(Difference(INPUTS, role, item("inputs", role), says, section.inputs, now, "inventory", CONVERGE, RESTART, "", None, section.at))
        if collection and section.collection and section.collection != collection:
            says = f"{role} last converged with release {section.collection} of the collection, and {collection} is here"
            thing = item("collection", role)
            found.append(Difference(COLLECTION, role, thing, says, section.collection, collection, "inventory", CONVERGE, RESTART, last_good=section.at))
    return found


def of_daemon(seen: DaemonSeen, last_good: str) -> list[Difference]:
    """Return how the running daemon differs from the configuration that its role left.

    What only the file has, and the daemon never took, is a difference of the file alone.
    """
    if not seen.active:
        return []
    found = []
    if seen.memory.pending:
        blast = RESTART if seen.memory.pending == "restart" else RELOAD
        says = f"dockerd still needs a {seen.memory.pending} to run with {seen.config_file}"
        source = "/var/lib/bulkhead/daemon.json"
        found.append(Difference(PENDING, DAEMON_ROLE, "process:dockerd", says, "", seen.memory.pending, source, CONVERGE, blast, last_good=last_good))
    elif _standing(seen) is None and seen.files == seen.good:
        says = f"dockerd was started before {seen.config_file} was written, so nobody knows whether it runs with it"
        found.append(Difference(UNPROVEN, DAEMON_ROLE, "process:dockerd", says, None, None, seen.config_file, CONVERGE, RESTART, last_good=last_good))
    if seen.due and seen.memory.pending != "restart":
        says = f"dockerd still needs a restart: {'; '.join(seen.due)}"
        note = "/var/lib/bulkhead/restart-due.json"
        found.append(Difference(PENDING, DAEMON_ROLE, "process:dockerd", says, "", "restart", note, CONVERGE, RESTART, last_good=last_good))
    waits = bool(seen.memory.pending)
    odd = {} if waits else {problem.where: (problem, "GET /info") for problem in _disagreements(seen)}
    for problem in reloaded_otherwise(seen.reload or {}, seen.config, unit_flags.keys(seen.flags)):
        if not (waits and problem.where not in daemon_standing.reloadable(seen.config)):
            odd.setdefault(problem.where, (problem, "the daemon's last reload event"))
    left = daemon_info.left_by_reload(seen.reload or {}, seen.config, unit_flags.keys(seen.flags))
    for key, (problem, source) in odd.items():
        reloads = daemon_keys.KEYS[key.partition(".")[0]].apply == daemon_keys.RELOAD and (key in seen.config or key in left)
        blast = RELOAD if reloads else RESTART
        # Addresses may hold a password.
        told = daemon_changes.masked(problem.message)
        wanted = daemon_changes.masked(seen.config.get(key))
        says = f"{key} was changed in the running dockerd: {told}"
        found.append(
            Difference(SETTING, DAEMON_ROLE, item("setting", key), says, wanted, told, source, CONVERGE, blast, last_good=last_good)
        )
    return found


def of_memory(path: str, damage: str, last_good: str) -> Difference:
    """Return that the role of the daemon cannot read what it has remembered, and writes anew when it runs."""
    return Difference(FORGOTTEN, DAEMON_ROLE, item("file", path), damage, None, None, path, CONVERGE, NOTHING, last_good=last_good)


def of_flags(unit: t.Mapping[str, t.Sequence[str]], config: t.Mapping[str, t.Any], config_file: str, last_good: str) -> list[Difference]:
    """Return which flags of the unit, as it is now, keep dockerd from its next start.

    Args:
        unit: the flags that systemd would start it with.
        config: what its file holds.
    """
    return [
        Difference(
            CLASH,
            DAEMON_ROLE,
            item("setting", problem.where),
            f"dockerd cannot be started any more: {problem}",
            None,
            [daemon_changes.masked(word) for word in unit.get(problem.where, ())],
            "systemctl show docker.service",
            PERSON,
            RESTART,
            "take one of the two away",
            last_good=last_good,
        )
        for problem in unit_flags.problems(unit, config, config_file)
    ]


def of_silence(reason: str, last_good: str) -> Difference:
    """Return the difference that says that dockerd runs and answers nobody."""
    return Difference(
        SILENT,
        DAEMON_ROLE,
        "process:dockerd",
        f"dockerd runs, but its API does not answer: {reason}",
        None,
        reason,
        "GET /info",
        CONVERGE,
        RESTART,
        last_good=last_good,
    )


def of_containers(stale: t.Iterable[t.Mapping[str, t.Any]], since: float | None, last_good: str) -> list[Difference]:
    """Return the containers that do not have what new ones get.

    Args:
        stale: what daemon_info.stale_containers returned.
        since: when the newest of those defaults came, in seconds since the epoch.
    """
    return [
        Difference(
            OLDER,
            "",
            item("container", str(entry["name"])),
            f"the container {entry['name']} is older than a default of new ones: {'; '.join(entry['why'])}",
            None,
            list(entry["why"]),
            "GET /containers/{id}/json",
            OWNER,
            RECREATE,
            "make the container anew, as with docker compose up --force-recreate",
            since,
            last_good,
        )
        for entry in stale
    ]


def of_room(rooms: t.Iterable[Room], percent: int, inodes_percent: int, size: int) -> list[Difference]:
    """Return the filesystems that have too little room.

    Args:
        rooms: of Docker's filesystems.
        percent, inodes_percent, size: what has to be free, the last in bytes; 0 asks for nothing.
    """
    found = []
    advice = "see what takes it with 'docker system df', and make room or a larger filesystem"
    for room in rooms:
        wanted = max(room.size * percent // 100, size)
        if room.size and room.free < wanted:
            says = f"{room.path} has {format_size(room.free)} free of {format_size(room.size)}, and should have {format_size(wanted)}"
            found.append(Difference(NO_ROOM, "", item("room", room.path), says, wanted, room.free, f"statvfs {room.path}", PERSON, NOTHING, advice))
        least = room.inodes * inodes_percent // 100
        if room.inodes and room.free_inodes < least:
            says = f"{room.path} has {room.free_inodes} free inodes of {room.inodes}, and should have {least}"
            found.append(Difference(NO_INODES, "", item("inodes", room.path), says, least, room.free_inodes, f"statvfs {room.path}", PERSON, NOTHING, advice))
    return found


def of_upgrades(upgrades: t.Iterable[t.Mapping[str, str]], last_good: str) -> list[Difference]:
    """Return newer packages as differences, for those who ask for that."""
    return [
        Difference(
            UPGRADE,
            ENGINE_ROLE,
            item("package", entry["name"]),
            f"the package {entry['name']} is offered as {entry['offered']}, and {entry['installed']} is installed",
            entry["offered"],
            entry["installed"],
            "apt-cache policy",
            PERSON,
            RESTART,
            "run provision with docker_engine_upgrade",
            None,
            last_good,
        )
        for entry in upgrades
    ]


def refined(differences: t.Iterable[Difference], seen: DaemonSeen | None) -> list[Difference]:
    """Return the differences with the cost of putting back daemon.json and its profile as it is on this host.

    A file that dockerd never read costs nothing to put back; one that it was reloaded or restarted with costs that again.
    """
    if seen is None:
        return list(differences)
    paths = {item("file", seen.config_file), *(item("file", path) for path in _profiles(seen))}
    blast = RESTART if not seen.active else _BLAST[needed(seen)]
    content = ("file-edited", "file-missing", "file-replaced")
    return [
        dataclasses.replace(difference, blast=blast if seen.active else NOTHING) if difference.item in paths and difference.name in content else difference
        for difference in differences
    ]


def without_unmounted_by_stop(differences: t.Sequence[Difference]) -> list[Difference]:
    """Return the differences without filesystems that dockerd itself unmounted when it was stopped.

    A clean stop of dockerd unmounts what lies on its directories (moby#36149), and the guards of the role docker_storage mount
    it again before the next start. Where a guard is not as it was left, nothing is taken for granted.
    """
    stopped = any(difference.item == "unit:docker.service" and difference.observed == "inactive" for difference in differences)
    guarded = not any(difference.role == STORAGE_ROLE and difference.item.startswith(("file:", "fstab:")) for difference in differences)
    return [difference for difference in differences if not (stopped and guarded and difference.name == "mount-lost")]


def needed(seen: DaemonSeen) -> str:
    """Return the least force that gives the running daemon the configuration that its role left: LIVE, RELOAD or RESTART."""
    if seen.due:
        return daemon_changes.RESTART
    reloaded = seen.memory.reloaded if seen.invocation == seen.memory.invocation else {}
    return daemon_standing.force(_standing(seen), seen.files, seen.good.seccomp, seen.config, seen.version, reloaded, _disagreements(seen))


def roles_to_run(differences: t.Iterable[Difference], whole: t.Sequence[str]) -> list[str]:
    """Return the roles that mend the differences, in the order of provision.

    Args:
        whole: the roles that make a converge of the host, which are needed where it has to be recorded anew.
    """
    named: set[str] = set()
    for difference in differences:
        if difference.route in (CONVERGE, RESTORE) and difference.role:
            named.add(difference.role)
        elif difference.route == RECORD:
            named.update(whole)
    return [*(role for role in ROLES if role in named), *sorted(named - set(ROLES))]


def place(role: str) -> int:
    """Return where a role stands in the order of provision; what no role mends comes last."""
    return ROLES.index(role) if role in ROLES else len(ROLES) + (not role)


def reloaded_otherwise(attributes: t.Mapping[str, str], config: t.Mapping[str, t.Any], flags: t.Container[str] = ()) -> list[Problem]:
    """Return where a reload gave the daemon something else than the configuration says, or leaves to the engine.

    Args:
        attributes: of the event.
        flags: keys that the unit sets, of which the configuration says nothing.
    """
    left = daemon_info.left_by_reload(attributes, config, flags)
    return [
        *daemon_info.reload_disagreements(attributes, config),
        *(Problem(key, f"the daemon reloaded it as {attributes[key]!r}, but the configuration does not have it") for key in left),
    ]


def reload_in(line: str) -> dict[str, str]:
    """Return what a line of dockerd's journal says of a reload, in the words of the reload event; nothing where it says nothing.

    The line holds the whole configuration after ``Reloaded configuration`` (moby: cmd/dockerd, reloadConfig), without what is
    empty or false.
    """
    match = _RELOADED.search(line)
    try:
        held = json.loads(json.loads(f'"{match["config"]}"')) if match else None
    except (ValueError, RecursionError):
        return {}
    if not isinstance(held, dict):
        return {}
    words = {name: held[name] for name in _TOLD if name in held}
    switches = {name: bool(held.get(name)) for name in _SWITCHES}
    lists = {name: held.get(name) or [] for name in _LISTS}
    return {
        **{name: str(value) for name, value in words.items()},
        **{name: "true" if value else "false" for name, value in switches.items()},
        **{name: json.dumps(value, separators=(",", ":")) for name, value in lists.items()},
    }


def _standing(seen: DaemonSeen) -> Files | None:
    """Return the files whose restart-only settings the daemon has, or None where that is not known."""
    return daemon_standing.base(seen.memory, seen.files, seen.active, seen.invocation, seen.fresh)


def _disagreements(seen: DaemonSeen) -> list[Problem]:
    if seen.info is None:
        return []
    # The root is told by the flags and by the file; here ranges that somebody changed would look like another root.
    return daemon_info.disagreements(seen.info, seen.config, seen.version, None, unit_flags.keys(seen.flags))


def _profiles(seen: DaemonSeen) -> list[str]:
    named = seen.config.get("seccomp-profile")
    return [named] if isinstance(named, str) and named.startswith("/") else []
