# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What a difference in each field of each kind of thing is called, who mends it, and what that costs.

PRIVATE to the collection: no stability is promised to other users.

One entry for each field. A thing that is gone, or is of another type, is told by the field ``type`` alone; its other fields say
nothing then. Fields that begin with an underscore are memory for restoring, and are not compared.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.drift.model import (
    CONVERGE,
    NOTHING,
    PERSON,
    RESTART,
    RESTORE,
    Difference,
    State,
    split,
)

#: What ``type`` says of a thing that is not there.
ABSENT = "absent"
#: What a field says that could not be read; it is compared with nothing.
UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True)
class Aspect:
    """What a difference in one field means.

    Attributes:
        name: of the difference.
        says: the sentence, with {name}, {expected} and {observed}.
        route, blast: how it is mended and what that costs.
        advice: for a person, where the route is PERSON.
        gone, gone_says: name and sentence where the thing is not there any more; empty means the same name.
        came, came_says: name and sentence where the thing was not there before.
    """

    name: str
    says: str
    route: str = CONVERGE
    blast: str = NOTHING
    advice: str = ""
    gone: str = ""
    gone_says: str = ""
    came: str = ""
    came_says: str = ""


def _mode(kind: str) -> Aspect:
    return Aspect(f"{kind}-mode", "{name} has mode {observed}, not {expected}", RESTORE)


def _owner(kind: str) -> Aspect:
    return Aspect(f"{kind}-owner", "{name} belongs to {observed}, not to {expected}", RESTORE)


#: By kind and field. The order of fields is the order of differences.
KINDS: dict[str, dict[str, Aspect]] = {
    # A file that a role writes from its variables.
    "file": {
        "type": Aspect("file-replaced", "{name} is a {observed}, no {expected}", gone="file-missing", gone_says="{name} is gone"),
        "sha256": Aspect("file-edited", "{name} has another content than at the last converge"),
        "mode": _mode("file"),
        "owner": _owner("file"),
    },
    # A file of somebody else, such as a package, on which Docker's start depends.
    "foreign_file": {
        "type": Aspect(
            "foreign-file-replaced",
            "{name} is a {observed}, no {expected}",
            RESTORE,
            RESTART,
            gone="foreign-file-missing",
            gone_says="{name} is gone",
            came="foreign-file-appeared",
            came_says="{name} is there, and was not at the last converge",
        ),
        "sha256": Aspect("foreign-file-edited", "{name} has another content than at the last converge", RESTORE, RESTART),
        "mode": _mode("foreign-file"),
        "owner": _owner("foreign-file"),
    },
    "directory": {
        "type": Aspect(
            "directory-replaced",
            "{name} is a {observed}, no {expected}",
            PERSON,
            advice="see what lies there and move it away",
            gone="directory-missing",
            gone_says="{name} is gone",
        ),
        # Of another filesystem on top neither mode nor owner is meant.
        "on": Aspect(
            "directory-covered",
            "{name} lies on the filesystem of {observed}, and lay on that of {expected}",
            PERSON,
            RESTART,
            "see what was mounted or unmounted there",
        ),
        "mode": _mode("directory"),
        "owner": _owner("directory"),
    },
    "socket": {
        "type": Aspect("socket-replaced", "{name} is a {observed}, no {expected}", RESTORE, RESTART, gone="socket-missing", gone_says="{name} is gone"),
        "mode": _mode("socket"),
        "owner": _owner("socket"),
    },
    "unit": {
        "type": Aspect("unit-masked", "{name} is {observed}, not {expected}", RESTORE, gone="unit-missing", gone_says="systemd has no {name} any more"),
        "fragment": Aspect("unit-overridden", "{name} comes from {observed}, and came from {expected}", RESTORE, RESTART),
        "enabled": Aspect("unit-enablement", "{name} is {observed}, not {expected}, at the next boot", RESTORE),
        "active": Aspect("unit-not-running", "{name} is {observed}, not {expected}", RESTORE, RESTART),
        "drop_ins": Aspect("unit-drop-ins", "{name} has the drop-ins {observed}, and had {expected}", RESTORE, RESTART),
    },
    # A unit of a user's own manager; the name is user/unit.
    "user_unit": {
        "type": Aspect("unit-masked", "{name} is {observed}, not {expected}", gone="unit-missing", gone_says="the user's systemd has no {name} any more"),
        "enabled": Aspect("unit-enablement", "{name} is {observed}, not {expected}, at the next boot"),
        "active": Aspect("unit-not-running", "{name} is {observed}, not {expected}", CONVERGE, RESTART),
    },
    "package": {
        "type": Aspect(
            "package-state",
            "the package {name} is {observed}, not {expected}",
            CONVERGE,
            RESTART,
            gone="package-removed",
            gone_says="the package {name} is not installed any more",
            came="package-installed",
            came_says="the package {name} is installed, and was not at the last converge",
        ),
        "version": Aspect("package-changed", "the package {name} has version {observed}, and had {expected}", CONVERGE, RESTART),
        "held": Aspect("hold-removed", "the package {name} is not held any more, so the next upgrade of the host takes it along"),
    },
    "ranges": {
        "uid": Aspect("uid-ranges-changed", "{name} has the uids {observed} in /etc/subuid, and had {expected}, to which its files belong", RESTORE),
        "gid": Aspect("gid-ranges-changed", "{name} has the gids {observed} in /etc/subgid, and had {expected}, to which its files belong", RESTORE),
    },
    "account": {
        "type": Aspect("account-missing", "there is no account with a group of the name {name} any more, and dockerd looks both up", CONVERGE),
    },
    "mount": {
        "type": Aspect("mount-lost", "nothing is mounted on {name}"),
        "hidden": Aspect(
            "mount-hidden",
            "the filesystem on {name} is there, but another mount lies over it",
            PERSON,
            RESTART,
            "see what was mounted over it, and unmount that",
        ),
        "root": Aspect(
            "mount-hidden",
            "on {name} lies the directory {observed} of its filesystem, and {expected} lay there",
            PERSON,
            RESTART,
            "see what was mounted over it, and unmount that",
        ),
        "uuid": Aspect(
            "mount-replaced",
            "on {name} the filesystem {observed} is mounted instead of {expected}",
            PERSON,
            RESTART,
            "stop Docker, unmount it, and run provision",
        ),
        "options": Aspect("mount-options", "{name} is mounted with {observed}, and was with {expected}", RESTORE),
    },
    "fstab": {
        "type": Aspect("fstab-line-missing", "/etc/fstab has no line for {name}"),
        "line": Aspect("fstab-line-changed", "the line of {name} in /etc/fstab is '{observed}', and was '{expected}'"),
    },
    # The directory under a mount.
    "mount_point": {
        "immutable": Aspect(
            "mount-point-unprotected",
            "the bare mount point {name} is not immutable any more, so data can be written under the filesystem",
            RESTORE,
        ),
        "shadowed": Aspect("data-shadowed", "under the filesystem on {name} lies what nobody sees: {observed}", RESTORE),
    },
    "process": {
        "arguments": Aspect("daemon-flags", "{name} runs with the arguments {observed}, and ran with {expected}", CONVERGE, RESTART),
    },
    "sysctl": {
        "value": Aspect("sysctl-changed", "{name} is {observed}, not {expected}", RESTORE),
    },
    "firewall": {
        "missing": Aspect("firewall-rules-missing", "of dockerd's own rules {name} lacks: {observed}", CONVERGE, RESTART),
    },
    "audit": {
        "missing": Aspect("audit-rules-missing", "of the rules in {name} the kernel's audit lacks: {observed}"),
    },
    "apparmor": {
        "mode": Aspect(
            "profile-mode",
            "the profile {name} is in the mode {observed}, not {expected}",
            gone="profile-unloaded",
            gone_says="the profile {name} is not loaded any more",
        ),
    },
    # What the kernel keeps of a unit; units that are not there now have nothing to keep.
    "limits": {
        "values": Aspect("limits-not-kept", "of {name} the kernel keeps {observed}, and kept {expected}"),
    },
    "timer": {
        "type": Aspect("timer-masked", "{name} is {observed}, not {expected}", gone="timer-missing", gone_says="systemd has no {name} any more"),
        "enabled": Aspect("timer-disabled", "{name} is {observed}, not {expected}, at the next boot"),
        "active": Aspect("timer-stopped", "{name} is {observed}, not {expected}"),
    },
}

#: Where one of these differs, it is another thing, and the rest says nothing.
_WHOLE = ("type", "on", "hidden", "root")
#: How many entries of a list, and how many characters of a value, a sentence shows. The evidence has all.
_MOST_ENTRIES = 6
_MOST_CHARACTERS = 300


def compare(thing: str, wanted: State, seen: State, role: str, last_good: str) -> list[Difference]:
    """Return how a thing differs from its recorded state.

    Args:
        thing: its name.
        wanted: the state that was recorded.
        seen: the state that it has; ``_source`` and ``_changed_at`` in it say where and since when, ``_source_`` and
            ``_changed_at_`` with a field's name do so for one field.
        role, last_good: of the section that holds it.
    """
    kind, name = split(thing)
    found: list[Difference] = []
    for field, aspect in KINDS.get(kind, {}).items():
        expected, observed = wanted.get(field), seen.get(field)
        if field not in wanted or UNKNOWN in (expected, observed) or expected == observed:
            continue
        word, says = aspect.name, aspect.says
        if aspect.gone and observed == ABSENT:
            word, says = aspect.gone, aspect.gone_says
        elif aspect.came and expected == ABSENT:
            word, says = aspect.came, aspect.came_says
        found.append(
            Difference(
                name=word,
                role=role,
                item=thing,
                what=says.format(name=name, expected=shown(expected), observed=shown(observed)),
                expected=expected,
                observed=observed,
                source=str(seen.get(f"_source_{field}") or seen.get("_source") or name),
                route=aspect.route,
                blast=aspect.blast,
                advice=aspect.advice,
                changed_at=seen.get(f"_changed_at_{field}", seen.get("_changed_at")),
                last_good=last_good,
            )
        )
        if field in _WHOLE:
            break
    return found


def not_seen(thing: str, wanted: State, seen: State) -> list[str]:
    """Return the fields of a thing that were recorded and cannot be seen now."""
    kind, _name = split(thing)
    return [field for field in KINDS.get(kind, {}) if field in wanted and wanted[field] != UNKNOWN and seen.get(field) == UNKNOWN]


def shown(value: t.Any) -> str:
    """Return a value as a sentence shows it, in one line and not without end."""
    if isinstance(value, (list, tuple)):
        more = [f"and {len(value) - _MOST_ENTRIES} more"] if len(value) > _MOST_ENTRIES else []
        return ", ".join([*(shown(entry) for entry in value[:_MOST_ENTRIES]), *more]) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "nothing"
    text = " ".join(str(value).split())
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + " …"
