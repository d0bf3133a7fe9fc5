# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Taking packages off a host, without what others still need and without the data that a package would take along.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, package_sources

_REMOVED = re.compile(r"^(?:Remv|Purg) (?P<name>\S+) ", re.MULTILINE)
_APT = ("apt-get", "--yes", "--allow-change-held-packages", "-o", "DPkg::Lock::Timeout=60")
#: What a package needs that others may need too is not dnf's to decide here.
_DNF = ("dnf", "--assumeyes", "--quiet", "--disableplugin=versionlock", "--setopt=clean_requirements_on_remove=False")
_TIMEOUT = 900.0


@dataclasses.dataclass(frozen=True)
class Removal:
    """What else would go: packages of others that need them, and those that were only installed because they need them."""

    dependents: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()


def look(names: t.Sequence[str]) -> Removal:
    """Return what the removal of packages would take along; nothing is changed.

    Raises:
        commands.CommandError: the package manager does not tell.
    """
    if not names:
        return Removal()
    if package_sources.manager() != package_sources.APT:
        needing = commands.run(["rpm", "--query", "--queryformat", "%{NAME}\n", "--whatrequires", *names], check=False)
        said = [line.strip() for line in needing.stdout.splitlines() if " " not in line.strip()]
        return Removal(tuple(sorted({name for name in said if name} - set(names))))
    along = _simulated("remove", *names) - set(names)
    # Those that nobody needs anyway are somebody else's business.
    idle = _simulated("autoremove")
    with_ours = _simulated("remove", "--auto-remove", *names) - set(names) - along
    return Removal(tuple(sorted(along)), tuple(sorted(with_ours - idle)))


def remove(names: t.Sequence[str], purge: bool) -> None:
    """Remove packages.

    Args:
        purge: whether their configuration goes too. Packages of Docker may then delete its data, so it is not for a host that keeps them.

    Raises:
        commands.CommandError: the package manager failed.
    """
    if package_sources.manager() == package_sources.APT:
        command = ["env", "DEBIAN_FRONTEND=noninteractive", *_APT, "purge" if purge else "remove", "--", *names]
    else:
        command = [*_DNF, "remove", *names]
    commands.run(command, timeout=_TIMEOUT)


def unhold(name: str) -> None:
    """Let a package be moved again.

    Raises:
        commands.CommandError: the package manager failed.
    """
    if package_sources.manager() == package_sources.APT:
        commands.run(["apt-mark", "unhold", "--", name])
    else:
        commands.run(["dnf", "--quiet", "--assumeyes", "versionlock", "delete", name])


def _simulated(*words: str) -> set[str]:
    options = [word for word in words[1:] if word.startswith("--")]
    names = [word for word in words[1:] if not word.startswith("--")]
    said = commands.run([_APT[0], "--simulate", *_APT[1:], *options, words[0], *(["--", *names] if names else [])], timeout=120)
    return {match["name"].partition(":")[0] for match in _REMOVED.finditer(said.stdout)}
