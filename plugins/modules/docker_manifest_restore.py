#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_manifest_restore
short_description: Put back what the manifest remembers of a role and no variable says
version_added: 0.1.0
description:
  - Compares the things of one role with what M(bulkhead.docker.docker_manifest) wrote down, and puts back what the role does not
    make from its variables. These are modes and owners, masks, what starts at boot and runs, drop-ins and unit files of others, id ranges,
    options of mounts, kernel settings, and what was written under a mount.
  - What is in the way, such as an edited file, a symbolic link in the place of one, or a drop-in that nobody wrote down, is moved to
    C(/var/lib/bulkhead/set-aside) and never deleted. Data under a mount stays on its filesystem, in C(.bulkhead-set-aside)
    where that is another one.
  - Never restarts Docker. Where the dockerd that runs was started with what is put right, that is noted, and
    M(bulkhead.docker.docker_daemon_config) restarts it, or says that it waits.
  - The roles call it by themselves when the playbook C(drift) mends.
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes
options:
  section:
    description: The role whose things are put back.
    type: str
    required: true
  packages:
    description:
      - The packages of the engine's set, as M(bulkhead.docker.docker_package_set) takes them. Of those without a version,
        RV(packages) says which to put back. Only for O(section=docker_engine).
    type: list
    elements: dict
    default: []
  upgrade:
    description: Whether packages become newer anyway, so that no version is put back.
    type: bool
    default: false
  downgrade:
    description: Whether packages may become older.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: Put back what belongs to the daemon
  bulkhead.docker.docker_manifest_restore:
    section: docker_daemon
  become: true
"""

RETURN = r"""
restored:
  description: What was put back, or would be in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: [set aside the drop-in /etc/systemd/system/docker.service.d/override.conf]
set_aside:
  description: Where things were moved to.
  returned: success
  type: list
  elements: str
  sample: [/var/lib/bulkhead/set-aside/20261126T150249Z/etc/systemd/system/docker.service.d/override.conf]
left:
  description: What stays different, with C(item) and C(reason).
  returned: success
  type: list
  elements: dict
packages:
  description: Versions to put back, by name of the package.
  returned: success
  type: dict
  sample: {runc: 1.1.15+ds1-2}
"""

import dataclasses

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.drift import model
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, files, manifest_restore


def main():
    """Compare, put back, report."""
    module = AnsibleModule(
        argument_spec={
            "section": {"type": "str", "required": True},
            "packages": {"type": "list", "elements": "dict", "default": []},
            "upgrade": {"type": "bool", "default": False},
            "downgrade": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    packages = manifest_restore.Packages(
        tuple(str(package["name"]) for package in params["packages"] if package.get("name") and not package.get("version")),
        params["upgrade"],
        params["downgrade"],
    )
    try:
        result = manifest_restore.run(params["section"], packages, module.check_mode)
    except (commands.CommandError, files.FileError) as error:
        module.fail_json(msg=f"{error}.")
    if result.problem:
        module.warn(f"Nothing is put back for {params['section']}: {result.problem}.")
    for left in result.left:
        module.warn(model.readable(f"{left.item} stays as it is: {left.reason}."))
    said = model.readable([action.says for action in result.actions])
    module.exit_json(
        changed=bool(said),
        restored=said,
        set_aside=model.readable(result.places),
        left=model.readable([dataclasses.asdict(left) for left in result.left]),
        packages=result.packages,
        diff={"before_header": "drifted", "after_header": "as recorded", "before": "", "after": "".join(f"{line}\n" for line in said)},
    )


if __name__ == "__main__":
    main()
