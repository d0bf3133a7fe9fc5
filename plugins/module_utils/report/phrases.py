# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What several formats say in the same words.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import re
import typing as t

PRODUCT = "bulkhead.docker"
HOME = "https://github.com/bulkhead/ansible-collection-docker"

Item = t.Mapping[str, t.Any]

_OWN_ID = re.compile(r"[a-z0-9-]{1,100}\Z")


def items(report: Item) -> t.Iterator[Item]:
    """Return what a report says, attack paths first; both have the keys of a finding."""
    yield from report["attack_paths"]
    yield from report["findings"]


def subject(item: Item) -> str:
    """Return what a finding is about, such as ``container web``; the host itself needs no name."""
    return item["kind"] if not item["subject"] or item["kind"] == "host" else f"{item['kind']} {item['subject']}"


def place(item: Item) -> str:
    """Return file and line, or an empty text where it comes from no file."""
    return f"{item['file']}:{item['line']}" if item["file"] and item["line"] else str(item["file"])


def evidence(piece: Item) -> str:
    """Return a piece of evidence as one line."""
    told = f"{piece['source']}: {piece['observed']}" if piece["source"] else str(piece["observed"])
    return f"{told} (expected: {piece['expected']})" if piece["expected"] else told


def all_evidence(item: Item) -> list[str]:
    """Return the lines of all evidence, with how much was left out."""
    lines = [evidence(piece) for piece in item["evidence"]]
    if item["evidence_left_out"]:
        lines.append(f"and {item['evidence_left_out']} more")
    return lines


def numbers(item: Item) -> list[str]:
    """Return the numbers of the CIS Docker Benchmark that ask for it, with its versions."""
    return [f"CIS 1.6.0 {number}" for number in item["cis_1_6"]] + [f"CIS 1.8.0 {number}" for number in item["cis_1_8"]]


def waiver(item: Item) -> str:
    """Return who accepts a failure, why and until when."""
    accepted = item["waiver"]
    compensation = f" Instead: {accepted['compensation']}" if accepted["compensation"] else ""
    return f"Accepted by {accepted['owner']} until {accepted['expires']}: {accepted['reason']}{compensation}"


def mending(item: Item) -> str:
    """Return what to do, with the variable that does it and what it interrupts."""
    parts = [item["remediation"]]
    if item["variable"]:
        parts.append(f"Variable: {item['variable']}.")
    if item["blast"]:
        parts.append(f"It interrupts: {item['blast']}.")
    return " ".join(part for part in parts if part)


def about_rule(rule: str) -> str:
    """Return the address of the page about a rule of ours, or of the collection for any other text."""
    return f"{HOME}/blob/main/docs/rules.md#{rule}" if _OWN_ID.match(rule) else HOME


def unjudged(report: Item) -> str:
    """Return why a report is not the whole story; empty where it is."""
    if report["state"] == "judged":
        return ""
    return f"{report['state']}: {report['problem']}"
