# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.package_sources import UPSTREAMS, Repository
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, package_sources

REPOSITORY = Repository("bulkhead-docker", "https://mirror.example/docker", "trixie", ("stable",), (), ("A" * 40,), ("docker-ce",))
TRIXIE = {"ID": "debian", "VERSION_CODENAME": "trixie"}


@pytest.mark.parametrize(("installed", "kind"), [({"apt-get", "dpkg-query", "dnf"}, "apt"), ({"dnf"}, "dnf"), ({"apt-get"}, ""), (set(), "")])
def test_manager(tools, installed, kind):
    tools.installed = installed
    assert package_sources.manager() == kind


@pytest.mark.parametrize(
    ("release", "kind", "url"),
    [
        (TRIXIE, "apt", "https://download.docker.com/linux/debian"),
        ({"ID": "linuxmint", "ID_LIKE": "ubuntu debian", "VERSION_CODENAME": "x"}, "apt", "https://download.docker.com/linux/ubuntu"),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "dnf", "https://download.docker.com/linux/centos/$releasever/$basearch/stable"),
    ],
)
def test_what_is_left_open_comes_from_upstream(monkeypatch, release, kind, url):
    monkeypatch.setattr(package_sources, "os_release", lambda: release)
    repository, key = package_sources.default_repository("x", {"packages": ["docker-ce"]}, True, kind)
    assert (repository.url, key.endswith("/gpg"), len(repository.fingerprints)) == (url, True, 1)
    assert (repository.suite, repository.components) == ((release["VERSION_CODENAME"], ("stable",)) if kind == "apt" else ("", ()))


def test_what_is_given_wins_and_a_mirror_gets_nothing_of_upstream(monkeypatch):
    monkeypatch.setattr(package_sources, "os_release", lambda: TRIXIE)
    given = {"url": "http://a.example/x", "suite": "forky", "components": ["main"], "key": "http://a.example/key", "fingerprints": ["a" * 40], "packages": []}
    repository, key = package_sources.default_repository("x", given, True, "apt")
    assert (repository.url, repository.suite, repository.components, repository.fingerprints) == ("http://a.example/x", "forky", ("main",), ("A" * 40,))
    assert key == "http://a.example/key"
    bare, no_key = package_sources.default_repository("x", {"packages": []}, False, "apt")
    assert (bare.url, bare.fingerprints, no_key) == ("", (), "")
    assert UPSTREAMS["rocky"] is UPSTREAMS["centos"]


@pytest.mark.parametrize(
    ("rc", "stderr", "said"),
    [
        (0, "W: something of no weight", ""),
        (100, "E: The repository 'http://x trixie Release' is not signed.\n", "The repository 'http://x trixie Release' is not signed"),
        (100, "", "it gave no reason"),
    ],
)
def test_a_trial_touches_nothing_of_the_host(monkeypatch, rc, stderr, said):
    ran = []

    def run(command, **_options):
        ran.append(" ".join(command))
        return commands.CommandResult(rc, "", stderr)

    monkeypatch.setattr(commands, "run", run)
    assert package_sources.trouble(REPOSITORY, "apt", "key") == said
    (line,) = ran
    # Without this apt succeeds with old lists when a signature is wrong.
    assert "APT::Update::Error-Mode=any" in line
    places = [word for word in line.split() if word.startswith("Dir::")]
    assert not [word for word in places if "/etc" in word or "/var/lib" in word]


def test_only_the_lists_of_this_repository_are_fetched(tools):
    tools.answer("apt-get --quiet")
    assert package_sources.refresh(REPOSITORY, "apt") == ""
    assert "Dir::Etc::SourceList=/dev/null" in tools.ran[0]
    assert "APT::Get::List-Cleanup=0" in tools.ran[0]


@pytest.mark.parametrize(("program", "expected"), [("dnf5", True), ("dnf-3", False)])
def test_dnf_5_is_told_by_what_its_name_leads_to(monkeypatch, tmp_path, program, expected):
    (tmp_path / program).touch()
    (tmp_path / "dnf").symlink_to(program)
    monkeypatch.setattr(commands, "find", lambda name: str(tmp_path / name))
    assert package_sources.is_dnf5() is expected
