#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_storage_mounts
short_description: Mount Docker's filesystems and guard their mount points
version_added: 0.1.0
description:
  - Makes Docker's roots and mount points with the modes and owners that dockerd itself would set, protects each bare
    mount point against writes, and mounts what C(/etc/fstab) names there.
  - Installs the guards of C(docker.service) and C(containerd.service), which order the boot, mount again what dockerd
    unmounts when it stops, check every filesystem's UUID, and keep the units from starting otherwise.
  - Removes an empty C(lost+found) from the filesystems, because Docker would list it as a volume.
  - Takes the targets of M(bulkhead.docker.docker_storage_plan); C(/etc/fstab) must hold them already.
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes
options:
  targets:
    description: The RV(bulkhead.docker.docker_storage_plan#module:targets) of the plan.
    type: list
    elements: dict
    required: true
  data_root:
    description: The data-root of dockerd.
    type: path
    default: /var/lib/docker
  effective_root:
    description: The RV(bulkhead.docker.docker_storage_plan#module:effective_root) of the plan.
    type: path
    required: true
  root_gid:
    description: The host's gid of a container's root; V(0) without userns-remap.
    type: int
    default: 0
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
- name: Mount and guard what was planned
  bulkhead.docker.docker_storage_mounts:
    targets: "{{ plan.targets }}"
    effective_root: "{{ plan.effective_root }}"
    root_gid: "{{ subid.root_gid }}"
"""

RETURN = r"""
actions:
  description: What was done, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["mount /dev/sdb1 on /var/lib/docker/100000.100000/overlay2"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    files,
    managed_files,
    mount_points,
    move_file,
    systemd,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import guard
from ansible_collections.bulkhead.docker.plugins.module_utils.storage.plan import Target


def _targets(raw):
    return [Target(**{**item, "options": tuple(item["options"])}) for item in raw]


def _roots(params):
    roots = [params["data_root"], params["effective_root"]]
    return [(path, params["root_gid"]) for path in dict.fromkeys(path.rstrip("/") for path in roots)]


def _still_guarded():
    """Return what the guards name of a root that an unfinished move leaves, as the daemon still runs from it."""
    journal = move_file.read()
    if journal is None or not journal.unfinished or not journal.move.changes_root:
        return []
    text = files.read_text(guard.DROP_IN.format(unit="docker.service")) or ""
    return [(path, uuid) for path, uuid in guard.pairs(text) if path.startswith(journal.move.before.path + "/")]


def main():
    """Converge mount points, then guards."""
    module = AnsibleModule(
        argument_spec={
            "targets": {"type": "list", "elements": "dict", "required": True},
            "data_root": {"type": "path", "default": "/var/lib/docker"},
            "effective_root": {"type": "path", "required": True},
            "root_gid": {"type": "int", "default": 0},
            "immutable": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    try:
        targets = _targets(module.params["targets"])
    except (TypeError, KeyError) as error:
        module.fail_json(msg=f"targets: {error}; pass on what docker_storage_plan returned.")
    points = mount_points.MountPoints(predict=module.check_mode, immutable=module.params["immutable"])
    try:
        also = [pair for pair in _still_guarded() if pair[0] not in [target.mount_point for target in targets]]
        # Guards first: from the moment a filesystem is mounted, Docker must not start without it.
        unguarded = {path: (None, mode) for path, (_text, mode) in guard.files([]).items()}
        found = managed_files.differences(guard.files(targets, also) if targets or also else unguarded)
        if found and not module.check_mode:
            managed_files.apply(found)
            systemd.daemon_reload()
        points.converge(targets, _roots(module.params) if targets else [])
    except (commands.CommandError, files.FileError, OSError) as error:
        module.fail_json(msg=f"{error}.", actions=points.done)
    for warning in points.warnings:
        module.warn(warning)
    listed = {"before_header": "mount points", "after_header": "mount points", "before": "", "after": "".join(f"{text}\n" for text in points.done)}
    module.exit_json(
        changed=bool(found or points.done),
        actions=[*(f"write {difference.path}" for difference in found), *points.done],
        diff=[*(difference.as_diff() for difference in found), *([listed] if points.done else [])],
    )


if __name__ == "__main__":
    main()
