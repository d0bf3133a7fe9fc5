# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
name: container_id
short_description: Translate a host's uid or gid to a container's
version_added: 0.1.0
author:
  - The Bulkhead authors (@bulkhead)
description:
  - The reverse of P(bulkhead.docker.host_id#filter), for owners that are seen on files and processes of the host.
positional: ranges
options:
  _input:
    description: The id as the host sees it.
    type: int
    required: true
  ranges:
    description: The ranges, as M(bulkhead.docker.docker_subid) returns them for users or for groups.
    type: list
    elements: dict
    required: true
seealso:
  - plugin: bulkhead.docker.host_id
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Which user of the container is 100999?
  ansible.builtin.debug:
    msg: "{{ 100999 | bulkhead.docker.container_id([{'start': 100000, 'count': 65536}]) }}"
    # => 999
"""

RETURN = r"""
_value:
  description: The id in the container.
  type: int
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import id_ranges
from ansible_collections.bulkhead.docker.plugins.plugin_utils.mappings import read_id, read_ranges


def container_id(value, ranges):
    """Translate one id; an id outside the ranges is an error."""
    try:
        return id_ranges.to_container(read_id("container_id", value), read_ranges("container_id", ranges))
    except ValueError as error:
        raise AnsibleFilterError(f"container_id: {error}.") from error


class FilterModule:
    """Makes the filter known."""

    def filters(self):
        """Return the filter by its name."""
        return {"container_id": container_id}
