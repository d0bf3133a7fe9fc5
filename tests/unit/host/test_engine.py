# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import engine


@pytest.mark.parametrize(("shown", "expected"), [("Docker version 28.5.2+dfsg3, build 89c5e8f\n", "28.5.2+dfsg3"), ("nonsense\n", None)])
def test_installed_version(tools, shown, expected):
    tools.answer("dockerd --version", shown)
    assert engine.installed_version() == expected


@pytest.mark.parametrize(("candidate", "expected"), [("26.1.5+dfsg1-9+b9", "26.1.5+dfsg1-9+b9"), ("(none)", None)])
def test_coming_version(tools, candidate, expected):
    tools.answer("apt-get")
    tools.answer("dpkg-query", rc=1)
    tools.answer("apt-cache policy", f"docker.io:\n  Installed: (none)\n  Candidate: {candidate}\n  Version table:\n")
    assert engine.coming_version() == expected


def test_a_bare_host_knows_neither(tools):
    assert (engine.installed_version(), engine.coming_version(), tools.ran) == (None, None, [])
