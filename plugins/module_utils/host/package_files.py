# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Packages that lie in a directory of this host: what they are, and whether they are what a list of checksums says.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import hashlib
import os
import re

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import text_lines
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.package_closure import Package
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, files

#: Of Debian packages.
SUFFIX = ".deb"
_CHECKSUM = re.compile(r"(?P<sum>[0-9a-fA-F]{64}) [ *](?:\./)?(?P<name>[^/\s]+)")
_FIELDS = "${Package}\t${Version}\t${Architecture}\t${Pre-Depends}\t${Depends}\t${Provides}\n"
_STATUS = "${Package}\t${Version}\t${db:Status-Status}\t${Pre-Depends}\t${Depends}\t${Provides}\n"


def read(directory: str) -> list[Package]:
    """Return the Debian packages in a directory that this host's architecture can have.

    Raises:
        commands.CommandError: a file is no package.
    """
    if not os.path.isdir(directory):
        return []
    here = commands.run(["dpkg", "--print-architecture"]).stdout.strip()
    found = []
    for name in sorted(entry for entry in os.listdir(directory) if entry.endswith(SUFFIX)):
        path = os.path.join(directory, name)
        shown = commands.run(["dpkg-deb", "--show", "--showformat", _FIELDS, path]).stdout.rstrip("\n")
        package, version, architecture, before, depends, provides = shown.split("\t")
        if architecture in (here, "all"):
            found.append(Package(package, version, ", ".join(filter(None, (before, depends))), provides, path))
    return found


def installed() -> list[Package]:
    """Return every package that is installed."""
    found = []
    for fields in (line.split("\t") for line in text_lines.lines_of(commands.run(["dpkg-query", "--show", "--showformat", _STATUS]).stdout)):
        if len(fields) != 6:
            raise commands.CommandError(f"dpkg-query prints '{fields[0][:80]}', which it was not asked for; see 'dpkg --audit'")
        name, version, status, _before, _depends, provides = fields
        if status == "installed":
            found.append(Package(name, version, "", provides))
    return found


def checksum_problems(directory: str, checksums: str, suffix: str = SUFFIX) -> list[Problem]:
    """Return which packages of a directory are not what a list of checksums says.

    Args:
        checksums: what sha256sum prints; every package must be on it.
        suffix: of the files that are packages.
    """
    listed = {}
    found = []
    for number, line in enumerate((line.strip() for line in checksums.splitlines()), start=1):
        match = _CHECKSUM.fullmatch(line)
        if match:
            listed[match["name"]] = match["sum"].lower()
        elif line:
            found.append(Problem("checksums", f"line {number} is not what sha256sum prints; write 64 digits, two blanks and the name of a file"))
    for name in sorted(entry for entry in os.listdir(directory) if entry.endswith(suffix)):
        path = os.path.join(directory, name)
        if name not in listed:
            found.append(Problem(path, "is not in the list of checksums; add it after checking where it comes from, or remove it"))
        elif _sha256(path) != listed[name]:
            found.append(Problem(path, "is not the file that the list of checksums means; copy it again from where the list was made"))
    return found


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as handle:
            for block in iter(lambda: handle.read(1024 * 1024), b""):
                digest.update(block)
    except OSError as error:
        raise files.FileError(f"{path} cannot be read: {error.strerror}") from error
    return digest.hexdigest()
