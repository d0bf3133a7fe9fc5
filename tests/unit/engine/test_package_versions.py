# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import itertools

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import package_versions

# From old to new, as "dpkg --compare-versions" has it.
ASCENDING = (
    "20.10.24+dfsg1-1+deb12u1", "20.10.24+dfsg1-1+deb12u1+b6", "26.1.5+dfsg1-9", "26.1.5+dfsg1-9+b9", "28.5.2~rc1-1", "28.5.2-1", "28.5.2-1+b1", "28.5.10-1",
    "1:0.1", "5:20.10.24~3-0~debian-bookworm", "5:28.5.2-1~debian.13~trixie", "5:28.5.2-1", "5:28.5.2-2~debian.13~trixie", "5:29.0.0-1",
)  # fmt: skip


@pytest.mark.parametrize(("older", "newer"), list(itertools.combinations(ASCENDING, 2)))
def test_order(older, newer):
    assert package_versions.order(older, newer) < 0 < package_versions.order(newer, older)
    assert package_versions.order(older, older) == 0


@pytest.mark.parametrize(
    ("version", "pattern", "expected"),
    [
        ("5:28.5.2-1~debian.13~trixie", "28.5.2", True),
        ("5:28.5.2-1~debian.13~trixie", "28.5", True),
        ("5:28.5.2-1~debian.13~trixie", "28.5*", True),
        ("5:28.5.2-1~debian.13~trixie", "5:28.5.2-1~debian.13~trixie", True),
        ("5:28.5.2-1~debian.13~trixie", "5:28.*", True),
        ("5:28.5.20-1~debian.13~trixie", "28.5.2", False),
        ("5:28.15.2-1~debian.13~trixie", "28.1", False),
        ("20.10.24+dfsg1-1+deb12u1", "20.10.24", True),
        ("1.7.24~ds1-6", "1.7", True),
        ("26.1.5+dfsg1-9", "28", False),
    ],
)
def test_matches(version, pattern, expected):
    assert package_versions.matches(version, pattern) is expected
