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
    M(ansible.builtin.apt), M(bulkhead.docker.docker_package_move) and M(ansible.builtin.dpkg_selections) have to do.
  - Lets the package manager simulate the transaction, and refuses one that would remove anything beyond the set.
  - Where an engine that is installed moves to another release, that release is judged against this host's C(daemon.json), its unit,
    its containers' log drivers and where its layers lie. What breaks is refused, what changes is said in warnings.
  - Nothing is ever written. In check mode RV(ignore:changed) and the diff predict what the role
    P(bulkhead.docker.docker_engine#role) is going to do.
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes
  - bulkhead.docker.package_set
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
        with_engine: true
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
remove:
  description: Packages of another source that make room.
  returned: success
  type: list
  elements: str
hold:
  description: The packages that have yet to be held.
  returned: success
  type: list
  elements: str
new:
  description: Those of RV(install) that are not installed now, by name.
  returned: success
  type: list
  elements: str
unknown:
  description: Packages that the sources do not offer, or not in the version asked for; fetching the lists of packages may help.
  returned: success
  type: list
  elements: str
engine_installed:
  description: Whether a package that brings dockerd is installed.
  returned: success
  type: bool
needs_move:
  description: Whether this is more than M(ansible.builtin.apt) does, or dnf is to do it, so that M(bulkhead.docker.docker_package_move) has to.
  returned: success
  type: bool
manager:
  description: What manages the packages, C(apt) or C(dnf).
  returned: success
  type: str
notes:
  description: What the move of the engine changes for this host, the fate of its containers included.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import problems
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    files,
    package_options,
    package_plan,
    quiet_module,
)


def main():
    """Look, compare, judge, report."""
    module = AnsibleModule(argument_spec=package_options.ARGUMENTS, supports_check_mode=True, no_log=True)
    quiet_module.hide(module, "settings")
    try:
        found = package_plan.make(package_options.read(module.params))
    except (commands.CommandError, files.FileError) as error:
        module.fail_json(msg=f"{error}.")
    plan = found.plan
    if found.problems:
        module.fail_json(msg=problems.summary(found.problems), problems=[str(problem) for problem in found.problems])
    for note in found.notes:
        module.warn(f"{plan.engine_before} -> {plan.engine_after}: {note}.")
    lines = package_plan.lines(plan)
    module.exit_json(
        changed=bool(lines) and module.check_mode,
        diff={"before": "", "after": "".join(f"{line}\n" for line in lines), "before_header": "packages", "after_header": "packages"},
        install=list(plan.install),
        new=package_plan.new(found),
        remove=list(plan.remove),
        hold=list(plan.hold),
        unknown=list(plan.unknown),
        engine_installed=bool(plan.engine_before),
        needs_move=found.needs_move,
        manager=found.manager,
        notes=list(found.notes),
    )


if __name__ == "__main__":
    main()
