# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Repositories that the engine's packages come from: what is asked of one, the files that declare it, what clashes with it.

PRIVATE to the collection: no stability is promised to other users.

Formats: sources.list(5) (deb822 and one-line), apt_preferences(5), dnf.conf(5).
"""

from __future__ import annotations

import configparser
import dataclasses
import re
import typing as t
import urllib.parse

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import openpgp
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem

#: Above the 500 of other sources and the 990 of a default release; from 1000 on apt would also downgrade (apt_preferences(5)).
PRIORITY = 995
#: For dnf less is more; other repositories have 99 (dnf.conf(5)).
DNF_PRIORITY = 10
_MARK = "# Managed by the role bulkhead.docker.docker_engine."
_RPM_FAMILY = ("fedora", "rhel", "centos")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~_-]*")
_SUITE = re.compile(r"[A-Za-z0-9./][A-Za-z0-9.+~_/-]*")
# $basearch and $releasever are dnf's own variables.
_URL = re.compile(r"(?:https?://[^\s/@\"'\\]+|file:)/[^\s\"'\\@]*")
_RELEASE = re.compile(r"[oalnc]=[^\s,\"']+(?: [^\s,\"'=]+)*(?:,\s?[oalnc]=[^\s,\"']+(?: [^\s,\"'=]+)*)*")


@dataclasses.dataclass(frozen=True)
class Upstream:
    """Where the makers of the engine publish packages for a family of distributions; all of it can be overridden."""

    url: str
    key: str
    fingerprint: str


# Addresses and fingerprints as Docker publishes them in its installation pages (docs.docker.com, engine/install/debian,
# .../ubuntu, .../centos, .../fedora, .../rhel): one key signs all repositories for apt, another all packages for dnf.
_DEB_KEY = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
_RPM_KEY = "060A61C51B558A7F742B77AAC52FEB6B621E9F35"
_BASE = "https://download.docker.com/linux"
UPSTREAMS: dict[str, Upstream] = {
    **{name: Upstream(f"{_BASE}/{name}", f"{_BASE}/{name}/gpg", _DEB_KEY) for name in ("debian", "ubuntu", "raspbian")},
    **{name: Upstream(f"{_BASE}/{name}/$releasever/$basearch/stable", f"{_BASE}/{name}/gpg", _RPM_KEY) for name in ("centos", "fedora", "rhel")},
}
# Rebuilds of RHEL take the packages for CentOS.
UPSTREAMS.update(dict.fromkeys(("almalinux", "rocky", "ol"), UPSTREAMS["centos"]))


@dataclasses.dataclass(frozen=True)
class Repository:
    """A repository as the host is to know it.

    Attributes:
        name: of its files, without an ending.
        url: of the repository, http, https or file.
        suite: apt's suite; one that ends in a slash is a flat repository without components.
        fingerprints: of the primary keys that may sign it; the keyring holds these and no others.
        packages: what is taken from it; nothing else is.
        release: fields of its Release file such as ``o=Docker``, by which it is told apart from others on the same host.
        signed_index: whether dnf checks the signature of the repository's metadata too.
    """

    name: str
    url: str
    suite: str = ""
    components: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    release: str = ""
    signed_index: bool = False

    @property
    def site(self) -> str:
        """The host name in the address, by which apt pins; empty for a directory."""
        return urllib.parse.urlsplit(self.url).hostname or ""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One enabled entry of apt's source files."""

    path: str
    line: int
    urls: tuple[str, ...]
    suites: tuple[str, ...]


def problems(repository: Repository, for_apt: bool = True) -> list[Problem]:
    """Return what is wrong with a repository as it is asked for."""
    found = []
    if not _NAME.fullmatch(repository.name):
        found.append(Problem("name", f"'{repository.name}' cannot name a file of a package source; use lower-case letters, digits, - and _"))
    if not _URL.fullmatch(repository.url):
        found.append(
            Problem(
                "url",
                f"'{repository.url}' is no address of a repository: write http://, https:// or file:/, without user, password or blanks "
                "(credentials belong in apt_auth.conf(5))",
            )
        )
    if for_apt:
        found += _suite_problems(repository)
    if not repository.fingerprints:
        found.append(
            Problem("fingerprints", "are missing: name that of the key which signs the repository, taken from somewhere else than the key itself")
        )
    for fingerprint in repository.fingerprints:
        try:
            openpgp.normal(fingerprint)
        except openpgp.BadKey as error:
            found.append(Problem("fingerprints", str(error)))
    found += [Problem("packages", f"'{name}' is no name of a package") for name in repository.packages if not _WORD.fullmatch(name)]
    if not repository.packages:
        found.append(Problem("packages", "are missing: name what may come from this repository"))
    if repository.release and not _RELEASE.fullmatch(repository.release):
        found.append(Problem("release", f"'{repository.release}' is no list of fields as apt_preferences(5) has them; write it like o=Docker,l=Docker CE"))
    return found


def _suite_problems(repository: Repository) -> list[Problem]:
    if not repository.suite:
        return [Problem("suite", "is missing, and this host's os-release names no VERSION_CODENAME; name the suite")]
    found = []
    if not _SUITE.fullmatch(repository.suite):
        found.append(Problem("suite", f"'{repository.suite}' is no suite"))
    if repository.suite.endswith("/") == bool(repository.components):
        found.append(Problem("components", "belong to every suite but a flat one, whose name ends in a slash and which has none"))
    words = (*repository.components, *repository.architectures)
    found += [Problem("components", f"'{word}' is neither a component nor an architecture") for word in words if not _WORD.fullmatch(word)]
    return found


def key_problem(keyring: bytes, wanted: t.Sequence[str], source: str) -> Problem | None:
    """Return why a keyring must not be trusted for a repository, with what was found and what was expected.

    Args:
        keyring: armored or binary.
        wanted: the fingerprints of the primary keys that may be in it; all of them must be.
        source: where it was taken from, for the message.
    """
    try:
        found = openpgp.fingerprints(keyring)
        expected = {openpgp.normal(fingerprint) for fingerprint in wanted}
    except openpgp.BadKey as error:
        return Problem(source, str(error))
    if set(found) == expected:
        return None
    return Problem(
        source,
        f"has the fingerprint {' and '.join(map(openpgp.shown, found))}, but {' and '.join(map(openpgp.shown, sorted(expected)))} is expected; "
        "the key is not trusted: find out which of the two is wrong before you change either",
    )


def deb822(repository: Repository, keyring: str) -> str:
    """Return the text of the .sources file."""
    lines = [
        "# Managed by the role bulkhead.docker.docker_engine.",
        "Types: deb",
        f"URIs: {repository.url}",
        f"Suites: {repository.suite}",
        *([f"Components: {' '.join(repository.components)}"] if repository.components else []),
        *([f"Architectures: {' '.join(repository.architectures)}"] if repository.architectures else []),
        f"Signed-By: {keyring}",
    ]
    return "\n".join(lines) + "\n"


def preferences(repository: Repository) -> str:
    """Return the text that makes the engine's packages come from the repository, and nothing else."""
    pin = f"release {repository.release}" if repository.release else f'origin "{repository.site}"'
    lines = [
        "# Managed by the role bulkhead.docker.docker_engine: what is named comes from this source, nothing else does.",
        f"Package: {' '.join(repository.packages)}",
        f"Pin: {pin}",
        f"Pin-Priority: {PRIORITY}",
        "",
        "Package: *",
        f"Pin: {pin}",
        "Pin-Priority: -1",
    ]
    return "\n".join(lines) + "\n"


def dnf_repository(repository: Repository, keyring: str) -> str:
    """Return the text of the .repo file."""
    lines = [
        _MARK,
        f"[{repository.name}]",
        f"name=Packages of the Docker engine ({repository.name})",
        f"baseurl={repository.url}",
        "enabled=1",
        "gpgcheck=1",
        f"repo_gpgcheck={int(repository.signed_index)}",
        f"gpgkey=file://{keyring}",
        f"includepkgs={','.join(repository.packages)}",
        f"priority={DNF_PRIORITY}",
        # A repository that is away is no reason to go on with less.
        "skip_if_unavailable=0",
    ]
    return "\n".join(lines) + "\n"


def dnf_pins(text: str) -> dict[str, str]:
    """Return from which repository alone packages are to come, by their names, as a .repo file of this collection says; another one says nothing."""
    if not text.startswith(_MARK):
        return {}
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    return {name: section for section in parser.sections() for name in parser[section].get("includepkgs", "").split(",") if name}


def preferred(found: t.Sequence[str], family: t.Sequence[str]) -> str:
    """Return which of the package managers whose tools are there manages a host: either can also be installed as a mere tool.

    Args:
        found: those whose tools are there, apt before dnf.
        family: ID and ID_LIKE of os-release(5).
    """
    if "dnf" in found and set(_RPM_FAMILY) & set(family):
        return "dnf"
    return found[0] if found else ""


def entries(text: str, path: str) -> list[Entry]:
    """Return the enabled entries of a file of package sources; its ending says which of the two formats it has."""
    return _deb822_entries(text, path) if path.endswith(".sources") else _one_line_entries(text, path)


def clashes(repository: Repository, own_path: str, found: t.Sequence[Entry]) -> list[Problem]:
    """Return why a repository cannot be declared beside the sources that a host has.

    Args:
        own_path: of the file that is going to declare it.
        found: the entries of all files.
    """
    others = [entry for entry in found if entry.path != own_path]
    doubles = [
        Problem(
            f"{entry.path} line {entry.line}",
            f"declares {repository.url} {repository.suite} too, and apt refuses to work with a source that has two keys (Signed-By); remove that entry",
        )
        for entry in others
        if _same(repository, entry)
    ]
    if doubles or repository.release:
        return doubles
    for entry in others:
        if any((urllib.parse.urlsplit(url).hostname or "") == repository.site for url in entry.urls):
            return [
                Problem(
                    f"{entry.path} line {entry.line}",
                    f"takes packages from {repository.site or 'a directory'} too, so a pin by host would catch both sources; give fields of the Release file "
                    "that only the engine's repository has, such as release: o=Docker",
                )
            ]
    return []


def _same(repository: Repository, entry: Entry) -> bool:
    return repository.suite in entry.suites and any(url.rstrip("/") == repository.url.rstrip("/") for url in entry.urls)


def _one_line_entries(text: str, path: str) -> list[Entry]:
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = re.sub(r"\[[^\]]*\]", " ", line.partition("#")[0]).split()
        if len(words) >= 3 and words[0] in ("deb", "deb-src"):
            found.append(Entry(path, number, (words[1],), (words[2],)))
    return found


def _deb822_entries(text: str, path: str) -> list[Entry]:
    found = []
    fields: dict[str, list[str]] = {}
    start, name = 1, ""
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields.get("uris") and (fields.get("enabled") or ["yes"])[0].lower() not in ("no", "false", "0", "off"):
                found.append(Entry(path, start, tuple(fields["uris"]), tuple(fields.get("suites", []))))
            fields, name = {}, ""
        elif line[0] in " \t":
            fields.setdefault(name, []).extend(line.split())
        else:
            start = number if not fields else start
            name, _colon, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.split()
    return found
