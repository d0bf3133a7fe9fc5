# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""One look at a host against its manifest: what differs, what it costs to mend, and what could not be seen.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import datetime
import threading
import time
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.drift import kinds, live, manifest, windows
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.live import DaemonSeen
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.manifest import Manifest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.model import Difference, item, split
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import unit_flags
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import parse_size
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    drift_live,
    drift_look,
    drift_packages,
    drift_places,
    engine_socket,
    files,
    manifest_file,
    restart_due,
)

_SHOWN_CONTAINERS = 20
_FIREWALLS = "firewall"


class Refused(Exception):
    """What was asked for makes no sense; the message says why."""


class Check:
    """One check. What is found is collected in its attributes.

    Args:
        options: of the module docker_host_drift.
    """

    def __init__(self, options: t.Mapping[str, t.Any]) -> None:
        self._options = options
        self.differences: list[Difference] = []
        self.unknown: list[dict[str, str]] = []
        self.upgrades: list[dict[str, str]] = []
        self.recreate: list[dict[str, t.Any]] = []
        self.facts: dict[str, t.Any] = {"live_restore": None, "running": None, "containers": None, "engine": "", "pending": ""}
        self.looked_at = 0
        self._eyes = drift_look.Eyes()

    def run(self) -> dict[str, t.Any]:
        """Look at everything and return what the module returns."""
        begin = time.monotonic()
        try:
            size = parse_size(self._options["free_size"]) if self._options["free_size"] else 0
            open_now = windows.is_open(windows.parse(self._options["windows"]), time.time(), _zone)
        except ValueError as error:
            raise Refused(str(error)) from error
        found = manifest_file.read()
        known = found.manifest or Manifest()
        if found.manifest is None:
            self.differences.append(live.of_manifest(found.name, manifest.PATH, found.problem, found.changed_at))
        else:
            self.differences += live.of_unrecorded(known, self._options["roles"])
        if found.manifest is not None and found.exposed:
            says = f"has mode and owner {found.exposed}, so others than root may read or change it"
            self.differences.append(live.of_manifest(live.EXPOSED, manifest.PATH, says, found.changed_at))
        things = [thing for section in known.sections.values() for thing in section.items]
        self._eyes = _eyes(things, known)
        self._ahead(things)
        inputs = {str(role): str(value) for role, value in self._options["inputs"].items()}
        self.differences += live.of_sections(known, inputs, self._options["collection_version"])
        self._things(known)
        self.differences = live.without_unmounted_by_stop(self.differences)
        self._live(known)
        self._room(known, size)
        self._packages(things, known)
        self.differences.sort(key=lambda difference: live.place(difference.role))
        return {
            "drifted": bool(self.differences),
            "differences": [difference.as_dict() for difference in self.differences],
            "roles": live.roles_to_run(self.differences, self._options["roles"]),
            "last_converge": _last_converge(known, found.written_at),
            "sections": {role: {"at": section.at, "collection": section.collection, "items": len(section.items)} for role, section in known.sections.items()},
            "window_open": open_now,
            "facts": self.facts,
            "recreate": self.recreate,
            "upgrades": self.upgrades,
            "unknown": self.unknown,
            "looked_at": self.looked_at,
            "duration": round(time.monotonic() - begin, 4),
        }

    def _ahead(self, things: t.Sequence[str]) -> None:
        """Ask what takes long while other things are asked."""
        families = [split(thing)[1] for thing in things if thing.startswith(f"{_FIREWALLS}:")]
        if not families:
            return
        threads = [threading.Thread(target=self._eyes.firewall, args=(family,)) for family in families]
        for thread in threads:
            thread.start()
        self._eyes.unit("docker.service")
        for thread in threads:
            thread.join()

    def _things(self, known: Manifest) -> None:
        for role, section in known.sections.items():
            found: list[Difference] = []
            for thing, wanted in section.items.items():
                self.looked_at += 1
                if split(thing)[0] not in kinds.KINDS:
                    self._unseen(thing, role, "this release does not know what that is")
                    continue
                seen = self._eyes.observe(thing, wanted)
                found += kinds.compare(thing, wanted, seen, role, section.at)
                missing = kinds.not_seen(thing, wanted, seen)
                if missing:
                    self._unseen(thing, role, str(seen.get("_why") or f"{', '.join(missing)} cannot be seen"))
            self.differences += _explained(found, section.items)

    def _live(self, known: Manifest) -> None:
        section = known.sections.get(live.DAEMON_ROLE)
        last_good = section.at if section else ""
        config_file = _config_file(section.items if section else {})
        shown = self._eyes.unit("docker.service")
        state, damage = drift_live.memory()
        due = restart_due.read(shown["InvocationID"])
        self.facts["pending"] = "restart" if due else state.pending
        if damage:
            self.differences.append(live.of_memory(drift_live.STATE_FILE, damage, last_good))
        if any(thing.startswith("user_unit:") for thing in (section.items if section else ())):
            self._unseen(item("process", "dockerd"), live.DAEMON_ROLE, "the daemon of a user is not asked")
            return
        engine = drift_live.Engine(self._options["timeout"], drift_live.address(drift_places.arguments(shown), drift_places.configuration(config_file)))
        if shown["ActiveState"] in ("active", "reloading", "refreshing"):
            engine.ask()
        if engine.silence:
            self.differences.append(live.of_silence(engine.silence, last_good))
        if section is None:
            self._daemon_facts(engine)
            return
        try:
            seen = drift_live.daemon(self._eyes, engine, state, config_file)
            self._of_daemon(seen, engine, last_good)
        except (ValueError, OSError, files.FileError, engine_socket.EngineError) as error:
            self._unseen(item("process", "dockerd"), live.DAEMON_ROLE, str(error))
        self._daemon_facts(engine)

    def _of_daemon(self, seen: DaemonSeen, engine: drift_live.Engine, last_good: str) -> None:
        self.differences = live.refined(self.differences, seen)
        self.differences += live.of_daemon(dataclasses.replace(seen, due=tuple(restart_due.read(seen.invocation))), last_good)
        flags = unit_flags.parse(drift_places.arguments(self._eyes.unit("docker.service")))
        self.differences += live.of_flags(flags, seen.config, seen.config_file, last_good)
        if seen.info is not None and seen.reload is None:
            forgotten = "the engine has forgotten its older events, so whether it was reloaded since its start is not known"
            self._unseen(item("setting", "*"), live.DAEMON_ROLE, forgotten)
        self.recreate, since = drift_live.stale(engine, seen)
        self.differences += live.of_containers(self.recreate, since, last_good)

    def _daemon_facts(self, engine: drift_live.Engine) -> None:
        if engine.info is None:
            return
        self.facts["live_restore"] = bool(engine.info.get("LiveRestoreEnabled"))
        self.facts["running"] = int(engine.info.get("ContainersRunning") or 0)
        self.facts["engine"] = str(engine.info.get("ServerVersion") or "")
        self.facts["containers"] = []
        if self.facts["running"]:
            try:
                self.facts["containers"] = drift_live.running(engine)
            except engine_socket.EngineError:
                self.facts["containers"] = None

    def _room(self, known: Manifest, size: int) -> None:
        asked = (self._options["free_percent"], self._options["free_inodes_percent"], size)
        if not any(asked):
            return
        storage = [split(thing)[1] for section in known.sections.values() for thing in section.items if thing.startswith(("mount:", "directory:"))]
        # The filesystems of /etc and of our memory are somebody else's.
        paths = [path for path in storage if not path.startswith("/etc/") and path != drift_places.STATE_DIRECTORY]
        self.differences += live.of_room(drift_live.rooms([*paths, "/var/lib/docker", drift_live.CONTAINERD_ROOT]), *asked)

    def _packages(self, things: t.Sequence[str], known: Manifest) -> None:
        names = [split(thing)[1] for thing in things if thing.startswith("package:")]
        if self._options["upgrades"] == "ignore" or not names:
            return
        try:
            self.upgrades = drift_packages.upgrades(names)
        except commands.CommandError as error:
            self._unseen("package:*", live.ENGINE_ROLE, str(error))
            return
        if self._options["upgrades"] == "drift":
            self.differences += live.of_upgrades(self.upgrades, known.sections[live.ENGINE_ROLE].at if live.ENGINE_ROLE in known.sections else "")

    def _unseen(self, thing: str, role: str, reason: str) -> None:
        self.unknown.append({"item": thing, "role": role, "reason": reason})


def run(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Check the host and return what the module docker_host_drift returns.

    Raises:
        Refused: an option makes no sense.
    """
    return Check(options).run()


def _eyes(things: t.Iterable[str], known: Manifest) -> drift_look.Eyes:
    pairs = [split(thing) for thing in things]
    units = [name for kind, name in pairs if kind in ("unit", "timer")]
    names = [name for kind, name in pairs if kind == "package"]
    ours = [name for kind, name in pairs if kind == "file" and name.endswith(".conf")]
    return drift_look.Eyes([*drift_places.UNITS, *units], names, {*ours, *drift_places.OUR_DROP_INS})


def _config_file(items: t.Mapping[str, t.Any]) -> str:
    paths = [split(thing)[1] for thing in items if thing.startswith("file:") and thing.endswith("daemon.json")]
    return paths[0] if paths else drift_places.CONFIG_FILE


def _explained(found: list[Difference], items: t.Mapping[str, t.Any]) -> list[Difference]:
    """Return the differences without those that another one explains.

    A package that was moved brings its own unit files along, and putting the old ones back would be wrong. Where a filesystem is
    not mounted, the directory that is seen is another one.
    """
    moved = any(difference.name in ("package-changed", "package-removed", "package-state") for difference in found)
    names = [split(thing)[1] for thing in items if thing.startswith("package:")]
    gone = [split(difference.item)[1] for difference in found if difference.name in ("mount-lost", "mount-hidden")]

    def explained(difference: Difference) -> bool:
        path = split(difference.item)[1]
        if difference.name.startswith("directory-"):
            return path in gone
        if difference.name.startswith("foreign-file-"):
            return moved and (difference.observed == kinds.ABSENT or drift_packages.as_packaged(path, names))
        return False

    return [difference for difference in found if not explained(difference)]


def _zone(name: str) -> datetime.tzinfo:
    # Few windows have a zone of their own, and every check would pay for it.
    import zoneinfo

    return zoneinfo.ZoneInfo(name)


def _last_converge(known: Manifest, written_at: float | None) -> str:
    times = [section.at for section in known.sections.values()]
    if written_at is not None and known.sections:
        times.append(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(written_at)))
    return max(times, default="")
