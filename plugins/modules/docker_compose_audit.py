#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_compose_audit
short_description: Say what is unsafe in compose files, before anything is deployed
version_added: 0.1.0
description:
  - Judges the services of a compose project, and the networks and volumes that it defines, by the rules by which
    M(bulkhead.docker.docker_host_audit) later judges what becomes of them. No engine is needed, nothing is started, and nothing is
    changed.
  - Reads files as compose does, with several files that override one another, C(extends), C(include), variables and their defaults,
    profiles, anchors and merge keys, C(!reset) and C(!override), and both the short and the long form of everything.
  - Each finding carries the file and the line that has to be changed.
  - Services of a project are seen together. What one takes from another with C(volumes_from), C(network_mode), C(pid) or C(ipc) counts as
    its own, and ways from one to the host's root through another are findings, attack paths.
  - What the file leaves open is what Docker does by default, or what O(daemon) says. What depends on a variable without a value is
    C(unknown) with that reason, never a pass.
  - Values of variables, secrets, env files and label files are never returned.
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes.info_module
options:
  path:
    description:
      - The file, or the files of one project in the order in which they override one another, as after C(docker compose -f).
      - Two projects are two tasks.
    type: list
    elements: path
    required: true
  project_directory:
    description:
      - Where the files that the files name are read, such as C(.env). By default the directory of the first file.
    type: path
  deploy_directory:
    description:
      - Where O(project_directory) is going to lie on the host. Relative paths of volumes, devices, secrets and configs begin there.
      - By default C(/srv/) and the name of the project, since a checkout on a controller says nothing about the host.
    type: path
  environment:
    description:
      - Values of the variables in the files. They win over those of O(env_files).
      - The environment of the controller is not used; pass C(ansible_facts.env) or single lookups where that is wanted.
      - C(HOME) says where C(~) leads.
    type: dict
    default: {}
  env_files:
    description:
      - Files with values of variables; later ones win. By default the C(.env) in O(project_directory), where there is one.
      - An empty list reads none.
    type: list
    elements: path
  profiles:
    description:
      - The profiles that are active. Services of other profiles are left out.
      - Without this option every service is judged, since each of them can be started.
    type: list
    elements: str
  daemon:
    description:
      - What C(daemon.json) says where the project is going to run, such as C(no-new-privileges), C(userns-remap), C(log-driver),
        C(log-opts) and C(seccomp-profile). By default an engine that nobody configured.
    type: dict
    default: {}
  image_users:
    description:
      - The user that an image declares, by a pattern of its reference. Without a match a service that sets no C(user) counts as one
        that runs as root.
    type: dict
    default: {}
  policy:
    description:
      - What the organisation decides, as M(bulkhead.docker.docker_host_audit) takes it, so that one variable serves both.
      - Of compose files C(trusted_registries) is asked, from which the images of services have to come; the rest is about hosts. All of it
        is checked for mistakes.
    type: dict
    default: {}
  waivers:
    description:
      - Failures that are accepted, each with C(rule), C(owner), C(reason) and C(expires), and optionally C(subject) (the name of the
        service), C(image), C(label), C(kind) and C(compensation). Names can be patterns with C(*) and C(?).
      - An attack path has rules of its own, such as C(attack-path-through-a-neighbour), and is that of the service where it begins. It is
        accepted by a waiver of its own, or by one for a failure on it that is as bad by itself. Where only lesser steps are accepted, it
        stops like any other failure, and its evidence says which are.
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
    description:
      - Fail when a failure without a waiver is at least that bad. Everything is returned all the same.
    type: str
    choices: [critical, high, medium, low, never]
    default: never
seealso:
  - module: bulkhead.docker.docker_host_audit
  - plugin: bulkhead.docker.compose_findings
    plugin_type: filter
  - plugin: bulkhead.docker.docker_gate
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Stop before a deploy that would hand over the host
  bulkhead.docker.docker_compose_audit:
    path: /srv/shop/compose.yaml
    fail_on: high
  delegate_to: localhost
  become: false

- name: Judge a project with its override for production
  bulkhead.docker.docker_compose_audit:
    path:
      - compose.yaml
      - compose.production.yaml
    environment:
      TAG: "2.4.1"
    daemon:
      no-new-privileges: true
      log-driver: local
    image_users:
      "registry.example.com/shop/*": "10001"
    waivers:
      - rule: container-runs-as-user
        subject: proxy
        owner: platform
        reason: binds to port 443
        expires: 2027-06-30
  delegate_to: localhost
  become: false
  register: audit
"""

RETURN = r"""
findings:
  description: The judgements of all rules on all services, with the statuses in O(include).
  returned: when the files can be read
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
      description: The name of the service, network or volume as in the file.
      type: str
    kind:
      description: V(compose service), V(network) or V(volume), or V(attack path) for failures that together give more than each.
      type: str
    file:
      description: The file to change.
      type: str
    line:
      description: The line in it.
      type: int
    evidence:
      description: Where something was found, what it was, and what is expected.
      type: list
      elements: dict
    reason:
      description: Why it is unknown, or what makes it fail.
      type: str
    remediation:
      description: What to do.
      type: str
    waiver:
      description: Owner, reason and expiry of the waiver that covers it; null without one.
      type: dict
  sample:
    - rule: container-not-privileged
      severity: critical
      status: fail
      subject: web
      file: compose.yaml
      line: 7
score:
  description: How much of what was judged is as it should be, with the denominator.
  returned: when the files can be read
  type: dict
coverage:
  description: How much of what applies could be judged, and why the rest could not.
  returned: when the files can be read
  type: dict
waived:
  description: The number of failures that a waiver covers.
  returned: when the files can be read
  type: int
subjects:
  description: How many subjects of each kind were judged.
  returned: when the files can be read
  type: dict
stopped:
  description: One sentence for each failure that O(fail_on) does not allow, the worst first.
  returned: when the files can be read
  type: list
  elements: str
project:
  description: The name of the project.
  returned: when the files can be read
  type: str
services:
  description: The services that were judged.
  returned: when the files can be read
  type: list
  elements: str
files:
  description: All files that were read.
  returned: when the files can be read
  type: list
  elements: str
odd:
  description: What is odd about the files, each with file and line; the same is shown as warnings.
  returned: when the files can be read
  type: list
  elements: str
"""

import datetime
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.host.compose_files import ComposeFiles
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import (
    compose_audit,
    gate,
    model,
    policy,
    result,
    waivers,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose import project
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.canonical import HOME
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import ComposeError
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.variables import as_values
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.compose_reading import Assumptions


def _request(module):
    """Return what is asked, or fail with every reason why it cannot be."""
    params = module.params
    accepted, problems = waivers.parse(params["waivers"], result.RULE_IDS)
    if not params["path"]:
        module.fail_json(msg="path is empty; name at least one compose file.")
    decided, wrong = policy.parse(params["policy"])
    problems += wrong
    if problems:
        module.fail_json(msg="\n".join(str(problem) for problem in problems))
    try:
        values = as_values(params["environment"])
    except ValueError as error:
        module.fail_json(msg=f"environment: {error}.")
    directory = params["project_directory"]
    options = project.Options(
        current=os.getcwd(),
        directory=os.path.dirname(params["path"][0]) if directory is None else directory,
        deployed=params["deploy_directory"] or "",
        environment=values,
        env_files=None if params["env_files"] is None else tuple(params["env_files"]),
        home=values.get("HOME") or HOME,
        name=values.get("COMPOSE_PROJECT_NAME", ""),
    )
    return compose_audit.Request(
        sources=tuple(project.Source(path) for path in params["path"]),
        options=options,
        assumptions=Assumptions(
            daemon=params["daemon"],
            image_users={str(pattern): str(user) for pattern, user in params["image_users"].items()},
            profiles=params["profiles"],
            trusted_registries=decided.trusted_registries,
        ),
        waivers=tuple(accepted),
        today=datetime.date.today(),
        include=tuple(params["include"]),
        fail_on=params["fail_on"],
    )


def main():
    """Read the files, judge them, report."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "list", "elements": "path", "required": True},
            "project_directory": {"type": "path"},
            "deploy_directory": {"type": "path"},
            "environment": {"type": "dict", "default": {}},
            "env_files": {"type": "list", "elements": "path"},
            "profiles": {"type": "list", "elements": "str"},
            "daemon": {"type": "dict", "default": {}},
            "image_users": {"type": "dict", "default": {}},
            "policy": {"type": "dict", "default": {}},
            "waivers": {"type": "list", "elements": "dict", "default": []},
            "include": {"type": "list", "elements": "str", "choices": list(model.STATUSES), "default": list(result.DEFAULT_INCLUDE)},
            "fail_on": {"type": "str", "choices": list(gate.THRESHOLDS), "default": gate.NEVER},
        },
        supports_check_mode=True,
    )
    request = _request(module)
    try:
        found = compose_audit.audit(request, ComposeFiles(request.options.current))
    except ComposeError as error:
        module.fail_json(msg=str(error))
    # "warnings" is what Ansible itself returns.
    found["odd"] = found.pop("warnings")
    for text in found["odd"]:
        module.warn(text)
    if found["stopped"]:
        module.fail_json(msg=result.message(found["stopped"]), **found)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
