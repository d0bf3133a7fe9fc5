# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""All rules, in the order of the reports.

PRIVATE to the collection: no stability is promised to other users.

A new rule is one entry and one small function in a file of rules/, and a subject that fails it and one that passes it in
tests/unit/posture/subjects; a test fails when a rule lacks either.
"""

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Rule
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.rules import (
    audit_rules,
    compose,
    daemon,
    escapes,
    files,
    host,
    images,
    isolation,
    limits,
    mounts,
    swarm,
    versions,
    workload_network,
)

RULES: tuple[Rule, ...] = (
    *isolation.RULES,
    *escapes.RULES,
    *mounts.RULES,
    *workload_network.RULES,
    *limits.RULES,
    *compose.RULES,
    *images.RULES,
    *daemon.RULES,
    *versions.RULES,
    *files.RULES,
    *host.RULES,
    *audit_rules.RULES,
    *swarm.RULES,
)
BY_ID: dict[str, Rule] = {rule.id: rule for rule in RULES}
