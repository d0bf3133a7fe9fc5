# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Asking the Docker engine through its API, with Docker's SDK for Python (package python3-docker, 5.0.3 or newer).

PRIVATE to the collection: no stability is promised to other users.

The SDK is imported at the first question: a host that is only predicted in check mode may not have it yet.
"""

from __future__ import annotations

import sys
import time
import typing as t

DEFAULT_SOCKET = "unix:///var/run/docker.sock"


class ApiError(Exception):
    """The engine did not answer, or not as it should; the message says what and why."""


class SdkMissing(ApiError):
    """Docker's SDK for Python is not there."""


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


def _sdk() -> tuple[t.Any, t.Any]:
    try:
        import docker
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
