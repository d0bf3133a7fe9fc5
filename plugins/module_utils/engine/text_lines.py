# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Lines and fields of a host's files as the kernel, shadow-utils and libmount read them.

PRIVATE to the collection: no stability is promised to other users.

Python's own splitlines() and split() also end a line at a form feed, a NEL or U+2028, and a field at a no-break space. Names of
mount points and labels may hold those, so a text that only Python divides there says to us what it says to nobody else.
"""

from __future__ import annotations

import re

_BLANKS = re.compile(r"[ \t]+")
_NUMBER = re.compile(r"0|[1-9][0-9]*")


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, which end at line feeds and nowhere else."""
    found = text.split("\n")
    return found if found[-1] else found[:-1]


def fields_of(line: str) -> list[str]:
    """Return what blanks and tabs divide."""
    stripped = line.strip(" \t")
    return _BLANKS.split(stripped) if stripped else []


def number(text: str) -> int | None:
    """Return a whole number of plain digits, None for anything else: C reads 010 as eight where Go and Python read ten, and neither knows ²."""
    return int(text) if _NUMBER.fullmatch(text) and len(text) < 40 else None
