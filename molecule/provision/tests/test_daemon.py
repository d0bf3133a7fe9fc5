# SPDX-License-Identifier: Apache-2.0
"""The daemon transaction on a host that serves containers: least force, proof, and the way back."""

from __future__ import annotations

import json

import pytest

CONFIG = "/etc/docker/daemon.json"


@pytest.fixture
def configure(host):
    """Runs the module with the host's own settings and some more, and ends with the host's own."""
    own = json.loads(host.file(CONFIG).content_string)

    def run(**more):
        host.check_output("systemctl reset-failed docker.service docker.socket")
        return host.ansible("bulkhead.docker.docker_daemon_config", json.dumps({"settings": {**own, **more}}), check=False)

    yield run
    left = run()["reset_keys"]
    config = json.loads(host.file(CONFIG).content_string)
    assert {key: value for key, value in config.items() if key not in left} == own


def test_a_key_that_can_be_reloaded_restarts_nothing(host, docker, configure):
    name = docker.start("reload")
    daemon = host.check_output("systemctl show --property MainPID --value docker.service")
    result = configure(labels=["tier=test"])
    assert (result["action"], result["changed"]) == ("reload", True)
    assert docker.info()["Labels"] == ["tier=test"]
    assert host.check_output("systemctl show --property MainPID --value docker.service") == daemon
    assert docker.inspect(name)["State"]["Running"]
    again = configure(labels=["tier=test"])
    assert (again["action"], again["changed"]) == ("none", False)


def test_a_configuration_with_which_the_daemon_does_not_start_is_taken_back(host, docker, configure):
    name = docker.start("rollback")
    pid = docker.pid(name)
    before = host.file(CONFIG).content_string
    # Every check passes, but nobody can make a file there.
    result = configure(pidfile="/proc/docker.pid")
    assert "/proc/docker" in result["msg"]
    assert "restored" in result["msg"]
    assert host.file(CONFIG).content_string == before
    docker.wait_until_serving()
    assert docker.pid(name) == pid


@pytest.mark.parametrize(
    "settings, word",
    [
        ({"log-opts": {"max-sise": "1m"}}, "max-sise"),
        ({"hosts": ["unix:///var/run/docker.sock"]}, "hosts"),
        ({"userns-remap": "default"}, "default"),
        ({"storage-driver": "overlay"}, "overlay"),
        ({"data-root": "/srv/docker"}, "/srv/docker"),
    ],
)
def test_what_would_take_the_host_down_is_refused_and_nothing_is_written(host, docker, configure, settings, word):
    docker.start("held")
    before = host.file(CONFIG)
    written = before.mtime
    message = configure(**settings)["msg"]
    assert "nothing was written" in message
    assert word in message
    assert host.file(CONFIG).mtime == written
    assert docker.attempt("info").rc == 0
