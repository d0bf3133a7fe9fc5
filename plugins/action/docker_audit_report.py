# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Writes reports on the controller; documented in plugins/modules/docker_audit_report.py."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files
from ansible_collections.bulkhead.docker.plugins.module_utils.report import document, formats, text
from ansible_collections.bulkhead.docker.plugins.plugin_utils import report_files, reports

_SPEC = {
    "hosts": {"type": "list", "elements": "str"},
    "variable": {"type": "str", "default": "docker_audit_result"},
    "results": {"type": "list", "elements": "dict", "default": []},
    "directory": {"type": "str", "required": True},
    "name": {"type": "str", "default": "audit"},
    "formats": {"type": "list", "elements": "str", "choices": list(formats.WRITERS), "default": ["json", "html", "text"]},
    "each": {"type": "bool", "default": True},
    "base": {"type": "str", "default": ""},
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
        modes = [report_files.mode("docker_audit_report", options, key) for key in ("mode", "directory_mode")]
        results = [*_of_hosts(options, task_vars), *options["results"]]
        try:
            fleet = document.build(results, reports.now(), reports.collection_version(), options["base"])
            target = report_files.Target(os.path.abspath(os.path.expanduser(options["directory"])), *modes, check=bool(self._task.check_mode))
            written = [*_written(target, options, fleet)]
        except (document.DocumentError, files.FileError) as error:
            # Without the cause, which Ansible would append to a sentence that says the same.
            raise AnsibleActionFail(f"docker_audit_report: {error}.") from None
        result.update(
            changed=any(file["changed"] for file in written),
            files=written,
            fleet=fleet["fleet"],
            summary=text.render(fleet).splitlines(),
        )
        return result


def _of_hosts(options: t.Mapping[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> t.Iterator[dict[str, t.Any]]:
    """Return the result of each host with its name, or why there is none."""
    hosts = options["hosts"]
    if hosts is None:
        hosts = [] if options["results"] else task_vars.get("ansible_play_hosts_all", [])
    alive, hostvars = set(task_vars.get("ansible_play_hosts", hosts)), task_vars["hostvars"]
    for host in dict.fromkeys(hosts):
        if host not in hostvars:
            raise AnsibleActionFail(f"docker_audit_report: the host {host!r} is not in the inventory; mend the option hosts.")
        # Not hostvars[host][variable]: templating two hundred results takes longer than everything else.
        found = hostvars.raw_get(host).get(options["variable"])
        if isinstance(found, str):
            found = hostvars[host].get(options["variable"])
        if isinstance(found, Mapping):
            named = document.kind_of(found) == document.COMPOSE_REPORT
            yield {"name": host, **found} if named and not found.get("project") else {**found, **({} if named else {"name": host})}
        elif found is not None:
            yield {"name": host, "damaged": True, "msg": f"The variable {options['variable']} holds {type(found).__name__}, not a result."}
        elif host in alive:
            yield {"name": host, "missing": True, "msg": f"There is no result in the variable {options['variable']}."}
        else:
            yield {"name": host, "unreachable": True, "msg": "The host was not reachable, or failed before the audit."}


def _written(target: report_files.Target, options: t.Mapping[str, t.Any], fleet: dict[str, t.Any]) -> t.Iterator[dict[str, t.Any]]:
    """Write the files one after another and say what became of each."""
    chosen = [(name, formats.WRITERS[name]) for name in dict.fromkeys(options["formats"])]
    for name, writer in chosen:
        yield {"name": "", "format": name, **target.write(report_files.file_name(options["name"]) + writer.suffix, writer.function(fleet), fleet["content"])}
    for report in fleet["reports"] if options["each"] else ():
        alone = document.part(fleet, report)
        directory = "hosts" if report["kind"] == document.HOST_REPORT else "projects"
        for name, writer in chosen:
            path = os.path.join(directory, report_files.file_name(report["name"]) + writer.suffix)
            yield {"name": report["name"], "format": name, **target.write(path, writer.function(alone), alone["content"])}
