# SPDX-License-Identifier: Apache-2.0
"""Records each playbook run of a scenario as JSON lines, for tests that count what a run did (see lab_runs.py)."""

from __future__ import annotations

DOCUMENTATION = r"""
name: lab_recorder
type: notification
short_description: Record task results and remote module runs of a Molecule scenario
description:
  - Writes one file for each playbook run to the directory named by E(LAB_RUNS), in order, such as C(01-check.jsonl).
  - Records nothing when the variable is not set.
"""

import json
import os
import shutil
from pathlib import Path

from ansible import context
from ansible.playbook.role_include import IncludeRole
from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase

UNRECORDED = ("create", "destroy", "cleanup", "syntax")


def append(path, record):
    line = json.dumps(record) + "\n"
    # Workers write to the same file: one write with O_APPEND keeps lines whole.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def next_file(directory, playbook, check):
    done = sorted(directory.glob("*.jsonl"))
    action = playbook
    if playbook == "converge":
        if check:
            action = "check"
        elif any(path.stem.split("-", 1)[1] == "converge" for path in done):
            action = "idempotence"
    elif check:
        action += "-check"
    return directory / f"{len(done) + 1:02d}-{action}.jsonl"


def role_name(task):
    role = getattr(task, "_role", None)
    return role.get_name() if role else None


def _name(task):
    # An include of a role is no Task, and has one name only.
    return task.get_name() if isinstance(task, IncludeRole) else task.get_name(include_role_fqcn=False)


def said(values):
    """Return why a task failed; in a loop the reasons of all items."""
    items = [item for item in values.get("results") or () if item.get("failed")]
    return "\n".join(str(one.get("msg", "")) for one in items or [values])


def record_remote_calls(path):
    """Wrap the two ways to a host; workers are forked later and inherit the wrapping."""
    execute_module = ActionBase._execute_module
    transfer_file = ActionBase._transfer_file

    def call(action, kind, module, host):
        append(path, {
            "type": kind,
            "host": host,
            "module": module,
            "role": role_name(action._task),
            "task": _name(action._task),
            "delegated_to": action._task.delegate_to,
        })

    def host_of(action, task_vars):
        variables = task_vars or getattr(action._task, "vars", None) or {}
        return variables.get("inventory_hostname") or action._play_context.remote_addr

    def recorded_module(self, module_name=None, module_args=None, tmp=None, task_vars=None, *args, **kwargs):
        self._lab_host = host_of(self, task_vars)
        call(self, "module", module_name or self._task.action, self._lab_host)
        return execute_module(self, module_name, module_args, tmp, task_vars, *args, **kwargs)

    def recorded_transfer(self, local_path, remote_path):
        call(self, "transfer", self._task.action, getattr(self, "_lab_host", None) or self._play_context.remote_addr)
        return transfer_file(self, local_path, remote_path)

    ActionBase._execute_module = recorded_module
    ActionBase._transfer_file = recorded_transfer


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "lab_recorder"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.path = None

    def v2_playbook_on_start(self, playbook):
        directory = os.environ.get("LAB_RUNS")
        name = Path(playbook._file_name).stem
        if not directory or context.CLIARGS.get("syntax"):
            return
        directory = Path(directory)
        if name == "create":
            shutil.rmtree(directory, ignore_errors=True)
        if name in UNRECORDED:
            return
        directory.mkdir(parents=True, exist_ok=True)
        check = bool(context.CLIARGS.get("check"))
        self.path = next_file(directory, name, check)
        append(self.path, {"type": "run", "playbook": playbook._file_name, "check": check})
        record_remote_calls(self.path)

    def record(self, outcome, skipped=False, failed=False, unreachable=False, ignored=False):
        if self.path is None:
            return
        # The public names came with ansible-core 2.19.
        values = getattr(outcome, "result", None) or outcome._result
        task = getattr(outcome, "task", None) or outcome._task
        host = getattr(outcome, "host", None) or outcome._host
        append(self.path, {
            "type": "task",
            "host": host.get_name(),
            "role": role_name(task),
            "task": _name(task),
            "module": task.action,
            "changed": bool(values.get("changed")),
            "skipped": skipped,
            "failed": failed,
            "unreachable": unreachable,
            "ignored": ignored,
            "items": len(values["results"]) if task.loop is not None and "results" in values else None,
            "said": said(values) if failed or unreachable else "",
            "warned": [str(warning) for warning in values.get("warnings") or ()],
        })

    def v2_runner_on_ok(self, result):
        self.record(result)

    def v2_runner_on_skipped(self, result):
        self.record(result, skipped=True)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.record(result, failed=True, ignored=ignore_errors)

    def v2_runner_on_unreachable(self, result):
        self.record(result, unreachable=True)
