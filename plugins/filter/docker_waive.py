# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
name: docker_waive
short_description: Apply waivers to the findings of an audit
version_added: 0.1.0
author:
  - The Bulkhead authors (@bulkhead)
description:
  - Returns the findings with a waiver on each failure that one covers, and a finding for each waiver that has expired or covers
    nothing, as the audits do with their own option.
  - For findings that were gathered before somebody wrote the waivers. Findings of several hosts are judged host by host.
  - An attack path is accepted here by a waiver of its own only. Whether the path is closed when its last step is accepted, or another one
    is left, only the audit knows; here such a path stays a failure, and its evidence says which of its steps are accepted.
positional: waivers
options:
  _input:
    description: Findings, as M(bulkhead.docker.docker_host_audit) and M(bulkhead.docker.docker_compose_audit) return them.
    type: list
    elements: dict
    required: true
  waivers:
    description:
      - Failures that are accepted, each with C(rule), C(owner), C(reason) and C(expires), and optionally C(subject), C(kind), C(host)
        and C(compensation). Names of subjects and hosts can be patterns with C(*) and C(?).
      - C(image) and C(label) are refused here, because findings do not carry them; give such waivers to the audit.
    type: list
    elements: dict
    required: true
  today:
    description: The day on which waivers count, as C(2027-01-31). By default the day on the controller.
    type: str
seealso:
  - module: bulkhead.docker.docker_host_audit
  - plugin: bulkhead.docker.docker_gate
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Stop on what nobody has accepted
  ansible.builtin.assert:
    that: audit.findings | bulkhead.docker.docker_waive(accepted) | bulkhead.docker.docker_gate('high') | length == 0
  vars:
    accepted:
      - rule: container-runs-as-user
        subject: proxy
        owner: platform
        reason: binds to port 443
        expires: 2027-06-30
"""

RETURN = r"""
_value:
  description: All findings; of each host those on waivers are at the end.
  type: list
  elements: dict
"""

import datetime

from ansible.errors import AnsibleFilterError
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import attack_paths, result
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import waivers as waiver_list


def docker_waive(findings, waivers, today=None):
    """Return the findings with waivers on them, and those on the waivers themselves."""
    try:
        day = datetime.date.today() if today is None else datetime.date.fromisoformat(str(today))
    except ValueError as error:
        raise AnsibleFilterError(f"docker_waive: today is {today!r}, which is no date; write it as 2027-01-31.") from error
    accepted, problems = waiver_list.parse(waivers, result.RULE_IDS)
    if problems:
        raise AnsibleFilterError("docker_waive: " + "\n".join(str(problem) for problem in problems))
    blind = [waiver.where for waiver in accepted if waiver.image != "*" or waiver.label]
    if blind:
        raise AnsibleFilterError(f"docker_waive: {', '.join(blind)} names an image or a label, which findings do not carry; give it to the audit.")
    try:
        read = result.from_dicts(findings)
    except ValueError as error:
        raise AnsibleFilterError(f"docker_waive: {error}.") from error
    hosts = dict.fromkeys(finding.host for finding in read) or {"": None}
    by_host = ((host, [finding for finding in read if finding.host == host]) for host in hosts)
    return [finding.as_dict() for host, found in by_host for finding in _waived(found, accepted, day, host)]


def _waived(findings, accepted, day, host):
    """Return the findings of a host with waivers on them; paths say which of their steps are accepted."""
    cover = waiver_list.Cover(accepted, (), day, host)
    covered = cover.on(findings)
    paths = [finding for finding in covered if finding.kind == attack_paths.KIND]
    others = [finding for finding in covered if finding.kind != attack_paths.KIND]
    told = iter(attack_paths.explained(paths, others))
    return [*(next(told) if finding.kind == attack_paths.KIND else finding for finding in covered), *cover.left()]


class FilterModule:
    """Makes the filter known."""

    def filters(self):
        """Return the filter by its name."""
        return {"docker_waive": docker_waive}
