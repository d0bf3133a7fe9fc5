# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift import live, model
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.live import DaemonSeen, Room
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.manifest import Manifest, Section
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.model import Difference
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files, State
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import Version

CONFIG = {"live-restore": True, "icc": False, "log-driver": "local", "max-concurrent-uploads": 4}
GOOD = Files(json.dumps(CONFIG))
INFO = {
    "LoggingDriver": "local",
    "LiveRestoreEnabled": True,
    "Debug": False,
    "DefaultRuntime": "runc",
    "Labels": [],
    "SecurityOptions": [],
}
EVENT = {
    "debug": "false",
    "live-restore": "true",
    "max-concurrent-downloads": "3",
    "max-concurrent-uploads": "4",
    "default-runtime": "runc",
    "labels": "[]",
}
MANIFEST = Manifest(
    "m", {"docker_daemon": Section("aa", "0.1.0", "then", {}), "docker_engine": Section("", "0.1.0", "then", {})}
)


def seen(**other):
    memory = State(good=GOOD, invocation="run-1")
    return DaemonSeen(
        **{
            "files": GOOD,
            "memory": memory,
            "version": Version(26, 1, 5),
            "active": True,
            "invocation": "run-1",
            "info": INFO,
            "reload": {},
            **other,
        }
    )


def names(differences):
    return [(difference.name, difference.item, difference.blast) for difference in differences]


def test_a_daemon_that_runs_with_its_file_does_not_differ():
    assert live.of_daemon(seen(), "then") == []
    assert live.of_daemon(seen(reload=EVENT), "then") == []


def test_a_daemon_that_does_not_run_is_told_by_its_unit_alone():
    assert live.of_daemon(seen(active=False, info=None, memory=State(good=GOOD, pending="restart")), "then") == []


@pytest.mark.parametrize("pending, blast", [("restart", model.RESTART), ("reload", model.RELOAD)])
def test_what_waits(pending, blast):
    found = live.of_daemon(seen(memory=State(good=GOOD, pending=pending, invocation="run-1")), "then")
    assert names(found) == [(live.PENDING, "process:dockerd", blast)]
    assert found[0].role == "docker_daemon"


def test_a_note_that_a_restart_is_due():
    found = live.of_daemon(seen(due=("a drop-in was taken away",)), "then")
    assert names(found) == [(live.PENDING, "process:dockerd", model.RESTART)]
    assert "a drop-in was taken away" in found[0].what


def test_a_daemon_of_another_run_that_is_older_than_its_file_is_not_proven():
    memory = State(good=GOOD, pending="", invocation="run-0")
    other = Files(json.dumps({**CONFIG, "icc": True}))
    assert names(live.of_daemon(seen(memory=State(invocation="run-0"), fresh=False), "then")) == [
        (live.UNPROVEN, "process:dockerd", model.RESTART)
    ]
    assert live.of_daemon(seen(memory=memory, fresh=False), "then") == []
    # Where the file itself was edited, that is said of the file.
    assert live.of_daemon(seen(memory=memory, fresh=False, files=other), "then") == []


def test_settings_that_only_the_running_daemon_has():
    found = live.of_daemon(seen(info={**INFO, "Labels": ["a=b"], "LiveRestoreEnabled": False}), "then")
    assert names(found) == [
        (live.SETTING, "setting:live-restore", model.RELOAD),
        (live.SETTING, "setting:labels", model.RESTART),
    ]
    assert found[1].source == "GET /info" and "a=b" in found[1].what


def test_no_difference_tells_a_password():
    mirrors = {"RegistryConfig": {"Mirrors": ["https://u:PASSWORD@m/"]}}
    found = live.of_daemon(seen(info={**INFO, **mirrors}), "then")
    assert names(found) == [(live.SETTING, "setting:registry-mirrors", model.RESTART)]
    assert "PASSWORD" not in str(found)


@pytest.mark.parametrize(
    "attribute, value, blast",
    [
        ("max-concurrent-downloads", "7", model.RELOAD),
        ("max-concurrent-uploads", "9", model.RELOAD),
        ("debug", "true", model.RELOAD),
    ],
)
def test_settings_that_a_reload_gave(attribute, value, blast):
    found = live.of_daemon(seen(reload={**EVENT, attribute: value}), "then")
    assert names(found) == [(live.SETTING, f"setting:{attribute}", blast)]
    assert value in found[0].what and found[0].source == "the daemon's last reload event"


def test_a_flag_is_no_setting_of_the_file():
    assert (
        live.of_daemon(
            seen(reload={**EVENT, "max-concurrent-downloads": "7"}, flags={"max-concurrent-downloads": ["7"]}), "then"
        )
        == []
    )


@pytest.mark.parametrize(
    "line",
    [
        r'time="x" level=info msg="Reloaded configuration: {\"storage-driver\":\"overlay2\",\"debug\":true,\"max-concurrent-downloads\":7,\"labels\":[\"a\"]}"',
        r'time="x" level=info msg="Reloaded configuration" config="{\"debug\":true,\"max-concurrent-downloads\":7,\"labels\":[\"a\"]}"',
        r'{"config":"{\"debug\":true,\"max-concurrent-downloads\":7,\"labels\":[\"a\"]}","level":"info","msg":"Reloaded configuration"}',
    ],
)
def test_a_reload_in_the_journal_speaks_as_its_event(line):
    found = live.reload_in(line)
    assert found == {
        "debug": "true",
        "live-restore": "false",
        "max-concurrent-downloads": "7",
        "labels": '["a"]',
        "insecure-registries": "[]",
        "registry-mirrors": "[]",
    }


@pytest.mark.parametrize(
    "line", ["", "Starting up", r'config="{\"a\":"', r'config="{\"a\"}"', r'config="{\"' + "x" * 1000000]
)
def test_a_line_that_says_nothing_of_a_reload(line):
    assert live.reload_in(line) == {}


def test_flags_that_clash_with_the_file():
    found = live.of_flags({"icc": ["true"], "host": ["fd://"]}, CONFIG, "/etc/docker/daemon.json", "then")
    assert [(difference.name, difference.item, difference.route) for difference in found] == [
        (live.CLASH, "setting:icc", model.PERSON)
    ]
    assert live.of_flags({"host": ["fd://"]}, CONFIG, "/etc/docker/daemon.json", "then") == []


def test_sections_with_other_inputs_or_of_another_release():
    found = live.of_sections(MANIFEST, {"docker_daemon": "bb", "docker_engine": "cc", "docker_auditd": "dd"}, "0.2.0")
    assert [(difference.name, difference.role) for difference in found] == [
        (live.INPUTS, "docker_daemon"),
        (live.COLLECTION, "docker_daemon"),
        (live.COLLECTION, "docker_engine"),
    ]
    assert live.of_sections(MANIFEST, {"docker_daemon": "aa"}, "") == []


@pytest.mark.parametrize(
    "room, expected",
    [
        (Room("/r", 1000, 100), []),
        (Room("/r", 1000, 99), [live.NO_ROOM]),
        (Room("/r", 1000, 500, 100, 5), []),
        (Room("/r", 1000, 500, 100, 4), [live.NO_INODES]),
        (Room("/r", 0, 0), []),
    ],
)
def test_room(room, expected):
    found = live.of_room([room], 10, 5, 0)
    assert [difference.name for difference in found] == expected
    assert all(difference.route == model.PERSON and difference.advice for difference in found)


def test_a_size_is_asked_for_in_addition_to_a_percentage():
    assert live.of_room([Room("/r", 1000, 400)], 10, 5, 500)[0].expected == 500
    assert live.of_room([Room("/r", 1000, 0)], 0, 0, 0) == []


def test_containers_are_for_their_owner():
    found = live.of_containers([{"name": "web", "why": ["max-file is 2", "ipc is shareable"]}], 7.0, "then")
    assert [
        (difference.name, difference.item, difference.route, difference.blast, difference.role) for difference in found
    ] == [(live.OLDER, "container:web", model.OWNER, model.RECREATE, "")]
    assert "max-file is 2; ipc is shareable" in found[0].what


@pytest.mark.parametrize(
    "other, blast",
    [
        # Edited and never read: putting it back is all.
        ({"files": Files(json.dumps({**CONFIG, "icc": True}))}, model.NOTHING),
        ({"files": Files(json.dumps({**CONFIG, "live-restore": False}))}, model.RELOAD),
        # Restarted with it.
        ({"files": Files(json.dumps({**CONFIG, "icc": True})), "invocation": "run-2"}, model.RESTART),
        ({"files": Files(None), "active": False}, model.NOTHING),
    ],
)
def test_what_it_costs_to_put_the_file_back(other, blast):
    edited = Difference("file-edited", "docker_daemon", "file:/etc/docker/daemon.json", "x", blast=model.NOTHING)
    mode = Difference("file-mode", "docker_daemon", "file:/etc/docker/daemon.json", "x", blast=model.NOTHING)
    assert [difference.blast for difference in live.refined([edited, mode], seen(**other))] == [blast, model.NOTHING]
    assert live.refined([edited], None) == [edited]


def test_roles_in_the_order_of_provision():
    def one(role, route):
        return Difference("x", role, "file:/a", "x", route=route)

    found = [
        one("docker_daemon", model.RESTORE),
        one("docker_storage", model.CONVERGE),
        one("docker_pull", model.PERSON),
        one("", model.OWNER),
        one("own", model.CONVERGE),
    ]
    assert live.roles_to_run(found, ["docker_engine"]) == ["docker_storage", "docker_daemon", "own"]
    assert live.roles_to_run([one("", model.RECORD)], ["docker_engine", "docker_storage"]) == [
        "docker_storage",
        "docker_engine",
    ]
    assert live.roles_to_run([], ["docker_engine"]) == []
    assert sorted(["", "docker_pull", "docker_userns", "own"], key=live.place) == [
        "docker_userns",
        "docker_pull",
        "own",
        "",
    ]


def test_a_stop_of_dockerd_explains_the_filesystems_that_it_unmounted():
    stopped = Difference("unit-not-running", "docker_daemon", "unit:docker.service", "x", "active", "inactive")
    lost = Difference("mount-lost", "docker_storage", "mount:/m", "x")
    unguarded = Difference(
        "file-missing", "docker_storage", "file:/etc/systemd/system/docker.service.d/10-bulkhead-storage.conf", "x"
    )
    assert live.without_unmounted_by_stop([lost, stopped]) == [stopped]
    assert live.without_unmounted_by_stop([lost]) == [lost]
    assert live.without_unmounted_by_stop([lost, stopped, unguarded]) == [lost, stopped, unguarded]
