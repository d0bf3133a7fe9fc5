# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_ranges import Mapping, Range
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import move as moves
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move import (
    Container,
    Inventory,
    Listing,
    Move,
    Place,
    Root,
    Volume,
)

IDS = (100000, 65536)
PLAIN = Root("/var/lib/docker", "/var/lib/docker")
REMAPPED = Root("/var/lib/docker/100000.100000", "/var/lib/docker", IDS)
ON = Move(PLAIN, REMAPPED)
OFF = Move(REMAPPED, PLAIN)
ELSEWHERE = Move(PLAIN, Root("/srv/docker", "/srv/docker"))
OVERLAY2 = Place("overlay2", "/var/lib/docker/overlay2", "/dev/sdb1", "xfs", ("noatime",))
VOLUMES = Place("volumes", "/var/lib/docker/volumes", "/dev/sdb2", "xfs", ("noatime",))
TOP = Place("data-root", "/var/lib/docker", "/dev/sdc1", "ext4", ("noatime",))
WITHIN = Move(PLAIN, PLAIN, (OVERLAY2, VOLUMES))
LISTING = Listing(
    directories=("containers", "image", "overlay2", "volumes"), files=("engine-id",), layers=("aa", "bb"), containers=("c1",)
)
WEB = Container("c1" * 32, "web", "running")


def told(move, *containers, **held):
    return [str(problem) for problem in moves.impossible(move, Inventory(containers=containers, **held))]


def by_target(move, staged=None):
    return {tree.target: tree for tree in moves.trees(move, LISTING, staged or {})}


def test_only_what_containers_see_is_shifted():
    root = REMAPPED.path
    assert {target: tree.below for target, tree in by_target(ON).items() if tree.below} == {
        f"{root}/overlay2": ("*/diff", "*/work"),
        f"{root}/volumes": ("*/_data",),
    }


def test_a_move_without_other_ids_shifts_nothing_and_has_one_tree_for_each_directory():
    found = by_target(ELSEWHERE)
    assert set(found) == {f"/srv/docker/{name}" for name in LISTING.directories}
    assert not any(tree.below for tree in found.values())


@pytest.mark.parametrize("move", [ON, OFF, ELSEWHERE])
def test_no_tree_holds_its_own_target_or_the_other_root(move):
    for tree in moves.trees(move, LISTING, {}):
        assert not f"{tree.target}/".startswith(f"{tree.source}/")
        assert not f"{move.before.path}/".startswith(f"{tree.target}/")


def test_names_of_other_roots_and_of_ours_are_not_of_this_root():
    assert [name for name in ("image", "100000.100000", "lost+found", "overlay2" + moves.ASIDE) if moves.of_this_root(name)] == ["image"]


def test_what_dockerd_makes_anew_is_not_copied():
    found = moves.trees(ON, Listing(directories=("image", "runtimes", "tmp")), {})
    assert [tree.source for tree in found] == ["/var/lib/docker/image"]


def test_filesystems_within_the_root_are_filled_where_they_are_staged():
    staged = {"overlay2": "/stage/overlay2", "volumes": "/stage/volumes"}
    found = by_target(WITHIN, staged)
    assert {target: tree.source for target, tree in found.items()} == {"/stage/overlay2": OVERLAY2.path, "/stage/volumes": VOLUMES.path}


def test_a_filesystem_for_the_whole_root_leaves_out_what_gets_one_of_its_own():
    move = Move(PLAIN, PLAIN, (TOP, OVERLAY2))
    found = by_target(move, {"data-root": "/stage/data-root", "overlay2": "/stage/overlay2"})
    assert "overlay2" in found["/stage/data-root"].exclude
    assert moves.outermost(move.places) == [TOP]


def test_dockerds_own_directories_get_the_group_of_the_new_root_and_never_its_user():
    found = {path: (uid, gid) for path, uid, gid in moves.owners(ON, LISTING)}
    root = REMAPPED.path
    for name in ("", "/overlay2", "/overlay2/aa", "/containers", "/containers/c1"):
        assert found[root + name] == (0, 100000)
    assert {(uid, gid) for _path, uid, gid in moves.owners(OFF, LISTING)} == {(0, 0)}
    assert moves.owners(ELSEWHERE, LISTING) == []


CONFIG = {
    "ID": "c1",
    "HostsPath": "/var/lib/docker/containers/c1/hosts",
    "LogPath": "",
    "Path": "/var/lib/docker/containers/not-a-path-of-dockerd",
    "MountPoints": {
        "/data": {"Source": "/var/lib/docker/volumes/v/_data", "Driver": "local", "Name": "v"},
        "/host": {"Source": "/var/lib/docker/seen", "Driver": "", "Type": "bind"},
    },
}


def test_paths_in_a_containers_configuration_follow_the_root():
    found = moves.relocated(CONFIG, ON)
    assert found["HostsPath"] == "/var/lib/docker/100000.100000/containers/c1/hosts"
    assert found["MountPoints"]["/data"]["Source"] == "/var/lib/docker/100000.100000/volumes/v/_data"
    assert found["MountPoints"]["/host"] == CONFIG["MountPoints"]["/host"]
    assert found["Path"] == CONFIG["Path"]
    assert found["LogPath"] == ""


@pytest.mark.parametrize("move", [ON, OFF, ELSEWHERE])
def test_paths_follow_the_root_once_however_often_it_is_done(move):
    once = moves.relocated(CONFIG, move)
    assert moves.relocated(once, move) == once


def test_there_and_back_is_where_it_was():
    assert moves.relocated(moves.relocated(CONFIG, ON), OFF) == CONFIG


@pytest.mark.parametrize("name", ["always", "unless-stopped", "on-failure"])
def test_no_container_starts_by_itself_while_there_is_a_way_back(name):
    config = {"Memory": 2**40, "RestartPolicy": {"Name": name, "MaximumRetryCount": 3}}
    assert moves.resting(config) == {"Memory": 2**40, "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}}
    assert moves.restart_policy(config) == {"Name": name, "MaximumRetryCount": 3}


@pytest.mark.parametrize("config", [{}, {"RestartPolicy": None}, {"RestartPolicy": {}}, {"RestartPolicy": {"Name": ""}}, {"RestartPolicy": {"Name": "no"}}])
def test_a_container_that_does_not_start_by_itself_stays_as_it_is(config):
    assert moves.resting(config) == config
    assert moves.restart_policy(config) == {}


@pytest.mark.parametrize(
    ("move", "containers", "held", "words"),
    [
        (ON, (), {"swarm": "active"}, "swarm"),
        (ON, (), {"swarm": "locked"}, "swarm"),
        (ELSEWHERE, (), {"in_containerd": True}, "containerd's store"),
        (ON, (), {"driver": "vfs"}, "vfs"),
        (ELSEWHERE, (), {"plugins": ("sshfs",)}, "sshfs"),
        (ELSEWHERE, (), {"volumes": (Volume("v", "local", "/var/lib/docker/x"),)}, "volume v"),
        (ELSEWHERE, (dataclasses.replace(WEB, removed_at_stop=True),), {}, "--rm"),
        (ELSEWHERE, (dataclasses.replace(WEB, status="created", removed_at_stop=True),), {}, "removes it with its anonymous volumes"),
        (ELSEWHERE, (), {"driver": "btrfs"}, "btrfs"),
        (Move(PLAIN, PLAIN, (TOP,)), (), {"driver": "zfs"}, "zfs"),
        (ELSEWHERE, (dataclasses.replace(WEB, status="paused"),), {}, "paused"),
        (ELSEWHERE, (dataclasses.replace(WEB, status="dead"),), {}, "dead"),
        (ON, (dataclasses.replace(WEB, host_parts=("privileged mode",)),), {}, "privileged mode"),
        (ELSEWHERE, (dataclasses.replace(WEB, binds=("/var/lib/docker/volumes/v/_data",)),), {}, "old place"),
    ],
)
def test_what_cannot_be_moved_is_refused_in_one_sentence(move, containers, held, words):
    found = told(move, *containers, **held)
    assert len(found) == 1
    assert words in found[0]


@pytest.mark.parametrize(
    ("move", "container"),
    [
        (OFF, dataclasses.replace(WEB, host_parts=("privileged mode",))),
        (ON, dataclasses.replace(WEB, host_parts=("privileged mode",), own_userns=True)),
        (ELSEWHERE, dataclasses.replace(WEB, binds=("/var/lib/docker-data", "/etc"))),
        (WITHIN, dataclasses.replace(WEB, binds=("/var/lib/docker/volumes/v/_data",))),
    ],
)
def test_what_can_be_moved_is_not_refused(move, container):
    assert told(move, container) == []


def test_directories_of_the_host_keep_their_ids_and_that_is_said():
    bound = dataclasses.replace(WEB, binds=("/srv/www",))
    assert "/srv/www" in moves.warnings(ON, Inventory((bound,)))[0]
    assert moves.warnings(ELSEWHERE, Inventory((bound,))) == []


@pytest.mark.parametrize(("bind", "said"), [("/", True), ("/var/lib", True), ("/var/lib/dock", False), ("/srv", False)])
def test_who_sees_docker_s_data_through_the_host_is_told_where_it_is(bind, said):
    held = Inventory((dataclasses.replace(WEB, binds=(bind,)),))
    assert len(moves.warnings(ELSEWHERE, held)) == said
    assert moves.warnings(WITHIN, held) == []


def test_volumes_that_lie_elsewhere_keep_their_ids_and_that_is_said():
    elsewhere = (Volume("share", "local", ":/export"), Volume("bound", "local", "/srv/x"), Volume("far", "rexray"))
    held = Inventory(volumes=(Volume("plain"), Volume("ram", "local", "tmpfs"), *elsewhere))
    assert [text.split()[1] for text in moves.warnings(ON, held)] == ["share", "bound", "far"]
    assert moves.warnings(ELSEWHERE, held) == []


def test_layers_in_a_pool_do_not_keep_a_directory_of_plain_files_from_moving():
    assert told(Move(PLAIN, PLAIN, (VOLUMES,)), driver="zfs") == []


def test_what_the_engine_mounts_is_no_obstacle_and_all_else_is():
    held = Inventory(volumes=(Volume("share", "local", ":/export"), Volume("plain")))
    engines = ["overlay2/aa/merged", "containers/c1/mounts/shm", "containers/c1/shm", "buildkit/executor/x/rootfs", "volumes/share/_data"]
    others = ["volumes/plain/_data", "image", "volumes/share", "overlay2/aa/diff", "containers/c1"]
    found = moves.mounted_within(ELSEWHERE, held, [f"/var/lib/docker/{name}" for name in [*engines, *others]])
    assert [problem.where for problem in found] == [f"/var/lib/docker/{name}" for name in others]


def test_what_would_not_be_copied_as_what_it_is_is_told():
    links = (("/var/lib/docker/volumes/in/_data", "/var/lib/docker/volumes/v/_data"), ("/var/lib/docker/volumes/out", "/srv/out"))
    there = dataclasses.replace(LISTING, others=("image",), linked_volumes=links)
    assert [problem.where.rpartition("docker/")[2] for problem in moves.left_out(ELSEWHERE, there)] == ["image", "volumes/in/_data"]
    assert len(moves.left_out(ON, there)) == 3
    assert moves.left_out(WITHIN, there) == []


def test_many_files_of_nobody_are_named():
    text = str(moves.without_owner([f"/f{number} (70000:0)" for number in range(25)], ON))
    assert "25 files" in text
    assert text.count("(70000:0)") == 20


def test_a_filesystem_has_to_have_room_and_a_reserve():
    gib = 1024**3
    assert moves.room(ON, {"/t": gib}, {"/t": 2 * gib}) == []
    assert "/t: has room for 1 GiB" in str(moves.room(ON, {"/t": gib}, {"/t": gib})[0])
    assert moves.room(ON, {"/t": 0}, {})


def test_one_range_for_both_files_is_needed():
    one = (Range("dockremap", *IDS),)
    assert moves.ids_of(Mapping(one, one)) == IDS
    assert moves.ids_of(None) is None
    for other in ((Range("dockremap", 200000, 65536),), (*one, Range("dockremap", 300000, 10))):
        with pytest.raises(ValueError, match="range"):
            moves.ids_of(Mapping(one, other))


def test_containers_start_in_the_order_in_which_they_were_started():
    late = Container("b" * 64, "late", "running", started="2026-01-01T00:00:02.5Z")
    early = Container("c" * 64, "early", "running", started="2026-01-01T00:00:01Z")
    assert moves.starting_order([late, early]) == [early, late]
