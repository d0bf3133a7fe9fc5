# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift import restore

REGULAR = {"type": "regular file", "sha256": "a", "mode": "0644", "owner": "0:0"}
CONFIG = "file:/etc/docker/daemon.json"
DROP_IN = "/etc/systemd/system/docker.service.d/90-somebody.conf"
UNIT = {"type": "loaded", "fragment": "/usr/lib/systemd/system/docker.service", "enabled": "enabled", "active": "active", "drop_ins": []}
DOCKER, SOCKET, CONTAINERD = "unit:docker.service", "unit:docker.socket", "unit:containerd.service"


def plan(thing, wanted, now, texts=None, moved=(), **others):
    seen = {thing: {**wanted, **now}, **others}
    actions, left = restore.plan({thing: wanted}, seen, texts or {}, moved)
    return [(action.verb, action.name) for action in actions], actions, [entry.item for entry in left]


def verbs(thing, wanted, now, **options):
    return plan(thing, wanted, now, **options)[0]


@pytest.mark.parametrize(
    "thing, state",
    [
        (CONFIG, REGULAR),
        (f"foreign_file:{DROP_IN}", {**REGULAR, "_text": "x"}),
        ("foreign_file:/etc/default/docker", {"type": "absent"}),
        (DOCKER, UNIT),
        ("ranges:dockremap", {"uid": ["100000:65536"], "gid": ["100000:65536"]}),
        ("mount:/v", {"type": "mounted", "uuid": "1", "options": ["nodev", "rw"]}),
        ("mount_point:/v", {"immutable": True, "shadowed": []}),
        ("sysctl:net.ipv4.ip_forward", {"value": "1"}),
        ("firewall:iptables", {"missing": [], "_rules": ["nat chain DOCKER"]}),
        ("package:runc", {"type": "installed", "version": "1"}),
        ("process:dockerd", {"arguments": ["-H", "fd://"]}),
    ],
)
def test_nothing_is_done_where_nothing_differs_or_nothing_can_be_seen(thing, state):
    assert restore.plan({thing: state}, {thing: state}, {}) == ([], [])
    blind = {field: "unknown" for field in state if not field.startswith("_")}
    assert restore.plan({thing: state}, {thing: blind}, {}) == ([], [])


def test_a_file_that_was_proved_comes_back_and_the_edited_one_is_kept():
    done, actions, left = plan(CONFIG, REGULAR, {"sha256": "b"}, texts={"a": "{}\n"})
    assert done == [("away", "/etc/docker/daemon.json"), ("write", "/etc/docker/daemon.json")]
    assert dict(actions[1].values) == {"text": "{}\n", "mode": "0644", "owner": "0:0"}
    assert [action.loaded for action in actions] == [True, False]
    assert left == []


def test_a_file_that_is_gone_is_written_and_dockerd_may_have_started_without_it():
    done, actions, _left = plan(CONFIG, REGULAR, {"type": "absent", "sha256": None}, texts={"a": "{}\n"})
    assert done == [("write", "/etc/docker/daemon.json")]
    assert actions[0].loaded


def test_a_file_whose_text_nobody_remembers_is_left_to_its_role():
    assert verbs(CONFIG, REGULAR, {"sha256": "b"}) == []
    assert verbs(CONFIG, REGULAR, {"type": "absent"}) == []


@pytest.mark.parametrize("odd", ["symbolic link", "directory", "special file"])
def test_what_lies_in_the_place_of_a_file_is_set_aside_for_the_role(odd):
    assert verbs("file:/etc/systemd/system/containers.slice", REGULAR, {"type": odd}) == [("away", "/etc/systemd/system/containers.slice")]


def test_mode_and_owner_come_back():
    done, actions, _left = plan(CONFIG, REGULAR, {"mode": "0666", "owner": "1000:0"})
    assert done == [("attributes", "/etc/docker/daemon.json")]
    assert dict(actions[0].values) == {"type": "regular file", "mode": "0644", "owner": "0:0"}


def test_of_another_file_modes_say_nothing():
    assert [verb for verb, _name in verbs(CONFIG, REGULAR, {"type": "symbolic link", "mode": "0777"})] == ["away"]


def test_a_foreign_file_comes_back_with_its_text():
    thing = f"foreign_file:{DROP_IN}"
    done, actions, _left = plan(thing, {**REGULAR, "_text": "[Service]\n"}, {"sha256": "b"})
    assert done == [("away", DROP_IN), ("write", DROP_IN)]
    assert actions[1].values["text"] == "[Service]\n"


def test_a_foreign_file_without_its_text_is_told():
    assert plan(f"foreign_file:{DROP_IN}", REGULAR, {"sha256": "b"})[::2] == ([], [f"foreign_file:{DROP_IN}"])


def test_a_foreign_file_that_appeared_is_set_aside():
    assert verbs("foreign_file:/etc/default/docker", {"type": "absent"}, REGULAR) == [("away", "/etc/default/docker")]


def test_a_vendor_unit_of_another_package_is_not_put_back():
    thing = "foreign_file:/usr/lib/systemd/system/docker.service"
    assert plan(thing, {**REGULAR, "_text": "x"}, {"sha256": "b"}, moved=["docker.io"])[::2] == ([], [thing])
    assert verbs(thing, {**REGULAR, "_text": "x"}, {"sha256": "b"}) != []
    assert verbs(thing, {**REGULAR, "_text": "x"}, {"sha256": "b"}, moved=["runc", "containerd"]) != []
    assert verbs(thing.replace("docker", "containerd"), {**REGULAR, "_text": "x"}, {"sha256": "b"}, moved=["containerd"]) == []
    assert verbs(f"foreign_file:{DROP_IN}", {**REGULAR, "_text": "x"}, {"sha256": "b"}, moved=["docker.io"]) != []


def test_a_mask_goes_and_what_it_had_hidden_comes_back():
    assert verbs(DOCKER, UNIT, {"type": "masked", "fragment": "", "enabled": "masked"}) == [("unmask", "docker.service"), ("enable", "docker.service")]


def test_a_mask_that_was_there_comes_back():
    assert verbs(SOCKET, {**UNIT, "type": "masked"}, {"type": "loaded"}) == [("mask", "docker.socket")]


def test_enablement_goes_both_ways():
    assert verbs(CONTAINERD, UNIT, {"enabled": "disabled"}) == [("enable", "containerd.service")]
    assert verbs(CONTAINERD, {**UNIT, "enabled": "disabled"}, {"enabled": "enabled"}) == [("disable", "containerd.service")]
    assert verbs(CONTAINERD, {**UNIT, "enabled": "static"}, {"enabled": "enabled"}) == []


def test_units_are_started_but_docker_itself_only_by_its_transaction():
    assert verbs(CONTAINERD, UNIT, {"active": "failed"}) == [("start", "containerd.service")]
    assert verbs(DOCKER, UNIT, {"active": "inactive"}) == []
    assert verbs(CONTAINERD, UNIT, {"active": "unknown"}) == []


def test_the_socket_waits_for_the_daemon():
    assert verbs(SOCKET, UNIT, {"active": "inactive"}, **{DOCKER: UNIT}) == [("due", "docker.service")]
    assert verbs(SOCKET, UNIT, {"active": "inactive"}, **{DOCKER: {**UNIT, "active": "inactive"}}) == []


def test_a_unit_that_did_not_run_is_not_stopped():
    assert plan(SOCKET, {**UNIT, "active": "inactive"}, {"active": "active"})[::2] == ([], [SOCKET])


def test_drop_ins_and_overrides_of_somebody_are_set_aside():
    assert verbs(DOCKER, UNIT, {"drop_ins": [DROP_IN]}) == [("away", DROP_IN)]
    assert verbs(DOCKER, UNIT, {"fragment": "/etc/systemd/system/docker.service"}) == [("away", "/etc/systemd/system/docker.service")]


def test_a_timer_is_only_unmasked():
    assert verbs("timer:x.timer", {"type": "loaded", "enabled": "enabled", "active": "active"}, {"type": "masked", "enabled": "masked"}) == [
        ("unmask", "x.timer"),
        ("enable", "x.timer"),
    ]
    assert verbs("timer:x.timer", {"type": "loaded", "enabled": "enabled"}, {"enabled": "disabled"}) == []


def test_ranges_come_back_in_both_files():
    wanted = {"uid": ["100000:65536"], "gid": ["100000:65536"]}
    done, actions, _left = plan("ranges:dockremap", wanted, {"gid": []})
    assert done == [("ranges", "dockremap")]
    assert dict(actions[0].values) == wanted


def test_data_under_a_mount_is_set_aside_before_anything_is_mounted():
    wanted = {"immutable": True, "shadowed": ["kept"]}
    done, actions, _left = plan("mount_point:/v", wanted, {"immutable": False, "shadowed": ["kept", "new"]})
    assert done == [("uncover", "/v")]
    assert actions[0].values["keep"] == ["kept"]


@pytest.mark.parametrize(
    "wanted, now, options",
    [
        (["nodev", "nosuid", "rw"], ["rw"], ["nodev", "nosuid"]),
        (["rw"], ["nodev", "ro"], ["rw", "dev"]),
        (["noatime", "rw"], ["relatime", "rw"], ["noatime"]),
        (["nodev", "rw"], ["noexec", "rw"], ["nodev", "exec"]),
    ],
)
def test_options_of_a_mount(wanted, now, options):
    assert restore.remount_options(wanted, now) == options


def test_a_filesystem_that_is_not_mounted_is_left_to_its_role():
    assert verbs("mount:/v", {"type": "mounted", "options": ["rw"]}, {"type": "absent", "options": None}) == []


def test_a_bare_mount_point_is_not_given_the_mode_of_the_filesystem():
    wanted = {"type": "directory", "mode": "0710", "owner": "0:100000"}
    assert verbs("directory:/v", wanted, {"mode": "0700"}, **{"mount:/v": {"type": "absent"}}) == []
    assert verbs("directory:/v", wanted, {"mode": "0700"}, **{"mount:/v": {"type": "mounted"}}) == [("attributes", "/v")]
    assert verbs("directory:/v", wanted, {"mode": "0700"}) == [("attributes", "/v")]
    assert verbs("directory:/v", {**wanted, "on": "/v"}, {"mode": "0700", "on": "/"}) == []


def test_a_kernel_setting_comes_back_where_the_kernel_has_it():
    assert verbs("sysctl:net.ipv4.ip_forward", {"value": "1"}, {"value": "0"}) == [("sysctl", "net.ipv4.ip_forward")]
    assert plan("sysctl:net.bridge.x", {"value": "1"}, {"value": "absent"})[::2] == ([], ["sysctl:net.bridge.x"])


def test_only_dockerd_can_make_its_rules_anew():
    done, actions, _left = plan("firewall:iptables", {"missing": []}, {"missing": ["nat chain DOCKER"]})
    assert done == [("due", "docker.service")]
    assert actions[0].loaded


def test_a_socket_that_is_something_else_makes_room():
    wanted = {"type": "socket", "mode": "0660", "owner": "0:101"}
    assert verbs("socket:/run/docker.sock", wanted, {"type": "regular file"}) == [("away", "/run/docker.sock")]
    assert verbs("socket:/run/docker.sock", wanted, {"type": "absent", "mode": None, "owner": None}) == []
    assert verbs("socket:/run/docker.sock", wanted, {"mode": "0666"}) == [("attributes", "/run/docker.sock")]


def test_units_come_after_the_files_that_they_are_made_of():
    items = {CONTAINERD: UNIT, f"foreign_file:{DROP_IN}": {**REGULAR, "_text": "x"}, "ranges:u": {"uid": ["1:2"], "gid": ["1:2"]}}
    seen = {CONTAINERD: {**UNIT, "enabled": "disabled"}, f"foreign_file:{DROP_IN}": {"type": "absent"}, "ranges:u": {"uid": [], "gid": []}}
    assert [action.verb for action in restore.plan(items, seen, {})[0]] == ["ranges", "write", "enable"]
