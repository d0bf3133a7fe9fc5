# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Stopping and starting containers, and listing what a daemon holds, without Docker's SDK, which a host may not have yet.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import os
import re
import socket
import time
import typing as t
import urllib.parse

from ansible_collections.bulkhead.docker.plugins.module_utils.host import engine_socket
from ansible_collections.bulkhead.docker.plugins.module_utils.host.engine_socket import EngineError, Gone
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.move import Container, Inventory, Volume

#: What the engine gives a container that asks for no time of its own, in seconds, and what we add for its answer.
_STOP_TIMEOUT = 10
_ANSWER = 30
_AT_ONCE = 8
_LISTED = 20
_IDENTIFIER = re.compile(r"[0-9a-f]{12,64}")
#: What of the host a container may share that userns-remap does not allow (moby: daemon/daemon_unix.go).
_SHARED = (("NetworkMode", "the host's network"), ("PidMode", "the host's processes"))


class EngineControl:
    """One engine, behind its socket.

    Args:
        address: path of the socket.
        timeout: seconds for one answer.
    """

    def __init__(self, address: str = engine_socket.DEFAULT_SOCKET, timeout: float = 30) -> None:
        self.address = address
        self._timeout = timeout

    def inventory(self) -> Inventory:
        """Return all that the daemon holds."""
        info = self._get("/info")
        listed = self._get("/containers/json?all=1")
        with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
            inspected = list(pool.map(self._inspect, [str(entry["Id"]) for entry in listed]))
        volumes = (self._get("/volumes") or {}).get("Volumes") or []
        return Inventory(
            containers=tuple(_container(found) for found in inspected if found is not None),
            images=tuple(sorted(str(entry["Id"]) for entry in self._get("/images/json?all=1"))),
            volumes=tuple(sorted((_volume(entry) for entry in volumes), key=lambda volume: volume.name)),
            driver=str(info.get("Driver", "")),
            in_containerd=any("io.containerd.snapshotter" in str(pair) for pair in info.get("DriverStatus") or ()),
            swarm=str((info.get("Swarm") or {}).get("LocalNodeState") or "inactive"),
            plugins=tuple(str(entry.get("Name")) for entry in self._get("/plugins") or ()),
        )

    def root(self) -> str:
        """Return the effective root that the daemon itself names."""
        return str(self._get("/info").get("DockerRootDir", ""))

    def running(self) -> set[str]:
        """Return the ids of the containers that have a process."""
        return {str(entry["Id"]) for entry in self._get("/containers/json")}

    def stop_all(self, containers: t.Sequence[Container]) -> dict[str, str]:
        """Stop containers, several at once, and return why some still run, by id."""
        with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
            said = dict(zip([found.identifier for found in containers], pool.map(lambda found: self._stop(found.identifier), containers)))
        # The list of containers follows what happened to them by a moment.
        deadline = time.monotonic() + _LISTED
        left = self.running()
        while not all(said[identifier] for identifier in said if identifier in left) and time.monotonic() < deadline:
            time.sleep(0.5)
            left = self.running()
        return {identifier: said.get(identifier) or "the engine says that it stopped, and lists it as running" for identifier in said if identifier in left}

    def start(self, identifier: str) -> str:
        """Start a container and return why it did not start; empty when it runs. One that is gone is no matter."""
        try:
            self._post(f"/containers/{_checked(identifier)}/start", self._timeout + _ANSWER)
        except Gone:
            return ""
        except EngineError as error:
            return str(error)
        return ""

    def give_restart_policy(self, identifier: str, policy: t.Mapping[str, t.Any]) -> str:
        """Let the engine start a container by itself again, if it does not; return why not, empty when it does or the container is gone."""
        try:
            host = (self._inspect(identifier) or {}).get("HostConfig") or {}
            if (host.get("RestartPolicy") or {}).get("Name") in ("", "no"):
                self._post(f"/containers/{_checked(identifier)}/update", self._timeout, {"RestartPolicy": dict(policy)})
        except Gone:
            return ""
        except EngineError as error:
            return str(error)
        return ""

    def look_inside(self, identifier: str) -> str:
        """Return which of a container's root and volumes the engine cannot give it, and why; empty when it can, or the container is gone.

        The engine mounts both as the container's configuration says, looks there, and opens nothing (moby: daemon/containerfs_linux.go).
        """
        try:
            found = self._inspect(identifier) or {}
            volumes = [str(mount.get("Destination")) for mount in found.get("Mounts") or () if mount.get("Type") == "volume"]
            for path in ["/", *volumes] if found else []:
                try:
                    self._call("HEAD", f"/containers/{_checked(identifier)}/archive?path={urllib.parse.quote(path, safe='')}", self._timeout)
                except EngineError as error:
                    return f"{path}: {error}" if self._inspect(identifier) is not None else ""
        except EngineError as error:
            return str(error)
        return ""

    def _stop(self, identifier: str) -> str:
        try:
            config = (self._inspect(identifier) or {}).get("Config") or {}
            patience = config.get("StopTimeout")
            own = patience if isinstance(patience, int) and patience >= 0 else _STOP_TIMEOUT
            self._post(f"/containers/{_checked(identifier)}/stop", own + _ANSWER)
        except Gone:
            return ""
        except EngineError as error:
            return str(error)
        return ""

    def _inspect(self, identifier: str) -> dict[str, t.Any] | None:
        try:
            return t.cast("dict[str, t.Any]", self._get(f"/containers/{_checked(identifier)}/json"))
        except Gone:
            return None

    def _get(self, path: str) -> t.Any:
        return engine_socket.get(path, self._timeout, self.address)

    def _post(self, path: str, timeout: float, value: t.Any = None) -> None:
        self._call("POST", path, timeout, value)

    def _call(self, method: str, path: str, timeout: float, value: t.Any = None) -> None:
        connection = _UnixConnection(self.address, timeout)
        body = b"" if value is None else json.dumps(value).encode("ascii")
        headers = {"Content-Length": str(len(body)), "User-Agent": "bulkhead.docker", **({"Content-Type": "application/json"} if body else {})}
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            said = answer.read(4096)
        except socket.timeout as error:
            raise EngineError(f"it did not answer within {timeout:g} seconds") from error
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(f"{self.address}: {error}") from error
        finally:
            connection.close()
        if answer.status == 404:
            raise Gone(_message(said) or "it is not there")
        # 304: it is so already.
        if answer.status not in (200, 204, 304):
            raise EngineError(_message(said) or f"the engine answers with status {answer.status}")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def socket_path(url: str) -> str:
    """Return the path of a socket from its address as docker's clients write it."""
    return urllib.parse.urlsplit(url).path or engine_socket.DEFAULT_SOCKET


def _checked(identifier: str) -> str:
    if not _IDENTIFIER.fullmatch(identifier):
        raise EngineError(f"'{identifier[:80]}' is no id of a container")
    return identifier


def _container(found: t.Mapping[str, t.Any]) -> Container:
    host = found.get("HostConfig") or {}
    state = found.get("State") or {}
    shared = [words for key, words in _SHARED if host.get(key) == "host"]
    return Container(
        identifier=str(found["Id"]),
        name=str(found.get("Name") or found["Id"]).lstrip("/"),
        status=str(state.get("Status") or ("running" if state.get("Running") else "exited")),
        removed_at_stop=bool(host.get("AutoRemove")),
        host_parts=(*(["privileged mode"] if host.get("Privileged") else []), *shared),
        own_userns=host.get("UsernsMode") == "host",
        # A link may lead into the root.
        binds=tuple(os.path.realpath(str(mount.get("Source"))) for mount in found.get("Mounts") or () if mount.get("Type") == "bind"),
        started=str(state.get("StartedAt") or ""),
    )


def _volume(entry: t.Mapping[str, t.Any]) -> Volume:
    options = entry.get("Options") or {}
    device = str(options.get("device") or "")
    return Volume(str(entry.get("Name")), str(entry.get("Driver")), os.path.realpath(device) if device.startswith("/") else device)


def _message(content: bytes) -> str:
    text = content.decode("utf-8", "replace")
    try:
        answer = json.loads(text)
        text = str(answer["message"]) if isinstance(answer, dict) and "message" in answer else text
    except (ValueError, RecursionError):
        pass
    return " ".join(text.split())[:300]
