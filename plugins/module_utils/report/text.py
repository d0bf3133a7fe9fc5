# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The document as a summary for a terminal: the worst first, what is unknown and why, and never more than a screen or two.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import textwrap
import typing as t
import unicodedata

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
from ansible_collections.bulkhead.docker.plugins.module_utils.report.document import HOST_REPORT, days_left

WIDTH = 100
LINES = 80

_COLOURS = {CRITICAL: "1;31", HIGH: "31", MEDIUM: "33", LOW: "36", INFO: "2"}
_LABEL = 10
_MOST_UNJUDGED = 8
_MOST_PATHS = 5
_MOST_STEPS = 4
_MOST_ROWS = 6
_LINES_OF_A_RULE = 6
_LINES_OF_A_REMEDY = 2
_LEAST_RULES = 3


def render(document: t.Mapping[str, t.Any], width: int = WIDTH, lines: int = LINES, colour: bool = False, ascii_only: bool = False) -> str:
    """Return the text.

    Args:
        width: columns of a line; a wide character takes two.
        lines: how many there may be at most. What is left out is counted.
        colour: whether severities are coloured with ANSI sequences.
        ascii_only: whether other characters are written as escapes.
    """
    before = [*_head(document), *_unjudged(document), *_paths(document)]
    after = [*_unknown(document), *_expiring(document), *_worst(document), *_foot(document)]
    room = max((lines - len(before) - len(after) - 3) // _LINES_OF_A_RULE, _LEAST_RULES)
    every = [*before, *_failures(document, room, width), *after]
    if len(every) > lines:
        kept = max(lines - len(_foot(document)) - 1, 0)
        every = [*every[:kept], ("", f"... {len(every) - kept} lines are left out; see the other formats."), *_foot(document)]
    return "".join(_finish(severity, text, width, colour, ascii_only) + "\n" for severity, text in every)


# A severity to colour its first word by, or "", and a line.
_Line = tuple[str, str]


def _finish(severity: str, text: str, width: int, colour: bool, ascii_only: bool) -> str:
    if ascii_only and not text.isascii():
        text = text.encode("ascii", "backslashreplace").decode("ascii")
    text = _cut(text, width).rstrip()
    word = severity.upper()
    if colour and word and word in text:
        text = text.replace(word, f"\x1b[{_COLOURS[severity]}m{word}\x1b[0m", 1)
    return text


def _cut(text: str, width: int) -> str:
    if text.isascii():
        return text if len(text) <= width else text[: max(width - 3, 0)] + "..."[:width]
    columns, kept = 0, 0
    for number, character in enumerate(text):
        columns += _columns(character)
        if columns <= width - 3:
            kept = number + 1
        if columns > width:
            return text[:kept] + "..."[:width]
    return text


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _count(number: int, one: str) -> str:
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def _shown(percent: float | None) -> str:
    return "none" if percent is None else f"{percent:.1f} %"


def _counted(by_severity: t.Mapping[str, int]) -> str:
    return ", ".join(f"{by_severity[severity]} {severity}" for severity in SEVERITIES if by_severity[severity]) or "none"


def _row(label: str, text: str) -> _Line:
    return "", f"{label:<{_LABEL}} {text}"


def _head(document: t.Mapping[str, t.Any]) -> list[_Line]:
    fleet = document["fleet"]
    hosts = sum(1 for report in document["reports"] if report["kind"] == HOST_REPORT)
    projects = len(document["reports"]) - hosts
    parts = ([_count(hosts, "host")] if hosts or not projects else []) + ([_count(projects, "project")] if projects else [])
    about = f"{' and '.join(parts)}, {document['generated']}"
    if len(document["reports"]) == 1:
        about = f"{document['reports'][0]['name']}, {document['generated']}"
    score, coverage = fleet["score"], fleet["coverage"]
    title = f"Docker audit: {about}"
    told = "none: nothing could be judged"
    if score["percent"] is not None:
        told = f"{_shown(score['percent'])}: {score['weight_passed']} of {score['weight_judged']} points of weight"
        if score["percent_waived"] != score["percent"]:
            told += f"; {_shown(score['percent_waived'])} if waived failures were passes"
    waived = sum(score["waived_by_severity"].values())
    lines = [
        ("", title),
        ("", "=" * min(len(title), WIDTH)),
        _row("Score", told),
        _row("Coverage", f"{_shown(coverage['percent'])}: {coverage['judged']} of {coverage['applicable']} judgements that apply could be made"),
        _row("Failures", f"{_counted(score['failed_by_severity'])}" + (f"; {waived} waived" if waived else "")),
    ]
    if fleet["reports"] != fleet["judged"]:
        lines.append(_row("Judged", f"{fleet['judged']} of {fleet['reports']}; the numbers above are of these only"))
    return lines


def _section(title: str, lines: t.Sequence[_Line]) -> list[_Line]:
    return [("", ""), ("", title), *lines] if lines else []


def _more(count: int, what: str) -> list[_Line]:
    return [("", f"  ... and {count} more {what}")] if count > 0 else []


def _unjudged(document: t.Mapping[str, t.Any]) -> list[_Line]:
    rows = document["fleet"]["not_judged"]
    lines = [("", f"  {row['name']}: {row['state']}. {row['problem']}") for row in rows[:_MOST_UNJUDGED]]
    return _section("NOT JUDGED", [*lines, *_more(len(rows) - _MOST_UNJUDGED, "hosts or projects")])


def _paths(document: t.Mapping[str, t.Any]) -> list[_Line]:
    paths = [
        (report, item)
        for report in document["reports"]
        for item in report["attack_paths"]
        if item["status"] == FAIL and not item["waiver"]
    ]
    paths.sort(key=lambda pair: (SEVERITIES.index(pair[1]["severity"]), pair[0]["name"]))
    lines: list[_Line] = []
    for report, item in paths[:_MOST_PATHS]:
        lines.append((item["severity"], f"  {item['severity'].upper():<8} {report['name']}: {item['title']}"))
        steps = item["evidence"]
        lines += [("", f"           {number}. {phrases.evidence(step)}") for number, step in enumerate(steps[:_MOST_STEPS], start=1)]
        lines += _more(len(steps) - _MOST_STEPS, "steps")
    return _section("Attack paths", [*lines, *_more(len(paths) - _MOST_PATHS, "attack paths")])


def _failures(document: t.Mapping[str, t.Any], room: int, width: int) -> list[_Line]:
    rules = document["fleet"]["rules"]
    shown: dict[str, list[tuple[str, t.Mapping[str, t.Any]]]] = {row["rule"]: [] for row in rules[:room]}
    for report in document["reports"]:
        for item in report["findings"]:
            found = shown.get(item["rule"])
            if found is not None and item["status"] == FAIL and not item["waiver"]:
                found.append((report["name"], item))
    several = len(document["reports"]) > 1
    lines: list[_Line] = []
    for row in rules[:room]:
        where = sorted(shown[row["rule"]], key=lambda pair: (SEVERITIES.index(pair[1]["severity"]), pair[0]))
        item = where[0][1]
        lines.append((row["severity"], f"  {row['severity'].upper():<8} {row['title']} [{row['rule']}]"))
        names = [" ".join(filter(None, (name if several else "", phrases.subject(one), phrases.place(one)))) for name, one in where[:3]]
        more = f" and {len(where) - 3} more" if len(where) > 3 else ""
        lines.append(("", f"           not so: {', '.join(names)}{more}"))
        told = phrases.all_evidence(item)
        if told or item["reason"]:
            lines.append(("", f"           found:  {told[0] if told else item['reason']}"))
        lines += _mending(item, width)
    return _section("Failures, the worst first", [*lines, *_more(len(rules) - room, "rules that fail")])


def _mending(item: t.Mapping[str, t.Any], width: int) -> list[_Line]:
    """Return what to do, with the variable that does it and what it interrupts."""
    remedy = textwrap.wrap(item["remediation"], max(width - 19, 20), max_lines=_LINES_OF_A_REMEDY, placeholder=" ...") or ["see the other formats"]
    by = "; ".join(filter(None, (item["variable"], item["blast"] and f"interrupts: {item['blast']}")))
    heads = ["do:", *[""] * (len(remedy) - 1), *(["by:"] if by else [])]
    return [("", f"           {head:<7} {line}") for head, line in zip(heads, [*remedy, by])]


def _unknown(document: t.Mapping[str, t.Any]) -> list[_Line]:
    rows = document["fleet"]["coverage"]["unknown"]
    lines = [("", f"  {row['count']} x {row['reason'] or 'no reason given'}") for row in rows[:_MOST_ROWS]]
    return _section("Unknown, and why", [*lines, *_more(len(rows) - _MOST_ROWS, "reasons")])


def _expiring(document: t.Mapping[str, t.Any]) -> list[_Line]:
    rows = document["fleet"]["waivers_expiring"]
    lines = [
        ("", f"  in {_count(days_left(document, row['expires']), 'day')}: {row['rule']} of {row['name']} {row['subject']} (owner {row['owner']})")
        for row in rows[:_MOST_ROWS]
    ]
    return _section("Waivers that end soon", [*lines, *_more(len(rows) - _MOST_ROWS, "waivers")])


def _worst(document: t.Mapping[str, t.Any]) -> list[_Line]:
    if len(document["reports"]) < 2:
        return []
    rows = document["fleet"]["worst"]
    lines = [("", f"  {_shown(row['percent']):>8}  {row['name']}: {_counted(row['failed_by_severity'])}") for row in rows[:_MOST_ROWS]]
    return _section("Worst of the fleet", lines)


def _foot(document: t.Mapping[str, t.Any]) -> list[_Line]:
    version = document["collection_version"]
    return [("", ""), ("", f"{phrases.PRODUCT} {version}, schema {document['schema_version']}, content {document['content']}")]
