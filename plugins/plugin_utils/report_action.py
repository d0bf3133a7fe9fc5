# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What the actions have in common that write reports on the controller.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import abc
import os
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files
from ansible_collections.bulkhead.docker.plugins.module_utils.report import document
from ansible_collections.bulkhead.docker.plugins.plugin_utils import report_files

Json = dict[str, t.Any]
SPEC: Json = {
    "hosts": {"type": "list", "elements": "str"},
    "directory": {"type": "str", "required": True},
    "mode": {"type": "str", "default": "0600"},
    "directory_mode": {"type": "str", "default": "0700"},
}


class Part(t.NamedTuple):
    """A document that gets files of its own.

    Attributes:
        name: of the host or project, empty for the whole fleet.
        path: of its files, without the ending of the format.
        document: as the writers take it.
    """

    name: str
    path: str
    document: Json


class ReportAction(ActionBase):
    """An action that makes one document of the results of hosts and writes it, and parts of it, in every format that is asked for.

    Attributes:
        name: of the module, for messages.
        own_spec: its options besides those of SPEC; ``name`` and ``formats`` have to be among them.
        writers: by the name of the format.
    """

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    name: str
    own_spec: Json
    writers: t.Mapping[str, t.Any]

    @abc.abstractmethod
    def build(self, options: t.Mapping[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> Json:
        """Return the document of the fleet."""

    @abc.abstractmethod
    def parts(self, options: t.Mapping[str, t.Any], fleet: Json) -> t.Iterator[Part]:
        """Return what gets files of its own besides the fleet."""

    @abc.abstractmethod
    def summary(self, fleet: Json) -> str:
        """Return what a terminal shows of the fleet."""

    def run(self, tmp: t.Any = None, task_vars: Json | None = None) -> Json:
        """Write the reports and return where they are."""
        del tmp
        task_vars = task_vars or {}
        result: Json = super().run(task_vars=task_vars)
        _checked, options = self.validate_argument_spec({**SPEC, **self.own_spec})
        modes = [report_files.mode(self.name, options, key) for key in ("mode", "directory_mode")]
        try:
            fleet = self.build(options, task_vars)
            target = report_files.Target(os.path.abspath(os.path.expanduser(options["directory"])), *modes, check=bool(self._task.check_mode))
            whole = Part("", report_files.file_name(options["name"]), fleet)
            written = [entry for part in (whole, *self.parts(options, fleet)) for entry in self._written(target, options["formats"], part)]
        except (document.DocumentError, files.FileError) as error:
            # Without the cause, which Ansible would append to a sentence that says the same.
            raise AnsibleActionFail(f"{self.name}: {error}.") from None
        result.update(changed=any(file["changed"] for file in written), files=written, fleet=fleet["fleet"], summary=self.summary(fleet).splitlines())
        return result

    def in_inventory(self, hosts: t.Iterable[str], hostvars: t.Any) -> t.Iterator[str]:
        """Return each host once; one that is not in the inventory fails."""
        for host in dict.fromkeys(hosts):
            if host not in hostvars:
                raise AnsibleActionFail(f"{self.name}: the host {host!r} is not in the inventory; mend the option hosts.")
            yield host

    def _written(self, target: report_files.Target, chosen: t.Sequence[str], part: Part) -> t.Iterator[Json]:
        for name in dict.fromkeys(chosen):
            writer = self.writers[name]
            said = target.write(part.path + writer.suffix, writer.function(part.document), part.document["content"])
            yield {"name": part.name, "format": name, **said}


def result_in(hostvars: t.Any, host: str, variable: str) -> t.Any:
    """Return what a variable of a host holds; not by templating, which for hundreds of results takes longer than everything else."""
    found = hostvars.raw_get(host).get(variable)
    return hostvars[host].get(variable) if isinstance(found, str) else found
