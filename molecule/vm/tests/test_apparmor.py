# SPDX-License-Identifier: Apache-2.0
"""AppArmor in a kernel that has it: what is enforced, what a missing profile does, and that the next run brings it back."""

from __future__ import annotations

import pytest
from fault_cells import NO_PROFILE

PROFILES = {"bulkhead-default": {"class": "everyday"}, "bulkhead-job": {"class": "job"}}
# The filter of system calls and the capabilities would forbid it first.
OPEN = ("--userns", "host", "--security-opt", "seccomp=unconfined", "--cap-add", "SYS_ADMIN", "--security-opt", "no-new-privileges=false")
# The status of busybox would pass for one of ssh.
MOUNT = ("sh", "-c", "mount -t tmpfs none /tmp || exit 1")


def profile_of(docker, *options):
    return docker.once("cat", "/proc/self/attr/current", options=options).strip("\x00\n ")


@pytest.fixture(scope="module")
def loaded(ansible):
    """The result of loading the profiles of the role docker_apparmor."""
    return ansible.module("bulkhead.docker.docker_apparmor_profiles", profiles=PROFILES, required=True)


def test_containers_run_under_the_engines_profile(docker):
    assert profile_of(docker) == "docker-default (enforce)"


def test_the_kernel_enforces_it(docker):
    confined = docker.attempt("run", "--rm", *OPEN, "lab/busybox", *MOUNT)
    free = docker.attempt("run", "--rm", *OPEN, "--security-opt", "apparmor=unconfined", "lab/busybox", *MOUNT)
    assert free.rc == 0, free.stderr
    assert confined.rc != 0
    assert "Permission denied" in confined.stderr or "permission denied" in confined.stderr


def test_the_engine_loads_its_profile_again_when_somebody_removed_it(host, docker):
    host.check_output("printf docker-default > /sys/kernel/security/apparmor/.remove")
    assert "docker-default" not in host.check_output("cat /sys/kernel/security/apparmor/profiles")
    assert profile_of(docker) == "docker-default (enforce)"


def test_profiles_of_the_role_are_enforced(host, docker, loaded):
    assert not loaded.get("failed"), loaded
    assert profile_of(docker, "--security-opt", "apparmor=bulkhead-job") == "bulkhead-job (enforce)"
    # In the background: the first process of a container is deaf to signals that it does not handle.
    listen = ("sh", "-c", "nc -l -p 8080 & sleep 1; kill $!")
    free = docker.attempt("run", "--rm", "lab/busybox", *listen)
    confined = docker.attempt("run", "--rm", "--security-opt", "apparmor=bulkhead-job", "lab/busybox", *listen)
    assert "ermission denied" not in free.stderr, free.stderr
    assert "ermission denied" in confined.stderr, confined


@pytest.mark.cell(NO_PROFILE)
def test_a_container_does_not_start_without_its_profile_and_the_next_run_loads_it(host, docker, loaded, ansible):
    host.check_output("printf bulkhead-job > /sys/kernel/security/apparmor/.remove")
    tried = docker.attempt("run", "--rm", "--security-opt", "apparmor=bulkhead-job", "lab/busybox", "true")
    assert tried.rc != 0
    assert "apparmor" in tried.stderr.lower()
    again = ansible.module("bulkhead.docker.docker_apparmor_profiles", profiles=PROFILES, required=True)
    assert again["changed"], again
    assert profile_of(docker, "--security-opt", "apparmor=bulkhead-job") == "bulkhead-job (enforce)"
