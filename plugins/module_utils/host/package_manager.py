# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What manages this host's packages: the one seam behind which apt (packages.py) and dnf (rpm_packages.py) do the same.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.package_closure import Package
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.packages import (
    Known,
    PackagePlan,
    Simulation,
    Wanted,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.host import package_sources, packages, rpm_packages


class Manager(t.Protocol):
    """What both modules have; the functions are described there.

    Attributes:
        NAME: of the tool that solves and carries out.
        SUFFIX: of the files of its packages.
        DOES_ALL: whether docker_package_move does what Ansible's own modules do elsewhere: install, hold, enable.
        BY_HAND: how an administrator installs files.
    """

    NAME: str
    SUFFIX: str
    DOES_ALL: bool
    BY_HAND: str

    def adapted(self, wanted: t.Sequence[Wanted], hold: bool) -> tuple[Wanted, ...]:
        """Return the wanted packages as this manager names and holds them."""

    def known(self, names: t.Sequence[str], fresh: bool = False, sources: bool = True) -> dict[str, Known]:
        """Return what is installed and what could be, by name; fresh asks the sources anew, without sources only the host is asked."""

    def install_command(self, install: t.Sequence[str], remove: t.Sequence[str], paths: t.Sequence[str] = ()) -> list[str]:
        """Return the one command that installs, and removes what has to go, in one transaction."""

    def simulate(self, command: t.Sequence[str]) -> Simulation:
        """Return what a command would do, without doing it."""

    def prepare(self, command: t.Sequence[str]) -> str:
        """Fetch what a command needs and compare its signatures; return why that cannot be, empty when it can."""

    def transaction(self, command: t.Sequence[str], start: bool) -> str:
        """Carry a command out, with or without starting services; return why it failed, empty when it did not."""

    def download(self, entries: t.Sequence[str], directory: str) -> list[str]:
        """Fetch packages into a directory and return the paths of their files."""

    def hold(self, names: t.Sequence[str]) -> None:
        """Keep packages at their release until they are released again."""

    def hold_problems(self, plan: PackagePlan) -> list[Problem]:
        """Return why the packages of a plan cannot be held."""

    def enable(self, unit: str) -> None:
        """Let a unit start at boot, without starting it now."""

    def offered(self, directory: str) -> list[Package]:
        """Return the packages that lie in a directory."""

    def closure(self, plan: PackagePlan, found: t.Sequence[Package]) -> tuple[list[Package], list[Problem]]:
        """Return what a plan needs of the packages found, and what is missing."""

    def signature_problems(self, directory: str) -> list[Problem]:
        """Return the packages in a directory whose signature the host does not trust."""


_MANAGERS: dict[str, Manager] = {package_sources.APT: packages, package_sources.DNF: rpm_packages}


def here() -> Manager | None:
    """Return the manager of this host's packages, None where it is neither of the two or one that is not known enough."""
    return None if unmanageable() else _MANAGERS[package_sources.manager()]


def named(name: str) -> Manager:
    """Return the manager that has this name."""
    return _MANAGERS[name]


def unmanageable() -> Problem | None:
    """Return why the engine's packages cannot be planned on this host, or None where they can."""
    kind = package_sources.manager()
    if not kind:
        reason = "are managed by neither apt nor dnf"
    elif kind == package_sources.DNF and package_sources.is_dnf5():
        reason = "are managed by dnf 5, whose transactions and locks differ from those of dnf 4, so only the repository can be declared (docker_package_source)"
    else:
        return None
    return Problem("packages", f"{reason}; install the engine yourself and leave out the role docker_engine")
