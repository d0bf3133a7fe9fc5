# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.package_closure import Package, closure

ENGINE = Package("docker-ce", "5:28.5.2-1", "containerd.io (>= 1.7.27), docker-ce-cli, libc6 (>= 2.34), iptables | nftables")
CLI = Package("docker-ce-cli", "5:28.5.2-1")
RUNTIME = Package("containerd.io", "2.1.9-1", "libseccomp2 (>= 2.5)", "containerd, runc")
HOST = [Package("libc6", "2.36-9"), Package("nftables", "1.0")]


def names(packages):
    return sorted(package.name for package in packages)


def test_what_the_directory_has_is_taken_along():
    seccomp = Package("libseccomp2", "2.5.4")
    taken, missing = closure([ENGINE], [CLI, RUNTIME, seccomp, Package("vim", "9")], HOST)
    assert (names(taken), missing) == (["containerd.io", "docker-ce", "docker-ce-cli", "libseccomp2"], [])


def test_a_missing_dependency_is_named_with_who_needs_it():
    _taken, missing = closure([ENGINE], [CLI, RUNTIME], HOST)
    assert [str(problem) for problem in missing] == [
        "containerd.io: 2.1.9-1 needs libseccomp2 (>= 2.5), which neither the host nor the directory has; add that package to the directory."
    ]


def test_versions_count_and_the_newest_is_taken():
    old, new = (Package("containerd.io", version) for version in ("1.6.20-1", "2.1.9-1"))
    taken, missing = closure([ENGINE], [CLI, old, new], HOST)
    assert (new in taken, old in taken, missing) == (True, False, [])
    assert len(closure([ENGINE], [CLI, old], HOST)[1]) == 1
    assert len(closure([ENGINE], [CLI, new], [Package("libc6", "2.31-1"), HOST[1]])[1]) == 1


def test_what_is_provided_satisfies_only_a_relation_without_a_version():
    needs = [Package("tool", "1", depends) for depends in ("runc", "runc (>= 1.0)")]
    assert [len(closure([tool], [], [RUNTIME])[1]) for tool in needs] == [0, 1]
