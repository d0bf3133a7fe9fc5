# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Versions of packages: their order, the upstream release in them, and the patterns with which users name them.

PRIVATE to the collection: no stability is promised to other users.

The order is Debian's (deb-version(7)); for the numbers that the engine's RPMs have, rpm's (rpm-version(7)) is the same.
"""

from __future__ import annotations

import fnmatch
import itertools
import re

_PIECES = re.compile(r"(\D*)(\d*)")
_UPSTREAM = re.compile(r"(?:\d+:)?(?P<upstream>\d[0-9.]*)")


def order(left: str, right: str) -> int:
    """Return a negative number, 0 or a positive one, as the left version is older, the same or newer."""
    for one, other in zip(_parts(left), _parts(right)):
        found = _order_of_parts(one, other)
        if found:
            return found
    return 0


def upstream(version: str) -> str:
    """Return the release in a package's version: ``28.5.2`` of ``5:28.5.2-1~debian.13~trixie`` and of ``28.5.2+dfsg4-5``."""
    match = _UPSTREAM.match(version)
    return match["upstream"].rstrip(".") if match else version


def matches(version: str, pattern: str) -> bool:
    """Tell whether a package's version is what a user asked for.

    Args:
        pattern: the whole version or the release in it, each with shell wildcards, or the first numbers of the release
            (``28.5`` is every 28.5.x).
    """
    release = upstream(version)
    return fnmatch.fnmatchcase(version, pattern) or fnmatch.fnmatchcase(release, pattern) or release.startswith(pattern.rstrip(".") + ".")


def _parts(version: str) -> tuple[str, str, str]:
    epoch, colon, rest = version.partition(":")
    epoch, rest = (epoch, rest) if colon else ("0", version)
    main, _dash, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return epoch, main, revision


def _order_of_parts(left: str, right: str) -> int:
    for (text, number), (other_text, other_number) in itertools.zip_longest(_PIECES.findall(left), _PIECES.findall(right), fillvalue=("", "")):
        # Where one text ends, the end of it ranks after a tilde and before all else.
        for one, other in zip(_ranks(text), _ranks(other_text)):
            if one != other:
                return one - other
        if int(number or 0) != int(other_number or 0):
            return int(number or 0) - int(other_number or 0)
    return 0


def _ranks(text: str) -> itertools.chain[int]:
    return itertools.chain((_rank(sign) for sign in text), itertools.repeat(0, 64))


def _rank(sign: str) -> int:
    if sign == "~":
        return -1
    return ord(sign) if sign.isalpha() else ord(sign) + 256
