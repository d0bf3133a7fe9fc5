# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common.text.converters import to_bytes
from ansible_collections.bulkhead.docker.plugins.module_utils.host import audit, docker_api
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import Policy
from ansible_collections.bulkhead.docker.plugins.modules import docker_host_audit

FOUND = {
    "findings": [{"rule": "x", "status": "fail"}],
    "score": {"percent": 90.0},
    "coverage": {"percent": 100.0},
    "waived": 0,
    "subjects": {"host": 1},
    "stopped": [],
    "engine": {"product": "docker"},
    "api_calls": 7,
    "duration": 0.1,
    "collector": "1",
}


class Exited(Exception):
    pass


@pytest.fixture
def call(monkeypatch):
    """Run the module over a host of which the given is found; returns its result and what was asked for."""

    def run(found=None, error=None, check_mode=False, **options):
        asked = []

        def look(request):
            asked.append(request)
            if error:
                raise error
            return {**FOUND, **(found or {})}

        def leave(_self, **values):
            raise Exited(values)

        def fail(_self, msg, **values):
            raise Exited({"failed": True, "msg": msg, **values})

        monkeypatch.setattr(audit, "run", look)
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", to_bytes(json.dumps({"ANSIBLE_MODULE_ARGS": {**options, "_ansible_check_mode": check_mode}})))
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        monkeypatch.setattr(basic.AnsibleModule, "exit_json", leave)
        monkeypatch.setattr(basic.AnsibleModule, "fail_json", fail)
        warned = []
        monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _self, text: warned.append(text))
        with pytest.raises(Exited) as exited:
            docker_host_audit.main()
        return exited.value.args[0], asked, warned

    return run


def test_what_was_found_is_returned(call):
    found, asked, warned = call()
    assert found == {"changed": False, **FOUND}
    assert warned == []
    request = asked[0]
    assert (request.docker_host, request.timeout, request.time_limit, request.host, request.fail_on) == ("", 20, 120, "", "never")
    assert request.policy == Policy()
    assert request.include == ("fail", "unknown")


def test_it_only_reads_so_check_mode_does_the_same(call):
    assert call(check_mode=True)[0] == call()[0]


def test_options_reach_the_audit(call):
    _found, asked, _warned = call(
        docker_host="unix:///run/user/1000/docker.sock",
        timeout=2.5,
        host="web1",
        policy={"trusted_users": ["deploy"], "swarm_expected": False, "image_max_age_days": 90},
        waivers=[{"rule": "container-not-privileged", "owner": "me", "reason": "so", "expires": "2030-01-31", "subject": "x*"}],
        include=["fail"],
        fail_on="high",
    )
    request = asked[0]
    assert request.policy == Policy(trusted_users=("deploy",), swarm_expected=False, image_max_age_days=90)
    assert [(waiver.rule, waiver.subject) for waiver in request.waivers] == [("container-not-privileged", "x*")]
    assert (request.timeout, request.host, request.include, request.fail_on) == (2.5, "web1", ("fail",), "high")
    assert request.today


def test_a_failure_that_is_too_bad_fails_with_everything_returned(call):
    found, _asked, _warned = call({"stopped": ["[critical] x: this", "[high] y: that"]}, fail_on="high")
    assert found["failed"] is True
    assert found["msg"].startswith("2 failures are at least as bad")
    assert "[critical] x: this" in found["msg"]
    assert found["findings"] == FOUND["findings"]
    assert found["changed"] is False


def test_an_engine_that_does_not_answer_is_a_warning_and_no_success_by_itself(call):
    found, _asked, warned = call({"engine": {"error": "no engine answers on unix:///x"}})
    assert "failed" not in found
    assert warned == ["The engine was not looked at: no engine answers on unix:///x."]


def test_without_the_sdk(call):
    found, _asked, _warned = call(error=docker_api.SdkMissing("Docker's SDK is not installed"))
    assert found == {"failed": True, "msg": "Docker's SDK is not installed."}


def test_every_mistake_in_the_options_is_said_at_once(call):
    found, asked, _warned = call(
        policy={"trusted": [], "image_max_age_days": "soon", "minimum_version": 29.10},
        waivers=[{"rule": "no-such-rule", "owner": "me", "reason": "so", "expires": "never"}],
    )
    assert found["failed"] is True
    assert asked == []
    for said in ("policy.trusted", "policy.image_max_age_days", "policy.minimum_version", "no-such-rule", "'never'"):
        assert said in found["msg"]


@pytest.mark.parametrize("option", ["timeout", "time_limit"])
def test_times_are_more_than_nothing(call, option):
    assert call(**{option: 0})[0]["failed"] is True
