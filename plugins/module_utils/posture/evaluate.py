# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Every rule on every subject that it applies to.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import functools
import hashlib
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import severity
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    CONTAINER,
    FAIL,
    HOST,
    UNKNOWN,
    Evidence,
    Finding,
    NotKnown,
    Outcome,
    Rule,
    Subject,
)


def judge(subjects: t.Iterable[Subject], rules: t.Sequence[Rule], host: str = "", context: t.Collection[str] = ()) -> list[Finding]:
    """Return a finding for each rule and each subject that it applies to, passes included, in a fixed order.

    Args:
        rules: see registry.RULES.
        host: the name of the host in the inventory, empty for files.
        context: severity.CONTEXTS that hold for the whole host; those of a subject are added (see `contexts`).
    """
    by_kind: dict[str, list[Rule]] = {}
    for rule in rules:
        for kind in rule.applies_to:
            by_kind.setdefault(kind, []).append(rule)
    return [
        finding(rule, subject, outcome_of(rule, subject), host, around)
        for subject in subjects
        for around in (contexts(subject, context),)
        for rule in by_kind.get(subject.kind, ())
    ]


def outcome_of(rule: Rule, subject: Subject) -> Outcome:
    """Return what a rule says of a subject; what it could not know is UNKNOWN with the reason, never a pass.

    A failure that rests on the known part of a list is a failure, whatever the rest of it may be.
    """
    try:
        return rule.check(subject)
    except NotKnown as unknown:
        outcome = Outcome(UNKNOWN, (Evidence(unknown.source, "unknown"),) if unknown.source else (), unknown.reason)
    known_part = subject.partly()
    if known_part is not None:
        try:
            found = rule.check(known_part)
        except NotKnown:
            return outcome
        if found.status == FAIL:
            return found
    return outcome


def contexts(subject: Subject, context: t.Collection[str] = ()) -> frozenset[str]:
    """Return what makes failures of a subject weaker."""
    found = set(context)
    if subject.known("uid_mapped"):
        found.add(severity.USERNS)
    if subject.known("apparmor_mode") == "enforce" or subject.known("selinux", "") not in ("", "disabled", "spc_t", "unconfined_t"):
        found.add(severity.LSM)
    return frozenset(found)


# There are few different ones, and a judgement for each rule and each subject.
_severity = functools.lru_cache(maxsize=4096)(severity.derive)


def finding(rule: Rule, subject: Subject, outcome: Outcome, host: str, context: frozenset[str]) -> Finding:
    """Return a judgement in the form of the reports."""
    file, line = subject.file, subject.line
    for item in outcome.evidence:
        if item.line:
            file, line = item.file or file, item.line
            break
    # By place and not by name: there are as many of these as subjects times rules.
    return Finding(
        rule.id,
        rule.title,
        _severity(outcome.attacker or rule.attacker, outcome.reach or rule.reach, rule.tempered_by, context),
        outcome.status,
        host,
        subject.name,
        subject.kind,
        file,
        line,
        outcome.evidence,
        outcome.reason,
        rule.why,
        rule.remedy,
        rule.blast,
        rule.variable,
        rule.cis_1_6,
        rule.cis_1_8,
        rule.references,
        fingerprint(rule.id, host, subject) if outcome.status in (FAIL, UNKNOWN) else "",
    )


def fingerprint(rule: str, host: str, subject: Subject) -> str:
    """Return what is the same for a rule and a subject on every run: 16 hexadecimal digits.

    A container is known by the name of its compose or swarm service where it has one, so that a new one with the same
    fault is the same finding.
    """
    name = subject.name
    if subject.kind == CONTAINER:
        name = str(subject.identity.get("service") or name)
    text = "\0".join((rule, host, "" if subject.kind == HOST else name, subject.kind, subject.file))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
