# SPDX-License-Identifier: Apache-2.0
"""Profiles on hosts with a real parser and a stand-in for the kernel: compiled, loaded, kept enforced, taken away."""

from __future__ import annotations

import json

import pytest
from lab_docker import refusal
from lab_runs import changed_tasks, last

testinfra_hosts = ["ansible://oldstable", "ansible://stable"]

MODULE = "bulkhead.docker.docker_apparmor_profiles"
LOADED = "/sys/kernel/security/apparmor/profiles"
SHIPPED = {"bulkhead-default": {"class": "everyday"}, "bulkhead-service": {"class": "service"}, "bulkhead-job": {"class": "job"}}
# The stand-in lies before it in PATH; this one only compiles.
COMPILE = "/usr/sbin/apparmor_parser --skip-kernel-load --skip-cache"


def modes(host):
    return dict(line.rstrip(")").split(" (") for line in host.file(LOADED).content_string.splitlines())


def converge(host, profiles=None, check=False):
    return host.ansible(MODULE, json.dumps({"profiles": SHIPPED if profiles is None else profiles}), check=check)


@pytest.fixture
def shipped(host):
    """The profiles of the role, also after the test."""
    converge(host)
    yield host
    converge(host)


def test_the_role_loads_what_it_ships_and_a_second_run_changes_nothing(host):
    assert modes(host) == {"docker-default": "enforce", **dict.fromkeys(SHIPPED, "enforce")}
    name = host.backend.get_hostname()
    assert [task["task"] for task in changed_tasks(last("check"), name)] == [task["task"] for task in changed_tasks(last("converge"), name)] != []
    assert changed_tasks(last("idempotence"), name) == []


@pytest.mark.parametrize("name", SHIPPED)
def test_the_parser_of_this_release_compiles_what_is_shipped(host, name):
    done = host.run(f"{COMPILE} /etc/apparmor.d/%s", name)
    assert done.rc == 0, done.stderr
    assert host.run(f"sed s/ptrace/ptrase/ /etc/apparmor.d/%s | {COMPILE}", name).rc != 0, "the parser takes everything"


def test_complain_mode_is_drift_and_mended(shipped):
    shipped.check_output("sed -i 's/bulkhead-job (enforce)/bulkhead-job (complain)/' %s", LOADED)
    shipped.check_output("mkdir -p /etc/apparmor.d/force-complain && ln -s ../bulkhead-job /etc/apparmor.d/force-complain/")
    predicted = converge(shipped, check=True)
    assert (predicted["changed"], modes(shipped)["bulkhead-job"]) == (True, "complain")
    done = converge(shipped)
    assert done["loaded"] == predicted["loaded"] == {"bulkhead-job": "is in complain mode"}
    assert done["overrides"] == ["/etc/apparmor.d/force-complain/bulkhead-job"]
    assert modes(shipped)["bulkhead-job"] == "enforce"
    assert not shipped.file("/etc/apparmor.d/force-complain/bulkhead-job").exists
    assert not converge(shipped)["changed"]


def test_a_class_that_is_no_longer_asked_for_goes(shipped):
    done = converge(shipped, {"bulkhead-default": {"class": "everyday"}})
    assert sorted(done["unloaded"]) == ["bulkhead-job", "bulkhead-service"]
    assert set(modes(shipped)) == {"docker-default", "bulkhead-default"}
    assert not shipped.file("/etc/apparmor.d/bulkhead-job").exists


def test_what_the_parser_refuses_is_not_written(shipped):
    before = shipped.check_output("sha256sum /etc/apparmor.d/bulkhead-job")
    message = refusal(shipped, MODULE, profiles={**SHIPPED, "bulkhead-job": {"class": "job", "hidden": ["/run/{secrets"]}})
    assert "profiles.bulkhead-job: is refused by apparmor_parser" in message
    assert shipped.check_output("sha256sum /etc/apparmor.d/bulkhead-job") == before
