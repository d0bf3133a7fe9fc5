# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The document as events of the Open Cybersecurity Schema Framework, version 1.5.0: a Compliance Finding (2003) for each finding.

PRIVATE to the collection: no stability is promised to other users.

One event a line. A host that could not be judged is an event of its own with the status unknown. ``metadata.correlation_uid``
is the same for all events of a document.
"""

from __future__ import annotations

import datetime
import json
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import FAIL, NOT_APPLICABLE, PASS, UNKNOWN
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.severity import CRITICAL, HIGH, INFO, LOW, MEDIUM
from ansible_collections.bulkhead.docker.plugins.module_utils.report import phrases
from ansible_collections.bulkhead.docker.plugins.module_utils.report.document import JUDGED

VERSION = "1.5.0"

_SEVERITIES = {INFO: (1, "Informational"), LOW: (2, "Low"), MEDIUM: (3, "Medium"), HIGH: (4, "High"), CRITICAL: (5, "Critical")}
_STATUSES = {UNKNOWN: (0, "Unknown"), PASS: (1, "Pass"), FAIL: (3, "Fail"), NOT_APPLICABLE: (99, "Not Applicable")}
_CREATE = 1

Dict = dict[str, t.Any]


def render(document: t.Mapping[str, t.Any]) -> str:
    """Return the lines; nothing where there is no report."""
    moment = datetime.datetime.fromisoformat(document["generated"].replace("Z", "+00:00"))
    metadata = {
        "version": VERSION,
        "product": {"name": phrases.PRODUCT, "vendor_name": "Bulkhead", "version": document["collection_version"] or "unknown", "url_string": phrases.HOME},
        "correlation_uid": document["content"],
    }
    frame = {
        "activity_id": _CREATE,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2003,
        "class_name": "Compliance Finding",
        "type_uid": 200300 + _CREATE,
        "type_name": "Compliance Finding: Create",
        "time": int(moment.timestamp() * 1000),
        "metadata": metadata,
    }
    events = []
    for report in document["reports"]:
        if report["state"] != JUDGED:
            events.append(_not_judged(report, document))
        events += [_event(item, report) for item in phrases.items(report)]
    return "".join(json.dumps({**frame, **event}, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n" for event in events)


def _event(item: t.Mapping[str, t.Any], report: t.Mapping[str, t.Any]) -> Dict:
    # A check that passes says nothing bad, however bad its failure would be.
    severity_id, severity = _SEVERITIES[item["severity"] if item["status"] in (FAIL, UNKNOWN) else INFO]
    if item["waiver"]:
        state: Dict = {"status_id": 3, "status": "Suppressed", "status_detail": phrases.waiver(item)}
    elif item["status"] in (FAIL, UNKNOWN):
        state = {"status_id": 1, "status": "New"}
    else:
        state = {"status_id": 4, "status": "Resolved"}
    uid = item["fingerprint"] or "/".join((item["rule"], report["name"], item["kind"], item["subject"]))
    event: Dict = {
        "message": f"{item['title']}: {item['status']} for {report['name']}, {phrases.subject(item)}",
        "severity_id": severity_id,
        "severity": severity,
        **state,
        "compliance": _compliance(item),
        "finding_info": {"uid": uid, "title": item["title"], "desc": item["why"] or item["title"], "types": [item["kind"] or "subject"]},
        "resources": _resources(item, report),
        "unmapped": {
            "rule": item["rule"],
            "severity_of_failure": item["severity"],
            "file": item["file"],
            "line": item["line"],
            "blast": item["blast"],
            "variable": item["variable"],
        },
    }
    if item["evidence"]:
        event["evidences"] = [{"data": dict(piece)} for piece in item["evidence"]]
    if item["remediation"] and item["status"] in (FAIL, UNKNOWN):
        event["remediation"] = {"desc": phrases.mending(item), "references": [phrases.about_rule(item["rule"])]}
    return event


def _compliance(item: t.Mapping[str, t.Any]) -> Dict:
    status_id, status = _STATUSES[item["status"]]
    standards = [name for name, numbers in (("CIS Docker Benchmark 1.6.0", item["cis_1_6"]), ("CIS Docker Benchmark 1.8.0", item["cis_1_8"])) if numbers]
    compliance: Dict = {
        "control": item["rule"],
        "standards": standards or ["Bulkhead"],
        "requirements": [*phrases.numbers(item), *item["references"]],
        "status_id": status_id,
        "status": status,
    }
    if item["reason"]:
        compliance["status_details"] = [item["reason"]]
    return compliance


def _resources(item: t.Mapping[str, t.Any], report: t.Mapping[str, t.Any]) -> list[Dict]:
    whole: Dict = {"type": report["kind"], "name": report["name"]}
    if item["kind"] == report["kind"] or not item["subject"]:
        return [whole]
    return [{"type": item["kind"] or "subject", "name": item["subject"], "namespace": report["name"]}, whole]


def _not_judged(report: t.Mapping[str, t.Any], document: t.Mapping[str, t.Any]) -> Dict:
    severity_id, severity = _SEVERITIES[HIGH]
    status_id, status = _STATUSES[UNKNOWN]
    return {
        "message": f"{report['name']} could not be judged: {phrases.unjudged(report)}",
        "severity_id": severity_id,
        "severity": severity,
        "status_id": 1,
        "status": "New",
        "compliance": {
            "control": "audit-can-be-made",
            "standards": ["Bulkhead"],
            "status_id": status_id,
            "status": status,
            "status_details": [report["problem"]],
        },
        "finding_info": {"uid": f"audit-can-be-made/{report['kind']}/{report['name']}", "title": "The audit can be made", "types": [report["kind"]]},
        "resources": [{"type": report["kind"], "name": report["name"]}],
    }
