# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The limits of containers on a host: what the host has, what of them is not as wanted, making it so, and seeing that the kernel keeps them.

PRIVATE to the collection: no stability is promised to other users.

Neither Docker nor a container is restarted: systemd reads the units again and tells the kernel.
"""

from __future__ import annotations

import dataclasses
import os
import re
import stat
import time
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import limits
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.limits_metrics import Wanted as Metrics
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import format_size
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    drift_places,
    files,
    limits_live,
    limits_metrics,
    managed_files,
    systemd,
)

#: Where 'systemctl set-property --runtime' writes down what it was told (systemd.unit(5)).
CONTROL = "/run/systemd/system.control"
_SYS_DEVICES = "/sys/dev/block"
_SCOPE = re.compile(r"docker-[0-9a-f]{64}\.scope")
#: Deeper than this no container lies on a host: slices, and those of a class.
_DEEPEST = 8
#: systemd tells the kernel after it has answered; how long that may take, in seconds.
_PAUSES = (0.1, 0.4, 1.5, 3)
#: Mapped devices on mapped devices.
_MOST_LAYERS = 8
#: A kernel without a scheduler of disks that knows weights has no file for them.
_OPTIONAL = ("io_weight",)
#: The options in which systemd says what a limit is; those of processors and devices it says otherwise than the kernel.
_SAID = {name: field.directive for name, field in limits.FIELDS.items() if field.kind in (limits.MEMORY, limits.SIZE, limits.TASKS, limits.WEIGHT)}

#: The options of a module that say what is wanted.
ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "slice": {"type": "str", "default": "containers.slice"},
    "containers": {"type": "dict", "default": {}},
    "classes": {"type": "dict", "default": {}},
    "container": {"type": "dict", "default": {}},
    "system": {"type": "dict", "default": {}},
    "daemon": {"type": "dict", "default": {}},
    "reserve": {"type": "str", "default": "0"},
    "without_controllers": {"type": "str", "choices": ["warn", "refuse"], "default": "warn"},
}


class Refused(Exception):
    """The host cannot be limited so, and nothing was written."""

    def __init__(self, problems: t.Sequence[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclasses.dataclass(frozen=True)
class Wrong:
    """A limit that the kernel does not keep as it is to."""

    unit: str
    path: str
    expected: limits.Expected
    found: str

    def __str__(self) -> str:
        return f"{self.unit}: {self.expected.file} is '{self.found}' and not '{self.expected.value}'"


@dataclasses.dataclass(frozen=True)
class Plan:
    """What has to be done.

    Attributes:
        files: that differ.
        wrong: limits that the kernel does not keep now, of units whose files are right.
        units: values by unit, as `limits.of_units` has them.
        metrics: what is to be done for the metrics.
        warnings: what a person should know.
        lacking: what is not in force because the host lacks controllers; empty where all is.
    """

    files: tuple[managed_files.Difference, ...]
    wrong: tuple[Wrong, ...] = ()
    units: t.Mapping[str, limits.Values] = dataclasses.field(default_factory=dict)
    metrics: limits_metrics.Plan = limits_metrics.Plan()
    warnings: tuple[str, ...] = ()
    lacking: str = ""

    @property
    def changes(self) -> bool:
        return bool(self.files or self.wrong or self.metrics.changes)

    def diff(self) -> list[dict[str, str]]:
        """Return what differs, in the form that Ansible shows."""
        live = [
            {
                "before_header": one.path,
                "after_header": one.path,
                "before": f"{one.expected.file}: {one.found}\n",
                "after": f"{one.expected.file}: {one.expected.value}\n",
            }
            for one in self.wrong
        ]
        return [*(one.as_diff() for one in self.files), *live, *self.metrics.diff()]


# The host ----------------------------------------------------------------------------------------------------------------------


def host() -> limits.Host:
    """Return what the host has."""
    return limits.Host(_memory(), os.cpu_count() or 1, _tasks(), _controllers(), _systemd(), systemd_has_oomd())


def _memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _tasks() -> int:
    found = [int(limits_live.text(f"/proc/sys/kernel/{name}") or 0) for name in ("pid_max", "threads-max")]
    return min([number for number in found if number] or [32768])


def _controllers() -> frozenset[str] | None:
    text = limits_live.text(f"{limits_live.CGROUPS}/cgroup.controllers")
    return None if text is None else frozenset(text.split())


def _systemd() -> int:
    said = commands.run(["systemctl", "--version"], check=False).stdout.split()
    return int(said[1]) if len(said) > 1 and said[1].isdigit() else 0


def systemd_has_oomd() -> bool:
    """Tell whether the host has the service that kills by pressure."""
    return any(os.path.exists(f"{directory}/systemd-oomd") for directory in ("/usr/lib/systemd", "/lib/systemd"))


def parent_of_daemon(told: str | None) -> str:
    """Return where dockerd puts containers: as a run says that configures it, or else as its file says; empty where nothing says it."""
    return str(drift_places.configuration(drift_places.CONFIG_FILE).get("cgroup-parent") or "") if told is None else told


def wanted(options: t.Mapping[str, t.Any], parent: str, given: t.Sequence[str] | None = None) -> limits.Wanted:
    """Return what options of a module (ARGUMENTS) ask for.

    Args:
        parent: where dockerd puts its containers; empty where nothing says it.
        given: directives that the slice's own unit file has or will have; None for those of the file that is there.
    """
    names = [name for name in ARGUMENTS if name != "without_controllers"]
    asked = {name: options[name] for name in names}
    if given is None:
        path = os.path.join(limits_live.UNITS, os.path.basename(str(options["slice"])))
        text = files.read_text(path) if path.endswith(".slice") else None
        given = sorted(limits.given_by(text or ""))
    return limits.Wanted(**asked, parent=parent, given=frozenset(given))


def device_of(path: str) -> str | None:
    """Return the numbers of the disk on which a path lies, or which it is; None where nothing lies there.

    The kernel limits whole disks; of a partition, and of a mapped device on a single one, systemd takes what is below.

    Raises:
        files.FileError: it lies on no disk.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise files.FileError(f"{path} cannot be looked at: {error.strerror}") from error
    device = status.st_rdev if stat.S_ISBLK(status.st_mode) else status.st_dev
    numbers = f"{os.major(device)}:{os.minor(device)}"
    known = os.path.join(_SYS_DEVICES, numbers)
    if not os.path.exists(known):
        raise files.FileError(f"{path} lies on no block device, so what is read and written there cannot be limited; name the disk below it")
    real = os.path.realpath(known)
    for _step in range(_MOST_LAYERS):
        below = os.listdir(os.path.join(real, "slaves")) if os.path.isdir(os.path.join(real, "slaves")) else []
        if len(below) != 1:
            break
        real = os.path.realpath(os.path.join(real, "slaves", below[0]))
    if os.path.exists(os.path.join(real, "partition")):
        real = os.path.dirname(real)
    return limits_live.text(os.path.join(real, "dev")) or numbers


def _devices(values: t.Mapping[str, limits.Values]) -> dict[str, str]:
    paths = [str(entry["device"]) for one in values.values() for entry in one.get("io") or ()]
    found = {path: device_of(path) for path in dict.fromkeys(paths)}
    return {path: numbers for path, numbers in found.items() if numbers}


# Control groups ----------------------------------------------------------------------------------------------------------------


def scopes() -> list[str]:
    """Return the directories of the control groups of all containers."""
    found = []
    top = limits_live.CGROUPS.rstrip("/").count("/")
    for directory, names, _files in os.walk(limits_live.CGROUPS):
        inside = [name for name in names if _SCOPE.fullmatch(name)]
        found += [os.path.join(directory, name) for name in inside]
        names[:] = [] if directory.count("/") - top >= _DEEPEST else [name for name in names if name not in inside]
    return sorted(found)


def used(directory: str) -> int:
    """Return the bytes that a control group holds and that the kernel cannot take back by dropping what lies on a disk as well."""
    numbers = dict(line.split(" ", 1) for line in (limits_live.text(os.path.join(directory, "memory.stat")) or "").splitlines() if " " in line)
    counted = (numbers.get(name, "").strip() for name in ("anon", "shmem", "kernel_stack", "pagetables", "percpu", "slab_unreclaimable", "sock"))
    return sum(int(number) for number in counted if number.isascii() and number.isdigit() and len(number) <= 20)


def _wrong(units: t.Mapping[str, limits.Values], seen: limits.Host, devices: t.Mapping[str, str]) -> list[Wrong]:
    """Return the limits that the kernel does not keep, of the control groups that are there."""
    found = []
    for unit, values in units.items():
        # runc may have given a container something of its own.
        if unit == limits.SCOPE:
            continue
        directory = limits_live.place(unit)
        for one in limits.expected(values, seen, devices):
            text = limits_live.text(os.path.join(directory, one.file))
            if text is None and (one.field in _OPTIONAL or seen.controllers is None or not os.path.isdir(directory)):
                continue
            if text is None or not limits.keeps(one, text):
                found.append(Wrong(unit, os.path.join(directory, one.file), one, "not there" if text is None else limits.said(one.field, text)))
    return found


def _squeezed(units: t.Mapping[str, limits.Values], seen: limits.Host) -> list[Problem]:
    """Return why limits that are new would kill what runs."""
    found = []
    groups = [(unit, limits_live.place(unit), values) for unit, values in units.items() if unit != limits.SCOPE]
    groups += [(os.path.basename(path), path, units[limits.SCOPE]) for path in scopes() if limits.SCOPE in units]
    for unit, directory, values in groups:
        for one in limits.expected(values, seen):
            if one.file != "memory.max":
                continue
            now = limits_live.text(os.path.join(directory, one.file))
            # Of a container only one that has no limit of its own.
            looser = now == "max" or (unit.endswith(".slice") and now is not None and now.isdigit() and int(now) > int(one.value))
            holds = used(directory)
            if looser and limits.too_tight(one, holds):
                found.append(
                    Problem(
                        f"{unit}, memory_max",
                        f"would be {format_size(int(one.value))}, and {format_size(holds)} are in use there that cannot be taken back, so the kernel would kill"
                        " something at once; write more, stop something before, or set docker_limits_below_use to allow",
                    )
                )
    return found


def judge(wanted: limits.Wanted, strict: bool, seen: limits.Host | None = None) -> tuple[list[Problem], Problem | None]:
    """Return why the host cannot be limited so, and what is not in force on it.

    Args:
        strict: whether what is not in force is such a reason.
    """
    seen = seen or host()
    problems = limits.judge(wanted, seen)
    lacking = None if problems else limits.without_controllers(wanted, seen)
    return [*problems, *([lacking] if lacking is not None and strict else [])], lacking


# Plan --------------------------------------------------------------------------------------------------------------------------


def plan(
    wanted: limits.Wanted,
    metrics: Metrics | None = None,
    *,
    strict: bool = False,
    below_use: bool = False,
    predicting: bool = False,
) -> Plan:
    """Return what has to be done.

    Args:
        strict: refuse a host that lacks controllers.
        below_use: allow limits that kill what runs.
        predicting: nothing is done afterwards, so what other roles make first may be missing.

    Raises:
        Refused: the host cannot be limited so.
        files.FileError, commands.CommandError: it cannot be looked at.
    """
    seen = host()
    problems, lacking = judge(wanted, strict, seen)
    problems += limits_metrics.refusals(metrics, predicting) if metrics else []
    if problems:
        raise Refused(problems)
    units = limits.of_units(wanted, seen)
    try:
        devices = _devices(units)
    except files.FileError as error:
        raise Refused([Problem("docker_limits_containers.io", str(error))]) from error
    gone = [str(entry["device"]) for one in units.values() for entry in one.get("io") or () if str(entry["device"]) not in devices]
    if gone and not predicting:
        raise Refused([Problem("docker_limits_containers.io", f"names {', '.join(gone)}, and nothing is there; name a disk, or what lies on it")])
    if not below_use and (seen.controllers is None or "memory" in seen.controllers):
        squeezed = _squeezed(units, seen)
        if squeezed:
            raise Refused(squeezed)
    texts: dict[str, tuple[str | None, int]] = {path: (text, 0o644) for path, text in limits.texts(wanted, seen).items()}
    stale: dict[str, tuple[str | None, int]] = {path: (None, 0) for path in ours() if path not in texts}
    found = managed_files.differences({**texts, **stale})
    changed_units = {_unit_of(one.path) for one in found}
    wrong = [one for one in _wrong(units, seen, devices) if one.unit not in changed_units]
    warnings = limits.remarks(wanted, seen)
    warnings += [f"{lacking}"] if lacking is not None else []
    warnings += _outside(wanted.slice)
    exporter = limits_metrics.plan(metrics) if metrics else limits_metrics.removal()
    return Plan(tuple(found), tuple(wrong), units, exporter, tuple(warnings), str(lacking or ""))


def removal() -> Plan:
    """Return what has to be done for no limit of ours to be left."""
    found = managed_files.differences(dict.fromkeys(ours(), (None, 0)))
    return Plan(tuple(found), metrics=limits_metrics.removal())


def ours() -> list[str]:
    """Return the unit files and drop-ins that this role has written, of slices that are not wanted any more too."""
    found = []
    try:
        names = os.listdir(limits_live.UNITS)
    except OSError:
        return []
    for name in names:
        path = os.path.join(limits_live.UNITS, name)
        if name.endswith(".d") and os.path.lexists(os.path.join(path, limits.DROP_IN)):
            found.append(os.path.join(path, limits.DROP_IN))
        elif name.endswith(".slice") and os.path.isfile(path) and not os.path.islink(path) and (files.read_text(path) or "").startswith(limits_live.MANAGED):
            found.append(path)
    return sorted(found)


def _unit_of(path: str) -> str:
    name = os.path.basename(path)
    return os.path.basename(os.path.dirname(path))[: -len(".d")] if name == limits.DROP_IN else name


def _outside(slice_: str) -> list[str]:
    """Say which containers lie elsewhere: they keep the parent that they were made with."""
    inside = limits_live.place(slice_) + os.sep
    found = [path for path in scopes() if not path.startswith(inside)]
    if not found:
        return []
    one = len(found) == 1
    names = ", ".join(os.path.basename(path)[len("docker-"): len("docker-") + 12] for path in found[:6]) + (" …" if len(found) > 6 else "")
    return [
        f"{len(found)} container{'' if one else 's'} ({names}) {'lies' if one else 'lie'} outside of {slice_}, and no limit of it counts for"
        f" {'it' if one else 'them'}: a container keeps the parent that it was made with, until it is made anew."
    ]


# Carry out ---------------------------------------------------------------------------------------------------------------------


def carry_out(found: Plan) -> None:
    """Do it, and see that the kernel keeps it.

    Raises:
        commands.CommandError: the kernel does not keep a limit although everything is written; the message says which, and what systemd has.
        files.FileError: something cannot be written.
    """
    if found.files or found.wrong:
        for one in found.files:
            if one.wanted is None and one.path.endswith(limits.DROP_IN):
                files.remove(one.path)
                _drop_directory(os.path.dirname(one.path))
        managed_files.apply([one for one in found.files if one.wanted is not None or not one.path.endswith(limits.DROP_IN)])
        systemd.daemon_reload()
        # Without a container in it a slice has no control group, and nobody could tell whether the limits hold.
        own = [unit for unit in found.units if unit.endswith(".slice") and unit != limits.SYSTEM]
        if own:
            done = commands.run(["systemctl", "start", "--", *own], check=False)
            if done.rc:
                raise commands.CommandError(f"{', '.join(own)} cannot be started: {(done.stderr or done.stdout).strip()}")
        _refuse_overruled(found.units)
        _tell(found)
        verify(found.units)
    limits_metrics.carry_out(found.metrics)


def _refuse_overruled(units: t.Mapping[str, limits.Values]) -> None:
    """Make sure that systemd has our limits and not those of somebody's other drop-in.

    Raises:
        commands.CommandError: it has others; the message says which and where from.
    """
    seen = host()
    for unit, values in units.items():
        if unit == limits.SCOPE:
            continue
        said = systemd.properties(unit, ["LoadState", "DropInPaths", *_SAID.values()])
        for one in limits.expected(values, seen):
            directive = _SAID.get(one.field)
            if directive and said["LoadState"] == "loaded" and not one.met_by(said[directive]):
                others = [path for path in said["DropInPaths"].split() if os.path.basename(path) != limits.DROP_IN]
                raise commands.CommandError(
                    f"{unit}: systemd has {directive}={said[directive]} and not {one.value}, which {', '.join(others) or 'no drop-in'} may have set;"
                    f" remove that, for it overrules {limits.DROP_IN}"
                )


def _tell(found: Plan) -> None:
    """Have systemd tell the kernel. Of units that are there already it does not do so when it reads their files again, but when it is told properties.

    Raises:
        commands.CommandError: systemd does not take them.
    """
    seen = host()
    gone: dict[str, list[str]] = {}
    for one in found.files:
        before, after = limits.directives_in(one.before or ""), limits.directives_in(one.wanted or "")
        lost = [f"{name}=" for name in before if name not in after]
        # systemd-oomd hears of its own only so.
        if lost or "ManagedOOMMemoryPressure" in after:
            gone[_unit_of(one.path)] = lost
    asked = False
    for unit in dict.fromkeys([*gone, *(one.unit for one in _wrong(found.units, seen, _devices(found.units)))]):
        # What is there of containers keeps what it was started with; runc may have given it something of its own.
        if unit == limits.SCOPE or not os.path.isdir(limits_live.place(unit)):
            continue
        words = [*gone.get(unit, []), *(f"{name}={value}" for name, value in limits.directives(found.units.get(unit, {}), seen))]
        if words:
            _set(unit, words)
            asked = True
    if asked:
        systemd.daemon_reload()


def forget(removed: t.Sequence[managed_files.Difference]) -> None:
    """Have the kernel forget the limits of files that are removed, of units that are there on; systemd has read its units again.

    Raises:
        commands.CommandError: systemd does not take them back.
    """
    if removed:
        _tell(Plan(tuple(removed)))


def _set(unit: str, words: t.Sequence[str]) -> None:
    """Tell systemd properties of a unit, and take away what it writes down of that in /run: our files say it, also after they change."""
    directory = os.path.join(CONTROL, f"{unit}.d")
    before = set(os.listdir(directory)) if os.path.isdir(directory) else set()
    try:
        commands.run(["systemctl", "set-property", "--runtime", "--", unit, *words])
    finally:
        for name in sorted(set(os.listdir(directory)) - before) if os.path.isdir(directory) else ():
            files.remove(os.path.join(directory, name))
        _drop_directory(directory)


def verify(units: t.Mapping[str, limits.Values]) -> None:
    """See that the kernel keeps every limit that it can.

    Raises:
        commands.CommandError: it does not.
    """
    seen = host()
    devices = _devices(units)
    wrong = _wrong(units, seen, devices)
    for pause in _PAUSES:
        if not wrong:
            return
        time.sleep(pause)
        wrong = _wrong(units, seen, devices)
    if wrong:
        raise commands.CommandError(f"{'; '.join(map(str, wrong))}, although the units say so and systemd was told")


def _drop_directory(path: str) -> None:
    try:
        os.rmdir(path)
    except OSError:
        # Others have drop-ins there.
        return


def state(wanted: limits.Wanted | None, found: Plan) -> dict[str, t.Any]:
    """Return what the manifest has to watch."""
    if wanted is None:
        return {"files": [], "slices": [], "units": [], "timers": []}
    seen = host()
    paths = [*limits.texts(wanted, seen), *found.metrics.paths]
    groups = [unit for unit in found.units if unit != limits.SCOPE]
    return {
        "files": sorted(paths),
        "slices": groups,
        "units": [wanted.class_slice(name) for name in wanted.classes],
        "timers": list(found.metrics.timers),
    }
