# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import socket
import threading

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import engine_socket


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Returns a function that makes an engine which gives one answer; it yields the path of its socket and what it was asked."""
    # The path of a socket has to be short.
    monkeypatch.chdir(tmp_path)
    asked = []
    threads = []

    def make(answer, silent=False):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind("s")
        listener.listen(1)

        def serve():
            connection, _address = listener.accept()
            with connection, listener:
                asked.append(connection.recv(4096))
                if silent:
                    connection.settimeout(5)
                    connection.recv(1)
                else:
                    connection.sendall(answer)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return "s"

    yield make, asked
    for thread in threads:
        thread.join(5)


def test_an_answer(engine):
    make, asked = engine
    assert engine_socket.get("/info", 2, make(b'HTTP/1.0 200 OK\r\nServer: Docker\r\n\r\n{"a": 1}')) == {"a": 1}
    assert asked[0].startswith(b"GET /info HTTP/1.0\r\n")


def test_one_answer_after_the_other(engine):
    make, _asked = engine
    assert engine_socket.lines("/events", 2, make(b'HTTP/1.0 200 OK\r\n\r\n{"a": 1}\n\n{"b": 2}\n')) == [
        {"a": 1},
        {"b": 2},
    ]


@pytest.mark.parametrize(
    "answer, error, why",
    [
        (b"HTTP/1.0 404 Not Found\r\n\r\n{}", engine_socket.Gone, "no such thing"),
        (b'HTTP/1.0 500 Oh\r\n\r\n{"message":"bad"}', engine_socket.EngineError, "status 500.*bad"),
        (b"HTTP/1.0 200 OK\r\n\r\n{", engine_socket.EngineError, "no JSON"),
        (b"HTTP/1.0 200 OK\r\n\r\n" + b"[" * 100000, engine_socket.EngineError, "no JSON"),
        (b"SSH-2.0 hello", engine_socket.EngineError, "no HTTP"),
        (b"", engine_socket.EngineError, "no HTTP"),
    ],
)
def test_answers_that_are_none(engine, answer, error, why):
    make, _asked = engine
    with pytest.raises(error, match=why):
        engine_socket.get("/info", 2, make(answer))


def test_an_engine_that_is_silent(engine):
    make, _asked = engine
    with pytest.raises(engine_socket.EngineError, match=r"within 0\.2 seconds"):
        engine_socket.get("/info", 0.2, make(b"", silent=True))


def test_no_engine(tmp_path):
    with pytest.raises(engine_socket.EngineError, match="No such file"):
        engine_socket.get("/info", 1, os.path.join(tmp_path, "x"))
