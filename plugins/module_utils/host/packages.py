# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What dpkg and apt know of packages; reading only, ansible.builtin.apt does the changes.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import packages
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands

# dpkg's states of a package of which at most configuration files are there.
_ABSENT = ("not-installed", "config-files")


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
