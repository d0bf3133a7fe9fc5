#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_host_audit
short_description: Say what is unsafe on a Docker host, with evidence
version_added: 0.1.0
description:
  - Looks at the engine, its containers, images, networks, volumes and swarm, and at the host around them, and judges all of it by one
    set of rules, most of which M(bulkhead.docker.docker_compose_audit) also applies to compose files before a deploy.
  - Where the kernel says something else than the engine, the kernel counts. Of running containers the capabilities, filters, ids,
    namespaces, mounts and limits are read from C(/proc) and from their control groups.
  - Nothing is changed, no program is run in a container, and each question to the engine is asked once. Values of variables, labels
    and passwords are taken out before anything is judged and are never returned.
  - What cannot be seen, because the engine does not answer, refuses, or this account may not look, is C(unknown) with the reason, never
    a pass.
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes.info_module
options:
  docker_host:
    description:
      - The address of the engine's socket, such as C(unix:///run/user/1000/docker.sock) for the daemon of a user. It has to be one of
        this host.
      - Without it, the socket on which the daemon is told to listen is used.
      - Where Podman answers, that is said, and what Docker would have to tell is C(unknown).
    type: str
    default: ''
  timeout:
    description: How many seconds the engine has for one answer.
    type: float
    default: 20
  time_limit:
    description: How many seconds it has for all of them. What was not asked by then is C(unknown).
    type: float
    default: 120
  host:
    description: The name of this host in findings and for waivers, usually C(inventory_hostname).
    type: str
    default: ''
  policy:
    description:
      - What an organisation decides and no tool can know. A key that is left out means that nobody decided.
      - C(trusted_users) may be in the group of the API's socket. C(trusted_registries) are those that images may come from.
        C(minimum_version) of the engine. C(image_max_age_days) for images in use. C(swarm_expected) says whether swarm mode is wanted.
        C(swarm_ca_max_age_days) for the authority of a swarm. C(log_drivers) count as central. C(mended) lists by component
        (C(engine), C(containerd), C(runc)) the CVEs that the distribution has mended in its package.
    type: dict
    default: {}
  waivers:
    description:
      - Failures that are accepted, each with C(rule), C(owner), C(reason) and C(expires), and optionally C(subject), C(kind), C(host),
        C(image), C(label) and C(compensation). Names can be patterns with C(*) and C(?).
      - A waiver that has expired or that covers nothing is a finding itself.
    type: list
    elements: dict
    default: []
  include:
    description: The statuses whose findings are returned. Score, coverage and O(fail_on) always rest on all of them.
    type: list
    elements: str
    choices: [fail, unknown, pass, not-applicable]
    default: [fail, unknown]
  fail_on:
    description: Fail when a failure without a waiver is at least that bad. Everything is returned all the same.
    type: str
    choices: [critical, high, medium, low, never]
    default: never
notes:
  - Much of the host is shown to root only; without C(become) a good part of the rules is C(unknown).
requirements:
  - Docker SDK for Python, 5.0.3 or newer (Debian package python3-docker)
seealso:
  - module: bulkhead.docker.docker_compose_audit
  - module: bulkhead.docker.docker_audit_report
  - plugin: bulkhead.docker.docker_gate
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Judge a host
  bulkhead.docker.docker_host_audit:
  become: true
  register: audit

- name: Fail on what would hand over the host, except for what is accepted
  bulkhead.docker.docker_host_audit:
    host: "{{ inventory_hostname }}"
    policy:
      trusted_users: [deploy]
      trusted_registries: [registry.example.com]
    waivers:
      - rule: container-not-privileged
        subject: node-exporter
        owner: platform
        reason: reads hardware sensors
        expires: 2027-06-30
    fail_on: high
  become: true
"""

RETURN = r"""
findings:
  description: The judgements of all rules on all subjects, with the statuses in O(include), in a fixed order.
  returned: always
  type: list
  elements: dict
  contains:
    rule:
      description: The id of the rule.
      type: str
    title:
      description: What the rule asks for.
      type: str
    severity:
      description: V(critical), V(high), V(medium), V(low) or V(info), derived from where an attacker must be and what they get.
      type: str
    status:
      description: V(fail), V(unknown), V(pass) or V(not-applicable).
      type: str
    subject:
      description: The name of what was judged.
      type: str
    kind:
      description: >-
        V(host), V(daemon), V(container), V(image), V(network), V(volume), V(swarm), V(swarm service), V(waiver), or V(attack path) for
        failures that together give more than each.
      type: str
    evidence:
      description: Where something was read, what was found, and what is expected.
      type: list
      elements: dict
    reason:
      description: Why it is unknown, or what makes it fail.
      type: str
    remediation:
      description: What to do.
      type: str
    blast:
      description: What that interrupts.
      type: str
    variable:
      description: The variable of this collection that does it, where there is one.
      type: str
    cis_1_6:
      description: Numbers of the CIS Docker Benchmark 1.6.0.
      type: list
      elements: str
    cis_1_8:
      description: Numbers of the CIS Docker Benchmark 1.8.0.
      type: list
      elements: str
    fingerprint:
      description: The same for the same rule and subject in every run.
      type: str
    waiver:
      description: Owner, reason and expiry of the waiver that covers it; null without one.
      type: dict
  sample:
    - rule: container-not-privileged
      severity: critical
      status: fail
      subject: web
      kind: container
      evidence:
        - source: 'GET /containers/{id}/json #/HostConfig/Privileged'
          observed: 'yes'
          expected: 'no'
score:
  description:
    - How much of what was judged is as it should be, by weight. C(percent) is null where nothing could be judged; C(percent_waived) is
      what it would be with each waiver taken for a pass.
  returned: always
  type: dict
coverage:
  description: How much of what applies could be judged, and why the rest could not, the most frequent reason first.
  returned: always
  type: dict
waived:
  description: The number of failures that a waiver covers. Each is among the findings, with its waiver.
  returned: always
  type: int
subjects:
  description: How many subjects of each kind were judged.
  returned: always
  type: dict
stopped:
  description: One sentence for each failure that O(fail_on) does not allow, the worst first.
  returned: always
  type: list
  elements: str
engine:
  description:
    - What answered, such as C(product) and C(version); C(error) where nothing did, and C(unanswered) with what it did not tell.
  returned: always
  type: dict
api_calls:
  description: How many questions the engine was asked.
  returned: always
  type: int
duration:
  description: How many seconds the look and the judgement took.
  returned: always
  type: float
collector:
  description: The form of what was collected and judged, so that results of different releases can be told apart.
  returned: always
  type: str
"""

import datetime
import gc

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.host import audit
from ansible_collections.bulkhead.docker.plugins.module_utils.host.docker_api import SdkMissing
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import gate, model, policy, result, waivers


def _request(module):
    """Return what is asked, or fail with every reason why it cannot be."""
    params = module.params
    accepted, problems = waivers.parse(params["waivers"], result.RULE_IDS)
    decided, more = policy.parse(params["policy"])
    problems = [*more, *problems]
    if params["timeout"] <= 0 or params["time_limit"] <= 0:
        module.fail_json(msg="timeout and time_limit are seconds, and have to be more than 0.")
    if problems:
        module.fail_json(msg="\n".join(str(problem) for problem in problems))
    return audit.Request(
        docker_host=params["docker_host"],
        timeout=params["timeout"],
        time_limit=params["time_limit"],
        policy=decided,
        waivers=tuple(accepted),
        today=datetime.date.today(),
        host=params["host"],
        include=tuple(params["include"]),
        fail_on=params["fail_on"],
    )


def main():
    """Look, judge, report."""
    module = AnsibleModule(
        argument_spec={
            "docker_host": {"type": "str", "default": ""},
            "timeout": {"type": "float", "default": 20},
            "time_limit": {"type": "float", "default": 120},
            "host": {"type": "str", "default": ""},
            "policy": {"type": "dict", "default": {}},
            "waivers": {"type": "list", "elements": "dict", "default": []},
            "include": {"type": "list", "elements": "str", "choices": list(model.STATUSES), "default": list(result.DEFAULT_INCLUDE)},
            "fail_on": {"type": "str", "choices": list(gate.THRESHOLDS), "default": gate.NEVER},
        },
        supports_check_mode=True,
    )
    request = _request(module)
    # Looking for cycles takes longer the more containers there are, finds none, and this process ends soon.
    gc.disable()
    try:
        found = audit.run(request)
    except SdkMissing as error:
        module.fail_json(msg=f"{error}.")
    # Nor does it at the end of Python, which looks once more whatever was said.
    gc.freeze()
    if found["engine"].get("error"):
        module.warn(f"The engine was not looked at: {found['engine']['error']}.")
    if found["stopped"]:
        module.fail_json(msg=result.message(found["stopped"]), changed=False, **found)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
