# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""A set of files that are to have given contents: what differs, and making it so in one go.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.host import files


@dataclasses.dataclass(frozen=True)
class Difference:
    """A file that is not as it is to be; ``wanted`` is None where it has to go, ``before`` is None where there is none."""

    path: str
    before: str | None
    wanted: str | None
    mode: int

    def as_diff(self) -> dict[str, str]:
        """Return the difference in the form that Ansible shows."""
        return {"before_header": self.path, "after_header": self.path, "before": self.before or "", "after": self.wanted or ""}


def differences(wanted: t.Mapping[str, tuple[str | None, int]]) -> list[Difference]:
    """Compare files with what they are to be.

    Args:
        wanted: from a path to its text and mode; None as text means that there must be no such file.

    Raises:
        files.FileError: a path holds a link or something that is no file.
    """
    found = []
    for path, (text, mode) in sorted(wanted.items()):
        before = files.read_text(path)
        if before != text or (before is not None and text is not None and files.attributes_differ(path, mode)):
            found.append(Difference(path, before, text, mode))
    return found


def apply(found: t.Sequence[Difference]) -> None:
    """Write and remove what the differences name, each file atomically."""
    for difference in found:
        if difference.wanted is None:
            files.remove(difference.path)
            continue
        files.ensure_directory(os.path.dirname(difference.path))
        files.write_text(difference.path, difference.wanted, mode=difference.mode)
