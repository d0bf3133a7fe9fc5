#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_package_move
short_description: Move the engine's packages in one transaction that is proved or undone
version_added: 0.2.0
description:
  - Does what M(bulkhead.docker.docker_package_set) predicts where M(ansible.builtin.apt) cannot do it in one go - moving an installed engine up
    or down, replacing the packages of one source by those of another, installing a directory of packages without any source, installing a version
    that is not the candidate of packages which are pinned by name (M(ansible.builtin.apt) finds no candidate then).
  - Judges everything again, keeps the packages that are replaced, runs one transaction, and waits until the new engine answers. If it does not,
    the old packages are put back and the failure tells why and where the host stands.
  - An engine that did not serve before is not started.
  - Where dnf manages the packages, does everything - first installations, holding the set (C(dnf versionlock)), enabling the unit of a new engine.
    Packages are fetched and their signatures compared before anything is changed.
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes
  - bulkhead.docker.package_set
options:
  probe_timeout:
    description: Seconds that the new engine has to answer before the old packages are put back.
    type: int
    default: 90
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: Move to another release, with all that belongs together
  bulkhead.docker.docker_package_move:
    packages:
      - name: docker-ce
        version: "28.5"
      - name: docker-ce-cli
        with_engine: true
      - name: containerd.io
"""

RETURN = r"""
serving:
  description: The version that the engine answers with; empty where it did not serve before.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import problems
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    files,
    package_move,
    package_options,
    package_plan,
    quiet_module,
)


def main():
    """Judge, move, prove."""
    arguments = {**package_options.ARGUMENTS, "probe_timeout": {"type": "int", "default": 90}}
    module = AnsibleModule(argument_spec=arguments, supports_check_mode=True, no_log=True)
    quiet_module.hide(module, "settings")
    try:
        found = package_plan.make(package_options.read(module.params))
        if found.problems:
            module.fail_json(msg=problems.summary(found.problems), problems=[str(problem) for problem in found.problems])
        result = package_move.Result(None)
        if (found.command or found.to_hold) and not module.check_mode:
            result = package_move.run(found, module.params["probe_timeout"])
    except (commands.CommandError, files.FileError) as error:
        module.fail_json(msg=f"{error}.")
    except package_move.MoveError as error:
        module.fail_json(msg=str(error))
    for warning in result.warnings:
        module.warn(warning)
    lines = package_plan.lines(found.plan)
    module.exit_json(
        changed=bool(found.command or found.to_hold),
        diff={"before": "", "after": "".join(f"{line}\n" for line in lines), "before_header": "packages", "after_header": "packages"},
        serving=result.serving or "",
    )


if __name__ == "__main__":
    main()
