# SPDX-License-Identifier: Apache-2.0
"""A host that had nothing is cleared, keeps its data, is provisioned again, and is cleared with its data."""

from __future__ import annotations

import re

# What is other than before the first provision, with the reason. Nothing else may differ.
EXPLAINED = {
    r"new /var/lib/bulkhead(/manifest\.json)?": "says what is still here",
    r"changed mounts|changed /etc/fstab": "the filesystems with the data stay",
    r"new /var/lib/docker(/.*)?|changed /var/lib/docker": "the data stay",
    r"new /var/lib/containerd(/.*)?|changed /var/lib/containerd": "the data stay",
    r"changed /etc/sub[ug]id-?|changed /etc/(passwd|group|shadow|gshadow)-?|new /etc/(passwd|group|shadow|gshadow|subuid|subgid)-": "the ids of the data stay",
    r"(new|changed) /var/(lib/dpkg|lib/apt|lib/ucf|lib/pam|lib/systemd|cache)(/.*)?": "the package manager's own notes",
    r"new /etc/((init\.d|default)/docker|(containerd|docker|cni|apparmor\.d|bash_completion\.d)(/.*)?)": "configuration that apt keeps",
    r"new /etc/rc[0-9S]\.d/.*docker": "links of that configuration",
    r"changed /etc(/ld\.so\.cache)?": "libraries of tools",
    r"(new|changed) /(etc|usr|var)/.*(nftables|iptables|alternatives|parted|xfs|netfilter|ethertypes)(/.*)?": "of tools that roles needed on the way",
    r"new /etc/systemd/system/(multi-user|sockets)\.target\.wants(/(docker|containerd)\.(service|socket))?": "links that Debian keeps until a purge",
    r"new /etc/(adduser|deluser)\.conf": "of adduser, which the engine's package needs and others use",
    r"new /etc/systemd/system/(system\.slice|timers\.target)\.wants(/(system-)?xfs_scrub.*)?|new /var/lib/xfsprogs": "of tools that roles needed on the way",
    r"(new|changed|gone) /var/lib/(logrotate|misc|nfs|private|python|polkit-1|dbus)(/.*)?": "of tools that roles needed on the way",
    r"(new|changed|gone) /usr/local/lib/python3\.\d+(/.*)?": "compiled Python",
}
WITHOUT_DATA = {
    **{pattern: why for pattern, why in EXPLAINED.items() if "data" not in why or "package" in why},
    r"changed /etc/(passwd|group|shadow|gshadow|subuid|subgid)-?|new /etc/(passwd|group|shadow|gshadow|subuid|subgid)-": "the backups that shadow-utils makes, "
    "and the group docker of the package",
    r"changed /etc/fstab": "an empty line at most",
    r"(changed|gone) /var/lib/(docker|containerd)": "the lab's volumes, empty",
}


def unexplained(differences, explained):
    return [line for line in differences if not any(re.fullmatch(pattern, line) for pattern in explained)]


def test_nothing_is_done_while_containers_run(fresh):
    assert fresh["running"]["status"] and "docker_uninstall_stop_containers" in fresh["running"]["failed"][0]
    assert fresh["look_running"]["docker"] == "active"


def test_a_manifest_that_cannot_be_believed_is_refused(fresh):
    said = {name: (play["status"], play["failed"], running) for name, (play, running) in fresh["refused_manifests"].items()}
    assert {name: status for name, (status, _failed, _running) in said.items() if not status} == {}
    words = {"missing": "does not exist", "edited": "was edited", "cut": "is damaged", "foreign": "others than root", "link": "symbolic link"}
    assert {name: failed for name, (_status, failed, _running) in said.items() if words[name] not in failed[0]} == {}
    # The container went on.
    assert {running for _status, _failed, running in said.values()} == {"1"}


def test_check_mode_predicts_all_and_writes_nothing(fresh):
    assert fresh["check_differences"] == []
    done = {*fresh["after_kill"]["actions"]}
    assert done and done <= {*fresh["predicted"]["actions"]}
    assert fresh["removed_predicted"]["actions"] == fresh["removed"]["actions"]


def test_a_killed_run_is_finished_by_the_next(fresh):
    assert fresh["killed"]
    assert (fresh["after_kill"]["status"], fresh["after_kill"]["changed"] > 0) == (0, True)


def test_a_second_run_changes_nothing(fresh):
    assert (fresh["again"]["status"], fresh["again"]["changed"]) == (0, 0)
    assert (fresh["removed_again"]["status"], fresh["removed_again"]["changed"]) == (0, 0)


def test_docker_is_gone_and_nothing_has_failed(fresh):
    for look in (fresh["look"], fresh["removed_look"]):
        assert {name: look[name] for name in ("failed", "ports", "docker", "dockerd", "chains", "units", "guards", "held")} == {
            "failed": "",
            "ports": "0",
            "docker": "inactive",
            "dockerd": "none",
            "chains": "0",
            "units": "0",
            "guards": "0",
            "held": "0",
        }


def test_data_stay_and_are_said_to(fresh):
    assert fresh["data_kept"] == fresh["data_before"]
    assert (fresh["look"]["mounts"], fresh["look"]["fstab"], fresh["look"]["ranges"]) == ("2", "2", "1")
    kept = {entry["item"]: entry["reason"] for entry in fresh["again"]["kept"]}
    assert "volume" in kept["directory:/var/lib/docker"]
    assert "whoever got them next would own the data" in kept["ranges:dockremap"]


def test_what_differs_from_before_is_explained(fresh):
    assert unexplained(fresh["differences"], EXPLAINED) == []


def test_the_next_provision_finds_the_data(fresh):
    assert fresh["provisioned"]["status"] == 0
    assert "keepme" in fresh["volumes"].split()
    assert fresh["data_found"] == fresh["data_before"]
    assert fresh["seen_by_container"].split()[0] == fresh["data_before"].split()[0]


def test_data_are_asked_for_twice(fresh):
    for told in (fresh["unconfirmed"], fresh["confirmed_wrong"]):
        assert told["status"] and "docker_uninstall_data_confirm" in told["failed"][0]
    assert fresh["data_refused"] == fresh["data_before"]


def test_data_go_when_they_are_given_up(fresh):
    assert fresh["removed"]["status"] == 0
    look = fresh["removed_look"]
    assert (look["mounts"], look["fstab"], look["ranges"]) == ("0", "0", "0")
    assert '"sections":{}' in look["manifest"]
    assert unexplained(fresh["removed_differences"], WITHOUT_DATA) == []


def test_after_a_boot_nothing_is_missed(host, fresh):
    assert host.run("systemctl list-units --failed --plain --no-legend").stdout.strip() == ""
    assert host.run("ss --listening --tcp --udp --numeric --no-header").stdout.strip() == ""
    assert not host.exists("dockerd")
