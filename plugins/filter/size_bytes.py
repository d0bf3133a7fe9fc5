# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
name: size_bytes
short_description: Read a size as dockerd reads it
version_added: 0.1.0
author:
  - The Bulkhead authors (@bulkhead)
description:
  - Returns a size in bytes. Every unit is a power of 1024, with or without its C(i), as in dockerd's log options and
    memory limits; C(10m), C(10MB) and C(10MiB) are the same.
options:
  _input:
    description: A number of bytes, or a number with C(k), C(m), C(g), C(t) or C(p).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: How much may the logs of 50 containers take?
  ansible.builtin.debug:
    msg: "{{ 50 * 5 * ('20m' | bulkhead.docker.size_bytes) }}"
"""

RETURN = r"""
_value:
  description: The size in bytes.
  type: int
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import parse_size


def size_bytes(value):
    """Return the bytes in a size."""
    try:
        return parse_size(value)
    except ValueError as error:
        raise AnsibleFilterError(f"size_bytes: {error}.") from error


class FilterModule:
    """Makes the filter known."""

    def filters(self):
        """Return the filter by its name."""
        return {"size_bytes": size_bytes}
