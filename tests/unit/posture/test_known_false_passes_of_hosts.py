# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What other validators of hosts pass although it is not so, each by name: none of it passes here."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import audit_watch, evaluate, model
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules import audit_rules, files, host
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import AuditWatch, FileFacts
from ansible_collections.bulkhead.docker.tests.unit.posture import base

RULES = {rule.id: rule for module in (files, host, audit_rules) for rule in module.RULES}


def judged(rule: str, **different: t.Any) -> model.Outcome:
    return evaluate.outcome_of(RULES[rule], base.subject(model.HOST, **different))


def of_file(rule: str, facts: FileFacts) -> model.Outcome:
    return judged(rule, file_places={rule: ("/x",)}, files={"/x": facts})


@pytest.mark.parametrize("mode", [0o466, 0o602, 0o577, 0o246])
def test_a_mode_is_no_decimal_number(mode):
    # docker-bench 3.x asks whether 466 is at most 644.
    assert of_file("file-daemon-json", FileFacts("file", mode, 0, 0, "root", "root")).status == model.FAIL


@pytest.mark.parametrize("mode", [0o737, 0o722])
def test_a_mode_of_a_directory_is_no_decimal_number(mode):
    assert of_file("file-etc-docker", FileFacts("directory", mode, 0, 0, "root", "root")).status == model.FAIL


@pytest.mark.parametrize("mode", [0o555, 0o600, 0o440])
def test_a_mode_with_fewer_bits_passes_whatever_its_number(mode):
    assert of_file("file-etc-docker", FileFacts("directory", mode, 0, 0, "root", "root")).status == model.PASS


def test_the_mode_of_a_link_is_not_the_files():
    # docker-bench 3.x finds 777 at a link and fails; one that takes the link for the file would pass a bad target.
    good = FileFacts("file", 0o644, 0, 0, "root", "root", link="/srv/daemon.json")
    assert of_file("file-daemon-json", good).status == model.PASS
    bad = of_file("file-daemon-json", good._replace(mode=0o666))
    assert bad.status == model.FAIL
    assert "-> /srv/daemon.json" in bad.evidence[0].observed


def test_al_is_not_trusted_because_of_alice():
    # docker-bench 1.1.2 looks for the name anywhere in the list.
    assert judged("docker-group-is-trusted", docker_group=("al",), trusted_users=("alice", "val")).status == model.FAIL


def test_every_member_counts_not_only_the_last():
    assert judged("docker-group-is-trusted", docker_group=("mallory", "alice"), trusted_users=("alice",)).status == model.FAIL


def test_a_rule_for_the_shim_is_none_for_containerd():
    paths = {"audit-containerd": {"/usr/bin/containerd": audit_watch.FILE}}
    assert judged("audit-containerd", audited_paths=paths, audit_watches=(AuditWatch("/usr/bin/containerd-shim", "wa"),)).status == model.FAIL


def test_a_rule_that_records_reading_only_is_not_enough():
    paths = {"audit-dockerd": {"/usr/bin/dockerd": audit_watch.FILE}}
    assert judged("audit-dockerd", audited_paths=paths, audit_watches=(AuditWatch("/usr/bin/dockerd", "r"),)).status == model.FAIL


def test_rules_of_an_audit_that_is_off_record_nothing():
    assert judged("audit-dockerd", audit_enabled=False).status == model.FAIL


def test_a_socket_that_everybody_writes_to_is_found():
    # Lynis asks whether the socket is a regular file, which it never is, and passes.
    found = of_file("file-docker-socket", FileFacts("socket", 0o666, 0, 999, "root", "docker"))
    assert (found.status, found.reach) == (model.FAIL, "root on the host")


def test_what_is_absent_does_not_count():
    # Others book what they did not find as a pass.
    found = of_file("file-tls-key", FileFacts("absent"))
    assert found.status == model.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "reach"),
    [
        (0o755, 0, 0, "nothing by itself"),
        (0o664, 0, 0, "nothing by itself"),
        (0o664, 0, 999, "root on the host"),
        (0o646, 0, 0, "root on the host"),
        (0o644, 1000, 0, "root on the host"),
    ],
)
def test_what_a_fault_gives_is_derived_from_it(mode, uid, gid, reach):
    assert of_file("file-daemon-json", FileFacts("file", mode, uid, gid, str(uid), str(gid))).reach == reach


def test_a_key_that_others_read_gives_data():
    assert of_file("file-tls-key", FileFacts("file", 0o440, 0, 999, "root", "ssl")).reach == "data or secrets"
    assert of_file("file-tls-key", FileFacts("file", 0o600, 0, 0, "root", "root")).reach == "nothing by itself"
