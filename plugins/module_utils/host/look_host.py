# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What of the host matters to its containers: disks, accounts, files, programs, kernel settings, versions.

PRIVATE to the collection: no stability is promised to other users.

Everything is one fact by its name in posture/vocabulary.py; what cannot be looked at is unknown with the reason.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import platform
import re
import typing as t
import zlib

from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    files,
    look_audit,
    look_daemon,
    look_places,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.containerd_config import Containerd
from ansible_collections.bulkhead.docker.plugins.module_utils.host.machine import Machine
from ansible_collections.bulkhead.docker.plugins.module_utils.host.mounts import MountInfo
from ansible_collections.bulkhead.docker.plugins.module_utils.host.path_owners import Paths, Unreadable
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules import files as file_rules
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import DaemonLook, EngineLook, Json
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import FileFacts

Facts = dict[str, t.Union[Fact, Unknown]]

# A filesystem that holds one of these is one of the system, whatever else lies on it.
_SYSTEM_DIRECTORIES = ("/", "/usr", "/etc", "/boot", "/root", "/tmp", "/var", "/var/lib", "/var/log", "/var/lib/dpkg", "/var/lib/rpm", "/home")
_GRAPH_DRIVERS = ("overlay2", "fuse-overlayfs", "btrfs", "zfs", "vfs")
# Programs that dockerd and containerd start by name, each as root.
_PROGRAMS = (
    "docker-init", "docker-proxy", "containerd", "containerd-shim-runc-v2", "runc", "iptables", "ip6tables", "nft", "modprobe", "unpigz", "xz", "git",
)  # fmt: skip
# What lies in these is run, or names what is run, as root: plugins of the engine, of NRI and of the command line, hooks of CDI.
_PROGRAM_DIRECTORIES = (
    "/etc/docker/plugins", "/usr/lib/docker/plugins", "/run/docker/plugins", "/etc/cdi", "/run/cdi", "/opt/nri/plugins", "/etc/nri/conf.d",
    "/usr/libexec/docker/cli-plugins", "/usr/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins", "/usr/local/lib/docker/cli-plugins",
    "/root/.docker/cli-plugins",
)  # fmt: skip
_UNIT_DIRECTORIES = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_MOST_IN_DIRECTORY = 50
_MOST_CERTIFICATES = 500
_MOST_VERSIONS = 5
_MOST_HOMES = 300
_LARGEST_AUTHS = 1024 * 1024
_LARGEST_CHANGELOG = 4 * 1024 * 1024
_SYSCTLS = ("fs.protected_symlinks", "fs.protected_hardlinks", "net.ipv4.conf.all.route_localnet", "net.ipv4.conf.default.route_localnet")
_MOST_INTERFACES = 2000
_VERSION = re.compile(r"\b(?:version )?v?(\d+\.\d+\.\d+[^\s,]*)")
_CRYPTO_HOLE = "CVE-2026-31431"
_NEVER_LOADED = re.compile(r"^[ \t]*install[ \t]+(?:af_alg|algif_aead)[ \t]+(?:/usr)?/bin/(?:false|true)\b.{0,80}$", re.MULTILINE)
_CVE = re.compile(r"CVE-\d{4}-\d{4,}")
# The packages in which distributions ship each component; their changelogs name what is mended in them.
_PACKAGES = {"engine": ("docker.io", "dockerd"), "containerd": ("containerd", "containerd"), "runc": ("runc", "runc")}


@dataclasses.dataclass(frozen=True)
class Around:
    """What is known before the host is looked at.

    Attributes:
        engine: the look at the engine; empty where nobody answered.
        daemon: the look at the daemon's settings.
        process: the daemon's process.
        containerd: where containerd keeps its data; None with the reason where that is not known.
        socket: path of the API's socket; empty where it is none.
        units: properties of docker.service and docker.socket as systemd says them.
        sockets: of all container engines on the host.
        home: of the user whose daemon it is; empty for root's.
    """

    engine: EngineLook
    daemon: DaemonLook
    process: look_daemon.Daemon
    containerd: Containerd | None
    containerd_error: str
    socket: str
    units: t.Mapping[str, t.Mapping[str, str]]
    sockets: tuple[str, ...] = ()
    home: str = ""

    @property
    def data_root(self) -> str:
        """The effective root, as the engine says it, or as its settings do."""
        said = self.engine.info.get("DockerRootDir")
        if isinstance(said, str) and said.startswith("/"):
            return said
        return str(self.setting("data-root") or (f"{self.home}/.local/share/docker" if self.home else "/var/lib/docker"))

    def setting(self, key: str) -> t.Any:
        """Return a setting of the daemon, from its file or its flags; None where neither has it."""
        given = (self.daemon.config or {}).get(key)
        return given if given is not None else ([*self.daemon.flags.get(key, []), None][0])


class Host:
    """A look at a host.

    Args:
        around: what is known before.
        paths: how paths are looked at.
        machine: where the host is looked at.
        owners: uids that may own files of the daemon.
    """

    def __init__(self, around: Around, paths: Paths, machine: Machine, owners: tuple[int, ...] = (0,)) -> None:
        self._around = around
        self._paths = paths
        self._proc = machine.proc
        self._run = machine.run
        self._find = machine.find
        self._members_of = machine.members
        self._owners = owners
        try:
            self._mounts: list[MountInfo] | None = machine.mounts()
        except (OSError, ValueError, IndexError):
            self._mounts = None

    def look(self) -> Facts:
        """Return the facts of the host."""
        around = self._around
        places = self._file_places()
        facts: Facts = {
            "daemon_owners": Fact(self._owners, f"{self._proc}/{around.process.pid}/status" if around.process.pid else "the daemon's account"),
            "api_socket_group": Fact(self._group_name(), "group of daemon.json and of the flags of dockerd"),
            "file_places": Fact(places, "settings of the daemon, and where they are by default"),
            "files": Fact({path: self._file(path) for found in (*places.values(), around.sockets) for path in found}, "stat"),
            "executables": Fact(self._executables(), "stat"),
            "separate_storage": self._separate_storage(),
            "data_directories": self._data_directories(),
            "firewalld": self._firewalld(),
            "kernel_crypto": self._kernel_crypto(),
            "docker_group": self._members(),
            "runc_versions": self._runtime_versions(),
            "containerd_version": self._containerd_version(),
            "package_backports": self._backports(),
            "cgroup_version": self._cgroup_version(),
            "sysctls": self._sysctls(),
            "registry_auths": self._registry_auths(),
            "daemon_environment": self._environment(),
            "volume_links": self._volume_links(),
            "kernel": Fact(platform.release(), "uname"),
        }
        points = frozenset(mount.target for mount in self._mounts or ())
        installed = self._find("auditctl") is not None
        facts.update(look_audit.look(self._paths, around.data_root, around.socket, around.daemon.config_file, points, self._run, installed))
        return facts

    # Files ---------------------------------------------------------------------------------------------------------

    def _file_places(self) -> dict[str, tuple[str, ...]]:
        """Return the paths of each group of files, with the settings of this host filled in."""
        around = self._around
        given = {
            file_rules.DAEMON_JSON: [around.daemon.config_file],
            file_rules.SOCKET: [around.socket],
            file_rules.CONTAINERD_SOCKET: [around.containerd.address if around.containerd else ""],
            file_rules.SERVICE_UNIT: self._unit_files("docker.service"),
            file_rules.SOCKET_UNIT: self._unit_files("docker.socket"),
            file_rules.TLS_CA: [around.setting("tlscacert")],
            file_rules.TLS_CERT: [around.setting("tlscert")],
            file_rules.TLS_KEY: [around.setting("tlskey")],
            file_rules.READ_BY_DAEMON: [around.setting("seccomp-profile"), *self._environment_files()],
        }
        found = {}
        for group in file_rules.GROUPS:
            paths: list[str] = []
            for path in group.paths:
                paths += [str(place) for place in given.get(path, [path]) if isinstance(place, str) and place.startswith("/")]
            if file_rules.REGISTRY_CERTIFICATES in group.paths:
                paths += self._below(file_rules.REGISTRY_CERTIFICATES)
            found[group.name] = tuple(dict.fromkeys(paths))
        return found

    def _unit_files(self, unit: str) -> list[str]:
        said = self._around.units.get(unit, {})
        named = [said.get("FragmentPath", ""), *said.get("DropInPaths", "").split()]
        home = self._around.home
        places = (f"{home}/.config/systemd/user", "/etc/systemd/user", "/usr/lib/systemd/user") if home else _UNIT_DIRECTORIES
        usual = [f"{directory}/{unit}" for directory in places]
        found = [path for path in named if path.startswith("/")] or [next((path for path in usual if self._paths.exists(path)), "")]
        # A unit that is masked is a link to /dev/null.
        return [path for path in found if path and not self._paths.real(path).startswith("/dev/")]

    def _environment_files(self) -> list[str]:
        said = self._around.units.get("docker.service", {}).get("EnvironmentFiles", "")
        paths = [entry.strip().partition(" (")[0] for entry in said.split(")")]
        return [path for path in paths if path.startswith("/") and path not in ("/etc/default/docker", "/etc/sysconfig/docker")]

    def _below(self, directory: str) -> list[str]:
        found: list[str] = []
        waiting = [directory]
        while waiting and len(found) < _MOST_CERTIFICATES:
            current = waiting.pop()
            try:
                names = self._paths.names(current)
            except Unreadable:
                continue
            for name in names:
                path = f"{current}/{name}"
                found.append(path)
                if self._paths.is_directory(path) and path.count("/") - directory.count("/") < 3:
                    waiting.append(path)
        return found[:_MOST_CERTIFICATES]

    def _file(self, path: str) -> FileFacts | str:
        try:
            return self._paths.facts(path)
        except Unreadable as error:
            return str(error)

    # Programs ------------------------------------------------------------------------------------------------------

    def _executables(self) -> dict[str, FileFacts | str]:
        around = self._around
        directories = look_daemon.search_path(around.process.pid, self._proc)
        named = [around.process.program, *self._runtime_programs(), *_PROGRAMS, around.setting("init-path"), around.setting("userland-proxy-path")]
        found: dict[str, FileFacts | str] = {}
        for name in named:
            path = self._program(name, directories) if isinstance(name, str) and name else ""
            if path:
                found[self._paths.real(path)] = self._file(path)
        specs, nri = around.setting("cdi-spec-dirs"), around.setting("nri-opts")
        more = list(specs) if isinstance(specs, list) else []
        more += [nri.get(key) for key in ("plugin-path", "plugin-config-path")] if isinstance(nri, dict) else []
        for directory in dict.fromkeys([*_PROGRAM_DIRECTORIES, *(path for path in more if isinstance(path, str) and path.startswith("/"))]):
            if not self._paths.is_directory(directory):
                continue
            real = self._paths.real(directory)
            found[real] = self._file(directory)
            try:
                names = self._paths.names(directory, _MOST_IN_DIRECTORY)
            except Unreadable as error:
                found[real] = str(error)
                continue
            for path in (f"{real}/{name}" for name in names):
                found[self._paths.real(path)] = self._file(path)
        return found

    def _runtime_programs(self) -> list[str]:
        """Return the programs of all runtimes that the engine says or is given."""
        said = self._around.engine.info.get("Runtimes")
        given = self._around.setting("runtimes")
        entries = [*(said.values() if isinstance(said, dict) else ()), *(given.values() if isinstance(given, dict) else ())]
        paths = [entry.get("path") or entry.get("runtimeType") for entry in entries if isinstance(entry, dict)]
        # Of a runtime that is a shim of containerd, the program is called after its type.
        return list(dict.fromkeys(_shim(path) if isinstance(path, str) else "" for path in ["runc", *paths]))

    def _program(self, name: str, directories: t.Sequence[str]) -> str:
        if name.startswith("/"):
            return name if self._paths.exists(name) else ""
        if "/" in name or "\0" in name:
            return ""
        return next((path for path in (f"{directory}/{name}" for directory in directories) if self._paths.exists(path)), "")

    def _runtime_versions(self) -> Fact | Unknown:
        """Return the version of each runtime that is runc or like it; only programs that root alone can change are run."""
        directories = look_daemon.search_path(self._around.process.pid, self._proc)
        said = _component(self._around.engine.version, "runc")
        found: dict[str, str] = {}
        for name in self._runtime_programs():
            path = self._program(name, directories) if name else ""
            if not path or "shim" in name or len(found) >= _MOST_VERSIONS:
                continue
            real = self._paths.real(path)
            if real in found:
                continue
            found[real] = said if name == "runc" and said else self._version_of(real)
        if not found and said:
            return Fact({"runc": said}, "GET /version")
        return Fact(found, "GET /version, and the programs with --version") if found else Unknown("no runtime was found on this host", "daemon.json")

    def _version_of(self, path: str) -> str:
        facts = self._file(path)
        if isinstance(facts, str) or facts.kind != "file" or facts.uid != 0 or facts.mode & 0o022 or facts.weak_parent:
            return ""
        try:
            done = self._run([self._paths.on_host(path), "--version"], timeout=5, check=False)
        except commands.CommandError:
            return ""
        match = _VERSION.search(done.stdout[:2000])
        return match[1] if match else ""

    def _containerd_version(self) -> Fact | Unknown:
        said = _component(self._around.engine.version, "containerd")
        if said:
            return Fact(said, "GET /version")
        path = self._program("containerd", look_daemon.search_path(0))
        version = self._version_of(self._paths.real(path)) if path else ""
        return Fact(version, "containerd --version") if version else Unknown("neither the engine nor containerd itself tells its version", "GET /version")

    def _backports(self) -> Fact:
        """Return what the changelogs of the installed packages say is mended."""
        found: dict[str, tuple[str, ...]] = {}
        for component, (package, program) in _PACKAGES.items():
            try:
                owned = files.read_text(os.path.realpath(self._paths.on_host(f"/var/lib/dpkg/info/{package}.list"))) or ""
            except files.FileError:
                owned = ""
            # The changelog of a package says nothing about a program of another source.
            running = self._program(program, look_daemon.search_path(self._around.process.pid, self._proc))
            names = {running, self._paths.real(running)} if running else set()
            if names & {self._paths.real(line) for line in owned.splitlines() if line.endswith(f"/{program}")}:
                found[component] = self._cves(f"/usr/share/doc/{package}/changelog.Debian.gz")
        return Fact(found, "changelogs of the distribution's packages")

    def _cves(self, path: str) -> tuple[str, ...]:
        return tuple(sorted(set(_CVE.findall(self._changelog(path)))))

    def _changelog(self, path: str) -> str:
        """Return a changelog, the newest first, empty where it cannot be read."""
        try:
            with gzip.open(self._paths.on_host(path), "rb") as handle:
                return handle.read(_LARGEST_CHANGELOG).decode("utf-8", "replace")
        except (OSError, EOFError, zlib.error):
            return ""

    # Disks ---------------------------------------------------------------------------------------------------------

    def _separate_storage(self) -> Fact | Unknown:
        source = "/proc/self/mountinfo"
        if self._mounts is None:
            return Unknown("the mounts of this host cannot be read", source)
        around = self._around
        if around.engine.error and not around.daemon.config_text and around.daemon.config is None:
            return Unknown(f"where Docker keeps its data is not known: {around.engine.error}", source)
        directories = self._layer_directories()
        if isinstance(directories, Unknown):
            return directories
        directories = (*directories, f"{around.data_root}/volumes")
        return Fact(tuple((directory, self._own_mount(directory)) for directory in directories), source)

    def _layer_directories(self) -> tuple[str, ...] | Unknown:
        """Return where layers lie: below the data root, or below containerd's."""
        around = self._around
        status = around.engine.info.get("DriverStatus")
        rows = [row for row in status if isinstance(row, list) and len(row) == 2] if isinstance(status, list) else []
        if any("io.containerd.snapshotter" in str(value) for _name, value in rows):
            if around.containerd is None:
                return Unknown(f"where containerd keeps its data is not known: {around.containerd_error}", "config.toml")
            return (around.containerd.root,)
        driver = str(around.engine.info.get("Driver") or "")
        driver = driver if driver in _GRAPH_DRIVERS else next((name for name in _GRAPH_DRIVERS if self._paths.exists(f"{around.data_root}/{name}")), "overlay2")
        return (f"{around.data_root}/{driver}",)

    def _data_directories(self) -> Fact | Unknown:
        """Return what holds the filesystems of containers: the data root, and the root of containerd where that keeps the layers."""
        around = self._around
        if around.engine.error and not around.daemon.config_text and around.daemon.config is None:
            return Unknown(f"where Docker keeps its data is not known: {around.engine.error}", "stat")
        layers = self._layer_directories()
        if isinstance(layers, Unknown):
            return layers
        outside = [path for path in layers if not path.startswith(f"{around.data_root}/")]
        return Fact({path: self._file(path) for path in (around.data_root, *outside)}, "stat")

    def _own_mount(self, directory: str) -> str:
        """Return the mount point of the filesystem that a directory lies on, empty where that is one of the system."""
        real = self._paths.real(directory)
        best: MountInfo | None = None
        for mount in self._mounts or ():
            inside = real == mount.target or real.startswith(mount.target.rstrip("/") + "/")
            if inside and (best is None or len(mount.target) >= len(best.target)):
                best = mount
        if best is None or best.target in _SYSTEM_DIRECTORIES:
            return ""
        # A bind mount of a directory of a system filesystem is no filesystem of its own.
        system = {mount.number for mount in self._mounts or () if mount.target in _SYSTEM_DIRECTORIES}
        return "" if best.number in system else best.target

    # Accounts ------------------------------------------------------------------------------------------------------

    def _group_name(self) -> str:
        return str(self._around.setting("group") or "docker")

    def _members(self) -> Fact | Unknown:
        """Return who may use the API: the members of the group that owns its socket, by list and as their own group."""
        name = self._group_name()
        facts = self._file(self._around.socket) if self._around.socket else "the API has no socket"
        if isinstance(facts, FileFacts) and facts.kind == "socket":
            if not facts.mode & 0o020 or facts.gid == 0:
                return Fact((), f"{self._around.socket}: no group besides root's may write to it")
            name = facts.group
        try:
            members = self._members_of(name)
        except KeyError:
            return Fact((), f"this host has no group {name}")
        # Who runs the daemon may use its API anyway.
        own = {self._paths.user(uid) for uid in self._owners}
        return Fact(tuple(sorted(members - own)), f"group {name}")

    def _registry_auths(self) -> Fact | Unknown:
        """Return the files that hold passwords or tokens of registries; what they hold never leaves this function."""
        found = []
        unreadable = ""
        for path in self._auth_files():
            holds = _holds_passwords(self._paths.on_host(path))
            if holds is None:
                unreadable = unreadable or path
            elif holds:
                found.append(path)
        source = "config.json and auth.json of accounts"
        known = Fact(tuple(sorted(found)), source)
        return Unknown(f"{unreadable} cannot be read", source, known) if unreadable else known

    def _auth_files(self) -> list[str]:
        try:
            lines = (files.read_text(os.path.realpath(self._paths.on_host("/etc/passwd"))) or "").splitlines()
        except files.FileError:
            lines = []
        homes = dict.fromkeys(["/root", *(fields[5] for fields in (line.split(":") for line in lines) if len(fields) > 5 and fields[5].startswith("/"))])
        homes.pop("/", None)
        try:
            users = [name for name in self._paths.names("/run/user", _MOST_HOMES) if name.isdecimal()]
        except Unreadable:
            users = []
        return [
            *(f"{home.rstrip('/')}/{name}" for home in list(homes)[:_MOST_HOMES] for name in (".docker/config.json", ".config/containers/auth.json")),
            *(f"/run/user/{user}/containers/auth.json" for user in users),
            "/run/containers/0/auth.json",
        ]

    # Kernel --------------------------------------------------------------------------------------------------------

    def _cgroup_version(self) -> Fact | Unknown:
        said = str(self._around.engine.info.get("CgroupVersion") or "")
        if said in ("1", "2"):
            return Fact(int(said), "GET /info #/CgroupVersion")
        if self._paths.exists("/sys/fs/cgroup/cgroup.controllers"):
            return Fact(2, "/sys/fs/cgroup")
        known = self._mounts is not None and any(mount.fstype == "cgroup" for mount in self._mounts)
        return Fact(1, "/proc/self/mountinfo") if known else Unknown("no control groups are mounted", "/sys/fs/cgroup")

    def _sysctls(self) -> Fact:
        places = {name: name.replace(".", "/") for name in _SYSCTLS}
        try:
            interfaces = os.listdir(f"{self._proc}/sys/net/ipv4/conf")[:_MOST_INTERFACES]
        except OSError:
            interfaces = []
        for interface in sorted(interfaces):
            # Docker sets it for its own bridges where no proxy of its own forwards their ports.
            if interface not in ("all", "default") and not self._paths.exists(f"/sys/class/net/{interface}/bridge"):
                places[f"net.ipv4.conf.{interface}.route_localnet"] = f"net/ipv4/conf/{interface}/route_localnet"
        read = {name: _first_line(f"{self._proc}/sys/{place}") for name, place in places.items()}
        return Fact({name: text for name, text in read.items() if text is not None}, "/proc/sys")

    def _environment(self) -> Fact | Unknown:
        process = self._around.process
        source = f"/proc/{process.pid}/environ"
        if not process.pid:
            return Unknown(process.reason or "dockerd does not run", "environment of dockerd")
        found = look_daemon.environment(process.pid, self._proc)
        return Unknown("denied: this account may not read the variables of dockerd", source) if found is None else Fact(found, source)

    def _firewalld(self) -> Fact:
        """Return what of firewalld there is, by program, unit or the engine's own word; where there is nothing, nobody can start it."""
        said = self._around.engine.info.get("FirewallBackend")
        driver = str(said.get("Driver") or "") if isinstance(said, dict) else ""
        programs = [f"{directory}/{name}" for directory in ("/usr/sbin", "/usr/bin", "/sbin", "/usr/local/sbin") for name in ("firewalld", "firewall-cmd")]
        places = [*programs, *(f"{directory}/firewalld.service" for directory in _UNIT_DIRECTORIES)]
        found = [path for path in places if self._paths.exists(path)]
        return Fact((*([f"the engine says {driver}"] if "firewalld" in driver else []), *found), "programs and units of this host, GET /info /FirewallBackend")

    def _kernel_crypto(self) -> Fact | Unknown:
        """Return what takes CVE-2026-31431 away on this host: a kernel that has the fix, or modules that nobody can load."""
        running = platform.release()
        source = f"changelog of linux-image-{running}, modprobe.d"
        log = next(filter(None, (self._changelog(f"/usr/share/doc/linux-image-{running}{kind}/changelog.Debian.gz") for kind in ("", "-unsigned"))), "")
        found = [f"the package of the kernel {running} has the fix of {_CRYPTO_HOLE}"] if _CRYPTO_HOLE in log else []
        if not self._paths.exists("/sys/module/algif_aead"):
            found += self._kept_from_loading()
        if not found and not log:
            return Unknown(f"whether the kernel {running} has {_CRYPTO_HOLE} is not known: there is no changelog of its package", source)
        return Fact(tuple(found), source)

    def _kept_from_loading(self) -> list[str]:
        found = []
        for directory in ("/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"):
            try:
                names = self._paths.names(directory, _MOST_IN_DIRECTORY)
            except Unreadable:
                continue
            for path in (f"{directory}/{name}" for name in sorted(names) if name.endswith(".conf")):
                try:
                    text = files.read_text(os.path.realpath(self._paths.on_host(path))) or ""
                except files.FileError:
                    continue
                found += [f"{path}: {match[0].strip()}" for match in _NEVER_LOADED.finditer(text)]
        return found

    def _volume_links(self) -> Fact | Unknown:
        engine = self._around.engine
        reason = engine.error or engine.errors.get("volumes", "")
        if reason:
            return Unknown(reason, "GET /volumes")
        try:
            return Fact(look_places.linked_volumes(self._paths, engine.volumes), "lstat of _data of each volume")
        except Unreadable as error:
            return Unknown(str(error), "lstat of _data of each volume")


def _shim(runtime: str) -> str:
    if runtime.startswith("/") or not runtime.startswith("io.containerd."):
        return runtime
    kind, _dot, version = runtime[len("io.containerd.") :].rpartition(".")
    return f"containerd-shim-{kind}-{version}"


def _component(version: Json, name: str) -> str:
    components = version.get("Components")
    for row in components if isinstance(components, list) else ():
        if isinstance(row, dict) and str(row.get("Name", "")).lower() == name:
            return str(row.get("Version") or "")
    return ""


def _holds_passwords(path: str) -> bool | None:
    """Tell whether a client's configuration holds a password or token; None where it may not be read."""
    try:
        # It lies in a directory of somebody else: no link is followed, and nothing but a file is opened.
        text = files.read_text(path, _LARGEST_AUTHS)
    except files.FileError as error:
        return None if isinstance(error.__cause__, PermissionError) else False
    if not text:
        return False
    try:
        auths = json.loads(text).get("auths")
    except (ValueError, AttributeError, RecursionError):
        return False
    entries = auths.values() if isinstance(auths, dict) else ()
    return any(isinstance(entry, dict) and any(entry.get(key) for key in ("auth", "password", "identitytoken", "registrytoken")) for entry in entries)


def _first_line(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.readline(4096).strip()
    except OSError:
        return None
