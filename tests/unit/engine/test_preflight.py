# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import preflight

GOOD = preflight.HostFacts(kernel="6.12.48+deb13-amd64", init="systemd", cgroup_version=2, max_user_namespaces=127000, filesystems=("ext4", "overlay"))
REMAPPED = preflight.Request(userns_remap="dockremap")


def problems(request=REMAPPED, **facts):
    return [str(problem) for problem in preflight.problems(dataclasses.replace(GOOD, **facts), request)]


def test_a_good_host_has_no_problems():
    assert problems() == []


@pytest.mark.parametrize(
    ("facts", "request_", "word"),
    [
        ({"init": "openrc"}, REMAPPED, "process 1: is openrc, not systemd"),
        ({"init": ""}, REMAPPED, "process 1: is unknown"),
        ({"kernel": "3.10.0-1160.el7"}, REMAPPED, "at least 4.0"),
        ({"cgroup_version": 0}, REMAPPED, "holds no cgroup filesystem"),
        ({"filesystems": ("ext4",)}, REMAPPED, "has no overlay filesystem"),
        ({"data_root_filesystem": "overlay"}, preflight.Request(own_names=("volumes",)), "lies on an overlay filesystem"),
        ({"max_user_namespaces": -1}, REMAPPED, "has no user namespaces"),
        ({"max_user_namespaces": 0}, REMAPPED, "user.max_user_namespaces: is 0"),
        ({"uid_map": "0 100000 65536"}, REMAPPED, "is '0 100000 65536'"),
        ({"seccomp": False}, REMAPPED, "has no seccomp filters"),
        ({"container": "openvz"}, REMAPPED, "virtualisation: is openvz"),
        ({"container": "wsl"}, REMAPPED, "virtualisation: is wsl"),
        ({"container": "lxc"}, preflight.Request(backends=("loop", "partition")), "asks for partitions in an LXC container"),
    ],
)
def test_each_rule_refuses(facts, request_, word):
    (problem,) = problems(request_, **facts)
    assert word in problem


@pytest.mark.parametrize(
    ("facts", "request_"),
    [
        ({"kernel": "4.0.0"}, REMAPPED),
        ({"kernel": "somebody's own"}, REMAPPED),
        ({"filesystems": ()}, REMAPPED),
        ({"cgroup_version": 1}, REMAPPED),
        ({"data_root_filesystem": "overlay"}, preflight.Request(own_names=("overlay2",))),
        ({"data_root_filesystem": "overlay"}, preflight.Request(own_names=("data-root",))),
        ({"max_user_namespaces": -1, "uid_map": "0 100000 65536"}, preflight.Request()),
        ({"seccomp": False}, preflight.Request(uses_seccomp=False)),
        ({"container": "docker"}, preflight.Request(backends=("partition",))),
        ({"container": "lxc"}, preflight.Request(backends=("existing", "loop"))),
    ],
)
def test_each_rule_lets_through_what_works(facts, request_):
    assert problems(request_, **facts) == []


def test_every_reason_is_given_at_once():
    assert len(problems(init="runit", kernel="3.2.0", cgroup_version=0, seccomp=False)) == 4
