# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The package manager of Debian's family: what dpkg and apt know of packages, and what they do with them.

PRIVATE to the collection: no stability is promised to other users.

A package_manager.Manager. What Ansible's own modules can do (a first installation, holds) tasks of the role do.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import re
import struct
import time
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import package_closure, packages, text_lines
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.package_closure import Package
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.packages import Simulation
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, files, package_files

NAME = "apt"
SUFFIX = package_files.SUFFIX
DOES_ALL = False
BY_HAND = "apt-get install --allow-downgrades"

_LOCKS = ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock")
# struct flock: type, whence, start, length, process.
_FLOCK = struct.Struct("hhqqi")
# Seconds that whoever installs something may take to end.
_PATIENCE = 300.0
# dpkg's states of a package of which at most configuration files are there.
_ABSENT = ("not-installed", "config-files")


_TRANSACTION_TIMEOUT = 1800.0
_POLICY = "/usr/sbin/policy-rc.d"
_FORBIDDING = "#!/bin/sh\n# Of a run of bulkhead.docker; if none is under way, remove this file.\nexit 101\n"
_MOVED = re.compile(r"^Inst (?P<name>\S+) \[(?P<version>[^\]]+)\]", re.MULTILINE)
_REMOVED = re.compile(r"^(?:Remv|Purg) (?P<name>\S+) \[(?P<version>[^\]]+)\]", re.MULTILINE)


def adapted(wanted: t.Sequence[packages.Wanted], hold: bool) -> tuple[packages.Wanted, ...]:  # pylint: disable=unused-argument
    """Return the set as this family can have it: as it is."""
    return tuple(wanted)


def known(names: t.Sequence[str], fresh: bool = False, sources: bool = True) -> dict[str, packages.Known]:  # pylint: disable=unused-argument
    """Return what the host knows of packages; those it has never heard of are left out. Lists are never fetched here."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        # Asked first, as its end changes what is asked then.
        works = _works()
        installed = _installed(names)
        if not works or all(state == "installed" for _version, _held, state in installed.values()) or time.monotonic() > deadline:
            break
        # What is half done is so because somebody does it: another run, which may outlive its connection, or the nightly upgrade.
        time.sleep(1.0)
    offered: dict[str, list[str]] = {}
    candidates = {}
    name = ""
    in_table = False
    for line in commands.run(["apt-cache", "policy", *names]).stdout.splitlines():
        if line and not line.startswith(" "):
            name, in_table = line.rstrip(":"), False
        elif line.startswith("  Candidate:"):
            candidates[name] = line.split(":", 1)[1].strip().replace("(none)", "")
        elif line.startswith("  Version table:"):
            in_table = True
        elif in_table and line.startswith(("     ", " *** ")) and not line.startswith("        "):
            offered.setdefault(name, []).append(line.replace("***", "").split()[0])
    result = {}
    for name in names:
        version, held, state = installed.get(name, ("", False, "installed"))
        if version or candidates.get(name):
            result[name] = packages.Known(version, candidates.get(name, ""), tuple(offered.get(name, ())), held, state)
    return result


def _installed(names: t.Sequence[str]) -> dict[str, tuple[str, bool, str]]:
    """Return the version of each package that is there, whether it is held, and dpkg's state of it."""
    found = {}
    shown = commands.run(["dpkg-query", "--show", "--showformat", "${Package}\t${db:Status-Status}\t${db:Status-Want}\t${Version}\n", *names], check=False)
    for fields in (line.split("\t") for line in text_lines.lines_of(shown.stdout)):
        if len(fields) != 4:
            raise commands.CommandError(f"dpkg-query prints '{fields[0][:80]}', which it was not asked for; see 'dpkg --audit'")
        name, status, want, version = fields
        if status not in _ABSENT:
            found[name] = (version, want == "hold", status)
    return found


def _works() -> bool:
    """Tell whether somebody holds the lock of dpkg or of its frontends, without taking it (F_GETLK in fcntl(2))."""
    for path in _LOCKS:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        except OSError:
            continue
        finally:
            os.close(descriptor)
        if _FLOCK.unpack(answer[: _FLOCK.size])[0] != fcntl.F_UNLCK:
            return True
    return False


def install_command(install: t.Sequence[str], remove: t.Sequence[str], paths: t.Sequence[str] = ()) -> list[str]:
    """Return the one transaction that installs, moves and removes packages.

    Args:
        install: ``name=version``, taken from the sources unless paths are given.
        remove: names.
        paths: files of packages that are installed instead, without any source and without the network.
    """
    options = {"DPkg::Lock::Timeout": "60", "Dpkg::Options::": "--force-confold"}
    if paths:
        options.update({"Dir::Etc::SourceList": "/dev/null", "Dir::Etc::SourceParts": "/dev/null", "Dir::Cache::pkgcache": "", "Dir::Cache::srcpkgcache": ""})
    command = ["apt-get", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
    command += ["--yes", "--no-install-recommends", "--allow-downgrades", "--allow-change-held-packages", "install"]
    return [*command, *(paths or install), *(f"{name}-" for name in remove)]


def simulate(command: t.Sequence[str]) -> Simulation:
    """Let apt say what a transaction would do."""
    done = commands.run([command[0], "--simulate", *command[1:]], timeout=120, check=False)
    if done.rc == 0:
        return Simulation(_named(_REMOVED, done.stdout), _named(_MOVED, done.stdout), "")
    needs = [" ".join(line.split()) for line in done.stdout.splitlines() if re.search(r" (?:Depends|Pre-Depends|Conflicts|Breaks): ", line)]
    said = needs or [line[2:].strip() for line in done.stderr.splitlines() if line.startswith("E:")] or ["it gave no reason"]
    return Simulation({}, {}, "refuses the transaction: " + "; ".join(said))


def prepare(command: t.Sequence[str]) -> str:  # pylint: disable=unused-argument
    """apt fetches and verifies everything before it changes anything."""
    return ""


def transaction(command: t.Sequence[str], start: bool) -> str:
    """Run apt and return why it failed.

    Args:
        start: whether packages may start their services.
    """
    try:
        with contextlib.nullcontext() if start else nothing_started():
            done = commands.run(["env", "DEBIAN_FRONTEND=noninteractive", *command], timeout=_TRANSACTION_TIMEOUT, check=False)
    except commands.CommandError as error:
        return str(error)
    if done.rc == 0:
        return ""
    lines = [*done.stdout.splitlines(), *done.stderr.splitlines()]
    said = [line for line in lines if line.startswith(("E:", "dpkg: error", " trying to overwrite"))] or lines[-1:] or ["it gave no reason"]
    return "the package manager failed: " + "; ".join(line.strip() for line in said)


def hold(names: t.Sequence[str]) -> None:
    """Hold packages."""
    commands.run(["apt-mark", "hold", *names], check=False)


def hold_problems(plan: packages.PackagePlan) -> list[Problem]:  # pylint: disable=unused-argument
    """dpkg can hold every package."""
    return []


def enable(unit: str) -> None:
    """Packages of this family enable their units themselves."""


def offered(directory: str) -> list[Package]:
    """Return the packages in a directory, see package_files.read."""
    return package_files.read(directory)


def closure(plan: packages.PackagePlan, found: t.Sequence[Package]) -> tuple[list[Package], list[Problem]]:
    """Return the packages that a plan brings with it, and every dependency that nobody satisfies.

    Args:
        found: what the directory holds.
    """
    wanted = {tuple(entry.split("=", 1)) for entry in plan.install}
    chosen = [package for package in found if (package.name, package.version) in wanted]
    gone = {*plan.remove, *(package.name for package in chosen)}
    return package_closure.closure(chosen, found, [package for package in package_files.installed() if package.name not in gone])


def signature_problems(directory: str) -> list[Problem]:  # pylint: disable=unused-argument
    """A Debian package has no signature of its own."""
    return []


def download(entries: t.Sequence[str], directory: str) -> list[str]:
    """Fetch packages into a directory and return the paths of those that could be had, from a source or from apt's cache.

    Args:
        entries: ``name=version``.
    """
    found = []
    for entry in entries:
        name, _equals, version = entry.partition("=")
        # apt writes the colon of an epoch so (apt-get(8), archives).
        pattern = f"{name}_{version.replace(':', '%3a')}_*.deb"
        for place in (directory, "/var/cache/apt/archives"):
            held = sorted(glob.glob(os.path.join(glob.escape(place), pattern)))
            if not held and place == directory:
                commands.run(["apt-get", "--quiet", "-o", "APT::Sandbox::User=root", "download", entry], timeout=600, check=False, cwd=directory)
                held = sorted(glob.glob(os.path.join(glob.escape(place), pattern)))
            if held:
                found.append(held[0])
                break
    return found


@contextlib.contextmanager
def nothing_started() -> t.Iterator[None]:
    """Keep packages from starting their services for as long as this lasts (policy-rc.d: 101 forbids)."""
    kept = _POLICY + ".kept"
    # Where a run was killed in here, its file still lies there, and the kept one is the host's own.
    if os.path.lexists(_POLICY) and (os.path.islink(_POLICY) or files.read_text(_POLICY) != _FORBIDDING):
        os.rename(_POLICY, kept)
    try:
        files.write_text(_POLICY, _FORBIDDING, mode=0o755)
        yield
    finally:
        files.remove(_POLICY)
        if os.path.lexists(kept):
            os.rename(kept, _POLICY)


def _named(pattern: re.Pattern[str], output: str) -> dict[str, str]:
    return {match["name"].partition(":")[0]: match["version"] for match in pattern.finditer(output)}
