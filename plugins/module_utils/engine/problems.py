# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""How pure code says that something cannot be: where it was found, and one sentence with what to do.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True)
class Problem:
    """One reason to refuse.

    Attributes:
        where: the file, device, key or option that holds what was found.
        message: what was found and what to do.
    """

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}."


def summary(problems: t.Sequence[Problem]) -> str:
    """Return all problems as one text for a person, each on a line of its own when there are several."""
    if len(problems) == 1:
        return f"Refused, nothing was written: {problems[0]}"
    lines = "\n".join(f"  {number}. {problem}" for number, problem in enumerate(problems, start=1))
    return f"Refused for {len(problems)} reasons, nothing was written:\n{lines}"
