# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""One number with its denominator: how much of what applies is as it should be, and how much of it could be judged.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import (
    FAIL,
    NOT_APPLICABLE,
    PASS,
    UNKNOWN,
    Finding,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.severity import SEVERITIES, WEIGHTS


def score(findings: t.Iterable[Finding], vacuous: t.Container[str] = ()) -> dict[str, t.Any]:
    """Return the score of findings.

    What does not apply does not count, and what cannot fail any more counts for nothing. What is unknown counts in the
    coverage only: a host that could not be looked at has no score, not a good one. A waived failure counts as a failure
    in ``percent``; ``percent_waived`` is what it would be if each waiver were a pass.

    Args:
        findings: of one host or one set of files, passes included.
        vacuous: ids of rules that the release in force cannot fail.

    Returns:
        ``percent`` and ``percent_waived`` (None where nothing was judged), ``weight_passed``, ``weight_judged``,
        ``counts`` by status, ``failed_by_severity`` without what is waived.
    """
    weights = {PASS: 0, FAIL: 0}
    waived = 0
    counts = dict.fromkeys((PASS, FAIL, UNKNOWN, NOT_APPLICABLE), 0)
    failed = dict.fromkeys(SEVERITIES, 0)
    for finding in findings:
        counts[finding.status] += 1
        if finding.rule in vacuous or finding.status not in weights:
            continue
        weight = WEIGHTS[finding.severity]
        weights[finding.status] += weight
        if finding.status == FAIL:
            if finding.waiver:
                waived += weight
            else:
                failed[finding.severity] += 1
    judged = weights[PASS] + weights[FAIL]
    return {
        "percent": _percent(weights[PASS], judged),
        "percent_waived": _percent(weights[PASS] + waived, judged),
        "weight_passed": weights[PASS],
        "weight_judged": judged,
        "counts": counts,
        "failed_by_severity": failed,
    }


def coverage(findings: t.Iterable[Finding]) -> dict[str, t.Any]:
    """Return how much of what applies could be judged: ``percent``, ``judged``, ``applicable``, ``unknown`` (reasons with
    how often each came, most often first)."""
    judged = unknown = 0
    reasons: dict[str, int] = {}
    for finding in findings:
        if finding.status in (PASS, FAIL):
            judged += 1
        elif finding.status == UNKNOWN:
            unknown += 1
            reasons[finding.reason] = reasons.get(finding.reason, 0) + 1
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return {
        "percent": _percent(judged, judged + unknown),
        "judged": judged,
        "applicable": judged + unknown,
        "unknown": [{"reason": reason, "count": count} for reason, count in ordered],
    }


def _percent(part: int, whole: int) -> float | None:
    # Rounded down: 99.96 is not 100.
    return int(part * 1000 / whole) / 10 if whole else None
