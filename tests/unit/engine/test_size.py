# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.size import format_size, parse_size


@pytest.mark.parametrize(
    "value, count",
    [
        (0, 0),
        (4096, 4096),
        ("4096", 4096),
        ("10k", 10240),
        ("10m", 10485760),
        ("10MB", 10485760),
        ("10MiB", 10485760),
        ("1.5g", 1610612736),
        ("2 GiB", 2147483648),
        ("1T", 1024**4),
        ("7b", 7),
    ],
)
def test_sizes(value, count):
    assert parse_size(value) == count


@pytest.mark.parametrize("value", ["", "ten", "10x", "-1", -1, "1e3", "10 m b", "m", True, None, [1], 1.5])
def test_what_is_no_size_is_said_in_a_sentence(value):
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(value)


@pytest.mark.parametrize(
    "count, text", [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (10 * 1024**3, "10 GiB"), (2000 * 1024**5, "2000 PiB")]
)
def test_sizes_for_people(count, text):
    assert format_size(count) == text
