# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Writes reports of drift on the controller; documented in plugins/modules/docker_drift_report.py."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Mapping

from ansible_collections.bulkhead.docker.plugins.module_utils.report import drift_document, drift_formats, drift_text
from ansible_collections.bulkhead.docker.plugins.plugin_utils import report_files, reports
from ansible_collections.bulkhead.docker.plugins.plugin_utils.report_action import Json, Part, ReportAction, result_in


class ActionModule(ReportAction):
    """The action."""

    name = "docker_drift_report"
    own_spec = {
        "variable": {"type": "str", "default": "docker_drift_result"},
        "after": {"type": "str", "default": ""},
        "name": {"type": "str", "default": "drift"},
        "formats": {"type": "list", "elements": "str", "choices": list(drift_formats.WRITERS), "default": ["json", "html", "text"]},
        "each": {"type": "bool", "default": False},
    }
    writers = drift_formats.WRITERS

    def build(self, options: t.Mapping[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> Json:
        """Return the document of all looks."""
        return drift_document.build([*self._of_hosts(options, task_vars)], reports.now(), reports.collection_version())

    def parts(self, options: t.Mapping[str, t.Any], fleet: Json) -> t.Iterator[Part]:
        """Return each host."""
        for host in fleet["hosts"] if options["each"] else ():
            yield Part(host["name"], os.path.join("hosts", report_files.file_name(host["name"])), drift_document.part(fleet, host))

    def summary(self, fleet: Json) -> str:
        """Return the table for a terminal."""
        return drift_text.table(fleet)

    def _of_hosts(self, options: t.Mapping[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> t.Iterator[Json]:
        """Return each host with what the looks at it returned, or why there are none."""
        hosts = options["hosts"]
        if hosts is None:
            hosts = task_vars.get("ansible_play_hosts_all", [])
        hostvars = task_vars["hostvars"]
        # Whom an earlier play lost, this one never had, though its variables are still there.
        alive = set(task_vars.get("ansible_play_hosts", hosts))
        for host in self.in_inventory(hosts, hostvars):
            looks = [result_in(hostvars, host, options["variable"])]
            if options["after"]:
                looks.append(result_in(hostvars, host, options["after"]))
            yield {"name": host, "looks": _said(looks, options, host in alive)}


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
