# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Which release of the engine this host has, or would get.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import packages as engine_packages
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import versions
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, package_manager

# Of these a host's sources offer one, or the distribution's wins.
_PACKAGES = ("docker.io", "docker-ce")


def installed_version() -> str | None:
    """Return the version of the installed dockerd as it prints it, or None where there is none."""
    if commands.find("dockerd") is None:
        return None
    return versions.reported(commands.run(["dockerd", "--version"]).stdout)


def coming_version() -> str | None:
    """Return the version that installing the engine would bring, or None where that is not known."""
    manager = package_manager.here()
    if manager is None:
        return None
    known = manager.known(_PACKAGES)
    offered = [known[name].candidate for name in _PACKAGES if name in known and known[name].candidate]
    return engine_packages.release(offered[0]) if offered else None


def serving_version() -> str | None:
    """Return the version that the engine answers with, or None while it does not answer."""
    if commands.find("docker") is None:
        return None
    done = commands.run(["docker", "version", "--format", "{{.Server.Version}}"], timeout=20, check=False)
    return done.stdout.strip() or None if done.rc == 0 else None
