#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_package_set
short_description: Compute what it takes to have the engine's packages as one set
version_added: 0.1.0
description:
  - Compares the packages of the engine with what is installed, offered and held, and returns what
    M(ansible.builtin.apt) and M(ansible.builtin.dpkg_selections) have to do.
  - Nothing is ever written. In check mode RV(ignore:changed) and the diff predict what the role
    P(bulkhead.docker.docker_engine#role) is going to do.
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes
options:
  packages:
    description: The packages of the set.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The package.
        type: str
        required: true
      version:
        description: The version it must have; C(*) and C(?) are wildcards. Empty keeps what is installed.
        type: str
        default: ''
      optional:
        description: Whether a release of the distribution may lack it.
        type: bool
        default: false
      held:
        description: Whether it is one of those that move only together and only when asked.
        type: bool
        default: true
  upgrade:
    description: Whether packages without a version move to the newest that the sources offer.
    type: bool
    default: false
  hold:
    description: Whether the packages are held against upgrades by others.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: See what would be installed
  bulkhead.docker.docker_package_set:
    packages:
      - name: docker.io
      - name: docker-cli
        optional: true
      - name: containerd
      - name: runc
  check_mode: true
  register: packages
"""

RETURN = r"""
install:
  description: What to install, each C(name=version).
  returned: success
  type: list
  elements: str
hold:
  description: The packages that have yet to be held.
  returned: success
  type: list
  elements: str
unknown:
  description: Packages that the sources do not offer; fetching the lists of packages may help.
  returned: success
  type: list
  elements: str
engine_installed:
  description: Whether the first package of the set is installed.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import packages, problems
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands
from ansible_collections.bulkhead.docker.plugins.module_utils.host import packages as host_packages

PACKAGE = {
    "name": {"type": "str", "required": True},
    "version": {"type": "str", "default": ""},
    "optional": {"type": "bool", "default": False},
    "held": {"type": "bool", "default": True},
}


def main():
    """Look, compare, report."""
    module = AnsibleModule(
        argument_spec={
            "packages": {"type": "list", "elements": "dict", "required": True, "options": PACKAGE},
            "upgrade": {"type": "bool", "default": False},
            "hold": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    if not host_packages.apt_is_here():
        module.fail_json(
            msg="This host has no apt; this release installs Debian's packages only, so install the engine yourself and leave out the role docker_engine."
        )
    wanted = [packages.Wanted(**item) for item in module.params["packages"]]
    try:
        known = host_packages.known([package.name for package in wanted] + list(packages.FOREIGN))
    except commands.CommandError as error:
        module.fail_json(msg=f"{error}.")
    plan = packages.plan(wanted, known, module.params["upgrade"], module.params["hold"])
    if plan.problems:
        module.fail_json(msg=problems.summary(plan.problems))
    lines = [*plan.changes, *(f"{name} not installed -> whatever the updated sources offer" for name in plan.unknown), *(f"hold {name}" for name in plan.hold)]
    module.exit_json(
        changed=bool(lines) and module.check_mode,
        diff={"before": "", "after": "".join(f"{line}\n" for line in lines), "before_header": "packages", "after_header": "packages"},
        install=list(plan.install),
        hold=list(plan.hold),
        unknown=list(plan.unknown),
        engine_installed=bool(wanted and known.get(wanted[0].name, packages.Known()).installed),
    )


if __name__ == "__main__":
    main()
