# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Texts of strangers in messages that a terminal shows.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

LONGEST = 2000


def printable(text: str, longest: int = LONGEST) -> str:
    """Return a text without what a terminal obeys or turns around, and without line breaks: each such character is escaped.

    Args:
        longest: what is longer is cut, with an ellipsis.
    """
    if len(text) > longest:
        text = text[: longest - 1] + "\u2026"
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
