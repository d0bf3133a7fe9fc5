# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_ranges import RangeFile
from ansible_collections.bulkhead.docker.plugins.module_utils.host import storage, storage_options, subid_files
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.facts import HostStorage

OVERLAPPING = "dockremap:100000:65536\nother:100000:65536\n"


@pytest.fixture
def ranges(monkeypatch):
    """Both files of subordinate ids, to be filled by the tests."""
    texts = {"uid": "", "gid": ""}
    monkeypatch.setattr(subid_files, "read", lambda: (RangeFile("/etc/subuid", texts["uid"]), RangeFile("/etc/subgid", texts["gid"])))
    monkeypatch.setattr(subid_files, "account_number", lambda _name: None)
    return texts


def read(**changes):
    params = {name: option.get("default") for name, option in storage_options.ARGUMENTS.items()}
    return storage_options.read({**params, "layout": [{"name": "volumes"}], **changes})


@pytest.mark.usefixtures("ranges")
def test_a_user_without_ranges_is_planned_with_those_it_would_be_given():
    request = read()
    assert (request.mapping.root_uid, request.mapping.root_gid, request.problems) == (100000, 100000, [])


def test_the_ranges_of_the_host_decide(ranges):
    ranges.update(uid="dockremap:300000:65536\n", gid="dockremap:400000:65536\n")
    mapping = read(userns_remap="dockremap").mapping
    assert (mapping.root_uid, mapping.root_gid) == (300000, 400000)


def test_without_remapping_damaged_ranges_are_nobodys_business(ranges):
    ranges.update(uid=OVERLAPPING, gid=OVERLAPPING)
    request = read(userns_remap="")
    assert (request.mapping, request.problems) == (None, [])


@pytest.mark.usefixtures("ranges")
@pytest.mark.parametrize(("given", "read_as"), [("/srv/docker/", "/srv/docker"), ("/srv/docker@1,a:b+c", "/srv/docker@1,a:b+c")])
def test_data_root(given, read_as):
    request = read(data_root=given)
    assert (request.data_root, request.problems) == (read_as, [])


@pytest.mark.usefixtures("ranges")
@pytest.mark.parametrize(
    "data_root", ["/", "//", "srv/docker", "/srv/../etc", "/srv/my docker", "/srv/100%", "/srv/$HOME", "/srv/a\\b", '/srv/"a"', "/srv/a\nb"]
)
def test_a_data_root_that_units_cannot_name_is_refused(data_root):
    (problem,) = read(data_root=data_root).problems
    assert problem.where == "data_root"


def test_all_problems_are_found_at_once_and_nothing_is_looked_at(ranges, monkeypatch):
    monkeypatch.setattr(storage, "gather", lambda *_arguments: pytest.fail("looked at the host"))
    ranges.update(uid=OVERLAPPING, gid=OVERLAPPING)
    plan = read(layout=[{"name": "images"}], data_root="/").plan()
    assert [problem.where for problem in plan.problems] == ["layout entry 1 (images)", "data_root", "/etc/subuid", "/etc/subgid"]


@pytest.mark.usefixtures("ranges")
def test_a_request_is_planned_for_what_the_host_has(monkeypatch):
    asked = []

    def gather(*arguments):
        asked.append(arguments)
        return HostStorage(devices={"/dev/nothing": None})

    monkeypatch.setattr(storage, "gather", gather)
    request = read(disk="/dev/nothing", wipe=["/dev/nothing"])
    (problem,) = request.plan().problems
    assert problem.where == "/dev/nothing"
    assert asked == [(request.entries, "/var/lib/docker", request.mapping, "/var/lib/bulkhead/loop", ["/dev/nothing"])]
