# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common.text.converters import to_bytes
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands
from ansible_collections.bulkhead.docker.plugins.module_utils.host import pull as host_pull
from ansible_collections.bulkhead.docker.plugins.module_utils.host.managed_files import Difference
from ansible_collections.bulkhead.docker.plugins.modules import docker_pull_timer

CHANGED = host_pull.Plan((Difference("/etc/bulkhead/docker-pull-inventory.yml", None, "secret", 0o600),), False, True, None)
SAME = host_pull.Plan(())


class Exited(Exception):
    pass


@pytest.fixture
def call(monkeypatch):
    """Run the module with a plan; returns what it returned, and what was asked of the host."""

    def invoke(plan=CHANGED, check=False, problem=None, **params):
        ended, asked = [], []

        def end(_module, **values):
            ended.append(values)
            raise Exited

        def planned(wanted, program, inventory, enabled):
            asked.append((wanted, program, inventory, enabled))
            return plan

        def does(name):
            def called(*_arguments):
                asked.append(name)
                if problem:
                    raise problem

            return called

        monkeypatch.setattr(host_pull, "plan", planned)
        monkeypatch.setattr(host_pull, "removal", lambda metrics: asked.append(("removal", metrics)) or plan)
        monkeypatch.setattr(host_pull, "refusals", host_pull.pull.problems)
        for name in ("carry_out", "prove"):
            monkeypatch.setattr(host_pull, name, does(name))
        monkeypatch.setattr(basic.AnsibleModule, "exit_json", end)
        monkeypatch.setattr(basic.AnsibleModule, "fail_json", lambda module, **values: end(module, failed=True, **values))
        arguments = {"_ansible_check_mode": check, "program": "print()", **params}
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", to_bytes(json.dumps({"ANSIBLE_MODULE_ARGS": arguments})))
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        with pytest.raises(Exited):
            docker_pull_timer.main()
        return ended[0], asked

    return invoke


def test_a_change_is_made(call):
    said, asked = call(variables='{"a": "{{ b }}"}', url="/srv/fleet.git", playbook="drift.yml", environment_variables='{"https_proxy": "x"}')
    wanted, program, inventory, enabled = asked[0]
    assert (wanted.url, wanted.playbook, wanted.environment, program, enabled) == ("/srv/fleet.git", "drift.yml", {"https_proxy": "x"}, "print()", True)
    assert '"a": !unsafe "{{ b }}"' in inventory
    assert asked[1:] == ["carry_out"]
    assert (said["changed"], said["changed_files"], said["timers"]) == (True, ["/etc/bulkhead/docker-pull-inventory.yml"], ["bulkhead-docker-pull.timer"])
    assert "secret" not in str(said["diff"]).replace("what may hold a secret", "")


def test_without_variables_the_inventory_is_kept(call):
    _said, asked = call()
    assert asked[0][2] is None
    _said, asked = call(variables="{}")
    assert asked[0][2].startswith("# Managed by")


def test_check_mode_predicts_and_does_nothing(call):
    said, asked = call(check=True)
    assert (said["changed"], len(asked)) == (True, 1)


def test_where_nothing_differs_the_host_still_proves_that_it_can(call):
    said, asked = call(SAME)
    assert (said["changed"], asked[1:]) == (False, ["prove"])
    said, asked = call(SAME, problem=commands.CommandError("ansible-core is gone"))
    assert (said["failed"], said["msg"]) == (True, "ansible-core is gone.")


def test_removal(call):
    said, asked = call(state="absent", textfile_directory="/var/lib/metrics")
    assert asked == [("removal", "/var/lib/metrics"), "carry_out"]
    assert (said["files"], said["units"], said["timers"]) == ([], [], [])
    said, asked = call(SAME, state="absent")
    assert (said["changed"], len(asked)) == (False, 1)


@pytest.mark.parametrize("params", [{"variables": "[]"}, {"variables": "{"}, {"environment_variables": "1"}, {"schedule": ""}, {"url": "https://me:word@x/y"}])
def test_refusals(call, params):
    said, asked = call(**params)
    assert said["failed"]
    assert asked == []


def test_what_may_be_a_secret_is_not_logged(monkeypatch):
    made = []
    monkeypatch.setattr(docker_pull_timer, "AnsibleModule", lambda **options: made.append(options) or (nobody for nobody in ()).throw(Exited))
    with pytest.raises(Exited):
        docker_pull_timer.main()
    specification = made[0]["argument_spec"]
    assert [name for name, option in specification.items() if option.get("no_log")] == ["variables", "environment_variables"]
