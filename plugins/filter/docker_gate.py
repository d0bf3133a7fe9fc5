# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
name: docker_gate
short_description: Say which findings are bad enough to stop
version_added: 0.1.0
author:
  - The Bulkhead authors (@bulkhead)
description:
  - Returns one sentence for each failure that is at least as bad as a threshold, the worst first. A failure that a waiver covers
    does not stop.
positional: fail_on
options:
  _input:
    description: Findings, as M(bulkhead.docker.docker_host_audit) and M(bulkhead.docker.docker_compose_audit) return them.
    type: list
    elements: dict
    required: true
  fail_on:
    description: The lowest severity that stops.
    type: str
    choices: [critical, high, medium, low, never]
    default: high
seealso:
  - module: bulkhead.docker.docker_host_audit
  - module: bulkhead.docker.docker_compose_audit
"""

EXAMPLES = r"""
- name: Stop where the host is too open
  ansible.builtin.assert:
    that: stopping | length == 0
    fail_msg: "{{ stopping | join('\n') }}"
  vars:
    stopping: "{{ audit.findings | bulkhead.docker.docker_gate('high') }}"
"""

RETURN = r"""
_value:
  description: One sentence for each failure that stops, beginning with the file and the line where there are any. Empty when nothing stops.
  type: list
  elements: str
  sample:
    - "compose.yaml:7: [critical] container-not-privileged, compose service web: found yes, expected no. Remove `privileged`, and
      give with `cap_add` and `devices` the single capabilities and devices that the program needs."
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import gate, result


def docker_gate(findings, fail_on="high"):
    """Return the sentences of the failures that stop."""
    if fail_on not in gate.THRESHOLDS:
        raise AnsibleFilterError(f"docker_gate: fail_on is {fail_on!r}; choose one of {', '.join(gate.THRESHOLDS)}.")
    try:
        return result.sentences(gate.stopping(result.from_dicts(findings), str(fail_on)))
    except ValueError as error:
        raise AnsibleFilterError(f"docker_gate: {error}.") from error


class FilterModule:
    """Makes the filter known."""

    def filters(self):
        """Return the filter by its name."""
        return {"docker_gate": docker_gate}
