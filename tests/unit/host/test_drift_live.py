# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import State
from ansible_collections.bulkhead.docker.plugins.module_utils.host import drift_live, engine_socket

INVOCATION = "0123"


def reload(number):
    return {"Type": "daemon", "Action": "reload", "Actor": {"Attributes": {"max-concurrent-downloads": number}}}


@pytest.fixture
def answers(monkeypatch):
    """From the beginning of a path to what the engine answers; an error is raised."""
    held = {"/info": {"ServerVersion": "26.1.5", "Containers": 2}}
    asked = []

    def answer(path, timeout, address):
        asked.append(path)
        found = next((held[known] for known in held if path.startswith(known)), engine_socket.Gone("gone"))
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(engine_socket, "get", answer)
    monkeypatch.setattr(engine_socket, "lines", answer)
    held["asked"] = asked
    return held


@pytest.fixture
def engine(answers):
    made = drift_live.Engine(1, "/run/docker.sock")
    made.ask()
    return made


def test_an_engine_that_answers(engine):
    assert engine.info["ServerVersion"] == "26.1.5" and not engine.silence


@pytest.mark.parametrize(
    "answer, why", [([], "no JSON object"), (engine_socket.EngineError("it is busy"), "it is busy")]
)
def test_an_engine_that_does_not(answers, answer, why):
    answers["/info"] = answer
    engine = drift_live.Engine(1, "/run/docker.sock")
    engine.ask()
    assert engine.info is None and why in engine.silence


def test_the_last_reload(engine, answers):
    answers["/events"] = [reload("1"), {"Type": "container", "Action": "die"}, reload("2")]
    assert engine.last_reload(5.0, INVOCATION) == {"max-concurrent-downloads": "2"}
    answers["/events"] = [{"Type": "container", "Action": "die"}, "nonsense"]
    assert engine.last_reload(5.0, INVOCATION) == {}


@pytest.mark.parametrize(
    "said, rc, expected",
    [
        (
            r'msg="Reloaded configuration" config="{\"debug\":true,\"labels\":[\"a\"]}"',
            0,
            {"debug": "true", "labels": '["a"]'},
        ),
        ('msg="Starting up"', 0, {}),
        ("", 1, None),
        ('msg="Reloaded configuration" config="{"', 0, None),
    ],
)
def test_the_journal_remembers_what_the_engine_forgot(engine, answers, tools, said, rc, expected):
    answers["/events"] = [{"Type": "container", "Action": "die"}] * drift_live._EVENTS_KEPT
    tools.answer("journalctl", said, rc)
    found = engine.last_reload(5.0, INVOCATION)
    assert found == expected if not expected else expected.items() <= found.items()
    assert f"_SYSTEMD_INVOCATION_ID={INVOCATION}" in tools.ran[0]


def seen(since):
    return drift_live.DaemonSeen(
        files=drift_live.daemon_state.Files(json.dumps({"no-new-privileges": True})),
        memory=State(since=since),
        version=drift_live.versions.parse("26.1"),
        active=True,
        info={"Containers": 2},
    )


def test_only_containers_that_are_older_are_looked_at(engine, answers):
    answers["/containers/json"] = [
        {"Id": "old", "Created": 50},
        {"Id": "new", "Created": 150},
        {"Id": "gone", "Created": 50},
    ]
    answers["/containers/old/json"] = {"Name": "/web", "Created": "1970-01-01T00:00:50Z", "HostConfig": {}}
    stale, newest = drift_live.stale(engine, seen({"no-new-privileges": 100.0, "icc": 900.0}))
    assert (stale, newest) == ([{"name": "web", "why": ["it was made before no-new-privileges was set"]}], 100.0)
    assert "/containers/new/json" not in answers["asked"] and "/containers/gone/json" in answers["asked"]


def test_nothing_is_listed_where_no_default_ever_changed(engine, answers):
    assert drift_live.stale(engine, seen({"icc": 900.0})) == ([], None)
    assert answers["asked"] == ["/info"]


@pytest.mark.parametrize(
    "arguments, config, expected",
    [
        (["-H", "fd://"], {}, "/run/docker.sock"),
        (["-H", "tcp://0.0.0.0:2376", "-H", "unix:///run/d.sock"], {}, "/run/d.sock"),
        ([], {"hosts": ["unix:///srv/d.sock"]}, "/srv/d.sock"),
        ([], {"hosts": "wrong"}, "/run/docker.sock"),
    ],
)
def test_where_the_engine_listens(arguments, config, expected):
    assert drift_live.address(arguments, config) == expected


def test_each_filesystem_is_measured_once(tmp_path):
    (tmp_path / "below").mkdir()
    found = drift_live.rooms([str(tmp_path), str(tmp_path / "below"), str(tmp_path / "gone")])
    assert [room.path for room in found] == [str(tmp_path)] and found[0].size >= found[0].free > 0


def test_a_memory_that_is_a_link_is_not_used(tmp_path):
    (tmp_path / "m").symlink_to("/etc/passwd")
    state, damage = drift_live.memory(str(tmp_path / "m"))
    assert state == State() and "symbolic link" in damage
