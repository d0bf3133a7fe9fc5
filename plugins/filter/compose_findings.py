# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
name: compose_findings
short_description: Say what is unsafe in the text of a compose file
version_added: 0.1.0
author:
  - The Bulkhead authors (@bulkhead)
description:
  - Judges a compose file that is not on the disk yet, such as a template, by the rules of M(bulkhead.docker.docker_compose_audit).
  - No other file is read, so a text with C(extends) from another file or with C(include) is refused; use the module for those.
    Env files, label files and seccomp profiles that a service names make what depends on them C(unknown).
options:
  _input:
    description:
      - The text of a compose file, or what it says as a dictionary. Lines are those of the text; for a dictionary there are none.
    type: raw
    required: true
  name:
    description: How the file is called in the findings.
    type: str
    default: compose.yaml
  deploy_directory:
    description: Where the file is going to lie on the host; relative paths in it begin there. By default below C(/srv).
    type: str
    default: ''
  environment:
    description: Values of the variables in the file.
    type: dict
    default: {}
  profiles:
    description: The profiles that are active; without it every service is judged.
    type: list
    elements: str
  daemon:
    description: What C(daemon.json) says where the project is going to run.
    type: dict
    default: {}
  image_users:
    description: The user that an image declares, by a pattern of its reference.
    type: dict
    default: {}
  policy:
    description: What the organisation decides, as M(bulkhead.docker.docker_compose_audit) takes it.
    type: dict
    default: {}
  include:
    description: The statuses whose findings are returned.
    type: list
    elements: str
    choices: [fail, unknown, pass, not-applicable]
    default: [fail, unknown]
seealso:
  - module: bulkhead.docker.docker_compose_audit
  - plugin: bulkhead.docker.docker_gate
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Refuse a template that would hand over the host
  ansible.builtin.assert:
    that: stopping | length == 0
    fail_msg: "{{ stopping | join('\n') }}"
  vars:
    stopping: "{{ lookup('ansible.builtin.template', 'compose.yaml.j2') | bulkhead.docker.compose_findings | bulkhead.docker.docker_gate('high') }}"
"""

RETURN = r"""
_value:
  description: Findings, as M(bulkhead.docker.docker_compose_audit) returns them.
  type: list
  elements: dict
"""

import json
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import compose_audit, model, result
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import policy as policies
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose import project
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.canonical import HOME
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import ComposeError
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.variables import as_values
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.compose_reading import Assumptions


def compose_findings(
    value, name="compose.yaml", deploy_directory="", environment=None, profiles=None, daemon=None, image_users=None, include=None, policy=None
):
    """Return the findings for a text or a dictionary."""
    statuses = tuple(result.DEFAULT_INCLUDE if include is None else map(str, include))
    wrong = [status for status in statuses if status not in model.STATUSES]
    if wrong:
        raise AnsibleFilterError(f"compose_findings: include names {wrong[0]!r}; choose of {', '.join(model.STATUSES)}.")
    decided, problems = policies.parse(policy or {})
    if problems:
        raise AnsibleFilterError("compose_findings: " + "\n".join(str(problem) for problem in problems))
    text, lines = _text(value)
    try:
        values = as_values(environment or {})
        request = compose_audit.Request(
            sources=(project.Source(str(name), text),),
            options=project.Options(
                current="/project",
                deployed=str(deploy_directory),
                environment=values,
                env_files=(),
                home=values.get("HOME") or HOME,
                name=values.get("COMPOSE_PROJECT_NAME", ""),
            ),
            assumptions=Assumptions(
                daemon=dict(daemon or {}),
                image_users={str(pattern): str(user) for pattern, user in (image_users or {}).items()},
                profiles=None if profiles is None else [str(profile) for profile in profiles],
                trusted_registries=decided.trusted_registries,
            ),
            include=statuses,
        )
        found = compose_audit.audit(request, project.NoFiles())["findings"]
    except (ComposeError, ValueError) as error:
        # Ansible shows the causes of an error too, and this one's would show lines of the file.
        raise AnsibleFilterError(f"compose_findings: {str(error).rstrip('.')}.") from None
    return found if lines else [_without_lines(finding) for finding in found]


def _text(value):
    """Return the text of a file, and whether its lines mean anything."""
    if isinstance(value, str):
        return str(value), True
    if not isinstance(value, Mapping):
        raise AnsibleFilterError(f"compose_findings: the input is {type(value).__name__}; give the text of a compose file, or a dictionary.")
    try:
        # JSON is YAML, and leaves nothing of the types that templates hand over.
        return json.dumps(value, ensure_ascii=False), False
    except (TypeError, ValueError, RecursionError) as error:
        raise AnsibleFilterError(f"compose_findings: the dictionary cannot be written as YAML: {error}.") from error


def _without_lines(finding):
    return {**finding, "line": 0, "evidence": [{**item, "line": 0} for item in finding["evidence"]]}


class FilterModule:
    """Makes the filter known."""

    def filters(self):
        """Return the filter by its name."""
        return {"compose_findings": compose_findings}
