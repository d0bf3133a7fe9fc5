# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The package manager of the EL family: what rpm and dnf know of packages, and what they do with them.

PRIVATE to the collection: no stability is promised to other users.

A package_manager.Manager. Commands and not the bindings of dnf: those exist only for the distribution's own Python, whose place differs
with each release. What dnf is told to install and remove together it reads as the lines of its shell, the only way in which dnf 4 does
both in one transaction; the shell's exit status says nothing (it is 0 also when nothing was done), so what came of it is looked up.
"""

from __future__ import annotations

import functools
import glob
import os
import platform
import re
import shlex
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    package_sources,
    package_versions,
    rpm_packages,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.package_closure import Package, newest_first
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.packages import (
    Known,
    PackagePlan,
    Simulation,
    Wanted,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, files

NAME = "dnf"
SUFFIX = ".rpm"
#: docker_package_move installs, holds and enables here; what Ansible has for dnf 4 and its locks cannot do it in one transaction.
DOES_ALL = True
BY_HAND = "dnf install"

_REPOSITORIES = "/etc/yum.repos.d/*.repo"
_VERSIONLOCK = "/usr/lib/python3*/*-packages/dnf-plugins/versionlock.py"
# Its plugin hides every version but the locked ones from dnf.
_UNLOCKED = "--disableplugin=versionlock"
_NO_SOURCE = "--disablerepo=*"
_SHELL = "shell"
_TIMEOUT = 1800.0
_ERROR = re.compile(r"^(?:> )*Error: ", re.MULTILINE)


def adapted(wanted: t.Sequence[Wanted], hold: bool) -> tuple[Wanted, ...]:
    """Return the set as this family can have it, with what holding it needs."""
    return rpm_packages.adapted(wanted, lock=hold and not _can_hold())


def known(names: t.Sequence[str], fresh: bool = False, sources: bool = True) -> dict[str, Known]:
    """Return what the host knows of packages; those it has never heard of are left out.

    Args:
        fresh: whether dnf may fetch lists that it does not have or that are too old; otherwise it goes by what it has.
        sources: whether repositories are asked at all.
    """
    installed = _installed(names)
    found = _offered(names, fresh) if sources else {}
    locks = _locks() if installed else set()
    result = {}
    for name in names:
        if name in installed or name in found:
            versions = tuple(sorted((version for version, _repository in found.get(name, [])), key=functools.cmp_to_key(package_versions.order), reverse=True))
            version = installed.get(name, "")
            result[name] = Known(version, versions[0] if versions else "", versions, f"{name}={version}" in locks)
    return result


def install_command(install: t.Sequence[str], remove: t.Sequence[str], paths: t.Sequence[str] = ()) -> list[str]:
    """Return the one transaction that installs, moves and removes packages.

    Args:
        install: ``name=version``, taken from the repositories unless paths are given.
        remove: names.
        paths: files of packages that are installed instead, without any repository; they have been verified.

    Returns:
        dnf with its options. After the word ``shell`` come the lines that its shell is to read.
    """
    # What only the replaced packages needed is not ours to remove.
    options = {"install_weak_deps": "False", "clean_requirements_on_remove": "False", "best": "True"}
    if paths:
        options["localpkg_gpgcheck"] = "False"
    command = ["dnf", "--assumeyes", _UNLOCKED, *([_NO_SOURCE] if paths else []), *(f"--setopt={name}={value}" for name, value in options.items())]
    words = [*paths] if paths else [rpm_packages.spec(entry) for entry in install]
    if not remove:
        return [*command, "install", *words]
    return [*command, _SHELL, *(f"remove {name}" for name in remove), *(f"install {shlex.quote(word)}" for word in words), "run"]


def simulate(command: t.Sequence[str]) -> Simulation:
    """Let dnf say what a transaction would do."""
    done = _dnf(command, "--assumeno")
    table = rpm_packages.table(done.stdout)
    coming = {f"{name}-{version}" for name, version in table.coming.items()} if table else set()
    if table is None or not set(_specs(command)) <= coming:
        return Simulation({}, {}, "refuses the transaction: " + rpm_packages.reasons(done.stdout + "\n" + done.stderr))
    now = _installed([*table.removed, *table.coming])
    return Simulation(
        {name: now.get(name, "") for name in table.removed}, {name: now[name] for name in table.coming if name in now}, ""
    )


def prepare(command: t.Sequence[str]) -> str:
    """Fetch what a transaction needs and let dnf compare the signatures; return what is wrong, nothing is installed."""
    return "" if _NO_SOURCE in command else _failure(_dnf(command, "--assumeyes", "--downloadonly"))


def transaction(command: t.Sequence[str], start: bool) -> str:  # pylint: disable=unused-argument
    """Carry a transaction out and return why it failed; no package of this family starts a service that does not run."""
    try:
        done = _dnf(command, "--assumeyes")
    except commands.CommandError as error:
        return str(error)
    specs = _specs(command)
    names = [spec.rsplit("-", 2)[0] for spec in specs]
    there = {f"{name}-{version}" for name, version in _installed(names).items()} if names else set()
    return _failure(done) or ("" if set(specs) <= there else "the package manager failed: " + rpm_packages.reasons(done.stdout + "\n" + done.stderr))


def download(entries: t.Sequence[str], directory: str) -> list[str]:
    """Fetch installed packages into a directory and return the paths of those that a repository still has.

    Args:
        entries: ``name=version``.
    """
    # Without keepcache the next transaction removes what was fetched, wherever it lies.
    command = ["dnf", _UNLOCKED, "--setopt=keepcache=True", "reinstall", *map(rpm_packages.spec, entries)]
    _dnf(command, "--assumeyes", "--downloadonly", f"--downloaddir={directory}")
    return [package.path for package in offered(directory) if f"{package.name}={package.version}" in entries]


def hold(names: t.Sequence[str]) -> None:
    """Lock packages at the versions that they have now, and at no others."""
    for action in ("delete", "add"):
        commands.run(["dnf", "--quiet", "--assumeyes", _NO_SOURCE, "versionlock", action, *names])


def hold_problems(plan: PackagePlan) -> list[Problem]:
    """Return why packages that are to be held cannot be."""
    coming = any(entry.startswith(f"{rpm_packages.VERSIONLOCK}=") for entry in plan.install)
    if not plan.hold or coming or _can_hold():
        return []
    return [
        Problem(
            "docker_engine_hold",
            f"dnf cannot hold packages here, because {rpm_packages.VERSIONLOCK} is neither installed nor offered; install it, or set it to false",
        )
    ]


def enable(unit: str) -> None:
    """Have a new engine start with the host; packages of this family leave that to presets, which say no on EL (systemd.preset(5))."""
    commands.run(["systemctl", "--quiet", "enable", unit])


def offered(directory: str) -> list[Package]:
    """Return the packages in a directory that this host's architecture can have.

    Raises:
        commands.CommandError: a file is no package.
    """
    paths = _paths(directory)
    if not paths:
        return []
    shown = commands.run(["rpm", "--query", "--package", "--nosignature", "--queryformat", rpm_packages.FILE_FORMAT, *paths]).stdout
    return rpm_packages.files(shown, paths, platform.machine())


def closure(plan: PackagePlan, found: t.Sequence[Package]) -> tuple[list[Package], list[Problem]]:
    """Return the files that a plan brings with it, and every dependency that nobody satisfies; rpm itself says what is missing.

    Args:
        found: what the directory holds.
    """
    taken = [package for package in found if f"{package.name}={package.version}" in plan.install]
    while True:
        tested = commands.run(
            ["rpm", "--upgrade", "--test", "--oldpackage", "--replacepkgs", "--nosignature", *(package.path for package in taken)], timeout=300, check=False
        )
        needs = rpm_packages.missing(tested.stderr)
        more, problems = [], []
        for capability, package in needs:
            new = [candidate for candidate in newest_first(found) if candidate not in taken and rpm_packages.provides(candidate, capability)]
            if new:
                more.append(new[0])
            else:
                problems.append(Problem(package, f"needs {capability}, which neither the host nor the directory has; add that package to the directory"))
        if problems or not more:
            return taken, problems
        taken += list(dict.fromkeys(more))


def signature_problems(directory: str) -> list[Problem]:
    """Return which packages of a directory no key vouches for that rpm trusts on this host."""
    paths = _paths(directory)
    shown = commands.run(["rpmkeys", "--checksig", *paths], timeout=300, check=False).stdout if paths else ""
    return [
        Problem(
            path,
            ("is damaged or signed with a key that rpm does not trust here" if foreign else "is not signed")
            + "; give docker_engine_offline_checksums, or import the key after comparing its fingerprint (rpmkeys --import)",
        )
        for path, foreign in rpm_packages.unsigned(shown)
    ]


def _installed(names: t.Sequence[str]) -> dict[str, str]:
    return rpm_packages.installed(commands.run(["rpm", "--query", "--queryformat", rpm_packages.INSTALLED_FORMAT, *names], check=False).stdout)


def _offered(names: t.Sequence[str], fresh: bool) -> dict[str, list[tuple[str, str]]]:
    command = ["dnf", "--quiet", _UNLOCKED, *([] if fresh else ["--cacheonly"]), "repoquery", "--available"]
    done = commands.run([*command, "--queryformat", rpm_packages.OFFERED_FORMAT, *names], timeout=300, check=False)
    if done.rc and (fresh or "no cache for" not in done.stderr):
        raise commands.CommandError(f"dnf cannot tell what its repositories offer: {rpm_packages.reasons(done.stderr)}")
    return rpm_packages.offered(done.stdout, platform.machine(), _pinned())


def _pinned() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(glob.glob(_REPOSITORIES)):
        found.update(package_sources.dnf_pins(files.read_text(os.path.realpath(path)) or ""))
    return found


def _can_hold() -> bool:
    return bool(glob.glob(_VERSIONLOCK))


def _locks() -> set[str]:
    return rpm_packages.locked(commands.run(["dnf", "--quiet", _NO_SOURCE, "versionlock", "list"]).stdout) if _can_hold() else set()


def _dnf(command: t.Sequence[str], *options: str) -> commands.CommandResult:
    program, *words = (word for word in command if word != "--assumeyes")
    place = words.index(_SHELL) + 1 if _SHELL in words else len(words)
    lines = "".join(f"{line}\n" for line in words[place:])
    return commands.run([program, *options, *words[:place]], timeout=_TIMEOUT, check=False, stdin=lines)


def _failure(done: commands.CommandResult) -> str:
    if done.rc == 0 and not _ERROR.search(done.stderr):
        return ""
    return "the package manager failed: " + rpm_packages.reasons(done.stdout + "\n" + done.stderr)


def _specs(command: t.Sequence[str]) -> list[str]:
    """Return the packages by name and version that a command installs."""
    if _NO_SOURCE in command:
        return []
    if _SHELL in command:
        return [word.partition(" ")[2] for word in command if word.startswith("install ")]
    return list(command[command.index("install") + 1 :])


def _paths(directory: str) -> list[str]:
    names = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
    return [os.path.join(directory, name) for name in names if name.endswith(SUFFIX)]
