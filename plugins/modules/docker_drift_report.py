#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_drift_report
short_description: Write the reports of the drift of a fleet on the controller
version_added: 0.1.0
description:
  - Gathers what M(bulkhead.docker.docker_host_drift) returned for hosts of the play and writes one report for the fleet in every format
    that is asked for.
  - Runs once for all hosts, on the controller, and takes the results from the variables of the hosts; nothing is sent anywhere.
  - A host that failed, was unreachable, has no result or one that is damaged is in the reports as such, and never as clean.
  - Where hosts were looked at again after they were mended, the reports say of each difference whether it is mended, still there or new.
  - Evidence is shown without what looks like a secret.
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.report_files
attributes:
  diff_mode:
    description: Returns what differs, before and after, when in diff mode.
    support: none
    details:
      - Reports are long; compare two JSON files, which have one line for each difference.
  idempotent:
    description: A second run with the same options changes nothing and says so.
    support: partial
    details:
      - Reports are written anew at each run and carry its time. C(changed) is true only when something else in them differs.
options:
  variable:
    description: The variable of each host that holds the result of the first look, as registered.
    type: str
    default: docker_drift_result
  after:
    description:
      - The variable of each host that holds the result of a second look, after mending. Empty where there was none.
      - A host without it, or whose second look was skipped, is reported as the first look found it.
    type: str
    default: ''
  name:
    description: The name of the files about the whole fleet, without the ending of the format.
    type: str
    default: drift
  formats:
    description:
      - What is written. C(json) has a schema, which is kept in C(docs/schemas/drift-1.json) of the collection.
      - C(prometheus) is metrics for the textfile collector of the node exporter, C(text) a table for a terminal, C(html) a page to read.
    type: list
    elements: str
    choices: [json, html, prometheus, text]
    default: [json, html, text]
  each:
    description: Whether each host gets files of its own as well, in C(hosts/) below O(directory).
    type: bool
    default: false
seealso:
  - module: bulkhead.docker.docker_host_drift
  - plugin: bulkhead.docker.docker_drift
    plugin_type: callback
"""

EXAMPLES = r"""
- name: See whether each host is as it was left
  bulkhead.docker.docker_host_drift:
  register: docker_drift_result
  ignore_errors: true

- name: Write a page for people and metrics for alerts
  bulkhead.docker.docker_drift_report:
    directory: reports
    formats: [html, prometheus]

- name: Write them again after mending
  bulkhead.docker.docker_drift_report:
    after: docker_drift_after
    directory: reports
    formats: [html, prometheus]
"""

RETURN = r"""
files:
  description: What was written, or would be in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The host, empty for the whole fleet.
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
    - Totals of all hosts, as C(fleet) of the JSON format has them, such as C(verdicts.drifted), C(differences.open), C(by_name),
      C(roles) and C(not_checked).
  returned: success
  type: dict
summary:
  description: The table of the whole fleet for a terminal.
  returned: success
  type: list
  elements: str
"""
