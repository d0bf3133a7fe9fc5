# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The packages that make up an engine, and what has to happen so that a host has them as one set.

PRIVATE to the collection: no stability is promised to other users.

Engine, CLI, containerd and runc are held together: one of them moving alone (an unattended upgrade of containerd, say)
restarts or breaks the others.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem

# Packages of other sources that bring the same programs; apt would remove one set for the other.
FOREIGN = ("docker-ce", "docker-ce-cli", "containerd.io", "docker-ee", "docker-engine", "podman-docker", "moby-engine")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A package of the set.

    Attributes:
        version: the version it must have, shell wildcards allowed; empty takes what is installed, or the candidate.
        optional: whether a distribution release may lack it (the CLI is part of docker.io before Debian 13).
        held: whether it belongs to those that only move together and when asked.
    """

    name: str
    version: str = ""
    optional: bool = False
    held: bool = True


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


@dataclasses.dataclass(frozen=True)
class PackagePlan:
    """What to install (``name=version``), what to hold, and what forbids it; ``unknown`` may become known by an update."""

    install: tuple[str, ...] = ()
    hold: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def plan(wanted: t.Sequence[Wanted], known: t.Mapping[str, Known], upgrade: bool, hold: bool = True) -> PackagePlan:
    """Decide what has to be installed and held.

    Args:
        wanted: the set.
        known: what the host knows of every package of the set and of FOREIGN.
        upgrade: whether installed packages without a wanted version move to the candidate.
        hold: whether the packages of the set are held.
    """
    problems = [
        Problem(name, f"{known[name].installed} is installed and brings the same programs as this set; remove it first, or do not use this role on that host")
        for name in FOREIGN
        if name in known and known[name].installed
    ]
    problems += [
        Problem(
            package.name,
            f"is {known[package.name].state}: an installation was interrupted; run 'dpkg --configure -a' and 'apt-get --fix-broken install' first",
        )
        for package in wanted
        if package.name in known and known[package.name].state != "installed"
    ]
    install: list[str] = []
    changes: list[str] = []
    unknown: list[str] = []
    members: list[str] = []
    for package in wanted:
        found = known.get(package.name, Known())
        if not found.installed and not found.candidate:
            if not package.optional:
                unknown.append(package.name)
            continue
        if package.held:
            members.append(package.name)
        target, problem = _target(package, found, upgrade)
        if problem:
            problems.append(Problem(package.name, problem))
        elif target != found.installed:
            install.append(f"{package.name}={target}")
            changes.append(f"{package.name} {found.installed or 'not installed'} -> {target}")
    to_hold = [name for name in members if hold and not known.get(name, Known()).held]
    return PackagePlan(tuple(install), tuple(to_hold), tuple(unknown), tuple(changes), tuple(problems))


def _target(package: Wanted, found: Known, upgrade: bool) -> tuple[str, str]:
    if package.version:
        if found.installed and fnmatch.fnmatchcase(found.installed, package.version):
            return found.installed, ""
        for version in (found.candidate, *found.available):
            if version and fnmatch.fnmatchcase(version, package.version):
                return version, ""
        offered = ", ".join(dict.fromkeys(version for version in (found.candidate, *found.available) if version)) or "nothing"
        return "", f"version {package.version} is asked for, but the package sources offer {offered}; correct the version or add a source"
    if not found.installed or upgrade:
        return found.candidate or found.installed, ""
    return found.installed, ""
