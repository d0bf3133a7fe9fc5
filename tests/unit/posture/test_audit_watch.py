# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What rules of audit watch, in all the ways in which they can be written and are printed."""

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import audit_watch
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.audit_watch import (
    DIRECTORY,
    FILE,
    MOUNT_POINT,
    WATCHED,
    Watched,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import AuditWatch
from hypothesis import given
from hypothesis import strategies as st

DIRECTORIES = ("/etc/docker", "/var/lib/docker", "/usr/bin")
PLAIN = Watched("x", "x", ("/x",), "1")


def watches(text: str) -> list[AuditWatch]:
    return list(audit_watch.parse(text, DIRECTORIES.__contains__).watches)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("-w /usr/bin/runc -p wa -k docker", AuditWatch("/usr/bin/runc", "wa")),
        ("-w /usr/bin/runc -k docker", AuditWatch("/usr/bin/runc", "rwxa")),
        ("-w /usr/bin/runc", AuditWatch("/usr/bin/runc", "rwxa")),
        ("   -w   /usr/bin/runc\t-k docker  -p  x ", AuditWatch("/usr/bin/runc", "x")),
        ("-w /etc/docker -p wa", AuditWatch("/etc/docker", "wa", True)),
        ("-w /etc/docker/ -p wa", AuditWatch("/etc/docker", "wa", True)),
        ("-w / -p wa", AuditWatch("/", "wa")),
        ("-a always,exit -F path=/usr/bin/runc -F perm=wa -F key=docker", AuditWatch("/usr/bin/runc", "wa")),
        ("-a exit,always -F path=/usr/bin/runc -F perm=wa -k docker", AuditWatch("/usr/bin/runc", "wa")),
        ("-A always,exit -F path=/usr/bin/runc -F perm=wa", AuditWatch("/usr/bin/runc", "wa")),
        ("-a always,exit -S all -F path=/usr/bin/runc -F perm=wa", AuditWatch("/usr/bin/runc", "wa")),
        ("-a always,exit -F path=/usr/bin/runc", AuditWatch("/usr/bin/runc", "rwxa")),
        ("-a always,exit -F dir=/etc/docker/ -F perm=wa", AuditWatch("/etc/docker", "wa", True)),
        # A rule for a path is one for the directory itself.
        ("-a always,exit -F path=/etc/docker -F perm=wa", AuditWatch("/etc/docker", "wa", False)),
        ("-a always,exit -F dir=/var/lib/docker -F perm=wa -F auid!=unset -F key=x", AuditWatch("/var/lib/docker", "wa", True, True)),
        ("-a always,exit -S all -F perm=wa -F auid!=-1 -F dir=/var/lib/docker", AuditWatch("/var/lib/docker", "wa", True, True)),
        ("-a always,exit -F dir=/var/lib/docker -F auid!=4294967295", AuditWatch("/var/lib/docker", "rwxa", True, True)),
    ],
)
def test_a_rule_is_a_watch_however_it_is_written(rule, expected):
    assert watches(rule) == [expected]


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "# -w /usr/bin/runc -p wa",
        "No rules",
        "-w",
        "-a always,exit",
        "-a always,exit -S execve -F path=/usr/bin/runc",
        "-a always,exit -F path=/usr/bin/runc -F perm=wa -S openat,unlinkat",
        "-a always,exit -F path=/usr/bin/runc -F perm=wa -F auid>=1000",
        "-a always,exit -F path=/usr/bin/runc -F perm=wa -F auid>=1000 -F auid!=unset",
        "-a always,exit -F path=/usr/bin/runc -F perm=wa -F success=1",
        "-a always,exit -F path=/usr/bin/runc -F perm=wa -F exe=/usr/bin/vi",
        "-a always,exit -F path=/usr/bin/runc -F perm=wa -C auid!=uid",
        "-a always,exit -F path!=/usr/bin/runc -F perm=wa",
        "-a never,exit -F path=/usr/bin/runc -F perm=wa",
        "-a always,user -F path=/usr/bin/runc",
        "-a always,exclude -F path=/usr/bin/runc",
        "-a always -F path=/usr/bin/runc",
        "-a always,exit,more -F path=/usr/bin/runc",
        "-a always,exit -S execve -F arch=b64",
        "-w /usr/bin/runc -p wa\n-D\n",
        "-w /usr/bin/runc -p wa\n-W /usr/bin/runc -p wa",
        "-a always,exit -F path=/usr/bin/runc -F perm=wa\n-d always,exit -F path=/usr/bin/runc -F perm=wa",
        "-a never,exit -F path=/usr/bin/runc\n-w /usr/bin/runc -p wa",
        "-a never,exit -F dir=/usr/bin\n-w /usr/bin/runc -p wa",
        "-w /usr/bin/runc -p wa\n-A never,exit -F path=/usr/bin/runc",
    ],
)
def test_what_records_only_a_part_or_nothing_is_no_watch(rule):
    assert watches(rule) == []


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (["-F arch=b64"], []),
        (["-F arch=b32"], []),
        (["-F arch=b64", "-F arch=b64"], []),
        (["-F arch=b64", "-F arch=b32"], [AuditWatch("/x", "wa")]),
        (["-F arch=x86_64", "-F arch=i686"], [AuditWatch("/x", "wa")]),
    ],
)
def test_a_rule_for_one_of_two_architectures_is_half_a_watch(rules, expected):
    loaded = audit_watch.parse("\n".join(f"-a always,exit {arch} -S all -F path=/x -F perm=wa -F key=k" for arch in rules))
    assert list(loaded.watches) == expected
    assert ("/x" in loaded.narrower) is not bool(expected)


def test_a_never_that_comes_later_takes_nothing_away():
    assert watches("-w /usr/bin/runc -p wa\n-a never,exit -F path=/usr/bin/runc") == [AuditWatch("/usr/bin/runc", "wa")]
    assert watches("-a never,exit -F path=/usr/bin/runc -F perm=r\n-w /usr/bin/runc -p wa") == [AuditWatch("/usr/bin/runc", "wa")]
    assert watches("-a never,exit -F path=/usr/bin/run\n-w /usr/bin/runc -p wa") == [AuditWatch("/usr/bin/runc", "wa")]
    assert watches("-a never,exit -F path=/usr/bin/runc -F exe=/usr/bin/vi\n-w /usr/bin/runc -p wa") == [AuditWatch("/usr/bin/runc", "wa")]


@pytest.mark.parametrize(
    ("rules", "silenced"),
    [
        ("-a never,task", True),
        ("-a task,never", True),
        ("-a never,task -F auid=1000", False),
        ("-a never,exit", True),
        ("-a never,exit -S all", True),
        ("-a never,exit -F arch=b32", False),
        ("-a never,exit -F path=/x", False),
        ("-a always,exit -F path=/x", False),
    ],
)
def test_a_list_that_takes_everything_out_of_the_audit_says_so(rules, silenced):
    assert bool(audit_watch.parse(rules).silenced) is silenced


@pytest.mark.parametrize(("rules", "enabled"), [("", None), ("-e 0", False), ("-e 1", True), ("-e 1\n-e 2", True), ("-e", None)])
def test_a_list_says_whether_it_switches_the_audit_on(rules, enabled):
    assert audit_watch.parse(rules).enabled is enabled


@pytest.mark.parametrize(
    ("text", "enabled"),
    [
        ("enabled 1\nfailure 1\npid 700\n", True),
        ("enabled 2\nfailure 1\n", True),
        ("enabled 0\n", False),
        ("AUDIT_STATUS: enabled=1 flag=1 pid=700 rate_limit=0", True),
        ("AUDIT_STATUS: enabled=0 flag=1 pid=700", False),
        ("enabled maybe", None),
        ("enabled", None),
        ("loginuid_immutable 0 unlocked\n", None),
        ("", None),
    ],
)
def test_the_state_of_the_audit(text, enabled):
    assert audit_watch.enabled_by(text) is enabled


def test_containerd_is_not_watched_by_a_rule_for_its_shim():
    # docker-bench 1.1.14 looks for the path anywhere in the list.
    found = watches("-w /usr/bin/containerd-shim -p wa\n-w /usr/bin/containerd-shim-runc-v2 -p wa")
    assert not audit_watch.covered(found, audit_watch.BY_NAME["audit-containerd"], "/usr/bin/containerd", FILE)
    assert audit_watch.covered(found, audit_watch.BY_NAME["audit-containerd-shim"], "/usr/bin/containerd-shim", FILE)


@pytest.mark.parametrize("path", ["/etc/docker-old", "/etc/dock", "/etc", "/", "etc/docker"])
def test_a_path_that_begins_alike_is_another(path):
    assert not audit_watch.covered([AuditWatch("/etc/docker", "wa", True)], PLAIN, path, FILE)


@pytest.mark.parametrize("kind", [FILE, DIRECTORY, MOUNT_POINT])
@pytest.mark.parametrize("watched", WATCHED, ids=lambda watched: watched.name)
def test_the_rules_that_are_written_are_the_rules_that_are_asked_for(watched, kind):
    paths = ("/var/one", "/var/two")
    lines = audit_watch.rule_lines(watched, paths, lambda _path: kind != FILE)
    found = audit_watch.parse("\n".join(lines)).watches
    deaf = kind == MOUNT_POINT and not watched.recursive
    assert all(audit_watch.covered(found, watched, path, kind) is not deaf for path in paths)
    assert not audit_watch.covered(found, watched, "/var/three", kind)


def test_places_follow_the_settings_of_the_host():
    by_name = {watched.name: audit_watch.places(watched, "/data/1.1", "/run/x.sock", "/srv/daemon.json") for watched in WATCHED}
    assert by_name["audit-data-root"] == ("/data/1.1", "/data/1.1/containers", "/data/1.1/volumes", "/data/1.1/plugins", "/data/1.1/swarm")
    assert by_name["audit-daemon-json"] == ("/srv/daemon.json",)
    assert by_name["audit-docker-socket"][0] == "/run/x.sock"
    without = audit_watch.places(audit_watch.BY_NAME["audit-docker-socket"], "/data", "", "/d")
    assert without and all(path.endswith("docker.socket") for path in without)


def test_every_number_of_the_benchmark_is_there_once():
    assert sorted(watched.cis for watched in WATCHED) == sorted(f"1.1.{number}" for number in range(3, 19))
    assert len(audit_watch.BY_NAME) == len(WATCHED)


@given(st.text(alphabet=st.sampled_from("-wapkFSDe /=!,\n\tetcdockernvallwysx01\x1b\x00\ud800"), max_size=300))
def test_any_text_is_read(text):
    loaded = audit_watch.parse(text)
    assert all(watch.path for watch in loaded.watches)
    audit_watch.enabled_by(text)


@given(st.lists(st.sampled_from(["-w /a -p wa", "-w /b", "-D", "-W /a", "-a never,exit -F path=/a", "-a never,task", "-e 0", "# -w /c"]), max_size=12))
def test_more_rules_with_never_never_watch_more(lines):
    kept = audit_watch.parse("\n".join(line for line in lines if "never" not in line))
    found = audit_watch.parse("\n".join(lines))
    assert set(found.watches) <= set(kept.watches)
