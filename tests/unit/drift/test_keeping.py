# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift import keeping, kinds

FILE = {"type": "file", "sha256": "a", "mode": "0644", "owner": "0:0"}
DROP_IN = "foreign_file:/etc/systemd/system/docker.service.d/proxy.conf"


def test_what_was_never_recorded_is_recorded_as_it_is():
    now = {"file:/a": FILE, DROP_IN: FILE, "package:runc": {"type": "installed", "version": "1"}}
    assert keeping.recorded({}, now) == keeping.Recorded(now)


def test_what_a_role_writes_is_recorded_anew():
    now = {"file:/a": {**FILE, "sha256": "b"}}
    assert keeping.recorded({"file:/a": FILE}, now) == keeping.Recorded(now)


@pytest.mark.parametrize(
    "thing, old, new",
    [
        ("file:/a", FILE, {**FILE, "mode": "0666"}),
        ("package:docker.io", {"type": "installed", "version": "1", "held": True}, {"type": "installed", "version": "2", "held": True}),
        ("package:docker.io", {"type": "installed", "version": "1", "held": True}, {"type": "absent"}),
        ("ranges:dockremap", {"uid": ["100000:65536"], "gid": ["100000:65536"]}, {"uid": ["7:65536"], "gid": ["100000:65536"]}),
        ("unit:docker.service", {"type": "loaded", "enabled": "enabled"}, {"type": "masked", "enabled": "masked"}),
        ("unit:docker.service", {"type": "loaded", "drop_ins": ["/a"]}, {"type": "loaded", "drop_ins": ["/a", "/b"]}),
        (DROP_IN, {**FILE, "_text": "x"}, {**FILE, "sha256": "b", "_text": "y"}),
        (DROP_IN, {"type": "absent"}, {**FILE, "_text": "y"}),
        ("sysctl:net.ipv4.ip_forward", {"value": "1"}, {"value": "0"}),
        ("mount:/v", {"type": "xfs", "uuid": "1"}, {"type": "xfs", "uuid": "2"}),
    ],
)
def test_what_no_variable_says_stays_what_it_was(thing, old, new):
    found = keeping.recorded({thing: old}, {thing: new})
    assert found.kept == (thing,)
    assert found.items == {thing: old}
    # So the next check finds what this one found.
    wanted = [difference.name for difference in kinds.compare(thing, old, new, "r", "")]
    assert [difference.name for difference in kinds.compare(thing, found.items[thing], new, "r", "")] == wanted != []


def test_the_rest_of_a_thing_is_recorded_anew():
    old, new = {"type": "installed", "version": "1", "held": False}, {"type": "installed", "version": "2", "held": True}
    assert keeping.recorded({"package:runc": old}, {"package:runc": new}).items == {"package:runc": {**new, "version": "1"}}


def test_a_foreign_file_that_appeared_is_not_taken_in():
    found = keeping.recorded({"file:/a": FILE}, {"file:/a": FILE, DROP_IN: FILE})
    assert found == keeping.Recorded({"file:/a": FILE}, (DROP_IN,))


def test_a_foreign_file_that_went_is_not_forgotten():
    found = keeping.recorded({DROP_IN: FILE, "file:/b": FILE}, {})
    assert found == keeping.Recorded({DROP_IN: FILE}, (DROP_IN,))


@pytest.mark.parametrize("pattern", ["*", "foreign_file:*", DROP_IN])
def test_what_is_accepted_is_recorded(pattern):
    assert keeping.recorded({"file:/a": FILE}, {"file:/a": FILE, DROP_IN: FILE}, [pattern]).items[DROP_IN] == FILE
    assert keeping.recorded({DROP_IN: FILE}, {}, [pattern]) == keeping.Recorded({})
    assert keeping.recorded({DROP_IN: FILE}, {DROP_IN: {"type": "absent"}}, [pattern]).items == {DROP_IN: {"type": "absent"}}


def test_what_could_not_be_read_now_keeps_what_was_known():
    found = keeping.recorded({"account:dockremap": {"type": "present"}}, {"account:dockremap": {"type": "unknown"}})
    assert found == keeping.Recorded({"account:dockremap": {"type": "present"}})


def test_a_firewall_that_was_flushed_is_not_the_new_measure():
    old = {"missing": [], "_rules": ["filter chain DOCKER", "nat chain DOCKER"]}
    new = {"missing": [], "_rules": ["filter chain DOCKER"]}
    assert keeping.recorded({"firewall:iptables": old}, {"firewall:iptables": new}) == keeping.Recorded({"firewall:iptables": old}, ("firewall:iptables",))
    assert keeping.recorded({"firewall:iptables": new}, {"firewall:iptables": old}) == keeping.Recorded({"firewall:iptables": old})


def test_a_drop_in_of_this_boot_is_not_overlooked_from_now_on():
    place, unit = "/run/systemd/system/docker.service.d", "unit:docker.service"
    old = {"type": "loaded", "drop_ins": [], "_volatile": [f"{place}/a.conf"]}
    new = {**old, "_volatile": [f"{place}/a.conf", f"{place}/b.conf"]}
    assert keeping.recorded({unit: old}, {unit: new}) == keeping.Recorded({unit: old}, (unit,))
    gone = {**old, "_volatile": []}
    assert keeping.recorded({unit: old}, {unit: gone}) == keeping.Recorded({unit: gone})


@pytest.mark.parametrize("thing", ["sysctl:net.ipv4.ip_forward", "firewall:ip6tables", "socket:/run/docker.sock", DROP_IN])
def test_what_the_host_lost_altogether_is_not_forgotten(thing):
    assert keeping.recorded({thing: {"type": "x"}}, {}) == keeping.Recorded({thing: {"type": "x"}}, (thing,))
    assert keeping.recorded({thing: {"type": "x"}}, {}, [thing]) == keeping.Recorded({})


def test_what_a_role_does_not_have_any_more_is_forgotten():
    assert keeping.recorded({"package:runc": {"type": "installed"}}, {}) == keeping.Recorded({})


def test_what_was_never_seen_is_recorded_as_soon_as_it_is():
    old = {"type": "loaded", "active": "unknown"}
    new = {"type": "loaded", "active": "active"}
    assert keeping.recorded({"unit:docker.service": old}, {"unit:docker.service": new}) == keeping.Recorded({"unit:docker.service": new})
