#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_storage_plan
short_description: Compute how the filesystems of a Docker host come about, without changing anything
version_added: 0.1.0
description:
  - Looks at the disks, mounts and Docker data of the host and computes the steps that lead to the layout, or refuses
    with every reason at once.
  - Nothing is ever written. In check mode RV(ignore:changed) and the diff predict what the role
    P(bulkhead.docker.docker_storage#role) is going to do.
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes
  - bulkhead.docker.storage_layout
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: See what two partitions on one disk would take
  bulkhead.docker.docker_storage_plan:
    disk: /dev/disk/by-id/virtio-data
    layout:
      - name: overlay2
        size: 60%
      - name: volumes
  register: plan
  check_mode: true
"""

RETURN = r"""
effective_root:
  description: The directory that dockerd uses with these id ranges.
  returned: success
  type: str
  sample: /var/lib/docker/100000.100000
targets:
  description: Every filesystem with its device, mount point, options, UUID, mode and group.
  returned: success
  type: list
  elements: dict
steps:
  description: What has to be done, in order; empty when the host has its layout.
  returned: success
  type: list
  elements: dict
  contains:
    action:
      description:
        - One of C(wipe), C(relocate), C(partition), C(group), C(resize), C(volume), C(allocate), C(format), C(move), C(fstab), C(mount), and
          of C(enlarge) and C(grow), which M(bulkhead.docker.docker_storage_grow) carries out.
      type: str
    text:
      description: The step in words.
      type: str
    device:
      description: The device or image that is concerned.
      type: str
creates:
  description: Whether anything has to be made, changed in C(/etc/fstab) or installed; growing is not counted.
  returned: success
  type: bool
move:
  description: How existing data is moved; empty where nothing has to be moved.
  returned: success
  type: dict
  contains:
    text:
      description: From where to where, in words.
      type: str
    changes_root:
      description: Whether the daemon gets another root, so that the move ends when C(daemon.json) names it.
      type: bool
old_data:
  description: What an earlier move has left of the old data.
  returned: success
  type: list
  elements: str
root_gid:
  description: The host's gid of a container's root, V(0) without userns-remap.
  returned: success
  type: int
ranges_ready:
  description: Whether the user of userns-remap has its account and ranges already.
  returned: success
  type: bool
docker_units:
  description: Docker's units that run now and have to be stopped for the steps.
  returned: success
  type: list
  elements: str
missing_packages:
  description: Packages with tools that the steps need and the host lacks.
  returned: success
  type: list
  elements: str
claims:
  description: What the role notes down before it begins, so that a run after a crash knows its own unfinished work.
  returned: success
  type: dict
"""

import dataclasses

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import problems
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    files,
    move_file,
    move_plan,
    storage,
    storage_options,
    systemd,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import backends, guard

# What nobody notices who works in the filesystems: a line in fstab, and more room.
_QUIET = ("fstab", "resize", backends.ENLARGE, backends.GROW)


def _units_in_the_way(plan, journal=None):
    """Return the units that must not run during the steps.

    More room or a line in fstab disturbs nobody, and neither does it to mount a filesystem again that Docker has had and lost. What is
    moved stops Docker itself, when everything is ready.
    """
    if journal is not None:
        return []
    had = guard.guarded(files.read_text(guard.DROP_IN.format(unit="docker.service")) or "")
    comes_back = all(target.mounted or target.mount_point in had for target in plan.targets)
    if all(step.action in _QUIET or (step.action == "mount" and comes_back) for step in plan.steps):
        return []
    moves_containerd = any(target.name == "containerd" and not target.mounted for target in plan.targets)
    # The socket first, or a client's next call would start the service again.
    return ["docker.socket", "docker.service", *(["containerd.service"] if moves_containerd else [])]


def main():
    """Gather, plan, report."""
    module = AnsibleModule(argument_spec=storage_options.ARGUMENTS, supports_check_mode=True)
    try:
        request = storage_options.read(module.params)
        moving = move_plan.make(request)
        plan = moving.storage
    except (commands.CommandError, files.FileError, OSError) as error:
        module.fail_json(msg=f"{error}.")
    if plan.problems:
        module.fail_json(msg=problems.summary(plan.problems), problems=[str(problem) for problem in plan.problems])
    for note in plan.notes:
        module.warn(f"{note}.")
    missing = storage.missing_packages(plan.steps) if plan.steps else []
    lines = [*(f"install {package}" for package in missing), *(step.text for step in plan.steps)]
    module.exit_json(
        changed=bool(plan.steps) and module.check_mode,
        diff={"before": "", "after": "".join(f"{line}\n" for line in lines), "before_header": "storage plan", "after_header": "storage plan"},
        effective_root=plan.effective_root,
        targets=[dataclasses.asdict(target) for target in plan.targets],
        steps=[{"action": step.action, "text": step.text, "device": step.device, **step.arguments} for step in plan.steps],
        creates=bool(missing) or any(step.action not in (backends.ENLARGE, backends.GROW) for step in plan.steps),
        root_gid=request.mapping.root_gid if request.mapping else 0,
        ranges_ready=request.ranges_ready,
        docker_units=[unit for unit in _units_in_the_way(plan, moving.journal) if systemd.is_active(unit)],
        move={"text": moving.journal.move.describe(), "changes_root": moving.journal.move.changes_root} if moving.journal else {},
        old_data=move_file.removable(move_file.read()),
        missing_packages=missing,
        claims=storage.claims_for(plan.steps),
    )


if __name__ == "__main__":
    main()
