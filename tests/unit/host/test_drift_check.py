# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift import live, manifest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.kinds import ABSENT, UNKNOWN
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.manifest import Manifest, Section
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files, State
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    drift_check,
    drift_live,
    drift_packages,
    drift_places,
    engine_socket,
    manifest_file,
)

FILE = {"type": "regular file", "sha256": "a", "mode": "0644", "owner": "0:0"}
UNIT = {"type": "loaded", "fragment": "/u/docker.service", "enabled": "enabled", "active": "active", "drop_ins": []}
CONFIG_FILE = "file:/etc/docker/daemon.json"
THINGS = {
    "docker_storage": {
        "mount:/m": {"type": "mounted", "hidden": False, "uuid": "1", "options": []},
        "directory:/m": {"type": "directory", "mode": "0710"},
    },
    "docker_engine": {
        "package:docker.io": {"type": "installed", "version": "1", "held": True},
        "foreign_file:/u/docker.service": {**FILE, "_text": "x"},
    },
    "docker_daemon": {
        CONFIG_FILE: FILE,
        "unit:docker.service": UNIT,
        "firewall:iptables": {"missing": [], "_rules": []},
    },
}
OPTIONS = {
    "inputs": {},
    "roles": ["docker_storage", "docker_daemon"],
    "collection_version": "",
    "windows": [],
    "free_percent": 10,
    "free_inodes_percent": 5,
    "free_size": "",
    "upgrades": "ignore",
    "timeout": 1,
}
GOOD = Files('{"live-restore": true}')


class Host:
    """A host as it was left, until a test changes something of it."""

    def __init__(self):
        self.states = {thing: dict(state) for things in THINGS.values() for thing, state in things.items()}
        self.found = manifest_file.Found(
            Manifest(
                "here",
                {role: Section("hash", "0.1.0", "2026-01-01T00:00:00Z", things) for role, things in THINGS.items()},
            ),
            written_at=1798761600.0,
        )
        self.info = {
            "ServerVersion": "26.1.5",
            "LiveRestoreEnabled": True,
            "ContainersRunning": 0,
            "LoggingDriver": "json-file",
        }
        self.memory = State(good=GOOD, invocation="run")
        self.rooms = [live.Room("/m", 100, 50)]
        self.files = GOOD
        self.refusal: Exception | None = None
        self.asked = []

    def observe(self, thing, recorded=None):
        return self.states[thing]

    def unit(self, name):
        active = self.states["unit:docker.service"].get("active", "inactive")
        return {"ActiveState": active, "InvocationID": "run", "ExecStart": "", "MainPID": "7"}

    def firewall(self, family):
        return []

    def ask(self, engine):
        self.asked.append("engine")
        engine.info = self.info if isinstance(self.info, dict) else None
        engine.silence = "" if isinstance(self.info, dict) else self.info

    def daemon(self, eyes, engine, known, config_file):
        if self.refusal is not None:
            raise self.refusal
        active = self.states["unit:docker.service"].get("active") == "active"
        return live.DaemonSeen(
            self.files, known, drift_live.versions.parse("26.1"), active, "run", info=engine.info, reload={}
        )


@pytest.fixture
def host(monkeypatch):
    made = Host()
    monkeypatch.setattr(manifest_file, "read", lambda: made.found)
    monkeypatch.setattr(drift_check.drift_look, "Eyes", lambda *_arguments: made)
    monkeypatch.setattr(drift_check.restart_due, "read", lambda invocation: [])
    monkeypatch.setattr(drift_places, "configuration", lambda path: {})
    monkeypatch.setattr(drift_live, "memory", lambda: (made.memory, ""))

    def ask(engine):
        made.ask(engine)

    monkeypatch.setattr(drift_live.Engine, "ask", ask)
    monkeypatch.setattr(drift_live, "daemon", made.daemon)
    monkeypatch.setattr(drift_live, "rooms", lambda paths: made.rooms)
    monkeypatch.setattr(drift_packages, "as_packaged", lambda path, names: path == "/u/docker.service")
    return made


def check(**options):
    return drift_check.run({**OPTIONS, **options})


def names(found):
    return [(difference["name"], difference["role"]) for difference in found["differences"]]


def test_a_memory_of_the_daemon_that_cannot_be_read_is_the_role_s_to_write_anew(host, monkeypatch):
    monkeypatch.setattr(drift_live, "memory", lambda: (host.memory, "/m is not UTF-8 text (byte 1)"))
    found = check()
    assert names(found) == [("daemon-memory-damaged", "docker_daemon")]
    assert (found["roles"], found["unknown"], found["differences"][0]["blast"]) == (["docker_daemon"], [], "nothing")


def test_a_host_as_it_was_left(host):
    found = check()
    assert (found["drifted"], found["differences"], found["roles"], found["unknown"], found["looked_at"]) == (
        False,
        [],
        [],
        [],
        7,
    )
    assert found["facts"] == {"live_restore": True, "running": 0, "containers": [], "engine": "26.1.5", "pending": ""}
    assert found["window_open"] and found["last_converge"] == "2027-01-01T00:00:00Z"
    assert found["sections"]["docker_daemon"] == {"at": "2026-01-01T00:00:00Z", "collection": "0.1.0", "items": 3}


@pytest.mark.parametrize(
    "name, problem",
    [(live.MISSING, "does not exist"), (live.DAMAGED, "is damaged"), (live.FOREIGN, "was written on another machine")],
)
def test_without_a_manifest_everything_has_to_run(host, name, problem):
    host.found = manifest_file.Found(name=name, problem=problem)
    found = check()
    assert names(found) == [(name, "")] and found["roles"] == ["docker_storage", "docker_daemon"]
    assert found["differences"][0]["what"] == f"{manifest.PATH} {problem}" and found["facts"]["engine"] == "26.1.5"


def test_a_manifest_that_others_can_read(host):
    host.found = manifest_file.Found(host.found.manifest, exposed="0644 0:0")
    assert names(check()) == [(live.EXPOSED, "")]


def test_differences_come_in_the_order_of_roles_with_what_they_cost(host):
    host.states[CONFIG_FILE] = {**FILE, "sha256": "b"}
    host.states["package:docker.io"] = {"type": "installed", "version": "1", "held": False}
    host.files = Files('{"live-restore": false}')
    found = check()
    assert names(found) == [("hold-removed", "docker_engine"), ("file-edited", "docker_daemon")]
    assert [difference["blast"] for difference in found["differences"]] == ["nothing", "reload"]
    assert found["roles"] == ["docker_engine", "docker_daemon"]


def test_a_lost_filesystem_explains_the_directory_below(host):
    host.states["mount:/m"] = {"type": ABSENT}
    host.states["directory:/m"] = {"type": "directory", "mode": "0700"}
    assert names(check()) == [("mount-lost", "docker_storage")]


def test_a_package_explains_its_unit_file(host):
    host.states["foreign_file:/u/docker.service"] = {**FILE, "sha256": "b"}
    assert names(check()) == [("foreign-file-edited", "docker_engine")]
    host.states["package:docker.io"] = {"type": "installed", "version": "2", "held": True}
    assert names(check()) == [("package-changed", "docker_engine")]


def test_an_engine_that_was_stopped_is_not_asked_because_that_would_start_it(host):
    host.states["unit:docker.service"] = {**UNIT, "active": "inactive"}
    host.states["mount:/m"] = {"type": ABSENT}
    found = check()
    assert names(found) == [("unit-not-running", "docker_daemon")] and host.asked == []
    assert found["facts"]["live_restore"] is None


def test_an_engine_that_is_silent(host):
    host.info = "it did not answer within 1 seconds"
    found = check()
    assert names(found) == [(live.SILENT, "docker_daemon")] and "within 1 seconds" in found["differences"][0]["what"]


@pytest.mark.parametrize("error", [engine_socket.EngineError("it is gone"), ValueError("no version"), OSError("no")])
def test_what_cannot_be_asked_is_unknown(host, error):
    host.refusal = error
    found = check()
    assert not found["drifted"] and found["unknown"] == [
        {"item": "process:dockerd", "role": "docker_daemon", "reason": str(error)}
    ]


def test_what_cannot_be_seen_is_unknown_with_its_reason(host):
    host.states["firewall:iptables"] = {"missing": UNKNOWN, "_why": "no iptables"}
    found = check()
    assert not found["drifted"] and found["unknown"] == [
        {"item": "firewall:iptables", "role": "docker_daemon", "reason": "no iptables"}
    ]


def test_a_thing_of_a_later_release_is_unknown(host):
    host.found.manifest.sections["docker_daemon"].items["later:x"] = {"a": 1}
    try:
        assert [entry["item"] for entry in check()["unknown"]] == ["later:x"]
    finally:
        del host.found.manifest.sections["docker_daemon"].items["later:x"]


def test_inputs_and_release(host):
    found = check(inputs={"docker_daemon": "other", "docker_engine": "hash"}, collection_version="0.2.0")
    assert (live.INPUTS, "docker_daemon") in names(found) and len(found["differences"]) == 4


def test_room(host):
    host.rooms = [live.Room("/m", 100, 5)]
    found = check()
    assert names(found) == [(live.NO_ROOM, "")] and found["roles"] == []
    assert not check(free_percent=0)["drifted"]
    assert check(free_percent=0, free_size="1KiB")["drifted"]


@pytest.mark.parametrize(
    "upgrades, returned, drifted", [("ignore", 0, False), ("report", 1, False), ("drift", 1, True)]
)
def test_upgrades(host, monkeypatch, upgrades, returned, drifted):
    monkeypatch.setattr(
        drift_packages, "upgrades", lambda names: [{"name": name, "installed": "1", "offered": "2"} for name in names]
    )
    found = check(upgrades=upgrades)
    assert (len(found["upgrades"]), found["drifted"]) == (returned, drifted)


def test_a_note_that_a_restart_is_due(host, monkeypatch):
    monkeypatch.setattr(drift_check.restart_due, "read", lambda invocation: ["a drop-in was taken away"])
    found = check()
    assert names(found) == [(live.PENDING, "docker_daemon")] and found["facts"]["pending"] == "restart"


@pytest.mark.parametrize(
    "options",
    [
        {"free_size": "many"},
        {"windows": [{"from": "25:00", "until": "26:00"}]},
        {"windows": [{"from": "01:00", "until": "02:00", "timezone": "No/Where"}]},
    ],
)
def test_options_that_make_no_sense(host, options):
    with pytest.raises(drift_check.Refused):
        check(**options)


def test_a_role_that_never_came_to_its_end_is_no_clean_host(host):
    host.found = manifest_file.Found(Manifest("here", {role: section for role, section in host.found.manifest.sections.items() if role != "docker_daemon"}))
    found = check()
    assert names(found) == [(live.UNRECORDED, "docker_daemon")] and found["roles"] == ["docker_daemon"]
    assert check(roles=["docker_storage"])["drifted"] is False
