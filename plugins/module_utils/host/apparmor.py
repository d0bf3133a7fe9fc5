# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The AppArmor profiles of this host: their files, the parser, and what the kernel enforces.

PRIVATE to the collection: no stability is promised to other users.

A profile is compiled before its file is written, and after it was loaded the kernel is asked for its mode: a parser that
succeeds has not yet made the kernel enforce anything.
"""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import apparmor
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem, summary
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    files,
    managed_files,
    security_modules,
)

DIRECTORY = "/etc/apparmor.d"
# Links of these names in these directories make the boot skip a profile, or load it in complain mode (aa-disable(8)).
_OVERRIDES = ("disable", "force-complain")
_PARSER = "apparmor_parser"
_RELEASE = re.compile(r"version (\d+)\.(\d+)(?:\.(\d+))?")
_NO_KERNEL = "this kernel does not run AppArmor (see /sys/module/apparmor/parameters/enabled), so there is nothing to do"


class ApparmorError(Exception):
    """Profiles are refused, or the kernel does not enforce them; the message is for the user and complete."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What has to be done.

    Attributes:
        unavailable: why nothing can be done on this host, empty where AppArmor is there.
        parser_missing: whether the kernel has AppArmor and only the parser is missing.
        texts: of the wanted profiles by name.
        modes: of all profiles that the kernel has.
        files: that change, and overrides: links that go.
    """

    unavailable: str = ""
    parser_missing: bool = False
    texts: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    modes: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    files: tuple[managed_files.Difference, ...] = ()
    overrides: tuple[str, ...] = ()
    drift: apparmor.Drift = apparmor.Drift({}, ())

    @property
    def changes(self) -> bool:
        """Whether anything is not as it is to be."""
        return bool(self.files or self.overrides or self.drift.load or self.drift.unload)


def make(wanted: t.Sequence[apparmor.Profile]) -> Plan:
    """Look at the host and compile what differs, without changing anything.

    Raises:
        ApparmorError: the kernel does not tell what it enforces, the parser refuses a text, or a profile that is to go is in use.
    """
    if not security_modules.apparmor_enforced():
        return Plan(unavailable=_NO_KERNEL)
    if commands.find(_PARSER) is None:
        return Plan(parser_missing=True)
    modes = security_modules.loaded_profiles()
    if modes is None:
        raise ApparmorError("The kernel runs AppArmor but does not show its profiles; run this as root of the host itself.")
    release = _release()
    texts = {profile.name: apparmor.render(profile, release) for profile in wanted}
    differing = managed_files.differences({**_ours_to_remove(texts), **{_file(name): (text, 0o644) for name, text in texts.items()}})
    rewritten = [os.path.basename(difference.path) for difference in differing if difference.wanted is not None]
    drift = apparmor.drift(texts, rewritten, modes)
    reasons = [*_compile({name: texts[name] for name in rewritten}), *_in_use(drift.unload)]
    if reasons:
        raise ApparmorError(summary(reasons))
    return Plan("", False, texts, modes, tuple(differing), _overrides(texts), drift)


def carry_out(plan: Plan) -> None:
    """Write, load, unload, and ask the kernel whether it enforces what it was given.

    Raises:
        ApparmorError: it does not.
    """
    managed_files.apply([difference for difference in plan.files if difference.wanted is not None])
    for path in plan.overrides:
        files.remove(path)
    for name in plan.drift.load:
        commands.run([_PARSER, "--replace", "--skip-cache", "--", _file(name)])
    for name in plan.drift.unload:
        # The parser needs nothing of a profile but its name to take it away.
        commands.run([_PARSER, "--remove"], stdin=f'profile "{name}" {{}}\n')
    managed_files.apply([difference for difference in plan.files if difference.wanted is None])
    _prove(plan)


def _prove(plan: Plan) -> None:
    modes = security_modules.loaded_profiles() or {}
    wrong = [f"{name} is {'in ' + modes[name] + ' mode' if name in modes else 'not loaded'}" for name in plan.texts if modes.get(name) != "enforce"]
    wrong += [f"{name} is still loaded" for name in plan.drift.unload if name in modes]
    if wrong:
        raise ApparmorError(
            f"AppArmor does not enforce what it was given: {', '.join(wrong)}; see the kernel's log, and whether another program manages these profiles."
        )


def _file(name: str) -> str:
    return f"{DIRECTORY}/{name}"


def _release() -> tuple[int, ...]:
    printed = commands.run([_PARSER, "--version"]).stdout
    match = _RELEASE.search(printed)
    if match is None:
        raise ApparmorError(f"{_PARSER} does not tell its release in '{printed.strip()[:80]}'; install the distribution's package apparmor.")
    return tuple(int(number) for number in match.groups() if number)


def _ours_to_remove(wanted: t.Collection[str]) -> dict[str, tuple[None, int]]:
    """Files of ours that nobody wants any more; only our mark makes a file ours."""
    names = sorted(os.listdir(DIRECTORY)) if os.path.isdir(DIRECTORY) else []
    gone = [name for name in names if apparmor.NAME.fullmatch(name) and name not in wanted]
    return {_file(name): (None, 0o644) for name in gone if (files.read_text(_file(name)) or "").startswith(apparmor.MARK)}


def _overrides(names: t.Iterable[str]) -> tuple[str, ...]:
    paths = [f"{DIRECTORY}/{directory}/{name}" for name in names for directory in _OVERRIDES]
    return tuple(path for path in paths if os.path.lexists(path))


def _compile(texts: t.Mapping[str, str]) -> list[Problem]:
    problems = []
    for name, text in texts.items():
        done = commands.run([_PARSER, "--skip-kernel-load", "--skip-cache"], check=False, stdin=text)
        if done.rc != 0:
            said = " ".join((done.stderr.strip() or done.stdout.strip() or "it said nothing").split())
            problems.append(Problem(f"profiles.{name}", f"is refused by {_PARSER}: {said[:300]}; mend its options"))
    return problems


def _in_use(names: t.Iterable[str]) -> list[Problem]:
    """Processes keep running without any profile when theirs is taken away."""
    using: dict[str, int] = {}
    for label in security_modules.labels_of_processes():
        using[label] = using.get(label, 0) + 1
    return [
        Problem(
            f"profiles.{name}",
            f"is no longer asked for, but {using[name]} processes run under it and would go on unconfined; recreate their "
            "containers with another profile first",
        )
        for name in names
        if using.get(name)
    ]
