# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
name: docker_report
short_description: Write results of the posture audit in a format that others read
version_added: 0.1.0
author:
  - The Bulkhead authors (@bulkhead)
description:
  - Makes one text of what M(bulkhead.docker.docker_host_audit) and M(bulkhead.docker.docker_compose_audit) returned, in any
    format of M(bulkhead.docker.docker_audit_report), which is the faster way for many hosts.
  - A result that is no result becomes a report with the state C(damaged), C(failed), C(unreachable) or C(missing).
positional: _input
options:
  _input:
    description:
      - A list of results. The name of the host or project stands in C(name), C(host) or C(project) of each.
      - One result alone is a list of one.
    type: raw
    required: true
  format:
    description: The format of the text; C(text) is a summary for a terminal.
    type: str
    choices: [json, sarif, junit, ocsf, prometheus, text, html]
    default: text
  generated:
    description: The time of the report, in ISO 8601. By default the time of the controller.
    type: str
  base:
    description: Files below this directory of the controller are shown relative to it, as code scanning wants them.
    type: str
    default: ''
seealso:
  - module: bulkhead.docker.docker_audit_report
"""

EXAMPLES = r"""
- name: Leave metrics for the node exporter
  ansible.builtin.copy:
    dest: /var/lib/prometheus/node-exporter/bulkhead_audit.prom
    content: "{{ [result | combine({'name': inventory_hostname})] | bulkhead.docker.docker_report('prometheus') }}"
    mode: "0644"

- name: Show a summary
  ansible.builtin.debug:
    msg: "{{ (result | bulkhead.docker.docker_report).splitlines() }}"
"""

RETURN = r"""
_value:
  description: The whole text.
  type: str
"""

from collections.abc import Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.bulkhead.docker.plugins.module_utils.report import document, formats
from ansible_collections.bulkhead.docker.plugins.plugin_utils import reports


def docker_report(results, format="text", generated=None, base=""):  # noqa: A002 (the name of the option)
    """Return results as a text in one of formats.WRITERS."""
    writer = formats.WRITERS.get(format) if isinstance(format, str) else None
    if writer is None:
        raise AnsibleFilterError(f"docker_report: the format {format!r} does not exist; choose one of {', '.join(formats.WRITERS)}.")
    try:
        made = document.build(
            [results] if isinstance(results, Mapping) else results,
            reports.now() if generated is None else generated,
            reports.collection_version(),
            str(base),
        )
    except document.DocumentError as error:
        raise AnsibleFilterError(f"docker_report: {error}.") from error
    return writer.function(made)


class FilterModule:
    """Filters of the collection for reports."""

    def filters(self):
        """Return the filters by name."""
        return {"docker_report": docker_report}
