# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What containers may take of a host together, by class and each: from values as people write them to units of systemd, or to refusals.

PRIVATE to the collection: no stability is promised to other users.

dockerd has a default for none of it: no key of daemon.json sets memory, processors or processes of containers. systemd has, in a slice
for all of them together, in slices below it for classes, and in a drop-in for every scope whose name begins as those of Docker do. What a
container is given by itself is written later by runc, under a name that sorts behind ours, and wins.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import format_size, parse_size

#: The name of our drop-ins, by which drift knows them; those that systemd writes for 'set-property' begin with 50.
DROP_IN = "40-bulkhead-limits.conf"
UNITS = "/etc/systemd/system"
#: A drop-in of the prefix applies to each container's scope, docker-ID.scope (systemd.unit(5)). Of runc's own the names begin with 50.
SCOPE = "docker-.scope"
SYSTEM = "system.slice"
SERVICES = ("containerd.service", "docker.service")
PAGE = 4096

MEMORY, SIZE, CPU, WEIGHT, TASKS, DEVICES, PRESSURE = "memory", "size", "cpu", "weight", "tasks", "devices", "pressure"


@dataclasses.dataclass(frozen=True)
class Field:
    """One limit.

    Attributes:
        kind: how its value is written.
        directive: of systemd.resource-control(5).
        file: of the control group; empty where there is none.
    """

    kind: str
    directive: str
    file: str = ""

    @property
    def controller(self) -> str:
        """The controller of cgroup v2 that keeps it."""
        return self.file.partition(".")[0]


FIELDS: dict[str, Field] = {
    "cpu": Field(CPU, "CPUQuota", "cpu.max"),
    "cpu_weight": Field(WEIGHT, "CPUWeight", "cpu.weight"),
    "memory_min": Field(MEMORY, "MemoryMin", "memory.min"),
    "memory_low": Field(MEMORY, "MemoryLow", "memory.low"),
    "memory_high": Field(MEMORY, "MemoryHigh", "memory.high"),
    "memory_max": Field(MEMORY, "MemoryMax", "memory.max"),
    "swap_max": Field(SIZE, "MemorySwapMax", "memory.swap.max"),
    "tasks_max": Field(TASKS, "TasksMax", "pids.max"),
    "io_weight": Field(WEIGHT, "IOWeight", "io.weight"),
    "io": Field(DEVICES, "", "io.max"),
    "oomd_pressure": Field(PRESSURE, "ManagedOOMMemoryPressureLimit"),
}
#: The limits of a device: the directive, and the key in io.max.
DEVICE_FIELDS = {
    "read_bps": ("IOReadBandwidthMax", "rbps"),
    "write_bps": ("IOWriteBandwidthMax", "wbps"),
    "read_iops": ("IOReadIOPSMax", "riops"),
    "write_iops": ("IOWriteIOPSMax", "wiops"),
}
_SLICE_FIELDS = tuple(FIELDS)
#: What runc gives a container where it was asked to, so that a default is one and no ceiling.
_CONTAINER_FIELDS = ("cpu", "memory_max", "swap_max", "tasks_max")
_PROTECTED_FIELDS = ("cpu_weight", "memory_min", "memory_low", "io_weight")

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,2})?)\s*%")
_NUMBER = re.compile(r"\d{1,6}(?:\.\d{1,3})?")
_SLICE = re.compile(r"[A-Za-z0-9:_.]+(?:-[A-Za-z0-9:_.]+)*\.slice")
_CLASS = re.compile(r"[A-Za-z0-9_]{1,64}")
_DEVICE = re.compile(r"/[A-Za-z0-9/._@:+-]{0,500}")
#: Slices in which other things live than containers.
_TAKEN = ("system.slice", "user.slice", "machine.slice", "init.slice", "app.slice", "session.slice", "background.slice")
#: Less than this is no limit, but a way to keep containers from starting; Docker itself takes no less memory for one (6 MiB).
_LEAST_MEMORY, _LEAST_CONTAINER_MEMORY = 64 * 1024**2, 6 * 1024**2
_LEAST_TASKS, _LEAST_CONTAINER_TASKS = 64, 8
_LEAST_CPU = 0.01

Values = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Host:
    """What a host has.

    Attributes:
        memory: in bytes.
        cpus: those that are online.
        tasks: the most that the kernel has at a time.
        controllers: of cgroup v2; None where the host does not have that hierarchy.
        systemd: its major version; 0 where that is not known.
        oomd: whether systemd-oomd is installed.
    """

    memory: int
    cpus: int
    tasks: int
    controllers: frozenset[str] | None = frozenset({"cpu", "memory", "pids", "io"})
    systemd: int = 0
    oomd: bool = False


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What is asked for; each of the dictionaries has names of FIELDS as keys.

    Attributes:
        slice: of all containers.
        containers: for all of them together.
        classes: for the containers of a class together, by its name.
        container: for each container that was given nothing of its own.
        system: for everything of the host that is no container.
        daemon: for dockerd and containerd.
        reserve: memory that containers never get together.
        parent: where dockerd puts its containers; empty where nothing says it.
        given: directives that the slice's own unit file has (docker_daemon_slice); they count instead of ours.
    """

    slice: str = "containers.slice"
    containers: Values = dataclasses.field(default_factory=dict)
    classes: t.Mapping[str, Values] = dataclasses.field(default_factory=dict)
    container: Values = dataclasses.field(default_factory=dict)
    system: Values = dataclasses.field(default_factory=dict)
    daemon: Values = dataclasses.field(default_factory=dict)
    reserve: t.Any = 0
    parent: str = ""
    given: frozenset[str] = frozenset()

    def class_slice(self, name: str) -> str:
        """Return the slice of a class, which lies in that of all containers because of its name (systemd.slice(5))."""
        return f"{self.slice[:-len('.slice')]}-{name}.slice"


@dataclasses.dataclass(frozen=True)
class Amount:
    """A value that is understood: how systemd is told, what it comes to on this host, and whether it is a share of the host."""

    text: str
    number: float
    relative: bool = False


@dataclasses.dataclass(frozen=True)
class Expected:
    """What a file of a control group holds once a limit is in force.

    Attributes:
        field: a name of FIELDS.
        value: what it says; of memory and tasks the number.
        relative: whether systemd reckoned it from what the host has, which it may round otherwise.
    """

    field: str
    value: str
    relative: bool = False

    @property
    def file(self) -> str:
        """The name of the file."""
        return FIELDS[self.field].file

    def met_by(self, text: str) -> bool:
        """Tell whether a file with this text keeps the limit."""
        found, value = said(self.field, text), self.value
        if found == value:
            return True
        if not all(number.isascii() and number.isdigit() and len(number) <= 20 for number in (found, value)):
            return False
        # Of sizes the kernel keeps whole pages.
        pages = PAGE - 1 if FIELDS[self.field].kind in (MEMORY, SIZE) else 0
        return abs(int(found) - int(value)) <= max(int(value) // 100 if self.relative else 0, pages)


class _Unusable(ValueError):
    """A value cannot be used; the message says what was found and what to write."""


# Values ------------------------------------------------------------------------------------------------------------------------


def is_set(value: t.Any) -> bool:
    """Tell whether a limit is asked for; an empty text, an empty list and nothing ask for none."""
    return value is not None and value != "" and value != []


def amount(name: str, value: t.Any, host: Host) -> Amount:
    """Return what a value means on a host.

    Args:
        name: of FIELDS, but neither ``io`` nor anything else that is no single value.

    Raises:
        ValueError: it is none; the message says what to write.
    """
    kind = FIELDS[name].kind
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise _Unusable(f"is {value!r}; write one value, such as {_example(kind)}")
    text = str(value).strip()
    share = _PERCENT.fullmatch(text)
    if share is not None and kind in (MEMORY, CPU, TASKS, PRESSURE):
        part = float(share[1])
        if not 0 < part <= 100:
            raise _Unusable(f"is {text}; a share of the host is more than 0 % and at most 100 %")
        return _shared(kind, part, host)
    if kind in (MEMORY, SIZE):
        return _size(kind, text)
    if kind == CPU:
        if _NUMBER.fullmatch(text) is None or float(text) < _LEAST_CPU:
            raise _Unusable(f"is {text!r}; write a number of processors, such as 1.5, or a share of all, such as 80%")
        return Amount(f"{_plain(float(text) * 100)}%", float(text))
    if kind == PRESSURE:
        raise _Unusable(f"is {text!r}; write a share of time, such as 60%")
    if not text.isdigit() or len(text) > 12:
        raise _Unusable(f"is {text!r}; write a whole number, such as {_example(kind)}")
    number = int(text)
    if kind == WEIGHT and not 1 <= number <= 10000:
        raise _Unusable(f"is {number}; a weight lies between 1 and 10000, and what has none has 100")
    return Amount(str(number), number)


def _shared(kind: str, part: float, host: Host) -> Amount:
    text = f"{_plain(part)}%"
    if kind == MEMORY:
        return Amount(text, int(host.memory * part / 100) // PAGE * PAGE, True)
    if kind == TASKS:
        return Amount(text, int(host.tasks * part / 100), True)
    if kind == PRESSURE:
        return Amount(text, part / 100)
    return Amount(f"{_plain(part * host.cpus)}%", part * host.cpus / 100)


def _size(kind: str, text: str) -> Amount:
    try:
        number = parse_size(text)
    except ValueError:
        more = ", or a share of the host, such as 80%" if kind == MEMORY else ""
        raise _Unusable(f"is {text!r}; write a size, such as 2GiB{more}") from None
    return Amount(str(number), number)


def _plain(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")


def _example(kind: str) -> str:
    return {MEMORY: "2GiB or 80%", SIZE: "2GiB", CPU: "1.5 or 80%", WEIGHT: "100", TASKS: "4096", PRESSURE: "60%", DEVICES: "a list"}[kind]


# Refusals ----------------------------------------------------------------------------------------------------------------------


def judge(wanted: Wanted, host: Host) -> list[Problem]:
    """Return why a host cannot be limited so; one for each reason."""
    found = [*_of_places(wanted), *_of_values(wanted, host)]
    # What does not make sense by itself is not compared with anything.
    return found or [*_of_sense(wanted, host)]


def _of_places(wanted: Wanted) -> t.Iterator[Problem]:
    if wanted.parent and not wanted.parent.endswith(".slice"):
        yield Problem(
            "docker_daemon_cgroup_parent",
            f"is '{wanted.parent}', which is no slice, and only systemd's control groups can be limited here; name one such as containers.slice and"
            " leave native.cgroupdriver at systemd, or set docker_limits_state to absent",
        )
    elif wanted.parent and wanted.parent != wanted.slice:
        message = f"is {wanted.slice}, but dockerd puts containers into {wanted.parent} (cgroup-parent); let both name the same slice"
        yield Problem("docker_limits_slice", message)
    if _SLICE.fullmatch(wanted.slice) is None or wanted.slice.startswith("-"):
        yield Problem("docker_limits_slice", f"is '{wanted.slice}', which is no name of a slice; write one such as containers.slice")
    elif wanted.slice in _TAKEN or wanted.slice.startswith(("system-", "user-")):
        yield Problem("docker_limits_slice", f"is {wanted.slice}, in which other things than containers live; give containers a slice of their own")
    for name in wanted.classes:
        if _CLASS.fullmatch(str(name)) is None:
            yield Problem(
                "docker_limits_classes",
                f"has the class '{name}'; a name is of letters, digits and underscores, because it becomes {wanted.class_slice('NAME')}",
            )


def _groups(wanted: Wanted) -> list[tuple[str, Values, tuple[str, ...]]]:
    """Return what is limited: where that is written, the values, and the fields that it can have."""
    return [
        ("docker_limits_containers", wanted.containers, _SLICE_FIELDS),
        *((f"docker_limits_classes.{name}", values, _SLICE_FIELDS) for name, values in wanted.classes.items()),
        ("docker_limits_container", wanted.container, _CONTAINER_FIELDS),
        ("docker_limits_system", wanted.system, _PROTECTED_FIELDS),
        ("docker_limits_daemon", wanted.daemon, _PROTECTED_FIELDS),
    ]


def _of_values(wanted: Wanted, host: Host) -> t.Iterator[Problem]:
    try:
        parse_size(wanted.reserve)
    except ValueError:
        yield Problem("docker_limits_reserve", f"is {wanted.reserve!r}; write a size, such as 256MiB")
    for where, values, fields in _groups(wanted):
        if not isinstance(values, t.Mapping):
            yield Problem(where, "is no dictionary; write names of limits and their values")
            continue
        for name, value in values.items():
            if name not in fields:
                yield Problem(where, f"has '{name}', which cannot be set there; known are {', '.join(fields)}")
            elif name == "io" and is_set(value):
                yield from _of_devices(f"{where}.io", value)
            elif is_set(value):
                yield from _of_value(where, name, value, host)


def _of_value(where: str, name: str, value: t.Any, host: Host) -> t.Iterator[Problem]:
    label = f"{where}.{name}"
    try:
        found = amount(name, value, host)
    except ValueError as error:
        yield Problem(label, str(error))
        return
    kind, each = FIELDS[name].kind, where == "docker_limits_container"
    if kind == MEMORY and found.number > host.memory:
        yield Problem(label, f"is {format_size(int(found.number))}, and the host has {format_size(host.memory)}; write less, or a share such as 50%")
    elif name in ("memory_max", "memory_high") and found.number < (_LEAST_CONTAINER_MEMORY if each else _LEAST_MEMORY):
        least = format_size(_LEAST_CONTAINER_MEMORY if each else _LEAST_MEMORY)
        yield Problem(label, f"is {format_size(int(found.number))}, with which no container comes far; write at least {least}")
    elif kind == CPU and found.number > host.cpus:
        yield Problem(label, f"is {_plain(found.number)} processors, and the host has {host.cpus}; write less, or a share such as 80%")
    elif kind == TASKS and found.number > host.tasks:
        yield Problem(label, f"is {int(found.number)}, and the kernel has at most {host.tasks} tasks; write less, or a share such as 60%")
    elif kind == TASKS and found.number < (_LEAST_CONTAINER_TASKS if each else _LEAST_TASKS):
        yield Problem(label, f"is {int(found.number)}, with which no container comes far; write at least {_LEAST_CONTAINER_TASKS if each else _LEAST_TASKS}")


def _of_devices(where: str, value: t.Any) -> t.Iterator[Problem]:
    if not isinstance(value, (list, tuple)):
        yield Problem(where, "is no list; write one dictionary for each device")
        return
    for number, entry in enumerate(value):
        label = f"{where}[{number}]"
        if not isinstance(entry, t.Mapping):
            yield Problem(label, "is no dictionary; write device and a limit such as write_bps")
            continue
        path = entry.get("device")
        if not isinstance(path, str) or _DEVICE.fullmatch(path) is None:
            yield Problem(label, f"has the device {path!r}; write an absolute path of plain characters: a block device, or a file or directory on it")
        limits = {name: limit for name, limit in entry.items() if name != "device"}
        unknown = sorted(str(name) for name in limits if name not in DEVICE_FIELDS)
        if unknown or not limits:
            said_ = f"has '{unknown[0]}'" if unknown else "has no limit"
            yield Problem(label, f"{said_}; known are {', '.join(DEVICE_FIELDS)}")
        for name, limit in limits.items():
            if name in DEVICE_FIELDS and _rate(name, limit) is None:
                example = "bytes a second, such as 50MiB" if name.endswith("bps") else "operations a second, such as 500"
                yield Problem(f"{label}.{name}", f"is {limit!r}; write {example}")


def _rate(name: str, value: t.Any) -> int | None:
    try:
        number = parse_size(value if name.endswith("bps") or isinstance(value, int) else int(str(value)))
    except ValueError:
        return None
    return number if number > 0 else None


def _of_sense(wanted: Wanted, host: Host) -> t.Iterator[Problem]:
    def number(values: Values, name: str) -> float | None:
        return amount(name, values[name], host).number if is_set(values.get(name)) else None

    reserve = parse_size(wanted.reserve)
    ceiling = number(wanted.containers, "memory_max")
    for where, values, fields in _groups(wanted):
        ordered = [(name, number(values, name)) for name in ("memory_min", "memory_low", "memory_high", "memory_max") if name in fields]
        known = [(name, value) for name, value in ordered if value is not None]
        for (lower, less), (upper, more) in zip(known, known[1:]):
            if less > more:
                yield Problem(
                    f"{where}.{lower}", f"is {format_size(int(less))}, more than {upper} with {format_size(int(more))}; it would never be reached"
                )
    if ceiling is not None and host.memory - ceiling < reserve:
        yield Problem(
            "docker_limits_containers.memory_max",
            f"is {format_size(int(ceiling))} of {format_size(host.memory)}, which leaves the host {format_size(int(host.memory - ceiling))}, less than"
            f" docker_limits_reserve with {format_size(reserve)}; write less, or a smaller reserve",
        )
    inside = [*((f"docker_limits_classes.{name}", values) for name, values in wanted.classes.items()), ("docker_limits_container", wanted.container)]
    for where, values in inside:
        for name, shown in (("memory_max", format_size), ("tasks_max", str), ("cpu", str)):
            own, whole = number(values, name), number(wanted.containers, name)
            if own is not None and whole is not None and own > whole:
                yield Problem(
                    f"{where}.{name}",
                    f"is {shown(int(own)) if name != 'cpu' else _plain(own)}, more than all containers may have together, which is"
                    f" {shown(int(whole)) if name != 'cpu' else _plain(whole)}; it would never be reached",
                )
    kept = max(protection(wanted, "memory_min", host), protection(wanted, "memory_low", host))
    system = max(number(wanted.system, "memory_min") or 0, number(wanted.system, "memory_low") or 0)
    if ceiling is not None and kept > ceiling:
        yield Problem(
            "docker_limits_classes",
            f"protects {format_size(int(kept))} for classes together, more than all containers may have, which is {format_size(int(ceiling))}; protect less",
        )
    elif kept + system > host.memory:
        yield Problem(
            "docker_limits_system",
            f"and the classes protect {format_size(int(kept + system))} together, and the host has {format_size(host.memory)}; protect less",
        )


def protection(wanted: Wanted, name: str, host: Host) -> int:
    """Return how much memory the slice of all containers must protect, so that what its classes protect is worth something."""
    own = [values[name] for values in wanted.classes.values() if is_set(values.get(name))]
    below = sum(int(amount(name, value, host).number) for value in own)
    return max(below, int(amount(name, wanted.containers[name], host).number) if is_set(wanted.containers.get(name)) else 0)


# Units -------------------------------------------------------------------------------------------------------------------------


def of_units(wanted: Wanted, host: Host) -> dict[str, Values]:
    """Return the values by unit, those of classes in the slice of all containers included; units without any are left out."""
    containers = dict(wanted.containers)
    for name in ("memory_min", "memory_low"):
        kept = protection(wanted, name, host)
        if kept and not is_set(containers.get(name)):
            containers[name] = kept
    found = {
        wanted.slice: {name: value for name, value in containers.items() if not _names(name) & wanted.given},
        **{wanted.class_slice(name): values for name, values in wanted.classes.items()},
        SCOPE: wanted.container,
        SYSTEM: wanted.system,
        **dict.fromkeys(SERVICES, wanted.daemon),
    }
    kept_always = {wanted.class_slice(name) for name in wanted.classes}
    return {unit: values for unit, values in found.items() if unit in kept_always or any(map(is_set, values.values()))}


def _names(name: str) -> set[str]:
    """Return the directives of a limit."""
    return {directive for directive, _key in DEVICE_FIELDS.values()} if FIELDS[name].kind == DEVICES else {FIELDS[name].directive}


def directives(values: Values, host: Host) -> list[tuple[str, str]]:
    """Return the directives of a unit, in the order of FIELDS."""
    found: list[tuple[str, str]] = []
    for name, field in FIELDS.items():
        value = values.get(name)
        if not is_set(value):
            continue
        if field.kind == DEVICES:
            found += [
                (DEVICE_FIELDS[limit][0], f"{entry['device']} {_rate(limit, entry[limit])}")
                for entry in t.cast("list[dict[str, t.Any]]", value)
                for limit in DEVICE_FIELDS
                if limit in entry
            ]
            continue
        if field.kind == PRESSURE:
            found.append(("ManagedOOMMemoryPressure", "kill"))
        found.append((field.directive, amount(name, value, host).text))
    return found


def texts(wanted: Wanted, host: Host) -> dict[str, str]:
    """Return the unit files and drop-ins, by path."""
    classes = {wanted.class_slice(name): str(name) for name in wanted.classes}
    found = {}
    for unit, values in of_units(wanted, host).items():
        section = {"slice": "Slice", "scope": "Scope", "service": "Service"}[unit.rpartition(".")[2]]
        lines = "".join(f"{name}={value}\n" for name, value in directives(values, host))
        head = "# Managed by the role bulkhead.docker.docker_limits.\n"
        if unit in classes:
            description = f"[Unit]\nDescription=Containers of the class {classes[unit]}\nBefore=slices.target\n\n"
            found[f"{UNITS}/{unit}"] = f"{head}{description}[{section}]\n{lines}"
        else:
            found[f"{UNITS}/{unit}.d/{DROP_IN}"] = f"{head}[{section}]\n{lines}"
    return found


def needed(wanted: Wanted, host: Host) -> dict[str, list[str]]:
    """Return the controllers that the limits need, each with the limits."""
    found: dict[str, list[str]] = {}
    for unit, values in of_units(wanted, host).items():
        for name, value in values.items():
            if is_set(value) and FIELDS[name].controller:
                found.setdefault(FIELDS[name].controller, []).append(f"{name} of {unit}")
    return found


def missing(wanted: Wanted, host: Host) -> dict[str, list[str]]:
    """Return the controllers that the limits need and the host does not have."""
    return {name: limits for name, limits in sorted(needed(wanted, host).items()) if host.controllers is None or name not in host.controllers}


def without_controllers(wanted: Wanted, host: Host) -> Problem | None:
    """Return the sentence about what is not in force on a host; None where all is."""
    lacking = missing(wanted, host)
    if not lacking:
        return None
    names = ", ".join(lacking)
    if host.controllers is None:
        return Problem(
            "/sys/fs/cgroup",
            f"is no cgroup v2, so systemd keeps none of the limits that need the controllers {names} as they are meant; boot the host with"
            " systemd.unified_cgroup_hierarchy=1",
        )
    return Problem(
        "/sys/fs/cgroup/cgroup.controllers",
        f"lacks {names}, so the limits that need them are written and not in force; enable the controllers for this host",
    )


def directives_in(text: str) -> list[str]:
    """Return the directives of ours in the text of a unit file or drop-in, each once."""
    ours = {"ManagedOOMMemoryPressure"}.union(*map(_names, FIELDS))
    return list(dict.fromkeys(name for name in (line.partition("=")[0] for line in text.splitlines()) if name in ours))


def set_by(text: str) -> list[str]:
    """Return the limits that the text of a unit file or drop-in sets."""
    said_ = set(directives_in(text))
    return [name for name in FIELDS if _names(name) & said_]


# What is in force --------------------------------------------------------------------------------------------------------------


def expected(values: Values, host: Host, devices: t.Mapping[str, str] | None = None) -> list[Expected]:
    """Return what the control group of a unit holds with these values.

    Args:
        devices: from a path in ``io`` to the numbers of its device, such as ``254:0``; those that are not there are left out.
    """
    found = []
    for name, field in FIELDS.items():
        value = values.get(name)
        if not is_set(value) or not field.file or (host.controllers is not None and field.controller not in host.controllers):
            continue
        if field.kind == DEVICES:
            found += [Expected(name, text) for text in _device_lines(t.cast("list[dict[str, t.Any]]", value), devices or {})]
            continue
        known = amount(name, value, host)
        if field.kind == CPU:
            found.append(Expected(name, f"{int(round(known.number * 100000))} 100000"))
        else:
            number = int(known.number)
            found.append(Expected(name, str(number // PAGE * PAGE if field.kind in (MEMORY, SIZE) else number), known.relative))
    return found


def _device_lines(entries: t.Sequence[Values], devices: t.Mapping[str, str]) -> list[str]:
    lines: dict[str, dict[str, int]] = {}
    for entry in entries:
        numbers = devices.get(str(entry["device"]))
        if numbers:
            lines.setdefault(numbers, {}).update({key: _rate(name, entry[name]) or 0 for name, (_directive, key) in DEVICE_FIELDS.items() if name in entry})
    return [" ".join([numbers, *(f"{key}={value}" for key, value in limits.items())]) for numbers, limits in lines.items()]


def said(name: str, text: str) -> str:
    """Return what a file of a control group says of a limit, in the form of Expected."""
    if name == "io_weight":
        return next((line.partition(" ")[2] for line in text.splitlines() if line.startswith("default ")), text.strip())
    return text.strip()


def keeps(wanted: Expected, text: str) -> bool:
    """Tell whether a file with this text keeps a limit; of devices, all that is asked for of that one."""
    if wanted.field != "io":
        return wanted.met_by(text)
    numbers, *limits = wanted.value.split()
    return any(line.split()[:1] == [numbers] and set(limits) <= set(line.split()[1:]) for line in text.splitlines())


def too_tight(wanted: Expected, used: int, slack: float = 1.0) -> bool:
    """Tell whether a limit of memory lies below what cannot be taken back from those who have it, so that some would be killed."""
    return wanted.field == "memory_max" and used * slack > int(wanted.value)


def remarks(wanted: Wanted, host: Host) -> list[str]:
    """Return what a person should know although nothing is refused."""
    found = []
    if not wanted.parent:
        found.append(f"The configuration of dockerd does not name {wanted.slice} as cgroup-parent, so no container is in it; set docker_daemon_cgroup_parent.")
    pressed = [unit for unit, values in of_units(wanted, host).items() if is_set(values.get("oomd_pressure"))]
    if pressed and not host.oomd:
        found.append(f"oomd_pressure of {', '.join(pressed)} does nothing: systemd-oomd is not installed on this host.")
    both = sorted({directive for name, value in wanted.containers.items() if is_set(value) for directive in _names(name)} & wanted.given)
    if both:
        found.append(f"docker_daemon_slice sets {', '.join(both)} of {wanted.slice}, which counts instead of docker_limits_containers; set it in one of them.")
    return found


def given_by(text: str) -> frozenset[str]:
    """Return the directives in the section Slice of a unit file's text."""
    inside, found = False, set()
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            inside = line == "[Slice]"
        elif inside and "=" in line and not line.startswith(("#", ";")):
            found.add(line.partition("=")[0].strip())
    return frozenset(found)
