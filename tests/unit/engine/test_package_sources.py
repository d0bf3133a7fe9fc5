# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import package_sources
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.package_sources import Repository

OWN = "/etc/apt/sources.list.d/bulkhead-docker.sources"
GOOD = Repository("bulkhead-docker", "https://download.docker.com/linux/debian", "trixie", ("stable",), (), ("A" * 40,), ("docker-ce", "containerd.io"))


def changed(**fields):
    return dataclasses.replace(GOOD, **fields)


def test_a_good_repository():
    assert package_sources.problems(GOOD) == []
    assert package_sources.problems(changed(suite="./", components=())) == []
    assert package_sources.problems(changed(url="file:/srv/packages", release="o=Docker,l=Docker CE")) == []


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"url": "download.docker.com/linux"}, "url"),
        ({"url": "ftp://example.com/x"}, "url"),
        ({"url": "https://user:secret@example.com/x"}, "url"),
        ({"url": "https://example.com/x\nTrusted: yes"}, "url"),
        ({"name": "../../etc/passwd"}, "name"),
        ({"suite": ""}, "suite"),
        ({"suite": "trixie\nTrusted: yes"}, "suite"),
        ({"components": ()}, "components"),
        ({"suite": "./"}, "components"),
        ({"components": ("stable\nTrusted:",)}, "components"),
        ({"architectures": ("amd64 i386",)}, "components"),
        ({"fingerprints": ()}, "fingerprints"),
        ({"fingerprints": ("0EBFCD88",)}, "fingerprints"),
        ({"packages": ()}, "packages"),
        ({"packages": ("*",)}, "packages"),
        ({"release": "o=Docker\nPin-Priority: 1001"}, "release"),
    ],
)
def test_what_is_refused(fields, where):
    assert [problem.where for problem in package_sources.problems(changed(**fields))] == [where]


def test_the_texts():
    assert "Signed-By: /etc/apt/keyrings/x.asc\n" in package_sources.deb822(GOOD, "/etc/apt/keyrings/x.asc")
    pins = package_sources.preferences(GOOD)
    assert 'Package: docker-ce containerd.io\nPin: origin "download.docker.com"\nPin-Priority: 995\n' in pins
    assert pins.endswith('Package: *\nPin: origin "download.docker.com"\nPin-Priority: -1\n')
    assert package_sources.preferences(changed(release="o=Docker")).count("Pin: release o=Docker\n") == 2
    text = package_sources.dnf_repository(changed(signed_index=True), "/etc/pki/rpm-gpg/RPM-GPG-KEY-x")
    assert {"gpgcheck=1", "repo_gpgcheck=1", "includepkgs=docker-ce,containerd.io", "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-x"} <= set(text.splitlines())


ONE_LINE = """\
# deb https://download.docker.com/linux/debian trixie stable
deb http://archive.example/debian trixie main
deb [arch=amd64 signed-by=/usr/share/keyrings/docker.gpg] https://download.docker.com/linux/debian/ trixie stable
"""
DEB822 = """\
# A comment
Types: deb
URIs: http://archive.example/debian
 http://other.example/debian
Suites: trixie trixie-updates
Components: main

Types: deb
Enabled: no
URIs: https://download.docker.com/linux/debian
Suites: trixie
"""


def test_entries_of_both_formats():
    assert [(entry.line, entry.urls, entry.suites) for entry in package_sources.entries(ONE_LINE, "/etc/apt/sources.list")] == [
        (2, ("http://archive.example/debian",), ("trixie",)),
        (3, ("https://download.docker.com/linux/debian/",), ("trixie",)),
    ]
    (entry,) = package_sources.entries(DEB822, "/etc/apt/sources.list.d/debian.sources")
    assert (entry.line, entry.urls, entry.suites) == (2, ("http://archive.example/debian", "http://other.example/debian"), ("trixie", "trixie-updates"))


def test_an_older_entry_for_the_same_repository_is_named():
    found = package_sources.entries(ONE_LINE, "/etc/apt/sources.list.d/docker.list")
    (problem,) = package_sources.clashes(GOOD, OWN, found)
    assert problem.where == "/etc/apt/sources.list.d/docker.list line 3"
    assert "Signed-By" in problem.message
    assert package_sources.clashes(GOOD, OWN, package_sources.entries(DEB822, "/etc/apt/sources.list.d/debian.sources")) == []


def test_a_host_that_serves_other_sources_too_needs_more_than_its_name_for_the_pin():
    found = package_sources.entries(ONE_LINE, "/etc/apt/sources.list")
    mirror = changed(url="http://archive.example/docker", suite="x")
    assert ["release" in problem.message for problem in package_sources.clashes(mirror, OWN, found)] == [True]
    assert package_sources.clashes(dataclasses.replace(mirror, release="o=Docker"), OWN, found) == []


def test_a_pin_of_dnf_is_read_back_from_what_was_written():
    text = package_sources.dnf_repository(Repository("engine", "https://m.example/x", packages=("docker-ce", "containerd.io")), "/k")
    assert package_sources.dnf_pins(text) == {"docker-ce": "engine", "containerd.io": "engine"}
    assert package_sources.dnf_pins(text.partition("\n")[2]) == {}
    assert package_sources.dnf_pins(text + "nonsense\n") == {}


@pytest.mark.parametrize(
    ("found", "family", "kind"),
    [
        (["apt", "dnf"], ["rocky", "rhel", "centos", "fedora"], "dnf"),
        (["apt", "dnf"], ["debian", ""], "apt"),
        (["apt"], ["fedora"], "apt"),
        (["dnf"], ["unheard-of"], "dnf"),
        ([], ["rocky"], ""),
    ],
)
def test_the_family_decides_where_both_managers_are(found, family, kind):
    assert package_sources.preferred(found, family) == kind
