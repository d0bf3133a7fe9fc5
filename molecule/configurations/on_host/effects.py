# SPDX-License-Identifier: Apache-2.0
"""Whether a configuration has the effect that a case says: in what the daemon tells, in a new container, on the host."""

from __future__ import annotations

import http.client
import os
import pathlib
import socket
import subprocess
import time
import typing as t
import urllib.request

import preparations
from witness import IMAGE, engine, run


def differing(shows: dict[str, t.Any], since: float, answer: dict[str, t.Any]) -> list[str]:
    """Return each effect that is not there, with what was found instead.

    Args:
        shows: what to look at, by the names of the functions below, each with what has to be found.
        since: when the configuration was given, in seconds since the epoch.
        answer: what the module said.
    """
    looks = {**_LOOKS, "answer": lambda path, _since: _at(answer, path)}
    found = []
    for look, expected in shows.items():
        for what, value in expected.items():
            try:
                seen = looks[look](what, since)
            except (OSError, RuntimeError, LookupError) as error:
                seen = f"{type(error).__name__}: {error}"
            if not _fits(seen, value):
                found.append(f"{look} {what}: {seen!r} where {value!r} is due")
    return found


def _fits(seen: t.Any, wanted: t.Any) -> bool:
    if isinstance(wanted, str) and isinstance(seen, str):
        return wanted in seen
    if isinstance(wanted, list) and isinstance(seen, list):
        return all(entry in seen for entry in wanted)
    return bool(seen == wanted)


def _at(tree: t.Any, path: str) -> t.Any:
    for name in path.split("/"):
        tree = tree[int(name)] if isinstance(tree, list) else tree[name]
    return tree


def info(path: str, _since: float) -> t.Any:
    return _at(engine().info(), path)


def created(path: str, _since: float) -> t.Any:
    """Something of a container that is made now."""
    client = engine()
    name = client.create_container(IMAGE, ["true"])["Id"]
    try:
        return _at(client.inspect_container(name), path)
    finally:
        client.remove_container(name)


def container(command: str, _since: float) -> str:
    """What a command prints in a new container."""
    return run("docker", "run", "--rm", IMAGE, "sh", "-c", command)


def event(name: str, since: float) -> str:
    """An attribute of the last reload event."""
    events = list(engine().events(since=since, until=time.time() + 0.1, filters={"type": "daemon", "event": "reload"}, decode=True))
    return str(events[-1]["Actor"]["Attributes"][name])


def network(path: str, _since: float) -> t.Any:
    """Something of a bridge network that is made now."""
    client = engine()
    identifier = client.create_network("case")["Id"]
    try:
        return _at(client.inspect_network(identifier), path)
    finally:
        client.remove_network(identifier)


def served(url: str, _since: float) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def journal(_name: str, since: float) -> str:
    """What dockerd has said since then."""
    return run("journalctl", "--unit", "docker.service", "--output", "cat", "--no-pager", f"--since=@{since:.3f}")


def runs(name: str, _since: float) -> bool:
    """Whether there is a process of that name."""
    return any(_comm(entry) == name for entry in os.listdir("/proc") if entry.isdigit())


def _comm(entry: str) -> str:
    try:
        return pathlib.Path("/proc", entry, "comm").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def path_exists(name: str, _since: float) -> bool:
    return os.path.exists(name)


def file_group(name: str, _since: float) -> int:
    return os.stat(name).st_gid


def command(words: str, _since: float) -> str:
    done = subprocess.run(words.split(), capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def ping(header: str, _since: float) -> str:
    """A header of the daemon's shortest answer."""
    connection = http.client.HTTPConnection("docker")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect("/run/docker.sock")
    connection.request("GET", "/_ping")
    return str(connection.getresponse().headers[header])


_LOOKS: dict[str, t.Callable[[str, float], t.Any]] = {
    "info": info,
    "created": created,
    "container": container,
    "event": event,
    "network": network,
    "served": served,
    "journal": journal,
    "runs": runs,
    "asked": lambda plugin, _since: plugin in preparations.ASKED,
    "path exists": path_exists,
    "file group": file_group,
    "command": command,
    "ping": ping,
}
