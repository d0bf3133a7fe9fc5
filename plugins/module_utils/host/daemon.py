# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The daemon of this host as the transaction sees it: its files, its unit, its API, its journal.

PRIVATE to the collection: no stability is promised to other users.

Everything here is one small step without a decision; the decisions are in daemon_transaction, which is tested with a
host that does not exist.
"""

from __future__ import annotations

import dataclasses
import os
import stat
import time
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    daemon_journal,
    daemon_json,
    daemon_state,
    unit_flags,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_config import Context
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files, State
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import Version
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    container_logs,
    daemon_facts,
    daemon_places,
    docker_data,
    engine,
    files,
    locks,
    move_file,
    processes,
    restart_due,
    systemd,
    watch,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.docker_api import DEFAULT_SOCKET, ApiError, DockerApi
from ansible_collections.bulkhead.docker.plugins.module_utils.host.seccomp_host import SeccompHost

UNIT = "docker.service"
SOCKET_UNIT = "docker.socket"
SECCOMP_FILE = "/etc/docker/seccomp-bulkhead.json"
STATE_DIRECTORY = "/var/lib/bulkhead"
STATE_FILE = STATE_DIRECTORY + "/daemon.json"
LOCK_FILE = STATE_DIRECTORY + "/daemon.lock"
_PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "NRestarts",
    "ExecStart",
    "Environment",
    "EnvironmentFiles",
    "MainPID",
    "InvocationID",
)


@dataclasses.dataclass(frozen=True)
class Unit:
    """What systemd says about docker.service.

    Attributes:
        loaded: whether there is such a unit.
        active: whether dockerd is up and said so.
        failing: whether it failed, or is being started again and again.
        arguments: dockerd's arguments, with the unit's variables filled in.
        started: when dockerd was started, in seconds since the epoch; 0 when it does not run.
        masked: whether somebody forbade systemd to start it.
        invocation: systemd's id of this run of the unit; another one after every start. Empty where there is none.
        step: what systemd is doing with it, such as ``activating (start-pre)``.
        wrapped: whether the unit starts another program than dockerd, which may start it with arguments of its own.
        pid: of dockerd; 0 when it does not run.
    """

    loaded: bool
    active: bool
    failing: bool
    arguments: tuple[str, ...] = ()
    started: float = 0.0
    masked: bool = False
    invocation: str = ""
    step: str = ""
    wrapped: bool = False
    pid: int = 0

    @property
    def flags(self) -> dict[str, list[str]]:
        """The flags among the arguments."""
        return unit_flags.parse(self.arguments)

    @property
    def starting(self) -> bool:
        """Whether a start has begun and not ended, be it the first or one of many."""
        return self.step.startswith("activating (start")

    @property
    def rests(self) -> bool:
        """Whether nobody has asked for it: it neither runs nor is to be made running."""
        return not (self.active or self.failing or self.starting)


class Daemon:
    """The one daemon that systemd runs as docker.service.

    Args:
        config_file: absolute path of daemon.json.
    """

    def __init__(self, config_file: str = "/etc/docker/daemon.json") -> None:
        self.config_file = config_file
        self.seccomp_file = SECCOMP_FILE
        self.seccomp = SeccompHost()
        self.state_file = STATE_FILE
        self.log_memory = ""
        self.socket = DEFAULT_SOCKET
        self.scope = systemd.SYSTEM
        self._api: DockerApi | None = None
        self._modes: dict[str, int] = {}
        self._unreadable = False

    def engine_version(self) -> str | None:
        """Return the version of the installed dockerd, or None where there is none."""
        return engine.installed_version()

    def coming_version(self) -> str | None:
        """Return the version that an installation would bring, or None where that is not known."""
        return engine.coming_version()

    # Files ---------------------------------------------------------------------------------------------------------

    def read_files(self) -> Files:
        """Return daemon.json and our seccomp profile as they are."""
        return Files(files.read_text(self.config_file), files.read_text(self.seccomp_file))

    def write_files(self, wanted: Files) -> None:
        """Make both files what is wanted, each whole or not at all; a mode tighter than ours stays."""
        present = self.read_files()
        self._remember_modes()
        for path, before, after in (
            (self.seccomp_file, present.seccomp, wanted.seccomp),
            (self.config_file, present.config, wanted.config),
        ):
            if after is not None and after != before:
                files.ensure_directory(os.path.dirname(path))
                files.write_text(path, after, mode=self._modes.get(path, 0o644))
        # Taken away last: until the configuration is replaced it may still name the profile.
        for path, before, after in (
            (self.config_file, present.config, wanted.config),
            (self.seccomp_file, present.seccomp, wanted.seccomp),
        ):
            if after is None and before is not None:
                files.remove(path)

    def _remember_modes(self) -> None:
        # Kept for as long as we live: a file that is taken away may have to be put back.
        for path in (self.config_file, self.seccomp_file):
            if os.path.lexists(path):
                self._modes[path] = stat.S_IMODE(os.lstat(path).st_mode) & 0o644

    def written(self) -> float:
        """Return when the younger of both files was written, in seconds since the epoch; 0 where neither exists."""
        moments = [0.0]
        for path in (self.config_file, self.seccomp_file):
            try:
                moments.append(os.stat(path).st_mtime)
            except FileNotFoundError:
                continue
        return max(moments)

    def read_state(self) -> tuple[State, str]:
        """Return what we remember, and a warning when the memory is damaged."""
        try:
            text = files.read_text(self.state_file)
        except files.NotText:
            text = ""
        state, damage = daemon_state.parse(text, self.state_file)
        self._unreadable = bool(damage)
        return state, damage

    def write_state(self, state: State) -> None:
        """Remember; a memory that we could not read is kept beside the new one."""
        files.ensure_directory(STATE_DIRECTORY, mode=0o700)
        if self._unreadable:
            files.keep_copy(self.state_file, self.state_file + daemon_state.KEPT)
            self._unreadable = False
        files.write_text(self.state_file, daemon_state.render(state), mode=0o600)

    # Facts ---------------------------------------------------------------------------------------------------------

    def unit(self) -> Unit:
        """Return what systemd says about docker.service now."""
        shown = systemd.properties(UNIT, _PROPERTIES, self.scope)
        state, sub = shown["ActiveState"], shown["SubState"]
        active = state in systemd.RUNNING
        return Unit(
            loaded=shown["LoadState"] == "loaded",
            active=active,
            # Between two waits of a unit that is started again and again it is starting like any other.
            failing=state == "failed" or sub == "auto-restart" or (state == "activating" and shown["NRestarts"] not in ("", "0")),
            arguments=tuple(unit_flags.arguments(shown["ExecStart"], systemd.environment(shown)))
            if shown["ExecStart"]
            else (),
            started=processes.started(int(shown["MainPID"] or 0)) if active else 0.0,
            masked=shown["LoadState"] == "masked",
            wrapped="/dockerd ;" not in shown["ExecStart"],
            invocation=shown["InvocationID"],
            step=f"{state} ({sub})",
            pid=int(shown["MainPID"] or 0) if active else 0,
        )

    def outdated(self, unit: Unit) -> list[Problem]:
        """Return why the dockerd that runs is not the one that its unit would start now."""
        if not unit.active:
            return []
        found = [Problem(UNIT, reason) for reason in restart_due.read(unit.invocation)]
        running = processes.arguments(unit.pid)
        # A program of a site between systemd and dockerd may give it other arguments, and is no reason to restart.
        if running is not None and not unit.wrapped and unit_flags.differ(unit.arguments, running):
            from ansible_collections.bulkhead.docker.plugins.module_utils.host import drift_look

            here, there = (" ".join(map(drift_look.masked, words)) for words in (running, unit.arguments))
            found.append(Problem(UNIT, f"dockerd runs with '{here}', but its unit says '{there}'"))
        return found

    def last_reload(self, unit: Unit) -> dict[str, str]:
        """Return what this run of dockerd said at its last SIGHUP; nothing where it does not tell of any."""
        if not unit.active or not unit.started:
            return {}
        try:
            events = self.api().reloads_since(int(unit.started * 1e9))
        except ApiError:
            return {}
        return events[-1] if events else {}

    def watch(self, rescue: t.Callable[[], None]) -> t.ContextManager[None]:
        """Return what calls the rescue if this process is killed while it is entered; see watch.watched."""
        return watch.watched(rescue)

    def lock(self, seconds: float) -> t.ContextManager[None]:
        """Return what keeps other runs from changing this daemon while it is entered; see locks.held."""
        files.ensure_directory(STATE_DIRECTORY, mode=0o700)
        return locks.held(LOCK_FILE, seconds)

    def context(self, root: str | None) -> Context:
        """Return the facts that decide whether a value can be."""
        return daemon_facts.context(swarm=root is not None and self.inventory(root).swarm)

    def effective_root(self, config: t.Mapping[str, t.Any], unit: Unit) -> str | None:
        """Return the directory that dockerd would use, or None when the remapped user has no ranges yet."""
        return daemon_facts.effective_root(config, unit.flags)

    def problems(self, config: t.Mapping[str, t.Any], root: str | None, predicting: bool) -> list[Problem]:
        """Return what a configuration needs and this host lacks."""
        return [
            *daemon_places.owner_problems(self.config_file),
            *(daemon_facts.containerd_problems() if self.scope is systemd.SYSTEM else []),
            *daemon_facts.problems(config, root, predicting, self.seccomp_file),
        ]

    def start_problems(self, root: str) -> list[Problem]:
        """Return why a daemon would not start in a root; see daemon_places.start_problems."""
        return daemon_places.start_problems(root)

    def inventory(self, root: str) -> docker_data.DockerData:
        """Return what a root holds."""
        return docker_data.inventory(root)

    def was_moved(self, old: str, new: str) -> bool:
        """Tell whether what one root holds was copied to another and compared; see move_file.leads."""
        return move_file.leads(old, new)

    def logs(
        self,
        asked: container_logs.Asked,
        before: t.Mapping[str, t.Any],
        after: t.Mapping[str, t.Any],
        unit: Unit,
        version: Version,
        root: str | None,
        info: t.Mapping[str, t.Any] | None,
    ) -> container_logs.Report:
        """Return how containers log with a configuration; see container_logs.look."""
        return container_logs.look(asked, before, after, unit.flags, version, root, info, self.api, self.log_memory)

    def remember_logs(self, before: t.Mapping[str, t.Any], after: t.Mapping[str, t.Any]) -> None:
        """Note what new containers got until now; see container_logs.remember."""
        container_logs.remember(before, after, self.log_memory)

    def validate(self, text: str, unit: Unit) -> str:
        """Return what ``dockerd --validate`` with the unit's flags says against a configuration; empty when nothing."""
        kept = []
        skip = False
        for word in unit.arguments:
            if skip or word.startswith("--config-file"):
                skip = word == "--config-file" and not skip
                continue
            kept.append(word)
        done = commands.run(["dockerd", *kept, "--validate", "--config-file=/dev/stdin"], stdin=text, check=False)
        return (
            ""
            if done.rc == 0
            else daemon_journal.reason((done.stderr + done.stdout).splitlines()).replace("/dev/stdin", self.config_file)
        )

    # Acting --------------------------------------------------------------------------------------------------------

    def reload(self) -> None:
        """Send SIGHUP to dockerd itself; that it was sent says nothing about what dockerd made of it."""
        commands.run([*self.scope.systemctl, "kill", "--signal=HUP", "--kill-who=main", UNIT])

    def start(self, timeout: float) -> bool:
        """Start dockerd and return whether systemd says that it is up."""
        return self._bring_up(systemd.start, timeout)

    def restart(self, timeout: float) -> bool:
        """Restart dockerd and return whether systemd says that it is up."""
        if self.unit().active:
            if self._socket_lost():
                # systemd does not make the socket anew while the service has the old one.
                systemd.stop(SOCKET_UNIT, UNIT, timeout=timeout, scope=self.scope)
                return self._bring_up(systemd.start, timeout)
            return self._bring_up(systemd.restart, timeout)
        try:
            # A start that systemd is about to make by itself (RestartSec=) would use up the one that a unit may have left.
            systemd.stop(UNIT, timeout=timeout, scope=self.scope)
        except commands.CommandError:
            return False
        return self._bring_up(systemd.start, timeout)

    def stop(self) -> bool:
        """Stop dockerd and the socket that would start it again, and return whether it is down, with no failure on record."""
        try:
            systemd.stop(SOCKET_UNIT, UNIT, scope=self.scope)
        except commands.CommandError:
            return False
        systemd.reset_failed(UNIT, self.scope)
        return self.unit().rests

    def disconnect(self) -> None:
        """Forget the connection to the daemon, which may listen elsewhere when it is asked again."""
        if self._api is not None:
            self._api.close()
            self._api = None

    def _socket_lost(self) -> bool:
        """Tell whether systemd listens for dockerd on a path that nobody finds any more."""
        shown = systemd.properties(SOCKET_UNIT, ["ActiveState", "Listen"], self.scope)
        paths = [word for word in shown["Listen"].split() if word.startswith("/")]
        return shown["ActiveState"] == "active" and any(not _is_socket(path) for path in paths)

    def _bring_up(self, action: t.Callable[..., commands.CommandResult], timeout: float) -> bool:
        self.disconnect()
        self._forget_starts()
        try:
            up = action(UNIT, timeout=timeout, scope=self.scope).rc == 0
        except commands.CommandError:
            return False
        if up:
            # Our own starts must not use up those of whoever comes next.
            self._forget_starts()
        return up

    def _forget_starts(self) -> None:
        # Both units count starts: after a few within a minute systemd would refuse a deliberate one (start-limit-hit).
        systemd.reset_failed(UNIT, self.scope)
        systemd.reset_failed(SOCKET_UNIT, self.scope)

    # Listening -----------------------------------------------------------------------------------------------------

    def listeners(self) -> list[str]:
        """Return the addresses that the daemon is told to listen on, by its flags and its file."""
        try:
            config = daemon_json.parse(self.read_files().config or "")
        except daemon_json.DaemonJsonError:
            config = {}
        hosts = config.get("hosts")
        return [str(value) for value in (*self.unit().flags.get("host", []), *(hosts if isinstance(hosts, list) else []))]

    def address(self) -> str:
        """Return where the daemon listens."""
        return next((value for value in self.listeners() if value.startswith("unix://")), self.socket)

    def api(self) -> DockerApi:
        """Return the connection to the daemon."""
        if self._api is None:
            self._api = DockerApi(self.address())
        return self._api

    def journal_cursor(self) -> str:
        """Return a mark in the journal."""
        return systemd.journal_cursor()

    def journal_reason(self, cursor: str = "") -> str:
        """Return why dockerd does not run, from its journal; with a mark, only from what came after it."""
        lines: list[str] = []
        for _attempt in range(5):
            # What dockerd printed last may still be on its way when systemd already knows that it ended.
            systemd.journal_sync()
            lines = systemd.journal(UNIT, cursor, scope=self.scope)
            # Without a mark, what came before the last start is about other troubles.
            lines = lines if cursor else daemon_journal.last_attempt(lines)
            found = daemon_journal.reason(lines)
            if found:
                return found
            time.sleep(0.5)
        return daemon_journal.verdict(lines)

    def now(self) -> int:
        """Return the time, in nanoseconds since the epoch."""
        return time.time_ns()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False
