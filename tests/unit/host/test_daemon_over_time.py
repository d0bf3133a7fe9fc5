# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What one run leaves for the next: keys to reset, restarts that wait, memories that are damaged, runs that are killed."""

from __future__ import annotations

import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files
from ansible_collections.bulkhead.docker.plugins.module_utils.host import daemon_transaction, locks
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon_plan import DaemonError, Request
from ansible_collections.bulkhead.docker.tests.unit.host.test_daemon_transaction import FakeHost, Killed, config_of, run


def test_dropping_a_label_needs_no_restart():
    host = FakeHost({})
    run(host, {"labels": ["a=b"]})
    outcome = run(host, {})
    assert (outcome.action, host.loaded["labels"], host.starts) == ("reload", [], 1)
    assert (config_of(host), host.state.reset) == ({"labels": []}, {"labels": []})
    assert run(host, {}).changed is False
    run(host, {"raw-logs": True})
    assert (config_of(host), host.state.reset) == ({"raw-logs": True}, {})


def test_a_deferred_restart_leaves_the_reset_in_the_file_until_it_comes():
    host = FakeHost({})
    run(host, {"labels": ["a=b"]})
    assert run(host, {"raw-logs": True}, may_restart=False).pending == ["raw-logs"]
    assert config_of(host) == {"labels": [], "raw-logs": True}
    assert host.loaded == {"labels": []}
    run(host, {"raw-logs": True})
    assert (config_of(host), host.loaded) == ({"raw-logs": True}, {"raw-logs": True})


def test_taking_a_deferred_change_back_needs_nothing():
    host = FakeHost({})
    run(host, {"icc": True})
    run(host, {"icc": False, "log-driver": "local"}, may_restart=False)
    outcome = run(host, {"icc": True}, may_restart=False)
    assert (outcome.changed, outcome.action, outcome.pending_restart, host.starts) == (True, "none", False, 1)
    assert (host.state.pending, host.state.since, host.state.unapplied) == ("", {}, ())


def test_a_deferred_change_is_told_each_time():
    host = FakeHost({})
    for _turn in range(2):
        outcome = run(host, {"icc": False}, may_restart=False)
        assert outcome.warnings[-1] == "The daemon waits for a restart, which is deferred, to use icc."
        assert [entry.name for entry in outcome.interrupts] == ["(engine)"]


def test_a_clock_that_is_wrong_does_not_hide_what_is_pending():
    host = FakeHost({})
    run(host, {"icc": False}, may_restart=False)
    # The machine slept, or its clock was set: by the clock the daemon is younger than the file.
    host.started = host.age + 1000
    assert run(host, {"icc": False}, may_restart=False).pending_restart is True


def test_a_masked_unit_is_refused_in_check_mode_too():
    host = FakeHost({}, up=False)
    host.masked = True
    for predicting in (True, False):
        with pytest.raises(DaemonError, match="is masked.*systemctl unmask docker.service"):
            run(host, {"icc": False}, predicting=predicting)
    assert run(host, {"icc": False}, may_start=False).action == "none"


def test_another_run_that_does_not_end_is_told():
    host = FakeHost({})

    def taken(_seconds):
        raise locks.LockError("Another run (process 7) has been changing the same thing; run again when it has ended")

    host.lock = taken
    with pytest.raises(DaemonError, match="process 7.*run again when it has ended[.]$"):
        daemon_transaction.converge(host, Request(settings={"icc": False}))
    # Looking is allowed.
    assert daemon_transaction.converge(host, Request(settings={"icc": False}, predicting=True))[1].action == "restart"


def killed(host, settings, point, **options):
    host.die_at = point
    with pytest.raises(Killed):
        run(host, settings, **options)
    host.die_at = ""
    return host.rescue


def test_files_that_were_never_tried_are_taken_back_when_the_run_is_killed():
    host = FakeHost({"mtu": 1400})
    killed(host, {"icc": False}, "restart")()
    assert (config_of(host), host.starts, host.up) == ({"mtu": 1400}, 1, True)
    assert run(host, {"icc": False}).action == "restart"


def test_files_with_which_the_daemon_serves_stay_when_the_run_is_killed():
    host = FakeHost({"mtu": 1400})
    start = host._start

    def die_after(name, timeout):
        start(name, timeout)
        raise Killed

    host._start = die_after
    with pytest.raises(Killed):
        run(host, {"icc": False})
    host._start = start
    host.rescue()
    assert (config_of(host), host.starts, host.loaded["icc"]) == ({"mtu": 1400, "icc": False}, 2, False)
    assert run(host, {"icc": False}).action == "none"


def test_a_daemon_that_does_not_come_up_is_brought_back_when_the_run_is_killed():
    host = FakeHost({"mtu": 1400})
    host.bad = lambda config: "no bridge" if "icc" in config else ""
    host.files = Files(json.dumps({"mtu": 1400}))
    start = host._start

    def die_after(name, timeout):
        start(name, timeout)
        raise Killed

    host._start = die_after
    with pytest.raises(Killed):
        run(host, {"icc": False})
    host._start = start
    assert not host.up
    with pytest.raises(DaemonError, match="The run was killed.*serves again"):
        host.rescue()
    assert (host.up, config_of(host)) == (True, {"mtu": 1400})


def test_a_daemon_that_rested_rests_when_the_run_is_killed():
    host = FakeHost({"mtu": 1400}, up=False)
    host.unit_step = "inactive (dead)"
    killed(host, {"icc": False}, "write", may_start=False)()
    assert (host.up, config_of(host)) == (False, {"mtu": 1400})
    assert "stop" not in host.log
