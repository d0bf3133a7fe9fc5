# SPDX-License-Identifier: Apache-2.0
"""The budget is a bound that containers come near to and never pass, and the usual sums are not."""

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import log_budget

READS = "127.0.0.1:5514"
BLOCKING = {"mode": "blocking"}
SYSLOG = {"syslog-address": f"tcp://{READS}", **BLOCKING}
REMOTE = {
    "syslog": SYSLOG,
    "gelf": {"gelf-address": f"tcp://{READS}", **BLOCKING},
    "fluentd": {"fluentd-address": READS, **BLOCKING},
}
#: driver, options, megabytes that are written, how they are cut, the part of the bound that they must come to.
ROTATED = {
    "local, compressed": ("local", {"max-size": "3m", "max-file": "2"}, 30, "endless", 0.75),
    "local, five files": ("local", {"max-size": "1m"}, 16, "endless", 0.75),
    "local, plain": ("local", {"max-size": "2m", "max-file": "3", "compress": "false"}, 20, "endless", 0.9),
    "json-file, one": ("json-file", {"max-size": "2m"}, 3, "endless", 0.85),
    "json-file, plain": ("json-file", {"max-size": "2m", "max-file": "3"}, 4, "endless", 0.8),
    "json-file, compressed": ("json-file", {"max-size": "2m", "max-file": "3", "compress": "true"}, 4, "short", 0.5),
}
# A copy of 20 MiB files is large, so each host fills one to the end.
FULL = {"bookworm": "syslog", "trixie": "gelf", "forky": "fluentd"}


@pytest.mark.parametrize("case", list(ROTATED))
def test_rotated_logs(docker, version, program, case):
    driver, options, megabytes, lines, part = ROTATED[case]
    bound = log_budget.share(driver, options, version)
    seen = program("fill.py", {"driver": driver, "options": options, "megabytes": megabytes, "lines": lines})
    print(f"{case}: bound {bound}, largest {seen['largest']} in {seen['samples']} samples, {seen['names']}")
    assert part * bound <= seen["largest"] <= bound
    assert seen["samples"] > 50


def test_the_copy_of_a_remote_driver_filled_to_the_end(host, docker, version, program):
    driver = FULL[host.backend.get_hostname()]
    bound = log_budget.share(driver, REMOTE[driver], version)
    seen = program("fill.py", {"driver": driver, "options": REMOTE[driver], "megabytes": 130, "lines": "endless"})
    print(f"{driver}: bound {bound}, largest {seen['largest']} in {seen['samples']} samples, {seen['names']}")
    assert 0.75 * bound <= seen["largest"] <= bound
    assert len(seen["names"]) == 5


@pytest.mark.parametrize("driver", list(REMOTE))
def test_a_copy_is_rotated_at_20_mib_whatever_the_cache_options_say(docker, version, program, driver):
    options = {**REMOTE[driver], "cache-max-size": "1m", "cache-max-file": "2"}
    seen = program("fill.py", {"driver": driver, "options": options, "megabytes": 12, "lines": "text"})
    assert 12_000_000 < seen["largest"] <= log_budget.share(driver, options, version)
    assert seen["names"] == ["container-cached.log"]
    without = program("fill.py", {"driver": driver, "options": {**REMOTE[driver], "cache-disabled": "true"}, "megabytes": 1})
    assert (without["largest"], log_budget.share(driver, {**REMOTE[driver], "cache-disabled": "true"}, version)) == (0, 0)


def test_the_usual_sums_are_passed(docker, version, program):
    """max-file alone rotates nothing, and max-size times max-file is too little."""
    endless = program("fill.py", {"driver": "json-file", "options": {"max-file": "3"}, "megabytes": 8, "lines": "text"})
    assert endless["largest"] > 8_000_000
    assert [name for name in endless["names"] if not name.endswith("-json.log")] == []
    assert log_budget.share("json-file", {"max-file": "3"}, version) is None
    compressed = program("fill.py", {"driver": "local", "options": {"max-size": "3m", "max-file": "2"}, "megabytes": 30})
    assert compressed["largest"] > 2 * 3_000_000
