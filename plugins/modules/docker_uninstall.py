#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_uninstall
short_description: Take off a Docker host what this collection has put there
version_added: 0.1.0
description:
  - Removes what the manifest lists (M(bulkhead.docker.docker_manifest)), such as files, units, package sources, packages, id ranges, rules
    of the audit and AppArmor profiles, and nothing else.
  - A file that is not as it was written stays and is named. Of C(daemon.json) only the collection's own keys go.
  - Data stay, unless they are given up by O(data) B(and) O(confirm).
  - What stays keeps its place in the manifest, so that a later run knows it. Where everything has gone the manifest is empty, and a further
    run does nothing. Without a manifest that can be believed, the module refuses.
  - A run that was killed is finished by the next.
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes
options:
  data:
    description:
      - What becomes of volumes, images, containers and the filesystems that hold them.
      - With V(keep) they stay where they are, mounted, with their lines in C(/etc/fstab).
      - With V(unmount) the filesystems keep everything and are put in no place any more.
      - With V(remove) everything that Docker has stored is deleted. The filesystems themselves stay, empty; images of filesystems go.
    type: str
    choices: [keep, unmount, remove]
    default: keep
  confirm:
    description: With O(data=remove), the host's name in the inventory, so that no data go by mistake.
    type: str
    default: ""
  inventory_name:
    description: The host's name in the inventory.
    type: str
    required: true
  packages:
    description:
      - Which packages of the engine's set are removed.
      - With V(ours) those that this collection has installed; what was there before stays.
      - With V(all) the whole set, with V(keep) none.
    type: str
    choices: [ours, all, keep]
    default: ours
  stop_containers:
    description: Whether running containers are stopped. Otherwise the module refuses while any run.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: Take everything off the host but its data
  bulkhead.docker.docker_uninstall:
    inventory_name: "{{ inventory_hostname }}"
    stop_containers: true

- name: Give up its data as well
  bulkhead.docker.docker_uninstall:
    inventory_name: "{{ inventory_hostname }}"
    data: remove
    confirm: build-7
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: always
  type: list
  elements: str
  sample: ["remove /etc/docker/seccomp-bulkhead.json"]
kept:
  description: Things of the manifest that stay, with C(item) and C(reason).
  returned: success
  type: list
  elements: dict
notes:
  description: What else stays on the host, in words.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.drift import model, uninstall
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import problems
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, docker_api, files
from ansible_collections.bulkhead.docker.plugins.module_utils.host import uninstall as host_uninstall


def _refusal(params):
    if params["data"] != uninstall.REMOVE or params["confirm"] == params["inventory_name"]:
        return ""
    said = f"'{params['confirm']}'" if params["confirm"] else "nothing"
    return (
        f"docker_uninstall_data is remove, which deletes every volume, image and container of {params['inventory_name']}, and "
        f"docker_uninstall_data_confirm says {said}; set it to {params['inventory_name']}, or keep the data."
    )


def main():
    """Look, judge, take away, write down what is left."""
    module = AnsibleModule(
        argument_spec={
            "data": {"type": "str", "choices": list(uninstall.DATA), "default": uninstall.KEEP},
            "confirm": {"type": "str", "default": ""},
            "inventory_name": {"type": "str", "required": True},
            "packages": {"type": "str", "choices": list(uninstall.PACKAGES), "default": uninstall.OURS},
            "stop_containers": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    refusal = _refusal(params)
    if refusal:
        module.fail_json(msg=refusal, actions=[])
    done = []
    try:
        work = host_uninstall.make(uninstall.Wanted(params["data"], params["packages"], params["stop_containers"]))
        if work.plan.problems:
            module.fail_json(msg=problems.summary(work.plan.problems), actions=[])
        if not module.check_mode:
            host_uninstall.carry_out(work, done)
    except (commands.CommandError, files.FileError, docker_api.ApiError, host_uninstall.UninstallError, OSError) as error:
        module.fail_json(msg=f"{error}.", actions=done)
    actions = [step.says for step in work.plan.steps]
    shown = {"before": "", "after": "".join(f"{text}\n" for text in actions), "before_header": "uninstall", "after_header": "uninstall"}
    module.exit_json(
        changed=bool(actions) or work.plan.remaining != work.before,
        actions=model.readable(actions),
        kept=model.readable([{"item": thing, "reason": reason} for thing, reason in sorted(work.plan.kept.items())]),
        notes=model.readable(list(work.plan.notes)),
        diff=model.readable(shown) if actions else {},
    )


if __name__ == "__main__":
    main()
