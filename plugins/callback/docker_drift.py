# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
name: docker_drift
type: aggregate
short_description: Show the drift of the fleet as one table at the end of a run
version_added: 0.1.0
description:
  - Collects what M(bulkhead.docker.docker_host_drift) returned for each host and shows one table when the playbook ends; the worst host
    stands first, with the names of its differences by the role that mends them, what mending interrupts at most, how much of it was
    mended in this run, and when it was last left as wanted.
  - The last look at a host says how it is. What only the first one saw was mended meanwhile.
  - Hosts that were lost or could not be looked at stand in the table as such.
  - Says nothing when no host was looked at.
author:
  - The Bulkhead authors (@bulkhead)
requirements:
  - enable in configuration, such as C(callbacks_enabled = bulkhead.docker.docker_drift) in C(ansible.cfg)
options:
  json_path:
    description:
      - A file of the controller into which the report is written as JSON as well, as C(docs/schemas/drift-1.json) of the collection
        describes it. It is written anew after each look, so that it is there when the run is killed. Only its owner can read it.
      - Its directory must be there. Empty for none.
    type: str
    default: ''
    env:
      - name: BULKHEAD_DRIFT_JSON
    ini:
      - section: callback_docker_drift
        key: json_path
"""

import os
import shutil
import time
import typing as t
from collections.abc import Mapping

from ansible.plugins.callback import CallbackBase
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files
from ansible_collections.bulkhead.docker.plugins.module_utils.report import drift_document, drift_json, drift_text
from ansible_collections.bulkhead.docker.plugins.module_utils.report.document import DocumentError
from ansible_collections.bulkhead.docker.plugins.plugin_utils import reports

_MODULES = ("bulkhead.docker.docker_host_drift", "docker_host_drift")
_LEAST_WIDTH = 80
# The file is not written again before so many times as long as it took have gone by: a large fleet must not wait for it.
_PAUSES = 20


class CallbackModule(CallbackBase):
    """The callback."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "bulkhead.docker.docker_drift"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        # By host, the first look and the last one.
        self._looks: dict[str, list[t.Any]] = {}
        self._lost: dict[str, str] = {}
        self._next_write = 0.0

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """Keep a look."""
        self._keep(result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        """Keep a look that failed."""
        self._keep(result, {"failed": True})

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        """Keep that a host was lost, whatever it was doing."""
        if _is_look(result):
            self._keep(result, {"unreachable": True})
        else:
            said = _of(result, "result")
            self._lost.setdefault(_of(result, "host").get_name(), str(said.get("msg") or "") if isinstance(said, Mapping) else "")

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        """Show the table."""
        del stats
        if not self._looks:
            return
        try:
            document = self._document()
            self._write(document)
            table = drift_text.table(document, max(shutil.get_terminal_size((drift_text.WIDTH, 40)).columns, _LEAST_WIDTH))
        except (DocumentError, files.FileError) as error:
            self._display.warning(f"docker_drift: {error}.")
            return
        self._display.display("\n" + table)

    def _keep(self, result: t.Any, more: t.Mapping[str, t.Any] | None = None) -> None:
        if not _is_look(result):
            return
        looks = self._looks.setdefault(_of(result, "host").get_name(), [])
        said = _of(result, "result")
        said = {**said, **(more or {})} if isinstance(said, Mapping) else said
        looks[1:] = [said] if looks else []
        if not looks:
            looks.append(said)
        begun = time.monotonic()
        if self.get_option("json_path") and begun >= self._next_write:
            try:
                self._write(self._document())
            except (DocumentError, files.FileError) as error:
                self._display.warning(f"docker_drift: {error}.")
            self._next_write = time.monotonic() + _PAUSES * (time.monotonic() - begun)

    def _document(self) -> dict[str, t.Any]:
        results: list[dict[str, t.Any]] = []
        for host in [*self._looks, *(host for host in self._lost if host not in self._looks)]:
            looks = list(self._looks.get(host, []))
            if host in self._lost:
                looks.append({"unreachable": True, "msg": self._lost[host]})
            results.append({"name": host, "looks": looks})
        return drift_document.build(results, reports.now(), reports.collection_version())

    def _write(self, document: t.Mapping[str, t.Any]) -> None:
        path = self.get_option("json_path")
        if path:
            files.write_text(os.path.abspath(os.path.expanduser(path)), drift_json.render(document), 0o600)


def _of(result: t.Any, name: str) -> t.Any:
    """Return a part of a result, which ansible-core 2.18 has under a name of its own."""
    found = getattr(result, name, None)
    return getattr(result, f"_{name}") if found is None else found


def _is_look(result: t.Any) -> bool:
    task = _of(result, "task")
    return getattr(task, "resolved_action", None) in _MODULES or task.action in _MODULES
