# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The rules by which the kernel's audit watches Docker on this host: their file, what the kernel has of them, loading them.

PRIVATE to the collection: no stability is promised to other users.

Only rules with our key are taken out of the kernel or put into it; those of others are never flushed, as loading all files
anew would do. After loading, the kernel is asked whether it has exactly ours.
"""

from __future__ import annotations

import dataclasses
import os
import stat
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_json
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    daemon_facts,
    files,
    managed_files,
    systemd,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import Daemon
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import audit_text, audit_watch

RULES_FILE = "/etc/audit/rules.d/50-bulkhead-docker.rules"
TMPFILES_FILE = "/etc/tmpfiles.d/bulkhead-auditd.conf"
CONFIG_FILE = "/etc/docker/daemon.json"
DEFAULT_SOCKET = "/run/docker.sock"
UNIT = "auditd.service"
_RULES_MODE = 0o640
_TMPFILES_MODE = 0o644
# Rules are loaded before any daemon makes its directories there, and one for a path without a directory fails.
_MADE_AT_BOOT = ("/run/containerd",)
_TMPFILES_TEXT = """\
# Managed by the Ansible collection bulkhead.docker, role docker_auditd; changes are overwritten.
# The rules of audit are loaded before containerd makes this directory, and one for its socket needs it.
"""


class AuditError(Exception):
    """The rules are refused, or the kernel does not have what it was given; the message is for the user and complete."""


@dataclasses.dataclass(frozen=True)
class Places:
    """Where the daemon keeps what other settings move.

    Attributes:
        data_root: the directory that it is told to use.
        effective_root: the one that it does use.
        sockets: of its API.
    """

    data_root: str
    effective_root: str
    sockets: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Kernel:
    """What the kernel's audit says.

    Attributes:
        unreachable: why it says nothing, in words that end a sentence; empty when it answers.
        enabled: 0 for off, 1 for on, 2 for on and locked until the next boot.
        silenced: a rule of somebody else that takes everything out of the audit; empty for none.
        rules: those with our key.
    """

    unreachable: str = ""
    enabled: int = 0
    silenced: str = ""
    rules: frozenset[audit_text.Rule] = frozenset()

    @property
    def locked(self) -> bool:
        """Whether no rule can be loaded before the next boot."""
        return self.enabled == 2


@dataclasses.dataclass(frozen=True)
class Plan:
    """What has to be done.

    Attributes:
        wanted: the rules, empty when there are to be none.
        kernel: what it has now.
        files: that change.
        skipped: by path that the host has, why it is not watched.
        tool_missing: whether auditctl is not installed.
        starts: whether auditd has to be started, which switches the audit on.
    """

    wanted: frozenset[audit_text.Rule]
    kernel: Kernel
    files: tuple[managed_files.Difference, ...] = ()
    skipped: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    tool_missing: bool = False
    starts: bool = False

    @property
    def add(self) -> frozenset[audit_text.Rule]:
        """Rules that the kernel lacks."""
        return frozenset() if self.kernel.unreachable else self.wanted - self.kernel.rules

    @property
    def remove(self) -> frozenset[audit_text.Rule]:
        """Rules that the kernel has and that are no longer wanted."""
        return frozenset() if self.kernel.unreachable else self.kernel.rules - self.wanted

    @property
    def loads(self) -> bool:
        """Whether the kernel gets other rules in this run."""
        return bool(self.add or self.remove) and not self.kernel.locked

    @property
    def changes(self) -> bool:
        """Whether a run changes anything."""
        return bool(self.files or self.loads or self.starts)

    def as_diff(self) -> list[dict[str, str]]:
        """Return what differs in the form that Ansible shows: the files, and the rules that the kernel gets."""
        shown = [difference.as_diff() for difference in self.files]
        if self.loads:
            before, after = ("".join(f"{rule}\n" for rule in sorted(map(str, rules))) for rules in (self.kernel.rules, self.wanted))
            shown.append({"before_header": "auditctl -l", "after_header": "auditctl -l", "before": before, "after": after})
        return shown

    def predicted(self) -> Kernel:
        """Return what the kernel would say afterwards, as far as anybody can tell."""
        if self.kernel.unreachable:
            return self.kernel
        rules = self.wanted if self.loads else self.kernel.rules
        return dataclasses.replace(self.kernel, rules=rules, enabled=1 if self.starts else self.kernel.enabled)


def places(data_root: str = "", socket: str = "") -> Places:
    """Return where the daemon of this host keeps its things.

    Args:
        data_root, socket: instead of what daemon.json and the unit say.
    """
    daemon = Daemon(CONFIG_FILE)
    flags = daemon.unit().flags
    try:
        config = daemon_json.parse(files.read_text(CONFIG_FILE) or "{}")
    except (files.FileError, ValueError):
        # Somebody else's business; the rules are for what is there all the same.
        config = {}
    given = data_root or daemon_facts.data_root(config, flags)
    effective = daemon_facts.effective_root({**config, "data-root": given}, flags)
    hosts = [*(config.get("hosts") or []), *flags.get("host", [])]
    sockets = [host[len("unix://") :] for host in map(str, hosts) if host.startswith("unix:///")]
    return Places(given, effective or given, (socket,) if socket else tuple(dict.fromkeys(sockets or [DEFAULT_SOCKET])))


def make(where: Places, present: bool = True, people: bool = True, tolerant: bool = True) -> Plan:
    """Look at the host without changing anything.

    Args:
        present: whether there are to be rules at all.
        people: whether what people do below the data root is recorded as well.
        tolerant: see audit_text.document.

    Raises:
        files.FileError: a file of ours is something else than a file.
    """
    rules, skipped, parents = _rules(where, people) if present else ([], {}, [])
    text = audit_text.document(rules, tolerant) if rules else None
    directories = "".join(f"d {path} {_mode(path)} {_owner(path)} -\n" for path in parents)
    found = managed_files.differences(
        {
            RULES_FILE: (text, _RULES_MODE),
            TMPFILES_FILE: (_TMPFILES_TEXT + directories if directories else None, _TMPFILES_MODE),
        }
    )
    missing = commands.find("auditctl") is None
    kernel = Kernel("auditctl is not installed") if missing else look()
    starts = bool(rules) and not kernel.unreachable and kernel.enabled == 0 and not systemd.has_failed(UNIT)
    return Plan(audit_text.ours(text or ""), kernel, tuple(found), skipped, missing, starts)


def look() -> Kernel:
    """Ask the kernel for the state of its audit."""
    status = commands.run(["auditctl", "-s"], timeout=20, check=False)
    listed = commands.run(["auditctl", "-l"], timeout=20, check=False)
    enabled = _enabled(status.stdout)
    if status.rc or listed.rc or enabled is None:
        return Kernel(_why_unreachable(status if status.rc else listed))
    return Kernel("", enabled, audit_watch.parse(listed.stdout).silenced, audit_text.ours(listed.stdout))


def carry_out(plan: Plan) -> Kernel:
    """Write the files, load the rules, and return what the kernel then says.

    Raises:
        AuditError: it does not have exactly our rules, although it answers and is not locked.
    """
    managed_files.apply(plan.files)
    if any(difference.path == RULES_FILE for difference in plan.files) and commands.find("augenrules"):
        # Puts all files together for a boot that reads only the one; loads nothing.
        commands.run(["augenrules"], check=False)
    if plan.kernel.unreachable:
        return plan.kernel
    said = ""
    if plan.loads:
        if plan.kernel.rules:
            commands.run(["auditctl", "-D", "-k", audit_text.KEY])
        if plan.wanted:
            said = commands.run(["auditctl", "-R", RULES_FILE], check=False).stderr
    if plan.starts:
        systemd.start(UNIT)
    after = look()
    if not after.unreachable and not after.locked and after.rules != plan.wanted:
        raise AuditError(_difference(plan.wanted, after.rules, said))
    return after


def not_loaded(plan: Plan, kernel: Kernel) -> str:
    """Return why the kernel does not have the rules; empty when it has them."""
    if kernel.unreachable:
        return kernel.unreachable
    if kernel.rules == plan.wanted:
        return ""
    return "its rules are locked until the next boot (-e 2); reboot to load them" if kernel.locked else "it has others"


def not_recording(kernel: Kernel) -> str:
    """Return why a kernel that has the rules records nothing; empty when it does."""
    if kernel.enabled == 0:
        return "the audit of the kernel is off, and auditd has not switched it on; see systemctl status auditd, and audit=0 on the kernel's command line"
    return kernel.silenced


def _rules(where: Places, people: bool) -> tuple[list[str], dict[str, str], list[str]]:
    """Return the rules for what this host has, what cannot be watched, and the directories that have to be made at boot."""
    rules: list[str] = []
    skipped: dict[str, str] = {}
    parents: list[str] = []
    for watched in audit_watch.WATCHED:
        asked = [path for socket in where.sockets for path in audit_watch.places(watched, where.effective_root, socket, CONFIG_FILE)]
        # A unit that is masked is a link to /dev/null.
        there = dict.fromkeys(os.path.realpath(path) for path in asked if os.path.exists(path))
        good = []
        for path in (path for path in there if not path.startswith("/dev/")):
            reason = _unwatchable(path)
            if reason:
                skipped[path] = reason
            else:
                good.append(path)
                parents += [parent for parent in _MADE_AT_BOOT if path.startswith(parent + "/") and parent not in parents]
        rules += audit_text.lines(watched, good, os.path.isdir, os.path.ismount)
    roots = dict.fromkeys(os.path.realpath(path) for path in (where.data_root, where.effective_root) if os.path.isdir(path))
    if people:
        # One rule for the outer directory holds the inner one.
        rules += [
            audit_text.people(path)
            for path in roots
            if not _unwatchable(path) and not any(path.startswith(other.rstrip("/") + "/") for other in roots)
        ]
    return rules, skipped, parents


def _unwatchable(path: str) -> str:
    if not audit_text.writable(path):
        return "a file of rules cannot hold a path with blanks or control characters"
    parent = os.path.dirname(path)
    if path.startswith("/run/") and parent != "/run" and parent not in _MADE_AT_BOOT:
        return "its directory does not exist at boot, when the rules are loaded"
    return ""


def _mode(path: str) -> str:
    return f"{stat.S_IMODE(os.stat(path).st_mode):04o}"


def _owner(path: str) -> str:
    status = os.stat(path)
    return f"{status.st_uid} {status.st_gid}"


def _enabled(text: str) -> int | None:
    for line in text.splitlines():
        words = line.replace("=", " ").split()
        if "enabled" in words[:-1]:
            value = words[words.index("enabled") + 1]
            return int(value) if value.isdecimal() else None
    return None


def _why_unreachable(done: commands.CommandResult) -> str:
    said = " ".join((done.stderr.strip() or done.stdout.strip() or f"status {done.rc}").split())[:200]
    return f"the kernel's audit does not answer here ({said}); in a container it cannot, and elsewhere it needs root and a kernel with CONFIG_AUDIT"


def _difference(wanted: frozenset[audit_text.Rule], found: frozenset[audit_text.Rule], said: str) -> str:
    lacking = [str(rule) for rule in sorted(wanted - found, key=str)]
    surplus = [str(rule) for rule in sorted(found - wanted, key=str)]
    parts = [f"it lacks {'; '.join(lacking)}"] if lacking else []
    parts += [f"it still has {'; '.join(surplus)}"] if surplus else []
    detail = " ".join(said.split())[:300]
    return f"The kernel does not have the rules that it was given: {', '.join(parts)}" + (f". auditctl said: {detail}" if detail else ".")


def problems(where: Places) -> list[Problem]:
    """Return why rules for these places would be no good."""
    return [
        Problem(name, f"is {value!r}, which is no absolute path; give one")
        for name, value in (("data_root", where.data_root), *(("socket", socket) for socket in where.sockets))
        if not value.startswith("/")
    ]
