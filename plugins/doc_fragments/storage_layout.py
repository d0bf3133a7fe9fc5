# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The options that describe a storage layout; the code that reads them is module_utils/host/storage_options.py."""

from __future__ import annotations


class ModuleDocFragment:
    """Shared by every module that plans storage."""

    DOCUMENTATION = r"""
options:
  layout:
    description:
      - The filesystems that Docker gets, each a dictionary.
      - C(name) is one of C(overlay2), C(volumes), C(containers), C(data-root), C(containerd).
      - C(backend) is C(partition) (a GPT partition on a blank disk), C(lvm) (a logical volume), C(existing) (an empty
        filesystem that is there already) or C(loop) (a preallocated file); by default C(lvm) where a group is named,
        C(partition) where a disk is known, else C(loop).
      - C(device) is the disk or the device with the filesystem; with C(lvm) the blank disk that the volume group C(group) is
        made on. A group without a device is there already.
      - C(size) is a size, a percentage of the disk or group, or C(rest), C(fstype) C(xfs) or C(ext4), C(options) a list of
        mount options; C(quota) tells whether Docker can set quotas there.
    type: list
    elements: dict
    required: true
  disk:
    description: The disk for entries that name no device; empty makes them loop images.
    type: str
    default: ''
  fstype:
    description: The filesystem for entries that name none.
    type: str
    choices: [xfs, ext4]
    default: xfs
  loop_directory:
    description: Where loop images lie.
    type: path
    default: /var/lib/bulkhead/loop
  data_root:
    description: The data-root of dockerd.
    type: path
    default: /var/lib/docker
  userns_remap:
    description: The user of C(userns-remap), whose ranges decide the effective root; empty without it.
    type: str
    default: dockremap
  userns_start:
    description: The first id that a new range of the user is to have; see M(bulkhead.docker.docker_subid).
    type: int
  userns_count:
    description: How many ids a new range of the user gets.
    type: int
    default: 65536
  wipe:
    description: Devices whose content may be destroyed. A device that is in use is refused all the same.
    type: list
    elements: str
    default: []
  existing_data:
    description: Whether data of Docker in the way is refused, or moved to its new place; see M(bulkhead.docker.docker_data_move).
    type: str
    choices: [refuse, move]
    default: refuse
"""
