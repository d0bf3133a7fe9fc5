# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What the audit of a host watches, from what auditctl says and from the files of rules."""

from __future__ import annotations

import os

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, look_audit
from ansible_collections.bulkhead.docker.plugins.module_utils.host.path_owners import Paths
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import audit_watch, evaluate, model
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Subject, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules import audit_rules
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import AuditWatch

RULES = {rule.id: rule for rule in audit_rules.RULES}
ON = "enabled 1\nfailure 1\npid 700\n"


class Auditctl:
    def __init__(self, listed="", status=ON, rc=0, error=""):
        self.answers = {"-l": commands.CommandResult(rc, listed, error), "-s": commands.CommandResult(rc, status, error)}

    def __call__(self, arguments, **_options):
        return self.answers[arguments[1]]


@pytest.fixture
def host(tree):
    tree.top.chmod(0o755)
    for path in ("/usr/bin/dockerd", "/usr/bin/containerd", "/etc/docker/daemon.json", "/run/docker.sock", "/var/lib/docker/volumes/x", "/etc/default/docker"):
        tree.write(path, "")
    return tree


def look(tree, run=None, installed=True, mounted=()):
    paths = Paths(str(tree.top), (0, os.getuid()))
    return look_audit.look(paths, "/var/lib/docker", "/run/docker.sock", "/etc/docker/daemon.json", mounted, run or Auditctl(), installed)


def judged(facts, rule):
    return evaluate.outcome_of(RULES[rule], Subject(model.HOST, "host", facts))


def test_what_this_host_has_of_docker(host):
    found = look(host, mounted=("/var/lib/docker/volumes",))["audited_paths"].value
    assert set(found) == set(RULES)
    assert found["audit-dockerd"] == {"/usr/bin/dockerd": audit_watch.FILE}
    assert found["audit-etc-docker"] == {"/etc/docker": audit_watch.DIRECTORY}
    assert found["audit-data-root"] == {"/var/lib/docker": audit_watch.DIRECTORY, "/var/lib/docker/volumes": audit_watch.MOUNT_POINT}
    assert found["audit-runc"] == {}


def test_links_and_masked_units(host):
    os.makedirs(host.top / "usr" / "local" / "bin")
    os.symlink("/usr/bin/dockerd", host.top / "usr" / "local" / "bin" / "dockerd")
    os.makedirs(host.top / "etc" / "systemd" / "system")
    host.write("/dev/null", "")
    os.symlink("/dev/null", host.top / "etc" / "systemd" / "system" / "docker.service")
    found = look(host)["audited_paths"].value
    assert found["audit-dockerd"] == {"/usr/bin/dockerd": audit_watch.FILE}
    assert found["audit-docker-service"] == {}


def test_loaded_rules(host):
    facts = look(host, Auditctl("-w /usr/bin/dockerd -p wa -k docker\n-w /etc/docker -p wa -k docker\n"))
    assert facts["audit_enabled"] == Fact(True, "auditctl -s")
    assert facts["audit_watches"].value == (AuditWatch("/usr/bin/dockerd", "wa"), AuditWatch("/etc/docker", "wa", True))
    assert judged(facts, "audit-dockerd").status == model.PASS
    assert judged(facts, "audit-etc-docker").status == model.PASS
    assert judged(facts, "audit-daemon-json").status == model.PASS
    assert judged(facts, "audit-containerd").status == model.FAIL
    assert judged(facts, "audit-runc").status == model.NOT_APPLICABLE


def test_a_rule_for_one_directory_that_auditctl_prints_as_one_for_all_below(host):
    """auditctl -l prints -w for both; the files of rules tell them apart."""
    listed = Auditctl("-w /etc/docker -p wa -k docker\n")
    assert judged(look(host, listed), "audit-etc-docker").status == model.PASS
    host.write("/etc/audit/rules.d/docker.rules", "-a always,exit -F path=/etc/docker -F perm=wa -F key=docker\n")
    facts = look(host, listed)
    assert facts["audit_watches"].value == (AuditWatch("/etc/docker", "wa", False),)
    assert judged(facts, "audit-etc-docker").status == model.FAIL
    host.write("/etc/audit/rules.d/other.rules", "-w /etc/docker -p wa\n")
    assert judged(look(host, listed), "audit-etc-docker").status == model.PASS


def test_a_rule_by_another_name_of_its_directory(host):
    os.symlink("/run", host.top / "var" / "run")
    facts = look(host, Auditctl("-w /var/run/docker.sock -p wa\n"))
    assert facts["audit_watches"].value == (AuditWatch("/run/docker.sock", "wa"),)


def test_a_rule_for_a_link_does_not_watch_the_file(host):
    os.symlink("/usr/bin/containerd", host.top / "usr" / "bin" / "ctr")
    (host.top / "usr" / "bin" / "containerd").rename(host.top / "usr" / "bin" / "real")
    os.symlink("real", host.top / "usr" / "bin" / "containerd")
    facts = look(host, Auditctl("-w /usr/bin/containerd -p wa\n"))
    assert facts["audited_paths"].value["audit-containerd"] == {"/usr/bin/real": audit_watch.FILE}
    assert judged(facts, "audit-containerd").status == model.FAIL


@pytest.mark.parametrize(("first", "status"), [("", "enabled 0\n"), ("-a never,task\n", ON)])
def test_an_audit_that_is_off_or_silenced(host, first, status):
    facts = look(host, Auditctl(f"{first}-w /usr/bin/dockerd -p wa\n", status))
    found = judged(facts, "audit-dockerd")
    assert found.status == model.FAIL
    assert "off, or silenced" in found.evidence[0].observed


def test_without_the_tool_nothing_is_watched(host):
    host.write("/etc/audit/rules.d/docker.rules", "-w /usr/bin/dockerd -p wa\n")
    facts = look(host, installed=False)
    assert judged(facts, "audit-dockerd").status == model.FAIL
    assert facts["audit_enabled"].source == "auditctl is not installed"


def test_denied_is_unknown_with_what_the_files_say(host):
    refused = Auditctl(rc=4, error="You must be root to run this program.\n")
    host.write("/etc/audit/rules.d/docker.rules", "-w /usr/bin/dockerd -p wa\n")
    facts = look(host, refused)
    assert isinstance(facts["audit_watches"], Unknown)
    found = judged({**facts, "audit_enabled": Fact(True, "x")}, "audit-dockerd")
    assert found.status == model.UNKNOWN
    assert found.reason == (
        "auditctl does not show the loaded rules: You must be root to run this program.; the files of rules declare what is asked for"
    )
    found = judged({**facts, "audit_enabled": Fact(True, "x")}, "audit-containerd")
    assert found.status == model.UNKNOWN
    assert found.reason.endswith("; no file of rules declares one for /usr/bin/containerd")
    assert judged(facts, "audit-dockerd").status == model.UNKNOWN


def test_a_tool_that_does_not_answer(host):
    def run(arguments, **_options):
        raise commands.CommandError("'auditctl -l' did not finish within 10 seconds")

    facts = look(host, run)
    assert judged(facts, "audit-dockerd").status == model.UNKNOWN
    assert "did not finish" in judged(facts, "audit-dockerd").reason


def test_a_status_that_says_nothing(host):
    assert isinstance(look(host, Auditctl(status="what?"))["audit_enabled"], Unknown)


def test_declared_rules(host):
    assert look(host)["audit_declared"] == Fact((), look_audit.RULES_FILE)
    host.write("/etc/audit/audit.rules", "-D\n-w /usr/bin/dockerd -p wa\n")
    assert look(host)["audit_declared"] == Fact((AuditWatch("/usr/bin/dockerd", "wa"),), look_audit.RULES_FILE)
    host.write("/etc/audit/rules.d/20-docker.rules", "-w /usr/bin/containerd -p wa\n")
    host.write("/etc/audit/rules.d/30-other.rules", "-D\n-w /etc/docker -p wa\n")
    host.write("/etc/audit/rules.d/note.txt", "-w /etc/passwd -p wa\n")
    assert look(host)["audit_declared"] == Fact((AuditWatch("/usr/bin/containerd", "wa"), AuditWatch("/etc/docker", "wa", True)), look_audit.RULES_DIRECTORY)
    (host.top / "etc" / "audit" / "rules.d" / "40.rules").write_bytes(b"\xff\xfe")
    assert isinstance(look(host)["audit_declared"], Unknown)
