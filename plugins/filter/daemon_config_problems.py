# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
name: daemon_config_problems
short_description: Say what is wrong with a configuration of the Docker daemon
version_added: 0.1.0
author:
  - The Bulkhead authors (@bulkhead)
description:
  - Judges a C(daemon.json) for a release of the engine without a host, as M(bulkhead.docker.docker_daemon_config) does.
  - This is stricter than C(dockerd --validate), which accepts unknown sections, unknown log options and contradictions
    between keys that keep the daemon from starting.
positional: _input
options:
  _input:
    description: The configuration, as a dictionary or as the text of C(daemon.json).
    type: raw
    required: true
  version:
    description: The release of the engine that shall read it. By default the newest that the collection knows.
    type: str
  swarm:
    description: Whether the host is a node of a swarm.
    type: bool
    default: false
seealso:
  - module: bulkhead.docker.docker_daemon_config
"""

EXAMPLES = r"""
- name: Refuse a configuration before any host is touched
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join('\n') }}"
  vars:
    problems: "{{ docker_daemon_settings | bulkhead.docker.daemon_config_problems(version='28.5.2') }}"

- name: Judge a file
  ansible.builtin.debug:
    msg: "{{ lookup('ansible.builtin.file', 'daemon.json') | bulkhead.docker.daemon_config_problems }}"
"""

RETURN = r"""
_value:
  description:
    - One sentence for each problem, beginning with the path of the key. Empty when there is none.
    - Where the input is a text, the line stands before the path, as in C(daemon.json line 7, log-opts.max-file).
  type: list
  elements: str
  sample:
    - "log-opts.max-file: rotates nothing without max-size, so logs grow until the disk is full; add max-size."
"""

import json
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import daemon_config, daemon_json, versions


def daemon_config_problems(value, version=None, swarm=False):
    """Return the sentences for a dictionary or a text."""
    try:
        release = versions.NEWEST_KNOWN if version is None else versions.parse(str(version))
    except ValueError as error:
        raise AnsibleFilterError(f"daemon_config_problems: {error}.") from error
    if isinstance(value, str):
        text = str(value)
    elif isinstance(value, Mapping):
        # Templates hand over lazy, tagged containers; a round through JSON leaves plain values.
        try:
            text = json.dumps(value)
        except (TypeError, ValueError) as error:
            raise AnsibleFilterError(
                f"daemon_config_problems: the configuration cannot be written as JSON: {error}."
            ) from error
    else:
        raise AnsibleFilterError(
            f"daemon_config_problems: the input is {type(value).__name__}; give a dictionary or the text of "
            "daemon.json."
        )
    try:
        document = daemon_json.read(text)
    except daemon_json.DaemonJsonError as error:
        return [f"daemon.json: {error}."]
    found = daemon_config.problems(document.config, release, daemon_config.Context(swarm=bool(swarm)))
    if isinstance(value, str):
        unreadable = daemon_json.unreadable(text, release)
        if unreadable:
            return [f"daemon.json: {unreadable}."]
        found = document.located(found, "daemon.json")
    return [str(problem) for problem in found]


class FilterModule:
    """Filters of the collection for the daemon's configuration."""

    def filters(self):
        """Return the filters by name."""
        return {"daemon_config_problems": daemon_config_problems}
