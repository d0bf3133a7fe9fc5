# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
name: effective_root
short_description: Tell where dockerd really keeps its data
version_added: 0.1.0
author:
  - The Bulkhead authors (@bulkhead)
description:
  - Under C(userns-remap), dockerd uses C(<data-root>/<uid>.<gid>), the host's ids of a container's root, instead of the
    data-root itself. Mounts and backups belong there.
positional: uid_ranges, gid_ranges
options:
  _input:
    description: The data-root.
    type: path
    required: true
  uid_ranges:
    description: The user's ranges in C(/etc/subuid), as M(bulkhead.docker.docker_subid) returns them; none without remapping.
    type: list
    elements: dict
    default: []
  gid_ranges:
    description: The user's ranges in C(/etc/subgid); by default the same as O(uid_ranges).
    type: list
    elements: dict
"""

EXAMPLES = r"""
- name: Where do volumes lie?
  ansible.builtin.debug:
    msg: "{{ '/var/lib/docker' | bulkhead.docker.effective_root(subid.uid_ranges, subid.gid_ranges) }}/volumes"
    # => /var/lib/docker/100000.100000/volumes
"""

RETURN = r"""
_value:
  description: The effective root.
  type: path
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import id_ranges
from ansible_collections.bulkhead.docker.plugins.plugin_utils.mappings import read_ranges


def effective_root(value, uid_ranges=None, gid_ranges=None):
    """Return the directory below which containers, layers and volumes lie."""
    if not isinstance(value, str) or not value.startswith("/"):
        raise AnsibleFilterError(f"effective_root: {value!r} is no absolute path; give the data-root, such as /var/lib/docker.")
    if not uid_ranges:
        return id_ranges.effective_root(str(value), None)
    uids = read_ranges("effective_root", uid_ranges)
    gids = read_ranges("effective_root", gid_ranges) if gid_ranges else uids
    return id_ranges.effective_root(str(value), id_ranges.Mapping(tuple(uids), tuple(gids)))


class FilterModule:
    """Makes the filter known."""

    def filters(self):
        """Return the filter by its name."""
        return {"effective_root": effective_root}
