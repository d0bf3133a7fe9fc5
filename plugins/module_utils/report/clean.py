# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Text that others wrote, made safe to show: nothing in it can move a cursor, turn a line around or hide a part of itself.

PRIVATE to the collection: no stability is promised to other users.

Names, labels, tags and reasons come from managed hosts, and whoever runs a container there chooses them. What a terminal,
a browser or a log viewer would obey is written out as an escape such as ``\\x1b``: it stays visible, for it is evidence.
"""

from __future__ import annotations

import re
import typing as t

LONG = 2000
SHORT = 200

_SPACES = "\t\n\x0b\x0c\r\x85\u2028\u2029"
_PLANES = "".join(chr(plane * 0x10000 + 0xFFFE) + chr(plane * 0x10000 + 0xFFFF) for plane in range(17))
# Controls, what turns the direction of text, what is invisible, halves of surrogate pairs, and what is no character at all.
# The joiners of words in Persian or Hindi (U+200C, U+200D) stay.
_OBEYED = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff" + _PLANES + "]"
)
_LARGEST = 2**53


def _escaped(match: t.Match[str]) -> str:
    character = match.group()
    if character in _SPACES:
        return " "
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def text(value: t.Any, limit: int = LONG) -> str:
    """Return a value as one line that may be shown anywhere.

    Line breaks and tabs become spaces, everything else that a program would obey becomes an escape. Of more than `limit`
    characters the first ones are kept, and how many were left out is said. What is no text, number or truth value is "".
    """
    if not isinstance(value, str):
        if not isinstance(value, (bool, int, float)) or (isinstance(value, int) and abs(value) > _LARGEST):
            return ""
        value = str(value)
    length = len(value)
    if length > limit:
        value = value[:limit]
    if not (value.isascii() and value.isprintable()):
        value = _OBEYED.sub(_escaped, value)
    return f"{value}... ({length - limit} characters left out)" if length > limit else str(value)


def name(value: t.Any) -> str:
    """Return what something is called as one short line; see `text`."""
    return text(value, SHORT)


def whole(value: t.Any) -> int | None:
    """Return a whole number that is not negative, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
        return None
    return int(value)


def number(value: t.Any, most: float = float(_LARGEST)) -> float | None:
    """Return a number from 0 to `most` with at most three digits after the point, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        return None
    return round(float(value), 3)
