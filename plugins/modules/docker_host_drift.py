#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_host_drift
short_description: Say how a Docker host differs from how it was left
version_added: 0.1.0
description:
  - Compares a host with what M(bulkhead.docker.docker_manifest) wrote down at the end of the last converge, the running daemon with its
    file, and containers with the defaults that new ones get. All of it in one look that changes nothing.
  - Each difference comes with evidence, the role that mends it, and what mending costs.
  - What cannot be looked at is returned as C(unknown) with the reason, and never counts as unchanged.
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes.info_module
options:
  inputs:
    description:
      - From the name of a role to a hash of the variables that it would run with now. Roles that are left out, or that the manifest does
        not know, are not compared.
    type: dict
    default: {}
  roles:
    description: The roles that make a converge of this host. They are the ones to run where the manifest is missing or cannot be used.
    type: list
    elements: str
    default: [docker_storage, docker_engine, docker_daemon]
  collection_version:
    description: The version of this collection; left out, versions are not compared.
    type: str
    default: ''
  windows:
    description: When disruptive work may be done on the host. No entry means at any time.
    type: list
    elements: dict
    default: []
    suboptions:
      days:
        description: V(mon), V(tue), V(wed), V(thu), V(fri), V(sat) and V(sun), on which the window opens. No entry means every day.
        type: list
        elements: str
        choices: [mon, tue, wed, thu, fri, sat, sun]
        default: []
      from:
        description: When it opens, as V(HH:MM).
        type: str
        required: true
      until:
        description: When it closes, as V(HH:MM); on the next day where that is not later than O(windows[].from).
        type: str
        required: true
      timezone:
        description: The name of a time zone, such as V(Europe/Berlin).
        type: str
        default: UTC
  free_percent:
    description: How much of each filesystem of Docker has to be free, in percent. V(0) asks for nothing.
    type: int
    default: 10
  free_inodes_percent:
    description: How many of its inodes have to be free, in percent. V(0) asks for nothing.
    type: int
    default: 5
  free_size:
    description: How much of it has to be free at least, such as V(5GiB); asked in addition to O(free_percent). Empty asks for nothing.
    type: str
    default: ''
  upgrades:
    description:
      - What newer packages of the engine's set, which the host's package lists offer, are. V(ignore) does not look for them, V(report)
        returns them, V(drift) counts them as differences.
    type: str
    choices: [ignore, report, drift]
    default: ignore
  timeout:
    description: How many seconds the engine has for one answer.
    type: float
    default: 10
seealso:
  - module: bulkhead.docker.docker_manifest
  - module: bulkhead.docker.docker_manifest_restore
"""

EXAMPLES = r"""
- name: See whether the host is as it was left
  bulkhead.docker.docker_host_drift:
    collection_version: 0.1.0
    windows:
      - days: [sat, sun]
        from: "22:00"
        until: "04:00"
        timezone: Europe/Berlin
  become: true
  register: drift

- name: Say what differs
  ansible.builtin.debug:
    msg: "{{ drift.differences | map(attribute='what') | list }}"
  when: drift.drifted
"""

RETURN = r"""
drifted:
  description: Whether there is any difference.
  returned: success
  type: bool
differences:
  description: How the host differs, in the order of roles and things.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: What happened, as one word that stays the same from release to release.
      type: str
    role:
      description: The role that mends it, which is its tag too; empty where no role can.
      type: str
    item:
      description: The thing, as C(kind:name).
      type: str
    what:
      description: One sentence that says where and what was found.
      type: str
    expected:
      description: What was written down, or is wanted.
      type: raw
    observed:
      description: What was found.
      type: raw
    source:
      description: Where it was found.
      type: str
    route:
      description: >-
        V(converge), the role makes it anew from its variables; V(restore), the role puts back what the manifest remembers; V(owner), who
        runs the container makes it anew; V(person), somebody has to decide; V(record), the host is recorded anew after a converge.
      type: str
    blast:
      description: What mending costs, V(nothing), V(reload), V(restart) of dockerd, or V(recreate) of containers.
      type: str
    advice:
      description: What a person does, where no role mends it.
      type: str
    changed_at:
      description: When the thing itself says that it was changed, in seconds since the epoch.
      type: float
    last_good:
      description: When it was last known to be as wanted, in ISO 8601.
      type: str
  sample:
    - name: file-edited
      role: docker_daemon
      item: file:/etc/docker/daemon.json
      what: /etc/docker/daemon.json has another content
      expected: 3f5b…
      observed: 81c2…
      source: /etc/docker/daemon.json
      route: converge
      blast: restart
      advice: ''
      changed_at: 1795705383.0
      last_good: '2026-11-26T15:02:49Z'
roles:
  description: The roles that have to run to mend what roles can mend, in the order in which they run. Reading adds none.
  returned: success
  type: list
  elements: str
  sample: [docker_storage, docker_daemon]
last_converge:
  description: When the host was last recorded, in ISO 8601; empty where that is not known.
  returned: success
  type: str
sections:
  description: From each role in the manifest to C(at), C(collection) and C(items), the number of its things.
  returned: success
  type: dict
window_open:
  description: Whether disruptive work may be done now.
  returned: success
  type: bool
facts:
  description: What mending has to know.
  returned: success
  type: dict
  contains:
    live_restore:
      description: Whether containers go on through a restart of dockerd; null where the engine does not answer.
      type: bool
    running:
      description: The number of running containers; null where the engine does not answer.
      type: int
    containers:
      description: The names of the running containers, at most 20; null where the engine does not answer.
      type: list
      elements: str
    engine:
      description: The version of the engine that answers.
      type: str
    pending:
      description: What the daemon still needs to run with its file, V(reload), V(restart) or nothing.
      type: str
recreate:
  description: The containers that are older than the defaults that new ones get, each with C(name) and C(why).
  returned: success
  type: list
  elements: dict
upgrades:
  description: The packages of which newer versions are offered, with C(name), C(installed) and C(offered).
  returned: success
  type: list
  elements: dict
unknown:
  description: What could not be looked at, with C(item), C(role) and C(reason).
  returned: success
  type: list
  elements: dict
looked_at:
  description: How many things were looked at.
  returned: success
  type: int
duration:
  description: How many seconds the look took, without the start of the interpreter.
  returned: success
  type: float
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.drift import model
from ansible_collections.bulkhead.docker.plugins.module_utils.host import drift_check


def main():
    """Look, compare, report."""
    module = AnsibleModule(
        argument_spec={
            "inputs": {"type": "dict", "default": {}},
            "roles": {"type": "list", "elements": "str", "default": ["docker_storage", "docker_engine", "docker_daemon"]},
            "collection_version": {"type": "str", "default": ""},
            "windows": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "days": {"type": "list", "elements": "str", "choices": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "default": []},
                    "from": {"type": "str", "required": True},
                    "until": {"type": "str", "required": True},
                    "timezone": {"type": "str", "default": "UTC"},
                },
            },
            "free_percent": {"type": "int", "default": 10},
            "free_inodes_percent": {"type": "int", "default": 5},
            "free_size": {"type": "str", "default": ""},
            "upgrades": {"type": "str", "choices": ["ignore", "report", "drift"], "default": "ignore"},
            "timeout": {"type": "float", "default": 10},
        },
        supports_check_mode=True,
    )
    try:
        found = drift_check.run(module.params)
    except drift_check.Refused as error:
        module.fail_json(msg=f"{error}.")
    module.exit_json(changed=False, **model.readable(found))


if __name__ == "__main__":
    main()
