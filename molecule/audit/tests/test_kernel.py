# SPDX-License-Identifier: Apache-2.0
"""The rules of audit in a real kernel: loaded, shown, kept; what they record, and the flood of the usual rule beside them."""

from __future__ import annotations

import subprocess

import machine_audit
import pytest
from machine_audit import ARCHIVE, KEY, NAIVE, Machine, counted

# 200 files in the container's own filesystem and 200 in a volume, each written, changed and removed.
WORK = 'for d in /tmp /data; do i=0; while [ $i -lt 200 ]; do echo x > $d/$i; chmod 600 $d/$i; rm $d/$i; i=$((i+1)); done; done'
OTHERS = ("-w", "/etc/shadow", "-p", "wa", "-k", "lab-others")


@pytest.fixture(scope="module")
def machine(host, name, tmp_path_factory):
    machine = Machine(f"bulkhead-lab-audit-{name}")
    reason = machine.why_not()
    if reason:
        pytest.skip(reason)
    archive = tmp_path_factory.mktemp("modules") / "modules.zip"
    archive.write_bytes(machine_audit.pack())
    subprocess.run(["docker", "cp", str(archive), f"bulkhead-lab-audit-{name}:{ARCHIVE}"], check=True, capture_output=True)
    host.run("systemctl start docker.service")
    with machine.borrowed():
        yield machine


@pytest.fixture
def loaded(machine):
    result = machine.module()
    assert not result.get("failed"), result
    return result


def test_check_mode_predicts_a_real_run_loads_and_a_second_changes_nothing(machine):
    machine.auditctl("-D", "-k", KEY)
    predicted = machine.module(_ansible_check_mode=True)
    assert machine.rules() == set()
    done = machine.module()
    assert {key: predicted[key] for key in ("changed", "loaded", "recording", "added", "removed")} == {
        key: done[key] for key in ("changed", "loaded", "recording", "added", "removed")
    }
    assert (done["changed"], done["loaded"], done["recording"], done["reason"]) == (True, True, True, "")
    assert len(machine.rules()) == len(done["rules"]) == len(done["added"]) >= 14
    again = machine.module()
    assert (again["changed"], again["added"], again["removed"], again["loaded"]) == (False, [], [], True)


def test_rules_of_others_stay_and_what_is_missing_or_too_much_is_mended(machine, loaded):
    machine.auditctl(*OTHERS)
    before = machine.rules()
    machine.auditctl("-W", "/etc/default/docker", "-p", "wa", "-k", KEY)
    machine.auditctl("-w", "/etc/hostname", "-p", "wa", "-k", KEY)
    assert machine.rules() != before
    mended = machine.module()
    assert (mended["added"], mended["removed"]) == (["/etc/default/docker wa"], ["/etc/hostname wa"])
    assert machine.rules() == before
    assert len(machine.rules("lab-others")) == 1
    gone = machine.module(state="absent")
    assert gone["changed"] and machine.rules() == set()
    assert len(machine.rules("lab-others")) == 1
    assert machine.module()["loaded"]


def audit_rules_of(machine):
    """Return what the audit of the host says of each rule about the kernel's audit."""
    result = machine.module("docker_host_audit", include=["fail", "unknown", "pass", "not-applicable"])
    return {finding["rule"]: finding["status"] for finding in result["findings"] if finding["rule"].startswith("audit-")}


def test_the_audit_of_the_host_passes_what_the_role_loads_and_fails_without_it(machine, loaded):
    said = audit_rules_of(machine)
    applicable = {rule for rule, status in said.items() if status != "not-applicable"}
    assert len(applicable) >= 12
    assert {said[rule] for rule in applicable} == {"pass"}, said
    machine.auditctl("-D", "-k", KEY)
    without = audit_rules_of(machine)
    assert {without[rule] for rule in applicable} == {"fail"}, without


def test_containers_flood_the_usual_rule_and_not_ours(machine, loaded, host):
    machine.auditctl("-w", "/var/lib/docker", "-p", "rwxa", "-k", NAIVE)
    try:
        with counted() as counts:
            host.check_output("docker run --rm --network none --volume flood:/data lab/busybox:1 sh -c %s", WORK)
    finally:
        machine.auditctl("-D", "-k", NAIVE)
        host.run("docker volume rm flood")
    print(f"records of one container that writes 400 files: {counts}")
    # Ours are for the container itself, which the engine puts among its containers and takes out again.
    assert counts.get(NAIVE, 0) > 500
    assert counts.get(KEY, 0) < 20


@pytest.mark.parametrize(
    "command",
    [
        ("touch", "/etc/docker/new.json"),
        ("rm", "/etc/docker/new.json"),
        ("chmod", "0755", "/usr/sbin/runc"),
        ("chown", "root:docker", "/run/docker.sock"),
        ("touch", "/etc/default/docker"),
        ("chmod", "0660", "/run/containerd/containerd.sock"),
    ],
)
def test_who_changes_docker_is_recorded(machine, loaded, command):
    with counted() as counts:
        assert machine.run(*command).returncode == 0
    assert counts.get(KEY, 0) >= 1, counts


def test_people_below_the_data_root_are_recorded_and_daemons_are_not(machine, loaded):
    place = "/var/lib/docker/100000.100000/image/lab"
    with counted() as by_daemon:
        machine.run("touch", place)
    with counted() as by_person:
        machine.run("touch", place, person=True)
    machine.run("rm", "-f", place)
    assert (by_daemon.get(KEY, 0), by_person.get(KEY, 0) >= 1) == (0, True)


def test_a_rule_for_a_link_or_a_mount_point_is_deaf_and_ours_are_not(machine, loaded):
    # The data root of a lab host is a mount point; /bin is a link.
    machine.auditctl("-a", "always,exit", "-F", "path=/var/lib/docker", "-F", "perm=wa", "-F", f"key={NAIVE}")
    with counted() as counts:
        machine.run("touch", "/var/lib/docker/new", person=True)
        machine.run("rm", "/var/lib/docker/new", person=True)
    machine.auditctl("-D", "-k", NAIVE)
    assert (counts.get(NAIVE, 0), counts.get(KEY, 0) >= 2) == (0, True)


def test_the_usual_file_stops_at_a_path_that_is_not_there_yet_and_ours_goes_on(machine, loaded):
    lines = ["-w /run/not-yet/containerd.sock -p wa -k lab-naive", "-w /etc/docker -p wa -k lab-naive"]
    machine.run("sh", "-c", 'umask 077; printf "%s\\n" "$@" > /root/usual.rules', "sh", *lines)
    usual = machine.run("auditctl", "-R", "/root/usual.rules")
    left = machine.rules(NAIVE)
    machine.auditctl("-D", "-k", NAIVE)
    assert (usual.returncode != 0, left) == (True, set())
    ours_with = f"sed '/^-i$/a {lines[0]}' /etc/audit/rules.d/50-bulkhead-docker.rules > /root/ours.rules"
    machine.run("sh", "-c", f"umask 077; {ours_with}")
    before = machine.rules()
    machine.auditctl("-D", "-k", KEY)
    ours = machine.run("auditctl", "-R", "/root/ours.rules")
    assert (ours.returncode, machine.rules()) == (0, before)
