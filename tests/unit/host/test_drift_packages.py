# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, drift_packages

STATUS = """Package: containerd
Status: hold ok installed
Version: 1.7.24

Package: docker.io
Status: install ok installed
Architecture: amd64
Version: 26.1.5+dfsg1-9
Conffiles:
 /etc/default/docker 0123
Description: with a line
 Version: 0

Package: runc
Status: deinstall ok config-files
Version: 1.1

Package: docker-cli
Status: install reinstreq half-configured
Version: 2
"""
RPM = "docker-ce\t3:26.1.0-1.el9\nrunc\t0:1.2-1.el9\npackage x is not installed\n"


@pytest.fixture
def dpkg(tree, monkeypatch):
    tree.write("/status", STATUS)
    (tree.top / "info").mkdir()
    monkeypatch.setattr(drift_packages, "_STATUS", tree.path("/status"))
    monkeypatch.setattr(drift_packages, "_UPDATES", tree.path("/updates"))
    monkeypatch.setattr(drift_packages, "_INFO", tree.path("/info"))
    return tree


@pytest.mark.usefixtures("dpkg", "tools")
def test_dpkg_is_read_without_a_program(tools):
    found = drift_packages.installed(["containerd", "docker.io", "runc", "docker-cli", "docker", "x"])
    assert found == {
        "containerd": ("1.7.24", True, "installed"),
        "docker.io": ("26.1.5+dfsg1-9", False, "installed"),
        "docker-cli": ("2", False, "half-configured"),
    }
    assert tools.ran == []


def test_dpkg_is_asked_while_a_transaction_is_under_way(dpkg, tools):
    dpkg.write("/updates/0001", "")
    tools.answer("dpkg-query", "containerd\tinstalled\thold\t1.7.25\nrunc\tconfig-files\tdeinstall\t1\n")
    assert drift_packages.installed(["containerd", "runc"]) == {"containerd": ("1.7.25", True, "installed")}


@pytest.mark.parametrize(
    "lock, held",
    [
        ("docker-ce-3:26.1.0-1.el9.*", True),
        ("docker-ce-3:26.0.0-1.el9.*", False),
        ("# docker-ce-3:26.1.0-1.el9.*", False),
    ],
)
def test_rpm_is_asked_and_its_locks_are_read(dpkg, tools, monkeypatch, lock, held):
    (dpkg.top / "status").unlink()
    dpkg.write("/locks", lock + "\n")
    monkeypatch.setattr(drift_packages, "_LOCKS", dpkg.path("/locks"))
    tools.answer("rpm --query", RPM, rc=1)
    assert drift_packages.installed(["docker-ce", "runc", "x"]) == {
        "docker-ce": ("3:26.1.0-1.el9", held, "installed"),
        "runc": ("1.2-1.el9", False, "installed"),
    }


@pytest.mark.usefixtures("dpkg")
def test_upgrades_that_apt_offers(tools):
    policy = "containerd:\n  Installed: 1.7.24\n  Candidate: 1.7.24\ndocker.io:\n  Installed: 26.1.5+dfsg1-9\n  Candidate: 27.0\nx:\n  Candidate: (none)\n"
    tools.answer("apt-cache policy", policy)
    assert drift_packages.upgrades(["containerd", "docker.io", "x"]) == [
        {"name": "docker.io", "installed": "26.1.5+dfsg1-9", "offered": "27.0"}
    ]
    assert drift_packages.upgrades([]) == []


def test_upgrades_that_dnf_offers(dpkg, tools):
    (dpkg.top / "status").unlink()
    tools.answer("rpm --query", RPM)
    tools.answer("dnf", "docker-ce\t3:27.0-1.el9\nrunc\t0:1.2-1.el9\n")
    assert drift_packages.upgrades(["docker-ce", "runc"]) == [
        {"name": "docker-ce", "installed": "3:26.1.0-1.el9", "offered": "3:27.0-1.el9"}
    ]


@pytest.mark.usefixtures("dpkg", "tools")
def test_upgrades_that_nobody_tells():
    with pytest.raises(commands.CommandError):
        drift_packages.upgrades(["containerd"])


@pytest.mark.parametrize("listed", ["usr/lib/x.service", "lib/x.service"])
def test_a_file_is_as_its_package_brought_it(dpkg, monkeypatch, listed):
    unit = dpkg.top / "x.service"
    unit.write_text("new")
    monkeypatch.setattr(
        drift_packages,
        "_md5",
        lambda path: hashlib.md5(unit.read_bytes()).hexdigest() if path == "/usr/lib/x.service" else "",
    )
    dpkg.write("/info/docker.io.md5sums", f"{hashlib.md5(b'new').hexdigest()}  {listed}\n")
    assert drift_packages.as_packaged("/usr/lib/x.service", ["containerd", "docker.io"])
    unit.write_text("edited")
    assert not drift_packages.as_packaged("/usr/lib/x.service", ["docker.io"])
    assert not drift_packages.as_packaged("/usr/lib/other.service", ["docker.io"])
