#!/usr/bin/python
# -*- coding: utf-8 -*-
# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_package_source
short_description: Trust, pin and declare the repository that the engine's packages come from
version_added: 0.2.0
description:
  - Compares the fingerprints of the key before it is trusted, tries the repository out with that key in a place of its own, and only then
    writes keyring, source and pin. A key with another fingerprint, an unsigned or a tampered repository is refused with nothing written.
  - Only the packages in O(packages) are taken from the repository, and they are taken from nowhere else.
  - A key given as an address is fetched only while the keyring does not hold the wanted keys.
author:
  - The Bulkhead authors (@bulkhead)
extends_documentation_fragment:
  - bulkhead.docker.attributes
options:
  name:
    description: The name of the files that declare the repository, without an ending.
    type: str
    default: bulkhead-docker
  url:
    description: The address of the repository, C(https://), C(http://) or C(file:/).
    type: str
    default: ''
  suite:
    description: The suite, for apt. Empty is the host's code name; one that ends in a slash is a flat repository.
    type: str
    default: ''
  components:
    description: The components of the suite, for apt.
    type: list
    elements: str
    default: []
  architectures:
    description: The architectures to take, for apt; none given takes the host's.
    type: list
    elements: str
    default: []
  key:
    description: The public key, as armored text or as an address from which an armored or binary key is fetched.
    type: str
    default: ''
  fingerprints:
    description: The whole fingerprints of the primary keys; the keyring must hold these and no others.
    type: list
    elements: str
    default: []
  packages:
    description: The names of the packages that may come from the repository.
    type: list
    elements: str
    required: true
  release:
    description:
      - Fields of the Release file by which apt tells the repository from others, such as C(o=Docker,l=Docker CE).
      - Needed only where the same host serves other package sources too; otherwise the host's name is enough.
    type: str
    default: ''
  signed_index:
    description: Whether dnf checks the signature of the metadata in addition to that of each package.
    type: bool
    default: false
  upstream:
    description: Whether what is left empty is taken from what Docker publishes for this distribution.
    type: bool
    default: false
  refresh:
    description: Whether the lists of the repository are fetched and verified again although nothing differs.
    type: bool
    default: false
  manager:
    description: What manages the packages of the host.
    type: str
    choices: [auto, apt, dnf]
    default: auto
  state:
    description: Whether the host is to know the repository.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: Take the engine from Docker's own repository
  bulkhead.docker.docker_package_source:
    upstream: true
    packages: [docker-ce, docker-ce-cli, containerd.io]

- name: Take the engine from a mirror with a key of its own
  bulkhead.docker.docker_package_source:
    url: https://mirror.example.com/docker
    suite: trixie
    components: [stable]
    key: https://mirror.example.com/key.asc
    fingerprints: [0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567]
    packages: [docker-ce, docker-ce-cli, containerd.io]
"""

RETURN = r"""
files:
  description: The files that differed.
  returned: success
  type: list
  elements: str
paths:
  description: All files of the repository, whether they differed or not.
  returned: success
  type: list
  elements: str
url:
  description: The address of the repository.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import fetch_url
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import openpgp, package_sources, problems
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, files, managed_files
from ansible_collections.bulkhead.docker.plugins.module_utils.host import package_sources as host_sources

_LARGEST_KEY = 1024 * 1024


def _refuse(module, reasons):
    module.fail_json(msg=problems.summary(reasons), problems=[str(reason) for reason in reasons])


def _key(module, key):
    """Return the key and where it came from."""
    if not key:
        _refuse(module, [problems.Problem("key", "is missing, and no keyring with the wanted keys is on this host; give the key or its address")])
    if key.lstrip().startswith("-----BEGIN"):
        return key.encode(), "key"
    response, info = fetch_url(module, key, timeout=30)
    if response is None or info["status"] not in (200, -1, None):
        _refuse(module, [problems.Problem(key, f"the key cannot be fetched: {info['msg']}; correct the address, or give the key itself")])
    return response.read(_LARGEST_KEY), key


def _keyring(module, repository, kind, key):
    """Return the armored keyring to trust; a key is fetched and compared only where the host does not have it."""
    present = host_sources.present_keyring(repository, kind)
    if present is not None:
        return present
    content, source = _key(module, key)
    problem = package_sources.key_problem(content, repository.fingerprints, source)
    if problem:
        _refuse(module, [problem])
    return openpgp.armored(content)


def _present(module, repository, kind, key):
    reasons = package_sources.problems(repository, for_apt=kind == host_sources.APT)
    if not reasons and kind == host_sources.APT:
        reasons = package_sources.clashes(repository, host_sources.source_path(repository, kind), host_sources.apt_entries())
    if reasons:
        _refuse(module, reasons)
    keyring = _keyring(module, repository, kind, key)
    found = managed_files.differences(host_sources.wanted_files(repository, kind, keyring))
    if found or module.params["refresh"]:
        said = host_sources.trouble(repository, kind, keyring)
        if said:
            _refuse(module, [problems.Problem(repository.url, f"is not a repository that this key vouches for, or cannot be reached; {kind} says: {said}")])
    return found


def main():
    """Compare the key, try the repository, write, fetch its lists."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "default": "bulkhead-docker"},
            "url": {"type": "str", "default": ""},
            "suite": {"type": "str", "default": ""},
            "components": {"type": "list", "elements": "str", "default": []},
            "architectures": {"type": "list", "elements": "str", "default": []},
            "key": {"type": "str", "default": "", "no_log": False},
            "fingerprints": {"type": "list", "elements": "str", "default": []},
            "packages": {"type": "list", "elements": "str", "required": True},
            "release": {"type": "str", "default": ""},
            "signed_index": {"type": "bool", "default": False},
            "upstream": {"type": "bool", "default": False},
            "refresh": {"type": "bool", "default": False},
            "manager": {"type": "str", "default": "auto", "choices": ["auto", "apt", "dnf"]},
            "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
        },
        supports_check_mode=True,
    )
    params = module.params
    kind = host_sources.manager() if params["manager"] == "auto" else params["manager"]
    if not kind:
        module.fail_json(msg="This host has neither apt nor dnf, so it has no package sources that this module could declare.")
    try:
        repository, key = host_sources.default_repository(params["name"], params, params["upstream"], kind)
        if params["state"] == "absent":
            found = managed_files.differences(dict.fromkeys(host_sources.wanted_files(repository, kind, ""), (None, 0)))
        else:
            found = _present(module, repository, kind, key)
        if found and not module.check_mode:
            managed_files.apply(found)
        if params["state"] == "present" and (found or params["refresh"]) and not module.check_mode:
            said = host_sources.refresh(repository, kind)
            if said:
                module.fail_json(msg=f"The lists of {repository.url} could not be fetched: {said}.")
    except (commands.CommandError, files.FileError) as error:
        module.fail_json(msg=f"{error}.")
    module.exit_json(
        changed=bool(found),
        files=[difference.path for difference in found],
        paths=sorted(host_sources.wanted_files(repository, kind, "")) if params["state"] == "present" else [],
        url=repository.url,
        diff=[difference.as_diff() for difference in found],
    )


if __name__ == "__main__":
    main()
