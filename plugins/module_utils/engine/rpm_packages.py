# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What rpm and dnf print about packages, read: what is installed, offered, locked, what a transaction would do and why not.

PRIVATE to the collection: no stability is promised to other users.

The outputs are those of rpm 4 (rpm-queryformat(7)) and dnf 4 in the C locale. A table of dnf is the only account it gives of a
transaction that has not happened; its rows start with one blank, and what does not fit is continued further to the right.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.package_closure import Package
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.packages import Wanted

#: The packages without which dnf cannot hold any, and which neither RHEL nor its rebuilds have (it is in EPEL).
VERSIONLOCK = "python3-dnf-plugin-versionlock"
_NOT_IN_EL = ("python3-docker",)
#: What to ask ``rpm --query`` and ``dnf repoquery`` for, as installed() and offered() read it.
INSTALLED_FORMAT = "%{NAME}\\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n"
OFFERED_FORMAT = "%{name}\\t%{epoch}:%{version}-%{release}\\t%{arch}\\t%{repoid}\\n"
FILE_FORMAT = "package\\t%{NAME}\\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\t%{ARCH}\\n[provides\\t%{PROVIDENAME}\\n]"

_HEADING = re.compile(r"(?P<what>Installing|Upgrading|Downgrading|Reinstalling|Removing)\b.*:")
_REPLACED = re.compile(r"replacing\s+(?P<name>\S+)\.[^.\s]+\s")
_NEEDED = re.compile(r"^\s*(?P<capability>.+) is needed by (?P<package>(?!\(installed\)).+)$", re.MULTILINE)
_REASON = re.compile(r"^(?:  - (?!conflicting requests$)|Error: (?!Operation aborted)|Package .* is not |Public key for |Failed |(?:> )*No match for ).*")
_LOCK = re.compile(r"(?P<nevr>[^#\s]+-\d+:[^-\s]+-[^-\s]+)\.\*")
_PROMPT = re.compile(r"^(?:> )+")


@dataclasses.dataclass(frozen=True)
class Table:
    """What a transaction would do: names that go, and from the name of what comes or changes to its version."""

    removed: tuple[str, ...]
    coming: dict[str, str]


def adapted(wanted: t.Sequence[Wanted], lock: bool) -> tuple[Wanted, ...]:
    """Return a set as a host of the EL family can have it.

    Args:
        wanted: the set, the engine first.
        lock: whether what dnf needs to hold packages is to be installed with it.
    """
    found = [dataclasses.replace(package, optional=package.optional or package.name in _NOT_IN_EL) for package in wanted]
    return (*found, *([Wanted(VERSIONLOCK, optional=True, held=False)] if lock else []))


def installed(text: str) -> dict[str, str]:
    """Return the versions of packages from what INSTALLED_FORMAT printed; what rpm says of others is passed over."""
    return {fields[0]: version(fields[1]) for fields in _fields(text, 2)}


def offered(text: str, architecture: str, pinned: t.Mapping[str, str]) -> dict[str, list[tuple[str, str]]]:
    """Return what repositories offer, from what OFFERED_FORMAT printed: by name, each a version and its repository.

    Args:
        architecture: of the host.
        pinned: the repository from which alone a package is taken, by its name.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for name, evr, arch, repository in _fields(text, 4):
        if arch in (architecture, "noarch") and pinned.get(name, repository) == repository:
            found.setdefault(name, []).append((version(evr), repository))
    return found


def version(evr: str) -> str:
    """Return a version without an epoch of 0, which says nothing."""
    epoch, _colon, rest = evr.partition(":")
    return rest if epoch in ("0", "(none)") else evr


def spec(entry: str) -> str:
    """Return ``name=version`` as dnf takes it: ``docker-ce-3:28.5.2-1.el9``."""
    return entry.replace("=", "-", 1)


def locked(text: str) -> set[str]:
    """Return ``name=version`` of each lock in what ``dnf versionlock list`` printed."""
    found = set()
    for match in _LOCK.finditer(text):
        name, main, revision = match["nevr"].rsplit("-", 2)
        found.add(f"{name}={version(f'{main}-{revision}')}")
    return found


def table(text: str) -> Table | None:
    """Return what a transaction would do, or None where dnf found none or nothing to do."""
    rows: list[tuple[str, str]] = []
    heading, inside = "", False
    for line in text.splitlines():
        match = _HEADING.fullmatch(line)
        if match:
            heading, inside = match["what"], True
        elif not line.strip() or line.startswith(("=", "Transaction Summary")):
            inside = False
        elif inside and line.startswith("  ") and rows and not line.strip().startswith("replacing "):
            rows[-1] = (rows[-1][0], rows[-1][1] + line)
        elif inside:
            rows.append((heading, line))
    removed = [match["name"] for _heading, line in rows for match in [_REPLACED.match(line.strip())] if match]
    cells = [(heading, line.split()) for heading, line in rows if not line.strip().startswith("replacing ")]
    removed += [row[0] for heading, row in cells if heading == "Removing"]
    coming = {row[0]: row[2] for heading, row in cells if heading != "Removing" and len(row) > 2}
    return Table(tuple(dict.fromkeys(removed)), coming) if cells else None


def reasons(text: str) -> str:
    """Return why dnf did not do something, in its words."""
    lines = [_PROMPT.sub("", line) for line in text.splitlines()]
    said = [line.strip(" -").partition("Error: ")[2] or line.strip(" -") for line in lines if _REASON.match(line)]
    # A program that breaks off says why last.
    said = said or [line.strip() for line in lines if line.strip() and line != "Complete!"][-1:]
    return "; ".join(dict.fromkeys(line.rstrip(".") for line in said if line)) or "it gave no reason"


def files(text: str, paths: t.Sequence[str], architecture: str) -> list[Package]:
    """Return the packages in files, from what FILE_FORMAT printed for them in their order.

    Args:
        paths: of the files.
        architecture: of the host; packages of another one are left out.
    """
    found: list[tuple[list[str], list[str]]] = []
    for line in text.splitlines():
        kind, *fields = line.split("\t")
        if kind == "package":
            found.append(([*fields, "", "", ""][:3], []))
        elif kind == "provides" and found and fields:
            found[-1][1].append(fields[0])
    return [
        Package(name, version(evr), "", "\n".join(provides), path)
        for ((name, evr, arch), provides), path in zip(found, paths)
        if arch in (architecture, "noarch")
    ]


def missing(text: str) -> list[tuple[str, str]]:
    """Return what is needed and by which package, from what ``rpm --upgrade --test`` printed; what others need is dnf's to judge."""
    return [(match["capability"].strip(), match["package"].strip()) for match in _NEEDED.finditer(text)]


def provides(package: Package, capability: str) -> bool:
    """Tell whether a package has a capability by its name; whether the version is enough shows when rpm is asked again."""
    return capability.split()[0] in (package.path, *package.provides.split("\n"))


def unsigned(text: str) -> list[tuple[str, bool]]:
    """Return the files that no trusted key vouches for, from what ``rpmkeys --checksig`` printed.

    Returns:
        paths, each with whether it is damaged or signed by a key that rpm does not have (and not just unsigned).
    """
    found = []
    for line in text.splitlines():
        path, colon, verdict = line.rpartition(":")
        if colon and not re.search(r"\bsignatures\b.* OK$", verdict):
            found.append((path, "digests OK" not in verdict))
    return found


def _fields(text: str, count: int) -> list[list[str]]:
    return [fields for fields in (line.split("\t") for line in text.splitlines()) if len(fields) == count]
