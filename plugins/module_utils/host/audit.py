# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The audit of a host from the first look to the last number: collect, make subjects, judge.

PRIVATE to the collection: no stability is promised to other users.

It reads, and runs nothing but tools of the host that print. What it cannot see makes rules unknown with the reason.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import re
import threading
import time
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import unit_flags
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    containerd_config,
    files,
    look_daemon,
    systemd,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.containerd_config import Containerd
from ansible_collections.bulkhead.docker.plugins.module_utils.host.docker_api import (
    DEFAULT_SOCKET,
    ApiError,
    Questions,
    SdkMissing,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.look_engine import Engine
from ansible_collections.bulkhead.docker.plugins.module_utils.host.look_host import Around, Facts, Host
from ansible_collections.bulkhead.docker.plugins.module_utils.host.look_places import Places, Sockets
from ansible_collections.bulkhead.docker.plugins.module_utils.host.look_processes import Processes
from ansible_collections.bulkhead.docker.plugins.module_utils.host.machine import THIS, Machine
from ansible_collections.bulkhead.docker.plugins.module_utils.host.path_owners import Paths
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import gate, result
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import snapshot as normalise
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import (
    ContainerLook,
    DaemonLook,
    EngineLook,
    Policy,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.waivers import Waiver

#: The form of what is collected and judged; another one when results stop being comparable.
COLLECTOR = "1"
_UNIX = "unix://"
_OF_USER = re.compile(r"unix://(?:/var)?/run/user/([0-9]{1,10})/docker\.sock")
_UNITS = ("docker.service", "docker.socket", "containerd.service")
_PROPERTIES = ("Id", "FragmentPath", "DropInPaths", "MainPID", "ExecStart", "Environment", "EnvironmentFiles")


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        docker_host: address of the engine's socket; empty for where its settings say that it listens.
        timeout: seconds for one answer of the engine.
        time_limit: seconds for all of them.
        policy: see snapshot.Policy.
        waivers: as waivers.parse gives them.
        today: the day on which waivers count.
        host: the name of the host in findings.
        include, fail_on: see result.conclude.
    """

    docker_host: str = ""
    timeout: float = 20
    time_limit: float = 120
    policy: Policy = Policy()
    waivers: t.Sequence[Waiver] = ()
    today: datetime.date | None = None
    host: str = ""
    include: t.Collection[str] = result.DEFAULT_INCLUDE
    fail_on: str = gate.NEVER


class Seen(t.NamedTuple):
    """All that was brought home."""

    engine: EngineLook
    daemon: DaemonLook
    facts: Facts
    apparmor_modes: t.Mapping[str, str] | None


def run(request: Request, machine: Machine = THIS) -> dict[str, t.Any]:
    """Return what an audit says of a host, as plain values: what `result.conclude` returns, ``engine``, ``api_calls`` and ``duration``.

    Raises:
        docker_api.SdkMissing: Docker's SDK for Python is not installed.
    """
    begin = time.monotonic()
    seen = look(request, machine)
    about = {"engine": _summary(seen), "api_calls": seen.engine.calls, "collector": COLLECTOR}
    subjects, context = normalise.subjects(seen.engine, seen.daemon, seen.facts, request.policy, seen.apparmor_modes)
    # What is judged is in the subjects; the answers of a thousand containers need not lie beside it.
    del seen
    today = request.today or datetime.date.today()
    concluded = result.conclude(subjects, request.host, context, request.waivers, today, request.include, request.fail_on)
    return {**concluded, **about, "duration": round(time.monotonic() - begin, 3)}


def look(request: Request, machine: Machine = THIS) -> Seen:
    """Return everything that is known about a host before anything is judged.

    Raises:
        docker_api.SdkMissing: Docker's SDK for Python is not installed.
    """
    home = _home_of(request.docker_host, machine)
    # systemctl takes its time, and most of what follows does without it. Units of users are those of other managers.
    units = _Later(lambda: {} if home else _units(machine))
    pid_files = [f"{os.path.dirname(request.docker_host[len(_UNIX) :])}/docker.pid"] if home else look_daemon.PID_FILES
    process = look_daemon.find([machine.root + path for path in pid_files], machine.proc, lambda: _main_pid(units.get(), "docker.service"))
    if process.arguments is None and not process.pid:
        process.arguments = _unit_arguments(units.get())
    default_file = f"{home}/.config/docker/daemon.json" if home else look_daemon.CONFIG_FILE
    daemon = look_daemon.look(process, default_file, machine.proc, machine.root)
    url = request.docker_host or _socket_url(daemon)
    socket = url[len(_UNIX) :] if url.startswith(_UNIX) else ""
    owners = _owners(process.pid, machine)
    paths = Paths(machine.root, owners)
    engine = _engine(request, f"{_UNIX}{machine.root}{socket}" if socket else url, Processes(machine.proc, machine.cgroups))
    looked = engine.look()
    sockets = Sockets(paths, [socket, *_unix_sockets(daemon)], machine.proc)
    looked = dataclasses.replace(looked, containers=_with_places(looked, Places(paths, sockets, looked.volumes)))
    data_root = looked.info.get("DockerRootDir")
    if isinstance(data_root, str) and data_root.startswith("/"):
        daemon = dataclasses.replace(daemon, swarm_state=look_daemon.swarm_state(data_root, machine.root))
    containerd, containerd_error = _containerd(looked, machine, units.get())
    around = Around(looked, daemon, process, containerd, containerd_error, socket, units.get(), sockets.found, home)
    facts = Host(around, paths, machine, owners).look()
    facts["exec_audit"] = engine.exec_audit
    return Seen(looked, daemon, facts, machine.profiles())


class _Later:
    """What a function returns, computed in a thread of its own meanwhile."""

    def __init__(self, function: t.Callable[[], t.Any]) -> None:
        self._results: list[t.Any] = []
        self._errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._work, args=(function,), daemon=True)
        self._thread.start()

    def get(self) -> t.Any:
        """Return it, or raise what it raised."""
        self._thread.join()
        if self._errors:
            raise self._errors[0]
        return self._results[0]

    def _work(self, function: t.Callable[[], t.Any]) -> None:
        try:
            self._results.append(function())
        except BaseException as error:  # pylint: disable=broad-except
            self._errors.append(error)


class _Unasked:
    """In place of an engine whose address is none."""

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self.exec_audit: Fact | Unknown = Unknown(reason, "GET /events")

    def look(self) -> EngineLook:
        return EngineLook(error=self._reason)


def _engine(request: Request, url: str, processes: Processes) -> Engine | _Unasked:
    try:
        questions = Questions(url, request.timeout)
    except SdkMissing:
        raise
    except ApiError as error:
        return _Unasked(str(error))
    labels = frozenset(waiver.label.partition("=")[0] for waiver in request.waivers if waiver.label)
    return Engine(questions, processes.look, labels, request.time_limit)


def _units(machine: Machine) -> dict[str, dict[str, str]]:
    try:
        return systemd.properties_of(_UNITS, _PROPERTIES, run=machine.run)
    except commands.CommandError:
        # Without systemd, files are looked for where they usually lie.
        return {}


def _home_of(docker_host: str, machine: Machine) -> str:
    """Return the home of the user whose daemon is looked at, empty for the daemon of root."""
    match = _OF_USER.fullmatch(docker_host)
    return machine.home(int(match[1])) if match else ""


def _main_pid(units: t.Mapping[str, t.Mapping[str, str]], unit: str) -> int:
    said = units.get(unit, {}).get("MainPID", "")
    return int(said) if said.isdecimal() else 0


def _unit_arguments(units: t.Mapping[str, t.Mapping[str, str]]) -> list[str] | None:
    shown = units.get("docker.service", {})
    if not shown.get("ExecStart"):
        return None
    try:
        return unit_flags.arguments(shown["ExecStart"], systemd.environment(shown))
    except (files.FileError, ValueError):
        return None


def _socket_url(daemon: DaemonLook) -> str:
    """Return the socket on which the daemon is told to listen, or the usual one."""
    return next((f"{_UNIX}{path}" for path in _unix_sockets(daemon)), DEFAULT_SOCKET)


def _unix_sockets(daemon: DaemonLook) -> list[str]:
    given = (daemon.config or {}).get("hosts")
    hosts = [*daemon.flags.get("host", []), *(given if isinstance(given, list) else [])]
    return [host[len(_UNIX) :] for host in hosts if isinstance(host, str) and host.startswith(f"{_UNIX}/")]


def _owners(pid: int, machine: Machine) -> tuple[int, ...]:
    """Return who may own the daemon's files: root, and the user of a daemon that is not root's."""
    try:
        uid = os.stat(f"{machine.proc}/{pid}").st_uid if pid else 0
    except OSError:
        uid = 0
    return machine.trusted if uid in machine.trusted else (*machine.trusted, uid)


def _with_places(looked: EngineLook, places: Places) -> tuple[ContainerLook, ...]:
    return tuple(dataclasses.replace(look, places=found) for look, found in zip(looked.containers, places.of_all(looked.containers)))


def _containerd(looked: EngineLook, machine: Machine, units: t.Mapping[str, t.Mapping[str, str]]) -> tuple[Containerd | None, str]:
    said = looked.info.get("Containerd")
    address = str(said.get("Address") or "") if isinstance(said, dict) else ""
    own = address.endswith("/containerd/containerd.sock") and "/docker/" in address
    pid = 0 if own else _main_pid(units, "containerd.service")
    try:
        # A containerd that dockerd started itself has its configuration beside its socket.
        default_file = f"{os.path.dirname(address)}/containerd.toml" if own else containerd_config.CONFIG_FILE
        found = containerd_config.read(look_daemon.arguments_of(pid, machine.proc), machine.root, default_file)
    except files.FileError as error:
        return None, str(error)
    return (found._replace(address=address) if address else found), ""


def _summary(seen: Seen) -> dict[str, str]:
    """Return what is worth knowing about the engine in a report."""
    info, version = seen.engine.info, seen.engine.version
    rows = {
        "product": seen.engine.product,
        "version": version.get("Version"),
        "api": version.get("ApiVersion"),
        "system": info.get("OperatingSystem"),
        "kernel": info.get("KernelVersion"),
        "architecture": info.get("Architecture"),
        "storage": info.get("Driver"),
        "data_root": info.get("DockerRootDir"),
        "error": seen.engine.error,
        "unanswered": "; ".join(f"{name}: {reason}" for name, reason in sorted(seen.engine.errors.items())),
    }
    return {name: str(value) for name, value in rows.items() if value}
