# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.report import text as writer
from ansible_collections.bulkhead.docker.tests.unit.report.examples import (
    LIMITS,
    TRACES,
    finding,
    made,
    path,
    result,
    rule,
)

ONE_HOST = """\
Docker audit: alpha, 2026-11-26T11:00:00Z
=========================================
Score      27.2 %: 6 of 22 points of weight; 40.9 % if waived failures were passes
Coverage   83.3 %: 5 of 6 judgements that apply could be made
Failures   1 critical, 1 medium; 1 waived

Attack paths
  CRITICAL alpha: From web to root of the host
           1. web reaches the socket of the engine
           2. db: it starts a privileged container

Failures, the worst first
  CRITICAL The rule container-not-privileged holds [container-not-privileged]
           not so: container web
           found:  /containers/{id}/json#/HostConfig/Privileged: yes (expected: no)
           do:     Set container-not-privileged.
           by:     docker_daemon_settings; interrupts: the container is created again
  MEDIUM   The rule logs-are-kept holds [logs-are-kept]
           not so: host
           found:  /containers/{id}/json#/HostConfig/Privileged: yes (expected: no)
           do:     Set logs-are-kept.
           by:     docker_daemon_settings; interrupts: the container is created again

Unknown, and why
  1 x the API was not asked

Waivers that end soon
  in 10 days: memory-is-limited of alpha db (owner ops)

bulkhead.docker 0.1.0, schema 1.0, content {content}
"""


def test_one_host():
    whole = made([result(attack_paths=[path()])])
    assert writer.render(whole) == ONE_HOST.replace("{content}", whole["content"])


def test_a_fleet_says_what_was_not_judged_and_who_is_worst():
    shown = writer.render(made())
    assert "Docker audit: 7 hosts and 1 project, " in shown
    assert "Judged     4 of 8; the numbers above are of these only" in shown
    assert "  gamma: unreachable. Connection timed out" in shown
    assert "  zeta: damaged. Report damaged: findings is str, not a list." in shown
    assert shown.index("shop: 1 critical, 1 medium") < shown.index("alpha: 1 critical, 1 medium") < shown.index("beta: 1 critical")
    assert "not so: alpha container web, beta container web, shop compose service web" in shown


def test_nothing_judged_is_no_score():
    shown = writer.render(made([{"name": "a", "unreachable": True}]))
    assert "Score      none: nothing could be judged" in shown
    assert "NOT JUDGED" in shown
    assert "Coverage   none: 0 of 0" in shown


@pytest.mark.parametrize("lines", [20, 40, 80, 200])
def test_never_more_lines_than_asked(lines):
    items = [finding(rule(f"rule-{number:03}"), subject=f"web-{number}") for number in range(100)]
    paths = [{**path(), "id": f"p{number}", "title": f"p{number}"} for number in range(30)]
    shown = writer.render(made([result(items=items, attack_paths=paths)]), lines=lines)
    assert len(shown.splitlines()) <= lines
    assert "more rules that fail" in shown or "lines are left out" in shown
    assert shown.rstrip().splitlines()[-1].startswith("bulkhead.docker 0.1.0, schema")


def test_where_more_fails_the_rest_is_counted():
    items = [finding(rule(f"rule-{number:03}"), subject=f"web-{number}") for number in range(100)]
    shown = writer.render(made([result(items=items)]))
    listed = shown.count("  CRITICAL ")
    assert f"... and {100 - listed} more rules that fail" in shown


def test_many_subjects_of_a_rule_are_one_entry():
    shown = writer.render(made([result(items=[finding(LIMITS, subject=f"web-{number}") for number in range(10)])]))
    assert "not so: container web-0, container web-1, container web-2 and 7 more" in shown


@pytest.mark.parametrize("width", [20, 60, 100])
@pytest.mark.parametrize("subject", ["x" * 150, "漢字" * 60, "e\u0301" * 90])
def test_lines_are_cut_to_the_width(width, subject):
    shown = writer.render(made([result(items=[finding(subject=subject)])]), width=width)
    assert max(sum(writer._columns(character) for character in line) for line in shown.splitlines()) <= width


def test_a_long_remedy_takes_two_lines():
    shown = writer.render(made([result(items=[finding(remediation="word " * 60, blast="", variable="")])]))
    start = shown.splitlines().index("           do:     " + ("word " * 16).strip())
    assert shown.splitlines()[start + 1] == " " * 19 + "word " * 15 + "..."
    assert shown.splitlines()[start + 2] == ""


def test_letters_stay_or_become_escapes():
    whole = made([result(items=[finding(subject="größe")])])
    assert "container größe" in writer.render(whole)
    assert writer.render(whole, ascii_only=True).isascii()
    assert "container gr\\xf6\\xdfe" in writer.render(whole, ascii_only=True)


def test_colours_only_when_asked():
    whole = made([result(items=[finding(), finding(TRACES)])])
    assert "\x1b" not in writer.render(whole)
    shown = writer.render(whole, colour=True)
    assert "  \x1b[1;31mCRITICAL\x1b[0m The rule" in shown
    assert "  \x1b[33mMEDIUM\x1b[0m   The rule" in shown
