# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Asking the Docker engine through its API, with Docker's SDK for Python (package python3-docker, 5.0.3 or newer).

PRIVATE to the collection: no stability is promised to other users.

The SDK is imported at the first question: a host that is only predicted in check mode may not have it yet.
"""

from __future__ import annotations

import errno
import http.client
import json
import math
import re
import select
import socket
import sys
import time
import typing as t
import urllib.parse

DEFAULT_SOCKET = "unix:///var/run/docker.sock"
# As many questions as are under way at a time.
CONNECTIONS = 4


class ApiError(Exception):
    """The engine did not answer, or not as it should; the message says what and why."""


class SdkMissing(ApiError):
    """Docker's SDK for Python is not there."""


class Denied(ApiError):
    """The engine or its socket refuses to answer."""


class Gone(ApiError):
    """What was asked for is not there."""


class TimedOut(ApiError):
    """The engine did not answer in time."""


class DockerApi:
    """A connection to one engine; every question has a time limit.

    Args:
        url: of the engine's socket.
        timeout: seconds for one answer.
    """

    def __init__(self, url: str = DEFAULT_SOCKET, timeout: float = 20) -> None:
        self._url = url
        self._timeout = timeout
        self._client: t.Any = None

    def require_sdk(self) -> None:
        """Raise SdkMissing when the SDK cannot be imported."""
        _sdk()

    def info(self) -> dict[str, t.Any]:
        """Return the answer of ``GET /info``."""
        return t.cast("dict[str, t.Any]", self._ask(lambda client: client.info()))

    def running(self) -> dict[str, str]:
        """Return the running containers: names by id."""
        found = self._ask(lambda client: client.containers())
        return {entry["Id"]: (entry.get("Names") or [entry["Id"]])[0].lstrip("/") for entry in found}

    def inspect(self, identifier: str) -> dict[str, t.Any] | None:
        """Return everything about a container, or None when it is gone."""
        return t.cast(
            "dict[str, t.Any] | None",
            self._ask(lambda client: client.inspect_container(identifier), missing_is_none=True),
        )

    def inspect_all(self) -> list[dict[str, t.Any]]:
        """Return everything about every container, running or not."""
        found = self._ask(lambda client: client.containers(all=True, quiet=True))
        inspected = [self.inspect(entry["Id"]) for entry in found]
        return [container for container in inspected if container is not None]

    def reloads_since(self, moment: int) -> list[dict[str, str]]:
        """Return the attributes of the daemon's reload events after a moment, in nanoseconds since the epoch."""
        # With an end that has passed, the engine sends what it has kept and closes the stream: nothing is missed.
        window = {
            "since": f"{moment // 10**9}.{moment % 10**9:09d}",
            "until": f"{time.time():.9f}",
            "filters": {"type": "daemon", "event": "reload"},
            "decode": True,
        }
        events = self._ask(lambda client: list(client.events(**window)))
        return [
            dict(event.get("Actor", {}).get("Attributes") or {})
            for event in events
            if event.get("timeNano", 0) >= moment
        ]

    def ask(self, question: t.Callable[[t.Any], t.Any]) -> t.Any:
        """Ask the SDK's client what has no method here; errors and time limits are those of every question."""
        return self._ask(question)

    def close(self) -> None:
        """Forget the connection; the next question makes a new one."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _ask(self, question: t.Callable[[t.Any], t.Any], missing_is_none: bool = False) -> t.Any:
        docker, requests = _sdk()
        try:
            if self._client is None:
                self._client = docker.APIClient(base_url=self._url, version="auto", timeout=self._timeout)
            return question(self._client)
        except docker.errors.NotFound as error:
            if missing_is_none:
                return None
            raise ApiError(f"the Docker engine on {self._url} refused: {error}") from error
        except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
            self.close()
            raise ApiError(f"the Docker engine on {self._url} does not answer: {_first_line(error)}") from error


class Question(t.NamedTuple):
    """What is asked: a path without the version, and the parameters of the query."""

    path: str
    parameters: t.Mapping[str, t.Any] = {}


class Questions:
    """Questions to one engine that only read; each has a time limit and is counted.

    Answers are what the engine gives, as parsed JSON; nothing is made of them and nothing is asked again. Of many questions
    a few are under way at a time, each on a connection of its own, and while one answer is used the engine writes the next:
    threads would hand Python's lock to and fro at each file that is read about a container, and cost more than they win.

    Args:
        url: of the engine's socket.
        timeout: seconds for one answer.
        connections: how many are used at a time; they are kept open.
    """

    def __init__(self, url: str = DEFAULT_SOCKET, timeout: float = 20, connections: int = CONNECTIONS) -> None:
        self.url = url
        self.calls = 0
        self.server = ""
        self._timeout = timeout
        self._prefix = ""
        self._most = connections
        self._free = [_connection(url, timeout)]

    def version(self) -> dict[str, t.Any]:
        """Return the answer of ``GET /version``; what is asked from then on is asked in the newest version that it names."""
        answer = self.get("/version")
        if not isinstance(answer, dict):
            raise ApiError(f"what answers on {self.url} is no Docker engine: it says {type(answer).__name__} for its version")
        named = str(answer.get("ApiVersion", ""))
        if _API_VERSION.fullmatch(named):
            self._prefix = f"/v{named}"
        return answer

    def get(self, path: str, **parameters: t.Any) -> t.Any:
        """Return the answer to a question.

        Args:
            path: without the version.
            parameters: of the query.

        Raises:
            Gone, Denied, TimedOut, ApiError: it was not answered; see there.
        """
        return _parsed(self._answer(path, parameters))

    def stream(self, path: str, **parameters: t.Any) -> list[t.Any]:
        """Return the answers to a question that the engine answers with one after the other, as `get` does."""
        text = self._answer(path, parameters).decode("utf-8", "replace")
        decoder = json.JSONDecoder()
        found: list[t.Any] = []
        place = 0
        while True:
            # Separators are white space, and a record separator in one of the formats (RFC 7464).
            while place < len(text) and text[place] in " \t\r\n\x1e":
                place += 1
            if place == len(text):
                return found
            try:
                answer, place = decoder.raw_decode(text, place)
            except (ValueError, RecursionError) as error:
                raise ApiError("the engine's answer is no JSON") from error
            found.append(answer)

    def each(self, questions: t.Sequence[Question], may_ask: t.Callable[[], None] = lambda: None) -> t.Iterator[tuple[int, t.Any]]:
        """Give the place of each question and its answer, or the ApiError that came instead, in the order in which they come.

        Args:
            may_ask: called before each question; one for which it raises ApiError is not asked.
        """
        for number, content in self._exchange(questions, may_ask):
            if isinstance(content, ApiError):
                yield number, content
                continue
            try:
                answer = _parsed(content)
            except ApiError as error:
                answer = error
            yield number, answer

    def close(self) -> None:
        """Close all connections."""
        for connection in self._free:
            connection.close()

    def _answer(self, path: str, parameters: t.Mapping[str, t.Any]) -> bytes:
        ((_number, content),) = self._exchange([Question(path, parameters)], lambda: None)
        if isinstance(content, ApiError):
            raise content  # pylint: disable=raising-non-exception
        return content

    def _exchange(self, questions: t.Sequence[Question], may_ask: t.Callable[[], None]) -> t.Iterator[tuple[int, bytes | ApiError]]:
        left = iter(enumerate(questions))
        under_way: dict[int, _Asked] = {}
        failed: list[tuple[int, ApiError]] = []
        poll = select.poll()

        def ask() -> None:
            """Ask the next question that can be asked, if there is one."""
            for number, question in left:
                connection = self._free.pop() if self._free else _connection(self.url, self._timeout)
                try:
                    may_ask()
                    self._send(connection, question)
                except ApiError as error:
                    failed.append((number, error))
                    self._free.append(connection)
                    continue
                under_way[connection.sock.fileno()] = _Asked(number, connection, time.monotonic() + self._timeout)
                poll.register(connection.sock, select.POLLIN)
                return

        try:
            for _first in range(min(self._most, len(questions))):
                ask()
            while True:
                while failed:
                    yield failed.pop(0)
                if not under_way:
                    return
                ready = {descriptor for descriptor, _event in poll.poll(_milliseconds_until(min(asked.until for asked in under_way.values())))}
                moment = time.monotonic()
                for descriptor in ready or [descriptor for descriptor, asked in under_way.items() if asked.until <= moment]:
                    asked = under_way.pop(descriptor)
                    poll.unregister(descriptor)
                    content = self._receive(asked) if ready else self._late(asked.connection)
                    self._free.append(asked.connection)
                    ask()
                    yield asked.number, content
        finally:
            for asked in under_way.values():
                # An answer that nobody took must not be taken for that to the next question.
                asked.connection.close()
                self._free.append(asked.connection)

    def _send(self, connection: t.Any, question: Question) -> None:
        self.calls += 1
        query = f"?{urllib.parse.urlencode(question.parameters)}" if question.parameters else ""
        place = f"{self._prefix}{urllib.parse.quote(question.path, safe='/:')}{query}"
        try:
            if connection.sock is not None and _has_something(connection.sock):
                # The engine has nothing to say unasked: it closed the connection. The request makes another one.
                connection.close()
            http.client.HTTPConnection.request(connection, "GET", place, headers=_HEADERS)
        except (http.client.HTTPException, OSError, UnicodeError) as error:
            # The last is how a name of a host that is none is told (encodings.idna).
            connection.close()
            raise _connection_error(error, self.url) from error

    def _receive(self, asked: _Asked) -> bytes | ApiError:
        connection = asked.connection
        try:
            # The time for an answer ends at the same moment for those that come in pieces, and for those that wait meanwhile.
            connection.sock.settimeout(max(asked.until - time.monotonic(), 0.01))
            response = http.client.HTTPConnection.getresponse(connection)
            status, content = response.status, response.read()
            if connection.sock is not None:
                connection.sock.settimeout(self._timeout)
        except socket.timeout:
            return self._late(connection)
        except (http.client.HTTPException, OSError) as error:
            connection.close()
            return _connection_error(error, self.url)
        self.server = self.server or str(response.headers.get("Server", ""))
        return content if status == 200 else _refusal(status, content)

    def _late(self, connection: t.Any) -> ApiError:
        connection.close()
        return TimedOut(f"the engine did not answer within {self._timeout:g} seconds")


class _Asked(t.NamedTuple):
    """A question under way: its place among all, the connection it went over, until when it can be answered."""

    number: int
    connection: t.Any
    until: float


def _connection(url: str, timeout: float) -> t.Any:
    """Return a connection of the SDK that is made at the first question.

    It is spoken to as the standard library's connection that it is: what urllib3 puts around an answer differs from version
    to version, and costs more than the answer.
    """
    docker, _requests = _sdk()
    from docker.transport import unixconn

    try:
        base_url = str(docker.utils.parse_host(url))
        if base_url.startswith(_OF_UNIX):
            # Its hints have whole seconds only.
            return unixconn.UnixHTTPConnection(url, f"/{base_url[len(_OF_UNIX):].lstrip('/')}", t.cast("int", timeout))
        base = urllib.parse.urlsplit(base_url)
        if base.scheme == "http":
            return http.client.HTTPConnection(base.hostname or "", base.port, timeout=timeout)
    except (docker.errors.DockerException, http.client.InvalidURL, ValueError) as error:
        raise ApiError(f"{url} is no address of an engine: {_first_line(error)}") from error
    raise ApiError(f"{url} is no address of an engine: it is neither a unix socket nor tcp")


def _has_something(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def _milliseconds_until(moment: float) -> int:
    return max(0, math.ceil((moment - time.monotonic()) * 1000))


def _parsed(content: bytes) -> t.Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ApiError("the engine's answer is no JSON") from error


def _refusal(status: int, content: bytes) -> ApiError:
    said = _said(content)
    if status in (401, 403):
        return Denied(f"denied: {said}" if said else "denied")
    if status == 404:
        return Gone(f"the engine knows no such thing: {said}")
    return ApiError(f"the engine answered with status {status}: {said}")


_HEADERS = {"Host": "docker", "User-Agent": "bulkhead.docker", "Accept": "application/json"}
_OF_UNIX = "http+unix://"
_API_VERSION = re.compile(r"1\.[0-9]{1,3}")


def _connection_error(error: BaseException, url: str) -> ApiError:
    """Return what kept a connection from being made or used, in words."""
    found: BaseException | None = error
    for _step in range(10):
        if found is None or isinstance(found, socket.timeout) or (isinstance(found, OSError) and found.errno):
            break
        inner = [item for item in (*found.args, getattr(found, "reason", None)) if isinstance(item, BaseException)]
        found = inner[0] if inner else found.__cause__ or found.__context__
    number = found.errno if isinstance(found, OSError) else None
    if number in (errno.EACCES, errno.EPERM):
        return Denied(f"denied: this account may not use {url}")
    if number == errno.ENOENT:
        return ApiError(f"no engine answers: there is no socket {url}")
    if number == errno.ECONNREFUSED:
        return ApiError(f"no engine answers on {url}")
    if isinstance(found, socket.timeout):
        return TimedOut(f"no engine answers in time on {url}")
    return ApiError(f"no engine answers on {url}: {_first_line(found or error)}")


def _said(content: bytes) -> str:
    text = content[:4096].decode("utf-8", "replace")
    try:
        answer = json.loads(text)
        text = str(answer["message"]) if isinstance(answer, dict) and "message" in answer else text
    except (ValueError, RecursionError):
        pass
    return " ".join(text.split())[:200]


def _sdk() -> tuple[t.Any, t.Any]:
    try:
        import docker
        import docker.constants
        import docker.errors
        import requests
    except ImportError as error:
        raise SdkMissing(
            f"Docker's SDK for Python is not installed for {sys.executable} ({error}); install the package "
            "python3-docker"
        ) from error
    return docker, requests


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
