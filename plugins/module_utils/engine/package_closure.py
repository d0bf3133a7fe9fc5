# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a directory of Debian packages is enough: what a choice of them needs, and what nobody offers.

PRIVATE to the collection: no stability is promised to other users.

The fields are those of deb-control(5); conflicts are left to apt, which refuses them by itself.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import package_versions
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem

_RELATION = re.compile(r"\s*(?P<name>[a-z0-9][a-z0-9+.-]*)(?::[a-z0-9]+)?\s*(?:\((?P<sign><<|<=|=|>=|>>)\s*(?P<version>[^)\s]+)\s*\))?")


@dataclasses.dataclass(frozen=True)
class Package:
    """A package that is installed or lies in a directory.

    Attributes:
        depends: Depends and Pre-Depends, joined by commas.
        provides: the field Provides.
        path: of its file; empty for one that is installed.
    """

    name: str
    version: str
    depends: str = ""
    provides: str = ""
    path: str = ""


def closure(chosen: t.Sequence[Package], offered: t.Sequence[Package], installed: t.Sequence[Package]) -> tuple[list[Package], list[Problem]]:
    """Return the packages that a choice brings with it (itself included), and every dependency that nobody satisfies.

    Args:
        chosen: what is to be installed.
        offered: what else the directory holds.
        installed: what the host has, without what the choice replaces.
    """
    taken = list(chosen)
    missing: list[Problem] = []
    position = 0
    while position < len(taken):
        package = taken[position]
        position += 1
        for group in (group.strip() for group in package.depends.split(",")):
            if not group or _satisfied(group, [*taken, *installed]):
                continue
            found = next((candidate for candidate in newest_first(offered) if _satisfied(group, [candidate])), None)
            if found is not None:
                taken.append(found)
            else:
                missing.append(
                    Problem(package.name, f"{package.version} needs {group}, which neither the host nor the directory has; add that package to the directory")
                )
    return taken, missing


def newest_first(offered: t.Sequence[Package]) -> list[Package]:
    """Return packages, the newest versions before older ones."""
    newest: list[Package] = []
    for package in offered:
        place = next((number for number, other in enumerate(newest) if package_versions.order(package.version, other.version) > 0), len(newest))
        newest.insert(place, package)
    return newest


def _satisfied(group: str, packages: t.Sequence[Package]) -> bool:
    return any(_has(alternative, package) for alternative in group.split("|") for package in packages)


def _has(alternative: str, package: Package) -> bool:
    wanted = _RELATION.match(alternative)
    if wanted is None:
        return False
    if wanted["name"] == package.name and _holds(package.version, wanted["sign"], wanted["version"]):
        return True
    for entry in package.provides.split(","):
        given = _RELATION.match(entry)
        if given is None or given["name"] != wanted["name"]:
            continue
        # A package that is provided without a version satisfies no relation with one (deb-control(5)).
        if not wanted["sign"] or (given["version"] and _holds(given["version"], wanted["sign"], wanted["version"])):
            return True
    return False


def _holds(version: str, sign: str | None, bound: str | None) -> bool:
    if not sign or bound is None:
        return True
    found = package_versions.order(version, bound)
    return {"<<": found < 0, "<=": found <= 0, "=": found == 0, ">=": found >= 0, ">>": found > 0}[sign]
