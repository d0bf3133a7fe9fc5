#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_apparmor_profiles
short_description: Keep AppArmor profiles for classes of containers loaded and enforced
version_added: 0.1.0
description:
  - Renders a profile for each class of containers for the release of the host's parser, compiles it before anything is
    written, writes it below C(/etc/apparmor.d), loads it, and asks the kernel whether it enforces it.
  - A profile in complain mode, one that is disabled for the next boot, or one that is not loaded is drift and is mended.
  - Profiles of this module that are no longer asked for are unloaded and their files removed, unless processes run under
    them. They would go on without any profile, so this is refused.
  - Containers choose a profile with C(--security-opt apparmor=NAME). Those without one keep the engine's C(docker-default).
  - On a host whose kernel does not run AppArmor nothing is done; see O(required).
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes
options:
  profiles:
    description:
      - From the name of a profile, which begins with C(bulkhead-), to a dictionary.
      - C(class) is C(everyday), C(service) or C(job). C(everyday) takes mounts, settings of the kernel and the ways out from a
        container; C(service) is for network services and takes raw packets, tracing and most capabilities too; C(job) has no
        network at all.
      - C(capabilities) is a list that replaces the one of the class. It gives none that the container has not.
      - C(read_only), C(hidden) and C(no_exec) are lists of paths in the container, with globs, that are not written, not touched
        at all, or not executed.
    type: dict
    required: true
  required:
    description: Whether a host without AppArmor is a failure.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    details:
      - Where the kernel runs AppArmor and only the parser is missing, check mode says so in RV(parser_missing) and does not fail.
  diff_mode:
    support: full
requirements:
  - apparmor_parser (Debian package apparmor)
"""

EXAMPLES = r"""
- name: A profile for everyday containers and one for web servers
  bulkhead.docker.docker_apparmor_profiles:
    profiles:
      bulkhead-default:
        class: everyday
      bulkhead-web:
        class: service
        capabilities: [net_bind_service, setgid, setuid]
        read_only: ["/etc/**", "/usr/**"]
"""

RETURN = r"""
available:
  description: Whether the kernel runs AppArmor and the parser is installed.
  returned: success
  type: bool
unavailable:
  description: Why nothing was done, empty where AppArmor is there.
  returned: success
  type: str
parser_missing:
  description: Whether the kernel runs AppArmor and only apparmor_parser is missing.
  returned: success
  type: bool
loaded:
  description: Profiles that were loaded, or would be in check mode, with the reason.
  returned: success
  type: dict
  sample:
    bulkhead-default: is in complain mode
unloaded:
  description: Profiles that were unloaded, or would be in check mode.
  returned: success
  type: list
  elements: str
overrides:
  description: Links that would have disabled a profile or loaded it in complain mode at the next boot, and were removed.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import apparmor as profiles
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import problems
from ansible_collections.bulkhead.docker.plugins.module_utils.host import apparmor, commands, files


def main():
    """Look, compile, write, load, prove."""
    module = AnsibleModule(
        argument_spec={"profiles": {"type": "dict", "required": True}, "required": {"type": "bool", "default": False}},
        supports_check_mode=True,
    )
    wanted, wrong = profiles.parse(module.params["profiles"])
    if wrong:
        module.fail_json(msg=problems.summary(wrong))
    try:
        plan = apparmor.make(wanted)
        if plan.unavailable and module.params["required"]:
            module.fail_json(msg=f"AppArmor is required, but {plan.unavailable.rpartition(', so ')[0]}; boot with apparmor=1 security=apparmor.")
        if plan.parser_missing and not module.check_mode:
            module.fail_json(msg="The kernel runs AppArmor, but apparmor_parser is not installed; install the package apparmor.")
        if plan.changes and not module.check_mode:
            apparmor.carry_out(plan)
    except apparmor.ApparmorError as error:
        module.fail_json(msg=str(error))
    except (commands.CommandError, files.FileError) as error:
        module.fail_json(msg=f"{error}.")
    if plan.unavailable:
        module.warn(f"No AppArmor profile was loaded: {plan.unavailable}.")
    module.exit_json(
        changed=plan.changes,
        available=not plan.unavailable and not plan.parser_missing,
        unavailable=plan.unavailable,
        parser_missing=plan.parser_missing,
        loaded=plan.drift.load,
        unloaded=list(plan.drift.unload),
        overrides=list(plan.overrides),
        diff=[difference.as_diff() for difference in plan.files],
    )


if __name__ == "__main__":
    main()
