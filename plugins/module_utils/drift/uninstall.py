# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What has to be done so that nothing of the collection is left on a host, and what stays, each with the reason.

PRIVATE to the collection: no stability is promised to other users.

Decisions only; host/uninstall.py carries them out. Only what the manifest lists is touched. What stays keeps its place in the
manifest, so the next run still knows it, and a host from which everything has gone has a manifest without sections.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.drift.kinds import ABSENT, UNKNOWN
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.manifest import Manifest, Section
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.model import State, item, split
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import packages
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem

#: What becomes of data: it stays as it is, its filesystems are unmounted and keep it, or it is removed.
KEEP, UNMOUNT, REMOVE = "keep", "unmount", "remove"
DATA = (KEEP, UNMOUNT, REMOVE)
#: Which packages of the engine go: those that the collection has installed, all of the set, or none.
OURS, ALL, NONE = "ours", "all", "keep"
PACKAGES = (OURS, ALL, NONE)

# What is done, in this order: first what runs, then the data, then what Docker would start with ----------------------------
STOP_CONTAINERS = "stop_containers"
DISABLE = "disable"
DISABLE_USER = "disable_user"
STOP_DOCKER = "stop_docker"
FIREWALL = "firewall"
MOUNT = "mount"
EMPTY = "empty"
UNMOUNT_IT = "unmount"
FSTAB = "fstab"
BARE = "bare"
IMAGE = "image"
PURGE = "purge"
UNHOLD = "unhold"
PACKAGE = "package"
KEYS = "keys"
AUDIT = "audit"
APPARMOR = "apparmor"
FILE = "file"
DIRECTORY = "directory"
RANGES = "ranges"
ACCOUNT = "account"
START_DOCKER = "start_docker"
STATE = "state"
VERBS = (
    *(STOP_CONTAINERS, DISABLE, DISABLE_USER, STOP_DOCKER, FIREWALL, MOUNT, EMPTY, UNMOUNT_IT, FSTAB, BARE, IMAGE, PURGE, UNHOLD, PACKAGE, KEYS),
    *(AUDIT, APPARMOR, FILE, DIRECTORY, RANGES, ACCOUNT, START_DOCKER, STATE),
)

STATE_DIRECTORY = "/var/lib/bulkhead"
CONTAINERD_ROOT = "/var/lib/containerd"
#: What Debian's docker.io empties when it is purged, with all that lies there and whoever put it there.
EMPTIED, EMPTIES = "/var/lib/docker", "docker.io"
#: What that package has left there, when it was removed before, to do so.
_BY_THIS = "nuke-graph-directory.sh"
#: The memory that says that this collection has made a thing, and did not find it.
MADE = "_ours"
#: Of daemon.json: as long as Docker and its data stay, these say where the data lie.
_PLACES = ("data-root", "userns-remap", "storage-driver", "storage-opts", "features", "containerd", "containerd-namespace", "exec-root")
_CONTAINERDS = ("containerd", "containerd.io", "moby-containerd")
_UNITS = ("unit", "timer")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What is asked for; see DATA and PACKAGES."""

    data: str = KEEP
    packages: str = OURS
    stop_containers: bool = False


@dataclasses.dataclass(frozen=True)
class Config:
    """The daemon's configuration.

    Attributes:
        path: of daemon.json.
        now: what it holds; None where it cannot be read.
        good: what it held when the daemon was last proved; None where nobody knows.
        managed: the keys and members that are ours.
    """

    path: str
    now: t.Mapping[str, t.Any] | None
    good: t.Mapping[str, t.Any] | None
    managed: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Host:
    """What the host tells besides the states of things.

    Attributes:
        engine: whether there is a dockerd.
        runs: whether docker.service is active.
        containers: what runs, by name or id.
        config: of the daemon.
        holding: what the directories of Docker's data hold, by path; empty ones are left out.
        foreign: names in those directories that are none of Docker's; of EMPTIED all names, where it is none of those directories.
        links: those of these directories that are symbolic links, each with where it leads.
        mounted: mount points below them of filesystems that are not in the manifest.
        dependents: packages of others that would go with ours.
        orphans: packages that were installed only because ours need them.
        files: names in the collection's state directory that it can do without.
        set_aside: names there that are somebody's, such as what was set aside.
        exposed: files above which others than root may put links, so that removing them could remove something else.
        guards: files that keep Docker from starting without its filesystems.
    """

    engine: bool = False
    runs: bool = False
    containers: tuple[str, ...] = ()
    config: Config | None = None
    holding: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    foreign: t.Mapping[str, t.Sequence[str]] = dataclasses.field(default_factory=dict)
    links: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    mounted: tuple[str, ...] = ()
    dependents: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    set_aside: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing to do: one of VERBS, what it is done to, how people are told, and what it takes."""

    verb: str
    name: str
    says: str
    values: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is done, and what stays.

    Attributes:
        steps: in order.
        kept: things of the manifest that stay, each with the reason.
        notes: what else a person should know.
        problems: why nothing is done.
        remaining: the manifest afterwards.
    """

    steps: tuple[Step, ...] = ()
    kept: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    remaining: Manifest = dataclasses.field(default_factory=Manifest)


def leaving(before: Manifest, seen: t.Mapping[str, State], wanted: Wanted) -> tuple[str, ...]:
    """Return the packages that are to go, as far as they are installed."""
    found = []
    for thing, state in _items(before):
        kind, name = split(thing)
        mine = wanted.packages == ALL or (wanted.packages == OURS and bool(state.get(MADE)))
        if kind == "package" and mine and seen[thing].get("type") not in (ABSENT, UNKNOWN):
            found.append(name)
    return tuple(dict.fromkeys(found))


def data_directories(before: Manifest) -> tuple[str, ...]:
    """Return the directories in which Docker's data lie, as the manifest says, those above others first."""
    found = []
    for role, section in before.sections.items():
        for thing in section.items:
            kind, name = split(thing)
            if kind == "directory" and role in ("docker_storage", "docker_daemon") and name != STATE_DIRECTORY and not name.startswith("/etc/"):
                found.append(name)
    return tuple(sorted(dict.fromkeys(found), key=lambda path: (path.count("/"), path)))


def plan(before: Manifest, seen: t.Mapping[str, State], host: Host, wanted: Wanted) -> Plan:
    """Return what to do.

    Args:
        before: the manifest of this host.
        seen: the states of all its things as they are now.
        host: what else was looked at.
        wanted: what is asked for.
    """
    return _Planner(before, seen, host, wanted).plan()


class _Planner:
    def __init__(self, before: Manifest, seen: t.Mapping[str, State], host: Host, wanted: Wanted) -> None:
        self._before = before
        self._items = dict(_items(before))
        self._seen = seen
        self._host = host
        self._wanted = wanted
        self._leaving = leaving(before, seen, wanted)
        self._stays = host.engine and not set(self._leaving) & set(packages.ENGINES)
        self._steps: list[Step] = []
        self._kept: dict[str, str] = {}
        self._notes: list[str] = []
        self._problems: list[Problem] = []
        self._remembered: dict[str, State] = {}
        self._stayed_keys: dict[str, str] = {}

    def plan(self) -> Plan:
        self._judge()
        if self._problems:
            return Plan(problems=tuple(self._problems), remaining=self._before)
        if self._host.config is not None:
            self._keys(self._host.config)
        # Before ids, which stay with what stays.
        self._data()
        for thing, state in self._items.items():
            kind, name = split(thing)
            look = getattr(self, f"_{kind}", None)
            if look is not None:
                look(thing, name, state)
        self._packages()
        self._services()
        self._state_files()
        steps = tuple(sorted(self._steps, key=lambda step: VERBS.index(step.verb)))
        return Plan(steps, dict(self._kept), tuple(self._notes), (), self._remaining())

    # Whether it may begin ------------------------------------------------------------------------------------------------

    def _judge(self) -> None:
        wanted, host = self._wanted, self._host
        if host.containers and not wanted.stop_containers:
            shown = ", ".join(host.containers[:5]) + (" …" if len(host.containers) > 5 else "")
            self._problems.append(Problem("containers", f"run ({shown}), and would be lost or cut off; stop them, or set docker_uninstall_stop_containers"))
        if wanted.data == UNMOUNT and self._stays and self._mounts():
            self._problems.append(
                Problem(
                    "docker_uninstall_data",
                    "is unmount, but Docker stays on this host and would start without its data; keep the data, or let the packages go "
                    "(docker_uninstall_packages)",
                )
            )
        if host.mounted and wanted.data == REMOVE:
            self._problems.append(
                Problem(
                    host.mounted[0],
                    "is mounted among Docker's data and is none of the manifest's filesystems; unmount it, because what is on it would go too",
                )
            )
        for path, leads in host.links.items() if wanted.data == REMOVE else ():
            if path in host.holding:
                message = f"is a symbolic link to {leads}, which holds {host.holding[path]}, and nothing is removed through a link; put the directory there"
                self._problems.append(Problem(path, message))
        for path in self._paths("mount") if wanted.data == REMOVE else ():
            if self._unmountable(path) and any(path.startswith(place + "/") for place in host.holding):
                self._problems.append(Problem(path, f"lies among the data, and {self._unmountable(path)}; see what that is and unmount it, and run again"))
        if host.dependents:
            self._problems.append(
                Problem(
                    ", ".join(host.dependents[:5]),
                    "needs the engine's packages and would go with them; remove it first, or set docker_uninstall_packages to keep",
                )
            )

    def _mounts(self) -> list[str]:
        return [split(thing)[1] for thing in self._items if split(thing)[0] == "mount" and self._seen[thing].get("type") not in (ABSENT, UNKNOWN)]

    # Things, by kind -------------------------------------------------------------------------------------------------------

    def _file(self, thing: str, path: str, state: State) -> None:
        now = self._seen[thing]
        config = self._host.config
        if (config is not None and path == config.path) or now.get("type") == ABSENT:
            return
        if now.get("type") != state.get("type") or now.get("sha256") != state.get("sha256"):
            self._kept[thing] = f"{path} is not as it was written, so it is somebody else's now"
        elif path in self._host.exposed:
            self._kept[thing] = f"others than root may write above {path}, so removing it could remove something else; remove it by hand"
        elif path in self._host.guards and self._stays and self._wanted.data == KEEP and self._mounts():
            self._kept[thing] = "Docker and its filesystems stay, and without this guard it would start without them"
        elif path in (str(value) for key, value in ((config.now if config else None) or {}).items() if key in self._stayed_keys):
            self._kept[thing] = "daemon.json still names it"
        elif path.startswith("/etc/apparmor.d/"):
            # Its profile has to leave the kernel first; see _apparmor.
            if item("apparmor", path.rpartition("/")[2]) not in self._items:
                self._steps.append(Step(FILE, path, f"remove {path}", {"sha256": state["sha256"]}))
        else:
            self._steps.append(Step(FILE, path, f"remove {path}", {"sha256": state["sha256"]}))

    def _apparmor(self, thing: str, name: str, state: State) -> None:  # pylint: disable=unused-argument
        path = f"/etc/apparmor.d/{name}"
        if item("file", path) in self._kept:
            self._kept[thing] = "its file stays"
            return
        loaded = self._seen[thing].get("mode") not in (ABSENT, UNKNOWN)
        there = self._seen.get(item("file", path), {}).get("type", ABSENT) != ABSENT
        if loaded or there:
            self._steps.append(Step(APPARMOR, name, f"unload the AppArmor profile {name} and remove its file", {"path": path, "loaded": loaded}))

    def _audit(self, thing: str, path: str, state: State) -> None:
        if item("file", path) in self._kept:
            self._kept[thing] = "its file stays"
        elif self._seen[thing].get("missing") not in (UNKNOWN, None) and len(self._seen[thing]["missing"]) < len(state.get("_rules") or ()):
            self._steps.append(Step(AUDIT, path, "take the audit's rules of Docker out of the kernel"))

    def _unit(self, thing: str, name: str, state: State) -> None:
        fragment = str(state.get("fragment") or "")
        if item("file", fragment) not in self._items or item("file", fragment) in self._kept:
            return
        now = self._seen[thing]
        runs = now.get("active") not in ("inactive", "failed", UNKNOWN)
        if now.get("type") == "loaded" and (runs or now.get("enabled") in ("enabled", "enabled-runtime")):
            self._steps.append(Step(DISABLE, name, f"stop {name} and keep it from starting"))

    _timer = _unit

    def _user_unit(self, thing: str, name: str, state: State) -> None:  # pylint: disable=unused-argument
        now = self._seen[thing]
        if now.get("type") == "loaded" and (now.get("active") == "active" or now.get("enabled") == "enabled"):
            self._steps.append(Step(DISABLE_USER, name, f"stop {name} and keep it from starting"))
        self._notes.append(f"the account and the home of {name.partition('/')[0]} stay, with what its daemon has stored")

    def _ranges(self, thing: str, user: str, state: State) -> None:
        now = self._seen[thing]
        if not now.get("uid") and not now.get("gid"):
            return
        if self._why_ids_stay(user, state, now):
            self._kept[thing] = self._why_ids_stay(user, state, now)
        else:
            self._steps.append(Step(RANGES, user, f"take the id ranges of {user} away", {"uid": list(state["uid"]), "gid": list(state["gid"])}))

    def _account(self, thing: str, user: str, state: State) -> None:
        if self._seen[thing].get("type") == ABSENT:
            return
        if item("ranges", user) in self._kept or self._why_ids_stay(user, state, state):
            self._kept[thing] = self._kept.get(item("ranges", user)) or self._why_ids_stay(user, state, state)
        else:
            self._steps.append(Step(ACCOUNT, user, f"remove the account {user} and its group"))

    def _why_ids_stay(self, user: str, state: State, now: State) -> str:
        if not state.get(MADE):
            return f"{user} is not known to come from this collection"
        if self._wanted.data != REMOVE:
            return "data belong to these ids, and whoever got them next would own the data"
        left = [path for path in self._paths("mount") if item("mount", path) in self._kept]
        if left:
            return f"data of these ids stay on the filesystem of {left[0]}, and whoever got them next would own the data"
        if "userns-remap" in self._stayed_keys:
            return "daemon.json still names it"
        if any(now.get(field) != state.get(field) for field in ("uid", "gid")):
            return f"the ranges of {user} are not as they were written"
        return ""

    def _sysctl(self, thing: str, name: str, state: State) -> None:  # pylint: disable=unused-argument
        if not self._stays and self._seen[thing].get("value") not in (ABSENT, UNKNOWN, "0"):
            self._notes.append(f"{name} stays {self._seen[thing]['value']} until the next boot, because others may need it by now")

    def _firewall(self, thing: str, name: str, state: State) -> None:  # pylint: disable=unused-argument
        if self._stays:
            # For a run that takes Docker away later.
            self._kept[thing] = "Docker stays, and makes them"
            return
        there = len(state.get("_rules") or ()) - len(self._seen[thing].get("missing") or ())
        if self._seen[thing].get("missing") == UNKNOWN:
            self._kept[thing] = "the firewall's rules cannot be read"
        elif there > 0:
            self._steps.append(Step(FIREWALL, name, f"take Docker's rules and chains out of {name}"))

    def _directory(self, thing: str, path: str, state: State) -> None:  # pylint: disable=unused-argument
        if path.startswith("/etc/") and self._seen[thing].get("type") == "directory":
            self._steps.append(Step(DIRECTORY, path, f"remove {path} if it is empty"))

    # Data --------------------------------------------------------------------------------------------------------------------

    def _data(self) -> None:
        places = data_directories(self._before)
        if self._wanted.data != REMOVE:
            for path in self._paths("mount"):
                self._filesystem_stays(path)
            for path in places:
                held = self._host.holding.get(path)
                if held:
                    self._kept[item("directory", path)] = f"it holds {held}"
            for path, held in self._host.holding.items():
                # Remembered for a run that removes data.
                if path not in places:
                    self._kept[item("directory", path)] = f"it holds {held}"
                    self._remembered[item("directory", path)] = {"type": "directory"}
            return
        for path in sorted(self._paths("mount"), key=len, reverse=True):
            self._filesystem_goes(path)
        for path in dict.fromkeys((*places, *self._host.holding)):
            if path in self._host.holding:
                self._steps.append(Step(PURGE, path, f"remove {self._host.holding[path]} in {path}"))
            for name in self._host.foreign.get(path, ()):
                self._notes.append(f"{path}/{name} is not Docker's and stays")

    def _paths(self, kind: str) -> list[str]:
        return [split(thing)[1] for thing in self._items if split(thing)[0] == kind]

    def _filesystem_stays(self, path: str) -> None:
        things = [thing for thing in (item(kind, path) for kind in ("mount", "fstab", "mount_point")) if thing in self._items]
        mount = self._seen[item("mount", path)]
        where = f"the filesystem {self._items[item('mount', path)].get('uuid')}"
        if self._wanted.data == KEEP and self._is_lost(path):
            self._steps.append(Step(MOUNT, path, f"mount {path} again"))
        if self._wanted.data == KEEP or self._unmountable(path):
            reason = f"{where} holds Docker's data" if self._wanted.data == KEEP else self._unmountable(path)
            self._kept.update(dict.fromkeys(things, reason))
            return
        source = str(self._items.get(item("fstab", path), {}).get("line") or "").partition(" ")[0]
        self._kept[item("mount", path)] = f"{where}{f' ({source})' if source else ''} holds Docker's data and is not mounted any more"
        self._unmounted(path, mount)

    def _filesystem_goes(self, path: str) -> None:
        mount = self._seen[item("mount", path)]
        source = str(self._items.get(item("fstab", path), {}).get("line") or "").partition(" ")[0]
        is_image = source.startswith("/") and not source.startswith("/dev/")
        others = self._host.foreign.get(path, ())
        if self._unmountable(path):
            for thing in (item(kind, path) for kind in ("mount", "fstab", "mount_point")):
                if thing in self._items:
                    self._kept[thing] = self._unmountable(path)
            return
        lost = self._is_lost(path)
        if lost:
            self._steps.append(Step(MOUNT, path, f"mount {path} again"))
            mount = {**mount, "type": "mounted"}
        if mount.get("type") == "mounted":
            says = f"remove {'all of Docker' if others else 'everything'} on the filesystem of {path}"
            all_ = path not in self._host.foreign
            self._steps.append(Step(EMPTY, path, says, {"uuid": self._items[item("mount", path)].get("uuid"), "all": all_}))
        elif not is_image and self._seen.get(item("fstab", path), {}).get("type", ABSENT) != ABSENT:
            self._kept[item("mount", path)] = "it is not mounted, so what is on it stays"
        elif not is_image and item("fstab", path) not in self._items:
            self._kept[item("mount", path)] = "it was unmounted by an earlier run, so what is on it stays; mount it or clear it by hand"
        self._unmounted(path, mount)
        if others:
            self._notes.append(f"what is not Docker's in {path} lies on its filesystem ({source or self._items[item('mount', path)].get('uuid')})")
        elif is_image:
            self._steps.append(Step(IMAGE, source, f"remove the image {source}"))

    def _is_lost(self, path: str) -> bool:
        """Tell whether a filesystem is not in its place, although /etc/fstab still says that it belongs there."""
        fstab = item("fstab", path)
        there = fstab in self._items and self._seen[fstab].get("line") == self._items[fstab].get("line")
        return there and self._seen[item("mount", path)].get("type") == ABSENT

    def _unmountable(self, path: str) -> str:
        recorded, now = self._items[item("mount", path)], self._seen[item("mount", path)]
        if now.get("type") == ABSENT:
            return ""
        if now.get("type") != "mounted" or now.get("uuid") != recorded.get("uuid") or now.get("hidden") or now.get("root") != recorded.get("root"):
            return "another filesystem is mounted there than the one that was recorded"
        return ""

    def _unmounted(self, path: str, mount: State) -> None:
        """Undo what puts a filesystem in its place."""
        if mount.get("type") == "mounted":
            self._steps.append(Step(UNMOUNT_IT, path, f"unmount {path}"))
        fstab = item("fstab", path)
        if fstab in self._items and self._seen[fstab].get("type") != ABSENT:
            if self._seen[fstab].get("line") == self._items[fstab].get("line"):
                self._steps.append(Step(FSTAB, path, f"remove the line of {path} from /etc/fstab", {"line": self._items[fstab]["line"]}))
            else:
                self._kept[fstab] = "somebody has changed the line"
        point = item("mount_point", path)
        if point in self._items and self._seen[point].get("immutable") is True:
            self._steps.append(Step(BARE, path, f"let {path} be written again (chattr -i)"))

    # Packages and what they run -------------------------------------------------------------------------------------------------

    def _packages(self) -> None:
        for thing, state in self._items.items():
            kind, name = split(thing)
            if kind != "package" or self._seen[thing].get("type") == ABSENT:
                continue
            if state.get("held") and self._seen[thing].get("held") is True:
                self._steps.append(Step(UNHOLD, name, f"hold {name} no longer"))
            if name not in self._leaving:
                why = "packages were to stay" if self._wanted.packages == NONE else "it is not known to come from this collection"
                self._kept[thing] = f"{why} (docker_uninstall_packages)"
                self._remembered[thing] = {field: value for field, value in state.items() if field != "held"}
        if self._leaving:
            names = [*self._leaving, *self._host.orphans]
            purge = self._wanted.data == REMOVE
            if purge and EMPTIES in names and set(self._host.foreign.get(EMPTIED, ())) - {_BY_THIS}:
                purge = False
                self._notes.append(f"the configuration of the packages stays, because {EMPTIES} would take along what lies in {EMPTIED} and is not Docker's")
            says = f"remove the package{'s' if len(names) > 1 else ''} {', '.join(names)}{' and their configuration' if purge else ''}"
            self._steps.append(Step(PACKAGE, " ".join(names), says, {"names": names, "purge": purge}))

    def _services(self) -> None:
        host = self._host
        data_moves = any(step.verb in (EMPTY, UNMOUNT_IT, PURGE) for step in self._steps)
        if host.containers:
            self._steps.append(Step(STOP_CONTAINERS, "docker", f"stop {len(host.containers)} containers", {"containers": list(host.containers)}))
        goes = host.engine and not self._stays
        restarts = any(step.verb == KEYS for step in self._steps)
        if host.engine and (goes or data_moves):
            # dockerd takes filesystems of its own out of their places when it stops, with the data that are meant here (moby#36149).
            self._steps.append(Step(STOP_DOCKER, "docker", "stop Docker", {"mounted": self._mounts(), "containerd": self._stops_containerd()}))
        ran = self._items.get(item("unit", "docker.service"), {}).get("active") == "active"
        if self._stays and (data_moves or (restarts and host.runs) or (ran and not host.runs)):
            self._steps.append(Step(START_DOCKER, "docker", "start Docker with what is left, and see that it serves"))

    def _stops_containerd(self) -> bool:
        """Tell whether containerd rests as well: nobody starts it again where it stays without Docker, and others may use it."""
        touched = any(step.verb in (EMPTY, UNMOUNT_IT, PURGE) and step.name == CONTAINERD_ROOT for step in self._steps)
        return self._stays or touched or containerd_leaves((*self._leaving, *self._host.orphans))

    def _keys(self, config: Config) -> None:
        thing = item("file", config.path)
        if thing not in self._items or self._seen[thing].get("type") == ABSENT:
            return
        if config.now is None:
            self._kept[thing] = f"{config.path} cannot be read as the daemon's configuration"
            return
        after, self._stayed_keys = without_ours(config, self._stays and self._wanted.data != REMOVE)
        if self._stayed_keys:
            self._kept[thing] = "; ".join(f"{key} {reason}" for key, reason in sorted(self._stayed_keys.items()))
        if after != config.now or not after:
            says = f"remove {config.path}" if not after else f"take our keys out of {config.path}"
            self._steps.append(Step(KEYS, config.path, says, {"config": after, "stayed": sorted(self._stayed_keys)}))

    # What is left of our own ------------------------------------------------------------------------------------------------------

    def _state_files(self) -> None:
        needed = {"daemon.json"} if self._stayed_keys else set()
        gone = [name for name in self._host.files if name not in needed]
        if gone:
            says = f"remove the notes of the collection in {STATE_DIRECTORY} ({', '.join(gone)})"
            self._steps.append(Step(STATE, STATE_DIRECTORY, says, {"names": gone}))
        self._notes += [f"{STATE_DIRECTORY}/{name} was set aside, or is somebody's, and stays" for name in self._host.set_aside]

    def _remaining(self) -> Manifest:
        sections: dict[str, Section] = {}
        for role, section in self._before.sections.items():
            items = {thing: self._remembered.get(thing, state) for thing, state in section.items.items() if thing in self._kept}
            if items:
                sections[role] = dataclasses.replace(section, items=items)
        known = {thing for section in sections.values() for thing in section.items}
        new = {thing: state for thing, state in self._remembered.items() if thing not in known}
        if new:
            role = "docker_daemon"
            old = sections.get(role) or dataclasses.replace(next(iter(self._before.sections.values())), inputs="", items={})
            sections[role] = dataclasses.replace(old, items={**old.items, **new})
        return Manifest(self._before.machine, sections)


def without_ours(config: Config, data_stay: bool) -> tuple[dict[str, t.Any], dict[str, str]]:
    """Return the configuration without our keys, and those of ours that stay, each with the reason.

    Args:
        data_stay: whether Docker goes on with the data that it has.
    """
    after = {name: dict(value) if isinstance(value, dict) else value for name, value in (config.now or {}).items()}
    stayed: dict[str, str] = {}
    for path in config.managed:
        name, _dot, member = path.partition(".")
        holder = after.get(name) if member else after
        key = member or name
        if not isinstance(holder, dict) or key not in holder:
            continue
        good = (config.good or {}).get(name) if member else config.good
        if config.good is not None and (not isinstance(good, dict) or good.get(key) != holder[key]):
            stayed[path] = "has another value than was written, so it is somebody else's now"
        elif data_stay and name in _PLACES:
            stayed[path] = "says where the data lie with which Docker goes on"
        else:
            del holder[key]
            if member and not holder:
                del after[name]
    return after, stayed


def containerd_leaves(names: t.Collection[str]) -> bool:
    """Tell whether containerd is among the packages that go, so that what it has stored is nobody's any more."""
    return bool(set(names) & set(_CONTAINERDS))


def _items(before: Manifest) -> list[tuple[str, State]]:
    return [(thing, state) for section in before.sections.values() for thing, state in section.items.items()]
