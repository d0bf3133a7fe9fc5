#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_limits
short_description: Limit what containers take of a host
version_added: 0.1.0
description:
  - Writes drop-ins and slices of systemd for all containers together, for classes of containers, for each container that was given nothing of
    its own, and for what must go on beside them; lets systemd read them; and sees in C(/sys/fs/cgroup) that the kernel keeps them.
  - Neither Docker nor a container is restarted.
  - What makes no sense on the host is refused before anything is written, all reasons at once.
  - Used by the role P(bulkhead.docker.docker_limits#role), whose page describes the names and values of limits.
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes
options:
  state:
    description: Whether containers are limited. With V(absent) all that this module wrote is taken away.
    type: str
    choices: [present, absent]
    default: present
  slice:
    description: The slice of all containers.
    type: str
    default: containers.slice
  cgroup_parent:
    description:
      - Where the same play makes dockerd put its containers, which has to be O(slice).
      - Left out, C(/etc/docker/daemon.json) says it.
    type: str
  slice_directives:
    description:
      - The directives that the unit file of O(slice) has by the same play; they count instead of O(containers).
      - Left out, the file that is there says it.
    type: list
    elements: str
  containers:
    description: Limits of all containers together.
    type: dict
    default: {}
  classes:
    description: From the name of a class to the limits of its containers together.
    type: dict
    default: {}
  container:
    description: Limits of each container that was given nothing of its own.
    type: dict
    default: {}
  system:
    description: What C(system.slice) is given before containers.
    type: dict
    default: {}
  daemon:
    description: What dockerd and containerd are given, each.
    type: dict
    default: {}
  reserve:
    description: Memory that containers together must leave to the host.
    type: str
    default: '0'
  without_controllers:
    description: What is done on a host whose control groups cannot keep the limits.
    type: str
    choices: [warn, refuse]
    default: warn
  below_use:
    description: What is done with a limit of memory that is below what is in use and cannot be taken back.
    type: str
    choices: [refuse, allow]
    default: refuse
  textfile_directory:
    description: Directory from which the node exporter of Prometheus reads. Empty for no metrics.
    type: str
    default: ''
  interval:
    description: How often metrics are written, as a span of time of systemd.
    type: str
    default: 1min
  thresholds:
    description: Thresholds that are told as metrics, for rules of alerts.
    type: dict
    default: {}
  roots:
    description: Directories of Docker; the filesystems on which they and what is below them lie are told of.
    type: list
    elements: str
    default: [/var/lib/docker, /var/lib/containerd]
  program:
    description: The text of the program that writes metrics, without its first line.
    type: str
    default: ''
  python:
    description: The interpreter of that program.
    type: str
    default: /usr/bin/python3
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: Leave a part of the host to the host
  bulkhead.docker.docker_limits:
    containers:
      memory_max: 85%
      tasks_max: 70%
    classes:
      batch:
        cpu_weight: 20
        memory_max: 2GiB
    container:
      tasks_max: 1024
    reserve: 256MiB
  become: true
"""

RETURN = r"""
files:
  description: The files that this module keeps.
  returned: success
  type: list
  elements: str
slices:
  description: The units whose limits are seen to be kept.
  returned: success
  type: list
  elements: str
units:
  description: The slices of classes.
  returned: success
  type: list
  elements: str
timers:
  description: The names of the timers that run; none where no metrics are written.
  returned: success
  type: list
  elements: str
enforced:
  description: Whether the host has the controllers that all limits need.
  returned: success
  type: bool
remarks:
  description: What is given as warnings too, such as containers that lie outside of the slice.
  returned: success
  type: list
  elements: str
changed_files:
  description: The files that were written or removed.
  returned: success
  type: list
  elements: str
mended:
  description: Limits that the kernel did not keep although the files were right.
  returned: success
  type: list
  elements: str
problems:
  description: Why nothing was done, one sentence each.
  returned: when refused
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import limits, limits_metrics, problems
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, files
from ansible_collections.bulkhead.docker.plugins.module_utils.host import limits as host_limits


def main():
    """Judge, compare, write, let systemd read, see what the kernel keeps."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "cgroup_parent": {"type": "str"},
            "slice_directives": {"type": "list", "elements": "str"},
            **host_limits.ARGUMENTS,
            "below_use": {"type": "str", "choices": ["refuse", "allow"], "default": "refuse"},
            "textfile_directory": {"type": "str", "default": ""},
            "interval": {"type": "str", "default": "1min"},
            "thresholds": {"type": "dict", "default": {}},
            "roots": {"type": "list", "elements": "str", "default": ["/var/lib/docker", "/var/lib/containerd"]},
            "program": {"type": "str", "default": ""},
            "python": {"type": "str", "default": "/usr/bin/python3"},
        },
        supports_check_mode=True,
    )
    options = module.params
    wanted = None
    try:
        if options["state"] == "absent":
            found = host_limits.removal()
        else:
            wanted = host_limits.wanted(options, host_limits.parent_of_daemon(options["cgroup_parent"]), options["slice_directives"])
            found = host_limits.plan(
                wanted,
                _metrics(options, wanted),
                strict=options["without_controllers"] == "refuse",
                below_use=options["below_use"] == "allow",
                predicting=module.check_mode,
            )
        if found.changes and not module.check_mode:
            host_limits.carry_out(found)
    except host_limits.Refused as refused:
        module.fail_json(msg=problems.summary(refused.problems), problems=[str(problem) for problem in refused.problems])
    except (commands.CommandError, files.FileError, OSError) as error:
        module.fail_json(msg=f"{error}.")
    for sentence in found.warnings:
        module.warn(sentence)
    module.exit_json(
        changed=found.changes,
        changed_files=[one.path for one in (*found.files, *found.metrics.files)],
        mended=[str(one) for one in found.wrong],
        enforced=not found.lacking,
        remarks=list(found.warnings),
        diff=found.diff(),
        **host_limits.state(wanted, found),
    )


def _metrics(options, wanted):
    if not options["textfile_directory"]:
        return None
    return limits_metrics.Wanted(
        directory=options["textfile_directory"],
        program=options["program"],
        interval=options["interval"],
        python=options["python"],
        slices=(wanted.slice, *(wanted.class_slice(name) for name in wanted.classes), limits.SYSTEM),
        roots=tuple(options["roots"]),
        thresholds=options["thresholds"],
    )


if __name__ == "__main__":
    main()
