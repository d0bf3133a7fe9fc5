# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import platform

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.package_closure import Package
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.packages import Known, PackagePlan
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, rpm_packages

TABLE = "Installing:\n docker-ce  x86_64  3:28.5.2-1.el9  x  5 k\nRemoving:\n runc  x86_64  4:1.1-1.el9  @x  0\n\nTransaction Summary\n"


class Dnf:
    """Answers by a word in the command; keeps what was run and what was read."""

    def __init__(self):
        self.ran, self.read, self.answers = [], [], {}

    def run(self, command, stdin=None, **_options):
        line = " ".join(command)
        self.ran.append(line)
        self.read.append(stdin)
        rc, stdout, stderr = next((answer for word, answer in self.answers.items() if word in line), (0, "", ""))
        return commands.CommandResult(rc, stdout, stderr)


@pytest.fixture
def dnf(monkeypatch):
    found = Dnf()
    monkeypatch.setattr(commands, "run", found.run)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(rpm_packages, "_can_hold", lambda: True)
    monkeypatch.setattr(rpm_packages, "_pinned", dict)
    return found


def test_known(dnf):
    dnf.answers = {
        "rpm --query": (1, "docker-ce\t3:26.1.5-1.el9\npackage runc is not installed\n", ""),
        "repoquery": (0, "docker-ce\t3:9.1-1.el9\tx86_64\tx\ndocker-ce\t3:28.5.2-1.el9\tx86_64\tx\n", ""),
        "versionlock list": (0, "docker-ce-3:26.1.5-1.el9.*\n", ""),
    }
    assert rpm_packages.known(["docker-ce", "runc"]) == {
        "docker-ce": Known("3:26.1.5-1.el9", "3:28.5.2-1.el9", ("3:28.5.2-1.el9", "3:9.1-1.el9"), True)
    }
    assert "--cacheonly" in dnf.ran[1]
    # The plugin would hide all versions but the locked one.
    assert "--disableplugin=versionlock" in dnf.ran[1]
    rpm_packages.known(["docker-ce"], fresh=True)
    assert not any("--cacheonly" in line for line in dnf.ran[3:])


def test_lists_that_are_not_there_yet_are_no_error_and_others_are(dnf):
    dnf.answers = {"repoquery": (1, "", "Error: Cache-only enabled but no cache for 'x'\n")}
    assert rpm_packages.known(["docker-ce"]) == {}
    with pytest.raises(commands.CommandError, match="dnf cannot tell what its repositories offer: Cache-only"):
        rpm_packages.known(["docker-ce"], fresh=True)


def test_one_transaction_installs_and_removes(dnf):
    command = rpm_packages.install_command(["docker-ce=3:28.5.2-1.el9"], ["runc"])
    dnf.answers = {"dnf": (0, TABLE, "Error: Operation aborted.\n"), "rpm": (1, "runc\t4:1.1-1.el9\n", "")}
    assert rpm_packages.simulate(command) == ({"runc": "4:1.1-1.el9"}, {}, "")
    assert dnf.read[0] == "remove runc\ninstall docker-ce-3:28.5.2-1.el9\nrun\n"
    assert dnf.ran[0].startswith("dnf --assumeno ")
    assert "--assumeyes" not in dnf.ran[0]


def test_a_simulation_that_leaves_out_what_was_asked_for_is_a_refusal(dnf):
    dnf.answers = {"dnf": (0, "> No match for argument: docker-ce-3:29-1.el9\n" + TABLE, "")}
    refusal = rpm_packages.simulate(rpm_packages.install_command(["docker-ce=3:29-1.el9"], ["runc"])).refusal
    assert refusal == "refuses the transaction: No match for argument: docker-ce-3:29-1.el9"


def test_files_are_installed_without_any_repository(dnf):
    command = rpm_packages.install_command([], [], ["/p/docker ce.rpm"])
    assert "--disablerepo=*" in command
    assert command[-2:] == ["install", "/p/docker ce.rpm"]
    assert rpm_packages.install_command([], ["runc"], ["/p/docker ce.rpm"])[-3:] == ["remove runc", "install '/p/docker ce.rpm'", "run"]
    assert rpm_packages.prepare(command) == ""
    assert dnf.ran == []


def test_signatures_are_compared_before_anything_is_changed(dnf):
    command = rpm_packages.install_command(["docker-ce=3:28.5.2-1.el9"], [])
    dnf.answers = {"--downloadonly": (1, "", "Package docker-ce-28.5.2-1.el9.x86_64.rpm is not signed\nError: GPG check FAILED\n")}
    assert rpm_packages.prepare(command).startswith("the package manager failed: Package docker-ce-28.5.2-1.el9.x86_64.rpm is not signed")


def test_the_shell_is_not_believed(dnf):
    command = rpm_packages.install_command(["docker-ce=3:28.5.2-1.el9"], ["runc"])
    assert rpm_packages.transaction(command, start=True) == "the package manager failed: it gave no reason"
    dnf.answers = {"rpm --query": (0, "docker-ce\t3:28.5.2-1.el9\n", "")}
    assert rpm_packages.transaction(command, start=True) == ""
    dnf.answers["dnf"] = (0, "", "> Error: No space left\n")
    assert "the package manager failed" in rpm_packages.transaction(command, start=True)


def test_the_way_back_is_what_repositories_still_have(dnf, monkeypatch):
    monkeypatch.setattr(rpm_packages, "offered", lambda _directory: [Package("a", "1-1", path="/b/a.rpm"), Package("a", "2-1", path="/b/a2.rpm")])
    assert rpm_packages.download(["a=1-1"], "/b") == ["/b/a.rpm"]
    assert dnf.ran[0].endswith("reinstall a-1-1")


def test_a_lock_replaces_the_old_one(dnf):
    rpm_packages.hold(["docker-ce"])
    assert [line.split()[-2:] for line in dnf.ran] == [["delete", "docker-ce"], ["add", "docker-ce"]]


def test_a_host_that_cannot_hold(dnf, monkeypatch):
    plan = PackagePlan(install=("docker-ce=1",), hold=("docker-ce",))
    assert rpm_packages.hold_problems(plan) == []
    monkeypatch.setattr(rpm_packages, "_can_hold", lambda: False)
    assert "dnf cannot hold packages here" in str(rpm_packages.hold_problems(plan)[0])
    assert rpm_packages.hold_problems(PackagePlan(install=("python3-dnf-plugin-versionlock=1",), hold=("docker-ce",))) == []


def test_rpm_says_what_a_directory_lacks(dnf):
    cli = Package("docker-ce-cli", "1-1", "", "docker-ce-cli", "/p/cli.rpm")
    engine = Package("docker-ce", "1-1", "", "docker-ce", "/p/ce.rpm")
    plan = PackagePlan(install=("docker-ce=1-1",))
    dnf.answers = {"cli.rpm": (0, "", ""), "ce.rpm": (1, "", "error: Failed dependencies:\n\tdocker-ce-cli is needed by docker-ce-1-1.x86_64\n")}
    assert rpm_packages.closure(plan, [engine, cli]) == ([engine, cli], [])
    (problem,) = rpm_packages.closure(plan, [engine])[1]
    assert str(problem).startswith("docker-ce-1-1.x86_64: needs docker-ce-cli, which neither the host nor the directory has")


def test_packages_without_a_trusted_signature(dnf, tmp_path):
    (tmp_path / "a.rpm").touch()
    dnf.answers = {"rpmkeys": (1, f"{tmp_path}/a.rpm: digests OK\n", "")}
    assert "is not signed; give docker_engine_offline_checksums" in str(rpm_packages.signature_problems(str(tmp_path))[0])
