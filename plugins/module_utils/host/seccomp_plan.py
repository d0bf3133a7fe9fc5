# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The daemon's seccomp profile in a run: which text is wanted, what it changes for containers, and the proof that it does.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    seccomp,
    seccomp_builtin,
    seccomp_choice,
    seccomp_diff,
    seccomp_elf,
    seccomp_lint,
    seccomp_model,
    seccomp_probe,
    versions,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_choice import BUILTIN
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_model import Profile, Rule
from ansible_collections.bulkhead.docker.plugins.module_utils.host.docker_api import ApiError

if t.TYPE_CHECKING:
    from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files
    from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import Daemon
    from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon_plan import Plan


class Chosen(t.NamedTuple):
    """What is wanted: ``builtin`` or the text of a profile, what forbids it, and what has to be said."""

    text: str
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()


class _Unreadable(Exception):
    """What a profile says cannot be known."""


def choose(host: Daemon, given: t.Any, version: versions.Version, predicting: bool) -> Chosen:
    """Return the profile that an option asks for, rendered for a release of the engine and judged for this host.

    Args:
        given: ``builtin``, a profile as text or dictionary, or a choice (see seccomp_choice).
        version: of the engine.
        predicting: whether the engine, and libseccomp with it, may still be installed.
    """
    if given == BUILTIN:
        return Chosen(BUILTIN)
    warnings = []
    value = _value(given)
    base: tuple[Rule, ...] = ()
    asked: tuple[str, ...] = ()
    if seccomp_choice.is_choice(value):
        choice, found = seccomp_choice.read(value)
        try:
            profile = seccomp_choice.render(choice, version) if not found else seccomp_builtin.builtin(version)
        except ValueError as error:
            found = [Problem("seccomp_profile", str(error))]
        if found:
            return Chosen(BUILTIN, tuple(found))
        base, asked = seccomp_builtin.builtin(version).rules, choice.names
        text = seccomp_model.render(profile)
        warnings += [seccomp_builtin.warning(version)]
    else:
        text = seccomp.text_of(given)
        found = seccomp.problems(text)
        if found:
            return Chosen(text, tuple(found))
        profile = seccomp_model.parse(json.loads(text))
    calls, reason = host.seccomp.calls({*asked, *(name for rule in profile.rules for name in rule.names)})
    if calls is None and not predicting:
        warnings.append(f"Whether the seccomp profile names only system calls that exist is not known: {reason}.")
    verdict = seccomp_lint.judge(profile, host.seccomp.machine(), version, calls, shared=base, asked=asked)
    return Chosen(text, verdict.problems, tuple(warning for warning in (*warnings, *verdict.warnings) if warning))


def problems(host: Daemon, given: t.Any) -> list[Problem]:
    """Return what forbids the use of a profile on this host, whatever else is configured."""
    try:
        version = versions.parse(host.engine_version() or host.coming_version() or "")
    except ValueError:
        version = versions.NEWEST_KNOWN
    return list(choose(host, given, version, predicting=True).problems)


def changes(host: Daemon, plan: Plan) -> seccomp_diff.Changes:
    """Return what a run changes for containers that are made afterwards."""
    try:
        before = _effective(host, plan, plan.before, plan.found)
        after = _effective(host, plan, plan.merged.config, plan.wanted)
    except _Unreadable:
        return seccomp_diff.Changes()
    return seccomp_diff.between(before, after, host.seccomp.machine())


def prove(host: Daemon, plan: Plan, warnings: list[str]) -> list[str]:
    """Try system calls under the daemon's new profile and return where it does not do what it says.

    Nothing is tried when the profile is the one with which the daemon was last proved to serve.

    Args:
        warnings: gets a sentence where nothing could be proved.
    """
    if not _is_new(host, plan):
        return []
    try:
        profile = _effective(host, plan, plan.merged.config, plan.wanted)
    except _Unreadable:
        profile = None
    return [] if profile is None else _probe(host, plan, profile, warnings)


def _probe(host: Daemon, plan: Plan, profile: Profile, warnings: list[str]) -> list[str]:
    unproved = "The seccomp profile is in use, but what it does could not be tried out: {}."
    machine = host.seccomp.machine()
    calls, reason = host.seccomp.calls(seccomp_probe.candidates(profile))
    tried = seccomp_probe.attempts(profile, machine, calls.numbers) if calls else ()
    if machine.machine not in seccomp_elf.MACHINES:
        reason = f"the probe knows no programs for {machine.machine}"
    if reason or not tried:
        warnings.append(unproved.format(reason or "no system call of it can be tried"))
        return []
    try:
        filtered, free = host.seccomp.run(
            host.api(), seccomp_elf.program(machine.machine, [attempt.call for attempt in tried])
        )
    except ApiError as error:
        warnings.append(unproved.format(error))
        return []
    control = seccomp_probe.read(free.output)
    if free.failure or control is None or len(control.answers) < len(tried):
        warnings.append(unproved.format(free.failure or "its program does not run here even without a filter"))
        return []
    if filtered.failure:
        return [f"under the seccomp profile no container starts, while one without it does ({filtered.failure})"]
    output = seccomp_probe.read(filtered.output)
    if output is None:
        return ["under the seccomp profile a program cannot even start and print, while one without it does"]
    verdict = seccomp_probe.judge(
        tried, output, control, profile.refusal, plan.merged.config.get("no-new-privileges") is True
    )
    return [f"seccomp: {sentence}" for sentence in verdict.disagreements]


def _is_new(host: Daemon, plan: Plan) -> bool:
    known = plan.state.good
    if known is None:
        return _named(plan.before, plan.found, host) != _named(plan.merged.config, plan.wanted, host)
    try:
        config = json.loads(known.config or "{}")
    except ValueError:
        return True
    return _named(config, known, host) != _named(plan.merged.config, plan.wanted, host)


def _named(config: t.Mapping[str, t.Any], files: Files, host: Daemon) -> tuple[t.Any, str | None]:
    value = config.get("seccomp-profile") or BUILTIN
    return value, files.seccomp if value == host.seccomp_file else None


def _effective(host: Daemon, plan: Plan, config: t.Mapping[str, t.Any], files: Files) -> Profile | None:
    """Return the profile that a configuration means, None for no filter.

    Raises:
        _Unreadable: the file that it names is not there, or holds no profile.
    """
    value = config.get("seccomp-profile") or [*plan.unit.flags.get("seccomp-profile", []), BUILTIN][0]
    if value == BUILTIN:
        return seccomp_builtin.builtin(plan.version)
    if value == "unconfined" and versions.within(plan.version, "23.0"):
        return None
    text = files.seccomp if value == host.seccomp_file else host.seccomp.text(str(value))
    if text is None or seccomp.problems(text):
        raise _Unreadable
    return seccomp_model.parse(json.loads(text))


def _value(given: t.Any) -> t.Any:
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except (ValueError, RecursionError):
        return None
