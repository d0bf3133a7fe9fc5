# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Writes reports on the controller; documented in plugins/modules/docker_audit_report.py."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Mapping

from ansible_collections.bulkhead.docker.plugins.module_utils.report import document, formats, text
from ansible_collections.bulkhead.docker.plugins.plugin_utils import report_files, reports
from ansible_collections.bulkhead.docker.plugins.plugin_utils.report_action import Json, Part, ReportAction, result_in


class ActionModule(ReportAction):
    """The action."""

    name = "docker_audit_report"
    own_spec = {
        "variable": {"type": "str", "default": "docker_audit_result"},
        "results": {"type": "list", "elements": "dict", "default": []},
        "name": {"type": "str", "default": "audit"},
        "formats": {"type": "list", "elements": "str", "choices": list(formats.WRITERS), "default": ["json", "html", "text"]},
        "each": {"type": "bool", "default": True},
        "base": {"type": "str", "default": ""},
    }
    writers = formats.WRITERS

    def build(self, options: t.Mapping[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> Json:
        """Return the document of all results."""
        results = [*self._of_hosts(options, task_vars), *options["results"]]
        return document.build(results, reports.now(), reports.collection_version(), options["base"])

    def parts(self, options: t.Mapping[str, t.Any], fleet: Json) -> t.Iterator[Part]:
        """Return each host and project."""
        for report in fleet["reports"] if options["each"] else ():
            directory = "hosts" if report["kind"] == document.HOST_REPORT else "projects"
            yield Part(report["name"], os.path.join(directory, report_files.file_name(report["name"])), document.part(fleet, report))

    def summary(self, fleet: Json) -> str:
        """Return the summary for a terminal."""
        return text.render(fleet)

    def _of_hosts(self, options: t.Mapping[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> t.Iterator[Json]:
        """Return the result of each host with its name, or why there is none."""
        hosts = options["hosts"]
        if hosts is None:
            hosts = [] if options["results"] else task_vars.get("ansible_play_hosts_all", [])
        alive, hostvars = set(task_vars.get("ansible_play_hosts", hosts)), task_vars["hostvars"]
        for host in self.in_inventory(hosts, hostvars):
            found = result_in(hostvars, host, options["variable"])
            if isinstance(found, Mapping):
                named = document.kind_of(found) == document.COMPOSE_REPORT
                yield {"name": host, **found} if named and not found.get("project") else {**found, **({} if named else {"name": host})}
            elif found is not None:
                yield {"name": host, "damaged": True, "msg": f"The variable {options['variable']} holds {type(found).__name__}, not a result."}
            elif host in alive:
                yield {"name": host, "missing": True, "msg": f"There is no result in the variable {options['variable']}."}
            else:
                yield {"name": host, "unreachable": True, "msg": "The host was not reachable, or failed before the audit."}
