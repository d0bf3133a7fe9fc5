# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The profile that is wanted, as a choice: the engine's own with some calls opened and others closed.

PRIVATE to the collection: no stability is promised to other users.

What is denied goes before what is allowed. The profile is rendered for a release of the engine, so a later engine's fixes
come with it, which a frozen copy of a profile would miss.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import seccomp_args, seccomp_builtin, versions
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp import LARGEST_ERRNO, is_number
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_model import (
    ERRNO,
    MACHINES,
    Argument,
    Profile,
    Rule,
)

BUILTIN = "builtin"
#: The keys of a choice.
KEYS = ("base", "allow", "deny")
_ENTRY = ("name", "names", "args", "architectures", "capabilities", "errno")
_ARGUMENT = ("index", "op", "value", "value_two")
# A filter has 4096 instructions (linux/bpf_common.h) for about three architectures, and a condition takes about four.
_MOST = 256
#: Every capability of Linux (capabilities(7)).
CAPABILITIES = tuple(
    f"CAP_{name}"
    for name in (
        "AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH "
        "FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN "
        "NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT "
        "SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM"
    ).split()
)


@dataclasses.dataclass(frozen=True)
class Entry:
    """Calls that are opened or closed, and when."""

    names: tuple[str, ...]
    args: tuple[Argument, ...] = ()
    arches: tuple[str, ...] = ()
    caps: tuple[str, ...] = ()
    errno: int | None = None

    @property
    def always(self) -> bool:
        """Whether the entry holds for every call in every container."""
        return not (self.args or self.arches or self.caps)


@dataclasses.dataclass(frozen=True)
class Choice:
    """What is opened and closed in the engine's own profile."""

    allow: tuple[Entry, ...]
    deny: tuple[Entry, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every call that is named, once."""
        return tuple(dict.fromkeys(name for entry in (*self.allow, *self.deny) for name in entry.names))


def is_choice(given: t.Any) -> bool:
    """Tell whether what is given is a choice and not a profile in the engine's own form."""
    return isinstance(given, dict) and bool(given) and not {"defaultAction", "syscalls", "archMap"}.intersection(given)


def read(given: t.Mapping[str, t.Any], where: str = "seccomp_profile") -> tuple[Choice, list[Problem]]:
    """Return the choice in an option's dictionary, and what is wrong with it."""
    found = [Problem(where, _unknown(name, KEYS)) for name in given if name not in KEYS]
    if given.get("base") != BUILTIN:
        found.append(
            Problem(
                where, f"starts from the base {given.get('base')!r}; write 'base: {BUILTIN}', the one that there is"
            )
        )
    entries: dict[str, tuple[Entry, ...]] = {}
    for side in ("allow", "deny"):
        value = given.get(side) or []
        if not isinstance(value, list):
            found.append(Problem(f"{where} {side}", "is not a list; write a list of system calls"))
            value = []
        read_entries = [_entry(item, f"{where} {side}[{number}]", found) for number, item in enumerate(value)]
        entries[side] = tuple(entry for entry in read_entries if entry is not None)
    choice = Choice(entries["allow"], entries["deny"])
    found += [Problem(where, message) for message in _contradictions(choice)]
    found += [
        Problem(f"{where} allow", f"gives {', '.join(entry.names)} an errno, which only a denied call has; remove it")
        for entry in choice.allow
        if entry.errno is not None
    ]
    return choice, found


def render(choice: Choice, version: versions.Version) -> Profile:
    """Return the profile of a choice for a release of the engine.

    Raises:
        ValueError: what is left of a call is too much for a filter; the message is a sentence.
    """
    base = seccomp_builtin.builtin(version)
    rules = list(base.rules)
    for entry in choice.allow:
        for name in entry.names:
            # An answer that is an error of its own would stand beside the permission, and who wins is libseccomp's affair.
            rules = _cut(rules, name, entry, opened=False)
            if entry.always:
                rules = _cut(rules, name, entry, opened=True)
        rules.append(Rule(entry.names, args=entry.args, caps=entry.caps, arches=entry.arches))
    for entry in choice.deny:
        for name in entry.names:
            rules = _cut(rules, name, entry, opened=True)
            if entry.errno is not None:
                rules = _cut(rules, name, entry, opened=False)
        if entry.errno is not None and entry.errno != base.refusal:
            args = tuple(_low_half(argument) for argument in entry.args)
            rules.append(Rule(entry.names, ERRNO, entry.errno, args=args, caps=entry.caps, arches=entry.arches))
    crowded = [name for name in choice.names if sum(name in rule.names for rule in rules) > _MOST]
    if crowded:
        raise ValueError(
            f"denies {' and '.join(crowded)} for so many arguments that a filter has no room for the cases that are left; "
            "deny fewer cases, or the whole call"
        )
    return dataclasses.replace(base, rules=tuple(rules))


def _cut(rules: t.Iterable[Rule], name: str, entry: Entry, opened: bool) -> list[Rule]:
    """Take the cases of an entry for one call out of those rules that open calls, or of those that do not."""
    left: list[Rule] = []
    for rule in rules:
        if name not in rule.names or rule.opens != opened:
            left.append(rule)
            continue
        others = tuple(other for other in rule.names if other != name)
        if others:
            left.append(dataclasses.replace(rule, names=others))
        left += _outside(dataclasses.replace(rule, names=(name,)), entry)
    return left


def _outside(rule: Rule, entry: Entry) -> list[Rule]:
    """Return rules that together hold where a rule holds and an entry does not."""
    found = [
        dataclasses.replace(rule, not_caps=tuple(dict.fromkeys((*rule.not_caps, cap))))
        for cap in entry.caps
        if cap not in rule.caps
    ]
    if entry.arches:
        arches = tuple(arch for arch in rule.arches if arch not in entry.arches)
        if not rule.arches:
            found.append(dataclasses.replace(rule, not_arches=tuple(dict.fromkeys((*rule.not_arches, *entry.arches)))))
        elif arches:
            found.append(dataclasses.replace(rule, arches=arches))
    for argument in entry.args:
        found += _outside_argument(rule, argument)
    return found


def _outside_argument(rule: Rule, argument: Argument) -> list[Rule]:
    same = [known for known in rule.args if known.index == argument.index]
    others = tuple(known for known in rule.args if known.index != argument.index)
    cases = seccomp_args.opposite(argument)
    if same:
        cases = tuple(left for case in cases for left in seccomp_args.both(same[0], case))
    return [dataclasses.replace(rule, args=tuple(sorted((*others, case)))) for case in cases]


def _low_half(argument: Argument) -> Argument:
    # As it was cut out: whatever the upper half of an int holds.
    if argument.op != "SCMP_CMP_EQ" or argument.value >= 2**32:
        return argument
    return Argument(argument.index, seccomp_args.MASKED, 2**32 - 1, argument.value)


def _contradictions(choice: Choice) -> list[str]:
    denied = {name for entry in choice.deny if entry.always for name in entry.names}
    return [
        f"names {name} in both allow and deny; keep one of the two"
        for name in dict.fromkeys(name for entry in choice.allow for name in entry.names)
        if name in denied
    ]


# Reading -------------------------------------------------------------------------------------------------------------


def _entry(item: t.Any, where: str, found: list[Problem]) -> Entry | None:
    before = len(found)
    if isinstance(item, str):
        item = {"name": item}
    if not isinstance(item, dict):
        found.append(
            Problem(where, "is neither the name of a system call nor a dictionary with name, args, ...; write one")
        )
        return None
    found += [Problem(where, _unknown(name, _ENTRY)) for name in item if name not in _ENTRY]
    names = _strings(item.get("names") or item.get("name"))
    if not names or (item.get("name") and item.get("names")):
        found.append(Problem(where, "needs one of name and names, with the system calls that it is about; give one"))
    args = item.get("args") or []
    if not isinstance(args, list):
        found.append(Problem(where, "has args that are not a list; write a list of conditions"))
        args = []
    conditions = [_argument(argument, where, found) for argument in args]
    if len({condition.index for condition in conditions if condition}) < len([c for c in conditions if c]):
        found.append(
            Problem(
                where,
                "has two conditions on the same argument, of which runc would ask for only one to hold; write an entry "
                "for each",
            )
        )
    entry = Entry(
        names=tuple(dict.fromkeys(names)),
        args=tuple(sorted(condition for condition in conditions if condition is not None)),
        arches=tuple(_arch(name, where, found) for name in _strings(item.get("architectures"))),
        caps=tuple(_capability(name, where, found) for name in _strings(item.get("capabilities"))),
        errno=item.get("errno"),
    )
    if entry.errno is not None and not is_number(entry.errno, 1, LARGEST_ERRNO):
        found.append(
            Problem(
                where, f"has the errno {entry.errno!r}; give a number from 1 to {LARGEST_ERRNO}, such as 38 (ENOSYS)"
            )
        )
    return entry if len(found) == before else None


def _argument(given: t.Any, where: str, found: list[Problem]) -> Argument | None:
    if not isinstance(given, dict):
        found.append(Problem(where, "has an argument that is not a dictionary; write index, op and value"))
        return None
    before = len(found)
    found += [
        Problem(where, f"has an argument that {_unknown(name, _ARGUMENT)}") for name in given if name not in _ARGUMENT
    ]
    index, op = given.get("index"), f"SCMP_CMP_{str(given.get('op', '')).upper().replace('SCMP_CMP_', '')}"
    if not is_number(index, 0, 5):
        found.append(Problem(where, f"has the argument index {index!r}; a system call has the arguments 0 to 5"))
    if op not in seccomp_args.OPERATORS:
        shown = ", ".join(name[len("SCMP_CMP_") :].lower() for name in seccomp_args.OPERATORS)
        found.append(Problem(where, f"has the op {given.get('op')!r}; use one of {shown}"))
    numbers = [given.get("value"), given.get("value_two", 0)]
    if not all(is_number(number, 0, seccomp_args.LARGEST) for number in numbers):
        found.append(Problem(where, "has an argument whose value is not a number from 0 to 2^64 - 1; give one"))
    if len(found) > before:
        return None
    argument = Argument(t.cast(int, index), op, *t.cast("list[int]", numbers))
    if seccomp_args.impossible(argument):
        found.append(Problem(where, f"asks for {seccomp_args.words([argument])}, which no value fulfils; correct it"))
    return argument


def _arch(name: str, where: str, found: list[Problem]) -> str:
    known = {machine: arch for machine, (arch, _name) in MACHINES.items()}
    known.update({arch: arch for arch in known.values()})
    if name not in known:
        found.append(
            Problem(
                where,
                f"names the architecture '{name}', which the engine does not know{near(name, known)}; use one such as amd64 or arm64",
            )
        )
    return known.get(name, name)


def _capability(name: str, where: str, found: list[Problem]) -> str:
    full = name.upper() if name.upper().startswith("CAP_") else f"CAP_{name.upper()}"
    if full not in CAPABILITIES:
        found.append(
            Problem(
                where, f"names the capability '{name}', which Linux does not have{near(full, CAPABILITIES)}; correct it"
            )
        )
    return full


def _unknown(name: t.Any, known: t.Iterable[str]) -> str:
    words = tuple(known)
    return f"holds the unknown key '{name}'{near(str(name), words)}; known are {', '.join(words)}"


def near(name: str, known: t.Iterable[str]) -> str:
    """Return a question for what may have been meant, empty where nothing is near."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean '{close[0]}'?)" if close else ""


def _strings(value: t.Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(entry) for entry in value] if isinstance(value, list) else []
