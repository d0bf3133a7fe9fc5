# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the kernel's audit records who changes the programs, settings and sockets of Docker.

PRIVATE to the collection: no stability is promised to other users.

One rule for each thing of audit_watch.WATCHED. A rule of audit counts when it is loaded, the audit is on, and it records
all that is asked for of exactly that path or of a directory above it with all below; one for a path that begins alike does
not, and neither does one with a condition.
"""

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import audit_watch
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.audit_watch import Watched
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.checks import failed, not_applicable, passed
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    FAIL,
    HOST,
    Evidence,
    Fact,
    NotKnown,
    Outcome,
    Rule,
    Subject,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.severity import FROM_HOST, NOTHING, TRACES
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import AuditWatch

_MEANING = {"r": "reading", "w": "writing", "x": "execution", "a": "changes of owner and mode"}


class _Check:
    """The check for one thing that has to be watched."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._asked = f"a loaded rule that records {' and '.join(_MEANING[letter] for letter in watched.permissions)}"

    def __call__(self, subject: Subject) -> Outcome:
        paths = subject.value("audited_paths").get(self._watched.name, {})
        if not paths:
            return not_applicable(f"this host does not have {self._watched.what}")
        enabled = subject.fact("audit_enabled")
        if not enabled.value:
            return failed(enabled, "the audit of the kernel is on", "it is off, or silenced: nothing is recorded", f"{', '.join(paths)}: not watched")
        watches = self._watches(subject, paths)
        missing = self._missing(watches.value, paths)
        if not missing:
            return passed(watches, self._asked, f"watched: {', '.join(paths)}")
        return Outcome(FAIL, tuple(self._lacking(watches, path, paths[path]) for path in missing))

    def _watches(self, subject: Subject, paths: dict[str, str]) -> Fact:
        try:
            return subject.fact("audit_watches")
        except NotKnown as unknown:
            declared = subject.known("audit_declared")
            if declared is None:
                raise
            lacking = self._missing(declared, paths)
            said = f"no file of rules declares one for {', '.join(lacking)}" if lacking else "the files of rules declare what is asked for"
            raise NotKnown(f"{unknown.reason}; {said}", unknown.source) from None

    def _missing(self, watches: tuple[AuditWatch, ...], paths: dict[str, str]) -> list[str]:
        return [path for path, kind in paths.items() if not audit_watch.covered(watches, self._watched, path, kind)]

    def _lacking(self, watches: Fact, path: str, kind: str) -> Evidence:
        near = next((watch for watch in watches.value if watch.path == path), None)
        if near is None:
            found = "not watched"
        elif near.people and not self._watched.busy:
            found = "watched only for what people do"
        elif not set(self._watched.permissions) <= set(near.permissions):
            found = f"watched for {near.permissions}, not for {self._watched.permissions}"
        elif kind == audit_watch.MOUNT_POINT:
            found = "watched below what is mounted there, which is deaf; it takes a rule for the directory with all below"
        else:
            found = "watched, but not what lies below"
        return Evidence(watches.source, f"{path}: {found}", self._asked)


def _rule(watched: Watched) -> Rule:
    return Rule(
        id=watched.name,
        title=f"The audit watches {watched.what}",
        why="Without it nobody can tell afterwards who changed it and when; with it an intruder leaves a trace on the way to the engine.",
        applies_to=(HOST,),
        check=_Check(watched),
        attacker=FROM_HOST,
        reach=TRACES,
        remedy="Load a rule of audit for it, and keep it in /etc/audit/rules.d; the role docker_auditd does both.",
        blast=NOTHING,
        variable="docker_auditd_rules",
        cis_1_6=(watched.cis,),
        cis_1_8=(watched.cis,),
    )


RULES = tuple(_rule(watched) for watched in audit_watch.WATCHED)
