# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import datetime
import zoneinfo

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift import windows
from hypothesis import given
from hypothesis import strategies as st


def at(text, zone="UTC"):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=zoneinfo.ZoneInfo(zone)).timestamp()


def is_open(described, text, zone="UTC"):
    return windows.is_open(windows.parse(described), at(text, zone), zoneinfo.ZoneInfo)


def test_without_windows_any_time_is_right():
    assert is_open([], "2026-11-26T15:00")


# 2026-11-28 is a Saturday.
@pytest.mark.parametrize(
    "moment, expected",
    [
        ("2026-11-28T21:59", False),
        ("2026-11-28T22:00", True),
        ("2026-11-28T23:59", True),
        ("2026-11-29T00:00", True),
        ("2026-11-29T03:59", True),
        ("2026-11-29T04:00", False),
        ("2026-11-29T22:30", False),
        ("2026-11-28T02:00", False),
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_on_which_it_opens(moment, expected):
    assert is_open([{"days": ["sat"], "from": "22:00", "until": "04:00"}], moment) is expected


@pytest.mark.parametrize("moment, expected", [("2026-11-26T08:59", False), ("2026-11-26T09:00", True), ("2026-11-26T16:59", True), ("2026-11-26T17:00", False)])
def test_a_window_within_a_day_opens_every_day(moment, expected):
    assert is_open([{"from": "09:00", "until": "17:00"}], moment) is expected


def test_the_last_day_of_the_week_goes_over_into_the_first():
    assert is_open([{"days": ["sun"], "from": "23:00", "until": "01:00"}], "2026-11-30T00:30")
    assert not is_open([{"days": ["mon"], "from": "23:00", "until": "01:00"}], "2026-11-30T00:30")


def test_the_same_time_twice_is_a_whole_day():
    described = [{"days": ["sat"], "from": "12:00", "until": "12:00"}]
    assert is_open(described, "2026-11-28T12:00")
    assert is_open(described, "2026-11-29T11:59")
    assert not is_open(described, "2026-11-29T12:00")


def test_times_are_those_of_the_zone():
    described = [{"days": ["sat"], "from": "22:00", "until": "23:00", "timezone": "America/New_York"}]
    assert is_open(described, "2026-11-28T22:30", "America/New_York")
    assert is_open(described, "2026-11-29T03:30")
    assert not is_open(described, "2026-11-28T22:30")


def test_one_of_several_is_enough():
    described = [{"from": "01:00", "until": "02:00"}, {"days": ["thu"], "from": "15:00", "until": "16:00"}]
    assert is_open(described, "2026-11-26T15:30")


@pytest.mark.parametrize(
    "described, said",
    [
        ({"from": "25:00", "until": "01:00"}, "window 1 opens at '25:00'"),
        ({"from": "22:00"}, "window 1 closes at 'None'"),
        ({"from": 1320, "until": "01:00"}, "in quotes"),
        ({"days": ["Saturday"], "from": "22:00", "until": "01:00"}, "has the day 'Saturday'"),
        ({"form": "22:00", "until": "01:00"}, "has 'form'"),
    ],
)
def test_what_is_no_window_is_refused_with_a_reason(described, said):
    with pytest.raises(windows.WindowError, match=said):
        windows.parse([described])


def test_a_zone_that_does_not_exist_is_told_although_another_window_is_open():
    described = [{"from": "00:00", "until": "23:59"}, {"from": "01:00", "until": "02:00", "timezone": "Mars/Olympus"}]
    with pytest.raises(windows.WindowError, match="window 2 is in the time zone 'Mars/Olympus'"):
        is_open(described, "2026-11-26T15:30")


MINUTES = st.integers(0, 24 * 60 - 1)


@given(st.sets(st.sampled_from(windows.DAYS), min_size=1), MINUTES, MINUTES)
def test_a_week_holds_as_many_open_minutes_as_its_windows_say(days, opens, closes):
    window = windows.parse([{"days": sorted(days), "from": f"{opens // 60:02}:{opens % 60:02}", "until": f"{closes // 60:02}:{closes % 60:02}"}])[0]
    monday = datetime.datetime(2026, 11, 23)
    counted = sum(window.holds(monday + datetime.timedelta(minutes=minute)) for minute in range(0, 7 * 24 * 60, 60))
    length = (closes - opens) % (24 * 60) or 24 * 60
    assert abs(counted * 60 - length * len(days)) < 60 * len(days)
