# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.log_budget import Filesystem, LogConfig
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import parse
from ansible_collections.bulkhead.docker.plugins.module_utils.host import container_logs
from ansible_collections.bulkhead.docker.plugins.module_utils.host.container_logs import Asked, look
from ansible_collections.bulkhead.docker.plugins.module_utils.host.docker_api import ApiError
from ansible_collections.bulkhead.docker.plugins.module_utils.host.mounts import MountInfo

VERSION = parse("28.5.2")
LOCAL = {"log-driver": "local", "log-opts": {"max-size": "10m"}}
ENDLESS = {"Name": "/old", "HostConfig": {"LogConfig": {"Type": "json-file", "Config": {}}}}
INFO = {"Containers": 1, "Plugins": {"Log": ["json-file", "local", "syslog", "journald"]}}


class Api:
    def __init__(self, inspected=(), silent=False):
        self.asked = 0
        self.inspected, self.silent = list(inspected), silent

    def __call__(self):
        return self

    def inspect_all(self):
        self.asked += 1
        if self.silent:
            raise ApiError("the Docker engine does not answer")
        return self.inspected


@pytest.fixture(autouse=True)
def host(tmp_path, monkeypatch):
    monkeypatch.setattr(container_logs, "MEMORY_FILE", str(tmp_path / "memory" / "log-defaults.json"))
    monkeypatch.setattr(container_logs.files.os, "fchown", lambda *_arguments: None)
    monkeypatch.setattr(container_logs.files.os, "chown", lambda *_arguments: None)
    return tmp_path


def run(asked, before, after, api=None, info=None, root=None):
    return look(asked, before, after, {}, VERSION, root, info, api or Api())


def test_a_run_without_a_question_asks_nothing(host):
    api = Api([ENDLESS])
    report = run(Asked(), {}, LOCAL, api, INFO, str(host))
    assert api.asked == 0
    assert (report.budget.filesystem, report.budget.containers, report.warnings, report.problems) == (None, None, (), ())


def test_containers_are_looked_at_when_the_settings_change_and_not_again(host):
    api = Api([ENDLESS])
    report = run(Asked("warn"), {}, LOCAL, api, INFO, str(host))
    assert report.budget.unlimited == ("old",)
    assert [entry["state"] for entry in report.unlike] == ["former default"]
    assert any("old" in warning for warning in report.warnings)
    assert run(Asked("warn"), LOCAL, LOCAL, api, INFO, str(host)).budget.containers is None
    assert api.asked == 1
    run(Asked("warn", containers=1), LOCAL, LOCAL, api, INFO, str(host))
    run(Asked("enforce"), LOCAL, LOCAL, api, INFO, str(host))
    assert api.asked == 3


def test_an_engine_without_containers_is_not_asked(host):
    api = Api()
    assert run(Asked("enforce"), {}, LOCAL, api, {"Containers": 0}, str(host)).budget.containers == 0
    assert run(Asked("enforce"), {}, LOCAL, api, None, str(host)).budget.containers == 0
    assert api.asked == 0


def test_containers_of_an_engine_that_does_not_run_are_not_known(host):
    (host / "containers" / "abc").mkdir(parents=True)
    report = run(Asked("enforce"), {}, LOCAL, Api(), None, str(host))
    assert report.budget.containers is None
    assert "holds containers" in report.warnings[0]


def test_an_engine_that_falls_silent_is_a_warning(host):
    report = run(Asked("enforce"), {}, LOCAL, Api(silent=True), INFO, str(host))
    assert report.budget.containers is None
    assert "not known" in report.warnings[0]


@pytest.mark.parametrize(("verdict", "problems", "warnings"), [("warn", 0, 1), ("enforce", 1, 0), ("ignore", 0, 0)])
def test_what_is_done_about_a_shortage(host, monkeypatch, verdict, problems, warnings):
    monkeypatch.setattr(container_logs, "filesystem", lambda _root: Filesystem("/", 10**6, 10**6))
    report = run(Asked(verdict, 5), LOCAL, LOCAL, root=str(host))
    assert (len(report.problems), len(report.warnings)) == (problems, warnings)


@pytest.mark.parametrize("verdict", ["warn", "enforce"])
def test_logs_without_end(host, verdict):
    report = run(Asked(verdict), {}, {"log-driver": "json-file"}, root=str(host))
    assert "without max-size" in next(str(entry) for entry in (*report.problems, *report.warnings))


def test_a_blocking_receiver_is_told_of_once(host):
    config = {"log-driver": "syslog", "log-opts": {"syslog-address": "tcp://h:1"}}
    assert "stands still" in run(Asked(), {}, config).warnings[0]
    assert run(Asked(), config, config).warnings == ()


@pytest.mark.parametrize(
    "config", [{"log-driver": "nonsense"}, {"log-opts": {"max-sise": "1"}}, {"log-opts": []}, {"log-opts": "x"}, {"log-driver": 1}]
)
def test_wrong_settings_are_reported_by_others(config):
    report = run(Asked("enforce", 1), {}, config)
    assert report.as_returns() == {"log_budget": None, "log_delivery": None, "log_settings": []}


@pytest.mark.parametrize(
    ("config", "info", "words"),
    [
        ({"log-driver": "gcplogs"}, INFO, "which this build of the engine lacks"),
        ({"log-driver": "gcplogs"}, None, ""),
        ({"log-driver": "none"}, INFO, ""),
        ({"log-driver": "loki:latest"}, INFO, ""),
        ({"log-driver": "syslog", "log-opts": {"syslog-address": "unix:///no/such/socket"}}, None, "/no/such/socket"),
        (
            {"log-driver": "syslog", "log-opts": {"syslog-address": "tcp+tls://h:1", "syslog-tls-ca-cert": "/no/ca.pem"}},
            None,
            "/no/ca.pem",
        ),
        (
            {"log-driver": "splunk", "log-opts": {"splunk-token": "t", "splunk-url": "https://h", "splunk-capath": "/no/ca"}},
            None,
            "/no/ca",
        ),
    ],
)
def test_what_the_host_lacks(config, info, words):
    found = run(Asked(), config, config, info=info).problems
    assert words in str(found[0]) if words else found == ()


def test_the_filesystem_that_will_hold_the_logs(tmp_path, monkeypatch):
    root = tmp_path / "root"
    (tmp_path / "rooted").mkdir()
    mounted = [MountInfo("1:1", "/", target, "ext4", "x") for target in ("/", str(tmp_path), str(tmp_path / "rooted"))]
    monkeypatch.setattr(container_logs.mounts, "mountinfo", lambda: mounted)
    assert container_logs.filesystem(str(root)).target == str(tmp_path)
    mounted.append(MountInfo("1:1", "/", str(root / "containers"), "ext4", "x"))
    logs = root / "containers" / "abc"
    logs.mkdir(parents=True)
    (logs / "a.log").write_bytes(b"x" * 1000)
    (tmp_path / "elsewhere").write_bytes(b"x" * 5000)
    (logs / "link").symlink_to(tmp_path / "elsewhere")
    found = container_logs.filesystem(str(root))
    assert (found.target, found.logs) == (str(root / "containers"), 1000)
    assert found.size >= found.free > 0


def test_former_defaults_are_remembered(host):
    assert container_logs.remembered() == []
    container_logs.remember({}, {})
    assert not os.path.exists(container_logs.MEMORY_FILE)
    container_logs.remember({}, LOCAL)
    container_logs.remember({}, LOCAL)
    container_logs.remember(LOCAL, {"log-driver": "journald"})
    assert container_logs.remembered() == [LogConfig("", "local", {"max-size": "10m"}), LogConfig("", "json-file", {})]
    assert os.stat(container_logs.MEMORY_FILE).st_mode & 0o777 == 0o600
    report = run(Asked("warn"), {"log-driver": "journald"}, {"log-driver": "journald"})
    assert report.formers == tuple(container_logs.remembered())


@pytest.mark.parametrize("text", ["", "nonsense", "{}", "[1]", '[{"driver": "x"}]', '[{"driver": "x", "options": 1}]'])
def test_a_damaged_memory_is_none(host, text):
    os.makedirs(os.path.dirname(container_logs.MEMORY_FILE))
    with open(container_logs.MEMORY_FILE, "w", encoding="utf-8") as handle:
        handle.write(text)
    assert container_logs.remembered() == []
