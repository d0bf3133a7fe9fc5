# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What is installed of a few packages, and whether it is held, as fast as the host can tell.

PRIVATE to the collection: no stability is promised to other users.

dpkg's database is a text file that is read in a millisecond or two; rpm's is not, so rpm is asked. What the packages are to be
is the business of package_manager, which knows both families whole.
"""

from __future__ import annotations

import hashlib
import os
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import text_lines
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands

_STATUS = "/var/lib/dpkg/status"
_UPDATES = "/var/lib/dpkg/updates"
#: The plugin of dnf that holds packages keeps its list here, one version in each line (dnf-plugin-versionlock(8)).
_LOCKS = "/etc/dnf/plugins/versionlock.list"
_INFO = "/var/lib/dpkg/info"
_FIELD = re.compile(rb"^(?P<name>Status|Version|Architecture): (?P<value>.*)$", re.MULTILINE)
_ABSENT = ("not-installed", "config-files")
INSTALLED = "installed"
_OFFERED = "%{name}\t%{epoch}:%{version}-%{release}\n"


class Installed(t.NamedTuple):
    """A package that is there: its version, whether it is held, and INSTALLED or what dpkg says of one that is there in part."""

    version: str
    held: bool
    state: str = INSTALLED


def source() -> str:
    """Return where this is read."""
    return _STATUS if os.path.exists(_STATUS) else "rpm --query"


def installed(names: t.Sequence[str]) -> dict[str, Installed]:
    """Return what is installed of the named packages, by name.

    Raises:
        commands.CommandError: the package manager does not tell.
    """
    if not names:
        return {}
    if not os.path.exists(_STATUS):
        return _of_rpm(names)
    if any(entry.isdigit() for entry in _entries(_UPDATES)):
        # A transaction is under way, or was killed: its changes are not in the file yet, and dpkg puts both together.
        return _of_dpkg(names)
    with open(_STATUS, "rb") as handle:
        return _of_status(handle.read(), names)


def upgrades(names: t.Sequence[str]) -> list[dict[str, str]]:
    """Return the packages of which the lists that the host has offer another version, with what is installed.

    Raises:
        commands.CommandError: the package manager does not tell.
    """
    if not names:
        return []
    found = installed(names)
    if os.path.exists(_STATUS):
        offered = _candidates(commands.run(["apt-cache", "policy", "--", *names], timeout=60).stdout)
    else:
        query = ["dnf", "--quiet", "--cacheonly", "--disableplugin=versionlock", "repoquery", "--upgrades"]
        said = commands.run([*query, "--queryformat", _OFFERED, "--", *names], timeout=60).stdout
        offered = {name: _without_epoch(version) for name, version in _versions(said).items()}
    return [
        {"name": name, "installed": found[name].version, "offered": offered[name]}
        for name in names
        if name in found and offered.get(name, found[name].version) != found[name].version
    ]


def as_packaged(path: str, names: t.Iterable[str]) -> bool:
    """Tell whether a file is as one of the packages brought it; False where that is not known."""
    place = path.lstrip("/")
    # A package may name the place by which its directory was known before /usr was merged.
    places = {place, place[len("usr/") :] if place.startswith("usr/") else place}
    for name in names:
        for entry in (f"{name}.md5sums", f"{name}:{_architecture()}.md5sums"):
            try:
                with open(f"{_INFO}/{entry}", encoding="utf-8", errors="replace") as handle:
                    sums = dict(line.rstrip("\n").split("  ", 1)[::-1] for line in handle if "  " in line)
            except OSError:
                continue
            for known in places & set(sums):
                return _md5(path) == sums[known]
    return False


def _of_status(content: bytes, names: t.Sequence[str]) -> dict[str, Installed]:
    found = {}
    for name in names:
        mark = b"Package: " + name.encode() + b"\n"
        begin = 0 if content.startswith(mark) else content.find(b"\n\n" + mark)
        if begin < 0:
            continue
        end = content.find(b"\n\n", begin + 2)
        fields = {match["name"]: match["value"].decode("utf-8", "replace") for match in _FIELD.finditer(content[begin : end if end > 0 else None])}
        want, _flag, status = (fields.get(b"Status", "") + "  ").split(" ")[:3]
        if status and status not in _ABSENT:
            found[name] = Installed(fields.get(b"Version", ""), want == "hold", status)
    return found


def _of_dpkg(names: t.Sequence[str]) -> dict[str, Installed]:
    form = "${Package}\t${db:Status-Status}\t${db:Status-Want}\t${Version}\n"
    said = commands.run(["dpkg-query", "--show", "--showformat", form, "--", *names], check=False)
    found = {}
    for fields in (line.split("\t") for line in text_lines.lines_of(said.stdout)):
        if len(fields) != 4:
            # Nobody knows what this means for the packages that were asked for.
            raise commands.CommandError(f"dpkg-query prints '{fields[0][:80]}', which it was not asked for; see 'dpkg --audit'")
        name, status, want, version = fields
        if status not in _ABSENT:
            found[name] = Installed(version, want == "hold", status)
    return found


def _of_rpm(names: t.Sequence[str]) -> dict[str, Installed]:
    said = commands.run(["rpm", "--query", "--queryformat", "%{NAME}\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\n", "--", *names], check=False)
    try:
        with open(_LOCKS, encoding="utf-8", errors="replace") as handle:
            locks = {line.strip() for line in handle}
    except OSError:
        locks = set()
    return {
        name: Installed(_without_epoch(version), bool({f"{name}-{version}.*", f"{name}-{_without_epoch(version)}.*"} & locks))
        for name, version in _versions(said.stdout).items()
    }


def _versions(text: str) -> dict[str, str]:
    return dict(line.split("\t", 1) for line in text_lines.lines_of(text) if line.count("\t") == 1)


def _without_epoch(version: str) -> str:
    return version[2:] if version.startswith("0:") else version


def _candidates(text: str) -> dict[str, str]:
    found = {}
    name = ""
    for line in text_lines.lines_of(text):
        if line and not line.startswith(" "):
            name = line.rstrip(":")
        elif line.startswith("  Candidate: ") and "(none)" not in line:
            found[name] = line[len("  Candidate: ") :].strip()
    return found


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armhf", "i686": "i386"}.get(os.uname().machine, os.uname().machine)


def _md5(path: str) -> str:
    try:
        with open(path, "rb") as handle:
            # It is dpkg's choice; nothing is trusted because of it.
            return hashlib.md5(handle.read(), usedforsecurity=False).hexdigest()
    except (OSError, ValueError):
        return ""


def _entries(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
