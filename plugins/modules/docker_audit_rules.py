#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_audit_rules
short_description: Let the kernel's audit watch Docker, without a flood of records
version_added: 0.1.0
description:
  - Writes C(/etc/audit/rules.d/50-bulkhead-docker.rules) for the programs, units, settings, sockets and directories of Docker that
    the host has, loads what the kernel lacks of it, takes out what is no longer wanted, and asks the kernel whether it has exactly
    that.
  - Only rules with the key C(bulkhead-docker) are touched. Rules of others stay loaded all the time.
  - Writing and changes of owner and mode are recorded, not reading and execution. Below the data root and C(/run/containerd) no
    rule watches what containers and daemons do; see O(people).
  - A path is watched where it really lies, because a rule for a link is deaf for the file.
  - Writes C(/etc/tmpfiles.d/bulkhead-auditd.conf), so that C(/run/containerd) is there when the rules are loaded at boot.
  - Where the kernel's audit is off, C(auditd.service) is started. Nothing is installed.
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes
options:
  state:
    description: Whether there are rules. With V(absent) all that this module made is taken away.
    type: str
    choices: [present, absent]
    default: present
  people:
    description:
      - Whether what people do anywhere below the data root is recorded. Somebody who logged in keeps the mark of it through C(sudo);
        daemons and containers have none, so these rules are silent while they work.
    type: bool
    default: true
  tolerant:
    description:
      - Whether a rule that cannot be loaded at boot, because its path has gone, must not keep other rules from being loaded.
      - Without it, auditd from release 4 on does not start then. It holds for files of rules whose names come after this one, too.
    type: bool
    default: true
  required:
    description:
      - Whether a kernel that does not answer, or whose rules are locked until the next boot, is a failure.
      - Otherwise the file is written, RV(loaded) is false, and a warning says why.
    type: bool
    default: false
  data_root:
    description: The daemon's data-root. By default what C(daemon.json) and the unit say.
    type: path
  socket:
    description: The socket of the API. By default what C(daemon.json) and the unit say.
    type: path
attributes:
  check_mode:
    support: full
    details:
      - Without C(auditctl) the kernel's rules are not known, and only the files are predicted.
  diff_mode:
    support: full
requirements:
  - auditctl (Debian package auditd)
"""

EXAMPLES = r"""
- name: Record who changes Docker
  bulkhead.docker.docker_audit_rules:

- name: Fail where the kernel cannot record it
  bulkhead.docker.docker_audit_rules:
    required: true

- name: Take the rules away
  bulkhead.docker.docker_audit_rules:
    state: absent
"""

RETURN = r"""
loaded:
  description: Whether the kernel has exactly the rules that are wanted. In check mode, whether it would.
  returned: success
  type: bool
recording:
  description: Whether they record anything, too. They do not where the audit is off, or a rule of somebody else silences it.
  returned: success
  type: bool
reason:
  description: Why RV(loaded) or RV(recording) is false; empty otherwise.
  returned: success
  type: str
reboot_required:
  description: Whether the kernel takes other rules only after the next boot, because they are locked (C(-e 2)).
  returned: success
  type: bool
rules:
  description: What is watched, with its permissions and conditions.
  returned: success
  type: list
  elements: str
  sample: [/etc/docker wa, /usr/sbin/dockerd wa, /var/lib/docker wa auid!=unset]
added:
  description: Rules that the kernel lacked.
  returned: success
  type: list
  elements: str
removed:
  description: Rules that the kernel had and that are no longer wanted.
  returned: success
  type: list
  elements: str
skipped:
  description: Paths of Docker that cannot be watched, with the reason.
  returned: success
  type: dict
tool_missing:
  description: Whether auditctl is not installed.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import problems
from ansible_collections.bulkhead.docker.plugins.module_utils.host import audit_rules, commands, files


def main():
    """Look, write, load, prove."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "people": {"type": "bool", "default": True},
            "tolerant": {"type": "bool", "default": True},
            "required": {"type": "bool", "default": False},
            "data_root": {"type": "path"},
            "socket": {"type": "path"},
        },
        supports_check_mode=True,
    )
    options = module.params
    present = options["state"] == "present"
    try:
        where = audit_rules.places(options["data_root"] or "", options["socket"] or "")
        wrong = audit_rules.problems(where)
        if wrong:
            module.fail_json(msg=problems.summary(wrong))
        plan = audit_rules.make(where, present, options["people"], options["tolerant"])
        if present and plan.tool_missing and not module.check_mode:
            module.fail_json(msg="auditctl is not installed; install the package auditd.")
        reason = audit_rules.not_loaded(plan, plan.predicted())
        if present and options["required"] and reason and not plan.tool_missing:
            module.fail_json(msg=f"The rules are required, but {reason}.")
        kernel = plan.predicted() if module.check_mode else audit_rules.carry_out(plan)
    except audit_rules.AuditError as error:
        module.fail_json(msg=str(error))
    except (commands.CommandError, files.FileError) as error:
        module.fail_json(msg=f"{error}.")
    reason = audit_rules.not_loaded(plan, kernel)
    loaded = present and not reason
    silent = audit_rules.not_recording(kernel) if loaded else ""
    if present and (reason or silent) and not plan.tool_missing:
        module.warn(f"The kernel does not record what happens to Docker: {reason or silent}.")
    module.exit_json(
        changed=plan.changes,
        loaded=loaded,
        recording=loaded and not silent,
        reason=reason or silent,
        reboot_required=kernel.locked and bool(reason),
        rules=sorted(map(str, plan.wanted)),
        added=sorted(map(str, plan.add)),
        removed=sorted(map(str, plan.remove)),
        skipped=dict(plan.skipped),
        tool_missing=plan.tool_missing,
        diff=plan.as_diff(),
    )


if __name__ == "__main__":
    main()
