# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""From what is wanted of the engine's packages to a plan that was simulated and judged: for the role and for preflight.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import package_closure, packages
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.package_closure import Package
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.packages import Known, PackagePlan, Policy, Wanted
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    package_files,
    package_manager,
    package_sources,
    version_move,
)


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        wanted: the set, the engine first.
        policy: what may happen to packages that are installed.
        directory: where the packages lie, when they come from no source; empty otherwise.
        checksums: what sha256sum printed of them; empty where nobody says.
        settings, image_store: what docker_daemon is going to manage.
    """

    wanted: tuple[Wanted, ...]
    policy: Policy = Policy()
    directory: str = ""
    checksums: str = ""
    settings: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    image_store: str = ""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A plan that was simulated and judged.

    Attributes:
        problems: all that forbids it.
        notes: what has to be told before it happens.
        command: the one transaction; empty while there is nothing to do, or while it is not known what.
        back: ``name=version`` of all that the transaction changes, as it is now.
        picks: whether a version is installed that is not the candidate.
        to_hold: what docker_package_move has to hold; empty where a task of the role does it.
        manager: the name of what manages the packages; empty where nothing known does.
        needs_move: whether the transaction is more than ansible.builtin.apt does: an engine that moves, packages that make
            room for others, a set that comes from a directory, or a version that a pin by name hides from it; and everything
            where the manager is another one.
    """

    plan: PackagePlan
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    back: tuple[str, ...] = ()
    picks: bool = False
    to_hold: tuple[str, ...] = ()
    manager: str = package_sources.APT

    @property
    def needs_move(self) -> bool:
        """See the attributes."""
        if self.manager != package_sources.APT:
            return bool(self.command or self.to_hold)
        from_directory = "Dir::Etc::SourceList=/dev/null" in self.command
        return bool(self.command) and (self.plan.moves_engine or bool(self.plan.remove) or from_directory or self.picks)


def make(request: Request) -> Outcome:
    """Look, plan, simulate and judge; nothing is changed.

    Raises:
        commands.CommandError, files.FileError: the host cannot be looked at.
    """
    against = package_manager.unmanageable()
    manager = package_manager.here()
    if against is not None or manager is None:
        return Outcome(PackagePlan(), (against,) if against else (), manager="")
    wanted = manager.adapted(request.wanted, request.policy.hold)
    names = [package.name for package in wanted]
    known = manager.known([*names, *packages.rivals(names)], request.policy.strict, not request.directory)
    offered: list[Package] = []
    if request.directory and os.path.isdir(request.directory):
        # Nothing is read from a package that is not the one that was meant.
        wrong = (
            package_files.checksum_problems(request.directory, request.checksums, manager.SUFFIX)
            if request.checksums
            else manager.signature_problems(request.directory)
        )
        if wrong:
            return Outcome(PackagePlan(), tuple(wrong), manager=manager.NAME)
    if request.directory:
        offered = manager.offered(request.directory)
        known = _from_directory(known, offered, names)
    plan = packages.plan(wanted, known, request.policy)
    problems = [*plan.problems, *(manager.hold_problems(plan) if request.policy.strict else [])]
    if request.directory and os.path.isdir(request.directory):
        problems += [Problem(name, f"is not in {request.directory}; put the package there") for name in plan.unknown]
    command: tuple[str, ...] = ()
    back = plan.back
    notes: list[str] = []
    if not problems and (plan.install or plan.remove) and not plan.unknown:
        chosen: list[Package] = []
        if request.directory:
            chosen, problems = manager.closure(plan, offered)
        if not problems:
            command = tuple(manager.install_command(plan.install, plan.remove, [package.path for package in chosen]))
            found = manager.simulate(command)
            problems += [Problem(manager.NAME, found.refusal)] if found.refusal else packages.judge_simulation(plan, found.removed)
            back = tuple(f"{name}={version}" for name, version in {**found.removed, **found.moved}.items())
    move = version_move.move_of(plan) if not plan.problems else None
    if move is not None:
        forbidden, notes = version_move.judge(move, names[0], request.settings, request.image_store)
        problems += forbidden
    picks = any(known[name].candidate != version for name, version in (entry.split("=", 1) for entry in plan.install))
    return Outcome(plan, tuple(problems), tuple(notes), command, back, picks, plan.hold if manager.DOES_ALL else (), manager.NAME)


def lines(plan: PackagePlan) -> list[str]:
    """Return a plan in words, one line for each package that changes."""
    return [*plan.changes, *(f"{name} not installed -> whatever the updated sources offer" for name in plan.unknown), *(f"hold {name}" for name in plan.hold)]


def new(found: Outcome) -> list[str]:
    """Return the names of the packages that are installed and were not there in another version."""
    there = {entry.partition("=")[0] for entry in found.back}
    return [name for name in (entry.partition("=")[0] for entry in found.plan.install) if name not in there]


def _from_directory(known: t.Mapping[str, Known], offered: t.Sequence[Package], names: t.Sequence[str]) -> dict[str, Known]:
    """Return what is known when only the directory offers anything."""
    result = {}
    for name in {*known, *names}:
        versions = [package.version for package in package_closure.newest_first(offered) if package.name == name]
        found = known.get(name, Known())
        if found.installed or versions:
            result[name] = dataclasses.replace(found, candidate=versions[0] if versions else found.installed, available=tuple(versions))
    return result
