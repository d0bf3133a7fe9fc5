# SPDX-License-Identifier: Apache-2.0
"""A host that was just provisioned: its score, what fails on it and why, and what the audit itself costs and touches."""

from __future__ import annotations

import re
from pathlib import Path

from lab_runs import changed_tasks, last, module_runs, runs, transfers

PAGE = Path(__file__).resolve().parents[3] / "docs" / "roles" / "docker_audit.md"


def explained():
    """Return the rules of the table on the page of the role."""
    text = PAGE.read_text(encoding="utf-8").partition("## A host that was just provisioned")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([a-z0-9-]+)`", text, re.MULTILINE))


def test_the_score_without_a_waiver(kept):
    fresh = kept("fresh")
    score = fresh["score"]
    assert score["weight_judged"] >= 200
    assert fresh["waived"] == 0
    assert score["percent"] >= 95, score


def test_holes_that_the_host_does_not_expose_are_no_failure(kept):
    # CVE-2025-54410 and CVE-2024-29018 need firewalld and an internal network, which a fresh host has not.
    found = [finding for finding in kept("fresh")["findings"] if finding["rule"] == "engine-without-known-holes" and finding["status"] == "fail"]
    named = " ".join(item["observed"] for finding in found for item in finding["evidence"])
    assert "CVE-2025-54410" not in named and "CVE-2024-29018" not in named


def test_every_failure_is_explained_on_the_page(kept):
    rules = explained()
    assert len(rules) >= 5
    assert kept("fresh").failing() - rules == set()


def test_the_page_explains_nothing_that_fails_nowhere(everywhere):
    assert explained() - set().union(*(result.failing() for result in everywhere("fresh"))) == set()


def test_what_is_unknown_has_a_reason_that_is_the_labs(kept):
    unknown = kept("fresh")["coverage"]["unknown"]
    # The kernel is that of the machine around it: its audit does not answer, and its package is not here.
    assert all("auditctl" in row["reason"] or "CVE-2026-31431" in row["reason"] for row in unknown), unknown


def test_one_remote_run_for_each_host_and_none_that_changes_anything(name):
    for run in (last("check"), last("converge"), last("idempotence")):
        executed = [record["module"].rpartition(".")[2] for record in module_runs(run, name) if not record["delegated_to"]]
        assert executed == ["docker_host_audit"], run.action
        assert [record for record in transfers(run, name) if record["task"] != "Keep a result for the tests"] == []
    assert changed_tasks(last("idempotence")) == []


def test_the_fingerprint_was_compared_after_all_three_runs():
    # The step itself fails where anything on the host differs.
    order = [run.action for run in runs()]
    assert order.index("side_effect") > order.index("idempotence") > order.index("converge") > order.index("check")


def test_the_audit_is_quick_and_asks_little(kept):
    fresh = kept("fresh")
    assert fresh["api_calls"] < 20
    assert fresh["duration"] < 30, "on a machine that does other things as well"


def test_the_second_run_of_auditd_changed_nothing_and_said_why_nothing_is_loaded(kept):
    said = kept("auditd")
    assert (said["changed"], said["loaded"], said["recording"]) == (False, False, False)
    assert "does not answer" in said["reason"]
    assert {"/etc/docker wa", "/usr/sbin/dockerd wa", "/run/docker.sock wa", "/run/containerd/containerd.sock wa"} <= set(said["rules"])
    assert not [rule for rule in said["rules"] if rule.startswith("/var/run/")]


def test_the_file_of_rules_is_for_root_only_and_watches_real_paths(host):
    file = host.file("/etc/audit/rules.d/50-bulkhead-docker.rules")
    assert (file.user, file.group, file.mode) == ("root", "root", 0o640)
    paths = re.findall(r"-F (?:path|dir)=(\S+)", file.content_string)
    assert len(paths) >= 12
    assert [path for path in paths if host.check_output("realpath %s", path) != path] == []
    assert host.file("/etc/tmpfiles.d/bulkhead-auditd.conf").content_string.splitlines()[-1].startswith("d /run/containerd 07")
