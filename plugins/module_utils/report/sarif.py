# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The document as SARIF 2.1.0 (OASIS), for code scanning: failures are results, what could not be judged is a notification.

PRIVATE to the collection: no stability is promised to other users.

Findings in compose files point at their line; those on hosts have no file, so they carry logical locations
(host/kind/name) instead. One run holds all reports, for services refuse several runs of one tool in a file.
"""

from __future__ import annotations

import json
import typing as t
import urllib.parse

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import FAIL
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.severity import (
    CRITICAL,
    HIGH,
    INFO,
    LOW,
    MEDIUM,
    SEVERITIES,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.report import phrases
from ansible_collections.bulkhead.docker.plugins.module_utils.report.document import JUDGED

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {CRITICAL: "error", HIGH: "error", MEDIUM: "warning", LOW: "note", INFO: "note"}
# As code scanning divides them: critical from 9.0, high from 7.0, medium from 4.0, low above 0.
_SCORES = {CRITICAL: "9.5", HIGH: "8.0", MEDIUM: "5.5", LOW: "2.0", INFO: "0.0"}

Dict = dict[str, t.Any]


def render(document: t.Mapping[str, t.Any]) -> str:
    """Return the text."""
    rules: dict[str, Dict] = {}
    results = [
        _result(item, report, rules)
        for report in document["reports"]
        for item in phrases.items(report)
        if item["status"] == FAIL
    ]
    numbers = {rule: number for number, rule in enumerate(sorted(rules))}
    for result in results:
        result["ruleIndex"] = numbers[result["ruleId"]]
    run = {
        "tool": {
            "driver": {
                "name": phrases.PRODUCT,
                "organization": "The Bulkhead authors",
                "version": document["collection_version"] or "unknown",
                "informationUri": phrases.HOME,
                "rules": [rules[rule] for rule in sorted(rules)],
            }
        },
        "automationDetails": {"id": f"{phrases.PRODUCT}/audit/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(report, document) for report in document["reports"]],
        "results": results,
        "properties": {"content": document["content"], "score": document["fleet"]["score"]["percent"], "coverage": document["fleet"]["coverage"]["percent"]},
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def _message(text: str) -> Dict:
    """Return a plain text message: brackets would be links and braces would be placeholders otherwise (3.11.5, 3.11.6)."""
    escaped = text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return {"text": escaped.replace("{", "{{").replace("}", "}}")}


def _result(item: t.Mapping[str, t.Any], report: t.Mapping[str, t.Any], rules: dict[str, Dict]) -> Dict:
    _take_rule(item, rules)
    who = " ".join(filter(None, (report["name"], phrases.subject(item))))
    told = [f"{item['title']}: it is not so for {who}.", item["reason"] and f"{item['reason']}.", "; ".join(phrases.all_evidence(item)[:10])]
    return {
        "ruleId": item["rule"],
        "kind": "fail",
        "level": _LEVELS[item["severity"]],
        "message": _message(" ".join(part for part in told if part)),
        "locations": [_location(item, report)],
        "partialFingerprints": {"bulkheadRuleAndSubject/v1": item["fingerprint"]},
        "suppressions": [{"kind": "external", "status": "accepted", "justification": phrases.waiver(item)}] if item["waiver"] else [],
        "properties": {
            "severity": item["severity"],
            "host": item["host"],
            "subject": item["subject"],
            "subjectKind": item["kind"],
            "blast": item["blast"],
            "variable": item["variable"],
        },
    }


def _take_rule(item: t.Mapping[str, t.Any], rules: dict[str, Dict]) -> None:
    found = rules.get(item["rule"])
    if found is None:
        rules[item["rule"]] = {
            "id": item["rule"],
            "shortDescription": {"text": item["title"]},
            "fullDescription": {"text": item["why"] or item["title"]},
            "help": {"text": phrases.mending(item) or item["title"]},
            "helpUri": phrases.about_rule(item["rule"]),
            "defaultConfiguration": {"level": _LEVELS[item["severity"]]},
            "properties": {
                "tags": sorted({"security", *phrases.numbers(item), *item["references"]}),
                "precision": "very-high",
                "problem.severity": {"error": "error", "warning": "warning", "note": "recommendation"}[_LEVELS[item["severity"]]],
                "security-severity": _SCORES[item["severity"]],
            },
        }
    elif float(_SCORES[item["severity"]]) > float(found["properties"]["security-severity"]):
        # One number for the whole rule: the worst that it came to.
        found["properties"]["security-severity"] = _SCORES[item["severity"]]
        found["defaultConfiguration"]["level"] = _LEVELS[item["severity"]]


def _location(item: t.Mapping[str, t.Any], report: t.Mapping[str, t.Any]) -> Dict:
    steps = [report["name"], item["kind"], item["subject"]]
    location: Dict = {
        "logicalLocations": [
            {
                "name": item["subject"] or report["name"],
                "kind": item["kind"] or "subject",
                "fullyQualifiedName": "/".join(urllib.parse.quote(step, safe=" @:+") for step in steps if step),
            }
        ]
    }
    if item["file"]:
        path = item["file"]
        physical: Dict = {"artifactLocation": {"uri": ("file://" if path.startswith("/") else "") + urllib.parse.quote(path)}}
        if item["line"]:
            physical["region"] = {"startLine": item["line"]}
        location["physicalLocation"] = physical
    return location


def _invocation(report: t.Mapping[str, t.Any], document: t.Mapping[str, t.Any]) -> Dict:
    judged = report["state"] == JUDGED
    notes = [] if judged else [{"level": "error", "message": _message(phrases.unjudged(report)), "descriptor": {"id": f"not-{JUDGED}"}}]
    notes += [
        {"level": "warning", "message": _message(f"Unknown for {row['count']} checks: {row['reason']}."), "descriptor": {"id": "unknown"}}
        for row in report["coverage"]["unknown"]
    ]
    if report["findings_left_out"]:
        text = f"{report['findings_left_out']} findings are left out, the least severe ones."
        notes.append({"level": "warning", "message": _message(text), "descriptor": {"id": "left-out"}})
    return {
        "executionSuccessful": judged,
        "endTimeUtc": document["generated"],
        "machine": report["name"],
        "toolExecutionNotifications": notes,
        "properties": {
            "kind": report["kind"],
            "score": report["score"]["percent"],
            "coverage": report["coverage"]["percent"],
            "failed": {severity: report["score"]["failed_by_severity"][severity] for severity in SEVERITIES},
            "engine": report["engine"],
        },
    }
