# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Maintenance windows: the times of the week at which disruptive work may be done.

PRIVATE to the collection: no stability is promised to other users.

A window opens on its days at one time and closes at another; where it closes at or before the time at which it opens, that
is on the next day. Times are those of a clock on the wall in the window's time zone, so on a day on which clocks are put
forward or back a window is shorter or longer by what the clock skips or repeats.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
import typing as t

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
#: From the name of a time zone to its rules; raises an Exception of its own where there is no such zone.
Zones = t.Callable[[str], datetime.tzinfo]


class WindowError(ValueError):
    """The description of a window cannot be used; the message says where, what was found, and what to write."""


@dataclasses.dataclass(frozen=True)
class Window:
    """One window.

    Attributes:
        days: on which it opens, 0 for Monday.
        opens, closes: minutes after midnight.
        zone: the name of its time zone.
    """

    days: frozenset[int]
    opens: int
    closes: int
    zone: str = "UTC"

    def holds(self, moment: datetime.datetime) -> bool:
        """Tell whether a moment of the window's own time zone is in it."""
        minute = moment.hour * 60 + moment.minute
        today = moment.weekday()
        if self.opens < self.closes:
            return today in self.days and self.opens <= minute < self.closes
        # It goes over midnight, so the end of it belongs to the day before.
        return (today in self.days and minute >= self.opens) or ((today - 1) % 7 in self.days and minute < self.closes)


def parse(described: t.Sequence[t.Mapping[str, t.Any]]) -> tuple[Window, ...]:
    """Return the windows that dictionaries describe with ``days``, ``from``, ``until`` and ``timezone``.

    Raises:
        WindowError: a description is none.
    """
    found = []
    for number, entry in enumerate(described, start=1):
        where = f"window {number}"
        strange = sorted(set(map(str, entry)) - {"days", "from", "until", "timezone"})
        if strange:
            raise WindowError(f"{where} has '{strange[0]}', which means nothing; a window has days, from, until and timezone")
        days = entry.get("days") or DAYS
        for day in days:
            if day not in DAYS:
                raise WindowError(f"{where} has the day '{day}'; write {', '.join(DAYS)}")
        found.append(
            Window(
                frozenset(DAYS.index(day) for day in days),
                _minutes(entry.get("from"), f"{where} opens"),
                _minutes(entry.get("until"), f"{where} closes"),
                str(entry.get("timezone") or "UTC"),
            )
        )
    return tuple(found)


def is_open(windows: t.Sequence[Window], now: float, zones: Zones) -> bool:
    """Tell whether disruptive work may be done now; without any window it always may.

    Args:
        windows: what parse returned.
        now: in seconds since the epoch.
        zones: knows the time zones; it is not asked for UTC.

    Raises:
        WindowError: there is no such time zone.
    """
    opened = not windows
    for number, window in enumerate(windows, start=1):
        # Each is looked at, so that a zone that does not exist is told at any time of the week.
        opened = window.holds(datetime.datetime.fromtimestamp(now, _zone(window.zone, number, zones))) or opened
    return opened


def _zone(name: str, number: int, zones: Zones) -> datetime.tzinfo:
    if name == "UTC":
        return datetime.timezone.utc
    try:
        return zones(name)
    except Exception as error:
        raise WindowError(f"window {number} is in the time zone '{name}', which is not known; write a name such as Europe/Berlin, or UTC") from error


def _minutes(text: t.Any, what: str) -> int:
    match = _TIME.fullmatch(str(text))
    if not match:
        raise WindowError(f"{what} at '{text}'; write hours and minutes, as 22:30 (in quotes, or YAML reads a number)")
    return int(match[1]) * 60 + int(match[2])
