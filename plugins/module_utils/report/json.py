# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The document as JSON, one line for each finding, so that two of them can be compared line by line.

PRIVATE to the collection: no stability is promised to other users. What it writes is public: docs/schemas/report-1.json.
"""

from __future__ import annotations

import json
import typing as t

_LISTS = ("attack_paths", "findings")


def render(document: t.Mapping[str, t.Any]) -> str:
    """Return the text. It ends with a line break."""
    head = [f"{_text(key)}: {_text(value)}" for key, value in document.items() if key != "reports"]
    reports = ",\n".join(_report(report) for report in document["reports"])
    return "{\n" + ",\n".join(head) + ',\n"reports": [' + (f"\n{reports}\n" if reports else "") + "]\n}\n"


def _report(report: t.Mapping[str, t.Any]) -> str:
    lines = [f"{_text(key)}: {_text(value)}" for key, value in report.items() if key not in _LISTS]
    for key in _LISTS:
        items = ",\n".join(map(_text, report[key]))
        lines.append(f"{_text(key)}: [" + (f"\n{items}\n" if items else "") + "]")
    return "{\n" + ",\n".join(lines) + "\n}"


def _text(value: t.Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
