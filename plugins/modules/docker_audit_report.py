#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_audit_report
short_description: Write the reports of a posture audit on the controller
version_added: 0.1.0
description:
  - Gathers what M(bulkhead.docker.docker_host_audit) returned for all hosts of the play and writes one report for the fleet,
    and one for each host or project, in every format that is asked for.
  - Runs once for all hosts, on the controller, and takes the results from the variables of the hosts; nothing is sent anywhere.
  - A host that failed, was unreachable, has no result or one that is damaged is in the reports as such, and never in their score.
  - Only names of hosts that the play still knows can be taken, so let an audit that fails not end the play before this task.
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.report_files
attributes:
  diff_mode:
    description: Returns what differs, before and after, when in diff mode.
    support: none
    details:
      - Reports are long; compare two JSON files, which have one line for each finding.
  idempotent:
    description: A second run with the same options changes nothing and says so.
    support: partial
    details:
      - Reports are written anew at each run and carry its time. C(changed) is true only when something else in them differs, so
        neither the time nor how long the audit took nor how many questions it asked counts.
options:
  variable:
    description: The variable of each host that holds the result, as registered.
    type: str
    default: docker_audit_result
  results:
    description:
      - Further results, such as those of M(bulkhead.docker.docker_compose_audit), each a dictionary as it was returned. The name
        of the project stands in C(name) or C(project).
      - With results and without O(hosts), only the results are reported.
    type: list
    elements: dict
    default: []
  name:
    description: The name of the files about the whole fleet, without the ending of the format.
    type: str
    default: audit
  formats:
    description:
      - What is written. C(json) has a schema, which is kept in C(docs/schemas/report-1.json) of the collection.
      - C(sarif) is SARIF 2.1.0, C(junit) JUnit XML, C(ocsf) OCSF 1.5.0 compliance findings, one a line, C(prometheus) metrics for the
        textfile collector of the node exporter, C(text) a summary for a terminal, C(html) a page to read.
    type: list
    elements: str
    choices: [json, sarif, junit, ocsf, prometheus, text, html]
    default: [json, html, text]
  each:
    description: Whether each host and project gets files of its own as well, in C(hosts/) and C(projects/) below O(directory).
    type: bool
    default: true
  base:
    description: Files of compose projects below this directory are shown relative to it, as code scanning wants them.
    type: str
    default: ''
seealso:
  - module: bulkhead.docker.docker_host_audit
  - module: bulkhead.docker.docker_compose_audit
  - plugin: bulkhead.docker.docker_report
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Judge each host
  bulkhead.docker.docker_host_audit:
  register: docker_audit_result
  ignore_errors: true

- name: Write a page for people and SARIF for code scanning
  bulkhead.docker.docker_audit_report:
    directory: reports
    formats: [html, sarif]

- name: Report a compose project that was judged on the controller
  bulkhead.docker.docker_audit_report:
    results: ["{{ compose_result | combine({'name': 'shop'}) }}"]
    directory: reports
    formats: [junit]
    base: "{{ playbook_dir }}"
"""

RETURN = r"""
files:
  description: What was written, or would be in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The host or project, empty for the whole fleet.
      type: str
    format:
      description: One of O(formats).
      type: str
    path:
      description: The absolute path.
      type: str
    size:
      description: In bytes.
      type: int
    changed:
      description: Whether more than its time differs from what was there.
      type: bool
fleet:
  description:
    - Totals of all reports, as C(fleet) of the JSON format has them, such as C(score.percent), C(coverage.percent),
      C(score.failed_by_severity), C(not_judged) and C(rules).
  returned: success
  type: dict
summary:
  description: The summary of the whole fleet for a terminal.
  returned: success
  type: list
  elements: str
"""
