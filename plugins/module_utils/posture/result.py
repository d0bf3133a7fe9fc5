# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""From subjects to what a module returns: judged, joined to attack paths, waived, scored and gated, always in this order.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import (
    attack_paths,
    evaluate,
    gate,
    registry,
    score,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import waivers as waiver_list
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    FAIL,
    STATUSES,
    UNKNOWN,
    Evidence,
    Finding,
    Rule,
    Subject,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.plain import printable
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.severity import SEVERITIES

DEFAULT_INCLUDE = (FAIL, UNKNOWN)
#: Rules that waivers can name.
RULE_IDS = frozenset(registry.BY_ID) | {rule.id for rule in attack_paths.RULES}
_VACUOUS = frozenset(rule.id for rule in registry.RULES if rule.vacuous)
# Nobody reads a longer message; the findings hold the rest.
_MOST_SENTENCES = 20


def conclude(
    subjects: t.Sequence[Subject],
    host: str = "",
    context: t.Collection[str] = (),
    waivers: t.Sequence[waiver_list.Waiver] = (),
    today: datetime.date | None = None,
    include: t.Collection[str] = DEFAULT_INCLUDE,
    fail_on: str = gate.NEVER,
    rules: t.Sequence[Rule] = registry.RULES,
) -> dict[str, t.Any]:
    """Return what the rules say of subjects, as plain values.

    Attack paths are findings of their own kind. They stop and can be waived like others, but the score and the coverage
    leave them out: each is made of failures that count already. Waivers come first, so that a path knows which of its
    steps somebody has accepted (attack_paths.find).

    Args:
        host: the name of the host in the inventory; empty for files.
        context: severity.CONTEXTS that hold for all subjects.
        waivers: as waivers.parse gives them.
        today: the day on which waivers count; needed with waivers.
        include: the statuses whose findings are returned. Score, coverage and ``stopped`` always rest on all of them.
        fail_on: one of gate.THRESHOLDS.

    Returns:
        ``findings`` (Finding.as_dict), ``score``, ``coverage``, ``waived`` (the number of failures that a waiver covers),
        ``subjects`` (how many of each kind), ``stopped`` (a sentence for each failure that is too bad, the worst first).
    """
    if waivers and today is None:
        raise ValueError("waivers cannot be judged without the day")
    judged = evaluate.judge(subjects, rules, host, context)
    left: list[Finding] = []
    if waivers and today is not None:
        cover = waiver_list.Cover(waivers, subjects, today, host)
        judged = cover.on(judged)
        paths = attack_paths.find(subjects, judged, host, cover.on)
        left = cover.left()
    else:
        paths = attack_paths.find(subjects, judged, host)
    found = [*judged, *attack_paths.explained(paths, judged), *left]
    counted = [finding for finding in found if finding.kind != attack_paths.KIND]
    return {
        "findings": [finding.as_dict() for finding in found if finding.status in include],
        "score": score.score(counted, _VACUOUS),
        "coverage": score.coverage(counted),
        "waived": sum(1 for finding in found if finding.waiver),
        "subjects": _counted(subjects),
        "stopped": sentences(gate.stopping(found, fail_on)),
    }


def sentences(findings: t.Iterable[Finding]) -> list[str]:
    """Return what to say of failures: where, what is wrong, what was found and what to do; the worst first."""
    return [sentence(finding) for finding in sorted(findings, key=order)]


def sentence(finding: Finding) -> str:
    """Return a failure in one or two sentences, beginning with where it can be mended."""
    place = f"{finding.file}:{finding.line}: " if finding.file and finding.line else f"{finding.file}: " if finding.file else ""
    who = f"{finding.kind} {finding.subject}" + (f" of {finding.host}" if finding.host and finding.subject != finding.host else "")
    pieces = [item for item in finding.evidence if item.observed]
    found = "; ".join(dict.fromkeys(item.observed for item in pieces))
    wanted = pieces[0].expected if pieces else ""
    said = f"found {found}" + (f", expected {wanted}" if wanted and wanted != found else "") if found else finding.reason or finding.title
    return printable(f"{place}[{finding.severity}] {finding.rule}, {who}: {_ended(said)} {finding.remediation}".rstrip())


def message(stopped: t.Sequence[str]) -> str:
    """Return the message of a module that stops, from the sentences of ``conclude``."""
    shown = list(stopped[:_MOST_SENTENCES])
    if len(stopped) > len(shown):
        shown.append(f"... and {len(stopped) - len(shown)} more in findings.")
    count = "1 failure is" if len(stopped) == 1 else f"{len(stopped)} failures are"
    return f"{count} at least as bad as fail_on allows, the worst first:\n" + "\n".join(shown)


def from_dicts(values: t.Any) -> list[Finding]:
    """Return findings from what a module returned.

    Raises:
        ValueError: the values are no findings; the message is a sentence without a full stop.
    """
    if not isinstance(values, (list, tuple)):
        raise ValueError(f"findings is {type(values).__name__}; give the list that an audit returned")
    return [_from_dict(value, number) for number, value in enumerate(values, start=1)]


def _from_dict(value: t.Any, number: int) -> Finding:
    if not isinstance(value, t.Mapping):
        raise ValueError(f"finding {number} is {type(value).__name__}, not a dictionary; give the list that an audit returned")
    for key, known in (("severity", SEVERITIES), ("status", STATUSES)):
        if value.get(key) not in known:
            raise ValueError(f"finding {number} has the {key} {value.get(key)!r}; known are {', '.join(known)}")
    if not isinstance(value.get("rule"), str):
        raise ValueError(f"finding {number} names no rule; give the list that an audit returned")
    evidence = [item for item in _list(value.get("evidence")) if isinstance(item, t.Mapping)]
    texts = {name: _text(value.get(name)) for name in Finding._fields if name not in ("line", "evidence", "waiver", "cis_1_6", "cis_1_8", "references")}
    waiver = value.get("waiver")
    return Finding(
        **texts,
        line=_line(value.get("line")),
        evidence=tuple(
            Evidence(
                _text(item.get("source")), _text(item.get("observed")), _text(item.get("expected")), _text(item.get("file")), _line(item.get("line"))
            )
            for item in evidence
        ),
        cis_1_6=tuple(map(_text, _list(value.get("cis_1_6")))),
        cis_1_8=tuple(map(_text, _list(value.get("cis_1_8")))),
        references=tuple(map(_text, _list(value.get("references")))),
        waiver={_text(key): _text(text) for key, text in waiver.items()} if isinstance(waiver, t.Mapping) and waiver else None,
    )


def _text(value: t.Any) -> str:
    # A text that a template made is a subclass of str, which plain values must not be.
    return "" if value is None else str(value)


def _list(value: t.Any) -> list[t.Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _line(value: t.Any) -> int:
    return int(value) if isinstance(value, int) and value > 0 else 0


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def order(finding: Finding) -> tuple[int, str, int, str, str]:
    """Return by what findings are ordered for a reader: the worst first, then by their place."""
    return (SEVERITIES.index(finding.severity), finding.file, finding.line, finding.subject, finding.rule)


def _counted(subjects: t.Iterable[Subject]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for subject in subjects:
        counts[subject.kind] = counts.get(subject.kind, 0) + 1
    return counts
