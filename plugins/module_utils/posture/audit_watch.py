# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What of Docker the kernel's audit has to watch, and what rules of audit say that they watch.

PRIVATE to the collection: no stability is promised to other users.

The list is read by those who judge (rules/audit_rules.py) and by those who write rules of audit (the role docker_auditd):
what the one asks for, the other sets.

Two directories are not watched with all that happens below. Every file that a container writes lies below the data root,
and every start of a container makes a few dozen files below /run/containerd; a recursive watch writes a record for each, so
that the records that matter are lost among them, or in a queue that overflows. There one of two is enough: to watch the
directory itself, and those inside that only the engine fills, for who puts something in or takes something out; or to
watch all below for what people do (``auid!=unset``), which is silent about daemons and containers.

Sources: auditctl(8), audit.rules(7), kernel/auditfilter.c and kernel/audit_watch.c (a watch on a directory's inode fires
for what is made or removed directly in it; the last component of a watched path is followed neither when it is a link nor
into what is mounted on it).
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import text_lines
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import AuditWatch

# Writes, and changes of owner, mode or other attributes.
CHANGES = "wa"
EVERYTHING = "rwxa"
KEY = "docker"

# What lies at a path, as far as it decides which rule watches it.
FILE = "file"
DIRECTORY = "directory"
MOUNT_POINT = "mount point"

# Placeholders for what another setting moves.
DATA_ROOT = "{data_root}"
SOCKET = "{socket}"
DAEMON_JSON = "{daemon_json}"


class Watched(t.NamedTuple):
    """One thing that has to be watched.

    Attributes:
        name: of the rule that asks for it, also the key of the fact ``audited_paths``.
        what: it, in words.
        paths: where it lies; every one that a host has is watched. The placeholders above stand for places that settings move.
        cis: its number in the CIS Docker Benchmark, the same in 1.6 and 1.8.
        permissions: what has to be recorded, as auditctl writes it.
        recursive: whether all below a directory is watched too. Where not, a rule that does so is accepted all the same.
        busy: whether daemons and containers change so much below it that what people do is enough.
        key: by which the records are found.
    """

    name: str
    what: str
    paths: tuple[str, ...]
    cis: str
    permissions: str = CHANGES
    recursive: bool = False
    busy: bool = False
    key: str = KEY


def _programs(name: str) -> tuple[str, ...]:
    return tuple(f"{directory}/{name}" for directory in ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"))


def _units(name: str) -> tuple[str, ...]:
    return tuple(f"{directory}/{name}" for directory in ("/usr/lib/systemd/system", "/lib/systemd/system", "/etc/systemd/system"))


WATCHED: tuple[Watched, ...] = (
    Watched("audit-dockerd", "the program of the daemon", _programs("dockerd"), "1.1.3"),
    Watched("audit-run-containerd", "the directory of containerd's sockets and state", ("/run/containerd",), "1.1.4", busy=True),
    Watched(
        "audit-data-root",
        "the data root, and the directories in it that only the engine fills",
        (DATA_ROOT, f"{DATA_ROOT}/containers", f"{DATA_ROOT}/volumes", f"{DATA_ROOT}/plugins", f"{DATA_ROOT}/swarm"),
        "1.1.5",
        busy=True,
    ),
    Watched("audit-etc-docker", "the directory of the daemon's configuration", ("/etc/docker",), "1.1.6", recursive=True),
    Watched("audit-docker-service", "the unit of the daemon", (*_units("docker.service"), "/etc/systemd/system/docker.service.d"), "1.1.7", recursive=True),
    Watched("audit-containerd-socket", "the socket of containerd", ("/run/containerd/containerd.sock",), "1.1.8"),
    Watched("audit-docker-socket", "the socket of the API, and the unit that makes it", (SOCKET, *_units("docker.socket")), "1.1.9"),
    Watched("audit-default-docker", "the variables of the daemon on Debian", ("/etc/default/docker",), "1.1.10"),
    Watched("audit-daemon-json", "the configuration of the daemon", (DAEMON_JSON,), "1.1.11"),
    Watched("audit-containerd-config", "the configuration of containerd", ("/etc/containerd/config.toml",), "1.1.12"),
    Watched("audit-sysconfig-docker", "the variables of the daemon on Red Hat", ("/etc/sysconfig/docker",), "1.1.13"),
    Watched("audit-containerd", "the program of containerd", _programs("containerd"), "1.1.14"),
    Watched("audit-containerd-shim", "the first shim of containerd", _programs("containerd-shim"), "1.1.15"),
    Watched("audit-containerd-shim-runc-v1", "the shim of runc, version 1", _programs("containerd-shim-runc-v1"), "1.1.16"),
    Watched("audit-containerd-shim-runc-v2", "the shim of runc, version 2", _programs("containerd-shim-runc-v2"), "1.1.17"),
    Watched("audit-runc", "the program that starts containers", _programs("runc"), "1.1.18"),
)
BY_NAME: dict[str, Watched] = {watched.name: watched for watched in WATCHED}


def places(watched: Watched, data_root: str, socket: str, daemon_json: str) -> tuple[str, ...]:
    """Return the paths of something that has to be watched, with the settings of a host filled in.

    Args:
        data_root: the effective root of the daemon.
        socket: path of the API's socket; empty where the daemon has none.
        daemon_json: path of the daemon's configuration.
    """
    filled = ((path, path.replace(DATA_ROOT, data_root).replace(SOCKET, socket).replace(DAEMON_JSON, daemon_json)) for path in watched.paths)
    return tuple(path for _pattern, path in filled if path.startswith("/"))


class Loaded(t.NamedTuple):
    """What a list of audit's rules comes to.

    Attributes:
        watches: what is recorded without any condition but that people do it. The paths are those of the rules.
        silenced: why nothing is recorded whatever the watches say; empty when nothing stands against them.
        enabled: what the list itself says with ``-e``; None where it says nothing.
        narrower: by path, why a rule about it records only a part.
    """

    watches: tuple[AuditWatch, ...] = ()
    silenced: str = ""
    enabled: bool | None = None
    narrower: t.Mapping[str, str] = {}


class _Rule(t.NamedTuple):
    action: str
    filter: str
    path: str
    recursive: bool | None
    permissions: str
    arch: str
    condition: str
    people: bool = False


# How auditctl writes and prints the mark of a login that is not there.
_PEOPLE = frozenset(f"auid!={value}" for value in ("unset", "-1", "4294967295"))


def parse(text: str, is_directory: t.Callable[[str], bool] = lambda _path: False) -> Loaded:
    """Return what rules of audit watch, from the output of ``auditctl -l`` or from a file of rules.

    A rule with a condition (a user, a result, a list of system calls ...) records a part only and is no watch. A rule for
    one of two architectures is one only together with its twin. The first rule that matches decides, so ``never`` before
    a watch takes it away.

    Args:
        is_directory: whether a path is a directory, which decides what ``-w`` and ``-p`` mean for it.
    """
    rules: list[_Rule] = []
    enabled: bool | None = None
    for line in text_lines.lines_of(text):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "-D":
            rules = []
        elif words[0] == "-e" and len(words) > 1:
            enabled = words[1] != "0"
        elif words[0] == "-W" and len(words) > 1:
            rules = [rule for rule in rules if rule.path != _trimmed(words[1])]
        elif words[0] == "-w" and len(words) > 1:
            rules.append(_watch(words))
        elif words[0] in ("-a", "-A", "-d") and len(words) > 1:
            rule = _syscall_rule(words)
            if rule is None:
                continue
            if words[0] == "-d":
                rules = [other for other in rules if other != rule]
            else:
                rules.insert(0 if words[0] == "-A" else len(rules), rule)
    return _judged(rules, enabled, is_directory)


def enabled_by(text: str) -> bool | None:
    """Return whether ``auditctl -s`` says that the kernel's audit is on (1, or 2 for locked); None where it does not say."""
    for line in text.splitlines():
        words = line.replace("=", " ").split()
        # Old releases print one line: AUDIT_STATUS: enabled=1 flag=1 pid=...
        if "enabled" in words and words.index("enabled") + 1 < len(words):
            return {"0": False, "1": True, "2": True}.get(words[words.index("enabled") + 1])
    return None


def covered(watches: t.Iterable[AuditWatch], watched: Watched, path: str, kind: str) -> bool:
    """Tell whether watches record what is asked for of exactly this path, or of a directory above it with all below.

    Args:
        watched: what the path belongs to; all its permissions have to be recorded, by one watch or by several.
        path: without links.
        kind: FILE, DIRECTORY or MOUNT_POINT.
    """
    recorded: set[str] = set()
    for watch in watches:
        if watch.people and not watched.busy:
            continue
        above = watch.recursive and (path == watch.path or path.startswith(watch.path.rstrip("/") + "/"))
        exact = watch.path == path and kind != MOUNT_POINT and not (watched.recursive and kind == DIRECTORY)
        if above or exact:
            recorded.update(watch.permissions)
    return recorded.issuperset(watched.permissions)


def rule_lines(watched: Watched, paths: t.Iterable[str], is_directory: t.Callable[[str], bool]) -> tuple[str, ...]:
    """Return the rules of audit for something that has to be watched, as auditctl reads them; `parse` reads them back.

    Args:
        paths: the places that the host has, without links.
        is_directory: whether a path is a directory.
    """
    return tuple(
        f"-a always,exit -F {'dir' if watched.recursive and is_directory(path) else 'path'}={path} -F perm={watched.permissions} -F key={watched.key}"
        for path in paths
    )


def _watch(words: t.Sequence[str]) -> _Rule:
    permissions, condition = EVERYTHING, ""
    rest = list(words[2:])
    while rest:
        option = rest.pop(0)
        value = rest.pop(0) if rest else ""
        if option == "-p":
            permissions = value
        elif option != "-k":
            condition = f"{option} {value}".strip()
    return _Rule("always", "exit", _trimmed(words[1]), None, permissions, "", condition)


def _syscall_rule(words: t.Sequence[str]) -> _Rule | None:
    parts = words[1].split(",")
    if len(parts) != 2:
        return None
    action, list_name = parts if parts[0] in ("always", "never", "possible") else reversed(parts)
    path, permissions, arch, condition = "", EVERYTHING, "", ""
    recursive: bool | None = None
    people = False
    rest = list(words[2:])
    while rest:
        option = rest.pop(0)
        value = rest.pop(0) if rest else ""
        name, equals, given = value.partition("=")
        plain = option == "-F" and equals and not name.endswith(("!", "<", ">", "&"))
        if plain and name == "path":
            path, recursive = _trimmed(given), False
        elif plain and name == "dir":
            path, recursive = _trimmed(given), True
        elif plain and name == "perm":
            permissions = given
        elif plain and name == "arch":
            arch = given
        elif (plain and name == "key") or option == "-k" or (option == "-S" and value == "all"):
            continue
        elif option == "-p":
            permissions = value
        elif option == "-F" and value in _PEOPLE:
            people = True
        else:
            condition = f"{option} {value}".strip()
    return _Rule(action, list_name, path, recursive, permissions, arch, condition, people)


def _judged(rules: t.Sequence[_Rule], enabled: bool | None, is_directory: t.Callable[[str], bool]) -> Loaded:
    watches: list[AuditWatch] = []
    halves: dict[AuditWatch, set[bool]] = {}
    narrower: dict[str, str] = {}
    silenced = ""
    # What a rule with never takes from those after it.
    never: list[AuditWatch] = []
    for rule in rules:
        if rule.action == "never" and rule.filter == "task" and not rule.condition and not rule.people:
            silenced = silenced or "-a never,task takes system calls of every process out of the audit"
        if rule.filter != "exit":
            continue
        recursive = is_directory(rule.path) if rule.recursive is None else rule.recursive
        watch = AuditWatch(rule.path, rule.permissions, recursive, rule.people)
        if rule.action == "never":
            if rule.people:
                continue
            if not rule.condition and not rule.path and not rule.arch:
                silenced = silenced or "-a never,exit takes every system call out of the audit"
            elif not rule.condition and rule.path:
                never.append(watch)
            continue
        if rule.action != "always" or not rule.path:
            continue
        if rule.condition:
            narrower.setdefault(rule.path, f"only with {rule.condition}")
        elif any(_takes(taking, watch) for taking in never):
            narrower.setdefault(rule.path, "a rule with never comes before it")
        elif rule.arch:
            seen = halves.setdefault(watch, set())
            seen.add("32" in rule.arch or rule.arch in ("i386", "i486", "i586", "i686", "arm", "ppc", "s390"))
            if len(seen) == 2:
                watches.append(watch)
        else:
            watches.append(watch)
    for watch, seen in halves.items():
        if len(seen) == 1:
            narrower.setdefault(watch.path, f"only system calls of {'32' if True in seen else '64'} bits")
    known = {watch.path for watch in watches}
    return Loaded(tuple(watches), silenced, enabled, {path: why for path, why in narrower.items() if path not in known})


def _takes(never: AuditWatch, watch: AuditWatch) -> bool:
    same = never.path == watch.path or (never.recursive and watch.path.startswith(never.path.rstrip("/") + "/"))
    return same and bool(set(never.permissions) & set(watch.permissions))


def _trimmed(path: str) -> str:
    return path.rstrip("/") or "/"
