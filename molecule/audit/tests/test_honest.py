# SPDX-License-Identifier: Apache-2.0
"""What cannot be seen is unknown: a silent engine, a closed door, containers that come and go meanwhile."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("step, reason", [("silent", "no engine answers"), ("closed", "denied")])
def test_what_nobody_could_look_at_is_unknown_with_the_reason_and_no_good_score(kept, step, reason):
    result = kept(step)
    assert not result.get("failed")
    assert reason in result["engine"]["error"]
    for kind in ("container", "image", "network", "volume", "swarm"):
        said = [finding for finding in result["findings"] if finding["kind"] == kind]
        assert said and {finding["status"] for finding in said} == {"unknown"}, kind
        assert all(reason in finding["reason"] for finding in said)
    assert result["coverage"]["percent"] < 20 < kept("fresh")["coverage"]["percent"]
    assert result["score"]["percent"] < 100
    assert "engine-answers" in result.failing()


def test_the_role_stops_at_a_host_that_could_not_be_judged(kept):
    assert "docker_audit_minimum_coverage" in kept("silent")["stopped_by_role"]
    assert "no engine answers" in kept("silent")["stopped_by_role"]


def test_a_report_says_that_the_engine_was_silent(reports, name):
    text = (reports("-silent") / "hosts" / f"{name}.txt").read_text(encoding="utf-8")
    assert "no engine answers" in text


def test_without_root_what_only_root_sees_is_unknown(kept):
    closed = kept("closed")
    reasons = " ".join(row["reason"] for row in closed["coverage"]["unknown"])
    assert "root" in reasons


def test_containers_that_come_and_go_are_no_crash_and_no_failure(kept):
    restless = kept("restless")
    assert restless["churned"]["removed"] >= 6
    for result in restless["results"]:
        assert not result.get("failed"), result.get("msg")
        assert result["coverage"]["percent"] > 90
        of_churn = [finding for finding in result["findings"] if finding["subject"].startswith("churn-") and finding["kind"] == "container"]
        # Made like the good container: what is said of one that ended meanwhile is unknown, and never another failure.
        assert {finding["rule"] for finding in of_churn if finding["status"] == "fail"} <= {"memory-limited", "cpu-limited", "pids-limited"}
