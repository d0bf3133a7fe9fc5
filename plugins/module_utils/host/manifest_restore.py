# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Putting back what the manifest remembers of one role and no variable says; what to do is decided in drift/restore.py.

PRIVATE to the collection: no stability is promised to other users.

Whatever is in the way is moved, never deleted. A run that is killed leaves things moved or not, and the next one goes on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import stat
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.drift import restore
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.kinds import ABSENT
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.model import State, item, split
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.restore import Action, Left
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import package_versions, text_lines
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    daemon,
    drift_items,
    drift_look,
    files,
    manifest_file,
    package_manager,
    restart_due,
    set_aside,
    subid_files,
    systemd,
)

_KINDS = {"regular file": stat.S_IFREG, "directory": stat.S_IFDIR, "socket": stat.S_IFSOCK}
#: What docker.service itself starts dockerd with; files of other units say nothing about the dockerd that runs.
_DOCKER_FILES = ("docker.service", "docker.socket", "/etc/default/docker", "/etc/sysconfig/docker", "daemon.json", "seccomp-bulkhead.json")
ENGINE_ROLE = "docker_engine"


@dataclasses.dataclass(frozen=True)
class Packages:
    """What the role of packages wants to know.

    Attributes:
        free: names of those whose version no variable says.
        upgrade: whether they become newer anyway.
        downgrade: whether they may become older.
    """

    free: tuple[str, ...] = ()
    upgrade: bool = False
    downgrade: bool = False


@dataclasses.dataclass
class Restored:
    """What was done, or would be.

    Attributes:
        actions: what was done, in order.
        left: what stays as it is.
        places: where things were moved to.
        packages: versions to put back, by name.
        problem: why the section cannot be read; empty where it can.
    """

    actions: list[Action] = dataclasses.field(default_factory=list)
    left: list[Left] = dataclasses.field(default_factory=list)
    places: list[str] = dataclasses.field(default_factory=list)
    packages: dict[str, str] = dataclasses.field(default_factory=dict)
    problem: str = ""


def run(role: str, wanted: Packages, predicting: bool) -> Restored:
    """Put back what belongs to a role.

    Args:
        role: whose section is meant.
        wanted: about packages; only for the role docker_engine.
        predicting: whether nothing is changed.

    Raises:
        files.FileError, commands.CommandError: something could not be put back; what was done before stays done.
    """
    found = manifest_file.read()
    if found.manifest is None:
        return Restored(problem=f"the manifest {found.problem}")
    section = found.manifest.sections.get(role)
    if section is None:
        return Restored(problem=f"the manifest has nothing of {role}")
    items = section.items
    eyes = drift_look.Eyes(
        ["docker.service", *(name for kind, name in map(split, items) if kind in ("unit", "timer"))],
        [name for kind, name in map(split, items) if kind == "package"],
        drift_items.OUR_DROP_INS,
    )
    seen = {thing: eyes.observe(thing, state) for thing, state in items.items()}
    moved = _moved_packages(found.manifest.sections[ENGINE_ROLE].items, eyes) if ENGINE_ROLE in found.manifest.sections else []
    actions, left = restore.plan(items, seen, _remembered(), moved)
    safe = [action for action in actions if not set_aside.open_to_others(action.name)]
    left += [Left(action.thing, f"others than root may put things into {set_aside.open_to_others(action.name)}") for action in actions if action not in safe]
    actions = safe
    result = Restored(actions, left)
    if role == ENGINE_ROLE:
        result.packages = _packages(items, seen, wanted, result.left)
    if not predicting:
        _carry_out(actions, result)
    return result


def _carry_out(actions: t.Sequence[Action], result: Restored) -> None:
    aside = set_aside.Aside()
    unit = daemon.Daemon().unit()
    reload = False
    for action in actions:
        # Noted before it is done: if this run is killed then, the next finds nothing to do here, and the note.
        reason = _due(action, unit)
        if reason:
            restart_due.note(unit.invocation, reason)
        if reload and action.verb in (restore.ENABLE, restore.DISABLE, restore.START):
            systemd.daemon_reload()
            reload = False
        _ACTS[action.verb](action, aside)
        # Beside its directories systemd has others, such as that of 'systemctl set-property' (systemd.unit(5)).
        touches_units = action.name.startswith("/") and "/systemd/" in action.name or action.verb in (restore.UNMASK, restore.MASK)
        reload = reload or touches_units
    if reload:
        systemd.daemon_reload()
    result.places = aside.places


# Acts ----------------------------------------------------------------------------------------------------------------------


def _ranges(action: Action, aside: set_aside.Aside) -> None:  # pylint: disable=unused-argument
    user = action.name
    names = {user, str(subid_files.account_number(user))}
    with subid_files.locked():
        for file, field in zip(subid_files.read(), ("uid", "gid")):
            wanted = [f"{user}:{ranges}" for ranges in action.values[field]]
            lines = text_lines.lines_of(file.text)
            own = [number for number, line in enumerate(lines) if line.strip().split(":", 1)[0] in names]
            first = own[0] if own else len(lines)
            kept = [line for number, line in enumerate(lines) if number not in own]
            at = first - sum(number < first for number in own)
            text = "".join(f"{line}\n" for line in [*kept[:at], *wanted, *kept[at:]])
            if text != file.text:
                subid_files.replace(file.path, text)


def _uncover(action: Action, aside: set_aside.Aside) -> None:
    aside.uncover(action.name, action.values["keep"])


def _away(action: Action, aside: set_aside.Aside) -> None:
    if os.path.lexists(action.name):
        aside.move(action.name)


def _write(action: Action, aside: set_aside.Aside) -> None:  # pylint: disable=unused-argument
    values = action.values
    owner = _owner(values.get("owner")) or (0, 0)
    files.ensure_directory(os.path.dirname(action.name))
    files.write_text(action.name, values["text"], mode=int(str(values.get("mode") or "0644"), 8), uid=owner[0], gid=owner[1])


def _attributes(action: Action, aside: set_aside.Aside) -> None:  # pylint: disable=unused-argument
    values = action.values
    mode = int(values["mode"], 8) if "mode" in values else None
    set_aside.set_attributes(action.name, _KINDS[values["type"]], mode, _owner(values.get("owner")))


def _remount(action: Action, aside: set_aside.Aside) -> None:  # pylint: disable=unused-argument
    commands.run(["mount", "--options", ",".join(["remount", *action.values["options"]]), "--", action.name])


def _sysctl(action: Action, aside: set_aside.Aside) -> None:  # pylint: disable=unused-argument
    path = "/proc/sys/" + action.name.replace(".", "/")
    try:
        with open(path, "w", encoding="ascii") as handle:
            handle.write(f"{action.values['value']}\n")
    except OSError as error:
        raise files.FileError(f"{path} cannot be written: {error.strerror}") from error


def _unmask(action: Action, aside: set_aside.Aside) -> None:
    for directory in drift_look.UNIT_DIRECTORIES:
        path = f"{directory}/{action.name}"
        if os.path.islink(path) and os.readlink(path) == os.devnull:
            files.remove(path)
        elif os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path) == 0:
            aside.move(path)


def _systemctl(action: Action, aside: set_aside.Aside) -> None:  # pylint: disable=unused-argument
    commands.run(["systemctl", action.verb, "--", action.name], timeout=120)


def _start(action: Action, aside: set_aside.Aside) -> None:  # pylint: disable=unused-argument
    # A run that was killed, or whoever put the files right, may not have told systemd.
    if systemd.properties(action.name, ["NeedDaemonReload"])["NeedDaemonReload"] == "yes":
        systemd.daemon_reload()
    systemd.reset_failed(action.name)
    done = systemd.start(action.name)
    if done.rc:
        raise commands.CommandError(f"'systemctl start {action.name}' failed: {(done.stderr.strip() or 'it printed nothing').splitlines()[-1]}")


def _nothing(action: Action, aside: set_aside.Aside) -> None:  # pylint: disable=unused-argument
    """Do nothing: the note that was made is all."""


_ACTS: dict[str, t.Callable[[Action, set_aside.Aside], None]] = {
    restore.RANGES: _ranges,
    restore.UNCOVER: _uncover,
    restore.AWAY: _away,
    restore.WRITE: _write,
    restore.ATTRIBUTES: _attributes,
    restore.REMOUNT: _remount,
    restore.SYSCTL: _sysctl,
    restore.MASK: _systemctl,
    restore.UNMASK: _unmask,
    restore.ENABLE: _systemctl,
    restore.DISABLE: _systemctl,
    restore.START: _start,
    restore.DUE: _nothing,
}


# Looking -------------------------------------------------------------------------------------------------------------------


def _due(action: Action, unit: daemon.Unit) -> str:
    """Return why the dockerd that runs has to be restarted for this, empty where it has not.

    It was started with what is put right now, if that is older than its start.
    """
    if not action.loaded or not unit.active:
        return ""
    if action.verb == restore.DUE:
        return str(action.values["reason"])
    if not any(word in action.name for word in _DOCKER_FILES):
        return ""
    if action.name.endswith(".json") and unit.invocation == daemon.Daemon().read_state()[0].invocation:
        # That run of it is known to have what is being put back; what it took at SIGHUP it says itself.
        return ""
    path = action.name if os.path.lexists(action.name) else os.path.dirname(action.name)
    try:
        changed = os.lstat(path).st_mtime
    except OSError:
        changed = 0.0
    return f"it was started with another {action.name}" if changed <= unit.started else ""


def _remembered() -> dict[str, str]:
    """Return the texts of daemon.json and its profile with which the daemon was proved, by their hashes."""
    good = daemon.Daemon().read_state()[0].good
    texts = [text for text in (good.config, good.seccomp) if text is not None] if good else []
    return {hashlib.sha256(text.encode()).hexdigest(): text for text in texts}


def _owner(text: t.Any) -> tuple[int, int] | None:
    if not text:
        return None
    uid, _colon, gid = str(text).partition(":")
    return int(uid), int(gid)


def _moved_packages(items: t.Mapping[str, State], eyes: drift_look.Eyes) -> list[str]:
    found = []
    for thing, state in items.items():
        if split(thing)[0] == "package" and state.get("version"):
            now = eyes.observe(thing, state).get("version")
            if now not in (state["version"], "unknown"):
                found.append(split(thing)[1])
    return found


def _packages(items: t.Mapping[str, State], seen: t.Mapping[str, State], wanted: Packages, left: list[Left]) -> dict[str, str]:
    """Return the versions that can be put back, and add to ``left`` why others cannot."""
    others = {name: str(items[item("package", name)]["version"]) for name in wanted.free if _differs(items, seen, name)}
    if not others or wanted.upgrade:
        return {}
    manager = package_manager.here()
    if manager is None:
        return {}
    known = manager.known(list(others))
    back: dict[str, str] = {}
    for name, version in others.items():
        thing, found = item("package", name), known.get(name)
        if found is None or version not in (found.installed, *found.offered):
            left.append(Left(thing, f"no source of this host offers {name} {version} any more; accept what is there (docker_drift_accept), or bring it back"))
        elif found.installed and not wanted.downgrade and package_versions.order(version, found.installed) < 0:
            left.append(Left(thing, f"{name} {found.installed} would become {version}, which is older; set docker_engine_downgrade to allow that"))
        else:
            back[name] = version
    return back


def _differs(items: t.Mapping[str, State], seen: t.Mapping[str, State], name: str) -> bool:
    thing = item("package", name)
    version = items.get(thing, {}).get("version")
    return bool(version) and (seen[thing].get("type") == ABSENT or seen[thing].get("version") not in (version, "unknown"))
