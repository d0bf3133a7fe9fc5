# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import versions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20.10.24+dfsg1", (20, 10, 24)),
        ("26.1.5+dfsg1", (26, 1, 5)),
        ("28.5.2+dfsg3", (28, 5, 2)),
        ("v29.0.0-rc.1", (29, 0, 0)),
        ("29.7", (29, 7, 0)),
        ("24", (24, 0, 0)),
        (" 27.0.1~3-0 ", (27, 0, 1)),
    ],
)
def test_parse(text, expected):
    assert tuple(versions.parse(text)) == expected


@pytest.mark.parametrize("text", ["", "dev", "master-dockerproject", "28.x", "1.2.3.4 5"])
def test_parse_refuses(text):
    with pytest.raises(ValueError, match="is not a version of the Docker engine"):
        versions.parse(text)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("Docker version 20.10.24+dfsg1, build 5d6db84", "20.10.24+dfsg1"),
        ("Docker version 28.5.2+dfsg3, build 89c5e8f\n", "28.5.2+dfsg3"),
        ("dockerd: command failed", None),
    ],
)
def test_reported(output, expected):
    assert versions.reported(output) == expected


@pytest.mark.parametrize(
    ("version", "since", "removed", "expected"),
    [
        ("26.1.5", "", "", True),
        ("26.1.5", "27.0", "", False),
        ("27.0.0", "27.0", "", True),
        ("27.0.0", "", "27.0", False),
        ("26.1.5", "24.0", "27.0", True),
        ("9.0.0", "10.0", "", False),
    ],
)
def test_within(version, since, removed, expected):
    assert versions.within(versions.parse(version), since, removed) is expected
