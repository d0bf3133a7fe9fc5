# SPDX-License-Identifier: Apache-2.0
"""What a host does by itself: it finds and mends, one run at a time, gives way, ends in time, and tells of each run."""

from __future__ import annotations

import pytest
from kept_host import METRICS, PROGRAM, SERVICE, TIMER, until


def test_a_healthy_host_says_so(pull):
    since = pull.now()
    assert pull.run() == 0
    assert "The host checked itself after" in pull.said(since)
    assert ": nothing differs." in pull.said(since)
    metrics = pull.metrics()
    assert metrics["bulkhead_pull_success"] == metrics["bulkhead_pull_looked"] == metrics["bulkhead_pull_checked"] == 1
    assert metrics["bulkhead_pull_drifted"] == 0
    assert metrics["bulkhead_pull_last_run_timestamp_seconds"] >= since
    assert metrics["bulkhead_pull_last_success_timestamp_seconds"] >= since
    assert 0 < metrics["bulkhead_pull_duration_seconds"] < 600
    assert pull.drift()["verdict"] == "clean"


def test_the_host_finds_and_mends_what_was_done_to_it(host, pull):
    wanted = host.check_output("sha256sum /etc/docker/daemon.json")
    started = pull.shown("docker.service", "ActiveEnterTimestampMonotonic")
    host.check_output("sed -i 's/\"no-new-privileges\": true/\"no-new-privileges\": false/' /etc/docker/daemon.json && chmod 666 /etc/docker/daemon.json")
    assert host.check_output("sha256sum /etc/docker/daemon.json") != wanted
    since = pull.now()
    assert pull.run() == 0, pull.said(since)
    assert host.check_output("sha256sum /etc/docker/daemon.json") == wanted
    assert host.file("/etc/docker/daemon.json").mode & 0o022 == 0
    said = pull.said(since)
    assert "file-edited mended" in said
    metrics = pull.metrics()
    assert metrics["bulkhead_pull_drifted"] == 0
    assert metrics['bulkhead_pull_mended{name="file-edited",role="docker_daemon"}'] == 1
    assert pull.drift()["verdict"] == "mended"
    # The policy is safe.
    assert pull.shown("docker.service", "ActiveEnterTimestampMonotonic") == started
    assert pull.run() == 0
    assert pull.drift()["verdict"] == "clean"


def test_it_mends_its_own_timer(host, pull):
    host.check_output(f"systemctl disable --now {TIMER}")
    host.check_output("chmod 755 /etc/bulkhead/docker-pull.json")
    assert pull.run() == 0
    assert pull.drift()["verdict"] == "mended"
    assert pull.shown(TIMER, "UnitFileState", "ActiveState") == {"UnitFileState": "enabled", "ActiveState": "active"}
    assert host.file("/etc/bulkhead/docker-pull.json").mode == 0o600
    assert pull.run() == 0
    assert pull.drift()["verdict"] == "clean"


def test_the_timer_fires_and_makes_up_for_what_it_missed(host, pull):
    persistent = pull.shown(TIMER, "Persistent", "FixedRandomDelay", "RandomizedDelayUSec")
    assert persistent == {"Persistent": "yes", "FixedRandomDelay": "yes", "RandomizedDelayUSec": "2h"}
    pull.replace_run("exit 0")
    try:
        # It was to fire yesterday, and the host was off.
        pull.drop_in(TIMER, "[Timer]\nRandomizedDelaySec=0\n")
        host.check_output(f"systemctl stop {TIMER} && touch -d '2 days ago' /var/lib/systemd/timers/stamp-{TIMER}")
        since = pull.now()
        host.check_output(f"systemctl start {TIMER}")
        until(lambda: "The run ended well" in pull.said(since), 60, "a run that was missed has not been made up for")
        # And from now on every two seconds.
        pull.drop_in(TIMER, "[Timer]\nOnCalendar=\nOnCalendar=*:*:0/2\nRandomizedDelaySec=0\n")
        since = pull.now()
        host.check_output(f"systemctl restart {TIMER}")
        until(lambda: pull.said(since).count("The run ended well") >= 3, 60, "the timer does not fire again and again")
    finally:
        pull.no_drop_in(TIMER)
        host.check_output(f"systemctl restart {TIMER}")
        pull.restore_run()


def test_one_run_at_a_time(host, pull):
    # The run lasts until the test lets it go, however slow the machine is.
    pull.replace_run("touch /root/begun; while [ ! -e /root/go ]; do sleep 0.2; done; rm /root/go /root/begun")
    try:
        since = pull.now()
        host.check_output(f"systemctl start --no-block {SERVICE}")
        until(lambda: host.file("/root/begun").exists, 30, "the first run does not begin")
        before = host.check_output(f"stat -c %Y {METRICS}")
        second = host.run(PROGRAM)
        assert second.rc == 0
        assert second.stdout.startswith("Another run (process ")
        assert second.stdout.strip().endswith("is at work on this host, so this one does nothing.")
        # Nobody tells of a run that was none.
        assert host.check_output(f"stat -c %Y {METRICS}") == before
        host.check_output("touch /root/go")
        until(lambda: "The run ended well" in pull.said(since), 30, "the first run does not end well")
        # The other way around.
        host.check_output(f"nohup {PROGRAM} > /root/by-hand 2>&1 &")
        until(lambda: host.file("/root/begun").exists, 30, "the run by hand does not begin")
        since = pull.now()
        assert pull.run() == 0
        assert "Another run (process " in pull.said(since)
        host.check_output("touch /root/go")
        until(lambda: "The run ended well" in host.check_output("cat /root/by-hand"), 30, "the run by hand does not end well")
    finally:
        host.run("touch /root/go")
        until(lambda: pull.shown(SERVICE, "ActiveState")["ActiveState"] != "activating", 30, "a run is still at work")
        host.run("rm -f /root/go /root/begun")
        pull.restore_run()


def test_a_run_that_hangs_is_stopped_and_told_of(host, pull):
    succeeded = pull.metrics()["bulkhead_pull_last_success_timestamp_seconds"]
    pull.replace_run("sleep 1000")
    pull.drop_in(SERVICE, "[Service]\nTimeoutStartSec=3\n")
    try:
        since = pull.now()
        assert pull.run() != 0
        assert pull.shown(SERVICE, "Result") == {"Result": "timeout"}
        assert host.run("pgrep -f '[s]leep 1000'").rc != 0
        assert "The run took TOO LONG and was stopped after" in pull.said(since)
        metrics = pull.metrics()
        assert metrics["bulkhead_pull_success"] == metrics["bulkhead_pull_looked"] == 0
        assert metrics['bulkhead_pull_result{result="timeout"}'] == 1
        assert metrics["bulkhead_pull_last_run_timestamp_seconds"] >= since
        assert metrics["bulkhead_pull_last_success_timestamp_seconds"] == succeeded
        # What is known of the host is still there, with its own time.
        assert metrics["bulkhead_pull_look_timestamp_seconds"] < since
    finally:
        pull.no_drop_in(SERVICE)
        pull.restore_run()


def test_a_run_that_fails_or_is_killed_is_told_of(host, pull):
    for script, result, said in (
        ("exit 4", "failed", "The run FAILED (exit status 4) after"),
        ("kill -KILL $PPID; sleep 30", "killed", "The run was KILLED (KILL) after"),
    ):
        pull.replace_run(script)
        try:
            since = pull.now()
            assert pull.run() != 0
            assert said in pull.said(since)
            assert pull.metrics()[f'bulkhead_pull_result{{result="{result}"}}'] == 1
        finally:
            pull.restore_run()


def test_it_gives_way(host, pull):
    pull.replace_run("cat /proc/self/stat /proc/self/oom_score_adj > /root/rank; ionice -p $$ > /root/ionice")
    try:
        assert pull.run() == 0
    finally:
        pull.restore_run()
    stat, adjustment = host.check_output("cat /root/rank").splitlines()
    assert int(stat.rpartition(")")[2].split()[16]) == 15
    assert int(adjustment) == 500
    assert host.check_output("cat /root/ionice") == "idle"
    shown = pull.shown(SERVICE, "Nice", "IOSchedulingClass", "CPUWeight", "IOWeight")
    assert shown == {"Nice": "15", "IOSchedulingClass": "3", "CPUWeight": "10", "IOWeight": "10"}


def test_only_root_reads_what_may_be_a_secret(host):
    where = host.check_output("grep -rl correct-horse /etc /usr/local /var/lib/bulkhead /run/systemd /var/lib/prometheus || true").splitlines()
    assert where == ["/etc/bulkhead/docker-pull-inventory.yml"]
    assert host.check_output("stat -c '%U %a' /etc/bulkhead /var/lib/bulkhead/pull /run/bulkhead").splitlines() == ["root 700"] * 3
    for path in ("/etc/bulkhead/docker-pull-inventory.yml", "/etc/bulkhead/docker-pull.json", "/var/lib/bulkhead/pull/drift.json"):
        assert host.check_output(f"stat -c '%U %a' {path}") == "root 600"
    assert host.file(METRICS).mode == 0o644
    assert "correct-horse" not in host.check_output("journalctl --no-pager --output cat --identifier bulkhead-docker-pull --identifier python3")
    assert '!unsafe "{{.Name}}"' in host.file("/etc/bulkhead/docker-pull-inventory.yml").content_string


def test_a_commit_that_nobody_signed_is_refused(host, pull):
    if host.backend.get_hostname() != "signed":
        pytest.skip("it has no repository")
    host.check_output("cp -a /etc/bulkhead/docker-pull.json /root/docker-pull.json")
    host.check_output("sed -i 's/\"checkout\": \"main\"/\"checkout\": \"careless\"/' /etc/bulkhead/docker-pull.json")
    try:
        since = pull.now()
        assert pull.run() != 0
        assert "The run FAILED" in pull.said(since)
        assert "it had not looked at the host yet" in pull.said(since)
        assert "Failed to verify GPG signature" in pull.said(since)
    finally:
        pull.restore_run()
    assert pull.run() == 0
