# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations


class ModuleDocFragment:
    """Where reports go on the controller; see plugin_utils/report_files.py."""

    DOCUMENTATION = r"""
options:
  hosts:
    description: The hosts that are reported. By default all hosts of the play, those included that it lost.
    type: list
    elements: str
  directory:
    description:
      - Where the reports go on the controller; it is made when missing. A relative path starts at the directory in which
        Ansible was started.
    type: str
    required: true
  mode:
    description: The mode of the files. They say what is weak where, so by default only their owner reads them.
    type: str
    default: "0600"
  directory_mode:
    description: The mode of directories that are made.
    type: str
    default: "0700"
attributes:
  action:
    description: Has an action plugin, which runs on the controller.
    support: full
  bypass_host_loop:
    description: Runs once for all hosts of the play.
    support: full
  check_mode:
    description: Can run in check mode and predict what a real run would do, without changing the host.
    support: full
"""
