# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Failures that somebody accepts: who, why, and until when. What is expired or covers nothing is a finding itself.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import datetime
import fnmatch
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import evaluate, severity
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    FAIL,
    Evidence,
    Finding,
    Rule,
    Subject,
)

WAIVER = "waiver"
_KEYS = ("rule", "subject", "kind", "host", "image", "label", "owner", "reason", "expires", "compensation")
_NEEDED = ("rule", "owner", "reason", "expires")


@dataclasses.dataclass(frozen=True)
class Waiver:
    """A failure that is accepted.

    Attributes:
        rule: id of the rule, no pattern.
        subject, image, host: patterns with ``*`` and ``?``; ``*`` for all.
        kind: kind of the subject, empty for all. An attack path has its own kind, and that of the subject where it begins.
        label: ``name`` or ``name=value`` that the subject carries, empty for all.
        owner, reason, compensation: who accepts it, why, and what is done instead.
        expires: the last day on which it counts.
        where: its place in the list, for messages.
    """

    rule: str
    owner: str
    reason: str
    expires: datetime.date
    subject: str = "*"
    kind: str = ""
    host: str = "*"
    image: str = "*"
    label: str = ""
    compensation: str = ""
    where: str = ""


def parse(values: t.Any, rules: t.Container[str]) -> tuple[list[Waiver], list[Problem]]:
    """Return the waivers of a list of dictionaries, or what is wrong with it.

    Args:
        rules: ids of the rules that there are.
    """
    if not isinstance(values, (list, tuple)):
        return [], [Problem("waivers", "is no list; give a list of waivers, each with rule, owner, reason and expires")]
    found: list[Waiver] = []
    problems: list[Problem] = []
    for number, value in enumerate(values, start=1):
        where = f"waiver {number}"
        wrong = _wrong(value, rules)
        if wrong:
            problems.extend(Problem(where, text) for text in wrong)
            continue
        texts = {key: str(value[key]) for key in _KEYS if key not in ("expires",) and value.get(key) not in (None, "")}
        found.append(Waiver(expires=t.cast(datetime.date, _date(value["expires"])), where=where, **texts))
    return found, problems


def apply(
    findings: t.Sequence[Finding], waivers: t.Sequence[Waiver], subjects: t.Iterable[Subject], today: datetime.date, host: str = ""
) -> list[Finding]:
    """Return the findings with waivers on those that they cover, and a finding for each waiver that covers nothing.

    An expired waiver covers nothing, and is said to be expired. A waiver for another host is passed over.
    """
    cover = Cover(waivers, subjects, today, host)
    covered = cover.on(findings)
    return [*covered, *cover.left()]


class Cover:
    """Waivers at work: on findings that come one after the other, and what is left of the waivers at the end.

    Args:
        waivers, subjects, today, host: see apply.
    """

    def __init__(self, waivers: t.Sequence[Waiver], subjects: t.Iterable[Subject], today: datetime.date, host: str = "") -> None:
        self._today = today
        self._host = host
        self._waivers = [waiver for waiver in waivers if not host or fnmatch.fnmatchcase(host, waiver.host)]
        self._used: set[Waiver] = set()
        self._by_rule: dict[str, list[Waiver]] = {}
        for waiver in self._waivers:
            self._by_rule.setdefault(waiver.rule, []).append(waiver)
        self._by_name: dict[str, list[Subject]] = {}
        for subject in subjects:
            self._by_name.setdefault(subject.name, []).append(subject)

    def on(self, findings: t.Iterable[Finding]) -> list[Finding]:
        """Return the findings with waivers on those that they cover."""
        return [self._covered(finding) if finding.status == FAIL and finding.rule in self._by_rule else finding for finding in findings]

    def left(self) -> list[Finding]:
        """Return a finding for each waiver that has expired, or has covered nothing so far."""
        used, today = self._used, self._today
        return [_as_finding(waiver, waiver in used, today, self._host) for waiver in self._waivers if waiver.expires < today or waiver not in used]

    def _covered(self, finding: Finding) -> Finding:
        judged = self._judged(finding)
        match = next((waiver for waiver in self._by_rule[finding.rule] if _covers(waiver, finding, judged)), None)
        if match is None:
            return finding
        self._used.add(match)
        if match.expires < self._today:
            return finding
        values = {"owner": match.owner, "reason": match.reason, "expires": match.expires.isoformat(), "compensation": match.compensation}
        return finding._replace(waiver=values)

    def _judged(self, finding: Finding) -> Subject | None:
        """Return the subject of a finding. Several can have its name; a path has a kind of its own, so the fingerprint decides."""
        named = self._by_name.get(finding.subject, ())
        same = next((subject for subject in named if evaluate.fingerprint(finding.rule, finding.host, subject) == finding.fingerprint), None)
        return same or next((subject for subject in named if subject.kind == finding.kind), None)


def _covers(waiver: Waiver, finding: Finding, subject: Subject | None) -> bool:
    kinds = (finding.kind,) if subject is None else (finding.kind, subject.kind)
    identity = subject.identity if subject is not None else {}
    labels = identity.get("labels") or {}
    name, _equals, value = waiver.label.partition("=")
    return (
        fnmatch.fnmatchcase(finding.subject, waiver.subject)
        and (not waiver.kind or waiver.kind in kinds)
        and (waiver.image == "*" or fnmatch.fnmatchcase(str(identity.get("image", "")), waiver.image))
        and (not waiver.label or (name in labels and (not value or str(labels[name]) == value)))
    )


def _as_finding(waiver: Waiver, used: bool, today: datetime.date, host: str) -> Finding:
    expired = waiver.expires < today
    rule = EXPIRED if expired else UNMATCHED
    observed = f"{waiver.rule} for {waiver.subject}, owner {waiver.owner}, until {waiver.expires.isoformat()}"
    return Finding(
        rule=rule.id,
        title=rule.title,
        severity=severity.derive(rule.attacker, rule.reach),
        status=FAIL,
        host=host,
        subject=waiver.where,
        kind=WAIVER,
        file="",
        line=0,
        evidence=(Evidence("the list of waivers", observed, "a date that has not passed" if expired else "a failure that it covers"),),
        reason="" if not expired or used else "it covers nothing either",
        why=rule.why,
        remediation=rule.remedy,
        blast=rule.blast,
        variable=rule.variable,
        cis_1_6=(),
        cis_1_8=(),
        references=(),
        fingerprint="",
    )


def _wrong(value: t.Any, rules: t.Container[str]) -> list[str]:
    if not isinstance(value, t.Mapping):
        return [f"is {type(value).__name__}; give a dictionary with rule, owner, reason and expires"]
    wrong = [f"has the unknown key {key!r}; known are {', '.join(_KEYS)}" for key in value if key not in _KEYS]
    wrong += [f"lacks {key}; every waiver names its rule, owner, reason and expires" for key in _NEEDED if value.get(key) in (None, "")]
    if value.get("rule") and value["rule"] not in rules:
        wrong.append(f"names the rule {value['rule']!r}, which does not exist; see the list of rules in docs/rules.md")
    if value.get("expires") not in (None, "") and _date(value["expires"]) is None:
        wrong.append(f"expires on {value['expires']!r}, which is no date; write it as 2027-01-31")
    return wrong


def _date(value: t.Any) -> datetime.date | None:
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, datetime.date):
        return value
    try:
        return datetime.date.fromisoformat(str(value))
    except ValueError:
        return None


def _never(subject: Subject) -> t.Any:
    raise AssertionError("waivers are judged by apply")


EXPIRED = Rule(
    id="waiver-not-expired",
    title="No waiver has expired",
    why="What somebody once accepted until a day is open again after it.",
    applies_to=(),
    check=_never,
    attacker=severity.FROM_ACCIDENT,
    reach=severity.AVAILABILITY,
    remedy="Mend what the waiver covered, or renew it with a new date and a reason.",
    blast=severity.NOTHING,
    variable="docker_audit_waivers",
)
UNMATCHED = Rule(
    id="waiver-covers-something",
    title="Every waiver covers a failure",
    why="A waiver that covers nothing hides the next failure of its kind before anybody has seen it.",
    applies_to=(),
    check=_never,
    attacker=severity.FROM_ACCIDENT,
    reach=severity.HYGIENE,
    remedy="Remove the waiver, or mend the names in it.",
    blast=severity.NOTHING,
    variable="docker_audit_waivers",
)
RULES = (EXPIRED, UNMATCHED)
