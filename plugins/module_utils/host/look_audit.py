# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What the kernel's audit watches on this host, and what it should watch of Docker.

PRIVATE to the collection: no stability is promised to other users.

Only loaded rules count. Where the kernel does not show them, the files of rules say what is declared, which becomes part of
the reason why it is not known.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, files
from ansible_collections.bulkhead.docker.plugins.module_utils.host.path_owners import Paths, Unreadable
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import audit_watch
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import AuditWatch

RULES_FILE = "/etc/audit/audit.rules"
RULES_DIRECTORY = "/etc/audit/rules.d"
_TIMEOUT = 10

Facts = dict[str, t.Union[Fact, Unknown]]


def look(
    paths: Paths,
    data_root: str,
    socket: str,
    daemon_json: str,
    mount_points: t.Container[str] = (),
    run: t.Callable[..., commands.CommandResult] = commands.run,
    installed: bool = True,
) -> Facts:
    """Return the facts audit_enabled, audit_watches, audit_declared and audited_paths.

    Args:
        paths: how paths are looked at.
        data_root, socket, daemon_json: places that settings of the daemon move; see audit_watch.places.
        mount_points: of the host.
        run: runs auditctl.
        installed: whether there is one.
    """
    declared = _declared(paths)
    found: Facts = {"audited_paths": _audited(paths, data_root, socket, daemon_json, mount_points), "audit_declared": declared}
    if not installed:
        # Without the tool nobody has loaded rules, and nobody could tell.
        reason = "auditctl is not installed"
        found["audit_enabled"] = Fact(False, reason)
        found["audit_watches"] = Fact((), reason)
        return found
    try:
        listed = run(["auditctl", "-l"], timeout=_TIMEOUT, check=False)
        status = run(["auditctl", "-s"], timeout=_TIMEOUT, check=False)
    except commands.CommandError as error:
        found["audit_enabled"] = found["audit_watches"] = Unknown(str(error), "auditctl")
        return found
    for name, done, make in (("audit_watches", listed, _watches), ("audit_enabled", status, _enabled)):
        found[name] = make(done.stdout, paths, declared) if done.rc == 0 else Unknown(_refusal(done), f"auditctl {'-l' if done is listed else '-s'}")
    watches = found["audit_watches"]
    if isinstance(watches, Fact) and listed.rc == 0:
        silenced = audit_watch.parse(listed.stdout).silenced
        if silenced:
            found["audit_enabled"] = Fact(False, f"auditctl -l: {silenced}")
    return found


def _watches(text: str, paths: Paths, declared: Fact | Unknown) -> Fact:
    # auditctl shows a rule for one directory as -w, as it shows one for all below it; the files tell them apart.
    single = {watch.path for watch in declared.value if not watch.recursive} if isinstance(declared, Fact) else set()
    whole = {watch.path for watch in declared.value if watch.recursive} if isinstance(declared, Fact) else set()
    loaded = audit_watch.parse(text, lambda path: paths.is_directory(path) and not (paths.place(path) in single and paths.place(path) not in whole))
    return Fact(_resolved(loaded.watches, paths), "auditctl -l")


def _enabled(text: str, _paths: Paths, _declared: Fact | Unknown) -> Fact | Unknown:
    enabled = audit_watch.enabled_by(text)
    return Unknown("auditctl does not say whether the audit is on", "auditctl -s") if enabled is None else Fact(enabled, "auditctl -s")


def _resolved(watches: t.Iterable[AuditWatch], paths: Paths) -> tuple[AuditWatch, ...]:
    """Return watches with the paths that the kernel made of theirs: it follows links, except for the last component of a file's path."""
    return tuple(watch._replace(path=paths.real(watch.path) if watch.recursive else paths.place(watch.path)) for watch in watches)


def _declared(paths: Paths) -> Fact | Unknown:
    """Return the watches of the files of rules."""
    texts = []
    try:
        names = [name for name in paths.names(RULES_DIRECTORY) if name.endswith(".rules")]
        for path in [f"{RULES_DIRECTORY}/{name}" for name in names] or [RULES_FILE]:
            text = files.read_text(os.path.realpath(paths.on_host(path)))
            texts.append(text or "")
    except (Unreadable, files.FileError) as error:
        return Unknown(str(error), RULES_DIRECTORY)
    # augenrules puts control rules of all files first and last; -D among the others is its own.
    kept = "\n".join(line for text in texts for line in text.splitlines() if not line.strip().startswith("-D"))
    loaded = audit_watch.parse(kept, paths.is_directory)
    return Fact(_resolved(loaded.watches, paths), RULES_DIRECTORY if names else RULES_FILE)


def _audited(paths: Paths, data_root: str, socket: str, daemon_json: str, mount_points: t.Container[str]) -> Fact:
    found: dict[str, dict[str, str]] = {}
    for watched in audit_watch.WATCHED:
        places = audit_watch.places(watched, data_root, socket, daemon_json)
        there = dict.fromkeys(paths.real(path) for path in places if paths.exists(path))
        # A unit that is masked is a link to /dev/null.
        found[watched.name] = {path: _kind(paths, path, mount_points) for path in there if not path.startswith("/dev/")}
    return Fact(found, "stat of the paths of Docker")


def _kind(paths: Paths, path: str, mount_points: t.Container[str]) -> str:
    if path in mount_points:
        return audit_watch.MOUNT_POINT
    return audit_watch.DIRECTORY if paths.is_directory(path) else audit_watch.FILE


def _refusal(done: commands.CommandResult) -> str:
    said = " ".join((done.stderr.strip() or done.stdout.strip() or f"status {done.rc}").split())[:200]
    return f"auditctl does not show the loaded rules: {said}"
