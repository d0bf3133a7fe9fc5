# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common.text.converters import to_bytes
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_changes import Change, Merged
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_interrupts import Interrupt
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files, State
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_diff import Changes
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import parse
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    daemon_plan,
    daemon_transaction,
    files,
    seccomp_plan,
    socket_access,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import Unit
from ansible_collections.bulkhead.docker.plugins.modules import docker_daemon_config


class Exited(Exception):
    pass


@pytest.fixture
def call(monkeypatch):
    def invoke(**params):
        ended = []

        def end(_module, **values):
            ended.append(values)
            raise Exited

        monkeypatch.setattr(basic.AnsibleModule, "exit_json", end)
        monkeypatch.setattr(
            basic.AnsibleModule, "fail_json", lambda module, **values: end(module, failed=True, **values)
        )
        arguments = {"ANSIBLE_MODULE_ARGS": {**params, "_ansible_check_mode": params.pop("check", False)}}
        arguments["ANSIBLE_MODULE_ARGS"].pop("check", None)
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", to_bytes(json.dumps(arguments)))
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        with pytest.raises(Exited):
            docker_daemon_config.main()
        return ended[0]

    monkeypatch.setattr(socket_access, "astray", lambda _host: [])
    return invoke


def plan(changes=()):
    return daemon_plan.Plan(
        found=Files("{}"),
        wanted=Files('{"icc": false}'),
        merged=Merged({"icc": False, "labels": []}, ("icc",), ("mtu",), ("icc",), {"labels": []}),
        before={},
        changes=changes,
        outstanding=changes,
        moved=changes,
        need="restart",
        version=parse("28.5.2"),
        reported_version="28.5.2+dfsg3",
        unit=Unit(True, True, False),
        state=State(),
        info=None,
        root="/var/lib/docker",
        proven=True,
        invocation="",
        interrupts=(),
        warnings=(),
    )


def test_results(call, monkeypatch):
    seen = []
    outcome = daemon_transaction.Outcome(
        True, "deferred", True, ["icc"], interrupts=(Interrupt("web", ("stops", "stays down"), stops=True),)
    )

    def converge(host, request):
        seen.append((host, request))
        return plan((Change("icc", None, False, "restart"),)), outcome

    monkeypatch.setattr(daemon_transaction, "converge", converge)
    result = call(
        settings={"icc": False}, restart="defer", start=False, probe_timeout=5, config_file="/srv/daemon.json"
    )
    host, request = seen[0]
    assert host.config_file == "/srv/daemon.json"
    assert (request.may_restart, request.may_start, request.predicting, request.probe_timeout) == (
        False,
        False,
        False,
        5.0,
    )
    assert result["changes"] == [{"key": "icc", "before": None, "after": False, "apply": "restart", "recreate": False}]
    assert (result["changed"], result["action"], result["pending_restart"]) == (True, "deferred", True)
    assert (result["pending_keys"], result["adopted"], result["reset_keys"]) == (["icc"], ["icc"], ["labels"])
    assert result["interrupts"] == [{"name": "web", "why": ["stops", "stays down"]}]
    assert (result["managed_keys"], result["foreign_keys"], result["recreate"]) == (["icc"], ["mtu"], [])
    assert (result["engine_version"], result["effective_root"]) == ("28.5.2+dfsg3", "/var/lib/docker")
    assert "icc: (absent) -> false [restart] [taken over]" in result["diff"]["prepared"]


@pytest.mark.parametrize("check", [True, False])
def test_a_socket_that_somebody_opened_is_closed_again_and_told(call, monkeypatch, check):
    mended = []
    monkeypatch.setattr(daemon_transaction, "converge", lambda _host, _request: (plan(), daemon_transaction.Outcome(False, "none", False)))
    open_one = socket_access.Astray("/run/docker.sock", 0o660, (0, 0), "mode 0666, owner root:users")
    monkeypatch.setattr(socket_access, "astray", lambda _host: [open_one])
    monkeypatch.setattr(socket_access, "mend", mended.extend)
    warned = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, text, **_more: warned.append(text))
    result = call(settings={}, check=check)
    said = "/run/docker.sock: mode 0666, owner root:users -> mode 0660, owner root:root"
    assert (result["changed"], result["action"], result["sockets"], result["diff"]) == (True, "none", [said], {"prepared": f"{said}\n"})
    assert mended == ([] if check else [open_one])
    assert len(warned) == 1
    assert "could be root" in warned[0]


def test_a_socket_that_cannot_be_closed_fails_with_all_that_was_done(call, monkeypatch):
    def mend(_found):
        raise files.FileError("/run/docker.sock was replaced while it was looked at; run again")

    monkeypatch.setattr(daemon_transaction, "converge", lambda _host, _request: (plan(), daemon_transaction.Outcome(True, "restart", False)))
    monkeypatch.setattr(socket_access, "astray", lambda _host: [socket_access.Astray("/run/docker.sock", 0o660, (0, 0), "mode 0666, owner root:root")])
    monkeypatch.setattr(socket_access, "mend", mend)
    result = call(settings={})
    assert (result["failed"], result["changed"], result["action"]) == (True, True, "restart")
    assert result["msg"] == "/run/docker.sock was replaced while it was looked at; run again."


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (daemon_plan.DaemonError("Refused, nothing was written: x."), "Refused, nothing was written: x."),
        (
            files.FileError("/etc/docker/daemon.json is a symbolic link; remove it"),
            "/etc/docker/daemon.json is a symbolic link; remove it.",
        ),
    ],
)
def test_failures(call, monkeypatch, error, message):
    def fail(host, request):
        raise error

    monkeypatch.setattr(daemon_transaction, "converge", fail)
    assert call(settings={}) == {"failed": True, "msg": message}


def test_the_diff_and_the_result_say_what_opens_and_closes(call, monkeypatch):
    done = plan((Change("icc", None, False, "restart"),)), daemon_transaction.Outcome(True, "restart", False)
    monkeypatch.setattr(daemon_transaction, "converge", lambda host, request: done)
    monkeypatch.setattr(seccomp_plan, "changes", lambda host, plan: Changes(("keyctl",), ("chmod (error 38)",)))
    result = call(settings={})
    assert result["seccomp_changes"] == {"opened": ["keyctl"], "closed": ["chmod (error 38)"], "changed": []}
    assert "system calls: opened: keyctl; closed: chmod (error 38)\n" in result["diff"]["prepared"]


def test_a_probe_needs_time(call):
    assert "at least one second" in call(settings={}, probe_timeout=0)["msg"]
