#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_manifest
short_description: Write down how roles left a Docker host
version_added: 0.1.0
description:
  - Looks at everything that the named roles have on the host, such as files, units, packages, mounts, id ranges, kernel settings and
    the arguments of the running daemon, and writes it into C(/var/lib/bulkhead/manifest.json), which only root can read.
  - M(bulkhead.docker.docker_host_drift) later compares the host with it.
  - Each role has a section of its own. Sections of roles that are not named stay as they are.
  - Call it once at the end of a converge, and name only roles that have run and did not fail.
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes
options:
  sections:
    description:
      - From the name of a role to a dictionary of what that role knows and the host does not tell.
      - Each can have C(inputs), a hash of the variables that the role ran with.
      - C(docker_userns) takes C(user), the remapped user.
      - C(docker_storage) takes C(targets), C(effective_root) and C(root_gid) as M(bulkhead.docker.docker_storage_plan) and
        M(bulkhead.docker.docker_subid) return them, C(data_root), and C(immutable), whether bare mount points are protected.
      - C(docker_engine) takes C(packages), a list of names, or of dictionaries with C(name) and C(held).
      - C(docker_daemon) takes C(config_file), by default C(/etc/docker/daemon.json), C(slice), the name of the slice of all containers,
        and C(rootless_user), the user whose daemon it is.
      - C(docker_limits) takes C(files), C(slices), units whose limits are watched, C(units) and C(timers), as M(bulkhead.docker.docker_limits)
        returns them.
      - C(docker_auditd) takes C(state), V(present) or V(absent).
      - C(docker_apparmor) takes C(profiles), a list of names.
      - C(docker_pull) takes C(files), a list of paths, C(timers) and C(units), lists of names.
      - C(docker_rootless) takes C(user).
      - Each can have C(made), a list of things, such as C(package:docker.io), that this run has made and that were not there before; the
        playbook C(uninstall) takes only those away.
      - Each can have C(accept), a list of patterns such as C(foreign_file:/etc/systemd/*), of things that are written down as they are;
        see RV(kept).
    type: dict
    required: true
  collection_version:
    description: The version of this collection.
    type: str
    required: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Texts of files that are kept for restoring them are not shown.
"""

EXAMPLES = r"""
- name: Write down how the host was left
  bulkhead.docker.docker_manifest:
    collection_version: 0.1.0
    sections:
      docker_userns:
        user: dockremap
      docker_storage:
        targets: "{{ plan.targets }}"
        effective_root: "{{ plan.effective_root }}"
        root_gid: "{{ plan.root_gid }}"
      docker_engine:
        inputs: 9d1f…
        packages: [docker.io, containerd, runc]
      docker_daemon:
        inputs: 77ab…
        slice: containers.slice
  become: true
"""

RETURN = r"""
path:
  description: The path of the manifest.
  returned: success
  type: str
  sample: /var/lib/bulkhead/manifest.json
recorded:
  description: From each named role to the number of things that were written down for it.
  returned: success
  type: dict
  sample: {docker_daemon: 14, docker_engine: 8}
changed_sections:
  description: The roles of whose sections more than the time differs from what was written down before.
  returned: success
  type: list
  elements: str
kept:
  description:
    - Things that differ from what was written down before and that no role makes from its variables, such as foreign files and versions
      of packages, with C(item) and C(role). What was written down stays, so that they are still found.
  returned: success
  type: list
  elements: dict
unknown:
  description: What could not be looked at, with C(item), C(role) and C(reason). Drift of it is not noticed.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.drift import model
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, drift_record, files


def main():
    """Look, compare with what was written down, write."""
    module = AnsibleModule(
        argument_spec={
            "sections": {"type": "dict", "required": True},
            "collection_version": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        record = drift_record.make(module.params["sections"], module.params["collection_version"], predicting=module.check_mode)
        if not module.check_mode:
            drift_record.write(record)
    except (commands.CommandError, files.FileError, drift_record.RecordError) as error:
        module.fail_json(msg=f"{error}.")
    for warning in record.warnings:
        module.warn(warning)
    if record.kept:
        module.warn(
            f"{len(record.kept)} things are not as they were recorded and no role makes them, so they stay drift: "
            f"{model.readable(', '.join(entry['item'] for entry in record.kept[:10]))}{' …' if len(record.kept) > 10 else ''}; "
            "mend them with the playbook drift, or accept them."
        )
    module.exit_json(
        changed=record.changed,
        path=record.path,
        recorded=record.recorded,
        changed_sections=list(record.changed_sections),
        kept=model.readable(record.kept),
        unknown=model.readable(record.unknown),
        diff=record.diff(),
    )


if __name__ == "__main__":
    main()
