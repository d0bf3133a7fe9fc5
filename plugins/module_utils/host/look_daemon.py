# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""How the daemon was started and set up: its process, its flags, its file, its variables, where it listens.

PRIVATE to the collection: no stability is promised to other users.

What a running process was started with counts more than what its unit says now; the unit is read where none runs. Tokens of
log drivers and passwords of proxies are taken out of what is kept, of the text of the file only where it is shown.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_json, unit_flags
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import secrets
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import DaemonLook, Json

CONFIG_FILE = "/etc/docker/daemon.json"
PID_FILES = ("/run/docker.pid", "/var/run/docker.pid")
# Whose values say nothing that should not leave the host; of others only the names do.
_SHOWN_VARIABLES = frozenset(
    "DOCKER_RAMDISK DOCKER_INSECURE_NO_IPTABLES_RAW DOCKER_IGNORE_BR_NETFILTER_ERROR DOCKER_ALLOW_IPV6_ON_IPV4_INTERFACE DOCKER_MIN_API_VERSION "
    "DOCKER_DRIVER DOCKER_TMPDIR DOCKER_TLS_VERIFY DOCKER_CERT_PATH DOCKER_FIREWALL_BACKEND".split()
)
NOT_SHOWN = "(its value is not read)"
_LARGEST = 1024 * 1024
_LISTEN = "0A"


class Daemon:
    """The process of dockerd, as far as there is one that can be looked at.

    Attributes:
        pid: its number; 0 where none was found.
        arguments: with which it was started, without its own name, or those of its unit; None where they are not known.
        program: path of what it runs, empty where that is not known.
        reason: why something of it is not known.
    """

    def __init__(self, pid: int = 0, arguments: t.Sequence[str] | None = None, program: str = "", reason: str = "") -> None:
        self.pid = pid
        self.arguments = arguments
        self.program = program
        self.reason = reason

    @property
    def flags(self) -> dict[str, list[str]]:
        """The flags among its arguments."""
        return unit_flags.parse(self.arguments or ())


def find(pid_files: t.Sequence[str] = PID_FILES, proc: str = "/proc", main_pid: t.Callable[[], int] = lambda: 0) -> Daemon:
    """Return the daemon: by its pid file, by what systemd says, or the only one in the namespaces of this process.

    Args:
        main_pid: what systemd says, asked only where there is no pid file; 0 where it does not say.
    """
    for pid in map(_number, pid_files):
        if pid and _program_name(pid, proc) == "dockerd":
            return _started(pid, proc)
    pid = main_pid()
    if pid and _program_name(pid, proc) == "dockerd":
        return _started(pid, proc)
    same = [pid for pid in _pids(proc) if _program_name(pid, proc) == "dockerd" and _same_namespaces(pid, proc)]
    if len(same) == 1:
        return _started(same[0], proc)
    return Daemon(reason="several daemons run, and none of them says which is the one" if same else "dockerd does not run")


def look(daemon: Daemon, default_file: str = CONFIG_FILE, proc: str = "/proc", root: str = "") -> DaemonLook:
    """Return the settings of the daemon.

    Args:
        default_file: where its configuration lies when no flag says otherwise.
        root: a directory that stands for the root of the host; empty for the host itself.
    """
    path = str([*daemon.flags.get("config-file", []), default_file][0])
    text, config, config_error = _config(root + path, path)
    seccomp = config.get("seccomp-profile") if config else None
    seccomp = seccomp or [*daemon.flags.get("seccomp-profile", []), ""][0]
    return DaemonLook(
        config=secrets.anything(config),
        config_text=text,
        config_error=config_error,
        config_file=path,
        flags={name: [secrets.scrubbed(value) for value in values] for name, values in daemon.flags.items()},
        flags_error="" if daemon.arguments is not None else daemon.reason or "the arguments of dockerd cannot be read",
        listening=listening(daemon.pid, proc) if daemon.pid else None,
        seccomp_profile=_profile(root + seccomp) if isinstance(seccomp, str) and seccomp.startswith("/") else None,
        environment=environment(daemon.pid, proc) or {},
    )


def environment(pid: int, proc: str = "/proc") -> dict[str, str] | None:
    """Return the variables of a process that begin with DOCKER_, None where they cannot be read."""
    if not pid:
        return None
    content = _bytes(f"{proc}/{pid}/environ")
    if content is None:
        return None
    found = {}
    for entry in content.decode("utf-8", "replace").split("\0"):
        name, equals, value = entry.partition("=")
        if equals and name.startswith("DOCKER_"):
            found[name] = value if name in _SHOWN_VARIABLES else NOT_SHOWN
    return found


def search_path(pid: int, proc: str = "/proc") -> tuple[str, ...]:
    """Return the directories in which a process looks for programs; those of a system service where that is not known."""
    content = _bytes(f"{proc}/{pid}/environ") if pid else None
    for entry in (content or b"").decode("utf-8", "replace").split("\0"):
        if entry.startswith("PATH="):
            return tuple(part for part in entry[5:].split(":") if part.startswith("/"))
    return ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def swarm_state(data_root: str, root: str = "") -> Json | None:
    """Return the addresses that a node of a swarm was given, None where it is none or they cannot be read.

    Args:
        data_root: the effective root of the daemon.
        root: see `look`.
    """
    try:
        found = json.loads(files.read_text(f"{root}{data_root}/swarm/docker-state.json") or "")
    except (files.FileError, OSError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    # What else stands there, such as keys to join with, is left where it is.
    return {name: found[name] for name in ("ListenAddr", "AdvertiseAddr", "DataPathAddr") if isinstance(found.get(name), str)}


def arguments_of(pid: int, proc: str = "/proc") -> list[str]:
    """Return the arguments of a process, without its own name; none where they cannot be read."""
    content = _bytes(f"{proc}/{pid}/cmdline") if pid else None
    return content.decode("utf-8", "replace").rstrip("\0").split("\0")[1:] if content else []


def listening(pid: int, proc: str = "/proc") -> tuple[str, ...] | None:
    """Return the addresses on which a process listens by TCP, None where its descriptors cannot be read."""
    sockets = {}
    for name, unpack in (("tcp", _ipv4), ("tcp6", _ipv6)):
        content = _bytes(f"{proc}/{pid}/net/{name}", 64 * _LARGEST)
        if content is None and name == "tcp":
            return None
        for line in (content or b"").decode("ascii", "replace").splitlines()[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[3] == _LISTEN:
                address, _colon, port = fields[1].partition(":")
                sockets[fields[9]] = f"{unpack(address)}:{int(port, 16)}"
    if not sockets:
        return ()
    try:
        numbers = os.listdir(f"{proc}/{pid}/fd")
    except OSError:
        return None
    found = set()
    for number in numbers:
        try:
            target = os.readlink(f"{proc}/{pid}/fd/{number}")
        except OSError:
            continue
        if target.startswith("socket:[") and target[8:-1] in sockets:
            found.add(sockets[target[8:-1]])
    return tuple(sorted(found))


def _config(place: str, path: str) -> tuple[str, Json | None, str]:
    try:
        text = files.read_text(os.path.realpath(place))
    except (files.FileError, OSError, ValueError) as error:
        return "", None, str(error).replace(place, path)
    if text is None:
        return "", {}, ""
    try:
        return text, daemon_json.parse(text), ""
    except daemon_json.DaemonJsonError as error:
        return text, None, f"{path} {error}"


def _profile(place: str) -> Json | None:
    try:
        found = json.loads(files.read_text(os.path.realpath(place)) or "")
    except (files.FileError, OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _started(pid: int, proc: str) -> Daemon:
    content = _bytes(f"{proc}/{pid}/cmdline")
    try:
        program = os.readlink(f"{proc}/{pid}/exe")
    except OSError:
        program = ""
    if not content:
        return Daemon(pid, None, program, "denied: this account may not read the arguments of dockerd")
    return Daemon(pid, content.decode("utf-8", "replace").rstrip("\0").split("\0")[1:], program.replace(" (deleted)", ""))


def _pids(proc: str) -> list[int]:
    try:
        return [int(name) for name in os.listdir(proc) if name.isdecimal()]
    except OSError:
        return []


def _program_name(pid: int, proc: str) -> str:
    return (_bytes(f"{proc}/{pid}/comm") or b"").decode("utf-8", "replace").strip()


def _same_namespaces(pid: int, proc: str) -> bool:
    """Tell whether a process sees the same files and processes as this one: a daemon in a container does not."""
    try:
        return all(os.readlink(f"{proc}/{pid}/ns/{name}") == os.readlink(f"{proc}/self/ns/{name}") for name in ("mnt", "pid"))
    except OSError:
        return False


def _number(path: str) -> int:
    content = (_bytes(path, 64) or b"").strip()
    return int(content) if content.isdigit() else 0


def _bytes(path: str, limit: int = _LARGEST) -> bytes | None:
    try:
        with open(path, "rb") as handle:
            return handle.read(limit)
    except OSError:
        return None


def _ipv4(text: str) -> str:
    return socket.inet_ntop(socket.AF_INET, struct.pack("=I", int(text, 16)))


def _ipv6(text: str) -> str:
    # Four words, each as the machine holds it in memory (net/ipv6/tcp_ipv6.c).
    return f"[{socket.inet_ntop(socket.AF_INET6, struct.pack('=4I', *(int(text[place : place + 8], 16) for place in range(0, 32, 8))))}]"
