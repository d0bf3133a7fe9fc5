# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Networks and volumes as the engine lists them."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import evaluate, model, secrets
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Fact, Subject, Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import network
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules import swarm as rules
from ansible_collections.bulkhead.docker.tests.unit.posture.normalise import engine_examples as examples

RULES = {rule.id: rule for rule in rules.RULES}
NO_LINKS = Fact((), "lstat")
BRIDGE = "com.docker.network.bridge."


def networks(*answers: dict[str, t.Any]) -> dict[str, Subject]:
    return {subject.name: subject for subject in network.subjects(examples.engine(networks=answers))}


def volume(options: t.Any, name: str = "data", driver: str = "local", links: t.Any = NO_LINKS) -> Subject:
    answer = {"Name": name, "Driver": driver, "Options": options, "Labels": None}
    [found] = network.volumes(examples.engine(volumes=(answer,)), links)
    return found


def status(rule: str, subject: Subject) -> str:
    return evaluate.outcome_of(RULES[rule], subject).status


def test_networks_that_stand_for_the_host_and_none_are_left_out():
    found = networks(*examples.NETWORKS, *examples.OVERLAYS)
    assert set(found) == {"bridge", "shop", "ingress", "shop_back"}
    assert found["bridge"].value("icc") is False and found["shop"].value("icc") is True
    assert found["shop"].value("containers") == ("web",)
    assert found["shop_back"].value("encrypted") is True


def test_ingress_is_no_overlay_to_encrypt():
    found = networks(*examples.OVERLAYS, {"Name": "plain", "Driver": "overlay", "Options": {}})
    assert status("network-overlay-encrypted", found["ingress"]) == model.NOT_APPLICABLE
    assert status("network-overlay-encrypted", found["shop_back"]) == model.PASS
    assert status("network-overlay-encrypted", found["plain"]) == model.FAIL


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("mode", ["routed", "nat-unprotected"])
def test_modes_of_the_gateway_are_read_for_both_families(family, mode):
    found = networks({"Name": "n", "Driver": "bridge", "Options": {f"{BRIDGE}gateway_mode_{family}": mode}})["n"]
    assert status("network-gateway-protected", found) == model.FAIL


def test_trusted_interfaces_are_a_list_with_colons():
    found = networks({"Name": "n", "Driver": "bridge", "Options": {f"{BRIDGE}trusted_host_interfaces": "vxlan.1:eth3"}})["n"]
    assert found.value("trusted_interfaces") == ("vxlan.1", "eth3")


def test_a_network_without_options_that_are_options_is_unknown():
    found = networks({"Name": "n", "Driver": "overlay", "Options": "x"})["n"]
    assert status("network-overlay-encrypted", found) == model.UNKNOWN
    assert status("network-gateway-protected", networks({"Name": "n", "Options": {}})["n"]) == model.UNKNOWN


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"type": "none", "o": "bind", "device": "/etc"}, model.FAIL),
        ({"type": "overlay", "o": "lowerdir=/etc:/x,upperdir=/u,workdir=/w", "device": "overlay"}, model.FAIL),
        ({"type": "none", "o": "bind", "device": "/srv/data/web"}, model.PASS),
        ({"type": "nfs", "o": "addr=10.0.0.1,rw", "device": ":/etc"}, model.PASS),
        ({"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}, model.PASS),
        (None, model.PASS),
        ({}, model.PASS),
        ("x", model.UNKNOWN),
    ],
)
def test_where_a_volume_leads(options, expected):
    assert status("volume-device-is-its-own", volume(options)) == expected


def test_options_of_a_volume_of_another_host():
    assert status("volume-from-network-restricted", volume({"type": "NFS", "o": "addr=10.0.0.1, nosuid ,nodev", "device": ":/x"})) == model.PASS
    found = volume({"type": "cifs", "o": "username=web,password=hunter2,nosuid", "device": "//files/x"})
    assert status("volume-from-network-restricted", found) == model.FAIL
    assert "hunter2" not in repr(found.facts)


def test_a_link_counts_for_the_volumes_of_the_engine():
    assert volume(None, links=Fact(("data",), "lstat")).value("data_is_link") is True
    assert volume(None, driver="rclone", links=Unknown("denied", "lstat")).value("data_is_link") is False
    assert isinstance(volume(None, links=Unknown("denied", "lstat")).facts["data_is_link"], Unknown)


def test_users_are_unknown_where_containers_are():
    engine = examples.engine(containers=(), errors={"containers": "denied"})
    assert isinstance(network.subjects(engine)[0].facts["containers"], Unknown)
    assert isinstance(network.volumes(engine, Fact((), "lstat"))[0].facts["users"], Unknown)


@pytest.mark.parametrize(
    "options, found",
    [
        ({"type": "cifs", "o": "username=u,password=hunter22,vers=3"}, ("o: password",)),
        ({"type": "cifs", "o": f"username=u,password={secrets.SECRET}"}, ("o: password",)),
        ({"type": "cifs", "o": "username=u,password_file=/run/secrets/x"}, ()),
        ({"token": "abcdefgh12"}, ("token",)),
        ({"device": "https://u:hunter22@files.example.com/x"}, ("device",)),
        ({"type": "nfs", "o": "addr=10.0.0.1,nosuid", "device": ":/x"}, ()),
    ],
)
def test_secrets_in_options_of_a_volume(options, found):
    assert volume(options).value("secret_names") == found
