# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""From facts and a request to the dimensions of the table; the rows themselves are tested in test_exclusion_rows.py."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import exclusion_rows, preflight, versions
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_ranges import Mapping, Range
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.preflight import Filesystem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem

EXT4 = Filesystem("ext4", ("rw",), True)
XFS = Filesystem("xfs", ("pquota", "nodev"), True)
WHOLE = ("0 0 4294967295",)
GOOD = preflight.HostFacts(
    kernel="6.12.48+deb13-amd64",
    init="systemd",
    cgroup_version=2,
    cgroup_controllers=("cpu", "io", "memory", "pids"),
    container="none",
    uid_map=WHOLE,
    gid_map=WHOLE,
    seccomp=True,
    max_user_namespaces=127000,
    filesystems=("ext4", "overlay"),
    layers=EXT4,
    zfs="",
    runc="1.3.6",
    containerd="2.1.9",
    ip_forward=True,
    forward_policy="ACCEPT",
    swarm=False,
    swarm_locked=False,
    apparmor=True,
    apparmor_parser=True,
    apparmor_confined=False,
    apparmor_userns=False,
    selinux="off",
    selinux_policy=False,
)
RANGE = Range("dockremap", 100000, 65536)
MAPPING = Mapping((RANGE,), (RANGE,))
REMAPPED = preflight.Request(userns_remap=True, mapping=MAPPING)
RELEASE = versions.parse("28.5.2")


def judge(request=REMAPPED, **facts):
    return preflight.judge(dataclasses.replace(GOOD, **facts), request, RELEASE)


def known(request=REMAPPED, **facts):
    return preflight.known(dataclasses.replace(GOOD, **facts), request, RELEASE)


def test_nothing_is_said_about_a_good_host():
    assert judge() == ([], {}, [])


def test_every_dimension_of_the_table_is_filled_in():
    assert set(known()) == set(exclusion_rows.DIMENSIONS)
    assert [name for name, value in known().items() if value is None] == []


def test_nothing_that_could_not_be_read_passes_in_silence():
    judgement = preflight.judge(preflight.HostFacts(), REMAPPED, None)
    assert judgement.refused == []
    judged = {row.name for row in exclusion_rows.by("host") if row.name in str(judgement.unknown)}
    only_other_requests = {"seccomp-missing"}
    assert {"kernel-overlay2", "userns-no-room", "cgroups-missing", "layers-on-unfit", "apparmor-no-parser", "runc-unfixed"} | only_other_requests <= judged


def test_every_reason_is_given_at_once():
    judgement = judge(init="runit", kernel="3.2.0", cgroup_version=0, seccomp=False)
    assert [problem.where for problem in judgement.refused] == ["process 1", "kernel", "kernel", "/sys/fs/cgroup"]


@pytest.mark.parametrize(
    ("uid_map", "fit"),
    [
        (WHOLE, True),
        (("0 100000 65536",), False),
        (("0 1000000 1000000000",), True),
        (("0 1000000 165535",), False),
        (("0 1000000 165536",), True),
        (("0 1000000 65536", "100000 2000000 65536"), True),
        (("0 1000000 65536", "100001 2000000 65536"), False),
        (None, None),
    ],
)
def test_ranges_fit_into_the_ids_of_the_host_or_not(uid_map, fit):
    assert known(uid_map=uid_map)["ids_fit"] is fit
    # The group ids are looked at by themselves.
    assert known(uid_map=WHOLE, gid_map=uid_map)["ids_fit"] is fit


def test_without_ranges_there_is_nothing_to_fit():
    assert known(preflight.Request(), uid_map=("0 1 2",))["ids_fit"] is True


def test_mapped_ids_refuse_only_where_the_ranges_lie_outside():
    (problem,) = judge(uid_map=("0 100000 65536",), container="lxc", filesystems=("overlay",)).refused
    assert problem.where == "/proc/self/uid_map"
    assert judge(uid_map=("0 1000000 1000000000",), container="lxc").refused == []


@pytest.mark.parametrize(
    ("own", "config", "layers"),
    [
        ({}, {}, EXT4),
        ({"overlay2": XFS}, {}, XFS),
        ({"data-root": XFS}, {}, XFS),
        ({"overlay2": EXT4, "data-root": XFS}, {}, EXT4),
        ({"volumes": XFS}, {}, EXT4),
        ({"containerd": XFS}, {}, EXT4),
        ({"containerd": XFS}, {"features": {"containerd-snapshotter": True}}, XFS),
        ({"data-root": XFS}, {"features": {"containerd-snapshotter": True}}, EXT4),
    ],
)
def test_which_filesystem_will_hold_the_layers(own, config, layers):
    seen = known(preflight.Request(config=config, own=own))
    assert seen["layers_on"] == layers.type
    assert ("nodev" in seen["layers_options"]) is (layers is XFS)


def test_the_two_names_of_project_quotas_are_one():
    asked = preflight.Request(config={"storage-opts": ["overlay2.size=5G"]}, own={"overlay2": Filesystem("xfs", ("pquota",), True)})
    assert judge(asked).refused == []
    (problem,) = judge(dataclasses.replace(asked, own={"overlay2": XFS})).refused
    assert "nodev" in str(problem)


@pytest.mark.parametrize(
    ("text", "version"),
    [("6.12.48+deb13-amd64", (6, 12, 48)), ("5.15", (5, 15)), ("", ()), (None, None), ("somebody's own", None)],
)
def test_versions_of_programs(text, version):
    assert known(kernel=text)["kernel"] == version
    assert known(runc=text)["runc"] == version


def test_what_is_accepted_is_not_told_again():
    told = {"lxc": Problem("virtualisation", "is lxc"), "runc-unfixed": Problem("runc", "is old")}
    assert preflight.accept(told, ["lxc"]) == ({"runc-unfixed": told["runc-unfixed"]}, [])
    assert preflight.accept(told, []) == (told, [])


@pytest.mark.parametrize(
    ("name", "words"), [("kernel-overlay2", "refuses and cannot be accepted"), ("kernel-olverlay2", "is no row of docs/preflight.md")]
)
def test_what_refuses_or_does_not_exist_cannot_be_accepted(name, words):
    (problem,) = preflight.accept({}, [name])[1]
    assert words in str(problem)


def test_a_swarm_at_the_data_root_that_is_asked_for_counts():
    asked = preflight.Request(config={"live-restore": True})
    assert [problem.where for problem in judge(asked, swarm=True).refused] == ["live-restore"]
    assert judge(asked, swarm=False).refused == []
