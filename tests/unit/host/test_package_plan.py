# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import hashlib

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.package_closure import Package
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.packages import Known, Policy, Simulation, Wanted
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    package_files,
    package_plan,
    package_sources,
    packages,
    version_move,
)

ENGINE = (Wanted("docker-ce", "28.5"), Wanted("docker-ce-cli", with_engine=True))
OFFERED = [Package("docker-ce", "5:28.5.2-1", "tini", "", "/p/docker-ce.deb"), Package("docker-ce-cli", "5:28.5.2-1", "", "", "/p/cli.deb")]


@pytest.fixture
def host(monkeypatch, tmp_path):
    """A host with docker.io 26.1 and a directory of packages; yields what may be changed of it."""
    state = {"known": {"docker.io": Known("26.1")}, "removed": {"docker.io": "26.1"}, "refusal": ""}
    state["offered"] = [*OFFERED, Package("tini", "1", "", "", "/p/tini.deb")]
    monkeypatch.setattr(package_sources, "manager", lambda: state.get("manager", "apt"))
    monkeypatch.setattr(packages, "known", lambda names, *_options: {name: state["known"][name] for name in names if name in state["known"]})
    monkeypatch.setattr(packages, "simulate", lambda _command: Simulation(state["removed"], {}, state["refusal"]))
    monkeypatch.setattr(package_files, "read", lambda _directory: state["offered"])
    monkeypatch.setattr(package_files, "installed", list)
    monkeypatch.setattr(version_move, "judge", lambda *_arguments: ([], ["told"]))
    state["directory"] = str(tmp_path)
    return state


def make(state, **policy):
    return package_plan.make(package_plan.Request(ENGINE, Policy(**policy), directory=state["directory"]))


def test_a_directory_replaces_a_source_in_one_command_without_any_source(host):
    found = make(host, replace=True, strict=True)
    assert (found.problems, found.notes, found.needs_move, found.back) == ((), ("told",), True, ("docker.io=26.1",))
    assert found.command[-4:] == ("/p/docker-ce.deb", "/p/cli.deb", "/p/tini.deb", "docker.io-")
    assert "Dir::Etc::SourceList=/dev/null" in found.command
    assert "Dir::Etc::SourceParts=/dev/null" in found.command


def test_a_gap_in_the_directory_is_named(host):
    host["offered"] = OFFERED
    assert [problem.where for problem in make(host, replace=True).problems] == ["docker-ce"]
    host["offered"] = OFFERED[:1]
    assert "docker-ce-cli" in [problem.where for problem in make(host, replace=True).problems]


def test_what_apt_would_remove_besides_and_what_it_refuses(host):
    host["removed"] = {"docker.io": "26.1", "docker-compose": "1.29"}
    assert [problem.where for problem in make(host, replace=True).problems] == ["docker-compose"]
    host["refusal"] = "refuses the transaction: no"
    assert [problem.where for problem in make(host, replace=True).problems] == ["apt"]


@pytest.mark.parametrize(("manager", "said"), [("dnf", "managed by dnf 5"), ("", "neither apt nor dnf")])
def test_hosts_of_no_known_manager_are_refused(host, monkeypatch, manager, said):
    host["manager"] = manager
    monkeypatch.setattr(package_sources, "is_dnf5", lambda: True)
    (problem,) = make(host).problems
    assert said in str(problem)


def test_checksums(tmp_path):
    (tmp_path / "a.deb").write_bytes(b"a")
    (tmp_path / "b.deb").write_bytes(b"b")
    right = {name: hashlib.sha256(name.encode()).hexdigest() for name in "ab"}
    both = "".join(f"{digest}  {name}.deb\n" for name, digest in right.items())
    assert package_files.checksum_problems(str(tmp_path), both) == []
    assert [problem.where for problem in package_files.checksum_problems(str(tmp_path), both.splitlines()[0])] == [str(tmp_path / "b.deb")]
    (tmp_path / "a.deb").write_bytes(b"A")
    assert ["is not the file" in problem.message for problem in package_files.checksum_problems(str(tmp_path), both)] == [True]
    assert package_files.checksum_problems(str(tmp_path), "nonsense\n" + both)[0].where == "checksums"
