# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The swarm as managers and workers tell of it."""

from __future__ import annotations

import base64
import typing as t

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import evaluate, model
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Subject, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import (
    image,
    inspect,
    service_spec,
    swarm,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules import swarm as rules
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import DaemonLook, EngineLook, Policy
from ansible_collections.bulkhead.docker.tests.unit.posture.normalise import engine_examples as examples

NOW = image.seconds(examples.INFO["SystemTime"])
BEGIN = 1768472400
STATE = {"ListenAddr": "10.0.0.1:2377", "AdvertiseAddr": "10.0.0.1:2377", "DataPathAddr": "10.1.0.1"}


def subject(engine: EngineLook | None = None, look: DaemonLook | None = None, policy: Policy | None = None) -> Subject:
    engine = engine or examples.swarm()
    look = look or examples.daemon({"live-restore": False}, listening=("10.0.0.1:2377", "10.0.0.1:7946"), swarm_state=STATE)
    services = service_spec.subjects(engine, inspect.engine_facts(engine, look))
    return swarm.subject(engine, look, policy or Policy(), services, NOW)


def statuses(found: Subject) -> dict[str, str]:
    return {rule.id: evaluate.outcome_of(rule, found).status for rule in rules.RULES if model.SWARM in rule.applies_to}


def test_a_manager_is_read_as_it_is():
    found = subject(policy=Policy(swarm_expected=True, swarm_ca_max_age_days=365))
    assert {name: fact.value for name, fact in found.facts.items()} == {
        "active": True,
        "manager": True,
        "managers": 3,
        "nodes": 4,
        "listen_address": "10.0.0.1:2377",
        "advertise_address": "10.0.0.1:2377",
        "data_path_address": "10.1.0.1",
        "autolock": True,
        "certificate_expiry": 90 * 24 * 3600,
        "ca_age_days": 207,
        "maximum_ca_age_days": 365,
        "secrets": 1,
        "wanted": "yes",
        "plain_secrets": (),
    }
    assert set(statuses(found).values()) == {model.PASS}


def test_a_host_without_swarm_is_asked_nothing():
    found = subject(examples.engine(), examples.daemon())
    assert statuses(found) == {rule: model.PASS if rule == "swarm-wanted" else model.NOT_APPLICABLE for rule in statuses(found)}


def test_a_worker_is_asked_only_of_itself():
    info = {"Swarm": {**examples.SWARM_INFO, "ControlAvailable": False, "Nodes": 0, "Managers": 0, "Cluster": None}}
    engine = examples.engine({**info, "LiveRestoreEnabled": False})
    found = statuses(subject(engine, examples.daemon(listening=("[::]:7946",), swarm_state={**STATE, "DataPathAddr": ""})))
    assert found["swarm-listens-on-one-address"] == model.FAIL
    assert found["swarm-planes-apart"] == model.FAIL
    assert {found[rule] for rule in ("swarm-number-of-managers", "swarm-autolock", "swarm-certificates-expire", "swarm-secrets-used")} == {model.NOT_APPLICABLE}


def test_what_a_manager_was_not_told_is_unknown():
    engine = examples.swarm(swarm=None, nodes=(), services=(), secrets=(), errors=dict.fromkeys(("swarm", "nodes", "services", "secrets"), "denied"))
    found = subject(engine, examples.daemon(listening=None))
    got = statuses(found)
    assert {got[rule] for rule in ("swarm-autolock", "swarm-certificates-expire", "swarm-secrets-used", "swarm-listens-on-one-address")} == {model.UNKNOWN}
    # /info counts the managers, too.
    assert got["swarm-number-of-managers"] == model.PASS
    assert isinstance(found.facts["data_path_address"], Unknown)


def test_nodes_that_were_listed_in_part_are_not_counted():
    found = subject(examples.swarm(nodes=examples.NODES[:1], errors={"nodes": "a node is no object"}))
    assert found.value("managers") == 3


def test_the_kernel_counts_before_the_file_of_the_engine():
    found = subject(look=examples.daemon(listening=("0.0.0.0:2377",), swarm_state=STATE))
    assert found.value("listen_address") == "0.0.0.0:2377"


def test_a_swarm_that_listens_on_another_port_is_found():
    info = {"Swarm": examples.put(examples.SWARM_INFO, RemoteManagers=[{"NodeID": "node1", "Addr": "10.0.0.1:4242"}])}
    found = subject(examples.swarm(info), examples.daemon(listening=("[::]:4242", "0.0.0.0:8080")))
    assert found.value("listen_address") == "[::]:4242"


def test_one_node_has_no_traffic_between_nodes():
    engine = examples.swarm({"Swarm": {**examples.SWARM_INFO, "Nodes": 1, "Managers": 1}}, nodes=examples.NODES[:1])
    assert statuses(subject(engine))["swarm-planes-apart"] == model.NOT_APPLICABLE


def test_services_with_secrets_in_plain_text_are_named():
    service = examples.put(examples.SERVICE, Spec__TaskTemplate__ContainerSpec__Env=["DB_PASSWORD=<secret>"])
    assert subject(examples.swarm(services=(service, examples.SERVICE))).value("plain_secrets") == ("shop_web",)


def der(tag: int, content: bytes) -> bytes:
    length = len(content)
    return bytes((tag, length)) + content if length < 128 else bytes((tag, 0x82, length >> 8, length & 255)) + content


def pem(moment: bytes, kind: int = 0x17, version: bool = True) -> str:
    name = der(0x30, b"")
    validity = der(0x30, der(kind, moment) + der(kind, moment))
    inner = (der(0xA0, der(2, b"\x02")) if version else b"") + der(2, b"\x01") + name + name + validity + der(4, b"x" * 200)
    body = base64.b64encode(der(0x30, der(0x30, inner) + name + der(3, b"\x00"))).decode()
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"


def test_a_certificate_tells_since_when_it_is_valid():
    assert swarm.not_before(examples.TRUST_ROOT) == BEGIN
    assert swarm.not_before(pem(b"260115102000Z")) == BEGIN
    assert swarm.not_before(pem(b"260115102000Z", version=False)) == BEGIN
    assert swarm.not_before(pem(b"20260115102000Z", 0x18)) == BEGIN
    assert swarm.not_before(pem(b"990115102000Z")) == BEGIN - 852076800


@pytest.mark.parametrize(
    "text",
    ["", "x", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----", pem(b"26011510"), pem(b"\xff\xff"), pem(b"260115102000Z")[:90]]
    + [
        f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(bytes(content)).decode()}\n-----END CERTIFICATE-----"
        for content in ([0x30], [0x30, 0x84, 1], [0x30, 0xFF] * 40)
    ],
)
def test_what_is_no_certificate_tells_nothing(text):
    assert swarm.not_before(text) is None


def test_certificates_are_nothing_that_was_taken_from_somebody():
    answer: t.Any = examples.SWARM["TLSInfo"]["TrustRoot"]
    assert "PRIVATE" not in answer
