# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Whether findings are bad enough to stop.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import severity
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import FAIL, Finding

NEVER = "never"
THRESHOLDS = (severity.CRITICAL, severity.HIGH, severity.MEDIUM, severity.LOW, NEVER)


def stopping(findings: t.Iterable[Finding], fail_on: str) -> list[Finding]:
    """Return the failures without a waiver that are at least as bad as a threshold (one of THRESHOLDS)."""
    if fail_on == NEVER:
        return []
    return [
        finding
        for finding in findings
        if finding.status == FAIL and not finding.waiver and severity.at_least(finding.severity, fail_on)
    ]
