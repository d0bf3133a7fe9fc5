# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What of the running daemon, its containers and its filesystems no manifest can hold, looked at in a few questions.

PRIVATE to the collection: no stability is promised to other users.

The engine is asked only while its service runs: a question to the socket of one that was stopped would start it.
"""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.drift import live
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.live import DaemonSeen, Room
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    daemon_info,
    daemon_keys,
    daemon_state,
    unit_flags,
    versions,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    drift_look,
    drift_places,
    engine_socket,
    files,
    processes,
)

if t.TYPE_CHECKING:
    from ansible_collections.bulkhead.docker.plugins.module_utils.engine.log_budget import LogConfig

STATE_FILE = "/var/lib/bulkhead/daemon.json"
_LOG_MEMORY = "/var/lib/bulkhead/log-defaults.json"
#: The engine keeps so many events (moby: daemon/events, eventsLimit), so where that many are, older ones are gone.
_EVENTS_KEPT = 256
_CREATED_KEYS = tuple(name for name, key in daemon_keys.KEYS.items() if key.reaches == daemon_keys.CREATED)
CONTAINERD_ROOT = "/var/lib/containerd"


class Engine:
    """The running engine, asked with a time limit for each answer.

    Attributes:
        info: the answer of GET /info, None where there is none.
        silence: why not, empty where it was not asked.
    """

    def __init__(self, timeout: float, address: str) -> None:
        self._timeout = timeout
        self._address = address
        self.info: dict[str, t.Any] | None = None
        self.silence = ""

    def ask(self) -> None:
        """Ask for what decides whether the rest is asked."""
        try:
            answer = engine_socket.get("/info", self._timeout, self._address)
            if not isinstance(answer, dict):
                raise engine_socket.EngineError("its answer is no JSON object")
            self.info = answer
        except engine_socket.EngineError as error:
            self.silence = str(error)

    def last_reload(self, since: float, invocation: str) -> dict[str, str] | None:
        """Return the attributes of the daemon's last reload since a moment; an empty dictionary where there was none.

        None where neither the engine nor the journal knows what happened since.

        Args:
            since: in seconds since the epoch.
            invocation: systemd's id of this run of the daemon.

        Raises:
            engine_socket.EngineError: it does not answer.
        """
        # An end that has passed makes the engine send what it has kept and close the stream.
        events = engine_socket.lines(f"/events?since={max(since, 0):.0f}&until={time.time():.9f}", self._timeout, self._address)
        found = [
            dict((event.get("Actor") or {}).get("Attributes") or {})
            for event in events
            if isinstance(event, dict) and event.get("Type") == "daemon" and event.get("Action") == "reload"
        ]
        if found:
            return {str(name): str(value) for name, value in found[-1].items()}
        return _reload_in_journal(invocation) if len(events) >= _EVENTS_KEPT else {}

    def listed(self) -> list[dict[str, t.Any]]:
        """Return the list of all containers."""
        return [entry for entry in engine_socket.get("/containers/json?all=1", self._timeout, self._address) if isinstance(entry, dict)]

    def inspect(self, identifier: str) -> dict[str, t.Any] | None:
        """Return everything about a container, None where it is gone by now."""
        try:
            answer = engine_socket.get(f"/containers/{identifier}/json", self._timeout, self._address)
        except engine_socket.Gone:
            return None
        return answer if isinstance(answer, dict) else None


def memory(path: str = STATE_FILE) -> tuple[daemon_state.State, str]:
    """Return what the role of the daemon remembers, and why that cannot be used."""
    try:
        return daemon_state.parse(files.read_text(path), path)
    except files.FileError as error:
        return daemon_state.State(), str(error)


def daemon(eyes: drift_look.Eyes, engine: Engine, known: daemon_state.State, config_file: str) -> DaemonSeen:
    """Return what is known of the running daemon.

    Raises:
        ValueError, files.FileError, engine_socket.EngineError: something of it cannot be known; the message says what.
    """
    shown = eyes.unit("docker.service")
    active = shown["ActiveState"] in ("active", "reloading", "refreshing")
    started = processes.started(int(shown["MainPID"] or 0)) if active else 0.0
    info = engine.info
    version = versions.parse(str((info or {}).get("ServerVersion") or versions.NEWEST_KNOWN))
    return DaemonSeen(
        files=daemon_state.Files(_content(config_file), _content(drift_places.SECCOMP_FILE)),
        memory=known,
        version=version,
        active=active,
        invocation=shown["InvocationID"],
        fresh=max(_written(config_file), _written(drift_places.SECCOMP_FILE)) <= started,
        flags=unit_flags.parse(processes.arguments(int(shown["MainPID"] or 0)) or ()) if active else {},
        info=info,
        reload=engine.last_reload(started, shown["InvocationID"]) if info is not None else None,
        config_file=config_file,
    )


def stale(engine: Engine, seen: DaemonSeen) -> tuple[list[dict[str, t.Any]], float | None]:
    """Return the containers that lack a default of new ones, see daemon_info.stale_containers, and when the newest of those came.

    Raises:
        engine_socket.EngineError: the engine does not answer.
    """
    since = {name: moment for name, moment in seen.memory.since.items() if name in _CREATED_KEYS}
    if not since or seen.info is None or not seen.info.get("Containers"):
        return [], None
    newest = max(since.values())
    candidates = [str(entry["Id"]) for entry in engine.listed() if entry.get("Created", 0) < newest]
    inspected = [container for container in map(engine.inspect, candidates) if container is not None]
    return daemon_info.stale_containers(inspected, seen.config, since, _former_logs()), newest


def running(engine: Engine) -> list[str]:
    """Return the names of the running containers, at most twenty."""
    entries = engine_socket.get("/containers/json?limit=20", engine._timeout, engine._address)
    return sorted(str((entry.get("Names") or [entry.get("Id", "")])[0]).lstrip("/") for entry in entries if entry.get("State") == "running")


def rooms(paths: t.Iterable[str]) -> list[Room]:
    """Return the room on the filesystems that hold the paths, each filesystem once; paths that are not there are left out."""
    found: dict[int, Room] = {}
    for path in paths:
        try:
            device = os.stat(path).st_dev
            status = os.statvfs(path)
        except OSError:
            continue
        # What root alone may use is no room that containers have.
        usable = status.f_blocks - status.f_bfree + status.f_bavail
        found.setdefault(device, Room(path, usable * status.f_frsize, status.f_bavail * status.f_frsize, status.f_files, status.f_ffree))
    return list(found.values())


def address(arguments: t.Sequence[str], config: t.Mapping[str, t.Any]) -> str:
    """Return the path of the socket on which the daemon listens.

    Args:
        arguments: of dockerd.
        config: its file.
    """
    hosts = config.get("hosts")
    named = [*unit_flags.parse(arguments).get("host", []), *(hosts if isinstance(hosts, list) else [])]
    paths = [str(host)[len("unix://") :] for host in named if str(host).startswith("unix:///")]
    return paths[0] if paths else engine_socket.DEFAULT_SOCKET


def _reload_in_journal(invocation: str) -> dict[str, str] | None:
    """Return what the journal says of the last reload, which it remembers for longer; None where it does not reach back to the start."""
    try:
        said = commands.run(
            [
                *("journalctl", "--quiet", "--no-pager", "--output=cat", "--reverse", "--lines=1"),
                *("--grep=Reloaded configuration|Starting up", f"_SYSTEMD_INVOCATION_ID={invocation}"),
            ],
            timeout=15,
            check=False,
        )
    except commands.CommandError:
        return None
    if said.rc or not said.stdout.strip():
        return None
    return {} if "Starting up" in said.stdout else live.reload_in(said.stdout) or None


def _content(path: str) -> str | None:
    """Return the text of a file as dockerd reads it, which follows links."""
    return files.read_text(os.path.realpath(path))


def _written(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _former_logs() -> list[LogConfig]:
    import json

    from ansible_collections.bulkhead.docker.plugins.module_utils.engine.log_budget import LogConfig

    try:
        entries = json.loads(files.read_text(_LOG_MEMORY) or "[]")
        return [LogConfig("", str(entry["driver"]), dict(entry["options"])) for entry in entries]
    except (ValueError, KeyError, TypeError, RecursionError, files.FileError):
        return []
