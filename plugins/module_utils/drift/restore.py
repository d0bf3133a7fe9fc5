# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What has to be done so that things of a host are again what the manifest remembers, where no variable of a role says it.

PRIVATE to the collection: no stability is promised to other users.

Decisions only; host/manifest_restore.py carries them out. What a role converges from its variables is left to the role, apart from
what would keep it from doing so, such as a link in the place of its file.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.drift.kinds import ABSENT, UNKNOWN
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.model import State, split
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import packages

# What is done, in this order: what others rest on first, and units after the files that they are made of ----------------------
RANGES = "ranges"
UNCOVER = "uncover"
AWAY = "away"
WRITE = "write"
ATTRIBUTES = "attributes"
REMOUNT = "remount"
SYSCTL = "sysctl"
MASK = "mask"
UNMASK = "unmask"
ENABLE = "enable"
DISABLE = "disable"
START = "start"
DUE = "due"
VERBS = (RANGES, UNCOVER, AWAY, WRITE, ATTRIBUTES, REMOUNT, SYSCTL, MASK, UNMASK, ENABLE, DISABLE, START, DUE)

FILES = ("file", "foreign_file")
_UNITS = ("unit", "timer")
#: The packages that bring containerd.service; those of docker.service are packages.ENGINES.
CONTAINERDS = ("containerd", "containerd.io", "moby-containerd")
#: Options of mounts that have a word for their absence (mount(8)).
_OPPOSITES = {"nosuid": "suid", "nodev": "dev", "noexec": "exec", "ro": "rw", "nosymfollow": "symfollow"}
#: The unit that its own transaction starts, with a configuration that was judged.
DOCKER = "docker.service"
SOCKET = "docker.socket"


@dataclasses.dataclass(frozen=True)
class Action:
    """One thing to do.

    Attributes:
        verb: one of VERBS.
        thing: of the manifest, which it is done for.
        name: the path, unit, user or kernel setting that it is done to.
        says: what is done, for people.
        values: what it takes: a text, a mode, an owner, ranges, options.
        loaded: whether dockerd was started with what is put right here, where that lies in a file; the host finds out.
    """

    verb: str
    thing: str
    name: str
    says: str
    values: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    loaded: bool = False


@dataclasses.dataclass(frozen=True)
class Left:
    """What stays as it is, and why."""

    item: str
    reason: str


def plan(
    items: t.Mapping[str, State], seen: t.Mapping[str, State], texts: t.Mapping[str, str], moved: t.Sequence[str] = ()
) -> tuple[list[Action], list[Left]]:
    """Return what to do, in order, and what is left alone.

    Args:
        items: the recorded states of one section.
        seen: the states as they are now.
        texts: texts that are remembered elsewhere, by their sha256.
        moved: packages that have another version than the recorded one, so that their files are not those of the manifest.
    """
    actions: list[Action] = []
    left: list[Left] = []
    for thing, wanted in items.items():
        kind, name = split(thing)
        now = seen[thing]
        if kind in FILES:
            _file(thing, wanted, now, texts, moved, actions, left)
        elif kind in ("directory", "socket"):
            if kind == "socket" and wanted.get("type") == "socket" and _other(wanted, now, "type") and now["type"] != ABSENT:
                actions.append(Action(AWAY, thing, name, f"set aside {name}, which is a {now['type']}"))
            # What can be seen while a filesystem is not mounted is the bare mount point.
            if seen.get(f"mount:{name}", {}).get("type", "mounted") == "mounted" and not _other(wanted, now, "on"):
                _attributes(thing, wanted, now, actions)
        elif kind in _UNITS:
            _unit(thing, wanted, now, seen, actions, left)
        elif kind == "ranges" and (_other(wanted, now, "uid") or _other(wanted, now, "gid")):
            says = f"give {name} the uids {_listed(wanted['uid'])} and the gids {_listed(wanted['gid'])} again"
            actions.append(Action(RANGES, thing, name, says, {"uid": wanted["uid"], "gid": wanted["gid"]}))
        elif kind == "mount" and not _other(wanted, now, "type") and _other(wanted, now, "options"):
            options = remount_options(wanted["options"], now["options"])
            actions.append(Action(REMOUNT, thing, name, f"mount {name} with {', '.join(options)} again", {"options": options}))
        elif kind == "mount_point" and _other(wanted, now, "shadowed") and now.get("shadowed"):
            kept = list(wanted["shadowed"])
            actions.append(Action(UNCOVER, thing, name, f"set aside what lies under the filesystem on {name}: {_listed(now['shadowed'])}", {"keep": kept}))
        elif kind == "sysctl" and _other(wanted, now, "value") and wanted["value"] != ABSENT:
            if now.get("value") == ABSENT:
                left.append(Left(thing, "the kernel does not have it now"))
            else:
                actions.append(Action(SYSCTL, thing, name, f"set {name} to {wanted['value']}", {"value": wanted["value"]}))
        elif kind == "firewall" and now.get("missing") not in (None, UNKNOWN, [], wanted.get("missing")):
            actions.append(Action(DUE, thing, DOCKER, f"have dockerd make its rules in {name} anew", {"reason": f"its own rules in {name} are gone"}, True))
    return sorted(actions, key=lambda action: VERBS.index(action.verb)), left


def remount_options(wanted: t.Sequence[str], now: t.Sequence[str]) -> list[str]:
    """Return the options that make a mount have the wanted ones."""
    lost = [option for option in wanted if option not in now]
    gained = [_OPPOSITES[option] for option in now if option not in wanted and option in _OPPOSITES]
    return list(dict.fromkeys([*lost, *gained])) or list(wanted)


def _file(
    thing: str,
    wanted: State,
    now: State,
    texts: t.Mapping[str, str],
    moved: t.Sequence[str],
    actions: list[Action],
    left: list[Left],
) -> None:
    kind, path = split(thing)
    foreign = kind == "foreign_file"
    other_type = _other(wanted, now, "type")
    if not other_type and not _other(wanted, now, "sha256"):
        _attributes(thing, wanted, now, actions)
        return
    package = _package_of(path, moved) if foreign else ""
    if package:
        left.append(Left(thing, f"it belongs to {package}, of which there is another version, which brings its own"))
        return
    there = now.get("type") != ABSENT
    if wanted.get("type") == ABSENT:
        actions.append(Action(AWAY, thing, path, f"set aside {path}, which was not there", loaded=foreign))
        return
    text = wanted.get("_text") if foreign else texts.get(str(wanted.get("sha256")))
    if there and (other_type or text is not None):
        says = f"set aside {path}, which is a {now['type']}" if other_type else f"set aside {path} as it was edited"
        actions.append(Action(AWAY, thing, path, says, loaded=True))
    if text is not None:
        values = {"text": text, "mode": wanted.get("mode"), "owner": wanted.get("owner")}
        actions.append(Action(WRITE, thing, path, f"write {path} as it was", values, loaded=not there))
    elif foreign:
        left.append(Left(thing, "the manifest does not hold its text"))


def _package_of(path: str, moved: t.Sequence[str]) -> str:
    """Return the package that brings a unit file, if it is one of those that have another version; empty otherwise."""
    if not path.startswith(("/usr/lib/", "/lib/")):
        return ""
    owners = CONTAINERDS if path.rpartition("/")[2].startswith("containerd") else packages.ENGINES
    return next((name for name in moved if name in owners), "")


def _attributes(thing: str, wanted: State, now: State, actions: list[Action]) -> None:
    name = split(thing)[1]
    if _other(wanted, now, "type") or now.get("type") == ABSENT:
        return
    wrong = {field: wanted[field] for field in ("mode", "owner") if _other(wanted, now, field)}
    if wrong:
        words = [f"{field} {value} instead of {now[field]}" for field, value in wrong.items()]
        actions.append(Action(ATTRIBUTES, thing, name, f"give {name} {' and '.join(words)}", {"type": now["type"], **wrong}))


def _unit(thing: str, wanted: State, now: State, seen: t.Mapping[str, State], actions: list[Action], left: list[Left]) -> None:
    unit = split(thing)[1]
    if _other(wanted, now, "type"):
        if wanted["type"] == "masked":
            actions.append(Action(MASK, thing, unit, f"mask {unit} again"))
            return
        if now["type"] == "masked":
            actions.append(Action(UNMASK, thing, unit, f"unmask {unit}"))
        elif now["type"] == ABSENT and f"foreign_file:{wanted.get('fragment')}" not in seen:
            left.append(Left(thing, "its file belongs to a package; the role that installs it brings it back"))
    elif split(thing)[0] == "timer":
        # Its role does the rest.
        return
    if _other(wanted, now, "fragment") and now.get("fragment") and wanted.get("fragment"):
        path = str(now["fragment"])
        actions.append(Action(AWAY, thing, path, f"set aside {path}, which hides {wanted['fragment']}", loaded=True))
    if _other(wanted, now, "drop_ins"):
        for path in now["drop_ins"]:
            if path not in wanted["drop_ins"]:
                actions.append(Action(AWAY, thing, path, f"set aside the drop-in {path}", loaded=True))
    if now.get("enabled") != wanted.get("enabled") and wanted.get("enabled") in ("enabled", "disabled") and UNKNOWN not in (now.get("enabled"),):
        verb = ENABLE if wanted["enabled"] == "enabled" else DISABLE
        actions.append(Action(verb, thing, unit, f"{verb} {unit} for the next boot"))
    if wanted.get("active") == "active" and now.get("active") not in ("active", UNKNOWN, None) and unit != DOCKER:
        docker = seen.get(f"unit:{DOCKER}", {}).get("active")
        if unit == SOCKET and docker == "active":
            actions.append(Action(DUE, thing, DOCKER, f"have {unit} started together with dockerd", {"reason": f"{unit} does not listen for it"}, True))
        elif unit != SOCKET:
            actions.append(Action(START, thing, unit, f"start {unit}"))
    elif wanted.get("active") == "inactive" and now.get("active") == "active":
        left.append(Left(thing, f"{unit} runs, and did not; stop it if it shall not"))


def _other(wanted: State, now: State, field: str) -> bool:
    """Tell whether a field was recorded, can be seen, and is another."""
    return field in wanted and wanted[field] != UNKNOWN and now.get(field) not in (wanted[field], UNKNOWN, None)


def _listed(values: t.Sequence[t.Any]) -> str:
    return ", ".join(str(value) for value in values[:6]) + (" …" if len(values) > 6 else "") or "none"
