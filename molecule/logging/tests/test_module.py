# SPDX-License-Identifier: Apache-2.0
"""What the module says about logs of this host, and what it does about them."""

from __future__ import annotations

import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import log_budget
from lab_docker import free_bytes, refusal
from lab_runs import changed_tasks, last, tasks

MODULE = "bulkhead.docker.docker_daemon_config"
CONFIG = "/etc/docker/daemon.json"
MB = 1_000_000


@pytest.fixture
def own(host):
    return json.loads(host.file(CONFIG).content_string)


@pytest.fixture
def predict(host, own):
    """Runs the module in check mode with other log settings than the host's."""

    def run(driver="journald", options=None, **arguments):
        settings = {**own, "log-driver": driver, "log-opts": options or {}}
        return host.ansible(MODULE, json.dumps({"settings": settings, **arguments}), check=True)

    return run


def test_the_role_passes_its_variables_on_and_a_second_run_changes_nothing(host):
    name = host.ansible.get_variables()["inventory_hostname"]
    assert changed_tasks(last("idempotence"), name) == []
    configured = [task for task in tasks(last("converge"), name) if task["module"].endswith("docker_daemon_config")]
    assert configured and not any(task["failed"] for task in configured)


def test_the_figures(host, version, predict):
    options = {"max-size": "10m", "max-file": "3"}
    found = predict("local", options, log_containers=4)["log_budget"]
    each = log_budget.share("local", options, version)
    assert (found["driver"], found["mode"], found["per_container"]) == ("local", "blocking", each)
    assert (found["containers"], found["total"], found["unlimited"], found["fits"]) == (4, 4 * each, [], True)
    assert (found["filesystem"], found["free"] <= found["size"]) == ("/var/lib/docker", True)
    assert abs(found["free"] - free_bytes(host, "/var/lib/docker")) < 1000 * MB


def test_what_does_not_fit_is_a_warning_or_a_refusal(host, own, predict):
    many = {"driver": "local", "options": {"max-size": "1g"}, "log_containers": 100_000}
    found = predict(**many)
    assert found["log_budget"]["fits"] is False
    assert predict(**many, log_budget="ignore")["log_budget"]["filesystem"] is None
    written = host.file(CONFIG).mtime
    settings = {**own, "log-driver": "local", "log-opts": {"max-size": "1g"}}
    message = refusal(host, MODULE, settings=settings, log_containers=100_000, log_budget="enforce")
    assert "nothing was written" in message
    assert "/var/lib/docker has room for" in message
    endless = refusal(host, MODULE, settings={**own, "log-driver": "json-file", "log-opts": {}}, log_budget="enforce")
    assert "without max-size" in endless
    assert host.file(CONFIG).mtime == written


def test_delivery_is_said(predict):
    remote = {"syslog-address": "tcp://127.0.0.1:5514"}
    found = predict("syslog", remote)
    assert (found["log_delivery"]["stalled"], found["log_delivery"]["absent"], found["log_delivery"]["reads"]) == ("blocks", "fails", "cache")
    quiet = predict("syslog", {**remote, "mode": "non-blocking", "max-buffer-size": "4m"})
    assert (quiet["log_delivery"]["stalled"], quiet["log_delivery"]["buffer"]) == ("drops", 4 * 1024**2)


def test_what_the_host_lacks_is_refused_although_the_engine_would_start(host, own, docker):
    missing = {
        "/no/such.sock": ("syslog", {"syslog-address": "unix:///no/such.sock"}),
        "/no/ca.pem": ("syslog", {"syslog-address": "tcp+tls://127.0.0.1:5516", "syslog-tls-ca-cert": "/no/ca.pem"}),
    }
    if "gcplogs" not in docker.info()["Plugins"]["Log"]:
        missing["gcplogs, which this build of the engine lacks"] = ("gcplogs", {})
    for words, (driver, options) in missing.items():
        arguments = [word for name, value in options.items() for word in ("--log-opt", f"{name}={value}")]
        tried = docker.attempt("run", "--rm", "--log-driver", driver, *arguments, "lab/busybox", "true")
        assert tried.rc != 0, "the engine would start this container"
        assert words in refusal(host, MODULE, settings={**own, "log-driver": driver, "log-opts": options})


def test_containers_on_old_settings_are_told_from_settings_of_their_own(host, own, docker):
    """The default changes twice for real; the containers stay as they were created."""

    def configure(driver, options, **arguments):
        host.check_output("systemctl reset-failed docker.service docker.socket")
        settings = {**own, "log-driver": driver, "log-opts": options}
        return host.ansible(MODULE, json.dumps({"settings": settings, **arguments}), check=False)

    names = [docker.start("first-default"), docker.start("own-driver", "--log-driver", "json-file", "--log-opt", "max-size=7m")]
    try:
        configure("local", {"max-size": "5m"})
        names += [docker.start("second-default"), docker.start("own-size", "--log-opt", "max-size=3m")]
        found = configure("local", {"max-size": "2m"})
        assert {entry["name"]: entry["state"] for entry in found["log_settings"]} == {
            docker.name("first-default"): "former default",
            docker.name("own-driver"): "own setting",
            docker.name("second-default"): "former default",
            docker.name("own-size"): "own setting",
        }
        why = {entry["name"]: entry["why"] for entry in found["log_settings"]}
        assert why[docker.name("first-default")] == ["it logs through journald, the default is local"]
        assert why[docker.name("second-default")] == ["max-size of log-opts is 5m, the default is 2m"]
        recreate = [entry["name"] for entry in found["recreate"]]
        assert recreate == [docker.name("first-default"), docker.name("second-default")]
        again = configure("local", {"max-size": "2m"}, log_containers=1)
        assert again["changed"] is False
        assert again["log_budget"]["containers"] == len(names) + 1
        assert again["log_settings"] == found["log_settings"]
        # Without a question nobody is asked.
        assert configure("local", {"max-size": "2m"})["log_budget"]["containers"] is None
        endless = docker.start("endless", "--log-driver", "json-file")
        assert configure("local", {"max-size": "2m"}, log_containers=1)["log_budget"]["unlimited"] == [endless]
    finally:
        configure("journald", {})
    assert json.loads(host.file(CONFIG).content_string) == own
