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
  package_policy:
    description:
      - What may happen to packages that are installed (C(upgrade), C(downgrade), C(replace)), and the C(directory) of the host that holds
        them if they come from one, as M(bulkhead.docker.docker_package_set) takes it.
    type: dict
    default: {}
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
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    daemon_facts,
    daemon_plan,
    facts,
    files,
    package_options,
    package_plan,
    storage_options,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import Daemon


def _judge_packages(params):
    """Return what forbids the packages, and the release that dockerd is going to have where they move it."""
    if not params["packages"]:
        return [], ""
    policy = {name: params["package_policy"].get(name) for name in package_options.POLICY if params["package_policy"].get(name) is not None}
    wanted = tuple(packages.Wanted(**{name: item[name] for name in package_options.PACKAGE if item.get(name) is not None}) for item in params["packages"])
    # The role that moves the engine judges its own settings; the daemon's are judged below.
    found = package_plan.make(package_plan.Request(wanted, packages.Policy(**policy), params["package_policy"].get("directory") or ""))
    return list(found.problems), packages.release(found.plan.engine_after) if found.plan.moves_engine else ""


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


def _daemon_problems(params, coming):
    request = daemon_plan.Request(
        settings=params["settings"],
        seccomp_profile=seccomp.text_of(params["seccomp_profile"]),
        image_store=params["image_store"],
        # Users, ranges and packages are still to come.
        predicting=True,
        coming_version=coming,
    )
    if not request.settings:
        return seccomp.problems(request.seccomp_profile) if request.seccomp_profile != daemon_plan.BUILTIN else []
    try:
        daemon_plan.make(Daemon(), request)
    except daemon_plan.Refused as refused:
        return [*_contradictions(params), *refused.problems]
    return _contradictions(params)


def main():
    """Look once, judge everything, report or refuse."""
    module = AnsibleModule(
        argument_spec={
            **storage_options.ARGUMENTS,
            "packages": {"type": "list", "elements": "dict", "default": []},
            "package_policy": {"type": "dict", "default": {}},
            "settings": {"type": "dict", "default": {}},
            "image_store": {"type": "str", "default": "overlay2", "choices": list(image_store.STORES)},
            "seccomp_profile": {"type": "raw", "default": daemon_plan.BUILTIN},
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
        against_packages, coming = _judge_packages(params)
        reasons = [*preflight.problems(found, asked), *request.plan().problems, *against_packages, *_daemon_problems(params, coming)]
    except (commands.CommandError, files.FileError) as error:
        module.fail_json(msg=f"{error}.")
    if reasons:
        module.fail_json(msg=problems.summary(reasons), problems=[str(problem) for problem in reasons])
    module.exit_json(changed=False, facts=dataclasses.asdict(found))


if __name__ == "__main__":
    main()
