# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Writes reports on the controller; documented in plugins/modules/docker_audit_report.py."""

from __future__ import annotations

import hashlib
import os
import re
import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files
from ansible_collections.bulkhead.docker.plugins.module_utils.report import document, formats, text
from ansible_collections.bulkhead.docker.plugins.plugin_utils import reports

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
_LARGEST = 1024 * 1024 * 1024
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


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
        modes = [_mode(options, key) for key in ("mode", "directory_mode")]
        results = [*_of_hosts(options, task_vars), *options["results"]]
        try:
            fleet = document.build(results, reports.now(), reports.collection_version(), options["base"])
            target = _Target(os.path.abspath(os.path.expanduser(options["directory"])), *modes, check=bool(self._task.check_mode))
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


def _mode(options: t.Mapping[str, t.Any], key: str) -> int:
    """Return a mode that is written in octal digits."""
    if not re.match(r"0?[0-7]{3}\Z", options[key]):
        raise AnsibleActionFail(f"docker_audit_report: {key} is {options[key]!r}; write it as octal digits in quotes, such as '0640'.")
    return int(options[key], 8)


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


def _written(target: _Target, options: t.Mapping[str, t.Any], fleet: dict[str, t.Any]) -> t.Iterator[dict[str, t.Any]]:
    """Write the files one after another and say what became of each."""
    chosen = [(name, formats.WRITERS[name]) for name in dict.fromkeys(options["formats"])]
    for name, writer in chosen:
        yield {"name": "", "format": name, **target.write(_file_name(options["name"]) + writer.suffix, writer.function(fleet), fleet["content"])}
    for report in fleet["reports"] if options["each"] else ():
        alone = document.part(fleet, report)
        directory = "hosts" if report["kind"] == document.HOST_REPORT else "projects"
        for name, writer in chosen:
            path = os.path.join(directory, _file_name(report["name"]) + writer.suffix)
            yield {"name": report["name"], "format": name, **target.write(path, writer.function(alone), alone["content"])}


def _file_name(name: str) -> str:
    """Return a name that is a name of a file and nothing else; two names never become the same."""
    safe = _UNSAFE.sub("_", name).lstrip(".")[:100] or "_"
    return safe if safe == name else f"{safe}-{hashlib.sha256(name.encode('utf-8')).hexdigest()[:8]}"


class _Target:
    """A directory of the controller, or in check mode what would become of it."""

    def __init__(self, directory: str, mode: int, directory_mode: int, check: bool) -> None:
        self._directory = directory
        self._mode = mode
        self._directory_mode = directory_mode
        self._check = check

    def write(self, name: str, content: str, digest: str) -> dict[str, t.Any]:
        """Write a file that holds a digest wherever it holds anything, and tell path, size and whether it is another one."""
        path = os.path.join(self._directory, name)
        changed = self._differs(path, content, digest)
        if not self._check:
            for directory in (self._directory, os.path.dirname(path)):
                files.ensure_directory(directory, self._directory_mode)
            files.write_text(path, content, self._mode)
        return {"path": path, "size": len(content.encode("utf-8")), "changed": changed}

    def _differs(self, path: str, content: str, digest: str) -> bool:
        try:
            old = files.read_text(path, _LARGEST)
        except files.NotText:
            return True
        if old is None or files.attributes_differ(path, self._mode, os.geteuid(), os.getegid()):
            return True
        return old != content and (digest not in old or digest not in content)
