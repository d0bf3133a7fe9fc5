# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Which known holes count on which host: what a release has, what the distribution mended, and what the host must have for it."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import (
    evaluate,
    model,
    registry,
    score,
    severity,
    vocabulary,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import snapshot
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules import versions
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import ContainerLook, Policy
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import FileFacts
from ansible_collections.bulkhead.docker.tests.unit.posture import base
from ansible_collections.bulkhead.docker.tests.unit.posture.normalise import engine_examples, examples

ENGINE, NETWORKS, BUILDER = "engine-without-known-holes", "engine-networks-without-known-holes", "engine-builder-without-known-holes"
CONTAINERD, RUNC = "containerd-without-known-holes", "runc-without-known-holes"
VACUOUS = {rule.id for rule in registry.RULES if rule.vacuous}

# Releases of Debian, with those CVEs of the tables that the changelogs of these packages name.
DEBIAN: dict[str, dict[str, t.Any]] = {
    "12": {
        "engine": "20.10.24+dfsg1",
        "containerd": "1.6.20~ds1",
        "runc": "1.1.5+ds1",
        "mended": {
            "engine": ("CVE-2021-21284", "CVE-2022-36109", "CVE-2023-28840", "CVE-2023-28841", "CVE-2023-28842", "CVE-2024-41110"),
            "containerd": ("CVE-2020-15257", "CVE-2021-41103", "CVE-2024-25621"),
            "runc": ("CVE-2021-30465", "CVE-2022-29162", "CVE-2023-27561", "CVE-2023-28642", "CVE-2024-21626"),
        },
    },
    "13": {
        "engine": "26.1.5+dfsg1",
        "containerd": "1.7.24~ds1",
        "runc": "1.1.15+ds1",
        "mended": {
            "engine": (
                *("CVE-2024-24557", "CVE-2024-29018", "CVE-2024-41110", "CVE-2026-33747", "CVE-2026-33748", "CVE-2026-34040"),
                *("CVE-2026-41568", "CVE-2026-42306"),
            ),
            "containerd": ("CVE-2024-25621",),
            "runc": ("CVE-2024-21626", "CVE-2024-45310", "CVE-2025-31133", "CVE-2025-52565", "CVE-2026-41579"),
        },
    },
    "forky": {
        "engine": "28.5.2+dfsg4",
        "containerd": "2.1.9+ds1",
        "runc": "1.3.6+ds1",
        "mended": {
            "engine": ("CVE-2026-33747", "CVE-2026-33748", "CVE-2026-34040", "CVE-2026-41567", "CVE-2026-41568", "CVE-2026-42306"),
            "containerd": ("CVE-2024-25621", "CVE-2026-53493"),
            "runc": (),
        },
    },
}

ABSENT = ("file-registry-certificates", "file-tls-ca", "file-tls-certificate", "file-tls-key", "file-sysconfig-docker")


def findings(debian: dict[str, t.Any], audit: bool = True, **different: t.Any) -> list[model.Finding]:
    """Return what is said of a host as `provision` and the role docker_auditd leave it with the packages of a Debian.

    Args:
        audit: without it nobody can ask the kernel's audit and its package, as in a host that is a container.
    """
    own = tuple(network for network in engine_examples.NETWORKS if network["Name"] in ("bridge", "host", "none"))
    look = engine_examples.engine({"ServerVersion": debian["engine"]}, containers=(), images=(), volumes=(), networks=own)
    version = engine_examples.put(engine_examples.VERSION, Version=debian["engine"])
    version["Components"][1]["Version"] = debian["containerd"]
    facts = {
        **{name: Fact(value, "test") for name, value in base.GOOD[model.HOST].items()},
        **engine_examples.HOST_FACTS,
        "runc_versions": Fact({"/usr/bin/runc": debian["runc"]}, "GET /version"),
        "containerd_version": Fact(debian["containerd"], "GET /version"),
        "package_backports": Fact(debian["mended"], "changelogs"),
    }
    # What a fresh host does not have, and what its machine in the lab does not tell.
    there = facts["files"].value
    facts["files"] = Fact({path: FileFacts("absent") if path.rpartition("/")[2] in ABSENT else found for path, found in there.items()}, "stat")
    facts["kernel_crypto"] = Fact(("the package has the fix",), "changelog") if audit else Unknown("there is no changelog of its package", "changelog")
    if not audit:
        facts["audit_enabled"] = Unknown("auditctl does not answer", "auditctl -s")
    # What the engine tells.
    told = ("engine_version", "internal_networks", "encrypted_networks", "containerd_images", "all_ids_mapped", "authorization_plugins", "minimum_version")
    for name in told:
        facts.pop(name)
    daemon = engine_examples.daemon(without=("features", "seccomp-profile"))
    found, context = snapshot.subjects(dataclasses.replace(look, version=version), daemon, {**facts, **different}, Policy())
    return evaluate.judge(found, registry.RULES, "one", context)


def failed(found: list[model.Finding]) -> dict[str, tuple[str, set[str]]]:
    """Return by rule its severity and the holes that it names."""
    return {
        finding.rule: (finding.severity, {item.observed.partition(": ")[2].partition(",")[0] for item in finding.evidence})
        for finding in found
        if finding.status == model.FAIL and finding.rule.endswith("-without-known-holes")
    }


def test_debian_12():
    copied = {"CVE-2026-41568", "CVE-2026-42306", "CVE-2026-17106"}
    races = {"CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881", "CVE-2024-45310", "CVE-2026-41579"}
    found = failed(findings(DEBIAN["12"]))
    assert found[ENGINE] == (severity.HIGH, copied | {"CVE-2026-92543"})
    assert found[RUNC] == (severity.LOW, races)
    assert found[BUILDER][0] == severity.MEDIUM
    assert found[BUILDER][1] >= {"CVE-2024-23653", "CVE-2024-23652", "CVE-2026-33747"}
    assert set(found) == {ENGINE, RUNC, BUILDER}


def test_debian_13():
    found = failed(findings(DEBIAN["13"]))
    assert found[ENGINE] == (severity.HIGH, {"CVE-2026-41567", "CVE-2026-17106", "CVE-2026-92543"})
    assert found[RUNC] == (severity.LOW, {"CVE-2025-52881"})
    assert found[BUILDER][0] == severity.MEDIUM
    assert set(found) == {ENGINE, RUNC, BUILDER}


def test_debian_forky():
    found = failed(findings(DEBIAN["forky"]))
    assert found[ENGINE] == (severity.HIGH, {"CVE-2026-17106", "CVE-2026-92543"})
    assert set(found) == {ENGINE, BUILDER}


@pytest.mark.parametrize("name", DEBIAN)
def test_a_fresh_host_of_debian_scores_95_percent_without_a_waiver(name):
    found = findings(DEBIAN[name])
    assert score.coverage(found)["percent"] == 100.0
    assert score.score(found, VACUOUS)["percent"] >= 95


@pytest.mark.parametrize("name", DEBIAN)
def test_where_nobody_can_ask_the_audit_the_builder_is_what_it_lacks(name):
    counted = score.score(findings(DEBIAN[name], audit=False), VACUOUS)
    assert counted["percent"] >= (95 if name == "forky" else 94.5)
    builder = severity.WEIGHTS[severity.MEDIUM]
    assert counted["weight_passed"] / (counted["weight_judged"] - builder) >= 0.95


def outcome(rule: str, **different: t.Any) -> model.Outcome:
    return evaluate.outcome_of(registry.BY_ID[rule], base.subject(model.HOST, **different))


def rated(rule: str, **different: t.Any) -> str:
    subject = base.subject(model.HOST, **different)
    return evaluate.finding(registry.BY_ID[rule], subject, evaluate.outcome_of(registry.BY_ID[rule], subject), "", ()).severity


def test_the_view_into_containers_came_with_24_and_so_did_its_hole():
    # moby v23.0.15 daemon/archive.go unpacks with chrootarchive, which decompresses outside of the container.
    hole = next(hole for hole in versions.ENGINE if hole.name == "CVE-2026-41567")
    releases = ("20.10.24", "23.0.15", "24.0.0", "24.0.9", "25.0.16", "25.0.17", "28.5.2", "29.5.1")
    having = [text for text in releases if versions.open_holes(_release(text), [hole])]
    assert having == ["24.0.0", "24.0.9", "25.0.16", "28.5.2"]


def test_24_0_9_mended_the_classic_builder_only():
    names = {hole.name for hole in versions.open_holes(_release("24.0.9"), versions.BUILDER)}
    assert names >= {"CVE-2024-23651", "CVE-2024-23652", "CVE-2024-23653"}
    assert "CVE-2024-24557" not in names
    assert not {hole.name for hole in versions.open_holes(_release("25.0.2"), versions.BUILDER)} & {"CVE-2024-23651", "CVE-2024-23652", "CVE-2024-23653"}


def _release(text: str) -> versions.Release:
    found = versions.release(text)
    assert found is not None
    return found


def test_what_a_hole_needs_and_the_host_has_not_is_said_and_does_not_fail():
    found = outcome(NETWORKS, engine_version="28.3.2", encrypted_networks=(), firewalld=())
    assert found.status == model.PASS
    assert "CVE-2025-54388: there is no firewalld on this host (test firewalld)" in found.reason
    assert "CVE-2026-92542: this host is on no encrypted overlay network" in found.reason


def test_a_failure_says_which_holes_are_not_exposed_too():
    found = outcome(ENGINE, engine_version="20.10.24", internal_networks=(), firewalld=("/usr/sbin/firewalld",))
    assert found.status == model.FAIL
    assert found.reason == "not exposed are CVE-2024-29018: no network of this host is internal (test internal_networks)"
    assert not [item for item in found.evidence if "CVE-2024-29018" in item.observed]
    assert [item for item in found.evidence if "CVE-2025-54410" in item.observed]


@pytest.mark.parametrize("need", sorted(versions.NEEDS))
def test_what_nobody_knows_is_exposed(need):
    groups = {ENGINE: versions.ENGINE, NETWORKS: versions.NETWORK, CONTAINERD: versions.CONTAINERD}
    rule, hole = next((rule, hole) for rule, holes in groups.items() for hole in holes if hole.needs == need)
    old = {"engine_version": hole.since or "19.03.0", "containerd_version": hole.since or "1.3.0"}
    others = dict.fromkeys(set(versions.NEEDS) - {need}, ())
    for state in (Unknown("nobody looked"), ("something",)):
        found = outcome(rule, **{**others, **old, need: state})
        assert found.status == model.FAIL
        assert [item for item in found.evidence if hole.name in item.observed], (need, state)
    found = outcome(rule, **{**old, need: ()})
    assert not [item for item in found.evidence if hole.name in item.observed]
    assert hole.name in found.reason


def test_every_need_is_a_fact_and_every_hole_needs_a_known_one():
    holes = (*versions.RUNC, *versions.CONTAINERD, *versions.ENGINE, *versions.NETWORK, *versions.BUILDER, *versions.AUTHORIZATION)
    assert set(versions.NEEDS) <= set(vocabulary.HOST)
    assert {hole.needs for hole in holes if hole.needs} == set(versions.NEEDS)
    assert len({hole.name for hole in holes}) == len(holes)
    assert {hole.attacker for hole in holes if hole.attacker} <= set(severity.ATTACKERS)
    assert {reach for hole in holes for reach in (hole.reach, hole.mapped) if reach} <= set(severity.REACHES)


def test_the_severity_is_that_of_the_worst_hole_that_is_exposed():
    runc = {"/usr/bin/runc": "1.0.0-rc6"}
    assert rated(RUNC, runc_versions=runc) == severity.CRITICAL
    assert rated(RUNC, runc_versions={"/usr/bin/runc": "1.1.11"}) == severity.CRITICAL
    assert rated(RUNC, runc_versions={"/usr/bin/runc": "1.2.7"}) == severity.HIGH
    assert rated(RUNC, runc_versions={"/usr/bin/runc": "1.2.7"}, all_ids_mapped=True) == severity.LOW
    assert rated(RUNC, runc_versions={"/usr/bin/runc": "1.2.7"}, all_ids_mapped=Unknown("a container could not be read")) == severity.HIGH
    assert rated(BUILDER, engine_version="25.0.1") == severity.HIGH
    assert rated(BUILDER, engine_version="29.7.2") == severity.MEDIUM
    assert rated(ENGINE, engine_version="29.6.2") == severity.HIGH


def test_ids_are_mapped_only_where_no_container_has_those_of_the_host():
    def told(engine: t.Any) -> t.Any:
        return snapshot._all_ids_mapped(engine)

    assert told(engine_examples.engine()).value is True
    assert told(engine_examples.engine(containers=(examples.look(host__UsernsMode="host"),))).value is False
    assert told(engine_examples.engine(containers=(examples.look(host__UsernsMode=None),))).value is False
    assert told(engine_examples.engine(containers=(ContainerLook({"Id": "1"}),))).value is False
    assert isinstance(told(engine_examples.engine(containers=(ContainerLook({"Id": "1"}, error="denied"),))), Unknown)
    assert isinstance(told(engine_examples.engine(errors={"containers": "denied"})), Unknown)
    assert told(engine_examples.engine({"SecurityOptions": ["name=seccomp,profile=builtin"]})).value is False
    assert told(engine_examples.engine({"SecurityOptions": ["name=rootless", "name=cgroupns"]})).value is True
    assert isinstance(told(engine_examples.engine({"SecurityOptions": None})), Unknown)


def test_networks_of_a_worker_are_not_all_known():
    def told(engine: t.Any) -> t.Any:
        return snapshot._of_networks(engine)["encrypted_networks"]

    assert told(engine_examples.engine()).value == ()
    assert told(engine_examples.swarm()).value == ("shop_back",)
    worker = engine_examples.swarm({"Swarm": {**engine_examples.SWARM_INFO, "ControlAvailable": False}})
    assert isinstance(told(worker), Unknown)
    assert isinstance(told(engine_examples.engine(errors={"networks": "denied"})), Unknown)


def test_the_kernels_crypto_is_closed_by_the_engine_or_by_the_host():
    def told(engine: t.Any, of_host: t.Any = None) -> t.Any:
        return snapshot._kernel_crypto(engine, of_host)

    host = Fact((), "changelog")
    assert told(engine_examples.engine(), host).value == ("the seccomp profile of Docker 29.9.0",)
    for version in ("29.4.1", "28.5.2+dfsg4", "20.10.24+dfsg1"):
        assert told(engine_examples.engine(version=engine_examples.put(engine_examples.VERSION, Version=version)), host) == host, version
    custom = engine_examples.engine({"SecurityOptions": ["name=seccomp,profile=/etc/own.json"]})
    assert told(custom, host) == host
    assert isinstance(told(custom), Unknown)


def test_data_that_others_enter_opens_a_hole_again():
    closed = {"/var/lib/docker": FileFacts("directory", 0o710, 0, 0, "root", "root")}
    opened = {"/var/lib/docker": FileFacts("directory", 0o711, 0, 0, "root", "root")}
    for directories, expected in ((closed, ()), (opened, ("/var/lib/docker",))):
        assert snapshot._open_data(Fact(directories, "stat")).value == expected
    assert isinstance(snapshot._open_data(Fact({**closed, "/var/lib/containerd": "denied"}, "stat")), Unknown)
    assert isinstance(snapshot._open_data(None), Unknown)
