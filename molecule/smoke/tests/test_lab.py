# SPDX-License-Identifier: Apache-2.0
"""The lab keeps its promises to scenario authors."""

from __future__ import annotations

from lab_runs import changed_tasks, last, module_runs, runs, tasks


def test_systemd_is_up_and_every_unit_started(host):
    assert host.check_output("systemctl is-system-running") == "running", host.run("systemctl --failed").stdout


def test_control_groups_are_this_hosts_own(host):
    seen_by_systemd = host.check_output("nsenter --target 1 --cgroup cat /proc/1/cgroup")
    assert seen_by_systemd.splitlines()[-1] == "0::/init.scope"
    assert host.file("/sys/fs/cgroup/init.scope").is_directory


def test_an_engine_inside_runs_containers(host):
    client = "$(apt-cache madison docker-cli | awk 'NR == 1 {print $1}')"  # newer suites only
    host.check_output(f"DEBIAN_FRONTEND=noninteractive apt-get install --yes docker.io {client}")
    host.check_output("docker import /usr/share/bulkhead-lab/busybox.tar lab/busybox")
    assert host.check_output("docker info --format '{{.Driver}}'") in ("overlay2", "overlayfs")
    run_id = "docker run --rm --user nobody %s lab/busybox /bin/id-suid -u"
    assert host.check_output(run_id % "") == "0"
    assert host.check_output(run_id % "--security-opt no-new-privileges") == "65534"


def test_what_tests_need_is_installed_by_no_network(host):
    listed = host.check_output("ls /var/cache/apt/archives")
    for package in ("docker.io_", "containerd_", "runc_", "python3-docker_", "parted_", "xfsprogs_"):
        assert package in listed


def test_runs_are_recorded_in_order(host):
    assert [run.action for run in runs()] == ["prepare", "check", "side_effect", "converge", "idempotence"]
    assert [run.check for run in runs()] == [False, True, False, False, False]


def test_recorder_counts_what_ran(host):
    name = host.ansible.get_variables()["inventory_hostname"]
    assert [task["task"] for task in changed_tasks(last("converge"), name)] == ["Install a package that the image has at hand", "Write two files"]
    assert changed_tasks(last("idempotence"), name) == []
    # One package, one file made by two module runs (stat, copy), the other only looked at by the second run.
    assert [record["module"] for record in module_runs(last("converge"), name)].count("ansible.legacy.copy") == 2
    assert [record["module"] for record in module_runs(last("idempotence"), name)].count("ansible.legacy.copy") == 0
    assert [task["items"] for task in tasks(last("converge"), name)] == [None, 2, None]
