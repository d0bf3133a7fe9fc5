# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The package sources of this host: which there are, and whether a new one can be fetched and verified.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import openpgp, package_sources
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.package_sources import Entry, Repository
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, files

APT = "apt"
DNF = "dnf"
_APT_DIRECTORY = "/etc/apt"
_OS_RELEASE = "/etc/os-release"
_FETCH_TIMEOUT = 300.0
_TROUBLE = ("E:", "W:", "Err:", "Error:", "error:")


def manager() -> str:
    """Return what manages this host's packages, APT or DNF, or an empty string."""
    needs = {APT: ("apt-get", "dpkg-query"), DNF: ("dnf",)}
    found = [kind for kind, tools in needs.items() if all(commands.find(tool) is not None for tool in tools)]
    return package_sources.preferred(found, _family())


def is_dnf5() -> bool:
    """Tell whether the dnf of this host is the rewritten one of version 5 (a link to dnf5)."""
    return os.path.basename(os.path.realpath(commands.find("dnf") or "")).startswith("dnf5")


def os_release() -> dict[str, str]:
    """Return the fields of os-release(5)."""
    text = files.read_text(os.path.realpath(_OS_RELEASE)) or ""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key: value.strip("\"'") for key, value in pairs}


def keyring_path(repository: Repository, kind: str) -> str:
    """Return where the keys of a repository lie."""
    if kind == APT:
        return f"{_APT_DIRECTORY}/keyrings/{repository.name}.asc"
    return f"/etc/pki/rpm-gpg/RPM-GPG-KEY-{repository.name}"


def source_path(repository: Repository, kind: str) -> str:
    """Return the file that declares a repository."""
    return f"{_APT_DIRECTORY}/sources.list.d/{repository.name}.sources" if kind == APT else f"/etc/yum.repos.d/{repository.name}.repo"


def pin_path(repository: Repository) -> str:
    """Return the file that pins an apt repository."""
    return f"{_APT_DIRECTORY}/preferences.d/{repository.name}.pref"


def wanted_files(repository: Repository, kind: str, keyring: str) -> dict[str, tuple[str | None, int]]:
    """Return the files of a repository, each with text and mode.

    Args:
        keyring: the armored keys.
    """
    key = keyring_path(repository, kind)
    if kind == DNF:
        return {key: (keyring, 0o644), source_path(repository, kind): (package_sources.dnf_repository(repository, key), 0o644)}
    return {
        key: (keyring, 0o644),
        pin_path(repository): (package_sources.preferences(repository), 0o644),
        source_path(repository, kind): (package_sources.deb822(repository, key), 0o644),
    }


def present_keyring(repository: Repository, kind: str) -> str | None:
    """Return the keyring of a repository if it holds exactly the wanted keys, else None."""
    text = files.read_text(keyring_path(repository, kind))
    if text is None or package_sources.key_problem(text.encode(), repository.fingerprints, "keyring") is not None:
        return None
    return text


def apt_entries() -> list[Entry]:
    """Return the enabled entries of all source files that apt reads."""
    directory = f"{_APT_DIRECTORY}/sources.list.d"
    names = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
    paths = [f"{_APT_DIRECTORY}/sources.list", *(f"{directory}/{name}" for name in names if name.endswith((".list", ".sources")))]
    found = []
    for path in paths:
        # Administrators may link these; they are only read here.
        found += package_sources.entries(files.read_text(os.path.realpath(path)) or "", path)
    return found


def trouble(repository: Repository, kind: str, keyring: str) -> str:
    """Try a repository out with its key in a place of its own, and return what apt or dnf has against it; empty when nothing.

    Nothing of the host's own configuration or lists is used or touched.
    """
    place = tempfile.mkdtemp(prefix="docker-source-")
    try:
        # apt fetches as a user without rights, who has to reach the place; nothing in it is secret.
        os.chmod(place, 0o755)
        key = os.path.join(place, "key.asc")
        files.write_text(key, keyring, mode=0o644, uid=os.geteuid(), gid=os.getegid())
        return _apt_trouble(repository, place, key) if kind == APT else _dnf_trouble(repository, place, key)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def refresh(repository: Repository, kind: str) -> str:
    """Fetch the lists of a declared repository, and of no other, and return what was wrong; empty when nothing."""
    if kind == DNF:
        return _said(["dnf", "--assumeyes", "--quiet", "--disablerepo=*", f"--enablerepo={repository.name}", "makecache", "--refresh"])
    place = tempfile.mkdtemp(prefix="docker-source-")
    try:
        os.symlink(source_path(repository, kind), os.path.join(place, f"{repository.name}.sources"))
        return _said(["apt-get", "--quiet", *_apt_options({"Dir::Etc::SourceParts": place, "APT::Get::List-Cleanup": "0"}), "update"])
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _apt_trouble(repository: Repository, place: str, key: str) -> str:
    for name in ("sources", "lists/partial"):
        os.makedirs(os.path.join(place, name), mode=0o755)
    files.write_text(
        os.path.join(place, "sources", "candidate.sources"), package_sources.deb822(repository, key), uid=os.geteuid(), gid=os.getegid()
    )
    options = {
        "Dir::Etc::SourceParts": f"{place}/sources",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State::Lists": f"{place}/lists",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
    }
    return _said(["apt-get", "--quiet", *_apt_options(options), "update"])


def _apt_options(options: t.Mapping[str, str]) -> list[str]:
    # Without the last, apt keeps old lists and succeeds when a signature is wrong (apt.conf(5), apt-get(8)).
    both = {"Dir::Etc::SourceList": "/dev/null", **options, "Acquire::Retries": "1", "APT::Update::Error-Mode": "any"}
    return [word for name, value in both.items() for word in ("-o", f"{name}={value}")]


def _dnf_trouble(repository: Repository, place: str, key: str) -> str:
    os.makedirs(os.path.join(place, "repos"), mode=0o755)
    files.write_text(
        os.path.join(place, "repos", "candidate.repo"), package_sources.dnf_repository(repository, key), uid=os.geteuid(), gid=os.getegid()
    )
    return _said(["dnf", "--assumeyes", "--quiet", f"--setopt=reposdir={place}/repos", f"--setopt=cachedir={place}/cache", "makecache"])


def _said(command: t.Sequence[str]) -> str:
    try:
        done = commands.run(command, timeout=_FETCH_TIMEOUT, check=False)
    except commands.CommandError as error:
        return str(error)
    if done.rc == 0:
        return ""
    lines = [line.strip() for line in (done.stderr + "\n" + done.stdout).splitlines() if line.strip()]
    named = [line for line in lines if line.startswith(_TROUBLE)] or lines[-2:] or ["it gave no reason"]
    return "; ".join(dict.fromkeys(line.partition(":")[2].strip() if line.startswith(_TROUBLE) else line for line in named)).rstrip(".")


def default_repository(name: str, given: t.Mapping[str, t.Any], upstream: bool, kind: str) -> tuple[Repository, str]:
    """Return a repository with what was left open filled in from this host and, if wanted, from the upstream's table, and its key.

    Args:
        given: url, suite, components, architectures, fingerprints, packages, release, signed_index and key, as far as they are given.
    """
    release = os_release()
    known = next((package_sources.UPSTREAMS[name] for name in _family() if name in package_sources.UPSTREAMS), None) if upstream else None
    suite = given.get("suite") or (release.get("VERSION_CODENAME", "") if kind == APT else "")
    components = tuple(given.get("components") or ())
    if known is not None and kind == APT and not components and not suite.endswith("/"):
        components = ("stable",)
    repository = Repository(
        name=name,
        url=given.get("url") or (known.url if known else ""),
        suite=suite,
        components=components,
        architectures=tuple(given.get("architectures") or ()),
        fingerprints=_normal(given.get("fingerprints") or ((known.fingerprint,) if known else ())),
        packages=tuple(given.get("packages") or ()),
        release=given.get("release") or "",
        signed_index=bool(given.get("signed_index")),
    )
    return repository, given.get("key") or (known.key if known else "")


def _family() -> list[str]:
    release = os_release()
    return [release.get("ID", ""), *release.get("ID_LIKE", "").split()]


def _normal(fingerprints: t.Sequence[str]) -> tuple[str, ...]:
    # What is no fingerprint stays as it is for the judgement to name.
    found = []
    for fingerprint in fingerprints:
        try:
            found.append(openpgp.normal(fingerprint))
        except openpgp.BadKey:
            found.append(fingerprint)
    return tuple(found)
