# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations


class ModuleDocFragment:
    """What the set of the engine's packages is and what may happen to it; see module_utils/host/package_options.py."""

    DOCUMENTATION = r"""
options:
  packages:
    description: The packages of the set; the first is the one that brings dockerd.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The package.
        type: str
        required: true
      version:
        description:
          - The version it must have, as the package has it or as the release is called (C(28.5.2)); C(*) and C(?) are wildcards, and
            C(28.5) is every 28.5.x. Empty keeps what is installed.
        type: str
        default: ''
      optional:
        description: Whether a release of the distribution may lack it.
        type: bool
        default: false
      held:
        description: Whether it is one of those that move only together and only when asked.
        type: bool
        default: true
      with_engine:
        description: Whether it has the version of the first package.
        type: bool
        default: false
  versions:
    description: Versions for packages that have none in O(packages), by name, as RV(bulkhead.docker.docker_manifest_restore#module:packages) returns them.
    type: dict
    default: {}
  upgrade:
    description: Whether packages without a version move to the newest that the sources offer.
    type: bool
    default: false
  downgrade:
    description: Whether packages may become older than they are.
    type: bool
    default: false
  replace:
    description: Whether packages of another source that bring the same programs are removed in the same transaction; data stays.
    type: bool
    default: false
  hold:
    description: Whether the packages are held against upgrades by others.
    type: bool
    default: true
  strict:
    description: Whether a package or version that nobody offers is refused; otherwise it is returned as unknown, because newer lists may have it.
    type: bool
    default: false
  directory:
    description: A directory of the host that holds the packages, which then come from no source and no network; empty without one.
    type: str
    default: ''
  checksums:
    description:
      - What C(sha256sum) prints for the packages in O(directory); each must be listed. Empty where nobody says.
      - Without it every RPM must be signed with a key that rpm trusts on the host.
    type: str
    default: ''
  settings:
    description: The keys that M(bulkhead.docker.docker_daemon_config) is going to manage, judged for the release that will come.
    type: dict
    default: {}
  image_store:
    description: Where images and layers are to lie, as M(bulkhead.docker.docker_daemon_config) takes it.
    type: str
    choices: [overlay2, containerd, '']
    default: ''
"""
