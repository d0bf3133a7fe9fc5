# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The policy of an organisation, as users write it."""

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import policy
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.snapshot import Policy
from hypothesis import given
from hypothesis import strategies as st


def test_every_part_of_a_policy_can_be_given():
    assert set(policy._READERS) == set(policy.KEYS)
    given_values = {
        "trusted_users": ["alice", "bob"],
        "trusted_registries": "registry.example.com",
        "minimum_version": "29.10",
        "image_max_age_days": "90",
        "swarm_expected": "no",
        "log_drivers": ["journald"],
        "swarm_ca_max_age_days": 365,
        "mended": {"runc": ["CVE-2024-21626"]},
    }
    assert policy.parse(given_values) == (
        Policy(("alice", "bob"), ("registry.example.com",), "29.10", 90, False, ("journald",), 365, {"runc": ("CVE-2024-21626",)}),
        [],
    )


@pytest.mark.parametrize("value", [None, ""])
def test_what_is_empty_is_not_decided(value):
    assert policy.parse(dict.fromkeys(policy.KEYS, value)) == (Policy(), [])
    assert policy.parse({}) == (Policy(), [])


@pytest.mark.parametrize(("value", "expected"), [(True, True), ("yes", True), ("True", True), (1, True), (False, False), ("off", False), ("0", False)])
def test_a_decision(value, expected):
    assert policy.parse({"swarm_expected": value})[0].swarm_expected is expected


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"trusted_user": ["x"]}, "policy.trusted_user"),
        ({"trusted_users": {"x": 1}}, "policy.trusted_users"),
        ({"trusted_users": [["x"]]}, "policy.trusted_users"),
        ({"trusted_users": [True]}, "policy.trusted_users"),
        ({"minimum_version": 29.1}, "policy.minimum_version"),
        ({"image_max_age_days": -1}, "policy.image_max_age_days"),
        ({"image_max_age_days": True}, "policy.image_max_age_days"),
        ({"swarm_expected": "maybe"}, "policy.swarm_expected"),
        ({"mended": ["CVE-1"]}, "policy.mended"),
        ({"mended": {"docker": ["CVE-1"]}}, "policy.mended"),
        ({"mended": {"runc": 5}}, "policy.mended"),
    ],
)
def test_what_is_no_policy_says_where(values, where):
    found, problems = policy.parse(values)
    assert found == Policy()
    assert [problem.where for problem in problems] == [where]


@given(st.dictionaries(st.sampled_from([*policy.KEYS, "odd", 5]), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)))
def test_any_values_give_a_policy_or_reasons(values):
    found, problems = policy.parse(values)
    assert not problems or found == Policy()
