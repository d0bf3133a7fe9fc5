# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""How the filters read an id mapping out of what users have at hand.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_ranges import HIGHEST_ID, Range


def read_ranges(name: str, value: t.Any) -> list[Range]:
    """Return the ranges in a list of ``{start, count}``, as docker_subid returns them.

    Args:
        name: of the filter, for its message.
        value: what the user gave.
    """
    if not isinstance(value, (list, tuple)) or not value:
        raise AnsibleFilterError(f"{name}: needs a list of ranges, each with start and count, as docker_subid returns them; got {value!r}.")
    ranges = []
    for item in value:
        numbers = (item.get("start"), item.get("count")) if isinstance(item, dict) else (None, None)
        if not all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in numbers):
            raise AnsibleFilterError(f"{name}: {item!r} is no range; write it as start and count, both whole numbers that are not negative.")
        found = Range("mapping", int(numbers[0]), int(numbers[1]))
        if found.end - 1 > HIGHEST_ID:
            raise AnsibleFilterError(f"{name}: {item!r} reaches beyond the highest id, {HIGHEST_ID}.")
        ranges.append(found)
    return ranges


def read_id(name: str, value: t.Any) -> int:
    """Return a uid or gid given as a number or as its digits."""
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not str(value).isdigit():
        raise AnsibleFilterError(f"{name}: {value!r} is no id; give a whole number that is not negative.")
    return int(value)
