# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Writes reports of drift on the controller; documented in plugins/modules/docker_drift_report.py."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files
from ansible_collections.bulkhead.docker.plugins.module_utils.report import (
    document,
    drift_document,
    drift_formats,
    drift_text,
)
from ansible_collections.bulkhead.docker.plugins.plugin_utils import report_files, reports

_NAME = "docker_drift_report"
_SPEC = {
    "hosts": {"type": "list", "elements": "str"},
    "variable": {"type": "str", "default": "docker_drift_result"},
    "after": {"type": "str", "default": ""},
    "directory": {"type": "str", "required": True},
    "name": {"type": "str", "default": "drift"},
    "formats": {"type": "list", "elements": "str", "choices": list(drift_formats.WRITERS), "default": ["json", "html", "text"]},
    "each": {"type": "bool", "default": False},
    "mode": {"type": "str", "default": "0600"},
    "directory_mode": {"type": "str", "default": "0700"},
}


class ActionModule(ActionBase):
    """The action."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Write the reports and return where they are."""
        del tmp
        task_vars = task_vars or {}
        result: dict[str, t.Any] = super().run(task_vars=task_vars)
        _checked, options = self.validate_argument_spec(_SPEC)
        modes = [report_files.mode(_NAME, options, key) for key in ("mode", "directory_mode")]
        try:
            fleet = drift_document.build([*_of_hosts(options, task_vars)], reports.now(), reports.collection_version())
            target = report_files.Target(os.path.abspath(os.path.expanduser(options["directory"])), *modes, check=bool(self._task.check_mode))
            written = [*_written(target, options, fleet)]
        except (document.DocumentError, files.FileError) as error:
            # Without the cause, which Ansible would append to a sentence that says the same.
            raise AnsibleActionFail(f"{_NAME}: {error}.") from None
        result.update(
            changed=any(file["changed"] for file in written),
            files=written,
            fleet=fleet["fleet"],
            summary=drift_text.table(fleet).splitlines(),
        )
        return result


def _of_hosts(options: t.Mapping[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> t.Iterator[dict[str, t.Any]]:
    """Return each host with what the looks at it returned, or why there are none."""
    hosts = options["hosts"]
    if hosts is None:
        hosts = task_vars.get("ansible_play_hosts_all", [])
    hostvars = task_vars["hostvars"]
    # Whom an earlier play lost, this one never had, though its variables are still there.
    alive = set(task_vars.get("ansible_play_hosts", hosts))
    for host in dict.fromkeys(hosts):
        if host not in hostvars:
            raise AnsibleActionFail(f"{_NAME}: the host {host!r} is not in the inventory; mend the option hosts.")
        looks = [_look(hostvars, host, options["variable"])]
        if options["after"]:
            looks.append(_look(hostvars, host, options["after"]))
        yield {"name": host, "looks": _said(looks, options, host in alive)}


def _look(hostvars: t.Any, host: str, variable: str) -> t.Any:
    """Return what a variable of a host holds; not by templating, which for hundreds of results takes longer than everything else."""
    found = hostvars.raw_get(host).get(variable)
    return hostvars[host].get(variable) if isinstance(found, str) else found


def _said(looks: t.Sequence[t.Any], options: t.Mapping[str, t.Any], alive: bool) -> list[dict[str, t.Any]]:
    """Return the looks that there are, as dictionaries; where the first one is missing, why."""
    made: list[dict[str, t.Any]] = []
    for number, (found, variable) in enumerate(zip(looks, (options["variable"], options["after"]))):
        if isinstance(found, Mapping):
            # A host that had no drift is not looked at twice: what its second look says is that it was skipped.
            if not (number and found.get("skipped")):
                made.append(dict(found))
        elif found is not None:
            made.append({"damaged": True, "msg": f"The variable {variable} holds {type(found).__name__}, not a result."})
        elif number == 0 and alive:
            made.append({"missing": True, "msg": f"There is no result in the variable {variable}."})
        elif number == 0:
            made.append({"unreachable": True, "msg": "The host was not reachable, or failed before it was looked at."})
    if len(made) < len(looks) and not alive and isinstance(looks[0], Mapping) and not looks[0].get("failed") and not looks[0].get("unreachable"):
        made.append({"unreachable": True, "msg": "The host was lost after the first look."})
    return made


def _written(target: report_files.Target, options: t.Mapping[str, t.Any], fleet: dict[str, t.Any]) -> t.Iterator[dict[str, t.Any]]:
    """Write the files one after another and say what became of each."""
    chosen = [(name, drift_formats.WRITERS[name]) for name in dict.fromkeys(options["formats"])]
    for name, writer in chosen:
        path = report_files.file_name(options["name"]) + writer.suffix
        yield {"name": "", "format": name, **target.write(path, writer.function(fleet), fleet["content"])}
    for host in fleet["hosts"] if options["each"] else ():
        alone = drift_document.part(fleet, host)
        for name, writer in chosen:
            path = os.path.join("hosts", report_files.file_name(host["name"]) + writer.suffix)
            yield {"name": host["name"], "format": name, **target.write(path, writer.function(alone), alone["content"])}
