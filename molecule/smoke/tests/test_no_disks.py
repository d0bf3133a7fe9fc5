# SPDX-License-Identifier: Apache-2.0
"""A host without disks sees none."""

from __future__ import annotations

testinfra_hosts = ["ansible://oldstable"]


def lab_disks(host):
    return host.ansible.get_variables().get("lab_disks", [])


def test_a_host_without_disks_has_none(host):
    assert lab_disks(host) == []
    assert host.check_output("find /dev -name 'loop*'") == ""
