# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Sizes as people write them, in bytes.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import re

_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[kmgtp]?)(?P<kind>i?b?)", re.IGNORECASE)
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def parse_size(value: str | int) -> int:
    """Return a size in bytes.

    Every unit is a power of 1024, with or without its ``i`` (``10m``, ``10MB`` and ``10MiB`` are the same), because that
    is how dockerd reads sizes of memory and logs (RAMInBytes in docker/go-units) and how disks are divided here.

    Raises:
        ValueError: the value is no size, or is negative; the message is a sentence.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"{value!r} is not a size; write a number of bytes or a number with k, m, g or t, such as 20GiB")
    if isinstance(value, int):
        if value < 0:
            raise ValueError(f"{value} is not a size; it must not be negative")
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError(f"'{value}' is not a size; write a number of bytes or a number with k, m, g or t, such as 20GiB")
    return int(float(match["number"]) * 1024 ** _POWERS[match["unit"].lower()])


def format_size(count: int) -> str:
    """Return a number of bytes in the largest unit that leaves at least one, with at most one decimal place."""
    amount: float = count
    unit = 0
    while amount >= 1024 and unit < len(_UNITS) - 1:
        amount /= 1024
        unit += 1
    return f"{amount:.1f}".rstrip("0").rstrip(".") + " " + _UNITS[unit]
