# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The document as JUnit XML: a suite for each host or project, a case for each rule and subject.

PRIVATE to the collection: no stability is promised to other users.

What is unknown, does not apply or is waived is skipped with the reason, never passed; a host that could not be judged is an
error. Every character is one of XML 1.0, since all texts went through clean.py.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import FAIL, NOT_APPLICABLE, PASS, UNKNOWN
from ansible_collections.bulkhead.docker.plugins.module_utils.report import phrases
from ansible_collections.bulkhead.docker.plugins.module_utils.report.document import JUDGED

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"})


def render(document: t.Mapping[str, t.Any]) -> str:
    """Return the text."""
    suites, totals = [], [0, 0, 0]
    for report in document["reports"]:
        text, counts = _suite(report, document)
        suites.append(text)
        totals = [total + count for total, count in zip(totals, counts)]
    head = _attributes(name=phrases.PRODUCT, tests=totals[0], failures=totals[1], errors=totals[2])
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites{head}>\n' + "".join(suites) + "</testsuites>\n"


def _attributes(**values: t.Any) -> str:
    return "".join(f' {name}="{str(value).translate(_ESCAPES)}"' for name, value in values.items())


def _suite(report: t.Mapping[str, t.Any], document: t.Mapping[str, t.Any]) -> tuple[str, tuple[int, int, int]]:
    cases = [_case(item, report) for item in phrases.items(report)]
    failures = sum(1 for item in phrases.items(report) if item["status"] == FAIL and not item["waiver"])
    skipped = sum(1 for item in phrases.items(report) if item["status"] != PASS) - failures
    errors = 0
    if report["state"] != JUDGED:
        errors = 1
        error = f"<error{_attributes(type=report['state'], message=report['problem'])}/>"
        cases.insert(0, f"<testcase{_attributes(classname=report['name'], name='The audit can be made', time=0)}>{error}</testcase>\n")
    properties = {
        "kind": report["kind"],
        "state": report["state"],
        "score percent": report["score"]["percent"],
        "score percent if waivers were passes": report["score"]["percent_waived"],
        "coverage percent": report["coverage"]["percent"],
        "findings left out": report["findings_left_out"],
        "schema version": document["schema_version"],
        "collection version": document["collection_version"],
        "content": document["content"],
        **{f"engine {key}": value for key, value in report["engine"].items()},
    }
    rows = "".join(f"<property{_attributes(name=name, value='unknown' if value is None else value)}/>\n" for name, value in properties.items())
    head = _attributes(
        name=report["name"],
        tests=len(cases),
        failures=failures,
        errors=errors,
        skipped=skipped,
        time=f"{min(report['duration'] or 0, 999_999):.3f}",
        timestamp=document["generated"].rstrip("Z"),
    )
    return f"<testsuite{head}>\n<properties>\n{rows}</properties>\n" + "".join(cases) + "</testsuite>\n", (len(cases), failures, errors)


def _case(item: t.Mapping[str, t.Any], report: t.Mapping[str, t.Any]) -> str:
    name = f"{item['rule']}: {phrases.subject(item)}"
    head = _attributes(classname=f"{report['name']}.{item['kind'].replace(' ', '_')}", name=name, time=0)
    if item["status"] == PASS:
        return f"<testcase{head}/>\n"
    return f"<testcase{head}>{_outcome(item)}</testcase>\n"


def _outcome(item: t.Mapping[str, t.Any]) -> str:
    if item["status"] == FAIL and not item["waiver"]:
        where = phrases.place(item)
        lines = [
            item["reason"],
            where and f"Where: {where}",
            *(f"Found: {line}" for line in phrases.all_evidence(item)),
            item["why"] and f"Why: {item['why']}",
            f"What to do: {phrases.mending(item)}",
        ]
        text = "\n".join(line for line in lines if line).translate(_ESCAPES)
        return f"<failure{_attributes(type=item['severity'], message=item['title'])}>{text}</failure>"
    if item["status"] == FAIL:
        told = f"waived: {phrases.waiver(item)}"
    else:
        told = {UNKNOWN: "unknown", NOT_APPLICABLE: "does not apply"}[item["status"]] + f": {item['reason']}"
    return f"<skipped{_attributes(message=told)}/>"
