# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The document of drift for a terminal: one table for the fleet, the worst first, and under it what differs where.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import textwrap
import typing as t
import unicodedata

from ansible_collections.bulkhead.docker.plugins.module_utils.report import drift_document, drift_phrases, phrases
from ansible_collections.bulkhead.docker.plugins.module_utils.report.drift_document import CLEAN, GONE, LOST, VERDICTS

WIDTH = 120
LINES = 200

_MOST_ROWS = 60
_LONGEST_NAME = 32
_LEAST_NAMES = 24
_HEADS = ("HOST", "STATE", "MENDED", "BLAST", "LAST CONVERGE", "DIFFERENCES")
_GAP = "  "

Item = t.Mapping[str, t.Any]
Document = t.Mapping[str, t.Any]


def render(document: Document, width: int = WIDTH, lines: int = LINES) -> str:
    """Return the whole text.

    Args:
        width: columns of a line; a wide character takes two.
        lines: how many there may be at most. What is left out is counted.
    """
    foot = ["", f"{phrases.PRODUCT} {document['collection_version']}, schema {document['schema_version']}, content {document['content']}"]
    every = [*_head(document), "", *_table(document, width), *_details(document, width)]
    room = max(lines - len(foot) - 1, 0)
    if len(every) > room:
        every = [*every[:room], f"... {len(every) - room} lines are left out; see the other formats."]
    return "".join(_cut(line, width).rstrip() + "\n" for line in [*every, *foot])


def table(document: Document, width: int = WIDTH) -> str:
    """Return the table of the fleet alone, as the callback shows it."""
    return "".join(_cut(line, width).rstrip() + "\n" for line in [*_head(document), "", *_table(document, width)])


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _cut(text: str, width: int) -> str:
    if columns(text) <= width:
        return text
    taken, kept = 0, 0
    for number, character in enumerate(text):
        taken += _columns(character)
        if taken > width - 3:
            break
        kept = number + 1
    return text[:kept] + "..."[:width]


def _padded(text: str, width: int) -> str:
    return text + " " * max(width - columns(text), 0)


def _count(number: int, one: str) -> str:
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def _head(document: Document) -> list[str]:
    fleet, hosts = document["fleet"], document["hosts"]
    about = hosts[0]["name"] if len(hosts) == 1 else _count(len(hosts), "host")
    title = f"Docker drift: {about}, {document['generated']}"
    verdicts = [f"{fleet['verdicts'][verdict]} {'not looked at' if verdict == LOST else verdict}" for verdict in VERDICTS if fleet["verdicts"][verdict]]
    counts = fleet["differences"]
    standing = counts["open"] + counts["new"]
    found = [_count(standing, "difference")]
    if counts["new"]:
        found.append(f"{counts['new']} of them new since the first look")
    if counts["mended"]:
        found.append(f"{counts['mended']} mended")
    if fleet["unknown"]:
        found.append(f"{_count(fleet['unknown'], 'thing')} could not be looked at")
    return [title, "=" * min(columns(title), WIDTH), f"Hosts   {', '.join(verdicts) or 'none'}", f"Found   {'; '.join(found)}"]


def _table(document: Document, width: int) -> list[str]:
    hosts = drift_document.worst_first(document["hosts"])
    shown = hosts[:_MOST_ROWS]
    rows = [_row(host) for host in shown]
    if not rows:
        return ["There is no host."]
    widths = [max(columns(head), *(columns(row[number]) for row in rows)) for number, head in enumerate(_HEADS[:-1])]
    widths[0] = min(widths[0], _LONGEST_NAME)
    left = sum(widths) + len(_GAP) * len(widths)
    room = max(width - left, _LEAST_NAMES)
    made = [_GAP.join([*(_padded(head, size) for head, size in zip(_HEADS, widths)), _HEADS[-1]])]
    for host, row in zip(shown, rows):
        told = [piece for line in _names(host) for piece in textwrap.wrap(line, room, subsequent_indent="  ") or [""]] or [""]
        first = _GAP.join([*(_padded(_cut(cell, size), size) for cell, size in zip(row, widths)), told[0]])
        made += [first, *(" " * left + piece for piece in told[1:])]
    return [*made, *_left_out(hosts[_MOST_ROWS:])]


def _left_out(hosts: t.Sequence[Item]) -> list[str]:
    if not hosts:
        return []
    clean = sum(1 for host in hosts if host["verdict"] == CLEAN)
    return [f"... and {_count(len(hosts), 'host')} more, {'all' if clean == len(hosts) else clean} of them clean"]


def _row(host: Item) -> tuple[str, ...]:
    return (host["name"], drift_phrases.verdict(host), drift_phrases.mended(host), host["blast"] or "-", _moment(host["last_converge"]))


def _moment(text: str) -> str:
    return text[:16].replace("T", " ") if len(text) >= 16 and text[10] == "T" else text[:16] or "-"


def _names(host: Item) -> list[str]:
    """Return what stands in the last column: names grouped by role, or why there are none."""
    if host["verdict"] == LOST:
        lines = [host["problem"]]
        found = drift_phrases.grouped(host["differences"])
        return lines + [f"before: {role}: {names}" for role, names in found.items()]
    standing = drift_document.standing(host)
    lines = [f"{role}: {names}" for role, names in drift_phrases.grouped(standing).items()]
    gone = drift_phrases.grouped(one for one in host["differences"] if one["standing"] == GONE)
    lines += [f"{role}: {names}" + (" (mended)" if standing else "") for role, names in gone.items()]
    if host["differences_left_out"]:
        lines.append(f"and {host['differences_left_out']} more")
    unknown = len(host["unknown"]) + host["unknown_left_out"]
    if unknown:
        lines.append(f"{_count(unknown, 'thing')} could not be looked at")
    return lines


def _details(document: Document, width: int) -> list[str]:
    made: list[str] = []
    for host in drift_document.worst_first(document["hosts"]):
        if not (host["differences"] or host["unknown"] or host["upgrades"]):
            continue
        made += ["", host["name"]]
        for one in host["differences"]:
            word = {"open": "", "new": "new: ", "mended": "mended: "}[one["standing"]]
            made += textwrap.wrap(f"{word}{one['what']} [{one['name']}]", max(width, 40), initial_indent="  ", subsequent_indent="    ")
            if one["standing"] == GONE:
                continue
            for label, told in (
                ("found", drift_phrases.evidence(one)),
                ("in", one["source"] if one["source"] and one["source"] not in one["what"] else ""),
                ("since", drift_phrases.since(one)),
                ("mends", drift_phrases.mending(one)),
                ("cost", drift_phrases.cost(one["blast"], host)),
            ):
                if told:
                    made.append(f"    {label + ':':<7}{told}")
        made += [f"  and {host['differences_left_out']} more"] if host["differences_left_out"] else []
        made += [f"  not looked at: {', '.join(filter(None, (one['item'], one['reason'])))}" for one in host["unknown"]]
        made += [f"  offered: {one['name']} {one['offered']} (installed: {one['installed']})" for one in host["upgrades"]]
    return made
