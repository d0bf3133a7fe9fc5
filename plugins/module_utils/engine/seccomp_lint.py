# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong, or odd, in a seccomp profile whose form is right: for the host that it shall be used on.

PRIVATE to the collection: no stability is promised to other users.

The engine and runc are silent about all of it: runc passes over calls that libseccomp does not know, so a typing error
closes a call that was to be opened, or opens nothing where something was to be refused.
Sources: runc libcontainer/seccomp/seccomp_linux.go, seccomp_rule_add(3), seccomp_syscall_resolve_name(3).
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    seccomp_args,
    seccomp_builtin,
    seccomp_model,
    versions,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_choice import CAPABILITIES, near
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_model import (
    Argument,
    Machine,
    Profile,
    Rule,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_openers import OPENERS

_ARCHITECTURES = tuple(
    f"SCMP_ARCH_{name}"
    for name in (
        "AARCH64 ARM LOONGARCH64 M68K MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PARISC PARISC64 PPC PPC64 PPC64LE "
        "RISCV64 S390 S390X SH SHEB X32 X86 X86_64"
    ).split()
)

#: Arguments that the kernel takes as 32 bits, by call, as far as filters are known to look at them.
INTS = {
    "fcntl": (0, 1),
    "getsockopt": (0, 1, 2),
    "ioctl": (0, 1),
    "keyctl": (0,),
    "personality": (0,),
    "prctl": (0,),
    "setsockopt": (0, 1, 2),
    "socket": (0, 1, 2),
    "socketpair": (0, 1, 2),
}


@dataclasses.dataclass(frozen=True)
class Calls:
    """What libseccomp on the host knows.

    Attributes:
        numbers: by name, the number of a call; negative where only other architectures have it, None for no call at all.
        names: all calls of the host's architecture.
    """

    numbers: t.Mapping[str, int | None]
    names: frozenset[str]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What forbids the use of a profile, and what has to be said about it."""

    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]


def judge(
    profile: Profile,
    machine: Machine,
    version: versions.Version,
    calls: Calls | None,
    where: str = "seccomp_profile",
    shared: t.Container[Rule] = (),
    asked: t.Sequence[str] = (),
) -> Verdict:
    """Return what is wrong and what is odd.

    Args:
        profile: in the right form.
        machine, version: the host and its engine.
        calls: what libseccomp knows, None where that is not known.
        where: how the problems call the profile.
        shared: rules that the engine's own profile has too, about which nothing is said.
        asked: calls that the user named and that the profile may not name any more, because they are denied.
    """
    found: list[str] = []
    odd: list[str] = []
    _unknown_calls(profile, calls, asked, found, odd)
    _architectures(profile, machine, version, found, odd)
    for number, rule in enumerate(profile.rules):
        if rule not in shared:
            _rule(number, rule, profile, version, found, odd)
    _contradictions(profile, machine, found, odd)
    odd += _undone(profile, machine, version)
    if profile.default_errno == 0 and versions.within(version, "23.0"):
        odd.append("defaultErrnoRet is 0, so calls that are not listed do nothing and programs believe that they succeeded")
    if profile.default_errno is not None and not versions.within(version, "23.0"):
        odd.append(f"Docker {version} passes over defaultErrnoRet; calls that are not listed get EPERM")
    return Verdict(
        tuple(Problem(where, message) for message in found), tuple(f"{where}: {message}." for message in odd)
    )


def _unknown_calls(
    profile: Profile, calls: Calls | None, asked: t.Sequence[str], found: list[str], odd: list[str]
) -> None:
    if calls is None:
        return
    later = []
    rules = {**dict.fromkeys(asked, []), **_by_name(profile.rules)}
    for name, mine in rules.items():
        if calls.numbers.get(name) is not None or name in seccomp_builtin.known_names():
            continue
        if mine and all(rule.kernel for rule in mine):
            later.append(name)
        else:
            found.append(
                f"names the system call '{name}', which libseccomp on this host does not know, so nothing would open or "
                f"close{near(name, calls.names | seccomp_builtin.known_names())}; correct the name, or, in a profile of "
                "your own, give the rule a minKernel if the call is newer than this host"
            )
    if later:
        odd.append(f"libseccomp on this host does not know {', '.join(sorted(later))} yet, and passes over the rules")


def _architectures(
    profile: Profile, machine: Machine, version: versions.Version, found: list[str], odd: list[str]
) -> None:
    mapped = [arch for arch, _subs in profile.arch_map]
    named = [*mapped, *(sub for _arch, subs in profile.arch_map for sub in subs), *profile.architectures]
    for name in dict.fromkeys(named):
        if name not in _ARCHITECTURES:
            found.append(
                f"names the architecture '{name}', which libseccomp does not know{near(name, _ARCHITECTURES)}; correct it"
            )
    native = machine.seccomp_arch
    engine = [arch for arch, _subs in seccomp_builtin.builtin(version).arch_map]
    if not native or not (mapped or profile.architectures) or native in (*mapped, *profile.architectures):
        return
    if mapped and native not in engine:
        # The engine's own map leaves such hosts out too, and the filter is made for the native architecture.
        return
    found.append(
        f"is made for {', '.join(mapped or profile.architectures)}, but this host is {native}; add it, or leave "
        "architectures and archMap out"
    )


def _rule(
    number: int, rule: Rule, profile: Profile, version: versions.Version, found: list[str], odd: list[str]
) -> None:
    place = f"syscalls[{number}] ({', '.join(rule.names[:3])}{' ...' if len(rule.names) > 3 else ''})"
    for reason in _never(rule):
        found.append(f"{place} can never count, as {reason}; correct or remove it")
    for cap in (*rule.caps, *rule.not_caps):
        if cap not in CAPABILITIES:
            found.append(
                f"{place} names the capability '{cap}', which Linux does not have{near(cap, CAPABILITIES)}; correct it"
            )
    known = seccomp_model.RULE_ARCHITECTURES
    odd += [
        f"{place} names the architecture '{arch}'{_meant(arch)}, which the engine never matches; it compares with "
        "names such as amd64 and arm64"
        for arch in (*rule.arches, *rule.not_arches)
        if arch not in known
    ]
    if rule.errno is not None and rule.action not in (seccomp_model.ERRNO, "SCMP_ACT_TRACE"):
        odd.append(f"{place} has an errnoRet, which {rule.action} does not use")
    if rule.action == seccomp_model.ERRNO and rule.errno == 0:
        odd.append(f"{place} returns error 0, so the call does nothing and programs believe that it succeeded")
    if rule.action == profile.default_action and (rule.errno is None or rule.errno == profile.refusal):
        odd.append(f"{place} says what defaultAction says anyway, and runc passes over it")
    twice = [name for name, times in collections.Counter(rule.names).items() if times > 1]
    if twice:
        odd.append(f"{place} names {', '.join(twice)} twice")
    if len({argument.index for argument in rule.args}) < len(rule.args):
        odd.append(
            f"{place} has two conditions on one argument; runc lets the call through when any one of its conditions holds"
        )
    passed = [
        name
        for name in rule.names
        if any(_passed_by(rule, argument) for argument in rule.args if argument.index in INTS.get(name, ()))
    ]
    if passed:
        odd.append(
            f"{place} compares 64 bits of an argument of which the kernel takes 32, so a program passes by with a bit set in "
            "the upper half; deny the case with seccomp_profile's deny, which minds that"
        )


def _meant(arch: str) -> str:
    for machine, (engine, libseccomp) in seccomp_model.MACHINES.items():
        if arch in (machine, libseccomp):
            return f" (did you mean '{engine}'?)"
    return near(arch, seccomp_model.RULE_ARCHITECTURES)


def _passed_by(rule: Rule, argument: Argument) -> bool:
    open_ended = (
        ("SCMP_CMP_NE", "SCMP_CMP_GT", "SCMP_CMP_GE") if rule.opens else ("SCMP_CMP_EQ", "SCMP_CMP_LT", "SCMP_CMP_LE")
    )
    return argument.op in open_ended and argument.value < 2**32


def _never(rule: Rule) -> t.Iterator[str]:
    for mine, other, what in ((rule.caps, rule.not_caps, "capability"), (rule.arches, rule.not_arches, "architecture")):
        for name in set(mine).intersection(other) if what == "capability" or set(mine) <= set(other) else ():
            yield f"it includes and excludes the {what} {name}"
    if rule.kernel and rule.not_kernel and not _older(rule.kernel, rule.not_kernel):
        yield f"it asks for a kernel from {rule.kernel} on that is older than {rule.not_kernel}"
    for argument in rule.args:
        if seccomp_args.impossible(argument):
            yield f"no value fulfils {seccomp_args.words([argument])}"


def _older(first: str, second: str) -> bool:
    return [int(part) for part in first.split(".")] < [int(part) for part in second.split(".")]


def _contradictions(profile: Profile, machine: Machine, found: list[str], odd: list[str]) -> None:
    repeated = []
    for name, rules in _by_name(seccomp_model.on_machine(profile, machine)).items():
        seen: dict[Rule, str] = {}
        for rule in rules:
            condition = dataclasses.replace(rule, names=(), action="", errno=None, comment="")
            action = f"{rule.action} {rule.errno}"
            if seen.get(condition, action) != action:
                found.append(f"gives {name} two answers for the same case; keep one of them")
            elif condition in seen:
                repeated.append(name)
            seen[condition] = action
    if repeated:
        odd.append(f"says the same of {', '.join(dict.fromkeys(repeated))} more than once")


def _undone(profile: Profile, machine: Machine, version: versions.Version) -> list[str]:
    usual = _open_to_all(seccomp_builtin.builtin(version), machine)
    return [
        f"lets every container call {name}, which opens {OPENERS[name]}"
        for name in sorted(_open_to_all(profile, machine) - usual)
        if name in OPENERS
    ]


def _open_to_all(profile: Profile, machine: Machine) -> set[str]:
    rules = seccomp_model.on_machine(profile, machine)
    return {
        name for rule in rules if rule.opens and not (rule.args or rule.caps or rule.not_caps) for name in rule.names
    }


def _by_name(rules: t.Iterable[Rule]) -> dict[str, list[Rule]]:
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        for name in dict.fromkeys(rule.names):
            found.setdefault(name, []).append(rule)
    return found
