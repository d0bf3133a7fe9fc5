# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.log_budget import (
    Filesystem,
    LogConfig,
    budget,
    leftovers,
    share,
    shortage,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import parse

OLD, NEW = parse("20.10.24"), parse("28.5.2")
MB = 1_000_000
MIB = 1024 * 1024
LOCAL = {"max-size": "10m", "max-file": "3", "compress": "false"}


@pytest.mark.parametrize(
    ("driver", "options", "version", "files"),
    [
        ("json-file", {"max-size": "10m"}, NEW, 1),
        ("json-file", {"max-size": "10m"}, OLD, 2),
        ("json-file", {"max-size": "10m", "max-file": "3"}, NEW, 3),
        ("json-file", {"max-size": "10m", "max-file": "3"}, OLD, 3),
        ("json-file", {"max-size": "10m", "max-file": "3", "compress": "true"}, NEW, 4),
        ("local", LOCAL, NEW, 3),
        ("local", {"max-size": "10m"}, NEW, 6),
        ("local", {"max-size": "10m", "max-file": "1", "compress": "false"}, NEW, 1),
        ("local", {"max-size": "10m", "max-file": "0", "compress": "false"}, NEW, 1),
    ],
)
def test_files_of_a_rotated_log(driver, options, version, files):
    found = share(driver, options, version)
    assert files * 10 * MB < found < files * 10 * MB * 1.02


def test_the_engines_own_sizes():
    assert 6 * 20 * MIB < share("local", {}, NEW) < 6 * 20.1 * MIB
    assert share("json-file", {}, NEW) is None
    assert share("json-file", {"max-file": "5"}, NEW) is None
    assert share("json-file", {"max-size": "-1"}, NEW) is None


@pytest.mark.parametrize("driver", ["syslog", "gelf", "fluentd", "splunk", "gcplogs", "some/plugin:1"])
def test_a_driver_that_cannot_be_read_has_a_copy(driver):
    assert share(driver, {}, NEW) == share("local", {}, NEW)
    assert share(driver, {"cache-disabled": "false"}, NEW) == share("local", {}, NEW)
    assert share(driver, {"cache-max-size": "1k", "cache-max-file": "1"}, NEW) == share("local", {}, NEW)
    assert share(driver, {"cache-disabled": "true"}, NEW) == 0


@pytest.mark.parametrize("driver", ["none", "journald"])
def test_drivers_that_leave_nothing_below_the_root(driver):
    assert share(driver, {}, NEW) == 0


def test_long_messages_and_attributes_count():
    assert share("awslogs", {}, NEW) > share("syslog", {}, NEW)
    assert share("json-file", {"max-size": "1m", "tag": "x"}, NEW) > share("json-file", {"max-size": "1m"}, NEW)
    assert share("local", {"tag": "x"}, NEW) == share("local", {}, NEW)
    assert share("local", {"tag": "x"}, parse("29.5.0")) > share("local", {}, NEW)


def place(room, logs=0):
    return Filesystem("/var/lib/docker", 100 * MB, room - logs, logs)


def test_existing_containers_count_with_their_own_settings():
    default = LogConfig("", "local", LOCAL)
    existing = [LogConfig("a", "json-file", {"max-size": "10m"}), LogConfig("b", "journald", {})]
    found = budget(default, 2, existing, place(90 * MB), NEW)
    assert (found.containers, found.unlimited) == (4, ())
    assert found.total == 2 * share("local", LOCAL, NEW) + share("json-file", {"max-size": "10m"}, NEW)
    assert found.fits is True
    assert (shortage(found), leftovers(found)) == ("", "")
    assert found.as_dict()["per_container"] == share("local", LOCAL, NEW)


def test_what_is_there_already_is_room_too():
    default = LogConfig("", "local", LOCAL)
    assert budget(default, 1, [], place(35 * MB), NEW).fits is True
    assert budget(default, 1, [], place(35 * MB, logs=30 * MB), NEW).fits is True
    assert budget(default, 1, [], place(25 * MB, logs=25 * MB), NEW).fits is False


def test_new_containers_that_do_not_fit():
    found = budget(LogConfig("", "local", LOCAL), 4, [], place(90 * MB), NEW)
    assert found.fits is False
    assert "lets 4 containers write" in shortage(found)
    assert "/var/lib/docker has room for" in shortage(found)


def test_logs_without_end_are_named():
    default = LogConfig("", "local", LOCAL)
    existing = [LogConfig(name, "json-file", {}) for name in "gfedcba"]
    found = budget(default, 0, existing, place(900 * MB), NEW)
    assert found.fits is False
    assert found.unlimited == tuple("abcdefg")
    assert (shortage(found), "a, b, c, d, e …" in leftovers(found)) == ("", True)
    endless = budget(LogConfig("", "json-file", {}), 0, None, None, NEW)
    assert (endless.per_container, endless.total, endless.fits) == (None, None, None)
    assert "without max-size" in shortage(endless)


def test_lower_settings_are_not_refused_for_what_came_before_them():
    large = [LogConfig(str(number), "local", {}) for number in range(2)]
    found = budget(LogConfig("", "local", LOCAL), 0, large, place(90 * MB), NEW)
    assert found.fits is False
    assert shortage(found) == ""
    assert "create containers from earlier again" in leftovers(found)


def test_nobody_asked():
    found = budget(LogConfig("", "local", LOCAL), 0, None, place(1), NEW)
    assert (found.containers, found.total, found.fits, shortage(found), leftovers(found)) == (None, None, None, "", "")
