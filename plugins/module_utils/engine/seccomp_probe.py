# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Which system calls the probe tries, and what it proves.

PRIVATE to the collection: no stability is promised to other users.

The same calls are tried in a container under the daemon's profile and in one without any. A call is judged by what the
filter would answer, and only where the kernel itself would answer otherwise.
"""

from __future__ import annotations

import dataclasses
import struct
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    seccomp_args,
    seccomp_builtin,
    seccomp_elf,
    seccomp_model,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_model import Machine, Profile, Rule
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_openers import OPENERS

#: What a container has when nobody asks for anything else (moby oci/caps/defaults.go).
DEFAULT_CAPABILITIES = frozenset(
    f"CAP_{name}"
    for name in (
        "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID "
        "SYS_CHROOT"
    ).split()
)

_ENDS = "would end the probe"
_WAITS = "would wait"
_FORKS = "would make a process without a stack"
_SIGNALS = "would send a signal"
_HOST = "would change the host if it were let through"
#: Calls that are never tried, and why.
NEVER = {
    **dict.fromkeys(("exit", "exit_group", "rt_sigreturn", "sigreturn", "uretprobe", "uprobe"), _ENDS),
    **dict.fromkeys(("pause", "sigsuspend", "restart_syscall", "rt_sigsuspend"), _WAITS),
    **dict.fromkeys(("fork", "vfork"), _FORKS),
    **dict.fromkeys(("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal"), _SIGNALS),
    **dict.fromkeys(("reboot", "vhangup", "swapon", "swapoff", "kexec_load", "kexec_file_load", "sync"), _HOST),
}
# Wrong as a descriptor, an address, a size, a set of flags or a command: the kernel refuses before it does anything.
_WRONG = seccomp_args.LARGEST
# Calls that do nothing with all other arguments wrong, whatever one argument is.
_VARIED = ("fcntl", "getsockopt", "ioctl", "setsockopt", "socket")
# What these actions do cannot be read from a return value.
_SPOKEN = (seccomp_model.ALLOW, "SCMP_ACT_LOG", seccomp_model.ERRNO)
_ENOSYS = 38


@dataclasses.dataclass(frozen=True)
class Attempt:
    """A call to try.

    Attributes:
        name, call: what is tried.
        opened: whether the profile lets it through.
        errno: the error that the filter answers with where it does not.
    """

    name: str
    call: seccomp_elf.Call
    opened: bool
    errno: int

    @property
    def text(self) -> str:
        """The call as a person writes it."""
        special = [f"{value}" for value in self.call.args if value != _WRONG]
        return f"{self.name}({', '.join(special)})" if special else self.name


@dataclasses.dataclass(frozen=True)
class Output:
    """What the program printed: the lines of /proc/self/status and the answer to each call, as far as it came."""

    status: dict[str, str]
    answers: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What was found: disagreements are sentences; the others are calls."""

    disagreements: tuple[str, ...]
    proved_open: tuple[str, ...] = ()
    proved_closed: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()


def attempts(profile: Profile, machine: Machine, numbers: t.Mapping[str, int | None]) -> tuple[Attempt, ...]:
    """Return what is worth trying under a profile.

    Args:
        numbers: of calls on the host's architecture, by name; others are passed over.
    """
    rules = seccomp_model.in_container(seccomp_model.on_machine(profile, machine), DEFAULT_CAPABILITIES)
    found = []
    for name in sorted(candidates(profile)):
        number = numbers.get(name)
        if number is None or number < 0:
            continue
        mine = [rule for rule in rules if name in rule.names]
        for args in _variants(name, mine):
            answer = _answer(mine, args, profile)
            if answer is not None:
                found.append(Attempt(name, seccomp_elf.Call(number, args), *answer))
    return tuple(found)


def candidates(profile: Profile) -> set[str]:
    """Return the calls that say something about a profile and may be tried."""
    named = {name for rule in profile.rules for name in rule.names}
    return (named | seccomp_builtin.known_names() | set(OPENERS)) - set(NEVER)


def read(output: bytes) -> Output | None:
    """Return what the program printed, or None where it did not come to print its mark."""
    text, mark, rest = output.partition(seccomp_elf.MARK)
    if not mark:
        return None
    lines = (line.partition(":") for line in text.decode("utf-8", "replace").splitlines())
    whole = len(rest) // 8 * 8
    answers = (_signed(value) for (value,) in struct.iter_unpack("<Q", rest[:whole]))
    return Output({key: value.strip() for key, _colon, value in lines}, tuple(answers))


def judge(
    tried: t.Sequence[Attempt], filtered: Output, free: Output, default_errno: int, no_new_privileges: bool
) -> Verdict:
    """Compare what was answered with what the profile says.

    Args:
        tried: in the order of the program.
        filtered, free: the output under the daemon's profile, and without a filter.
        default_errno: what the filter answers where no rule counts.
        no_new_privileges: whether the daemon gives that to every container.
    """
    wrong = _status(filtered.status, no_new_privileges)
    refused: list[str] = []
    passed: list[str] = []
    opened: list[str] = []
    closed: list[str] = []
    unclear: list[str] = []
    for attempt, mine, control in zip(tried, filtered.answers, free.answers):
        # runc answers ENOSYS for calls that are newer than every call of the filter.
        blocked = mine in (-attempt.errno, -_ENOSYS) if not attempt.opened else mine in (-default_errno, -_ENOSYS)
        if attempt.opened and blocked and mine != control:
            refused.append(attempt.text)
        elif not attempt.opened and not blocked:
            passed.append(attempt.text)
        elif blocked and mine == control:
            unclear.append(attempt.text)
        else:
            (opened if attempt.opened else closed).append(attempt.text)
    if len(filtered.answers) < len(tried):
        wrong.append(f"a program ends when it calls {tried[len(filtered.answers)].text}")
    if refused:
        wrong.append(f"the profile opens {', '.join(refused)}, but a container is refused")
    if passed:
        wrong.append(f"the profile closes {', '.join(passed)}, but a container is let through")
    return Verdict(tuple(wrong), tuple(opened), tuple(closed), tuple(unclear))


def _status(status: t.Mapping[str, str], no_new_privileges: bool) -> list[str]:
    # A profile that closes openat leaves nothing to read here; the calls still tell.
    wrong = []
    if status and status.get("Seccomp") != "2":
        wrong.append(f"a container runs with Seccomp: {status.get('Seccomp')}, which means that no filter is in force")
    if status and no_new_privileges and status.get("NoNewPrivs") != "1":
        wrong.append("a container runs without no_new_privs, although no-new-privileges is set")
    return wrong


def _variants(name: str, rules: t.Iterable[Rule]) -> list[tuple[int, int, int, int, int, int]]:
    found = [(_WRONG,) * 6]
    if name in _VARIED:
        conditions = {argument for rule in rules for argument in rule.args}
        for argument in sorted(conditions):
            # The last one has a bit that the kernel does not look at in an int, and the filter does.
            named = argument.value_two if argument.op == seccomp_args.MASKED else argument.value
            for value in sorted({named, max(named - 1, 0), named | 1 << 32}):
                args = [_WRONG] * 6
                args[argument.index] = value
                found.append(t.cast("tuple[int, int, int, int, int, int]", tuple(args)))
    return list(dict.fromkeys(found))


def _answer(rules: t.Iterable[Rule], args: t.Sequence[int], profile: Profile) -> tuple[bool, int] | None:
    """Return whether a call is let through and the error otherwise, or None where that cannot be read off."""
    matching = [rule for rule in rules if _matches(rule, args)]
    actions = {rule.action for rule in matching} or {profile.default_action}
    if len(actions) > 1 or not actions.issubset(_SPOKEN):
        return None
    errors = {rule.errno for rule in matching if rule.errno is not None} or {profile.refusal}
    return None if len(errors) > 1 else (actions != {seccomp_model.ERRNO}, errors.pop())


def _matches(rule: Rule, args: t.Sequence[int]) -> bool:
    holding = [seccomp_args.holds(argument, args[argument.index]) for argument in rule.args]
    # With two conditions on one argument runc makes a rule of each.
    several = len({argument.index for argument in rule.args}) < len(rule.args)
    return any(holding) if several else all(holding)


def _signed(value: int) -> int:
    if value >= 2**63:
        return value - 2**64
    # Some calls of x86 return an error in 32 bits (modify_ldt(2)).
    return value - 2**32 if 2**32 - 4095 <= value < 2**32 else value
