# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import id_ranges
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_ranges import Mapping, Range, RangeFile
from hypothesis import given
from hypothesis import strategies as st


def uid_file(text="", accounts=()):
    return RangeFile("/etc/subuid", text, accounts)


def gid_file(text="", accounts=()):
    return RangeFile("/etc/subgid", text, accounts)


def make(uids="", gids=None, **arguments):
    return id_ranges.plan("dockremap", uid_file(uids), gid_file(uids if gids is None else gids), **arguments)


def messages(plan):
    return [str(problem) for problem in plan.problems]


def test_an_empty_host_gets_the_first_range_in_both_files():
    plan = make()
    assert plan.add_uid == plan.add_gid == Range("dockremap", 100000, 65536)
    assert plan.mapping.root_uid == 100000


def test_a_new_range_avoids_every_range_of_both_files():
    plan = make("ubuntu:100000:65536\n", "other:165536:65536\n")
    assert plan.add_uid == plan.add_gid == Range("dockremap", 231072, 65536)


def test_a_new_range_avoids_the_accounts_of_the_host():
    plan = id_ranges.plan("dockremap", uid_file(accounts=(0, 100500)), gid_file(accounts=(0,)))
    assert plan.mapping.root_uid == 165536


def test_an_existing_range_is_kept_and_nothing_is_added():
    plan = make("dockremap:500000:65536\n")
    assert (plan.add_uid, plan.add_gid, plan.problems) == (None, None, ())
    assert plan.mapping.root_uid == 500000


def test_a_range_by_number_belongs_to_the_user_too():
    plan = id_ranges.plan("dockremap", uid_file("998:500000:65536\n"), gid_file("998:500000:65536\n"), user_number=998)
    assert plan.mapping.root_uid == 500000
    assert plan.add_uid is None


def test_a_missing_half_follows_the_half_that_is_there():
    plan = make("dockremap:500000:65536\n", "")
    assert plan.add_uid is None
    assert plan.add_gid == Range("dockremap", 500000, 65536)


def test_a_missing_half_does_not_follow_into_a_range_of_somebody_else():
    plan = make("dockremap:500000:65536\n", "ubuntu:500000:65536\n")
    assert plan.problems == ()
    assert not plan.add_gid.overlaps(Range("ubuntu", 500000, 65536))


def test_a_range_in_use_is_never_moved():
    plan = make("dockremap:500000:65536\n", start=100000)
    assert "never moved" in messages(plan)[0]
    assert plan.mapping is None


@pytest.mark.parametrize(
    "text, word",
    [
        ("dockremap:100000:65536\nubuntu:100000:65536\n", "ubuntu:100000:65536"),
        ("ubuntu:165535:10\ndockremap:100000:65536\n", "ubuntu:165535:10"),
        ("dockremap:100000:65536\ndockremap:150000:65536\n", "dockremap:150000:65536"),
    ],
)
def test_overlaps_are_refused_with_both_ranges_named(text, word):
    found = messages(make(text))
    assert any("overlaps" in message and word in message for message in found)


def test_neighbours_do_not_overlap():
    assert make("ubuntu:34464:65536\ndockremap:100000:65536\nroot:165536:65536\n").problems == ()


def test_an_account_inside_the_range_is_refused():
    plan = id_ranges.plan("dockremap", uid_file("dockremap:500:65536\n", accounts=(1000,)), gid_file("dockremap:500:65536\n"))
    assert any("1000" in message and "account" in message for message in messages(plan))


def test_a_wanted_start_in_somebody_elses_range_is_refused():
    plan = make("ubuntu:100000:65536\n", start=120000)
    assert any("overlaps" in message for message in messages(plan))


@pytest.mark.parametrize("line", ["dockremap:100000", "dockremap:x:1", ":1:2", "a:1:2:3", "dockremap:4294967295:1", "dockremap:-1:65536"])
def test_a_damaged_line_is_named_with_its_number(line):
    found = messages(make(f"# comment\n{line}\n"))
    assert any("line 2" in message for message in found)


def test_too_few_ids_are_refused():
    assert any("only 1000 ids" in message for message in messages(make("dockremap:100000:1000\n")))
    assert any("65536" in message for message in messages(make(count=1000)))


@pytest.mark.parametrize("user", ["default", "root", "bob:bob", "1000", "", "Bob"])
def test_names_that_dockerd_understands_otherwise_are_refused(user):
    plan = id_ranges.plan(user, uid_file(), gid_file())
    assert plan.mapping is None
    assert f"'{user}'" in messages(plan)[0]


def test_several_small_ranges_are_enough_together():
    text = "dockremap:100000:32768\ndockremap:200000:32768\n"
    plan = make(text)
    assert plan.problems == ()
    assert id_ranges.to_host(32768, plan.mapping.uid_ranges) == 200000


def test_no_room_is_a_problem_and_not_a_wrong_range():
    with pytest.raises(ValueError, match="no 65536 free ids"):
        id_ranges.allocate([Range("all", 0, 2**32 - 1)])


@pytest.mark.parametrize(
    "data_root, mapping, root",
    [
        ("/var/lib/docker", None, "/var/lib/docker"),
        ("/var/lib/docker/", None, "/var/lib/docker"),
        ("/var/lib/docker", Mapping((Range("d", 100000, 65536),), (Range("d", 200000, 65536),)), "/var/lib/docker/100000.200000"),
        ("/srv/docker/", Mapping((Range("d", 1, 65536),), (Range("d", 2, 65536),)), "/srv/docker/1.2"),
    ],
)
def test_effective_root(data_root, mapping, root):
    assert id_ranges.effective_root(data_root, mapping) == root


def test_a_line_is_appended_also_where_the_last_newline_is_missing():
    assert id_ranges.with_line("a:1:2", Range("b", 3, 4)) == "a:1:2\nb:3:4\n"
    assert id_ranges.with_line("", Range("b", 3, 4)) == "b:3:4\n"
    assert id_ranges.with_line("a:1:2\n", None) == "a:1:2\n"


RANGES = st.lists(st.builds(Range, st.sampled_from(["ubuntu", "root", "x"]), st.integers(0, 2**31), st.integers(1, 2**20)), max_size=30)


@given(RANGES)
def test_an_allocated_range_never_overlaps(taken):
    start = id_ranges.allocate(taken)
    assert not any(Range("new", start, 65536).overlaps(other) for other in taken)


@given(RANGES)
def test_planning_again_after_writing_adds_nothing(taken):
    text = "".join(f"{found}\n" for found in taken)
    first = make(text)
    again = make(id_ranges.with_line(text, first.add_uid), id_ranges.with_line(text, first.add_gid))
    assert (again.add_uid, again.add_gid, again.problems) == (None, None, ())
    assert again.mapping == first.mapping


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=5), st.data())
def test_translation_there_and_back(counts, data):
    ranges = []
    start = 100000
    for count in counts:
        ranges.append(Range("d", start, count))
        start += count + 7
    number = data.draw(st.integers(0, sum(counts) - 1))
    assert id_ranges.to_container(id_ranges.to_host(number, ranges), ranges) == number


@pytest.mark.parametrize(
    "function, number", [(id_ranges.to_host, 65536), (id_ranges.to_host, -1), (id_ranges.to_container, 99999), (id_ranges.to_container, 165536)]
)
def test_ids_outside_the_mapping_are_errors(function, number):
    with pytest.raises(ValueError, match="outside the mapping"):
        function(number, [Range("d", 100000, 65536)])
