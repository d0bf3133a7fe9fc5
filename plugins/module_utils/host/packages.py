# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What dpkg and apt know of packages, and what they would do; reading only, tasks of the role do the changes.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import packages
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, files

# dpkg's states of a package of which at most configuration files are there.
_ABSENT = ("not-installed", "config-files")


_POLICY = "/usr/sbin/policy-rc.d"
_FORBIDDING = "#!/bin/sh\n# Of a run of bulkhead.docker; if none is under way, remove this file.\nexit 101\n"
_MOVED = re.compile(r"^Inst (?P<name>\S+) \[(?P<version>[^\]]+)\]", re.MULTILINE)
_REMOVED = re.compile(r"^(?:Remv|Purg) (?P<name>\S+) \[(?P<version>[^\]]+)\]", re.MULTILINE)


def apt_is_here() -> bool:
    """Tell whether this host's packages are managed by apt."""
    return commands.find("apt-cache") is not None and commands.find("dpkg-query") is not None


def known(names: t.Sequence[str]) -> dict[str, packages.Known]:
    """Return what the host knows of packages; those it has never heard of are left out."""
    installed = {}
    shown = commands.run(["dpkg-query", "--show", "--showformat", "${Package}\t${db:Status-Status}\t${db:Status-Want}\t${Version}\n", *names], check=False)
    for line in shown.stdout.splitlines():
        name, status, want, version = line.split("\t")
        if status not in _ABSENT:
            installed[name] = (version, want == "hold", status)
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


class Simulation(t.NamedTuple):
    """What a transaction would do: packages that go and that change, with their versions now, and why apt would refuse it."""

    removed: dict[str, str]
    moved: dict[str, str]
    refusal: str


def simulate(command: t.Sequence[str]) -> Simulation:
    """Let apt say what a transaction would do."""
    done = commands.run([command[0], "--simulate", *command[1:]], timeout=120, check=False)
    if done.rc == 0:
        return Simulation(_named(_REMOVED, done.stdout), _named(_MOVED, done.stdout), "")
    needs = [" ".join(line.split()) for line in done.stdout.splitlines() if re.search(r" (?:Depends|Pre-Depends|Conflicts|Breaks): ", line)]
    said = needs or [line[2:].strip() for line in done.stderr.splitlines() if line.startswith("E:")] or ["it gave no reason"]
    return Simulation({}, {}, "refuses the transaction: " + "; ".join(said))


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
