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
  - What works but ought to be known, and what could not be judged because a fact of the host could not be read, is
    returned and shown as warnings.
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
  selinux:
    description: Whether containers get labels of SELinux, as M(bulkhead.docker.docker_daemon_config) takes it.
    type: str
    choices: [auto, 'true', 'false', '']
    default: ''
  restart:
    description: Whether the daemon may be restarted, as M(bulkhead.docker.docker_daemon_config) takes it.
    type: str
    choices: [auto, defer]
    default: auto
  accept:
    description:
      - Names of rows of the table of what excludes what (C(docs/preflight.md)) that are known of this host and not to be
        told again.
      - Rows that refuse cannot be accepted.
    type: list
    elements: str
    default: []
  limits:
    description: The limits of containers, as M(bulkhead.docker.docker_limits) takes them; without it none are judged.
    type: dict
    suboptions:
      slice:
        description: The slice of all containers.
        type: str
        default: containers.slice
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
  description:
    - What was found of the host, such as kernel, cgroup version, security modules and engine.
    - A fact that could not be read is null.
  returned: success
  type: dict
told:
  description: What works but ought to be known, by the name of its row; without what was accepted.
  returned: success
  type: dict
  sample:
    swarm-autolock: "swarm: is locked by autolock, so no reboot of this manager is unattended; keep the key at hand."
unknown:
  description: What could not be judged, because a fact of the host could not be read.
  returned: success
  type: list
  elements: str
problems:
  description: Every reason to refuse.
  returned: failure
  type: list
  elements: str
"""

import dataclasses

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    exclusion_rows,
    image_store,
    package_versions,
    packages,
    preflight,
    problems,
    versions,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import rootless as engine_rootless
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    accounts,
    commands,
    daemon_facts,
    daemon_plan,
    facts,
    files,
    move_plan,
    package_options,
    package_plan,
    quiet_module,
    rootless,
    seccomp_plan,
    security_modules,
    storage_options,
    user_daemon,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host import limits as host_limits
from ansible_collections.bulkhead.docker.plugins.module_utils.host.daemon import Daemon
from ansible_collections.bulkhead.docker.plugins.module_utils.storage import layout, move


def _judge_packages(params):
    """Return what forbids the packages, and the release that dockerd is going to have where it is not the one that is there."""
    if not params["packages"]:
        return [], ""
    policy = {name: params["package_policy"].get(name) for name in package_options.POLICY if params["package_policy"].get(name) is not None}
    wanted = tuple(packages.Wanted(**{name: item[name] for name in package_options.PACKAGE if item.get(name) is not None}) for item in params["packages"])
    # The role that moves the engine judges its own settings; the daemon's are judged below.
    found = package_plan.make(package_plan.Request(wanted, packages.Policy(**policy), params["package_policy"].get("directory") or ""))
    return list(found.problems), _coming(wanted[0], found.plan)


def _coming(engine, plan):
    """Return the release that the engine's package brings, empty where that is the installed one."""
    if plan.moves_engine or (plan.engine_after and not plan.engine_before):
        return packages.release(plan.engine_after)
    if plan.engine_before or engine.name not in plan.unknown:
        return ""
    # Its source is still to be declared. Another engine that the host's sources offer says nothing about it.
    try:
        return str(versions.parse(package_versions.upstream(engine.version)))
    except ValueError:
        return str(versions.NEWEST_KNOWN)


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


def _storage_problems(request):
    """Return what forbids the filesystems, and the move of existing data if they need one."""
    moving = move_plan.make(request)
    return [*moving.storage.problems, *([] if moving.storage.problems else moving.problems())]


def _daemon_problems(params, coming):
    wanted = params["rootless"]
    host = user_daemon.UserDaemon(accounts.find(wanted["user"], wanted["home"])) if wanted else Daemon()
    request = daemon_plan.Request(
        settings=user_daemon.settings_for(params["settings"], params["image_store"]) if wanted else params["settings"],
        seccomp_profile=params["seccomp_profile"],
        image_store=params["image_store"],
        # Users, ranges and packages are still to come.
        predicting=True,
        coming_version=coming,
        may_restart=params["restart"] == "auto",
        moves_data=params["existing_data"] == move.MOVE,
    )
    if not request.settings:
        return seccomp_plan.problems(Daemon(), request.seccomp_profile)
    try:
        daemon_plan.make(host, request)
    except daemon_plan.Refused as refused:
        return [*_contradictions(params), *refused.problems]
    return _contradictions(params)


def _limits_problems(params):
    asked = params["limits"]
    if not asked or params["rootless"]:
        return []
    parent = str(params["settings"].get("cgroup-parent") or "")
    return host_limits.judge(host_limits.wanted(asked, parent, ()), asked["without_controllers"] == "refuse")[0]


def _pinned(params, version):
    try:
        return image_store.pinned(params["settings"], params["image_store"], version or versions.NEWEST_KNOWN)
    except ValueError:
        # The release cannot have that store, which the daemon's own judgement says.
        return params["settings"]


def _engine_version(found, coming):
    text = coming or found.engine_version or found.coming_version
    try:
        return versions.parse(text) if text else None
    except ValueError:
        return None


def _own_filesystems(entries, found):
    """What the layout asks for; whether an existing filesystem has typed entries is seen only where it is mounted."""
    made = {entry.name: entry.backend != "existing" for entry in entries}
    seen = found.layers.type_entries if found.layers else None
    return {entry.name: preflight.Filesystem(entry.fstype, entry.options, True if made[entry.name] else seen) for entry in entries}


def _host_judgement(params, request, found, coming):
    version = _engine_version(found, coming)
    asked = preflight.Request(
        config=_pinned(params, version),
        userns_remap=bool(params["userns_remap"]),
        mapping=request.mapping,
        own=_own_filesystems(request.entries, found),
        backends=tuple(entry.backend for entry in request.entries),
    )
    return preflight.judge(found, asked, version)


def _layers_directory(params, request):
    asked = exclusion_rows.asked_of_daemon(_pinned(params, None), versions.NEWEST_KNOWN)
    if asked["store"] == "containerd":
        return layout.place("containerd", params["data_root"], None).mount_point
    return layout.place("overlay2", params["data_root"], request.mapping).mount_point


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
            "selinux": {"type": "str", "choices": ["auto", "true", "false", ""], "default": ""},
            "restart": {"type": "str", "choices": ["auto", "defer"], "default": "auto"},
            "accept": {"type": "list", "elements": "str", "default": []},
            "rootless": {"type": "dict", "options": rootless.ARGUMENTS},
            "limits": {"type": "dict", "options": host_limits.ARGUMENTS},
        },
        supports_check_mode=True,
        no_log=True,
    )
    quiet_module.hide(module, "settings")
    params = module.params
    if params["settings"]:
        params["settings"] = {**security_modules.daemon_settings(params["selinux"]), **params["settings"]}
    try:
        request = storage_options.read(params)
        with_firewall = params["settings"].get("firewall-backend") == "nftables"
        found = facts.gather(params["data_root"], _layers_directory(params, request), with_firewall)
        against_packages, coming = _judge_packages(params)
        host = _host_judgement(params, request, found, coming)
        told, wrong = preflight.accept(host.told, params["accept"])
        # The directories of a user's daemon are no filesystems of ours.
        planned = [] if params["rootless"] else _storage_problems(request)
        reasons = [
            *host.refused,
            *wrong,
            *planned,
            *_rootless_problems(params),
            *against_packages,
            *_daemon_problems(params, coming),
            *_limits_problems(params),
        ]
    except (commands.CommandError, files.FileError) as error:
        module.fail_json(msg=f"{error}.")
    reasons = list(dict.fromkeys(reasons))
    if reasons:
        module.fail_json(msg=problems.summary(reasons), problems=[str(problem) for problem in reasons])
    for problem in [*told.values(), *host.unknown]:
        module.warn(str(problem))
    module.exit_json(
        changed=False,
        facts=dataclasses.asdict(found),
        told={name: str(problem) for name, problem in told.items()},
        unknown=[str(problem) for problem in host.unknown],
    )


if __name__ == "__main__":
    main()
