# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Changing the text of daemon.json without touching what stays: its order, its line breaks, its spaces.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_json
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_json import same

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


class _Member(t.NamedTuple):
    """Where a member of an object lies in a text: its name, its begin, and its value."""

    name: str
    start: int
    value_start: int
    end: int


def rewrite(text: str | None, config: t.Mapping[str, t.Any]) -> str:
    """Return a text that holds a configuration and is like another one wherever that says the same.

    Args:
        text: what daemon.json holds, or None where there is no file.
        config: what it shall hold.
    """
    like = (text or "").lstrip("\ufeff")
    if not config or not like.strip():
        return daemon_json.render(config)
    try:
        start = len(like) - len(like.lstrip(" \t\r\n"))
        written = like[:start] + _object(like[start:], config)
        right = same(daemon_json.parse(written), dict(config))
    except (ValueError, IndexError, RecursionError):
        right = False
    return written if right else daemon_json.render(config)


def _object(text: str, wanted: t.Mapping[str, t.Any]) -> str:
    """Return the text of an object, and what follows it, with the wanted members."""
    members = _members(text)
    kept = [member for member in members if member.name in wanted]
    if not kept:
        raise ValueError("nothing in it stays")
    head = text[: members[0].start]
    between = [text[one.end : other.start] for one, other in zip(members, members[1:])]
    separators = dict(zip((member.name for member in members[1:]), between))
    usual = between[-1] if between else "," + (head[head.index("{") + 1 :] or " ")
    indent = usual.rpartition("\n")[2] if "\n" in usual else None

    pieces: list[str] = []
    for member in kept:
        if pieces:
            pieces.append(separators[member.name])
        old = text[member.value_start : member.end]
        pieces.append(text[member.start : member.value_start] + _value(old, wanted[member.name], indent))
    names = {member.name for member in kept}
    for name, value in wanted.items():
        if name not in names:
            pieces.append(f"{usual}{json.dumps(name, ensure_ascii=False)}: {_fresh(value, indent)}")
    return head + "".join(pieces) + text[members[-1].end :]


def _value(old: str, wanted: t.Any, indent: str | None) -> str:
    held = json.loads(old)
    if same(held, wanted):
        return old
    if isinstance(held, dict) and isinstance(wanted, dict) and held.keys() & wanted.keys():
        return _object(old, wanted)
    return _fresh(wanted, indent)


def _fresh(value: t.Any, indent: str | None) -> str:
    if indent is None:
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False, indent=indent or 2).replace("\n", "\n" + indent)


def _members(text: str) -> list[_Member]:
    """Return the members of the object that a text begins with; the text is known to be JSON."""
    found = []
    position = _skip(text, 1)
    while text[position] != "}":
        name, end = _DECODER.raw_decode(text, position)
        value_start = _skip(text, _skip(text, end) + 1)
        _held, value_end = _DECODER.raw_decode(text, value_start)
        found.append(_Member(name, position, value_start, value_end))
        position = _skip(text, value_end)
        if text[position] == ",":
            position = _skip(text, position + 1)
    return found


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position
