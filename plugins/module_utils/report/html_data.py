# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""All findings packed for the script of the HTML report: forty thousand of them in a few megabytes that a browser reads at once.

PRIVATE to the collection: no stability is promised to other users.

Every text stands once, in a sorted table that leaves out what a text shares with the one before it; findings are columns of
numbers that point into it, and a column that is the same for all is one number. html_script.py unpacks it:

    strings       for each text how many characters of the last one it begins with, and the rest
    reports       [name, 1 for a project or 0 for a host]
    per_report    how many findings each has, attack paths first
    rules         [id, title, why, remediation, blast, variable, [CIS 1.6], [CIS 1.8], [references]], each combination once
    pieces        columns of evidence: source, observed, expected, file, line
    proofs        lists of pieces, for findings with another number of them than one
    waivers       [owner, reason, expires, compensation, days left]
    rows          columns of findings: rule, code (status * severities + severity), subject, kind, file, line, reason, left_out,
                  proof (0 none, n piece n - 1, -n proofs[n - 1]), waiver (0 none, n waivers[n - 1])
    prints        fingerprints of failures and of what is unknown, in base64url: 11 characters each, dots where there is none
"""

from __future__ import annotations

import base64
import json
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import FAIL, STATUSES, UNKNOWN
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.severity import SEVERITIES
from ansible_collections.bulkhead.docker.plugins.module_utils.report import clean
from ansible_collections.bulkhead.docker.plugins.module_utils.report.document import COMPOSE_REPORT, EXPIRES_SOON_DAYS

# A text of the document may carry a note of what was left out beyond the limit; it is not cut again.
LONGEST = clean.LONG + 100

_CODES = {(status, severity): number for number, (status, severity) in enumerate((a, b) for a in STATUSES for b in SEVERITIES)}
_PIECE = ("source", "observed", "expected", "file")
_RULE = ("rule", "title", "why", "remediation", "blast", "variable")
_LISTS = ("cis_1_6", "cis_1_8", "references")
_WAIVER = ("owner", "reason", "expires", "compensation")
_FINGERPRINT = re.compile(r"[0-9a-f]{16}\Z")
_NO_PRINT = "." * 11
# Inside a JSON text these can only stand in strings, where the escape means the same.
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}

Item = t.Mapping[str, t.Any]


def packed(document: Item, days_left: t.Callable[[str], int]) -> dict[str, t.Any]:
    """Return the data as plain values.

    Args:
        days_left: from the last day of a waiver to how many days it still counts.
    """
    packer = _Packer(days_left)
    for report in document.get("reports", ()):
        packer.report(report)
    return packer.finished()


def script_json(data: t.Any) -> str:
    """Return JSON that nothing in it can end: it may stand in a ``script`` element of HTML."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text


class _Packer:
    def __init__(self, days_left: t.Callable[[str], int]) -> None:
        self._days_left = days_left
        self._strings: dict[str, int] = {}
        self._raw: dict[str, int] = {}
        self._reports: list[tuple[int, int]] = []
        self._per_report: list[int] = []
        self._rules: dict[tuple[t.Any, ...], int] = {}
        self._known_rules: dict[tuple[t.Any, ...], int] = {}
        self._pieces: dict[tuple[int, ...], int] = {}
        self._proofs: dict[tuple[int, ...], int] = {}
        self._waivers: dict[tuple[int, ...], int] = {}
        self._days: list[int] = []
        self._rows: list[tuple[int, ...]] = []
        self._prints: list[str] = []

    def report(self, report: Item) -> None:
        before = len(self._rows)
        self._reports.append((self._string(report.get("name") or report.get("host")), 1 if report.get("kind") == COMPOSE_REPORT else 0))
        for item in (*report.get("attack_paths", ()), *report.get("findings", ())):
            self._row(item)
        self._per_report.append(len(self._rows) - before)

    def finished(self) -> dict[str, t.Any]:
        ordered = sorted(self._strings)
        place = {self._strings[text]: number for number, text in enumerate(ordered)}
        rows = [list(column) for column in zip(*self._rows)] or [[] for _name in range(10)]
        rule, code, subject, kind, file, line, reason, left_out, proof, waiver = rows
        pieces = [list(column) for column in zip(*self._pieces)] or [[] for _name in range(5)]

        def texts(column: t.Iterable[int]) -> t.Any:
            return _column([place[number] for number in column])

        return {
            "strings": _front_coded(ordered),
            "statuses": list(STATUSES),
            "severities": list(SEVERITIES),
            "soon": EXPIRES_SOON_DAYS,
            "count": len(self._rows),
            "reports": [[place[name], project] for name, project in self._reports],
            "per_report": self._per_report,
            "rules": [[*(place[number] for number in single), *([place[number] for number in several] for several in lists)] for single, lists in self._rules],
            "pieces": {**{name: texts(pieces[number]) for number, name in enumerate(_PIECE)}, "line": _column(pieces[4])},
            "proofs": [list(proof) for proof in self._proofs],
            "waivers": [[*(place[number] for number in waiver), days] for waiver, days in zip(self._waivers, self._days)],
            "rows": {
                "rule": _column(rule),
                "code": _column(code),
                "subject": texts(subject),
                "kind": texts(kind),
                "file": texts(file),
                "line": _column(line),
                "reason": texts(reason),
                "left_out": _column(left_out),
                "proof": _column(proof),
                "waiver": _column(waiver),
            },
            "prints": "".join(self._prints),
        }

    def _row(self, item: Item) -> None:
        status = item.get("status")
        code = _CODES.get((str(status), str(item.get("severity"))))
        if code is None:
            return
        self._rows.append(
            (
                self._rule(item),
                code,
                self._string(item.get("subject")),
                self._string(item.get("kind")),
                self._string(item.get("file")),
                clean.whole(item.get("line")) or 0,
                self._string(item.get("reason")),
                clean.whole(item.get("evidence_left_out")) or 0,
                self._proof(item.get("evidence") or ()),
                self._waiver(item.get("waiver")),
            )
        )
        if status in (FAIL, UNKNOWN):
            self._prints.append(_short(item.get("fingerprint")))

    def _string(self, value: t.Any) -> int:
        raw = value if isinstance(value, str) else clean.text(value)
        found = self._raw.get(raw)
        if found is None:
            found = self._raw[raw] = self._strings.setdefault(clean.text(raw, LONGEST), len(self._strings))
        return found

    def _rule(self, item: Item) -> int:
        # Most findings of a rule say the same about it, so the whole is looked up before its parts.
        raw = (*(item.get(name) for name in _RULE), *(tuple(item.get(name) or ()) for name in _LISTS))
        found = self._known_rules.get(raw)
        if found is None:
            texts = tuple(self._string(value) for value in raw[: len(_RULE)])
            lists = tuple(tuple(self._string(value) for value in item.get(name) or ()) for name in _LISTS)
            found = self._known_rules[raw] = self._rules.setdefault((texts, lists), len(self._rules))
        return found

    def _proof(self, evidence: t.Sequence[Item]) -> int:
        pieces = tuple(self._piece(piece) for piece in evidence)
        if not pieces:
            return 0
        if len(pieces) == 1:
            return pieces[0] + 1
        return -self._proofs.setdefault(pieces, len(self._proofs)) - 1

    def _piece(self, piece: Item) -> int:
        key = (*(self._string(piece.get(name)) for name in _PIECE), clean.whole(piece.get("line")) or 0)
        return self._pieces.setdefault(key, len(self._pieces))

    def _waiver(self, waiver: t.Any) -> int:
        if not waiver:
            return 0
        key = tuple(self._string(waiver.get(name)) for name in _WAIVER)
        found = self._waivers.setdefault(key, len(self._waivers))
        if found == len(self._days):
            self._days.append(self._days_left(waiver.get("expires")))
        return found + 1


def _column(values: list[int]) -> t.Any:
    """Return the values, or the one number that all of them are."""
    first = values[0] if values else 0
    return first if all(value == first for value in values) else values


def _front_coded(ordered: t.Sequence[str]) -> list[t.Any]:
    coded: list[t.Any] = []
    last = ""
    for text in ordered:
        shared = _shared(last, text)
        coded += (shared, text[shared:])
        last = text
    return coded


def _shared(one: str, other: str) -> int:
    """Return how many characters two texts begin with together; none beyond U+FFFF, of which JavaScript counts two."""
    number = 0
    for left, right in zip(one, other):
        if left != right or left > "\uffff":
            break
        number += 1
    return number


def _short(fingerprint: t.Any) -> str:
    if not isinstance(fingerprint, str) or not _FINGERPRINT.match(fingerprint):
        return _NO_PRINT
    return base64.urlsafe_b64encode(bytes.fromhex(fingerprint)).decode("ascii").rstrip("=")
