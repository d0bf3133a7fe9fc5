# SPDX-License-Identifier: Apache-2.0
"""Ways in which a daemon does not come up, and what a run makes of each."""

from __future__ import annotations

import json
import pathlib
import typing as t

import lab

GOOD = {"live-restore": True, "labels": ["state=good"]}
# Every check passes, but nobody can make a file there.
BROKEN = {**GOOD, "pidfile": "/proc/docker.pid"}
# The units of the cases below hang when they see this in daemon.json.
SLOW = {**GOOD, "raw-logs": True}
SLOW_DOCKERD = pathlib.Path("/usr/local/sbin/dockerd-slow")


def state() -> dict[str, t.Any]:
    return {
        "files": lab.files(),
        "active": lab.active(),
        "socket": lab.succeeds("systemctl", "is-active", "--quiet", "docker.socket"),
        "serves": lab.active() and lab.serves(),
    }


def with_container(case: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
    lab.ask(GOOD)
    pid = lab.container("held")
    seen = case()
    seen["container lives"] = lab.alive(pid)
    return seen


def a_broken_change() -> dict[str, t.Any]:
    def case() -> dict[str, t.Any]:
        before = state()
        return {"before": before, "answer": lab.ask(BROKEN), "after": state(), "again": lab.ask(GOOD)}

    lab.clean()
    return with_container(case)


def a_deferred_change_that_fails_later() -> dict[str, t.Any]:
    def case() -> dict[str, t.Any]:
        before = state()
        deferred = lab.ask(BROKEN, may_restart=False)
        found = state()
        return {"before": before, "deferred": deferred, "found": found, "answer": lab.ask(BROKEN), "after": state()}

    lab.clean()
    return with_container(case)


def a_host_that_was_broken_before() -> dict[str, t.Any]:
    lab.clean()
    lab.CONFIG.write_text(json.dumps({"pidfile": "/proc/docker.pid"}), encoding="utf-8")
    lab.call("systemctl", "restart", "docker.service", check=False)
    before = state()
    return {"before": before, "answer": lab.ask({"raw-logs": True}), "after": state()}


def a_host_in_start_limit_hit() -> dict[str, t.Any]:
    lab.clean()
    lab.CONFIG.write_text(json.dumps({"pidfile": "/proc/docker.pid"}), encoding="utf-8")
    for _attempt in range(6):
        lab.call("systemctl", "restart", "docker.service", check=False)
    lab.CONFIG.write_text("{}\n", encoding="utf-8")
    naive = lab.succeeds("systemctl", "start", "docker.service")
    refused = lab.call("journalctl", "--unit", "docker.service", "--lines", "5", "--output", "cat")
    lab.CONFIG.write_text(json.dumps({"pidfile": "/proc/docker.pid"}), encoding="utf-8")
    answer = lab.ask({"pidfile": "/var/run/docker.pid"})
    after = state()
    lab.ask({"pidfile": "/var/run/docker.pid", "raw-logs": True})
    # Our own starts do not count against those of whoever comes next.
    next_ones = [lab.succeeds("systemctl", "restart", "docker.service") for _attempt in range(2)]
    return {"refused": refused, "naive": naive, "answer": answer, "after": after, "next restarts": next_ones}


def a_daemon_that_rested() -> dict[str, t.Any]:
    lab.clean({"debug": True})
    lab.call("systemctl", "stop", "docker.socket", "docker.service")
    before = state()
    seen = {"before": before, "answer": lab.ask({"pidfile": "/proc/docker.pid"}), "after": state()}
    return {**seen, "left alone": lab.ask({"raw-logs": True}, may_start=False), "then": state()}


def a_masked_unit() -> dict[str, t.Any]:
    lab.clean({"debug": True})
    lab.call("systemctl", "stop", "docker.socket", "docker.service")
    lab.call("systemctl", "mask", "--runtime", "docker.service")
    try:
        before = state()
        seen = {"before": before, "foreseen": lab.predict({"raw-logs": True}), "answer": lab.ask({"raw-logs": True})}
        return {**seen, "after": state()}
    finally:
        lab.call("systemctl", "unmask", "--runtime", "docker.service")


def a_start_that_hangs() -> dict[str, t.Any]:
    def case() -> dict[str, t.Any]:
        lab.drop_in(f"ExecStartPre=/bin/sh -c 'if grep -q raw-logs {lab.CONFIG}; then sleep 600; fi'")
        before = state()
        return {"before": before, "answer": lab.ask(SLOW, probe_timeout=4.0), "after": state()}

    lab.clean()
    return with_container(case)


def a_daemon_that_never_says_that_it_is_ready() -> dict[str, t.Any]:
    def case() -> dict[str, t.Any]:
        command = lab.call("systemctl", "show", "--property", "ExecStart", "--value", "docker.service")
        words = command.partition("argv[]=")[2].partition(" ;")[0].split()
        SLOW_DOCKERD.write_text(
            f'#!/bin/sh\nif grep -q raw-logs {lab.CONFIG}; then exec sleep 600; fi\nexec {words[0]} "$@"\n', encoding="utf-8"
        )
        SLOW_DOCKERD.chmod(0o755)
        lab.drop_in("ExecStart=", " ".join([f"ExecStart={SLOW_DOCKERD}", *words[1:]]))
        before = state()
        return {"before": before, "answer": lab.ask(SLOW, probe_timeout=4.0), "after": state()}

    lab.clean()
    return with_container(case)


CASES = (
    a_broken_change,
    a_deferred_change_that_fails_later,
    a_host_that_was_broken_before,
    a_host_in_start_limit_hit,
    a_daemon_that_rested,
    a_masked_unit,
    a_start_that_hangs,
    a_daemon_that_never_says_that_it_is_ready,
)

if __name__ == "__main__":
    found = {}
    for case in CASES:
        try:
            found[case.__name__] = case()
        except Exception as error:  # what went wrong in one case must not hide the others
            found[case.__name__] = {"error": repr(error)}
    lab.clean()
    lab.report("/root/lab/rollback.json", found)
