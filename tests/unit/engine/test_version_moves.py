# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import version_moves
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_config import Context
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.version_moves import Container, Host, Move
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import parse

FLAGS = {"host": ["fd://"], "containerd": ["/run/containerd/containerd.sock"]}


def move(before, after, replaces=False):
    return Move(parse(before), parse(after), replaces)


@pytest.mark.parametrize(
    ("before", "after", "host", "said"),
    [
        ("25.0", "26.0", Host({"oom-score-adjust": -500}), "oom-score-adjust"),
        ("27.5", "28.0", Host({"api-cors-header": "*"}), "api-cors-header"),
        ("28.5", "26.1", Host({"bip6": "fd00::1/64"}), "bip6: came with Docker 28.0"),
        ("23.0", "24.0", Host(layers=("aufs",)), "aufs holds layers"),
        ("24.0", "25.0", Host(layers=("overlay2", "devicemapper")), "devicemapper holds layers"),
        ("24.0", "25.0", Host(containers=(Container("old", log_driver="logentries", log_opts={"logentries-token": "x"}),)), "container old"),
        ("27.0", "28.0", Host(containers=(Container("old", log_driver="fluentd", log_opts={"fluentd-async-connect": "true"}),)), "fluentd-async-connect"),
        ("29.0", "20.10", Host(containers=(Container("new", driver="overlayfs"),)), "does not have and would not read"),
        ("29.0", "28.5", Host(containers=(Container("new", driver="overlayfs"),)), "would hide"),
        ("26.1", "26.2", Host({"containerd": "/run/x.sock"}, flags=FLAGS), None),
    ],
)
def test_what_forbids_a_move(before, after, host, said):
    found = [str(problem) for problem in version_moves.problems(move(before, after), host)]
    assert (len(found), said is None or said in found[0]) == (0 if said is None else 1, True), found


def test_the_unit_of_another_source_may_clash_with_the_file():
    host = Host({"containerd": "/run/x.sock"}, flags=FLAGS)
    (problem,) = version_moves.problems(move("26.1", "26.1", replaces=True), host)
    assert "--containerd=" in str(problem)


@pytest.mark.parametrize(
    ("before", "after", "host"),
    [
        # What was wrong before is not the move's doing.
        ("26.1", "28.5", Host({"nonsense": 1})),
        # An older engine ignores features that it does not know.
        ("28.5", "20.10", Host({"features": {"containerd-snapshotter": False}})),
        ("29.0", "28.5", Host({"features": {"containerd-snapshotter": True}}, containers=(Container("new", driver="overlayfs"),))),
        ("28.5", "29.0", Host({"log-driver": "local"}, containers=(Container("one", log_driver="local", driver="overlay2"),), layers=("overlay2",))),
    ],
)
def test_what_does_not_forbid_a_move(before, after, host):
    assert version_moves.problems(move(before, after), host) == []


@pytest.mark.parametrize(
    ("before", "after", "host", "said"),
    [
        ("26.1", "27.0", Host({"ipv6": True}), "ip6tables"),
        ("26.1", "27.0", Host({"ipv6": True, "ip6tables": False}), None),
        ("24.0", "25.0", Host(containers=(Container("one"),)), "open files"),
        ("24.0", "25.0", Host({"default-ulimits": None}, containers=(Container("one"),)), "open files"),
        ("28.5", "29.0", Host({"min-api-version": "1.24"}), "containerd image store"),
        ("28.5", "29.0", Host({"min-api-version": "1.24"}, layers=("overlay2",)), None),
        ("28.5", "29.0", Host({"min-api-version": "1.24", "storage-driver": "overlay2"}, context=Context(cgroup_version=1)), "cgroup v1"),
        ("28.5", "29.0", Host(layers=("overlay2",)), "1.44"),
        ("29.0", "29.1", Host(), None),
        ("29.0", "28.5", Host({"ipv6": True}), None),
    ],
)
def test_what_is_told(before, after, host, said):
    found = version_moves.notes(move(before, after), host)
    assert (len(found), said is None or said in found[0]) == (0 if said is None else 1, True), found


@pytest.mark.parametrize(
    ("before", "after", "config", "replaces", "said"),
    [
        ("26.1.4", "26.1.5", {"live-restore": True}, False, "keeps 2 running containers alive"),
        ("26.1.5", "26.2.0", {"live-restore": True}, False, "patch releases only"),
        ("26.1.5", "26.2.0", {}, False, "stops 2 running containers; alone will stay down"),
        ("26.1.4", "26.1.5", {"live-restore": True}, True, "stops 2 running containers"),
    ],
)
def test_the_fate_of_containers_is_told(before, after, config, replaces, said):
    host = Host(config, containers=(Container("alone", running=True), Container("kept", running=True, restarts=True), Container("stopped")))
    assert said in version_moves.notes(move(before, after, replaces), host)[-1]
