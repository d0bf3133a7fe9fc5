# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The document of drift as metrics for the textfile collector of the node exporter (text format 0.0.4, no timestamps).

PRIVATE to the collection: no stability is promised to other users.

A difference is a series by its name, of which there are few; what it is about is a label of none, because containers and files come
and go. A host that names more than there can be is cut short.
"""

from __future__ import annotations

import datetime
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.drift.model import BLASTS
from ansible_collections.bulkhead.docker.plugins.module_utils.report import drift_document

_HELP = {
    "info": "Which version of the collection made this report, and what tells two contents apart.",
    "timestamp_seconds": "When the report was made, in seconds since 1970.",
    "success": "1 when the host could be looked at, 0 when how it is is not known.",
    "drifted": "1 when the host is not as it was left or is wanted now; absent where that is not known.",
    "differences": "Differences that the host has now, by name, by the role that mends it, and by what mending interrupts.",
    "mended": "Differences that were mended in this run, by name and role.",
    "unknown": "Things that could not be looked at.",
    "last_converge_timestamp_seconds": "When the host was last left as wanted, in seconds since 1970; absent where that is not known.",
    "window_open": "1 while what interrupts Docker may be mended; absent where that is not known.",
}
_MOST_NAMES = 100
_OTHER = "other"
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)\Z")

Rows = dict[str, list[str]]


def render(document: t.Mapping[str, t.Any]) -> str:
    """Return the text."""
    rows: Rows = {name: [] for name in _HELP}
    _add(rows, "info", 1, {"collection_version": document["collection_version"], "content": document["content"]})
    _add(rows, "timestamp_seconds", seconds(document["generated"]), {})
    for host in document["hosts"]:
        _host(rows, host)
    parts = [
        f"# HELP bulkhead_drift_{name} {text}\n# TYPE bulkhead_drift_{name} gauge\n" + "".join(rows[name])
        for name, text in _HELP.items()
        if rows[name]
    ]
    return "".join(parts)


def seconds(moment: str) -> int | None:
    """Return a time in ISO 8601, UTC, in seconds since the epoch, or None for anything else."""
    found = _TIME.match(moment)
    if found is None:
        return None
    try:
        return int(datetime.datetime.fromisoformat(found[1] + "+00:00").timestamp())
    except (ValueError, OverflowError):
        return None


def _host(rows: Rows, host: t.Mapping[str, t.Any]) -> None:
    labels = {"host": host["name"]}
    known = drift_document.counted(host)
    _add(rows, "success", int(known), labels)
    if not known:
        return
    _add(rows, "drifted", int(host["verdict"] == drift_document.DRIFTED), labels)
    for metric, chosen, keys in (
        ("differences", drift_document.standing(host), ("name", "role", "blast")),
        ("mended", [one for one in host["differences"] if one["standing"] == drift_document.GONE], ("name", "role")),
    ):
        counts: dict[tuple[str, ...], int] = {}
        for one in chosen:
            key = tuple(one[label] for label in keys)
            if key not in counts and len(counts) >= _MOST_NAMES:
                key = (_OTHER, "", BLASTS[-1])[: len(keys)]
            counts[key] = counts.get(key, 0) + 1
        for key, count in sorted(counts.items()):
            _add(rows, metric, count, {**labels, **dict(zip(keys, key))})
    _add(rows, "unknown", len(host["unknown"]) + host["unknown_left_out"], labels)
    _add(rows, "last_converge_timestamp_seconds", seconds(host["last_converge"]), labels)
    _add(rows, "window_open", None if host["window_open"] is None else int(host["window_open"]), labels)


def _add(rows: Rows, name: str, value: float | None, labels: t.Mapping[str, str]) -> None:
    if value is None:
        return
    shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    rows[name].append(f"bulkhead_drift_{name}{{{shown}}} {value}\n" if shown else f"bulkhead_drift_{name} {value}\n")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
