# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The document of drift as JSON, one line for each difference, so that two of them can be compared line by line.

PRIVATE to the collection: no stability is promised to other users. What it writes is public: docs/schemas/drift-1.json.
"""

from __future__ import annotations

import json
import typing as t

_LISTS = ("unknown", "differences")


def render(document: t.Mapping[str, t.Any]) -> str:
    """Return the text. It ends with a line break."""
    head = [f"{_text(key)}: {_text(value)}" for key, value in document.items() if key != "hosts"]
    hosts = ",\n".join(_host(host) for host in document["hosts"])
    return "{\n" + ",\n".join(head) + ',\n"hosts": [' + (f"\n{hosts}\n" if hosts else "") + "]\n}\n"


def _host(host: t.Mapping[str, t.Any]) -> str:
    lines = [f"{_text(key)}: {_text(value)}" for key, value in host.items() if key not in _LISTS]
    for key in _LISTS:
        items = ",\n".join(map(_text, host[key]))
        lines.append(f"{_text(key)}: [" + (f"\n{items}\n" if items else "") + "]")
    return "{\n" + ",\n".join(lines) + "\n}"


def _text(value: t.Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
