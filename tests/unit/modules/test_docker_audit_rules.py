# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses
import json

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common.text.converters import to_bytes
from ansible_collections.bulkhead.docker.plugins.module_utils.host import audit_rules
from ansible_collections.bulkhead.docker.plugins.module_utils.host.audit_rules import Kernel, Places, Plan
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import audit_text
from ansible_collections.bulkhead.docker.plugins.modules import docker_audit_rules

WANTED = audit_text.ours(audit_text.people("/var/lib/docker"))
LOADED = Kernel("", 1, "", WANTED)
WHERE = Places("/d", "/d", ("/s",))
SILENT = "the kernel's audit does not answer here (Operation not permitted)"


class Exited(Exception):
    pass


@pytest.fixture
def call(monkeypatch):
    """Run the module with a plan and what the kernel says afterwards; yields what it returned, its warnings, whether it did it."""

    def invoke(plan, after=LOADED, check=False, where=WHERE, **params):
        ended, warned, done = [], [], []

        def end(_module, **values):
            ended.append(values)
            raise Exited

        def carry_out(plan):
            done.append(plan)
            if isinstance(after, Exception):
                raise after
            return after

        monkeypatch.setattr(audit_rules, "places", lambda _data_root, _socket: where)
        monkeypatch.setattr(audit_rules, "make", lambda *_arguments: plan)
        monkeypatch.setattr(audit_rules, "carry_out", carry_out)
        monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, text: warned.append(text))
        monkeypatch.setattr(basic.AnsibleModule, "exit_json", end)
        monkeypatch.setattr(basic.AnsibleModule, "fail_json", lambda module, **values: end(module, failed=True, **values))
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", to_bytes(json.dumps({"ANSIBLE_MODULE_ARGS": {"_ansible_check_mode": check, **params}})))
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        with pytest.raises(Exited):
            docker_audit_rules.main()
        return ended[0], warned, bool(done)

    return invoke


@pytest.mark.parametrize("check", [True, False])
def test_check_mode_predicts_and_a_real_run_loads(call, check):
    result, warned, done = call(Plan(WANTED, Kernel("", 1)), check=check)
    assert (result["changed"], result["loaded"], result["recording"], result["reason"], done) == (True, True, True, "", not check)
    assert result["added"] == result["rules"] == ["/var/lib/docker wa auid!=unset"]
    assert result["diff"][0]["before_header"] == "auditctl -l"
    assert warned == []


def test_a_kernel_that_does_not_answer_is_said_and_is_no_failure(call):
    result, warned, _done = call(Plan(WANTED, Kernel(SILENT)), Kernel(SILENT))
    assert (result["loaded"], result["recording"], result["reason"], result["reboot_required"]) == (False, False, SILENT, False)
    assert warned == [f"The kernel does not record what happens to Docker: {SILENT}."]


def test_a_kernel_that_does_not_answer_is_a_failure_where_it_is_required_and_nothing_is_written(call):
    result, _warned, done = call(Plan(WANTED, Kernel(SILENT)), Kernel(SILENT), required=True)
    assert (result["failed"], done) == (True, False)
    assert SILENT in result["msg"]


def test_locked_rules_need_a_reboot(call):
    locked = Kernel("", 2)
    result, warned, _done = call(Plan(WANTED, locked), locked)
    assert (result["loaded"], result["reboot_required"]) == (False, True)
    assert "reboot" in warned[0]
    assert call(Plan(WANTED, locked), locked, required=True)[0]["failed"]
    same = dataclasses.replace(LOADED, enabled=2)
    assert call(Plan(WANTED, same), same, required=True)[0]["loaded"], "what is locked with our rules is all right"


def test_rules_that_are_loaded_and_record_nothing_are_told(call):
    after = dataclasses.replace(LOADED, silenced="-a never,task takes system calls of every process out of the audit")
    result, warned, _done = call(Plan(WANTED, after), after)
    assert (result["loaded"], result["recording"]) == (True, False)
    assert "never,task" in warned[0]


def test_a_missing_tool_is_a_failure_but_not_a_prediction(call):
    plan = Plan(WANTED, Kernel("auditctl is not installed"), tool_missing=True)
    assert "install the package auditd" in call(plan)[0]["msg"]
    result, warned, _done = call(plan, check=True, required=True)
    assert (result["tool_missing"], result["loaded"], warned) == (True, False, [])


def test_absent_needs_no_tool_and_no_kernel(call):
    unreachable = Kernel("auditctl is not installed")
    result, warned, done = call(Plan(frozenset(), unreachable, tool_missing=True), unreachable, state="absent", required=True)
    assert (result["loaded"], result["changed"], warned, done) == (False, False, [], True)


def test_what_the_kernel_did_not_keep_is_a_failure(call):
    result, _warned, _done = call(Plan(WANTED, Kernel("", 1)), audit_rules.AuditError("The kernel does not have the rules."))
    assert result["msg"] == "The kernel does not have the rules."


def test_places_that_are_no_paths_are_refused(call):
    result, _warned, done = call(Plan(WANTED, LOADED), where=Places("docker", "docker", ("/s",)))
    assert "data_root" in result["msg"]
    assert not done
