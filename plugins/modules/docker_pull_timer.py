#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_pull_timer
short_description: Let a Docker host check and mend itself regularly
version_added: 0.1.0
description:
  - Writes a program, its configuration, an inventory of this host alone, a service and a timer, and enables the timer. The service runs
    a playbook against the host itself.
  - Before the timer is enabled, and at each run, the host proves that it can run the playbook.
  - What may hold a secret lies in files below C(/etc/bulkhead) that only root can read, and never in a unit or a process's arguments.
  - Used by the role P(bulkhead.docker.docker_pull#role), which installs what the run needs.
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes
options:
  state:
    description: Whether the host keeps itself. With V(absent) all is taken away but what runs left in C(/var/lib/bulkhead/pull).
    type: str
    choices: [present, absent]
    default: present
  enabled:
    description: Whether the timer runs. Without it, the service can be started by hand.
    type: bool
    default: true
  program:
    description: The text of the program, without its first line.
    type: str
    default: ''
  variables:
    description:
      - The host's variables as JSON. Values are final; what looks like a template in them is none.
      - Left out, the inventory that is there keeps its content.
    type: str
  environment_variables:
    description: Further variables of the run's environment as JSON, such as a proxy.
    type: str
    default: '{}'
  url:
    description: The repository that is fetched by C(ansible-pull). Empty for a playbook of an installed collection.
    type: str
    default: ''
  checkout:
    description: The branch, tag or commit of it. Empty for the repository's own default.
    type: str
    default: ''
  playbook:
    description: The playbook, as a path in the repository or as the name of that of a collection.
    type: str
    default: bulkhead.docker.drift
  verify_commit:
    description: Whether a commit without a signature that root's keyring knows is refused.
    type: bool
    default: false
  key_file:
    description: A private key on the host with which the repository is fetched over ssh.
    type: str
    default: ''
  schedule:
    description: When a run begins, as C(OnCalendar) of systemd.
    type: str
    default: '*-*-* 02:00:00'
  jitter:
    description: Up to how much later it begins; each host keeps its own place.
    type: str
    default: 2h
  timeout:
    description: How long a run may take before it is stopped.
    type: str
    default: 1h
  program_directory:
    description: Where C(ansible-playbook) and C(ansible-pull) lie.
    type: str
    default: /usr/bin
  python:
    description: The interpreter of the program, and of modules on this host.
    type: str
    default: /usr/bin/python3
  collections_path:
    description: Where collections are looked for. Empty for Ansible's own places.
    type: str
    default: ''
  textfile_directory:
    description: Directory from which the node exporter of Prometheus reads. Empty for no metrics.
    type: str
    default: ''
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Of files that may hold a secret, only that they differ is shown.
"""

EXAMPLES = r"""
- name: Let the host check itself every night
  bulkhead.docker.docker_pull_timer:
    program: "{{ lookup('ansible.builtin.file', 'docker_pull.py') }}"
    variables: "{{ {'docker_drift_mend': 'safe'} | to_json }}"
    textfile_directory: /var/lib/prometheus/node-exporter
  become: true
"""

RETURN = r"""
files:
  description: The files that this module keeps.
  returned: success
  type: list
  elements: str
units:
  description: The names of the services.
  returned: success
  type: list
  elements: str
timers:
  description: The names of the timers that run; none where they are not to run.
  returned: success
  type: list
  elements: str
changed_files:
  description: The files that were written or removed.
  returned: success
  type: list
  elements: str
"""

import json

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.drift import pull
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, files
from ansible_collections.bulkhead.docker.plugins.module_utils.host import pull as host_pull


def main():
    """Compare, write, reload, enable."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "enabled": {"type": "bool", "default": True},
            "program": {"type": "str", "default": ""},
            "variables": {"type": "str", "no_log": True},
            "environment_variables": {"type": "str", "default": "{}", "no_log": True},
            "url": {"type": "str", "default": ""},
            "checkout": {"type": "str", "default": ""},
            "playbook": {"type": "str", "default": "bulkhead.docker.drift"},
            "verify_commit": {"type": "bool", "default": False},
            "key_file": {"type": "str", "default": "", "no_log": False},
            "schedule": {"type": "str", "default": "*-*-* 02:00:00"},
            "jitter": {"type": "str", "default": "2h"},
            "timeout": {"type": "str", "default": "1h"},
            "program_directory": {"type": "str", "default": "/usr/bin"},
            "python": {"type": "str", "default": "/usr/bin/python3"},
            "collections_path": {"type": "str", "default": ""},
            "textfile_directory": {"type": "str", "default": ""},
        },
        required_if=[("state", "present", ["program"])],
        supports_check_mode=True,
    )
    options = module.params
    present = options["state"] == "present"
    try:
        found = _plan(module) if present else host_pull.removal(options["textfile_directory"])
        if found.changes and not module.check_mode:
            host_pull.carry_out(found)
        elif present and not module.check_mode:
            # Packages and collections may have gone since.
            host_pull.prove()
    except (commands.CommandError, files.FileError, OSError) as error:
        module.fail_json(msg=f"{error}.")
    module.exit_json(
        changed=found.changes,
        changed_files=[one.path for one in found.files],
        diff=found.diff(),
        **(host_pull.state(options["enabled"]) if present else {"files": [], "units": [], "timers": []}),
    )


def _plan(module):
    options = module.params
    variables = None if options["variables"] is None else _mapping(module, "variables")
    wanted = pull.Pull(
        url=options["url"],
        checkout=options["checkout"],
        playbook=options["playbook"],
        verify_commit=options["verify_commit"],
        key_file=options["key_file"],
        schedule=options["schedule"],
        jitter=options["jitter"],
        timeout=options["timeout"],
        programs=options["program_directory"],
        python=options["python"],
        collections=options["collections_path"],
        metrics=options["textfile_directory"],
        environment=_mapping(module, "environment_variables"),
    )
    refusals = host_pull.refusals(wanted)
    if refusals:
        module.fail_json(msg=" ".join(refusals))
    inventory = None if variables is None else pull.inventory(variables, wanted.python)
    return host_pull.plan(wanted, options["program"], inventory, options["enabled"])


def _mapping(module, name):
    try:
        found = json.loads(module.params[name])
    except ValueError:
        found = None
    if not isinstance(found, dict):
        module.fail_json(msg=f"{name} is no object in JSON.")
    return found


if __name__ == "__main__":
    main()
