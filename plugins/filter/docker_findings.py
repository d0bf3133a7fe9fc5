# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
name: docker_findings
short_description: Choose and order the findings of an audit
version_added: 0.1.0
author:
  - The Bulkhead authors (@bulkhead)
description:
  - Returns those findings that match everything that is asked for, the worst first, then by file and line, subject and rule.
options:
  _input:
    description: Findings, as M(bulkhead.docker.docker_host_audit) and M(bulkhead.docker.docker_compose_audit) return them.
    type: list
    elements: dict
    required: true
  severity:
    description: Only findings that are at least that bad.
    type: str
    choices: [critical, high, medium, low, info]
    default: info
  status:
    description: Only findings with one of these statuses. By default all.
    type: list
    elements: str
    choices: [fail, unknown, pass, not-applicable]
  rule:
    description: Only findings of rules with one of these ids; patterns with C(*) and C(?) are possible. By default all.
    type: list
    elements: str
  subject:
    description: Only findings on subjects with one of these names; patterns are possible. By default all.
    type: list
    elements: str
  kind:
    description: Only findings on subjects of one of these kinds, such as V(container) or V(compose service). By default all.
    type: list
    elements: str
  waived:
    description: Whether failures that a waiver covers are returned as well.
    type: bool
    default: true
seealso:
  - module: bulkhead.docker.docker_host_audit
  - plugin: bulkhead.docker.docker_gate
    plugin_type: filter
"""

EXAMPLES = r"""
- name: What is open, the worst first
  ansible.builtin.debug:
    msg: "{{ audit.findings | bulkhead.docker.docker_findings(status='fail', severity='high', waived=false) }}"

- name: What is said of the mounts of one service
  ansible.builtin.debug:
    msg: "{{ audit.findings | bulkhead.docker.docker_findings(rule='*mount*', subject='web') }}"
"""

RETURN = r"""
_value:
  description: The findings, each as it was given.
  type: list
  elements: dict
"""

import fnmatch

from ansible.errors import AnsibleFilterError
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import model, result
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import severity as severities


def docker_findings(findings, severity="info", status=None, rule=None, subject=None, kind=None, waived=True):
    """Return the findings that match, in the order of reports."""
    wanted = _choices("severity", [severity], severities.SEVERITIES)[0]
    statuses = None if status is None else _choices("status", _listed(status), model.STATUSES)
    try:
        read = result.from_dicts(findings)
    except ValueError as error:
        raise AnsibleFilterError(f"docker_findings: {error}.") from error
    kept = [
        (finding, given)
        for finding, given in zip(read, findings)
        if severities.at_least(finding.severity, wanted)
        and (statuses is None or finding.status in statuses)
        and _matches(finding.rule, rule)
        and _matches(finding.subject, subject)
        and (kind is None or finding.kind in _listed(kind))
        and (waived or not finding.waiver)
    ]
    return [given for finding, given in sorted(kept, key=lambda pair: result.order(pair[0]))]


def _listed(value):
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else [str(value)]


def _choices(name, values, known):
    for value in values:
        if value not in known:
            raise AnsibleFilterError(f"docker_findings: {name} is {value!r}; choose of {', '.join(known)}.")
    return values


def _matches(text, patterns):
    return patterns is None or any(fnmatch.fnmatchcase(text, pattern) for pattern in _listed(patterns))


class FilterModule:
    """Makes the filter known."""

    def filters(self):
        """Return the filter by its name."""
        return {"docker_findings": docker_findings}
