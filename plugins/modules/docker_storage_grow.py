#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_storage_grow
short_description: Give Docker's mounted filesystems more room while containers run
version_added: 0.1.0
description:
  - Carries out the steps of M(bulkhead.docker.docker_storage_plan) that make a partition, a logical volume or a loop image
    larger, and those that let the filesystem on it fill it.
  - Nothing is unmounted, no unit is stopped, nothing is ever made smaller. Each step looks first whether the host still is
    as the plan saw it.
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes
options:
  steps:
    description: The RV(bulkhead.docker.docker_storage_plan#module:steps) of the plan; those of other actions are passed over.
    type: list
    elements: dict
    required: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: Let the filesystems use what their disks have now
  bulkhead.docker.docker_storage_grow:
    steps: "{{ plan.steps }}"
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: always
  type: list
  elements: str
  sample: ["enlarge /dev/sdb1 from 6 GiB to 16 GiB"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    files,
    storage_growth,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import backends


def main():
    """Carry out one step after the other."""
    module = AnsibleModule(
        argument_spec={"steps": {"type": "list", "elements": "dict", "required": True}},
        supports_check_mode=True,
    )
    done = []
    for step in module.params["steps"]:
        if step.get("action") not in (backends.ENLARGE, backends.GROW):
            continue
        if not module.check_mode:
            try:
                storage_growth.carry_out(step)
            except KeyError as error:
                module.fail_json(msg=f"steps: {error} is missing; pass on what docker_storage_plan returned.", actions=done)
            except (storage_growth.GrowthError, commands.CommandError, files.FileError, OSError) as error:
                module.fail_json(msg=f"{error}.", actions=done)
        done.append(step["text"])
    module.exit_json(
        changed=bool(done),
        actions=done,
        diff={"before": "", "after": "".join(f"{text}\n" for text in done), "before_header": "sizes", "after_header": "sizes"},
    )


if __name__ == "__main__":
    main()
