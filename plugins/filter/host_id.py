# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
name: host_id
short_description: Translate a container's uid or gid to the host's
version_added: 0.1.0
author:
  - The Bulkhead authors (@bulkhead)
description:
  - Under C(userns-remap), ids of containers are mapped onto the ranges of one user of the host, joined in file order.
positional: ranges
options:
  _input:
    description: The id as a process in a container sees it.
    type: int
    required: true
  ranges:
    description: The ranges, as M(bulkhead.docker.docker_subid) returns them for users or for groups.
    type: list
    elements: dict
    required: true
seealso:
  - plugin: bulkhead.docker.container_id
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Who owns the files of postgres (999) on the host?
  ansible.builtin.debug:
    msg: "{{ 999 | bulkhead.docker.host_id([{'start': 100000, 'count': 65536}]) }}"
    # => 100999
"""

RETURN = r"""
_value:
  description: The id on the host.
  type: int
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import id_ranges
from ansible_collections.bulkhead.docker.plugins.plugin_utils.mappings import read_id, read_ranges


def host_id(value, ranges):
    """Translate one id; an id outside the ranges is an error."""
    try:
        return id_ranges.to_host(read_id("host_id", value), read_ranges("host_id", ranges))
    except ValueError as error:
        raise AnsibleFilterError(f"host_id: {error}.") from error


class FilterModule:
    """Makes the filter known."""

    def filters(self):
        """Return the filter by its name."""
        return {"host_id": host_id}
