# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import http.server
import json
import socketserver
import threading

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import engine_control
from ansible_collections.bulkhead.docker.plugins.module_utils.host.engine_control import EngineControl
from ansible_collections.bulkhead.docker.plugins.module_utils.host.engine_socket import EngineError

WEB, DATABASE = "a" * 64, "b" * 64


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@pytest.fixture
def engine(tmp_path):
    """An engine of two containers, behind a real socket; what is posted is noted, and stuck ones do not stop."""

    class Handler(http.server.BaseHTTPRequestHandler):
        posted = []
        running = {WEB, DATABASE}
        stuck = set()
        late = 0
        looked = []
        seen = {}
        mounts = []
        host = {}
        bodies = []

        def answer(self, status, value=None):
            body = b"" if value is None else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            if self.path == "/containers/json":
                lagging = Handler.late > 0
                Handler.late -= 1
                return self.answer(200, [{"Id": found} for found in (sorted({WEB, DATABASE}) if lagging else sorted(Handler.running))])
            identifier = self.path.split("/")[2]
            if identifier not in (WEB, DATABASE):
                return self.answer(404, {"message": "No such container"})
            return self.answer(200, {"Id": identifier, "Name": "/web", "Config": {"StopTimeout": 1}, "Mounts": Handler.mounts, "HostConfig": Handler.host})

        def do_HEAD(self):
            Handler.looked.append(self.path)
            return self.answer(Handler.seen.get(self.path.partition("=")[2], 200))

        def do_POST(self):
            Handler.posted.append(self.path)
            Handler.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            _empty, _containers, identifier, verb = self.path.split("/")
            if identifier not in (WEB, DATABASE):
                return self.answer(404, {"message": "No such container"})
            if verb == "stop":
                if identifier in Handler.stuck:
                    return self.answer(500, {"message": "tried to kill container, but did not receive an exit event"})
                Handler.running = Handler.running - {identifier}
            return self.answer(204)

        def address_string(self):
            return "unix"

        def log_message(self, *_arguments):
            return None

    with Server(str(tmp_path / "engine.sock"), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield EngineControl(str(tmp_path / "engine.sock")), Handler
        server.shutdown()


def containers(*identifiers):
    return [engine_control.Container(identifier, identifier[0], "running") for identifier in identifiers]


def test_all_are_stopped(engine):
    control, server = engine
    assert control.stop_all(containers(WEB, DATABASE)) == {}
    assert sorted(server.posted) == [f"/containers/{WEB}/stop", f"/containers/{DATABASE}/stop"]


def test_a_list_that_follows_late_is_waited_for(engine):
    control, server = engine
    server.late = 2
    assert control.stop_all(containers(WEB, DATABASE)) == {}


def test_one_that_does_not_stop_is_named_with_the_engines_words(engine):
    control, server = engine
    server.stuck = {DATABASE}
    assert control.stop_all(containers(WEB, DATABASE)) == {DATABASE: "tried to kill container, but did not receive an exit event"}


def test_one_that_is_gone_need_not_start(engine):
    control, _server = engine
    assert control.start("c" * 64) == ""
    assert control.start(WEB) == ""


def test_a_container_is_asked_for_its_root_and_its_volumes_and_for_no_directory_of_the_host(engine):
    control, server = engine
    server.mounts = [{"Type": "volume", "Destination": "/my data?"}, {"Type": "bind", "Destination": "/var/run/docker.sock"}]
    assert control.look_inside(WEB) == ""
    assert [path.partition("=")[2] for path in server.looked] == ["%2F", "%2Fmy%20data%3F"]


def test_what_a_container_does_not_see_is_named(engine):
    control, server = engine
    server.mounts = [{"Type": "volume", "Destination": "/data"}]
    server.seen = {"%2Fdata": 404}
    assert control.look_inside(WEB) == "/data: it is not there"
    server.seen = {"%2F": 500}
    assert control.look_inside(WEB) == "/: the engine answers with status 500"
    assert control.look_inside("c" * 64) == ""


@pytest.mark.parametrize(("has", "given"), [("no", True), ("always", False), ("unless-stopped", False)])
def test_a_restart_policy_is_given_to_a_container_that_has_none(engine, has, given):
    control, server = engine
    server.host = {"RestartPolicy": {"Name": has}}
    assert control.give_restart_policy(WEB, {"Name": "on-failure", "MaximumRetryCount": 3}) == ""
    assert server.posted == ([f"/containers/{WEB}/update"] if given else [])
    assert [json.loads(body) for body in server.bodies] == ([{"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}] if given else [])
    assert control.give_restart_policy("c" * 64, {"Name": "always"}) == ""


@pytest.mark.parametrize("identifier", ["../../info", "web", "a" * 65, "a?x=1", ""])
def test_nothing_but_an_id_gets_into_a_path(engine, identifier):
    control, server = engine
    assert "is no id" in control.start(identifier)
    assert server.posted == []


def test_an_engine_that_is_not_there_is_told(tmp_path):
    with pytest.raises(EngineError):
        EngineControl(str(tmp_path / "none.sock")).running()


def test_what_matters_of_a_container_is_read():
    found = engine_control._container(
        {
            "Id": WEB,
            "Name": "/web",
            "State": {"Status": "paused", "StartedAt": "2026"},
            "HostConfig": {"AutoRemove": True, "Privileged": True, "NetworkMode": "host", "UsernsMode": "host"},
            "Mounts": [{"Type": "bind", "Source": "/srv"}, {"Type": "volume", "Source": "/var/lib/docker/volumes/v/_data"}],
        }
    )
    assert (found.name, found.status, found.running, found.removed_at_stop, found.own_userns) == ("web", "paused", True, True, True)
    assert found.host_parts == ("privileged mode", "the host's network")
    assert found.binds == ("/srv",)


def test_a_link_into_the_root_is_seen_for_what_it_is(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("/var/lib/docker/volumes")
    found = engine_control._container({"Id": WEB, "Mounts": [{"Type": "bind", "Source": str(link)}]})
    assert found.binds == ("/var/lib/docker/volumes",)
    assert engine_control._volume({"Name": "v", "Driver": "local", "Options": {"device": str(link)}}).device == "/var/lib/docker/volumes"
    assert engine_control._volume({"Name": "v", "Driver": "local", "Options": {"device": ":/export"}}).device == ":/export"
