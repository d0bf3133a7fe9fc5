# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import unit_flags

SHOWN = (
    "ExecStart={ path=/usr/sbin/dockerd ; argv[]=/usr/sbin/dockerd -H fd:// "
    "--containerd=/run/containerd/containerd.sock $DOCKER_OPTS ; ignore_errors=no ; start_time=[n/a] ; "
    "stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }"
)


@pytest.mark.parametrize(
    ("line", "environment", "expected"),
    [
        (SHOWN, {}, ["-H", "fd://", "--containerd=/run/containerd/containerd.sock"]),
        (
            SHOWN,
            {"DOCKER_OPTS": "--debug --label a=b"},
            ["-H", "fd://", "--containerd=/run/containerd/containerd.sock", "--debug", "--label", "a=b"],
        ),
        ("/usr/bin/dockerd --data-root '/srv/my data'", {}, ["--data-root", "/srv/my data"]),
        ("-/usr/bin/dockerd --group=${GROUP}", {"GROUP": "ops"}, ["--group=ops"]),
        ("ExecStart=/usr/bin/dockerd", {}, []),
    ],
)
def test_arguments(line, environment, expected):
    assert unit_flags.arguments(line, environment) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-H", "fd://", "-H=tcp://h:2376"], {"host": ["fd://", "tcp://h:2376"]}),
        (["-Hunix:///x"], {"host": ["unix:///x"]}),
        (["-DH", "fd://"], {"debug": ["true"], "host": ["fd://"]}),
        (["-D=false"], {"debug": ["false"]}),
        (["--icc=false", "--debug"], {"icc": ["false"], "debug": ["true"]}),
        (["-D", "--log-level", "warn"], {"debug": ["true"], "log-level": ["warn"]}),
        (["--live-restore", "--label", "a=b", "--label=c=d"], {"live-restore": ["true"], "label": ["a=b", "c=d"]}),
        (["-g", "/srv", "-s", "overlay2"], {"data-root": ["/srv"], "storage-driver": ["overlay2"]}),
        (["--group"], {"group": [""]}),
        ([], {}),
    ],
)
def test_parse(words, expected):
    assert unit_flags.parse(words) == expected


@pytest.mark.parametrize(
    ("words", "config", "where"),
    [
        (["-H", "fd://"], {"hosts": ["fd://"]}, ["hosts"]),
        (["--containerd=/x"], {"containerd": "/x"}, ["containerd"]),
        (["--add-runtime", "a=/b"], {"runtimes": {"a": {"path": "/b"}}}, []),
        (["--label", "a=b"], {"labels": ["c=d"]}, ["labels"]),
        (["--storage-opt", "a=b"], {"storage-opts": []}, ["storage-opts"]),
        (["--default-ulimit", "nofile=1"], {"default-ulimits": {}}, ["default-ulimits"]),
        (["--http-proxy", "http://p"], {"proxies": {"http-proxy": "http://q"}}, ["proxies"]),
        (["--http-proxy", "http://p"], {"proxies": {"no-proxy": "x"}}, []),
        (["--host-gateway-ip", "1.2.3.4"], {"host-gateway-ip": "1.2.3.4"}, ["host-gateway-ip"]),
        (["--debug"], {"log-level": "info"}, []),
        (["--config-file=/srv/daemon.json"], {}, ["config_file"]),
        (["--config-file", "/etc/docker/daemon.json"], {}, []),
    ],
)
def test_clashes(words, config, where):
    found = unit_flags.problems(unit_flags.parse(words), config, "/etc/docker/daemon.json")
    assert [problem.where for problem in found] == where


def test_a_clash_names_the_flag_and_the_way_out():
    found = unit_flags.problems({"host": ["fd://"]}, {"hosts": ["unix:///x"]}, "/etc/docker/daemon.json")
    assert "--host=fd://" in found[0].message
    assert "drop-in" in found[0].message


@pytest.mark.parametrize(
    "wanted, running, expected",
    [
        (["-H", "fd://"], ["-H", "fd://"], False),
        (["-H", "fd://"], ["--host=fd://"], False),
        (["-H fd://", ""], ["-H", "fd://"], False),
        (["-H", "fd://"], ["-H", "fd://", "--debug"], True),
        (["-H", "fd://", "--debug"], ["-H", "fd://"], True),
        (["--label", "a"], ["--label", "b"], True),
        # What systemd shows does not tell where quoted words end.
        (["--label", "'a", "b'"], ["--label", "a b"], False),
        (["--label", "$UNKNOWN"], ["--label", "a"], False),
    ],
)
def test_a_process_that_runs_with_other_flags_than_its_unit(wanted, running, expected):
    assert unit_flags.differ(wanted, running) is expected
