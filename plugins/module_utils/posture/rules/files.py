# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Who owns the files of Docker, and who else can change or read them.

PRIVATE to the collection: no stability is promised to other users.

Modes are compared bit by bit: a mode is right when it has no bit that the wanted one lacks, whatever the numbers say of
each other. What a link points at is judged, and the link is said. A file is as safe as the directories above it: one that
others can rename things in makes any owner and mode of the file worthless.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.checks import not_applicable
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    FAIL,
    HOST,
    PASS,
    Evidence,
    NotKnown,
    Outcome,
    Rule,
    Subject,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.severity import (
    DATA,
    FROM_HOST,
    HOST_ROOT,
    HYGIENE,
    NOTHING,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import FileFacts

# Placeholders for places that settings of the daemon move; empty where nothing is set.
DAEMON_JSON = "{daemon_json}"
SOCKET = "{socket}"
CONTAINERD_SOCKET = "{containerd_socket}"
SERVICE_UNIT = "{docker.service}"
SOCKET_UNIT = "{docker.socket}"
TLS_CA = "{tlscacert}"
TLS_CERT = "{tlscert}"
TLS_KEY = "{tlskey}"
READ_BY_DAEMON = "{read_by_daemon}"
#: All files of these names below the directory, however deep.
REGISTRY_CERTIFICATES = "/etc/docker/certs.d"

_KEY_MODE = 0o400


class FileGroup(t.NamedTuple):
    """Files for which the same is asked.

    Attributes:
        name: of the rule, also the key of the fact ``file_places``.
        what: they, in words.
        paths: where they lie, with placeholders; what a host does not have is passed over.
        mode: the bits that they may have.
        cis: numbers in both releases of the benchmark, of the owner and of the mode.
        why: what happens otherwise.
        secret: whether reading them already gives something away.
        directory_mode: the bits that directories among them may have, where that differs.
        group: whether the group of the API's socket may own them, besides root's.
    """

    name: str
    what: str
    paths: tuple[str, ...]
    mode: int
    cis: tuple[str, ...]
    why: str
    secret: bool = False
    directory_mode: int = 0o755
    group: bool = False


_SERVICE_WHY = "Whoever can change it decides what systemd starts as root."
_CONFIG_WHY = "Whoever can change it decides what the daemon does as root."
_CERTIFICATE_WHY = "Whoever can change it decides whom the daemon or its clients trust."

GROUPS: tuple[FileGroup, ...] = (
    FileGroup("file-docker-service", "the unit of the daemon", (SERVICE_UNIT,), 0o644, ("3.1", "3.2"), _SERVICE_WHY),
    FileGroup("file-docker-socket-unit", "the unit of the API's socket", (SOCKET_UNIT,), 0o644, ("3.3", "3.4"), _SERVICE_WHY),
    FileGroup("file-etc-docker", "the directory of the daemon's configuration", ("/etc/docker",), 0o755, ("3.5", "3.6"), _CONFIG_WHY),
    FileGroup(
        "file-registry-certificates", "the certificates of registries", (REGISTRY_CERTIFICATES,), 0o444, ("3.7", "3.8"), _CERTIFICATE_WHY
    ),
    FileGroup("file-tls-ca", "the certificate of the API's authority", (TLS_CA,), 0o444, ("3.9", "3.10"), _CERTIFICATE_WHY),
    FileGroup("file-tls-certificate", "the certificate of the API", (TLS_CERT,), 0o444, ("3.11", "3.12"), _CERTIFICATE_WHY),
    FileGroup("file-tls-key", "the key of the API", (TLS_KEY,), 0o400, ("3.13", "3.14"), "Whoever can read it can pretend to be the daemon.", secret=True),
    FileGroup(
        "file-docker-socket", "the socket of the API", (SOCKET,), 0o660, ("3.15", "3.16"), "Whoever can write to it is root of the host.", group=True
    ),
    FileGroup("file-daemon-json", "the configuration of the daemon", (DAEMON_JSON,), 0o644, ("3.17", "3.18"), _CONFIG_WHY),
    FileGroup("file-default-docker", "the variables of the daemon on Debian", ("/etc/default/docker",), 0o644, ("3.19", "3.20"), _CONFIG_WHY),
    FileGroup("file-sysconfig-docker", "the variables of the daemon on Red Hat", ("/etc/sysconfig/docker",), 0o644, ("3.21", "3.22"), _CONFIG_WHY),
    FileGroup(
        "file-containerd-socket",
        "the socket of containerd",
        (CONTAINERD_SOCKET,),
        0o660,
        ("3.23", "3.24"),
        "Whoever can write to it starts containers past Docker and all its settings, as root.",
    ),
    FileGroup(
        "file-read-by-daemon",
        "what the daemon's settings name, and the configuration of containerd",
        ("/etc/containerd/config.toml", "/etc/containerd/conf.d", READ_BY_DAEMON),
        0o755,
        (),
        _CONFIG_WHY,
    ),
)


class _Check:
    """The check for one group of files."""

    def __init__(self, group: FileGroup) -> None:
        self._group = group

    def __call__(self, subject: Subject) -> Outcome:
        places = subject.value("file_places").get(self._group.name, ())
        files = subject.fact("files")
        found = {path: files.value.get(path) for path in places}
        there = {path: facts for path, facts in found.items() if isinstance(facts, FileFacts) and facts.kind != "absent"}
        unseen = {path: facts for path, facts in found.items() if not isinstance(facts, FileFacts)}
        owners = subject.value("daemon_owners")
        wrong = []
        reaches = set()
        for path, facts in there.items():
            mode = self._mode(path, facts)
            own_group = self._own_group(subject, facts, owners)
            faults = _faults(facts, owners, own_group, mode)
            if faults:
                wrong.append(Evidence(files.source, f"{_shown(path, facts)}: {'; '.join(faults)}", self._expected(mode)))
                reaches.add(_reach(facts, owners, own_group, self._group.secret or mode == _KEY_MODE))
        if wrong:
            return Outcome(FAIL, tuple(wrong), reach=next(reach for reach in (HOST_ROOT, DATA, HYGIENE) if reach in reaches))
        if unseen:
            path, reason = next(iter(unseen.items()))
            raise NotKnown(reason if isinstance(reason, str) else f"{path} was not looked at", files.source)
        if not there:
            return not_applicable(f"this host does not have {self._group.what}")
        return Outcome(PASS, tuple(Evidence(files.source, _shown(path, facts), self._expected(self._mode(path, facts))) for path, facts in there.items()))

    def _mode(self, path: str, facts: FileFacts) -> int:
        if facts.kind == "directory":
            return self._group.directory_mode
        return _KEY_MODE if path.endswith(".key") else self._group.mode

    def _expected(self, mode: int) -> str:
        group = " or the API's" if self._group.group else ""
        return f"owner root, group root{group}, no mode bits besides {mode:04o}, and nobody else can change the directories above"

    def _own_group(self, subject: Subject, facts: FileFacts, owners: tuple[int, ...]) -> bool:
        # The group of a user's own daemon is the user's.
        if facts.gid == 0 or (facts.uid != 0 and facts.uid in owners):
            return True
        return self._group.group and facts.group == subject.value("api_socket_group")


def _faults(facts: FileFacts, owners: tuple[int, ...], own_group: bool, mode: int) -> list[str]:
    faults = []
    if facts.uid not in owners:
        faults.append(f"belongs to {facts.owner}")
    if not own_group:
        faults.append(f"belongs to the group {facts.group}")
    # A sticky directory lets others do less, not more.
    surplus = facts.mode & 0o7777 & ~(mode | (0o1000 if facts.kind == "directory" else 0))
    if surplus:
        faults.append(f"has the mode {facts.mode:04o}, with {_bits(surplus)}")
    if facts.weak_parent:
        faults.append(f"{facts.weak_parent} can be changed by others")
    return faults


def _reach(facts: FileFacts, owners: tuple[int, ...], own_group: bool, secret: bool) -> str:
    """Return what others get: the daemon, when they can write; what they read, when that is a secret."""
    others = 0o007 | (0 if own_group else 0o070)
    if facts.uid not in owners or facts.weak_parent or facts.mode & others & 0o022:
        return HOST_ROOT
    return DATA if secret and facts.mode & others & 0o044 else HYGIENE


def _shown(path: str, facts: FileFacts) -> str:
    linked = f" -> {facts.link}" if facts.link else ""
    return f"{path}{linked}, {facts.owner}:{facts.group} {facts.mode:04o}"


def _bits(bits: int) -> str:
    words = []
    for shift, who in ((6, "the owner"), (3, "the group"), (0, "others")):
        letters = "".join(letter for letter, bit in (("r", 4), ("w", 2), ("x", 1)) if bits >> shift & bit)
        if letters:
            words.append(f"{letters} for {who}")
    words += [name for name, bit in (("setuid", 0o4000), ("setgid", 0o2000), ("sticky", 0o1000)) if bits & bit]
    return ", ".join(words)


def _rule(group: FileGroup) -> Rule:
    return Rule(
        id=group.name,
        title=f"Only root can change {group.what}" if group.mode & 0o004 else f"Nobody but those who must can use {group.what}",
        why=group.why,
        applies_to=(HOST,),
        check=_Check(group),
        attacker=FROM_HOST,
        reach=DATA if group.secret else HOST_ROOT,
        remedy=f"Give it to root and take the other mode bits away (chown root, chmod {group.mode:04o}); mend the directories above it where they are named.",
        blast=NOTHING,
        cis_1_6=group.cis,
        cis_1_8=group.cis,
    )


RULES = tuple(_rule(group) for group in GROUPS)
