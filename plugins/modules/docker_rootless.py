#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_rootless
short_description: Let a user's systemd run the Docker daemon (rootless mode)
version_added: 0.1.0
description:
  - Judges whether the host can run dockerd without root, and refuses with every reason at once before anything is written.
  - Writes the user's unit, to C(/etc/systemd/user/docker.service) where only root can change it, hands control groups down to the
    user's systemd, lets that start at boot and outlive the last session (linger), makes the data directory, and stops and
    disables the daemon of root.
  - The daemon itself is configured and started by M(bulkhead.docker.docker_daemon_config) with its option C(rootless_user).
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes
options:
  user:
    description:
      - The user, who exists and has ranges of subordinate ids; see M(bulkhead.docker.docker_subid).
      - In check mode the user may still be missing.
    type: str
    required: true
  home:
    description: The user's home directory; the account has to agree.
    type: path
    required: true
  data_root:
    description: The directory of the daemon's data. It is made when missing, and has to belong to the user.
    type: path
    required: true
  mount_point:
    description:
      - The mount point of a filesystem that holds O(data_root). The daemon does not start while nothing is mounted there.
      - Empty where the data may lie on any filesystem.
    type: str
    default: ''
  controllers:
    description:
      - The resources on which containers must be able to have limits. A host whose control groups cannot give them to a user is refused.
      - Empty accepts that limits of containers are ignored.
    type: list
    elements: str
    choices: [cpu, cpuset, io, memory, pids]
    default: [cpu, cpuset, io, memory, pids]
  lowest_port:
    description: The lowest port of the host that containers will publish; refused where only root may have it.
    type: int
    default: 1024
  leave_rootful_data:
    description:
      - Whether containers, images and volumes of root's daemon may stay behind. They are neither moved nor removed.
      - Without it a host that has some is refused.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
seealso:
  - module: bulkhead.docker.docker_subid
  - module: bulkhead.docker.docker_daemon_config
"""

EXAMPLES = r"""
- name: Let alice run Docker, with data on a filesystem of its own
  bulkhead.docker.docker_rootless:
    user: alice
    home: /home/alice
    data_root: /srv/docker/alice
    mount_point: /srv/docker
"""

RETURN = r"""
docker_host:
  description: The value of C(DOCKER_HOST) for clients, null in check mode while there is no such user.
  returned: success
  type: str
  sample: unix:///run/user/1001/docker.sock
stopped_units:
  description: Units of root's daemon that were stopped and disabled, or in check mode would be.
  returned: success
  type: list
  elements: str
actions:
  description: What was done, or in check mode would be.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import problems
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import rootless as engine_rootless
from ansible_collections.bulkhead.docker.plugins.module_utils.host import accounts, commands, files, rootless


def main():
    """Judge, compare, make it so."""
    module = AnsibleModule(argument_spec=rootless.ARGUMENTS, supports_check_mode=True)
    request = engine_rootless.Request(**module.params, predicting=module.check_mode)
    account = accounts.find(request.user, request.home)
    if account.uid is None and not module.check_mode:
        module.fail_json(msg=f"user: this host has no account '{request.user}'; make it first, with its ranges of ids, or use the role docker_rootless.")
    try:
        reasons = rootless.judge(request)
        if reasons:
            module.fail_json(msg=problems.summary(reasons), problems=[str(problem) for problem in reasons])
        todo = rootless.plan(account, request, rootless.program() or engine_rootless.PROGRAMS[0])
        if todo.changed and not module.check_mode:
            rootless.apply(account, request, todo)
    except (commands.CommandError, files.FileError) as error:
        module.fail_json(msg=f"{error}.")
    module.exit_json(
        changed=todo.changed,
        docker_host=account.socket if account.uid is not None else None,
        stopped_units=list(todo.switch_off),
        actions=todo.lines(),
        diff=[difference.as_diff() for difference in (*todo.user_units, *todo.system_units)],
    )


if __name__ == "__main__":
    main()
