# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The file of rules for audit, and telling our rules in what three releases of auditctl print."""

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import audit_text, audit_watch
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.audit_watch import Watched

DIRECTORIES = {"/etc/docker", "/var/lib/docker", "/srv/volumes"}
# As auditctl 3.0.9, 4.0.2 and 4.1.2 list the rules that they were given in each of the forms of the file.
LISTED = [
    ("-a always,exit -F path=/usr/bin/dockerd -F perm=wa -F key=bulkhead-docker", "-w /usr/bin/dockerd -p wa -k bulkhead-docker"),
    ("-a always,exit -F dir=/etc/docker -F perm=wa -F key=bulkhead-docker", "-w /etc/docker -p wa -k bulkhead-docker"),
    (
        "-a always,exit -F perm=wa -F auid!=unset -F dir=/var/lib/docker -F key=bulkhead-docker",
        "-a always,exit -S all -F perm=wa -F auid!=-1 -F dir=/var/lib/docker -F key=bulkhead-docker",
    ),
]


def lines(watched, *paths, mounted=()):
    return audit_text.lines(watched, paths, DIRECTORIES.__contains__, mounted.__contains__)


@pytest.mark.parametrize("written, listed", LISTED)
def test_a_rule_is_the_same_in_the_file_and_in_the_list_of_the_kernel(written, listed):
    assert audit_text.ours(written) == audit_text.ours(listed)
    assert len(audit_text.ours(written)) == 1


@pytest.mark.parametrize(
    "listed",
    [
        "-w /usr/bin/dockerd -p wa -k docker",
        "-w /usr/bin/dockerd -p wa -k bulkhead-docker-too",
        "-w /usr/bin/dockerd -p wa",
        "-a always,exit -S execve -F key=exec",
        "No rules",
        "",
        "-k bulkhead-docker",
    ],
)
def test_rules_of_others_are_not_ours(listed):
    assert audit_text.ours(listed) == frozenset()


@pytest.mark.parametrize(
    "other",
    [
        "-w /usr/bin/docker -p wa -k bulkhead-docker",
        "-w /usr/bin/dockerd -p rwxa -k bulkhead-docker",
        "-w /usr/bin/dockerd -k bulkhead-docker",
        "-a always,exit -F path=/usr/bin/dockerd -F perm=wa -F uid=0 -F key=bulkhead-docker",
        "-a never,exit -F path=/usr/bin/dockerd -F perm=wa -F key=bulkhead-docker",
        "-a always,exit -S open -F path=/usr/bin/dockerd -F perm=wa -F key=bulkhead-docker",
    ],
)
def test_a_rule_that_records_something_else_is_another_one(other):
    assert audit_text.ours(other) != audit_text.ours(LISTED[0][0])


def test_a_directory_is_watched_with_all_below_it_only_where_that_is_asked():
    single, whole = Watched("a", "it", (), "1"), Watched("b", "it", (), "1", recursive=True)
    assert lines(single, "/var/lib/docker") == ("-a always,exit -F path=/var/lib/docker -F perm=wa -F key=bulkhead-docker",)
    assert lines(whole, "/etc/docker") == ("-a always,exit -F dir=/etc/docker -F perm=wa -F key=bulkhead-docker",)
    assert lines(whole, "/etc/docker.json") == ("-a always,exit -F path=/etc/docker.json -F perm=wa -F key=bulkhead-docker",)


def test_a_mount_point_is_watched_in_the_way_that_is_not_deaf():
    found = lines(Watched("a", "it", (), "1"), "/srv/volumes", mounted={"/srv/volumes"})
    assert found == ("-a always,exit -F perm=wa -F auid!=unset -F dir=/srv/volumes -F key=bulkhead-docker",)
    whole = lines(Watched("a", "it", (), "1", recursive=True), "/etc/docker", mounted={"/etc/docker"})
    assert whole == ("-a always,exit -F dir=/etc/docker -F perm=wa -F key=bulkhead-docker",), "with all below it, it hears"


def test_nothing_records_what_daemons_and_containers_do_below_the_data_root():
    for watched in audit_watch.WATCHED:
        for path in audit_watch.places(watched, "/var/lib/docker", "/run/docker.sock", "/etc/docker/daemon.json"):
            for line in audit_text.lines(watched, [path], lambda _path: True, lambda _path: False):
                if path.startswith(("/var/lib/docker", "/run/containerd")):
                    assert "-F path=" in line, line
                assert "-F perm=wa " in line, line
    assert "auid!=unset" in audit_text.people("/var/lib/docker")


def test_the_file_goes_on_after_a_path_that_has_gone_unless_that_is_not_wanted():
    rules = [LISTED[0][0], LISTED[0][0], LISTED[1][0]]
    tolerant = audit_text.document(rules, True).splitlines()
    assert tolerant.index("-i") < tolerant.index(rules[0])
    assert [line for line in tolerant if line.startswith("-a")] == [rules[0], rules[2]], "the kernel refuses a rule that is there twice"
    assert "-i" not in audit_text.document(rules, False).splitlines()


@pytest.mark.parametrize(
    "path, good", [("/var/lib/docker", True), ("/srv/my data", False), ("/srv/a\nb", False), ("/srv/\x1b[31m", False), ("/srv/dätä", True)]
)
def test_paths_that_no_file_of_rules_can_hold(path, good):
    assert audit_text.writable(path) is good


def test_what_is_written_is_what_the_audit_of_the_host_looks_for():
    kinds = {"/var/lib/docker": audit_watch.MOUNT_POINT, "/etc/docker": audit_watch.DIRECTORY}
    written = []
    asked = []
    for watched in audit_watch.WATCHED:
        paths = audit_watch.places(watched, "/var/lib/docker", "/run/docker.sock", "/etc/docker/daemon.json")
        written += lines(watched, *paths, mounted={"/var/lib/docker"})
        asked += [(watched, path) for path in paths]
    loaded = audit_watch.parse(audit_text.document(written, True), DIRECTORIES.__contains__)
    assert [path for watched, path in asked if not audit_watch.covered(loaded.watches, watched, path, kinds.get(path, audit_watch.FILE))] == []
    assert loaded.narrower == {}
