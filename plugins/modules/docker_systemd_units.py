#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_systemd_units
short_description: Keep a set of systemd unit files and drop-ins as given
version_added: 0.1.0
description:
  - Writes unit files and drop-ins below C(/etc/systemd/system) in one run, removes those that are named without a text,
    and makes systemd read them again when something changed.
  - Units of packages, which lie elsewhere, are never touched.
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes
options:
  units:
    description:
      - From a path below C(/etc/systemd/system), such as C(containers.slice) or C(docker.service.d/20-limits.conf), to
        its whole text. An empty text removes the file.
    type: dict
    required: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: Cap all containers together
  bulkhead.docker.docker_systemd_units:
    units:
      containers.slice: |
        [Slice]
        MemoryHigh=80%
"""

RETURN = r"""
changed_units:
  description: The paths, as given, that were written or removed.
  returned: success
  type: list
  elements: str
"""

import re

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, files, managed_files, systemd

_DIRECTORY = "/etc/systemd/system/"
_NAME = r"[A-Za-z0-9:_.\\@-]+\.(?:service|socket|slice|mount|timer|target|path)"
_PATH = re.compile(rf"{_NAME}(?:\.d/[A-Za-z0-9:_.@-]+\.conf)?")


def main():
    """Compare, write, reload."""
    module = AnsibleModule(argument_spec={"units": {"type": "dict", "required": True}}, supports_check_mode=True)
    units = module.params["units"]
    for path in units:
        if not _PATH.fullmatch(path):
            module.fail_json(msg=f"units: '{path}' is neither a unit file nor a drop-in; write NAME.service or NAME.service.d/FILE.conf.")
    try:
        found = managed_files.differences({_DIRECTORY + path: (text or None, 0o644) for path, text in units.items()})
        if found and not module.check_mode:
            managed_files.apply(found)
            systemd.daemon_reload()
    except (commands.CommandError, files.FileError) as error:
        module.fail_json(msg=f"{error}.")
    module.exit_json(
        changed=bool(found),
        changed_units=[difference.path[len(_DIRECTORY):] for difference in found],
        diff=[difference.as_diff() for difference in found],
    )


if __name__ == "__main__":
    main()
