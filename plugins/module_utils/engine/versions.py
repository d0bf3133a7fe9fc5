# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Versions of the Docker engine: reading and comparing them.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import re
import typing as t

_NUMBERS = re.compile(r"v?(?P<major>\d+)(?:\.(?P<minor>\d+))?(?:\.(?P<patch>\d+))?(?P<rest>[-+~].*)?")
_REPORTED = re.compile(r"\bversion\s+(?P<version>\d+\.\d+[^\s,]*)", re.IGNORECASE)


class Version(t.NamedTuple):
    """An engine's release; pre-releases and a distribution's suffix do not take part in comparisons."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


#: The newest release whose keys and options the tables of this collection know.
NEWEST_KNOWN = Version(29, 7, 2)
#: The oldest release that the tables know; Debian 12 has it.
OLDEST_KNOWN = Version(20, 10, 0)


def parse(text: str) -> Version:
    """Return the release in a version such as ``20.10.24+dfsg1``, ``26.1`` or ``v28.5.2-rc.1``.

    Raises:
        ValueError: the text does not start with a number; the message is a sentence.
    """
    match = _NUMBERS.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"'{text}' is not a version of the Docker engine; write it like 28.5.2")
    return Version(int(match["major"]), int(match["minor"] or 0), int(match["patch"] or 0))


def reported(output: str) -> str | None:
    """Return the version in what ``dockerd --version`` prints, with its suffix, or None when there is none."""
    match = _REPORTED.search(output)
    return match["version"] if match else None


def within(version: Version, since: str, removed: str = "") -> bool:
    """Tell whether a release has what came with ``since`` and went with ``removed``; empty means always and never."""
    return (not since or version >= parse(since)) and (not removed or version < parse(removed))
