# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The packages that make up an engine, and what has to happen so that a host has them as one set.

PRIVATE to the collection: no stability is promised to other users.

Engine, CLI, containerd and runc are held together: one of them moving alone (an unattended upgrade of containerd, say)
restarts or breaks the others.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import package_versions
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem

# Packages that bring the same programs under different names: Debian's, upstream's, Microsoft's and Fedora's, and older ones.
# Of a row only one can be on a host; not all of them say so to the package manager.
_ROWS = (
    ("docker.io", "docker-ce", "docker-ee", "docker-engine", "moby-engine"),
    ("docker-cli", "docker-ce-cli", "docker-ee-cli", "moby-cli", "podman-docker"),
    ("containerd", "containerd.io", "moby-containerd"),
    ("runc", "containerd.io", "moby-runc"),
    ("docker-buildx", "docker-buildx-plugin", "moby-buildx"),
    ("docker-compose", "docker-compose-plugin", "moby-compose"),
)
#: The packages that bring dockerd.
ENGINES = _ROWS[0]
#: Flags with which a package's own unit starts dockerd, where they differ from ``-H fd://`` alone.
UNIT_FLAGS = {"docker-ce": {"host": ["fd://"], "containerd": ["/run/containerd/containerd.sock"]}}


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A package of the set.

    Attributes:
        version: the version it must have, see package_versions.matches; empty takes what is installed, or the candidate.
        optional: whether a distribution release may lack it (the CLI is part of docker.io before Debian 13).
        held: whether it belongs to those that only move together and when asked.
        with_engine: whether it has the engine's version, as the CLI does; the engine is the first package of the set.
    """

    name: str
    version: str = ""
    optional: bool = False
    held: bool = True
    with_engine: bool = False


@dataclasses.dataclass(frozen=True)
class Known:
    """What the package system knows of a package; empty strings where it is not installed or not available.

    The state is dpkg's own word for what it left the package in (dpkg-query(1), Status-Status).
    """

    installed: str = ""
    candidate: str = ""
    available: tuple[str, ...] = ()
    held: bool = False
    state: str = "installed"

    @property
    def offered(self) -> tuple[str, ...]:
        """Every version that can be had, the candidate first."""
        return tuple(dict.fromkeys(version for version in (self.candidate, *self.available) if version))


@dataclasses.dataclass(frozen=True)
class Policy:
    """What may happen to packages that are installed.

    Attributes:
        upgrade: packages without a wanted version move to the candidate.
        downgrade: packages may become older.
        replace: packages of another source that bring the same programs are removed.
        hold: the packages of the set are held.
        strict: the lists of packages are new, so what nobody offers is refused; otherwise it may become known.
    """

    upgrade: bool = False
    downgrade: bool = False
    replace: bool = False
    hold: bool = True
    strict: bool = False


@dataclasses.dataclass(frozen=True)
class PackagePlan:
    """What has to happen.

    Attributes:
        install: ``name=version`` of what is installed or moved.
        remove: packages of another source that make room.
        hold: packages that have yet to be held.
        unknown: packages that nobody offers, which an update of the lists may change.
        changes: all of it in words.
        engine_before, engine_after: the versions of the package that brings dockerd; empty where there is none.
        back: ``name=version`` of everything that is moved or removed, as it was.
    """

    install: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    hold: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    engine_before: str = ""
    engine_after: str = ""
    back: tuple[str, ...] = ()

    @property
    def moves_engine(self) -> bool:
        """Whether an engine that is installed becomes another one."""
        return bool(self.engine_before) and self.engine_after not in ("", self.engine_before)


class Simulation(t.NamedTuple):
    """What a transaction would do: packages that go and that change, with their versions now, and why it would be refused."""

    removed: dict[str, str]
    moved: dict[str, str]
    refusal: str


def release(version: str) -> str:
    """Return a package's version without its epoch, as versions.parse reads it."""
    return version.rpartition(":")[2]


def rivals(names: t.Sequence[str]) -> tuple[str, ...]:
    """Return the packages that bring the programs of a set under other names."""
    rows = [row for row in _ROWS if set(row) & set(names)]
    return tuple(dict.fromkeys(name for row in rows for name in row if name not in names))


def plan(wanted: t.Sequence[Wanted], known: t.Mapping[str, Known], policy: Policy = Policy()) -> PackagePlan:
    """Decide what has to be installed, removed and held.

    Args:
        wanted: the set, the engine first.
        known: what the host knows of every package of the set and of its rivals.
        policy: what may happen.
    """
    in_the_way = [name for name in rivals([package.name for package in wanted]) if name in known and known[name].installed]
    problems = [] if policy.replace else [_rival_problem(name, known[name].installed) for name in in_the_way]
    problems += [
        Problem(
            package.name,
            f"is {known[package.name].state}: an installation was interrupted; run 'dpkg --configure -a' and 'apt-get --fix-broken install' first",
        )
        for package in wanted
        if package.name in known and known[package.name].state != "installed"
    ]
    targets, unknown, wrong = _targets(wanted, known, policy)
    problems += wrong
    moved = {name: version for name, version in targets.items() if version != known[name].installed}
    members = [package.name for package in wanted if package.held and (package.name in targets or known.get(package.name, Known()).installed)]
    old_engine = next((known[name].installed for name in ENGINES if name in known and known[name].installed), "")
    new_engine = targets.get(wanted[0].name, "") if wanted else ""
    if in_the_way and not policy.downgrade and _release_order(new_engine, old_engine) < 0:
        problems.append(
            Problem(
                wanted[0].name,
                f"{new_engine} is an older engine than {old_engine}, which is installed; set docker_engine_downgrade if it is to become older",
            )
        )
    back = {name: known[name].installed for name in (*moved, *in_the_way) if known[name].installed}
    return PackagePlan(
        install=tuple(f"{name}={version}" for name, version in moved.items()),
        remove=tuple(in_the_way),
        # apt releases the hold of what it moves.
        hold=tuple(name for name in members if policy.hold and (name in moved or not known.get(name, Known()).held)),
        unknown=tuple(unknown),
        changes=(
            *(f"{name} {known[name].installed or 'not installed'} -> {version}" for name, version in moved.items()),
            *(f"{name} {known[name].installed} -> removed" for name in in_the_way),
        ),
        problems=tuple(problems),
        engine_before=old_engine,
        engine_after=new_engine,
        back=tuple(f"{name}={version}" for name, version in back.items()),
    )


def judge_simulation(plan_made: PackagePlan, removed: t.Mapping[str, str]) -> list[Problem]:
    """Return why a transaction must not run, given what the package manager would remove in it beyond the plan.

    Args:
        removed: packages and their versions that would go.
    """
    return [
        Problem(
            name,
            f"{version} would be removed by this, because it cannot be together with {', '.join(plan_made.install)}; "
            "remove it yourself if that is right",
        )
        for name, version in removed.items()
        if name not in plan_made.remove
    ]


def _release_order(new: str, old: str) -> int:
    """Compare packages of different names, whose epochs and revisions mean nothing to each other."""
    return package_versions.order(package_versions.upstream(new), package_versions.upstream(old)) if new and old else 0


def _rival_problem(name: str, version: str) -> Problem:
    return Problem(
        name,
        f"{version} is installed and brings the same programs as this set; set docker_engine_replace to have it replaced with all data kept, "
        "remove it yourself, or do not use this role on that host",
    )


def _targets(
    wanted: t.Sequence[Wanted], known: t.Mapping[str, Known], policy: Policy
) -> tuple[dict[str, str], list[str], list[Problem]]:
    """Return the version for each package that can be had, the packages that nobody offers, and what is wrong."""
    targets: dict[str, str] = {}
    unknown: list[str] = []
    problems: list[Problem] = []
    engine = wanted[0].name if wanted else ""
    for package in wanted:
        found = known.get(package.name, Known())
        if not found.installed and not found.offered:
            if not package.optional and policy.strict:
                problems.append(Problem(package.name, "is offered by none of this host's package sources; add a source that has it (docker_engine_source)"))
            elif not package.optional:
                unknown.append(package.name)
            continue
        follows = package.with_engine and engine in targets and (not found.installed or targets[engine] != known[engine].installed)
        target, problem = _with_engine(found, targets[engine]) if follows else _target(package, found, policy.upgrade)
        if not problem and found.installed and not policy.downgrade and package_versions.order(target, found.installed) < 0:
            problem = f"{target} is older than {found.installed}, which is installed; set docker_engine_downgrade if it is to become older"
        if not target and not policy.strict:
            unknown.append(package.name)
        elif problem:
            problems.append(Problem(package.name, problem))
        else:
            targets[package.name] = target
    return targets, unknown, problems


def _target(package: Wanted, found: Known, upgrade: bool) -> tuple[str, str]:
    if package.version:
        for version in (found.installed, *found.offered):
            if version and package_versions.matches(version, package.version):
                return version, ""
        offered = ", ".join(found.offered) or "nothing"
        return "", f"version {package.version} is asked for, but the package sources offer {offered}; correct the version or add a source"
    if not found.installed or upgrade:
        return found.candidate or found.installed, ""
    return found.installed, ""


def _with_engine(found: Known, engine: str) -> tuple[str, str]:
    versions = [version for version in (found.installed, *found.offered) if version]
    same = [version for version in versions if version == engine] or [
        version for version in versions if package_versions.upstream(version) == package_versions.upstream(engine)
    ]
    if same:
        return same[0], ""
    offered = ", ".join(found.offered) or "nothing"
    return "", f"must have the version of the engine, {engine}, but the package sources offer {offered}; ask for a version that both have"
