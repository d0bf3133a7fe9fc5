# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The outputs are those of rpm 4.20 and dnf 4.23, shortened."""

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import rpm_packages
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.package_closure import Package
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.packages import Wanted

HEAD = """\
Last metadata expiration check: 0:04:10 ago on Thu Nov 26 12:29:18 2026.
================================================================================
 Package            Arch        Version             Repository             Size
================================================================================
"""
REPLACE = (
    "> > > > > > > "
    + HEAD.partition("\n")[2]
    + """\
Installing:
 containerd.io      x86_64      2.1.4-1.el9         bulkhead-docker       5.6 k
 docker-ce          x86_64      3:26.1.5-1.el9      bulkhead-docker       5.5 k
     replacing  docker-engine.x86_64 17.05.0-1.el9
Installing dependencies:
 tini-static-with-a-name-that-is-too-long-for-its-column
                    x86_64      0.19-1.el9          bulkhead-docker       5.5 k
Removing:
 podman-docker      x86_64      6:5.4-1.el9         @bulkhead-docker        0 \n
Removing dependent packages:
 runc               x86_64      4:1.1-1.el9         @bulkhead-docker        0 \n
Transaction Summary
================================================================================
Install  3 Packages
Remove   2 Packages

Total size: 22 k
> Leaving Shell
"""
)
UPGRADE = (
    HEAD
    + """\
Upgrading:
 docker-ce          x86_64      3:28.5.2-1.el9       bulkhead-docker      5.5 k
 docker-ce-cli      x86_64      1:28.5.2-1.el9       bulkhead-docker      5.5 k

Transaction Summary
================================================================================
Upgrade  2 Packages

Total size: 11 k
Downloading Packages:
Running transaction
  Upgrading        : docker-ce-cli-1:28.5.2-1.el9.x86_64                    1/4 \n
"""
)
CONFLICT = """\
> > >
 Problem 1: problem with installed package podman-docker-6:5.4-1.el9.x86_64
  - package podman-docker-6:5.4-1.el9.x86_64 from @System conflicts with docker-ce provided by docker-ce-3:26.1.5-1.el9.x86_64 from bulkhead-docker
  - conflicting requests
Nothing to do.
Complete!
"""


def test_installed():
    shown = "package docker-ce is not installed\nrunc\t4:1.1-1.el9\ntini-static\t0:0.19-1.el9\n"
    assert rpm_packages.installed(shown) == {"runc": "4:1.1-1.el9", "tini-static": "0.19-1.el9"}


def test_offered_by_this_architecture_and_from_where_it_is_pinned():
    shown = (
        "docker-ce\t3:26.1.5-1.el9\tx86_64\tbulkhead-docker\n\ndocker-ce\t3:28.5.2-1.el9\tx86_64\tother\n\n"
        "docker-ce\t3:28.5.2-1.el9\taarch64\tbulkhead-docker\ndocker-doc\t0:1-1\tnoarch\tother\n"
    )
    assert rpm_packages.offered(shown, "x86_64", {"docker-ce": "bulkhead-docker"}) == {
        "docker-ce": [("3:26.1.5-1.el9", "bulkhead-docker")],
        "docker-doc": [("1-1", "other")],
    }


def test_locks_and_specs():
    shown = "docker-ce-3:26.1.5-1.el9.*\ncontainerd.io-0:2.1.4-1.el9.*\n!bad-1:2-3.*\n# a comment\n"
    assert {"docker-ce=3:26.1.5-1.el9", "containerd.io=2.1.4-1.el9"} <= rpm_packages.locked(shown)
    assert "bad=1:2-3" not in rpm_packages.locked(shown)
    assert rpm_packages.spec("docker-ce=3:26.1.5-1.el9") == "docker-ce-3:26.1.5-1.el9"


def test_a_replacement():
    found = rpm_packages.table(REPLACE)
    assert found is not None
    assert found.removed == ("docker-engine", "podman-docker", "runc")
    assert found.coming == {
        "containerd.io": "2.1.4-1.el9",
        "docker-ce": "3:26.1.5-1.el9",
        "tini-static-with-a-name-that-is-too-long-for-its-column": "0.19-1.el9",
    }


def test_an_upgrade_and_nothing():
    assert rpm_packages.table(UPGRADE) == rpm_packages.Table((), {"docker-ce": "3:28.5.2-1.el9", "docker-ce-cli": "1:28.5.2-1.el9"})
    assert rpm_packages.table("Dependencies resolved.\nNothing to do.\nComplete!\n") is None
    assert rpm_packages.table(CONFLICT) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CONFLICT, "package podman-docker-6:5.4-1.el9.x86_64 from @System conflicts with docker-ce provided by docker-ce-3:26.1.5-1.el9.x86_64"),
        ("Package tini-static-0.19-1.el9.x86_64.rpm is not signed\nError: GPG check FAILED\n", "is not signed; GPG check FAILED"),
        ("> > No match for argument: docker-ce-3:29-1.el9\n> Leaving Shell\nError: Operation aborted.\n", "No match for argument: docker-ce-3:29-1.el9"),
        ("Error: Failed to download metadata for repo 'x': Cannot download repomd.xml\n", "Failed to download metadata for repo 'x'"),
        ("", "it gave no reason"),
    ],
)
def test_reasons(text, said):
    assert said in rpm_packages.reasons(text)


def test_packages_of_a_directory():
    shown = (
        "package\tdocker-ce\t3:28.5.2-1.el9\tx86_64\nprovides\tdocker-ce\nprovides\tdocker-ce(x86-64)\n"
        "package\told\t0:1-1\ti686\nprovides\told\npackage\tcontainerd.io\t0:2.1.4-1.el9\tx86_64\nprovides\tcontainerd.io\nprovides\trunc\n"
    )
    docker, containerd = rpm_packages.files(shown, ["/p/a.rpm", "/p/b.rpm", "/p/c.rpm"], "x86_64")
    assert docker == Package("docker-ce", "3:28.5.2-1.el9", "", "docker-ce\ndocker-ce(x86-64)", "/p/a.rpm")
    assert containerd.path == "/p/c.rpm"
    assert rpm_packages.provides(containerd, "runc >= 1.0")
    assert not rpm_packages.provides(docker, "runc")


def test_what_is_missing():
    said = (
        "error: Failed dependencies:\n\tcontainerd.io >= 1.6 is needed by docker-ce-3:28.5.2-1.el9.x86_64\n"
        "\tdocker-ce-cli is needed by (installed) docker-compose-1-1.x86_64\n\tdocker-ce conflicts with (installed) podman-docker-6:5.4-1.el9.x86_64\n"
    )
    assert rpm_packages.missing(said) == [("containerd.io >= 1.6", "docker-ce-3:28.5.2-1.el9.x86_64")]


def test_signatures():
    said = "/p/a.rpm: digests signatures OK\n/p/b.rpm: digests OK\n/p/c.rpm: digests SIGNATURES NOT OK\n"
    assert rpm_packages.unsigned(said) == [("/p/b.rpm", False), ("/p/c.rpm", True)]


def test_what_el_does_not_have_is_optional():
    wanted = (Wanted("docker-ce"), Wanted("python3-docker", held=False))
    assert [package.optional for package in rpm_packages.adapted(wanted, lock=False)] == [False, True]
    assert rpm_packages.adapted(wanted, lock=True)[-1] == Wanted(rpm_packages.VERSIONLOCK, optional=True, held=False)
