# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Which release of the engine this host has, or would get.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import versions
from ansible_collections.bulkhead.docker.plugins.module_utils.host import commands, packages

_PACKAGE = "docker.io"


def installed_version() -> str | None:
    """Return the version of the installed dockerd as it prints it, or None where there is none."""
    if commands.find("dockerd") is None:
        return None
    return versions.reported(commands.run(["dockerd", "--version"]).stdout)


def coming_version() -> str | None:
    """Return the version that installing the distribution's engine would bring, or None where that is not known."""
    if not packages.apt_is_here():
        return None
    known = packages.known([_PACKAGE]).get(_PACKAGE)
    return known.candidate or None if known else None
