#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_preflight
short_description: Refuse what a host cannot be, with every reason at once
version_added: 0.1.0
description:
  - Looks at the kernel, cgroups, virtualisation, security modules, disks and the installed engine, and judges what is
    going to be asked of storage, engine and daemon by the same code that later does it.
  - Fails with every problem at once, each with what was found and what to do. Nothing is ever written.
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes.info_module
  - bulkhead.docker.storage_layout
options:
  packages:
    description: The packages of the engine, as M(bulkhead.docker.docker_package_set) takes them; without any they are not judged.
    type: list
    elements: dict
    default: []
  settings:
    description:
      - The keys for daemon.json, as M(bulkhead.docker.docker_daemon_config) takes them; without any the daemon is not judged.
      - Their C(data-root) and C(userns-remap) have to be O(data_root) and O(userns_remap).
    type: dict
    default: {}
  image_store:
    description: Where images and layers are to lie, as M(bulkhead.docker.docker_daemon_config) takes it.
    type: str
    choices: [overlay2, containerd, '']
    default: overlay2
  seccomp_profile:
    description: The seccomp profile, as M(bulkhead.docker.docker_daemon_config) takes it.
    type: raw
    default: builtin
  rootless:
    description:
      - What a user's daemon needs (rootless mode), as M(bulkhead.docker.docker_rootless) takes it; without it the daemon is root's.
      - O(layout) has to be empty then.
    type: dict
    suboptions:
      user:
        description: The user.
        type: str
        required: true
      home:
        description: The user's home directory.
        type: path
        required: true
      data_root:
        description: The directory of the daemon's data.
        type: path
        required: true
      mount_point:
        description: The filesystem without which the daemon must not start.
        type: str
        default: ''
      controllers:
        description: The resources on which containers must be able to have limits.
        type: list
        elements: str
        choices: [cpu, cpuset, io, memory, pids]
        default: [cpu, cpuset, io, memory, pids]
      lowest_port:
        description: The lowest port that containers will publish.
        type: int
        default: 1024
      leave_rootful_data:
        description: Whether data of root's daemon may stay behind.
        type: bool
        default: false
"""

EXAMPLES = r"""
- name: Would this host do?
  bulkhead.docker.docker_preflight:
    disk: /dev/vdb
    layout:
      - name: overlay2
      - name: volumes
    settings:
      live-restore: true
      userns-remap: dockremap
"""

RETURN = r"""
facts:
  description: What was found of the host, such as kernel, cgroup version, security modules and engine.
  returned: success
  type: dict
"""

import dataclasses

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    image_store,
    packages,
    preflight,
    problems,
    seccomp,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import rootless as engine_rootless
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    accounts,
    commands,
    daemon_facts,
    daemon_plan,
    facts,
    files,
    rootless,
    storage_options,
    user_daemon,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host import packages as host_packages
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import Daemon


def _package_problems(params):
    wanted = [packages.Wanted(item["name"], item.get("version") or "", bool(item.get("optional")), bool(item.get("held", True))) for item in params["packages"]]
    if not wanted:
        return []
    if not host_packages.apt_is_here():
        return [
            problems.Problem(
                "packages",
                "this host has no apt, and this release installs Debian's packages only; install the engine yourself and leave out the role docker_engine",
            )
        ]
    known = host_packages.known([package.name for package in wanted] + list(packages.FOREIGN))
    return list(packages.plan(wanted, known, upgrade=False).problems)


def _contradictions(params):
    """Settings that would take the daemon past the filesystems that storage makes for it."""
    settings = params["settings"]
    asked = {
        "data-root": ("/" + str(settings.get("data-root") or daemon_facts.DEFAULT_DATA_ROOT).strip("/"), "/" + params["data_root"].strip("/")),
        "userns-remap": (settings.get("userns-remap") or "", params["userns_remap"]),
    }
    return [
        problems.Problem(
            key,
            f"is '{daemon}' for dockerd but '{storage}' for its filesystems, which would then lie beside Docker's data; set docker_daemon_{variable} "
            f"and docker_storage_{variable} alike, and leave {key} out of docker_daemon_settings",
        )
        for key, (daemon, storage) in asked.items()
        for variable in [key.replace("-", "_")]
        if daemon != storage
    ]


def _rootless_problems(params):
    if not params["rootless"]:
        return []
    names = [str(entry.get("name")) for entry in params["layout"]]
    return [*engine_rootless.layout_problems(names), *rootless.judge(engine_rootless.Request(**params["rootless"], predicting=True))]


def _daemon_problems(params):
    wanted = params["rootless"]
    host = user_daemon.UserDaemon(accounts.find(wanted["user"], wanted["home"])) if wanted else Daemon()
    request = daemon_plan.Request(
        settings=user_daemon.settings_for(params["settings"], params["image_store"]) if wanted else params["settings"],
        seccomp_profile=seccomp.text_of(params["seccomp_profile"]),
        image_store=params["image_store"],
        # Users, ranges and packages are still to come.
        predicting=True,
    )
    if not request.settings:
        return seccomp.problems(request.seccomp_profile) if request.seccomp_profile != daemon_plan.BUILTIN else []
    try:
        daemon_plan.make(host, request)
    except daemon_plan.Refused as refused:
        return [*_contradictions(params), *refused.problems]
    return _contradictions(params)


def main():
    """Look once, judge everything, report or refuse."""
    module = AnsibleModule(
        argument_spec={
            **storage_options.ARGUMENTS,
            "packages": {"type": "list", "elements": "dict", "default": []},
            "settings": {"type": "dict", "default": {}},
            "image_store": {"type": "str", "default": "overlay2", "choices": list(image_store.STORES)},
            "seccomp_profile": {"type": "raw", "default": daemon_plan.BUILTIN},
            "rootless": {"type": "dict", "options": rootless.ARGUMENTS},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        found = facts.gather(params["data_root"])
        request = storage_options.read(params)
        asked = preflight.Request(
            userns_remap=params["userns_remap"],
            own_names=tuple(entry.name for entry in request.entries),
            backends=tuple(entry.backend for entry in request.entries),
        )
        # The directories of a user's daemon are no filesystems of ours.
        planned = [] if params["rootless"] else request.plan().problems
        reasons = [*preflight.problems(found, asked), *planned, *_rootless_problems(params), *_package_problems(params), *_daemon_problems(params)]
    except (commands.CommandError, files.FileError) as error:
        module.fail_json(msg=f"{error}.")
    if reasons:
        module.fail_json(msg=problems.summary(reasons), problems=[str(problem) for problem in reasons])
    module.exit_json(changed=False, facts=dataclasses.asdict(found))


if __name__ == "__main__":
    main()
