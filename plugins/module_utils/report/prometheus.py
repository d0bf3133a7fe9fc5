# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The document as metrics for the textfile collector of the node exporter (text format 0.0.4, no timestamps).

PRIVATE to the collection: no stability is promised to other users.

The number of series depends on the number of hosts and projects only, never on how many containers or rules there are.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import FAIL, KINDS
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.severity import SEVERITIES
from ansible_collections.bulkhead.docker.plugins.module_utils.report import phrases
from ansible_collections.bulkhead.docker.plugins.module_utils.report.document import (
    EXPIRES_SOON_DAYS,
    HOST_REPORT,
    JUDGED,
    days_left,
)

WAIVED = "waived"
_HELP = {
    "info": "Which version of the collection made this report, and what tells two contents apart.",
    "timestamp_seconds": "When the report was made, in seconds since 1970.",
    "success": "1 when the audit could be made, 0 when what is known is not the whole story.",
    "score_ratio": "Weight of the rules that pass, of all that apply and could be judged; absent when nothing could be.",
    "score_waived_ratio": "The score if each waived failure were a pass.",
    "coverage_ratio": "Judgements that could be made, of those that apply; absent when none applies.",
    "judgements": "Judgements by status; waived failures are failures here.",
    "findings": "Failures by severity: those that stand have the status fail, those that somebody accepts the status waived.",
    "attack_paths": "Chains of failures that reach the host, without waived ones.",
    "subjects": "What was judged, by kind.",
    "waivers_expiring": f"Waived failures whose waiver ends within {EXPIRES_SOON_DAYS} days.",
    "waiver_next_expiry_days": "Days until the next waiver of the report ends; absent when there is none.",
    "duration_seconds": "How long the audit took.",
    "api_calls": "How many questions the API of the engine was asked.",
}

Rows = dict[str, list[str]]


def render(document: t.Mapping[str, t.Any]) -> str:
    """Return the text."""
    rows: Rows = {name: [] for name in _HELP}
    _add(rows, "info", 1, {"collection_version": document["collection_version"], "content": document["content"]})
    moment = datetime.datetime.fromisoformat(document["generated"].replace("Z", "+00:00"))
    _add(rows, "timestamp_seconds", int(moment.timestamp()), {})
    for report in document["reports"]:
        _report(rows, report, document)
    parts = [
        f"# HELP bulkhead_audit_{name} {text}\n# TYPE bulkhead_audit_{name} gauge\n" + "".join(rows[name])
        for name, text in _HELP.items()
        if rows[name]
    ]
    return "".join(parts)


def _report(rows: Rows, report: t.Mapping[str, t.Any], document: t.Mapping[str, t.Any]) -> None:
    # Both labels on every series, since the collector wants the same ones; an empty label is none.
    labels = {"host": "", "project": "", "host" if report["kind"] == HOST_REPORT else "project": report["name"]}
    _add(rows, "success", int(report["state"] == JUDGED), labels)
    for name, percent in (
        ("score_ratio", report["score"]["percent"]),
        ("score_waived_ratio", report["score"]["percent_waived"]),
        ("coverage_ratio", report["coverage"]["percent"]),
    ):
        # Three digits: percentages have one after the point.
        _add(rows, name, None if percent is None else round(percent / 100, 3), labels)
    if report["state"] == JUDGED or report["findings"]:
        for status, count in report["score"]["counts"].items():
            _add(rows, "judgements", count, {**labels, "status": status})
        for severity in SEVERITIES:
            _add(rows, "findings", report["score"]["failed_by_severity"][severity], {**labels, "severity": severity, "status": FAIL})
            _add(rows, "findings", report["score"]["waived_by_severity"][severity], {**labels, "severity": severity, "status": WAIVED})
        _add(rows, "attack_paths", sum(1 for item in report["attack_paths"] if item["status"] == FAIL and not item["waiver"]), labels)
        ends = [days_left(document, item["waiver"]["expires"]) for item in phrases.items(report) if item["waiver"]]
        _add(rows, "waivers_expiring", sum(1 for days in ends if days <= EXPIRES_SOON_DAYS), labels)
        _add(rows, "waiver_next_expiry_days", min(ends, default=None), labels)
    for kind in KINDS:
        _add(rows, "subjects", report["subjects"].get(kind), {**labels, "kind": kind})
    _add(rows, "duration_seconds", report["duration"], labels)
    _add(rows, "api_calls", report["api_calls"], labels)


def _add(rows: Rows, name: str, value: float | None, labels: t.Mapping[str, str]) -> None:
    if value is None:
        return
    shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    rows[name].append(f"bulkhead_audit_{name}{{{shown}}} {value}\n" if shown else f"bulkhead_audit_{name} {value}\n")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
