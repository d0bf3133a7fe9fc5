# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""A compose project judged: what the module and the filter for compose files share.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import gate, result, waivers
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose import project
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import compose, compose_elements
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise.compose_reading import (
    NOTHING_KNOWN,
    Assumptions,
)


@dataclasses.dataclass(frozen=True)
class Request:
    """What is judged, and how.

    Attributes:
        sources: files that override one another in their order.
        options: how they are read.
        assumptions: what is known of where they run.
        waivers: failures that are accepted.
        today: the day on which waivers count.
        include: statuses whose findings are returned.
        fail_on: one of gate.THRESHOLDS.
    """

    sources: tuple[project.Source, ...]
    options: project.Options
    assumptions: Assumptions = NOTHING_KNOWN
    waivers: tuple[waivers.Waiver, ...] = ()
    today: datetime.date | None = None
    include: tuple[str, ...] = result.DEFAULT_INCLUDE
    fail_on: str = gate.NEVER


def audit(request: Request, files: project.Files) -> dict[str, t.Any]:
    """Return what the rules say of a project: result.conclude, with ``project``, ``services``, ``files`` and ``warnings``.

    Raises:
        ComposeError: compose would not read the files.
    """
    loaded = project.load(request.sources, files, request.options)
    subjects, odd = compose.subjects(loaded, files, request.assumptions)
    services = [subject.name for subject in subjects]
    subjects = [*subjects, *compose_elements.subjects(loaded)]
    found = result.conclude(subjects, "", (), request.waivers, request.today, request.include, request.fail_on)
    return {
        **found,
        "project": loaded.name,
        "services": services,
        "files": list(loaded.files),
        "warnings": list(dict.fromkeys((*loaded.warnings, *odd))),
    }
