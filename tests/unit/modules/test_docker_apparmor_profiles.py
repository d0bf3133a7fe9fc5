# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common.text.converters import to_bytes
from ansible_collections.bulkhead.docker.plugins.module_utils.host import apparmor
from ansible_collections.bulkhead.docker.plugins.modules import docker_apparmor_profiles

PROFILES = {"bulkhead-job": {"class": "job"}}
WITHOUT = apparmor.Plan(unavailable="this kernel does not run AppArmor (see /sys), so there is nothing to do")
TO_LOAD = apparmor.Plan(drift=apparmor.apparmor.Drift({"bulkhead-job": "is in complain mode"}, ()))


class Exited(Exception):
    pass


@pytest.fixture
def call(monkeypatch):
    """Run the module with a plan; yields what it returned, its warnings, and whether the plan was carried out."""

    def invoke(plan, check=False, **params):
        ended, warned, done = [], [], []

        def end(_module, **values):
            ended.append(values)
            raise Exited

        monkeypatch.setattr(apparmor, "make", lambda _profiles: plan)
        monkeypatch.setattr(apparmor, "carry_out", done.append)
        monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, text: warned.append(text))
        monkeypatch.setattr(basic.AnsibleModule, "exit_json", end)
        monkeypatch.setattr(basic.AnsibleModule, "fail_json", lambda module, **values: end(module, failed=True, **values))
        arguments = {"profiles": PROFILES, "_ansible_check_mode": check, **params}
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", to_bytes(json.dumps({"ANSIBLE_MODULE_ARGS": arguments})))
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        with pytest.raises(Exited):
            docker_apparmor_profiles.main()
        return ended[0], warned, bool(done)

    return invoke


def test_a_host_without_apparmor_is_told_so_and_left_alone(call):
    result, warned, done = call(WITHOUT)
    assert (result["changed"], result["available"], done) == (False, False, False)
    assert warned == [f"No AppArmor profile was loaded: {WITHOUT.unavailable}."]


def test_a_host_without_apparmor_is_a_failure_where_it_is_required(call):
    result, _warned, _done = call(WITHOUT, required=True)
    assert result["msg"].startswith("AppArmor is required, but this kernel does not run AppArmor")
    assert "nothing to do" not in result["msg"]


@pytest.mark.parametrize("check", [True, False])
def test_check_mode_predicts_and_a_real_run_loads(call, check):
    result, _warned, done = call(TO_LOAD, check=check)
    assert (result["changed"], result["loaded"], done) == (True, {"bulkhead-job": "is in complain mode"}, not check)


def test_a_missing_parser_is_a_failure_but_not_a_prediction(call):
    assert "install the package apparmor" in call(apparmor.Plan(parser_missing=True))[0]["msg"]
    result, _warned, _done = call(apparmor.Plan(parser_missing=True), check=True)
    assert (result["parser_missing"], result["available"], result["changed"]) == (True, False, False)


def test_profiles_that_are_none_are_refused_with_every_reason(call):
    result, _warned, done = call(TO_LOAD, profiles={"docker-default": {"class": "job"}, "bulkhead-x": {"class": "web"}})
    assert "Refused for 2 reasons" in result["msg"]
    assert not done
