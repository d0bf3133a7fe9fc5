#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_subid
short_description: Allocate or verify the subordinate id ranges of userns-remap
version_added: 0.1.0
description:
  - Makes sure that the user of C(userns-remap) owns a range in C(/etc/subuid) and in C(/etc/subgid) that overlaps no
    other range and no account of the host.
  - A range that exists is verified and never moved, because every file below the effective root belongs to its ids.
  - The account itself is not made here; the role P(bulkhead.docker.docker_daemon#role) does that
    with M(ansible.builtin.user).
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes
options:
  user:
    description: The user that C(userns-remap) names.
    type: str
    default: dockremap
  start:
    description:
      - The first id that is wanted. Without it the lowest free range from 100000 on is taken, the same in both files.
      - Refused when the user already has a range with another start.
    type: int
  count:
    description: How many ids a new range gets; at least 65536, or containers lack the ids that images use.
    type: int
    default: 65536
  data_root:
    description: The data-root from which RV(effective_root) is computed.
    type: path
    default: /var/lib/docker
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: Give dockremap a range that overlaps no other
  bulkhead.docker.docker_subid:
    user: dockremap
  register: subid

- name: Show where Docker will keep its data
  ansible.builtin.debug:
    msg: "{{ subid.effective_root }}"
"""

RETURN = r"""
uid_ranges:
  description: The user's ranges in /etc/subuid, in file order, as they are after the run.
  returned: success
  type: list
  elements: dict
  sample: [{"start": 100000, "count": 65536}]
gid_ranges:
  description: The user's ranges in /etc/subgid, in file order, as they are after the run.
  returned: success
  type: list
  elements: dict
  sample: [{"start": 100000, "count": 65536}]
root_uid:
  description: The host's uid of a container's root.
  returned: success
  type: int
  sample: 100000
root_gid:
  description: The host's gid of a container's root group.
  returned: success
  type: int
  sample: 100000
effective_root:
  description: The directory below O(data_root) that dockerd uses with this mapping.
  returned: success
  type: str
  sample: /var/lib/docker/100000.100000
account_exists:
  description: Whether the host has an account and a group of that name; dockerd needs both.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import id_ranges, problems
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files, subid_files


def _as_dicts(ranges):
    return [{"start": found.start, "count": found.count} for found in ranges]


def _plan(params):
    uid_file, gid_file = subid_files.read()
    plan = id_ranges.plan(
        params["user"],
        uid_file,
        gid_file,
        user_number=subid_files.account_number(params["user"]),
        start=params["start"],
        count=params["count"],
    )
    return uid_file, gid_file, plan


def main():
    """Plan under the lock, append what is missing, report the mapping."""
    module = AnsibleModule(
        argument_spec={
            "user": {"type": "str", "default": "dockremap"},
            "start": {"type": "int"},
            "count": {"type": "int", "default": id_ranges.DEFAULT_COUNT},
            "data_root": {"type": "path", "default": "/var/lib/docker"},
        },
        supports_check_mode=True,
    )
    user = module.params["user"]
    try:
        uid_file, gid_file, plan = _plan(module.params)
        changed = bool(plan.add_uid or plan.add_gid)
        if changed and not module.check_mode:
            with subid_files.locked():
                uid_file, gid_file, plan = _plan(module.params)
                if not plan.problems:
                    for file, addition in ((uid_file, plan.add_uid), (gid_file, plan.add_gid)):
                        if addition:
                            subid_files.replace(file.path, id_ranges.with_line(file.text, addition))
    except (files.FileError, ValueError) as error:
        module.fail_json(msg=f"{error}.")
    if plan.problems:
        module.fail_json(msg=problems.summary(plan.problems))
    diff = [
        {"before_header": file.path, "after_header": file.path, "before": file.text, "after": id_ranges.with_line(file.text, addition)}
        for file, addition in ((uid_file, plan.add_uid), (gid_file, plan.add_gid))
        if addition
    ]
    module.exit_json(
        changed=changed,
        diff=diff,
        uid_ranges=_as_dicts(plan.mapping.uid_ranges),
        gid_ranges=_as_dicts(plan.mapping.gid_ranges),
        root_uid=plan.mapping.root_uid,
        root_gid=plan.mapping.root_gid,
        effective_root=id_ranges.effective_root(module.params["data_root"], plan.mapping),
        account_exists=subid_files.account_exists(user),
    )


if __name__ == "__main__":
    main()
