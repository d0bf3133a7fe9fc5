# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""A few questions to the engine through its socket, for those who cannot wait for Docker's SDK to be imported.

PRIVATE to the collection: no stability is promised to other users.

It only reads, speaks HTTP/1.0, and makes a connection for each question, which the engine closes after its answer; so there
is neither a chunk nor a pool to take care of.
"""

from __future__ import annotations

import json
import socket
import time
import typing as t

DEFAULT_SOCKET = "/run/docker.sock"
#: An answer that is larger is no answer; in bytes.
_LARGEST = 256 * 1024 * 1024


class EngineError(Exception):
    """The engine did not answer, or not as it should; the message says what and why."""


class Gone(EngineError):
    """What was asked for is not there."""


def get(path: str, timeout: float, address: str = DEFAULT_SOCKET) -> t.Any:
    """Return the answer to a question, as parsed JSON.

    Args:
        path: with its query, which has to be encoded already.
        timeout: seconds for the whole answer.
        address: path of the engine's socket.
    """
    try:
        return json.loads(_answer(path, timeout, address))
    except (ValueError, RecursionError) as error:
        raise EngineError("its answer is no JSON") from error


def lines(path: str, timeout: float, address: str = DEFAULT_SOCKET) -> list[t.Any]:
    """Return the answers to a question that the engine answers with one line of JSON after the other."""
    try:
        return [json.loads(line) for line in _answer(path, timeout, address).splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise EngineError("its answer is no JSON") from error


def _answer(path: str, timeout: float, address: str) -> bytes:
    deadline = time.monotonic() + timeout
    parts = []
    size = 0
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(address)
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: docker\r\nUser-Agent: bulkhead.docker\r\n\r\n".encode("ascii"))
            while True:
                connection.settimeout(max(deadline - time.monotonic(), 0.001))
                part = connection.recv(256 * 1024)
                if not part:
                    break
                size += len(part)
                if size > _LARGEST:
                    raise EngineError(f"its answer is larger than {_LARGEST} bytes")
                parts.append(part)
    except socket.timeout as error:
        raise EngineError(f"it did not answer within {timeout:g} seconds") from error
    except OSError as error:
        raise EngineError(f"{address}: {error.strerror or error}") from error
    head, separator, body = b"".join(parts).partition(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].split(b" ", 2)
    if not separator or len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise EngineError("its answer is no HTTP")
    status = int(words[1])
    if status == 404:
        raise Gone("the engine knows no such thing")
    if status != 200:
        raise EngineError(f"it answered with status {status}: {' '.join(body[:300].decode('utf-8', 'replace').split())}")
    return body
