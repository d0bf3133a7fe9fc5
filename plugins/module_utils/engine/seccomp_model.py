# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""A seccomp profile as values: its rules, when a rule counts, and what the engine makes of it for one container.

PRIVATE to the collection: no stability is promised to other users.

The form is the engine's own (moby profiles/seccomp/seccomp.go, since 28.2 github.com/moby/profiles seccomp/seccomp.go).
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

ALLOW = "SCMP_ACT_ALLOW"
ERRNO = "SCMP_ACT_ERRNO"
#: Actions that let a call through, whatever else they do.
OPEN_ACTIONS = (ALLOW, "SCMP_ACT_LOG")
EPERM = 1

#: What uname(2) calls a machine, with the engine's name for it (GOARCH) and libseccomp's.
MACHINES = {
    "x86_64": ("amd64", "SCMP_ARCH_X86_64"),
    "aarch64": ("arm64", "SCMP_ARCH_AARCH64"),
    "armv7l": ("arm", "SCMP_ARCH_ARM"),
    "i686": ("x86", "SCMP_ARCH_X86"),
    "loongarch64": ("loongarch64", "SCMP_ARCH_LOONGARCH64"),
    "ppc64le": ("ppc64le", "SCMP_ARCH_PPC64LE"),
    "riscv64": ("riscv64", "SCMP_ARCH_RISCV64"),
    "s390x": ("s390x", "SCMP_ARCH_S390X"),
}

#: Every name for an architecture that a rule's conditions can match (goToNative in moby), or that moby writes itself.
RULE_ARCHITECTURES = (
    "amd64 arm arm64 loongarch64 mips3l64n32 mips64 mips64n32 mipsel mipsel64 ppc ppc64 ppc64le riscv64 s390 s390x x32 x86"
).split()

_KERNEL = re.compile(r"(\d+)\.(\d+)")


@dataclasses.dataclass(frozen=True, order=True)
class Argument:
    """A condition on one argument of a call; for MASKED_EQ ``value`` is the mask and ``value_two`` what must be left."""

    index: int
    op: str
    value: int
    value_two: int = 0


@dataclasses.dataclass(frozen=True)
class Rule:
    """What happens to some calls.

    Attributes:
        names: the calls.
        action, errno: what happens, and the error for SCMP_ACT_ERRNO (None: the default one).
        args: conditions that must all hold.
        caps, arches, kernel: what the container's bounding set must hold, one of the architectures that the host must
            have, and its oldest kernel.
        not_caps, not_arches, not_kernel: the rule does not count with any of these, or from that kernel on.
    """

    names: tuple[str, ...]
    action: str = ALLOW
    errno: int | None = None
    args: tuple[Argument, ...] = ()
    caps: tuple[str, ...] = ()
    arches: tuple[str, ...] = ()
    kernel: str = ""
    not_caps: tuple[str, ...] = ()
    not_arches: tuple[str, ...] = ()
    not_kernel: str = ""
    comment: str = ""

    @property
    def opens(self) -> bool:
        """Whether the rule lets calls through."""
        return self.action in OPEN_ACTIONS

    @property
    def conditional(self) -> bool:
        """Whether the rule counts only for some calls, containers or hosts."""
        conditions = (self.args, self.caps, self.arches, self.kernel, self.not_caps, self.not_arches, self.not_kernel)
        return any(conditions)


@dataclasses.dataclass(frozen=True)
class Profile:
    """A whole profile; ``extra`` holds what this collection passes through, such as flags."""

    default_action: str
    default_errno: int | None
    arch_map: tuple[tuple[str, tuple[str, ...]], ...]
    architectures: tuple[str, ...]
    rules: tuple[Rule, ...]
    extra: tuple[tuple[str, t.Any], ...] = ()

    @property
    def refusal(self) -> int:
        """The error number that a call gets which no rule names."""
        return EPERM if self.default_errno is None else self.default_errno


@dataclasses.dataclass(frozen=True)
class Machine:
    """What of a host decides which rules count: its architecture as uname(2) has it, and its kernel's release."""

    machine: str
    kernel: str

    @property
    def arch(self) -> str:
        """The engine's name for the architecture; empty where the engine has none."""
        return MACHINES.get(self.machine, ("", ""))[0]

    @property
    def seccomp_arch(self) -> str:
        """The name that libseccomp has for the architecture; empty where it has none."""
        return MACHINES.get(self.machine, ("", ""))[1]


def parse(profile: t.Mapping[str, t.Any]) -> Profile:
    """Return the values of a profile that ``seccomp.problems`` has no objection to."""
    known = ("defaultAction", "defaultErrnoRet", "archMap", "architectures", "syscalls")
    return Profile(
        default_action=profile["defaultAction"],
        default_errno=profile.get("defaultErrnoRet"),
        arch_map=tuple(
            (entry["architecture"], tuple(entry.get("subArchitectures") or ()))
            for entry in profile.get("archMap") or ()
        ),
        architectures=tuple(profile.get("architectures") or ()),
        rules=tuple(_rule(entry) for entry in profile["syscalls"]),
        extra=tuple((key, value) for key, value in profile.items() if key not in known),
    )


def _rule(entry: t.Mapping[str, t.Any]) -> Rule:
    includes, excludes = entry.get("includes") or {}, entry.get("excludes") or {}
    return Rule(
        names=tuple(entry.get("names") or (entry["name"],)),
        action=entry["action"],
        errno=entry.get("errnoRet"),
        args=tuple(
            Argument(given["index"], given["op"], given.get("value") or 0, given.get("valueTwo") or 0)
            for given in entry.get("args") or ()
        ),
        caps=tuple(includes.get("caps") or ()),
        arches=tuple(includes.get("arches") or ()),
        kernel=includes.get("minKernel") or "",
        not_caps=tuple(excludes.get("caps") or ()),
        not_arches=tuple(excludes.get("arches") or ()),
        not_kernel=excludes.get("minKernel") or "",
        comment=entry.get("comment") or "",
    )


def render(profile: Profile) -> str:
    """Return the text of a profile as the engine reads it, ending in a newline."""
    value: dict[str, t.Any] = {"defaultAction": profile.default_action}
    if profile.default_errno is not None:
        value["defaultErrnoRet"] = profile.default_errno
    if profile.arch_map:
        value["archMap"] = [{"architecture": arch, "subArchitectures": list(subs)} for arch, subs in profile.arch_map]
    if profile.architectures:
        value["architectures"] = list(profile.architectures)
    value.update(profile.extra)
    value["syscalls"] = [_entry(rule) for rule in profile.rules]
    return json.dumps(value, indent=2) + "\n"


def _entry(rule: Rule) -> dict[str, t.Any]:
    entry: dict[str, t.Any] = {"names": list(rule.names), "action": rule.action}
    if rule.errno is not None:
        entry["errnoRet"] = rule.errno
    if rule.args:
        entry["args"] = [
            {"index": arg.index, "value": arg.value, "valueTwo": arg.value_two, "op": arg.op} for arg in rule.args
        ]
    if rule.comment:
        entry["comment"] = rule.comment
    for side, caps, arches, kernel in (
        ("includes", rule.caps, rule.arches, rule.kernel),
        ("excludes", rule.not_caps, rule.not_arches, rule.not_kernel),
    ):
        condition: dict[str, t.Any] = {}
        if caps:
            condition["caps"] = list(caps)
        if arches:
            condition["arches"] = list(arches)
        if kernel:
            condition["minKernel"] = kernel
        if condition:
            entry[side] = condition
    return entry


def on_machine(profile: Profile, machine: Machine) -> tuple[Rule, ...]:
    """Return the rules that count on a host, for containers with any capabilities.

    Source: setupSeccomp in moby profiles/seccomp/seccomp_linux.go.
    """
    return tuple(
        rule
        for rule in profile.rules
        if (not rule.arches or machine.arch in rule.arches)
        and machine.arch not in rule.not_arches
        and (not rule.kernel or _at_least(machine.kernel, rule.kernel))
        and not (rule.not_kernel and _at_least(machine.kernel, rule.not_kernel))
    )


def in_container(rules: t.Iterable[Rule], caps: frozenset[str]) -> tuple[Rule, ...]:
    """Return those of a host's rules that count for a container with a bounding set."""
    return tuple(rule for rule in rules if caps.issuperset(rule.caps) and caps.isdisjoint(rule.not_caps))


def architectures(profile: Profile, machine: Machine) -> tuple[str, ...]:
    """Return the architectures that the filter is made for on a host; empty means the native one alone."""
    found = list(profile.architectures)
    for arch, subs in profile.arch_map:
        if arch == machine.seccomp_arch:
            found += [arch, *subs]
            break
    return tuple(found)


def _at_least(kernel: str, wanted: str) -> bool:
    # As the engine compares: the first two numbers, whatever a distribution appends.
    have, need = _KERNEL.match(kernel), _KERNEL.match(wanted)
    return bool(have and need and (int(have[1]), int(have[2])) >= (int(need[1]), int(need[2])))
