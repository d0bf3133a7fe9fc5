# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What several formats say of drift in the same words.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.drift.model import (
    NOTHING,
    OWNER,
    PERSON,
    RECORD,
    RECREATE,
    RELOAD,
    RESTART,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.report.drift_document import GONE, LOST

Item = t.Mapping[str, t.Any]

# What stands for a role where no role mends something.
NO_ROLE = "by hand"

_DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")


def verdict(host: Item) -> str:
    """Return how a host is, in one word; a host that nobody could look at is what kept them from it."""
    return str(host["state"] if host["verdict"] == LOST else host["verdict"])


def mended(host: Item) -> str:
    """Return how much of what was found has been mended in this run."""
    gone, total = host["counts"][GONE], sum(host["counts"].values())
    if not total:
        return "-"
    if host["looks"] < 2 or not gone:
        return "no"
    return "yes" if gone == total else f"{gone} of {total}"


def mending(one: Item) -> str:
    """Return who mends a difference, and how."""
    if one["route"] == OWNER:
        return one["advice"] or "whoever runs the container makes it anew"
    if one["route"] == PERSON:
        return one["advice"] or "a person has to decide"
    if one["route"] == RECORD:
        return "every role converges, and the host is recorded anew"
    return f"the role {one['role']}" if one["role"] else one["advice"] or "a person has to decide"


def cost(blast: str, host: Item) -> str:
    """Return what mending interrupts on a host."""
    running = host["running_containers"]
    if blast == RESTART and running:
        containers, ending = ("1 running container", "s") if running == 1 else (f"{running} running containers", "")
        fate = {True: f"live{ending} through it", False: f"stop{ending}", None: "may stop"}[host["live_restore"]]
        return f"dockerd restarts; {containers} {fate}"
    return {
        NOTHING: "nothing that runs notices",
        RELOAD: "dockerd reads its configuration anew",
        RESTART: "dockerd restarts",
        RECREATE: "containers are made anew",
        "": "",
    }[blast]


def since(one: Item) -> str:
    """Return between which times something changed, as far as that is known."""
    parts = [f"changed {one['changed_at']}" if one["changed_at"] else "", f"last good {one['last_good']}" if one["last_good"] else ""]
    return ", ".join(part for part in parts if part)


def evidence(one: Item) -> str:
    """Return what is, and what was to be; of a digest its beginning tells enough."""
    seen, wanted = (_DIGEST.sub(r"\1...", one[key]) for key in ("observed", "expected"))
    return (seen or "nothing") + (f" (expected: {wanted})" if wanted else "") if seen or wanted else ""


def grouped(differences: t.Iterable[Item]) -> dict[str, str]:
    """Return by role the names of differences, each once with how often it comes."""
    counts: dict[str, dict[str, int]] = {}
    for one in differences:
        names = counts.setdefault(one["role"] or NO_ROLE, {})
        names[one["name"]] = names.get(one["name"], 0) + 1
    return {role: ", ".join(name if count == 1 else f"{name} x{count}" for name, count in sorted(counts[role].items())) for role in sorted(counts)}
