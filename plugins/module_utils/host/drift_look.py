# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The eyes of drift: the state of each thing of the host, seen the same way when it is recorded and when it is checked.

PRIVATE to the collection: no stability is promised to other users.

One small function for each kind of thing (drift/kinds.py). What several things share, such as the answers of systemd and
the table of mounts, is asked once. Links in the last component of a path are looked at, never followed.
"""

from __future__ import annotations

import contextlib
import grp
import hashlib
import os
import pwd
import stat
import time
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.drift.kinds import ABSENT, KINDS, UNKNOWN
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.model import State, split
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import text_lines
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    drift_firewall,
    drift_packages,
    drift_places,
    mount_table,
    processes,
    superblock,
    under_mounts,
)

#: What ``type`` says of what lies at a path.
REGULAR, LINK, DIRECTORY, SOCKET, OTHER = "regular file", "symbolic link", "directory", "socket", "special file"
MOUNTED, PRESENT, LOADED, MASKED = "mounted", "present", "loaded", "masked"
#: No file that is compared by its content comes near this; in bytes.
_LARGEST = 64 * 1024 * 1024
#: Of larger texts none is kept for restoring.
_LARGEST_TEXT = 256 * 1024
#: Where systemd looks for units, the first wins (systemd.unit(5)).
UNIT_DIRECTORIES = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_UNIT_PROPERTIES = (
    *("LoadState", "ActiveState", "SubState", "UnitFileState", "DropInPaths"),
    *("StateChangeTimestampMonotonic", "MainPID", "InvocationID", "ExecStart", "Environment", "EnvironmentFiles"),
)
_VFS_OPTIONS = frozenset("nosuid nodev noexec noatime nodiratime relatime nosymfollow".split())
_QUOTA_OPTIONS = frozenset("prjquota pquota usrquota uquota grpquota gquota".split())
_SUBUID, _SUBGID, FSTAB = "/etc/subuid", "/etc/subgid", "/etc/fstab"
#: When a network comes or goes, dockerd takes a jump of its own out and puts it back first in its chain (moby: daemon/libnetwork,
#: arrangeUserFilterRule). What is missing counts only when it is still missing after these pauses, in seconds.
_RULE_PAUSES = (0.1, 0.3, 0.6)
#: Of the rules of our role, see posture/audit_text.py.
AUDIT_KEY = "key=bulkhead-docker"
_FLAG_SECRETS = ("splunk-token=", "logentries-token=")


class Eyes:
    """One look at the host: what was asked once is not asked again.

    Args:
        units: the units of systemd that will be looked at, so that they are asked for together.
        packages: likewise.
        ours: paths of drop-ins that are things of their own, which no unit counts among its drop-ins.
    """

    def __init__(self, units: t.Iterable[str] = (), packages: t.Iterable[str] = (), ours: t.Collection[str] = ()) -> None:
        self._units = tuple(dict.fromkeys(units))
        self._packages = tuple(dict.fromkeys(packages))
        self._ours = frozenset(ours)
        self._shown: dict[str, dict[str, str]] = {}
        self._known_packages: dict[str, drift_packages.Installed] | None = None
        self._mounts: list[mount_table.MountInfo] | None = None
        self._rules: dict[str, list[str] | None] = {}

    def observe(self, thing: str, recorded: State | None = None) -> dict[str, t.Any]:
        """Return the state of a thing.

        What cannot be seen is UNKNOWN in the fields that it concerns, with the reason in ``_why``. Never raises for what
        the host has.

        Args:
            thing: ``kind:name``.
            recorded: its state as it was recorded, None when it is recorded now.
        """
        kind, name = split(thing)
        look = _OBSERVERS.get(kind)
        if look is None:
            return {"_why": f"this release does not know what a {kind} is"}
        try:
            return look(self, name, recorded)
        except (OSError, ValueError, commands.CommandError) as error:
            why = getattr(error, "strerror", None) or str(error)
            return {**dict.fromkeys(KINDS[kind], UNKNOWN), "_why": str(why)}

    # Shared answers ------------------------------------------------------------------------------------------------

    def unit(self, name: str) -> dict[str, str]:
        """Return what systemd says of a unit of the system."""
        if name not in self._shown:
            asked = tuple(dict.fromkeys((*self._units, name)))
            self._shown.update(_show(asked, ("systemctl",)))
        return self._shown[name]

    def package(self, name: str) -> drift_packages.Installed | None:
        """Return what is installed of a package, None where it is not."""
        if self._known_packages is None or name not in self._packages:
            self._packages = tuple(dict.fromkeys((*self._packages, name)))
            self._known_packages = drift_packages.installed(self._packages)
        return self._known_packages.get(name)

    def mount(self, path: str) -> mount_table.MountInfo | None:
        """Return the topmost mount exactly on a path."""
        if self._mounts is None:
            self._mounts = mount_table.mountinfo()
        found = [mount for mount in self._mounts if mount.target == path]
        return found[-1] if found else None

    def holding(self, path: str) -> str:
        """Return the mount point of the filesystem on which a path lies."""
        if self._mounts is None:
            self._mounts = mount_table.mountinfo()
        inside = [mount.target for mount in self._mounts if path == mount.target or path.startswith(mount.target.rstrip("/") + "/")]
        return max(inside, key=len, default="/")

    def firewall(self, table: str) -> list[str] | None:
        """Return the rules of dockerd in one of the firewall's families, None where they cannot be read."""
        if table not in self._rules:
            self._rules[table] = drift_firewall.rules(table)
        return self._rules[table]

    # Kinds ---------------------------------------------------------------------------------------------------------

    def _file(self, path: str, recorded: State | None) -> dict[str, t.Any]:  # pylint: disable=unused-argument
        return file_state(path)[0]

    def _foreign_file(self, path: str, recorded: State | None) -> dict[str, t.Any]:
        state, content = file_state(path)
        if recorded is None and content is not None and len(content) <= _LARGEST_TEXT:
            with contextlib.suppress(UnicodeDecodeError):
                state["_text"] = content.decode("utf-8")
        return state

    def _directory(self, path: str, recorded: State | None) -> dict[str, t.Any]:
        state = self._place(path, recorded)
        if state["type"] != ABSENT:
            state["on"] = self.holding(path)
        return state

    def _place(self, path: str, recorded: State | None) -> dict[str, t.Any]:  # pylint: disable=unused-argument
        status = _lstat(path)
        return _attributes(status) if status else {"type": ABSENT}

    def _unit_state(self, name: str, recorded: State | None) -> dict[str, t.Any]:
        shown = self.unit(name)
        fragment, masked = fragment_of(name)
        if not shown["LoadState"]:
            raise ValueError("systemd does not answer")
        masked = masked or shown["LoadState"] == MASKED
        gone = not masked and not fragment
        state: dict[str, t.Any] = {
            "type": MASKED if masked else ABSENT if gone else LOADED,
            "fragment": fragment,
            "enabled": shown["UnitFileState"],
            "active": _activity(shown),
            "drop_ins": self._drop_ins(name, shown, recorded),
            "_source": f"systemctl show {name}",
            "_changed_at": _changed_at(fragment_path(name)),
            "_changed_at_enabled": None,
            "_changed_at_active": _since(shown["StateChangeTimestampMonotonic"]),
        }
        state["_changed_at_drop_ins"] = max((moment for moment in map(_changed_at, state["drop_ins"]) if moment is not None), default=None)
        if state["active"] == UNKNOWN:
            state["_why"] = f"{name} is just being started"
        if recorded is None:
            # What lies in /run is gone after the next boot.
            state["_volatile"] = [path for path in state["drop_ins"] if path.startswith("/run/")]
            state["drop_ins"] = [path for path in state["drop_ins"] if not path.startswith("/run/")]
        return state

    def _drop_ins(self, name: str, shown: t.Mapping[str, str], recorded: State | None) -> list[str]:
        """Return the drop-ins of a unit that are not things of their own: those that systemd has read, and those that it will."""
        found = {_canonical(path) for path in shown["DropInPaths"].split() if os.path.lexists(path)}
        for directory in UNIT_DIRECTORIES:
            try:
                entries = os.listdir(f"{directory}/{name}.d")
            except OSError:
                continue
            found |= {_canonical(f"{directory}/{name}.d/{entry}") for entry in entries if entry.endswith(".conf")}
        known = {*self._ours, *((recorded or {}).get("_volatile") or ())}
        return sorted(path for path in found - known if not _limits_drop_in(path))

    def _user_unit(self, name: str, recorded: State | None) -> dict[str, t.Any]:  # pylint: disable=unused-argument
        user, _slash, unit = name.partition("/")
        try:
            account = pwd.getpwnam(user)
        except KeyError:
            return {"type": ABSENT, "_source": "/etc/passwd"}
        acting = ("setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups", "env", "--chdir=/")
        shown = _show((unit,), (*acting, f"XDG_RUNTIME_DIR=/run/user/{account.pw_uid}", "systemctl", "--user"))[unit]
        if not shown["LoadState"]:
            raise ValueError(f"the manager of {user} does not answer")
        kind = {"not-found": ABSENT, MASKED: MASKED}.get(shown["LoadState"], LOADED)
        return {"type": kind, "enabled": shown["UnitFileState"], "active": _activity(shown), "_source": f"systemctl --user show {unit} of {user}"}

    def _package(self, name: str, recorded: State | None) -> dict[str, t.Any]:  # pylint: disable=unused-argument
        found = self.package(name)
        if found is None:
            return {"type": ABSENT, "_source": drift_packages.source()}
        return {"type": found.state, "version": found.version, "held": found.held, "_source": drift_packages.source()}

    def _ranges(self, user: str, recorded: State | None) -> dict[str, t.Any]:  # pylint: disable=unused-argument
        names = {user}
        with contextlib.suppress(KeyError):
            names.add(str(pwd.getpwnam(user).pw_uid))
        state: dict[str, t.Any] = {}
        for field, path in (("uid", _SUBUID), ("gid", _SUBGID)):
            lines = [line.strip(" \t").split(":") for line in text_lines.lines_of(_text(path))]
            state[field] = [f"{fields[1]}:{fields[2]}" for fields in lines if len(fields) == 3 and fields[0] in names]
            state[f"_source_{field}"] = path
            state[f"_changed_at_{field}"] = _changed_at(path)
        return state

    def _account(self, name: str, recorded: State | None) -> dict[str, t.Any]:  # pylint: disable=unused-argument
        try:
            pwd.getpwnam(name)
            grp.getgrnam(name)
        except KeyError:
            return {"type": ABSENT, "_source": "/etc/passwd and /etc/group", "_changed_at": _changed_at("/etc/passwd")}
        return {"type": PRESENT, "_source": "/etc/passwd and /etc/group"}

    def _mount(self, path: str, recorded: State | None) -> dict[str, t.Any]:  # pylint: disable=unused-argument
        found = self.mount(path)
        if found is None:
            return {"type": ABSENT, "_source": "/proc/self/mountinfo"}
        options = set(found.options)
        read_only = {"ro"} if "ro" in options else {"rw"}
        uuid = superblock.uuid(found.source, found.fstype)
        why = mount_table.broken(path) or ("" if uuid else f"the UUID on {found.source} cannot be read")
        return {
            "type": MOUNTED,
            "hidden": _is_hidden(path, found),
            "root": found.root,
            "uuid": UNKNOWN if why else uuid,
            "options": sorted(read_only | (options & (_VFS_OPTIONS | _QUOTA_OPTIONS))),
            "_source": "/proc/self/mountinfo",
            "_source_uuid": found.source,
            **({"_why": why} if why else {}),
        }

    def _fstab(self, path: str, recorded: State | None) -> dict[str, t.Any]:  # pylint: disable=unused-argument
        lines = [text_lines.fields_of(line) for line in text_lines.lines_of(_text(FSTAB))]
        named = [fields for fields in lines if len(fields) >= 3 and not fields[0].startswith("#")]
        own = [" ".join(fields) for fields in named if mount_table.unescaped(fields[1]).rstrip("/") == path.rstrip("/")]
        where = {"_source": FSTAB, "_changed_at": _changed_at(FSTAB)}
        return {"type": PRESENT, "line": "; ".join(own), **where} if own else {"type": ABSENT, **where}

    def _mount_point(self, path: str, recorded: State | None) -> dict[str, t.Any]:  # pylint: disable=unused-argument
        if self.mount(path) is None and not os.path.lexists(path):
            # Nothing can be written under what is not there, but nothing can be mounted on it either.
            return {"immutable": False, "shadowed": [], "_source": path, "_changed_at": _changed_at(os.path.dirname(path))}
        bare = under_mounts.look(path, self.mount(path) is not None)
        return {
            "immutable": UNKNOWN if bare.immutable is None else bare.immutable,
            "shadowed": UNKNOWN if bare.entries is None else list(bare.entries),
            "_source": f"{path}, below what is mounted there",
            "_changed_at": bare.changed_at,
            **({"_why": bare.why} if bare.why else {}),
        }

    def _process(self, name: str, recorded: State | None) -> dict[str, t.Any]:  # pylint: disable=unused-argument
        unit = self.unit("docker.service") if name == "dockerd" else {}
        pid = int(unit.get("MainPID") or 0)
        words = processes.arguments(pid)
        if words is None:
            return {"arguments": UNKNOWN, "_why": f"{name} does not run"}
        return {"arguments": [masked(word) for word in words], "_source": f"/proc/{pid}/cmdline"}

    def _sysctl(self, name: str, recorded: State | None) -> dict[str, t.Any]:  # pylint: disable=unused-argument
        path = "/proc/sys/" + name.replace(".", "/")
        try:
            with open(path, encoding="ascii", errors="replace") as handle:
                # The kernel makes room for as much as it is asked for.
                value = " ".join(handle.read(4096).split())
        except FileNotFoundError:
            value = ABSENT
        return {"value": value, "_source": path}

    def _firewall(self, name: str, recorded: State | None) -> dict[str, t.Any]:
        found = self.firewall(name)
        if found is None:
            return {"missing": UNKNOWN, "_why": f"the rules of {name} cannot be read"}
        if recorded is None:
            time.sleep(_RULE_PAUSES[0])
            again = drift_firewall.rules(name) or ()
            kept = drift_firewall.skeleton(dict.fromkeys((*found, *again)))
            return {"missing": [], "_rules": kept, "_source": drift_firewall.SOURCES[name]}
        missing = [rule for rule in recorded.get("_rules") or () if rule not in found]
        for pause in _RULE_PAUSES:
            if not missing:
                break
            time.sleep(pause)
            again = drift_firewall.rules(name) or ()
            missing = [rule for rule in missing if rule not in again]
        return {"missing": missing, "_source": drift_firewall.SOURCES[name]}

    def _audit(self, path: str, recorded: State | None) -> dict[str, t.Any]:  # pylint: disable=unused-argument
        # What the kernel prints is compared with what it printed, so nothing has to be understood.
        said = commands.run(["auditctl", "-l"], timeout=20, check=False)
        loaded = [line.strip() for line in text_lines.lines_of(said.stdout) if AUDIT_KEY in line]
        if said.rc:
            why = " ".join((said.stderr or said.stdout).split())[:200]
            return {"missing": UNKNOWN, "_why": f"the kernel's audit does not tell its rules: {why}", "_rules": []}
        wanted = loaded if recorded is None else list(recorded.get("_rules") or ())
        state: dict[str, t.Any] = {"missing": [rule for rule in wanted if rule not in loaded], "_source": "auditctl -l"}
        if recorded is None:
            state["_rules"] = wanted
        return state

    def _limits(self, unit: str, recorded: State | None) -> dict[str, t.Any]:
        from ansible_collections.bulkhead.docker.plugins.module_utils.host import limits_live

        known = None if recorded is None else [str(entry) for entry in recorded.get("values") or ()]
        kept = limits_live.live(unit, known)
        # A slice in which nothing runs may not be there; its limits come with it.
        return {"values": known or [] if kept is None else kept, "_source": limits_live.place(unit)}

    def _apparmor(self, name: str, recorded: State | None) -> dict[str, t.Any]:  # pylint: disable=unused-argument
        from ansible_collections.bulkhead.docker.plugins.module_utils.host import security_modules

        profiles = security_modules.loaded_profiles()
        if profiles is None:
            return {"mode": UNKNOWN, "_why": "the kernel does not tell its AppArmor profiles"}
        return {"mode": profiles.get(name, ABSENT), "_source": f"{security_modules.APPARMOR_FILESYSTEM}/profiles"}


def observe(kind: str, name: str, recorded: State | None = None) -> dict[str, t.Any]:
    """Return the state of one thing as it is now; see Eyes.observe."""
    return Eyes().observe(f"{kind}:{name}", recorded)


def file_state(path: str) -> tuple[dict[str, t.Any], bytes | None]:
    """Return the state of what lies at a path, and its content where it is a file that can be read."""
    status = _lstat(path)
    if status is None:
        return {"type": ABSENT}, None
    state = _attributes(status)
    if state["type"] == LINK:
        with contextlib.suppress(OSError):
            state["_target"] = os.readlink(path)
    if state["type"] != REGULAR:
        return state, None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        return {**state, "sha256": UNKNOWN, "_why": f"it cannot be read: {error.strerror}"}, None
    with os.fdopen(descriptor, "rb") as handle:
        content = handle.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        return {**state, "sha256": f"larger than {_LARGEST} bytes"}, None
    state["sha256"] = hashlib.sha256(content).hexdigest()
    return state, content


def fragment_of(unit: str) -> tuple[str, bool]:
    """Return the file that a unit comes from as systemd would look it up now, empty where there is none, and whether it is masked."""
    for directory in UNIT_DIRECTORIES:
        path = f"{directory}/{unit}"
        try:
            target = os.readlink(path)
        except OSError:
            target = ""
        if target == os.devnull:
            return "", True
        if os.path.exists(path):
            # An empty file masks a unit as well.
            return ("", True) if os.path.getsize(path) == 0 else (_canonical(path), False)
    return "", False


def fragment_path(unit: str) -> str:
    """Return the first path at which something lies for a unit, be it a mask; empty where there is nothing."""
    paths = (f"{directory}/{unit}" for directory in UNIT_DIRECTORIES)
    return next((path for path in paths if os.path.lexists(path)), "")


def masked(word: str) -> str:
    """Return an argument of dockerd without the secrets that it may hold."""
    from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_changes

    for secret in _FLAG_SECRETS:
        before, found, _value = word.partition(secret)
        if found:
            return f"{before}{found}********"
    return str(daemon_changes.masked(word)) if "://" in word else word


def _show(units: t.Sequence[str], systemctl: t.Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the properties of units; empty ones where systemd does not answer."""
    said = commands.run([*systemctl, "show", "--property", ",".join(_UNIT_PROPERTIES), "--", *units], timeout=20, check=False)
    blocks = said.stdout.split("\n\n") if said.rc == 0 else []
    found = {}
    for number, unit in enumerate(units):
        values: dict[str, list[str]] = {}
        for line in text_lines.lines_of(blocks[number]) if number < len(blocks) else ():
            name, equals, value = line.partition("=")
            if equals:
                values.setdefault(name, []).append(value)
        found[unit] = {name: " ".join(values.get(name, ())) for name in _UNIT_PROPERTIES}
    return found


def _is_hidden(path: str, mount: mount_table.MountInfo) -> bool:
    """Tell whether something that was mounted later, here or above, keeps a mount from being seen."""
    try:
        seen = os.stat(path).st_dev
    except (FileNotFoundError, NotADirectoryError):
        return True
    # Each subvolume of btrfs has a number of its own, which the table of mounts does not show.
    return mount.fstype != "btrfs" and f"{os.major(seen)}:{os.minor(seen)}" != mount.number


def _activity(shown: t.Mapping[str, str]) -> str:
    """Return what a unit does, in a word that does not change while nothing happens to it."""
    active, sub = shown["ActiveState"], shown["SubState"]
    if active in ("reloading", "refreshing"):
        return "active"
    if active == "activating":
        # It waits for the next of many tries, or it is on its way.
        return "failing" if "auto-restart" in sub else UNKNOWN
    return active


def _attributes(status: os.stat_result) -> dict[str, t.Any]:
    mode = status.st_mode
    kinds = ((stat.S_ISREG, REGULAR), (stat.S_ISLNK, LINK), (stat.S_ISDIR, DIRECTORY), (stat.S_ISSOCK, SOCKET))
    return {
        "type": next((name for test, name in kinds if test(mode)), OTHER),
        "mode": f"{stat.S_IMODE(mode):04o}",
        "owner": f"{status.st_uid}:{status.st_gid}",
        "_changed_at": status.st_ctime,
    }


def _lstat(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _changed_at(path: str) -> float | None:
    status = _lstat(path) if path else None
    return status.st_ctime if status else None


def _limits_drop_in(path: str) -> bool:
    return path.startswith(UNIT_DIRECTORIES[0]) and path.endswith(f"/{drift_places.LIMITS_DROP_IN}")


def _since(monotonic: str) -> float | None:
    """Return a moment that systemd tells in microseconds since the boot, in seconds since the epoch."""
    if not monotonic.isdigit() or monotonic == "0":
        return None
    return round(time.time() - time.monotonic() + int(monotonic) / 1e6, 3)


def _canonical(path: str) -> str:
    """Return a path whose directory holds no link, so that /lib and /usr/lib are the same; its last component stays."""
    directory, name = os.path.split(path)
    return os.path.join(os.path.realpath(directory), name)


def _text(path: str) -> str:
    """Return the text of a file of the system, which may be a link; empty where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace", newline="") as handle:
            return handle.read(_LARGEST)
    except FileNotFoundError:
        return ""


_Observer = t.Callable[[Eyes, str, t.Optional[State]], dict[str, t.Any]]
_OBSERVERS: dict[str, _Observer] = {
    "file": Eyes._file,
    "foreign_file": Eyes._foreign_file,
    "directory": Eyes._directory,
    "socket": Eyes._place,
    "unit": Eyes._unit_state,
    "user_unit": Eyes._user_unit,
    "package": Eyes._package,
    "ranges": Eyes._ranges,
    "account": Eyes._account,
    "mount": Eyes._mount,
    "fstab": Eyes._fstab,
    "mount_point": Eyes._mount_point,
    "process": Eyes._process,
    "sysctl": Eyes._sysctl,
    "firewall": Eyes._firewall,
    "audit": Eyes._audit,
    "apparmor": Eyes._apparmor,
    "limits": Eyes._limits,
    "timer": Eyes._unit_state,
}
