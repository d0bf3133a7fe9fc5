#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_data_move
short_description: Move what Docker holds to new filesystems, to another data-root or to other ids
version_added: 0.1.0
description:
  - Copies containers, images and volumes to where the layout, the data-root and the id ranges want them, with owners, modes,
    extended attributes, ACLs, hard links and holes, while containers run.
  - Where the daemon keeps its root, and directories in it get filesystems, the module does the rest as well. It stops the
    containers and the daemon, copies what changed, compares every file by its content, lets the filesystems take the
    directories' places, starts the daemon, looks whether all is there, and starts the containers that ran.
  - Where the daemon gets another root, that is left to M(bulkhead.docker.docker_daemon_config), which changes
    C(daemon.json).
  - C(/var/lib/bulkhead/move.json) says where a move stands. One that was interrupted is finished by the next run; until the
    new place counts, Docker runs from the old one.
  - The old data is kept until O(step=remove).
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes
  - bulkhead.docker.storage_layout
options:
  step:
    description:
      - V(copy) copies, and moves what needs no change of C(daemon.json).
      - V(remove) removes what a finished move has left of the old data, if the daemon uses the place that it was moved to.
        Filesystems that were mounted in the old place are unmounted and taken out of C(/etc/fstab), and keep what they hold.
    type: str
    choices: [copy, remove]
    default: copy
  immutable:
    description: Whether bare mount points are made immutable.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: Give the layers of a host that is in use a disk
  bulkhead.docker.docker_data_move:
    layout:
      - name: overlay2
    disk: /dev/disk/by-id/virtio-data
    userns_remap: ''
    existing_data: move
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["copy 2 containers, 1 image and 3 volumes from /var/lib/docker to /var/lib/docker/100000.100000, ids from those of the host to 100000-165535"]
phase:
  description: Where the move stands; empty where there is none.
  returned: success
  type: str
  sample: done
"""

import contextlib

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import problems
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    data_move,
    move_file,
    move_look,
    move_plan,
    old_data,
    storage_options,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import Daemon
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import move


def _described(host, moving):
    """Return what a move is going to do, in words."""
    wanted = moving.journal.move
    if moving.begun:
        return [f"go on with the move {wanted.describe()}, which stands at '{moving.journal.phase}'"]
    held = data_move.inventory(host, wanted.before)
    running = [container.name for container in held.containers if container.running]
    return [
        f"copy {held.describe()} {wanted.describe()}",
        f"stop {', '.join(running) or 'no container'} and Docker, copy the rest, compare everything, switch, and start them again",
    ]


def _move(module, host, params):
    """Carry the step out and return what was done and where the move stands then; alone, so that what is planned is what is there."""
    with contextlib.nullcontext() if module.check_mode else data_move.alone():
        return _move_alone(module, host, params)


def _move_alone(module, host, params):
    request = storage_options.read(params)
    moving = move_plan.make(request)
    reasons = [*moving.storage.problems, *([] if moving.storage.problems else moving.problems())]
    if reasons:
        module.fail_json(msg=problems.summary(reasons), problems=[str(problem) for problem in reasons])
    if moving.journal is None:
        return [], ""
    told = _described(host, moving)
    mover = data_move.Mover(host, moving.journal, moving.storage.targets, params["immutable"])
    if module.check_mode and not moving.begun:
        wanted = moving.journal.move
        mover.warnings += [*move.warnings(wanted, data_move.inventory(host, wanted.before)), *move_look.powerless(wanted, moving.storage.targets)]
    if not module.check_mode:
        if not moving.journal.move.changes_root:
            data_move.within_the_root(mover, host)
        elif not mover.new_counts():
            mover.copy()
    for warning in mover.warnings:
        module.warn(warning)
    journal = move_file.read()
    return told, journal.phase if journal and not module.check_mode else moving.journal.phase


def _remove(module, host):
    gone = move_file.removable(move_file.read())
    if module.check_mode:
        old_data.expect_unused(host)
    elif gone:
        with data_move.alone():
            gone = old_data.remove(host)
    return [f"remove {path}" for path in gone], "removed" if gone else ""


def main():
    """Move, or remove what a move has left."""
    module = AnsibleModule(
        argument_spec={
            **storage_options.ARGUMENTS,
            "step": {"type": "str", "choices": ["copy", "remove"], "default": "copy"},
            "immutable": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    host = Daemon()
    try:
        actions, phase = _remove(module, host) if module.params["step"] == "remove" else _move(module, host, module.params)
    except data_move.FAILURES as error:
        module.fail_json(msg=f"{str(error).rstrip('.')}.")
    module.exit_json(
        changed=bool(actions),
        actions=actions,
        phase=phase,
        diff={"before_header": "Docker's data", "after_header": "Docker's data", "before": "", "after": "".join(f"{action}\n" for action in actions)},
    )


if __name__ == "__main__":
    main()
