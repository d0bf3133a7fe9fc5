# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""A look at engines that answer on a unix socket, or do not."""

from __future__ import annotations

import http.server
import json
import os
import socket
import stat
import tempfile
import threading
import time

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import docker_api
from ansible_collections.bulkhead.docker.plugins.module_utils.host.docker_api import (
    ApiError,
    Denied,
    Gone,
    Question,
    Questions,
    TimedOut,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.look_engine import Engine
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import Process
from ansible_collections.bulkhead.docker.tests.unit.host import fake_engine
from ansible_collections.bulkhead.docker.tests.unit.host.fake_engine import State


@pytest.fixture
def path():
    # The path of a socket may not be as long as those of tests are.
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        yield f"{directory}/engine.sock"


@pytest.fixture
def asked(path):
    """Return a function that looks at an engine in a state; the look and the engine's own look at exec sessions."""

    def ask(state, timeout=5, **options):
        with fake_engine.serving(path, state) as url:
            questions = Questions(url, timeout)
            engine = Engine(questions, options.pop("process_of", lambda _inspect: Process()), **options)
            try:
                return engine.look(), engine.exec_audit
            finally:
                questions.close()

    return ask


def test_what_an_engine_says(asked):
    state = State(12)
    look, execs = asked(state)
    assert (look.product, look.error, look.errors) == ("docker", "", {})
    assert look.info["ServerVersion"] == "28.5.2"
    assert look.version["ApiVersion"] == fake_engine.API
    assert [one.inspect["Name"] for one in look.containers] == [f"/shop-web-{number}" for number in range(12)]
    assert all(one.error == "" and one.process == Process() for one in look.containers)
    assert [image["RepoTags"] for image in look.images] == [[f"registry.example.com/shop/web:{number}"] for number in range(5)]
    assert all(image["History"] for image in look.images)
    assert [network["Name"] for network in look.networks] == ["bridge", "host", "none", "shop_default"]
    assert len(look.volumes) == 12
    assert (look.swarm, look.nodes, look.services, look.secrets) == (None, (), (), ())
    assert execs == Fact((), "GET /events and GET /exec/{id}/json")


def test_every_question_is_asked_once_and_counted(asked):
    state = State(30)
    look, _execs = asked(state)
    assert set(state.asked.values()) == {1}
    assert look.calls == sum(state.asked.values()) == 30 + 7 + 5 + 5
    assert look.calls / 30 <= 2


@pytest.mark.parametrize(("containers", "images"), [(100, 100), (1000, 1000), (1000, 3), (45, 45)])
def test_images_never_cost_more_questions_than_containers(asked, containers, images):
    state = State(containers, images=images)
    look, _execs = asked(state)
    assert look.calls <= 2 * containers
    assert len(look.containers) == containers
    assert len(look.images) == images
    assert ("images" in look.errors) is (images > max(20, containers - 20))


def test_questions_share_connections(path, monkeypatch):
    state = State(60)
    connections = []
    real = fake_engine._Server.process_request
    monkeypatch.setattr(fake_engine._Server, "process_request", lambda self, *arguments: (connections.append(1), real(self, *arguments))[1])
    with fake_engine.serving(path, state) as url:
        Engine(Questions(url, 5), lambda _inspect: None).look()
    assert len(connections) <= docker_api.CONNECTIONS


def test_nothing_that_is_secret_is_kept(asked):
    state = State(3)
    state.answers["/info"] = {**fake_engine.info(3), "HttpProxy": f"http://user:{fake_engine.SECRET}@proxy:3128", "Swarm": {"ControlAvailable": True}}
    state.answers["/swarm"] = {"ID": "s", "JoinTokens": {"Worker": fake_engine.SECRET}, "Spec": {}}
    state.answers["/nodes"] = state.answers["/secrets"] = []
    state.answers["/services"] = [{"ID": "x", "Spec": {"TaskTemplate": {"ContainerSpec": {"Env": [f"PASSWORD={fake_engine.SECRET}"]}}}}]
    look, _execs = asked(state)
    assert len(look.services) == 1
    assert fake_engine.SECRET not in repr(look)


def test_labels_that_waivers_ask_for_keep_their_values(asked):
    state = State(1)
    labels = next(iter(state.containers.values()))["Config"]["Labels"]
    labels.update({"team": "shop", "other": "words"})
    look, _execs = asked(state, keep_labels=frozenset({"team"}))
    kept = look.containers[0].inspect["Config"]["Labels"]
    assert kept["team"] == "shop"
    assert kept["other"] != "words"


def test_a_container_that_vanishes_is_left_out(asked):
    state = State(5)
    state.gone = {fake_engine.container_id(2)}
    look, _execs = asked(state)
    assert [one.inspect["Name"] for one in look.containers] == [f"/shop-web-{number}" for number in (0, 1, 3, 4)]
    assert look.errors == {}


def test_a_container_that_is_denied_is_there_with_the_reason(asked):
    state = State(3)
    state.denied = (f"/containers/{fake_engine.container_id(1)}",)
    look, _execs = asked(state)
    one = look.containers[1]
    assert one.error == "denied: authorization denied by plugin opa: no"
    assert one.inspect == {"Id": fake_engine.container_id(1), "Name": "/shop-web-1"}
    assert one.process is None
    assert look.containers[0].error == ""


@pytest.mark.parametrize("name", ["info", "containers", "images", "networks", "volumes"])
def test_a_list_that_is_denied_is_an_error_by_its_name(asked, name):
    state = State(2)
    state.denied = ("/containers/json" if name == "containers" else f"/{name}",)
    look, _execs = asked(state)
    assert look.error == ""
    assert look.errors[name] == "denied: authorization denied by plugin opa: no"
    assert look.product == "docker"


@pytest.mark.parametrize("name", ["info", "containers", "images", "networks", "volumes"])
@pytest.mark.parametrize("answer", ["text", 5, [5], {"x": 5}])
def test_answers_of_another_kind(asked, name, answer):
    state = State(2)
    state.answers["/containers/json" if name == "containers" else "/images/json" if name == "images" else f"/{name}"] = answer
    look, _execs = asked(state)
    wanted = (dict,) if name in ("info", "volumes") else (list,)
    assert (name in look.errors) is not isinstance(answer, wanted)


def test_denied_events_leave_the_sessions_unknown(asked):
    state = State(1)
    state.denied = ("/events",)
    _look, execs = asked(state)
    assert execs == Unknown("the engine's events could not be read: denied: authorization denied by plugin opa: no", "GET /events and GET /exec/{id}/json")


def test_a_slow_answer_is_given_up(asked):
    state = State(3)
    state.slow = {f"/containers/{fake_engine.container_id(0)}": 1.5}
    look, _execs = asked(state, timeout=0.3)
    assert look.containers[0].error == "the engine did not answer within 0.3 seconds"
    assert [one.error for one in look.containers[1:]] == ["", ""]


def test_a_slow_list_is_given_up(asked):
    state = State(3)
    state.slow = {"/volumes": 1.5}
    look, _execs = asked(state, timeout=0.3)
    assert look.errors == {"volumes": "the engine did not answer within 0.3 seconds"}


def test_the_time_for_all_of_it_ends(asked):
    moments = iter([0.0] + [1.0] * 12 + [1000.0] * 10000)
    state = State(40)
    look, execs = asked(state, seconds=60, clock=lambda: next(moments))
    late = [one for one in look.containers if one.error]
    assert 0 < len(late) < 40
    assert {one.error for one in late} == {"the time for the whole look was over (60 seconds)"}
    assert "the time for the whole look was over" in execs.reason
    assert sum(count for asked_for, count in state.asked.items() if asked_for.startswith("/containers/")) < 40


def test_podman_is_known_and_not_asked_further(asked):
    state = State(3)
    state.version, state.server = fake_engine.PODMAN_VERSION, "Libpod/5.4.2 (linux)"
    look, execs = asked(state)
    assert (look.product, look.error, look.containers, look.calls) == ("podman", "", (), 1)
    assert execs == Unknown("podman answers, not dockerd", "GET /events")
    state.version = fake_engine.VERSION
    assert asked(state)[0].product == "podman"
    state.version, state.server = fake_engine.PODMAN_VERSION, ""
    assert asked(state)[0].product == "podman"


def test_nobody_there(path):
    url = f"unix://{path}"
    for prepare, said in (
        (lambda: None, f"no engine answers: there is no socket {url}"),
        (lambda: socket.socket(socket.AF_UNIX).bind(path), f"no engine answers on {url}"),
    ):
        prepare()
        engine = Engine(Questions(url, 1), lambda _inspect: None)
        look = engine.look()
        assert (look.error, look.product, look.containers) == (said, "", ())
        assert engine.exec_audit == Unknown(said, "GET /events")


def test_a_socket_that_this_account_may_not_use(path, monkeypatch):
    def connect(_socket, _address):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "socket", type("Refusing", (socket.socket,), {"connect": connect}))
    questions = Questions(f"unix://{path}", 1)
    with pytest.raises(Denied, match="denied: this account may not use unix://"):
        questions.version()


def test_somebody_else_answers(asked):
    state = State(1)
    state.broken = ("/version",)
    assert asked(state)[0].error == "the engine's answer is no JSON"
    state = State(1)
    state.answers["/version"] = ["x"]
    assert "is no Docker engine" in asked(state)[0].error
    state.answers["/version"] = {"ApiVersion": "../../x", "Version": "1"}
    assert asked(state)[0].errors == {}


def test_an_answer_that_is_no_json(asked):
    state = State(2)
    state.broken = ("/networks", f"/containers/{fake_engine.container_id(1)}")
    look, _execs = asked(state)
    assert look.errors == {"networks": "the engine's answer is no JSON"}
    assert look.containers[1].error == "the engine's answer is no JSON"


def test_a_container_whose_answer_is_no_object(asked):
    state = State(2)
    state.answers[f"/containers/{fake_engine.container_id(1)}/json"] = ["x"]
    assert asked(state)[0].containers[1].error == "the engine's answer about it is no object"


def test_hostile_texts(asked):
    state = State(2)
    one = next(iter(state.containers.values()))
    one["Name"] = "/\x1b[31m<script>alert(1)</script>\n" + "x" * 1_000_000
    one["Config"]["Labels"] = {"\ud800" * 10: "y" * 1_000_000, "<b>": None}
    one["Config"]["Env"] = [None, 5, "x" * 1_000_000, "=", "\x00=\x00"]
    one["HostConfig"]["SecurityOpt"] = [None, {}, "\ud800"]
    nested = []
    for _level in range(200):
        nested = [nested]
    one["HostConfig"]["Odd"] = nested
    look, _execs = asked(state)
    assert [found.error for found in look.containers] == ["", ""]


def test_an_image_that_no_list_has(asked):
    state = State(3, images=3)
    state.answers["/images/json"] = []
    look, _execs = asked(state)
    assert sorted(image["Id"] for image in look.images) == [fake_engine.image_id(number) for number in range(3)]


def test_images_come_before_their_histories(asked):
    state = State(6, images=6)
    state.denied = tuple(f"/images/{fake_engine.image_id(number)}/history" for number in range(6))
    look, _execs = asked(state)
    assert all("Config" in image and "History" not in image for image in look.images)
    assert look.errors == {"images": "denied: authorization denied by plugin opa: no"}
    order = []
    real = state.answer
    state.answer = lambda path: (order.append(path.rpartition("/")[2]) if path.startswith("/images/sha") else None, real(path))[1]
    asked(state)
    assert order == ["json"] * 6 + ["history"] * 6


def test_an_image_that_vanishes_before_its_history_is_only_what_the_list_says(asked):
    state = State(3, images=3)
    real = state.answer
    state.answer = lambda path: (404, b"") if path == f"/images/{fake_engine.image_id(1)}/history" else real(path)
    look, _execs = asked(state)
    assert look.errors == {}
    assert [("Config" in image, "History" in image) for image in look.images] == [(True, True), (False, False), (True, True)]


def test_an_image_that_cannot_be_asked_for(asked):
    state = State(3, images=3)
    state.denied = (f"/images/{fake_engine.image_id(1)}",)
    look, _execs = asked(state)
    assert look.errors == {"images": "denied: authorization denied by plugin opa: no"}
    assert len(look.images) == 3
    assert "Config" not in next(image for image in look.images if image["Id"] == fake_engine.image_id(1))


def test_a_manager_is_asked_for_its_swarm(asked):
    state = State(1)
    state.answers["/info"] = {**fake_engine.info(1), "Swarm": {"LocalNodeState": "active", "ControlAvailable": True}}
    state.answers.update({"/swarm": {"ID": "s"}, "/nodes": [{"ID": "n"}], "/services": [], "/secrets": None})
    look, _execs = asked(state)
    assert (look.swarm, look.nodes, look.services, look.secrets) == ({"ID": "s"}, ({"ID": "n"},), (), ())
    state.denied = ("/swarm", "/secrets")
    look, _execs = asked(state)
    assert look.swarm is None
    assert set(look.errors) == {"swarm", "secrets"}


# Exec sessions ----------------------------------------------------------------------------------------------------------


def event(session, container=0, command="sh"):
    attributes = {"execID": session, "name": f"shop-web-{container}"}
    return {"Type": "container", "Action": f"exec_create: {command}", "Actor": {"ID": fake_engine.container_id(container), "Attributes": attributes}}


def session(user="", privileged=False):
    return {"ID": "x", "Running": True, "ProcessConfig": {"entrypoint": "sh", "arguments": [], "privileged": privileged, "user": user}}


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (session(privileged=True), "shop-web-0: privileged"),
        (session("root"), "shop-web-0: as root"),
        (session("0:0"), "shop-web-0: as root"),
        (session("101:101"), ""),
        (session(""), ""),
    ],
)
def test_sessions_that_events_tell_of(asked, found, text):
    state = State(2)
    state.events = [event("e1")]
    state.execs = {"e1": found}
    assert asked(state)[1].value == ((text,) if text else ())


def test_sessions_that_a_container_has_now(asked):
    state = State(2)
    state.containers[fake_engine.container_id(1)]["ExecIDs"] = ["e9"]
    state.execs = {"e9": session(privileged=True)}
    assert asked(state)[1].value == ("shop-web-1: privileged",)


def test_root_in_a_container_of_root_is_nothing_new(asked):
    state = State(1)
    state.containers[fake_engine.container_id(0)]["Config"]["User"] = ""
    state.events = [event("e1")]
    state.execs = {"e1": session("root")}
    assert asked(state)[1].value == ()


def test_checks_of_health_are_no_sessions(asked):
    state = State(1)
    state.events = [event(f"e{number}", command="/bin/sh -c curl -fs http://localhost/") for number in range(200)]
    look, execs = asked(state)
    assert execs.value == ()
    assert not [path for path in state.asked if path.startswith("/exec/")]
    assert look.calls < 20


def test_sessions_that_ended_are_unknown_and_never_a_pass(asked):
    state = State(1)
    state.events = [event("gone"), event("e1")]
    state.execs = {"e1": session("101")}
    execs = asked(state)[1]
    assert isinstance(execs, Unknown)
    assert execs.reason.startswith("1 exec session ended")
    state.execs["e1"] = session(privileged=True)
    assert asked(state)[1].partly.value == ("shop-web-0: privileged",)


def test_sessions_are_not_asked_for_without_end(asked):
    state = State(1)
    state.events = [event(f"e{number}") for number in range(256)]
    look, execs = asked(state)
    assert isinstance(execs, Unknown)
    assert execs.reason.startswith("256 exec sessions")
    assert sum(1 for path in state.asked if path.startswith("/exec/")) == 20
    assert look.calls < 50


def test_events_of_another_shape(asked):
    state = State(1)
    state.events = [{}, {"Actor": 5}, {"Actor": {"ID": "x", "Attributes": []}}, ["x"], 5, {"Action": "exec_create: x", "Actor": {"Attributes": {}}}]
    assert asked(state)[1].value == ()


# Questions --------------------------------------------------------------------------------------------------------------


def test_answers_one_after_the_other(path):
    state = State(0)
    with fake_engine.serving(path, state) as url:
        questions = Questions(url, 5)
        assert questions.stream("/events") == []
        state.events = [{"a": 1}, {"b": 2}]
        assert questions.stream("/events", since="1") == [{"a": 1}, {"b": 2}]
        state.answer = lambda _path: (200, b'\x1e{"a": 1}\n\x1e{"b"')
        with pytest.raises(ApiError, match="no JSON"):
            questions.stream("/events")


@pytest.mark.parametrize(
    ("status", "content", "kind", "said"),
    [
        (404, b'{"message": "No such container: x"}', Gone, "No such container"),
        (403, b'{"message": "authorization denied by plugin opa: \\u001b[31mno"}', Denied, "denied: authorization denied"),
        (401, b"", Denied, "denied"),
        (500, b"<html>\n\n" + b"x" * 10000, ApiError, "status 500"),
        (301, b"", ApiError, "status 301"),
        (503, b'["x"]', ApiError, "status 503"),
    ],
)
def test_refusals(path, status, content, kind, said):
    state = State(0)
    state.answer = lambda _path: (status, content)
    with fake_engine.serving(path, state) as url, pytest.raises(kind) as raised:
        Questions(url, 5).get("/containers/x/json")
    assert said in str(raised.value)
    assert len(str(raised.value)) < 400
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("address", ["gopher://x", "ssh://root@host", "https://127.0.0.1:2376", "npipe:////./pipe/x", "tcp://a b:2375"])
def test_an_address_that_is_none(address):
    with pytest.raises(ApiError, match="is no address of an engine"):
        Questions(address, 1)


@pytest.mark.parametrize("host", ["a..b", ".example.com", "x" * 64 + ".example.com"])
def test_a_name_of_a_host_that_is_none_is_told(host):
    with pytest.raises(ApiError):
        Questions(f"tcp://{host}:1", 1).get("/info")


def test_an_address_with_two_slashes(path):
    with fake_engine.serving(path, State(1)) as url:
        assert Questions(url.replace("unix:///", "unix://"), 5).get("/info")["Containers"] == 1


@pytest.mark.parametrize("error", [socket.timeout("timed out"), TimeoutError()])
def test_a_connection_that_is_not_made_in_time(path, monkeypatch, error):
    def connect(_socket, _address):
        raise error

    monkeypatch.setattr(socket, "socket", type("Late", (socket.socket,), {"connect": connect}))
    with pytest.raises(TimedOut, match="no engine answers in time on unix://"):
        Questions(f"unix://{path}", 1).get("/info")


def test_the_version_that_the_engine_names_is_spoken(path, monkeypatch):
    state = State(0)
    seen = []
    real = fake_engine._Handler.do_GET
    monkeypatch.setattr(fake_engine._Handler, "do_GET", lambda self: (seen.append(self.path), real(self))[1])
    with fake_engine.serving(path, state) as url:
        questions = Questions(url, 5)
        questions.version()
        questions.get("/containers/json", all=1)
        with pytest.raises(Gone):
            questions.get("/containers/a b?x=1/json")
    assert seen == ["/version", f"/v{fake_engine.API}/containers/json?all=1", f"/v{fake_engine.API}/containers/a%20b%3Fx%3D1/json"]


def test_timeouts_are_their_own_kind(path):
    state = State(0)
    state.slow = {"/info": 1.0}
    with fake_engine.serving(path, state) as url, pytest.raises(TimedOut):
        Questions(url, 0.2).get("/info")


def containers(count):
    return [Question(f"/containers/{fake_engine.container_id(number)}/json") for number in range(count)]


def test_of_many_questions_a_few_are_under_way_at_a_time(path):
    state = State(20)
    state.slow = {"/containers/": 0.02}
    real, lock, now, most = state.answer, threading.Lock(), [0], [0]

    def answer(asked):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        try:
            return real(asked)
        finally:
            with lock:
                now[0] -= 1

    state.answer = answer
    with fake_engine.serving(path, state) as url:
        found = dict(Questions(url, 5).each(containers(20)))
    assert [found[number]["Name"] for number in range(20)] == [f"/shop-web-{number}" for number in range(20)]
    assert most == [docker_api.CONNECTIONS]


def test_answers_that_do_not_come_hold_nobody_up(path):
    """Those that hang are waited for together, and the others come meanwhile."""
    state = State(12)
    hanging = range(docker_api.CONNECTIONS - 1)
    state.slow = {f"/containers/{fake_engine.container_id(number)}": 30 for number in hanging}
    with fake_engine.serving(path, state) as url:
        found = list(Questions(url, 0.5).each(containers(12)))
    assert sorted(number for number, _answer in found) == list(range(12))
    assert {number for number, answer in found[-len(hanging) :]} == set(hanging)
    assert {str(answer) for _number, answer in found[-len(hanging) :]} == {"the engine did not answer within 0.5 seconds"}


def test_answers_that_stop_in_the_middle_are_waited_for_together(path, monkeypatch):
    """Their time ends at the same moment; one after the other it would be as often as there are connections."""
    real = fake_engine._Handler.do_GET

    def halting(self):
        if any(fake_engine.container_id(number) in self.path for number in range(4)):
            self.wfile.write(b"HTTP/1.1 200 .\r\nContent-Length: 5000\r\n\r\n{")
            time.sleep(5)
        else:
            real(self)

    monkeypatch.setattr(fake_engine._Handler, "do_GET", halting)
    moments = []
    with fake_engine.serving(path, State(8)) as url:
        for number, answer in Questions(url, 0.6).each(containers(8)):
            moments.append((number, answer, time.monotonic()))
    late = [moment for number, answer, moment in moments if isinstance(answer, TimedOut)]
    assert len(late) == 4
    # Apart they would take three times the limit, 1.8 seconds.
    assert max(late) - min(late) < 1.2
    assert all(isinstance(answer, dict) for number, answer, _moment in moments if number > 3)


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one(path):
    state = State(2)
    state.slow = {"/info": 0.4}
    with fake_engine.serving(path, state) as url:
        questions = Questions(url, 0.2, connections=1)
        with pytest.raises(TimedOut):
            questions.get("/info")
        assert questions.get("/networks") == fake_engine.NETWORKS
        state.slow = {}
        for _number, first in questions.each(containers(2)):
            assert first["Name"] == "/shop-web-0"
            break
        assert questions.get("/networks") == fake_engine.NETWORKS


def test_one_may_ask_while_others_are_under_way(path):
    with fake_engine.serving(path, State(6)) as url:
        questions = Questions(url, 5)
        names = {questions.get(f"/containers/{answer['Id']}/json")["Name"] for _number, answer in questions.each(containers(6))}
    assert len(names) == 6


def test_an_engine_that_closes_its_connections(path, monkeypatch):
    monkeypatch.setattr(fake_engine._Handler, "protocol_version", "HTTP/1.0")
    with fake_engine.serving(path, State(9)) as url:
        found = dict(Questions(url, 5).each(containers(9)))
    assert [found[number]["Id"] for number in range(9)] == [fake_engine.container_id(number) for number in range(9)]


def test_a_connection_that_was_closed_while_nobody_asked(path, monkeypatch):
    sockets = []
    real = fake_engine._Server.process_request
    monkeypatch.setattr(fake_engine._Server, "process_request", lambda self, *arguments: (sockets.append(arguments[0]), real(self, *arguments))[1])
    with fake_engine.serving(path, State(1)) as url:
        questions = Questions(url, 5)
        for _time in range(2):
            assert questions.get("/info")["Containers"] == 1
            sockets[-1].shutdown(socket.SHUT_RDWR)
    assert len(sockets) == 2


def test_an_engine_that_ends_meanwhile(path):
    with fake_engine.serving(path, State(9)) as url:
        questions = Questions(url, 5)
        asked = questions.each(containers(9))
        assert isinstance(next(asked)[1], dict)
        real, fake_engine._Handler.do_GET = fake_engine._Handler.do_GET, lambda self: self.connection.shutdown(socket.SHUT_RDWR)
        try:
            rest = list(asked)
        finally:
            fake_engine._Handler.do_GET = real
    assert len(rest) == 8
    assert any(isinstance(answer, ApiError) and "no engine answers on" in str(answer) for _number, answer in rest)
    with pytest.raises(ApiError, match="there is no socket|no engine answers"):
        questions.get("/info")


def test_tcp_is_asked_too():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), fake_engine._Handler)
    server.state = State(1)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert Questions(f"tcp://127.0.0.1:{server.server_port}", 5).get("/info")["Containers"] == 1
    finally:
        server.shutdown()
        server.server_close()


def test_without_the_sdk(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "docker", None)
    with pytest.raises(docker_api.SdkMissing, match="python3-docker"):
        Questions("unix:///x", 1)


def test_the_fake_engine_is_like_a_real_one(path):
    """What is changed by asking would be a mistake of ours; the fake refuses it."""
    with fake_engine.serving(path, State(1)) as url:
        assert stat.S_ISSOCK(os.stat(path).st_mode)
        assert json.loads(json.dumps(Questions(url, 5).get("/info")))["Containers"] == 1
