# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common.text.converters import to_bytes
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import packages, preflight
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    daemon,
    daemon_plan,
    facts,
    package_plan,
    security_modules,
    storage_options,
    systemd,
)
from ansible_collections.bulkhead.docker.plugins.modules import docker_preflight

HOST = preflight.HostFacts(
    init="systemd",
    kernel="6.12.0",
    cgroup_version=2,
    cgroup_controllers=("cpu", "io", "memory", "pids"),
    max_user_namespaces=9,
    container="none",
    layers=preflight.Filesystem("ext4", (), True),
)
SETTINGS = {"userns-remap": "dockremap", "live-restore": True}
PROFILE = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}


class Exited(Exception):
    pass


class Storage:
    entries = ()
    may_move = False
    mapping = None

    def plan(self):
        return self

    problems = ()


@pytest.fixture
def call(monkeypatch, tmp_path):
    """Ask of a host without Docker, whose daemon.json holds the given text."""
    monkeypatch.setattr(facts, "gather", lambda *_arguments: HOST)
    monkeypatch.setattr(security_modules, "selinux_mode", lambda: "off")
    monkeypatch.setattr(storage_options, "read", lambda _params: Storage())
    monkeypatch.setattr(daemon.Daemon, "engine_version", lambda _host: None)
    monkeypatch.setattr(daemon.Daemon, "coming_version", lambda _host: "28.5.2+dfsg3")
    monkeypatch.setattr(daemon, "STATE_FILE", str(tmp_path / "state.json"))
    monkeypatch.setattr(docker_preflight, "Daemon", lambda: daemon.Daemon(str(tmp_path / "daemon.json")))

    def invoke(daemon_json=None, exec_start="", **params):
        if daemon_json is not None:
            (tmp_path / "daemon.json").write_text(daemon_json)
        shown = {"LoadState": "loaded" if exec_start else "not-found", "ActiveState": "inactive", "ExecStart": exec_start}
        monkeypatch.setattr(systemd, "properties", lambda _unit, names, *_scope: {name: shown.get(name, "") for name in names})
        ended = []

        def end(_module, **values):
            ended.append(values)
            raise Exited

        monkeypatch.setattr(basic.AnsibleModule, "exit_json", end)
        monkeypatch.setattr(basic.AnsibleModule, "fail_json", lambda module, **values: end(module, failed=True, **values))
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", to_bytes(json.dumps({"ANSIBLE_MODULE_ARGS": {"layout": [], **params}})))
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        with pytest.raises(Exited):
            docker_preflight.main()
        return ended[0]

    return invoke


@pytest.mark.parametrize("params", [{}, {"settings": SETTINGS}, {"settings": SETTINGS, "seccomp_profile": PROFILE}])
def test_a_host_without_docker_passes_and_its_users_may_still_come(call, params):
    result = call(**params)
    assert "failed" not in result, result
    assert result["facts"]["kernel"] == "6.12.0"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"daemon_json": '{"icc": true'}, "daemon.json: is not a configuration: line 1"),
        ({"daemon_json": '{"no-such-key": 1}'}, "no-such-key: "),
        ({"exec_start": "/usr/sbin/dockerd --data-root=/srv", "settings": {**SETTINGS, "data-root": "/var/lib/docker"}}, "data-root: docker.service already"),
        ({"seccomp_profile": "{}"}, "seccomp_profile: the profile has no defaultAction"),
        ({"seccomp_profile": {}, "settings": {}}, "seccomp_profile: the profile has no defaultAction"),
    ],
)
def test_what_docker_daemon_would_refuse_is_refused(call, params, words):
    result = call(**{"settings": SETTINGS, **params})
    assert result["failed"]
    assert [problem for problem in result["problems"] if words in problem], result["problems"]


def test_every_reason_is_told_by_itself(call):
    result = call(settings={**SETTINGS, "log-drvier": "local", "live-restore": "yes"}, seccomp_profile="[]")
    assert [problem.split(":")[0] for problem in result["problems"]] == ["seccomp_profile", "live-restore", "log-drvier"]


@pytest.mark.parametrize(
    ("settings", "params", "refused"),
    [
        ({"data-root": "/srv/docker"}, {"data_root": "/srv/docker/"}, []),
        ({"data-root": "/srv/docker/"}, {"data_root": "/srv/docker"}, []),
        ({"data-root": "/srv/docker"}, {}, ["data-root"]),
        ({}, {"data_root": "/srv/docker"}, ["data-root"]),
        ({"userns-remap": ""}, {"userns_remap": ""}, []),
        ({"userns-remap": ""}, {}, ["userns-remap"]),
        ({}, {"userns_remap": ""}, ["userns-remap"]),
        ({"userns-remap": "other"}, {}, ["userns-remap"]),
    ],
)
def test_daemon_and_storage_are_asked_for_the_same(call, settings, params, refused):
    result = call(settings={**SETTINGS, **settings}, **params)
    assert [problem.split(":")[0] for problem in result.get("problems", [])] == refused
    for key in refused:
        name = key.replace("-", "_")
        assert f"set docker_daemon_{name} and docker_storage_{name} alike" in result["msg"]


def test_a_host_that_is_refused_for_both_says_both(call, monkeypatch):
    old = preflight.HostFacts(**{**vars(HOST), "kernel": "3.10.0"})
    monkeypatch.setattr(facts, "gather", lambda *_arguments: old)

    def refuse(_host, _request):
        raise daemon_plan.Refused([Problem("icc", "is wrong; mend it")])

    monkeypatch.setattr(daemon_plan, "make", refuse)
    assert [problem.split(":")[0] for problem in call(settings=SETTINGS)["problems"]] == ["kernel", "icc"]


@pytest.fixture
def warnings(monkeypatch):
    given = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, text: given.append(text))
    return given


def test_what_is_told_and_what_is_not_known_are_warnings(call, warnings, monkeypatch):
    nested = preflight.HostFacts(**{**vars(HOST), "container": "docker", "kernel": None})
    monkeypatch.setattr(facts, "gather", lambda *_arguments: nested)
    result = call()
    assert list(result["told"]) == ["container-docker"]
    assert [sentence for sentence in result["unknown"] if sentence.startswith("the kernel: is not known")]
    assert set(warnings) == {*result["told"].values(), *result["unknown"]}


def test_what_is_accepted_is_no_warning(call, warnings, monkeypatch):
    nested = preflight.HostFacts(**{**vars(HOST), "container": "docker"})
    monkeypatch.setattr(facts, "gather", lambda *_arguments: nested)
    assert call(accept=["container-docker"])["told"] == {}
    assert not [text for text in warnings if text.startswith("virtualisation")]
    assert "refuses and cannot be accepted" in call(accept=["shared-kernel"])["msg"]


@pytest.mark.parametrize(
    ("settings", "store", "refused"),
    [
        ({"storage-opts": ["overlay2.size=5G"]}, "overlay2", ["storage-opts"]),
        ({"userns-remap": "", "storage-opts": ["overlay2.size=5G"]}, "containerd", ["storage-opts"]),
        ({}, "containerd", ["userns-remap"]),
        ({"selinux-enabled": True}, "overlay2", ["selinux-enabled"]),
    ],
)
def test_the_configuration_is_put_to_the_table_with_the_store_that_is_pinned(call, settings, store, refused):
    params = {"settings": {**SETTINGS, **settings}, "image_store": store, "userns_remap": settings.get("userns-remap", "dockremap")}
    assert [problem.split(":")[0] for problem in call(**params).get("problems", [])] == refused


def test_labels_of_selinux_are_asked_for_only_where_the_daemon_is_judged(call):
    assert [problem.split(":")[0] for problem in call(settings=SETTINGS, selinux="true")["problems"]] == ["selinux-enabled"]
    assert "failed" not in call(settings=SETTINGS, selinux="auto")
    assert "failed" not in call(selinux="true")


@pytest.mark.parametrize(
    ("wanted", "plan", "refused"),
    [
        # Another engine, which the host's own sources offer as 28.5.2, is not the one that comes.
        ({}, packages.PackagePlan(unknown=("docker-ce",)), []),
        ({"version": "29.1"}, packages.PackagePlan(unknown=("docker-ce",)), []),
        ({"version": "5:28.4.0-1~ubuntu"}, packages.PackagePlan(unknown=("docker-ce",)), ["firewall-backend"]),
        ({}, packages.PackagePlan(engine_after="5:29.1.3-1~ubuntu.24.04~noble"), []),
        ({}, packages.PackagePlan(engine_before="28.5.2", engine_after="5:29.1.3-1~ubuntu.24.04~noble"), []),
        ({}, packages.PackagePlan(engine_before="28.5.2", engine_after="28.5.2"), ["firewall-backend"]),
    ],
)
def test_the_daemon_is_judged_for_the_engine_that_comes(call, monkeypatch, wanted, plan, refused):
    monkeypatch.setattr(package_plan, "make", lambda _request: package_plan.Outcome(plan, ()))
    result = call(settings={**SETTINGS, "firewall-backend": "iptables"}, packages=[{"name": "docker-ce", **wanted}])
    assert [problem.split(":")[0] for problem in result.get("problems", [])] == refused


def test_a_host_is_judged_for_the_engine_that_comes(call, monkeypatch):
    old = preflight.HostFacts(**{**vars(HOST), "cgroup_version": 1, "engine_version": "28.5.2"})
    monkeypatch.setattr(facts, "gather", lambda *_arguments: old)
    plan = packages.PackagePlan(engine_before="28.5.2", engine_after="29.1.3")
    assert "cgroups-v1" not in call()["told"]
    monkeypatch.setattr(package_plan, "make", lambda _request: package_plan.Outcome(plan, ()))
    assert "cgroups-v1" in call(packages=[{"name": "docker.io"}])["told"]
