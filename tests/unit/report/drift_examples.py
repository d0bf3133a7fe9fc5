# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Looks at hosts as docker_host_drift returns them, good ones and hostile ones, for the tests of the reports of drift."""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.drift import model
from ansible_collections.bulkhead.docker.plugins.module_utils.report import drift_document

GENERATED = "2026-11-26T11:00:00Z"
CONVERGED = "2026-11-25T02:30:00Z"
VERSION = "0.1.0"


def difference(name: str = "file-edited", role: str = "docker_daemon", item: str = "file:/etc/docker/daemon.json", **more: t.Any) -> dict[str, t.Any]:
    """Return a difference as the module returns it; by default mending it restarts the daemon."""
    made = model.Difference(
        name,
        role,
        item,
        f"{item.partition(':')[2]} has another content",
        "3f5b" * 16,
        "81c2" * 16,
        item.partition(":")[2],
        model.CONVERGE,
        model.RESTART,
        changed_at=1795600000.5,
        last_good=CONVERGED,
    )
    return {**made.as_dict(), **more}


EDITED = difference()
RANGES = difference("uid-ranges-changed", "docker_userns", "ranges:dockremap", expected=[[100000, 65536]], observed=[], route="restore", blast="nothing")
OLD = difference("container-outdated", "", "container:web", route="owner", blast="recreate", advice="make web anew", expected=None, observed=None)
FULL = difference("disk-full", "", "filesystem:/var/lib/docker", route="person", blast="nothing", advice="make room", changed_at=None)


def look(*differences: dict[str, t.Any], **more: t.Any) -> dict[str, t.Any]:
    """Return what a look returns that found these differences."""
    return {
        "changed": False,
        "drifted": bool(differences),
        "differences": [copy.deepcopy(one) for one in differences],
        "roles": list(dict.fromkeys(one["role"] for one in differences if one["role"])),
        "last_converge": CONVERGED,
        "window_open": True,
        "facts": {"live_restore": False, "running": 3, "containers": ["a", "b", "c"], "engine": "26.1.5", "pending": ""},
        "recreate": [],
        "upgrades": [],
        "unknown": [],
        "looked_at": 60,
        "duration": 0.1,
        **more,
    }


UNKNOWN = {"item": "audit:/etc/audit/rules.d/x", "role": "docker_auditd", "reason": "the kernel does not answer"}


def fleet() -> list[t.Any]:
    """Return looks of every kind that there is."""
    return [
        {"name": "alpha", "looks": [look(EDITED, RANGES, OLD)]},
        {"name": "beta", "looks": [look(EDITED, RANGES), look()]},
        {"name": "gamma", "looks": [{"unreachable": True, "msg": "Connection timed out"}]},
        {"name": "delta", "looks": [{"failed": True, "msg": "The module needs root."}]},
        {"name": "epsilon", "looks": [{"missing": True, "msg": "There is no result."}]},
        {"name": "zeta", "looks": [{"drifted": False, "differences": "none"}]},
        {"name": "eta", "looks": [look()]},
        {"name": "theta", "looks": [look(EDITED, RANGES), look(RANGES, FULL)]},
        {"name": "iota", "looks": [look(unknown=[UNKNOWN], upgrades=[{"name": "docker.io", "installed": "26.1.4", "offered": "26.1.5"}])]},
        {"name": "kappa", "looks": [look(RANGES), {"unreachable": True, "msg": "lost"}]},
    ]


def made(results: t.Any = None) -> dict[str, t.Any]:
    """Return the document of results, by default of `fleet`."""
    return drift_document.build(fleet() if results is None else results, GENERATED, VERSION)


def with_text_everywhere(text: str) -> list[t.Any]:
    """Return results in which every text that a host can choose is this one, also where no text belongs."""
    evil = {text: [text, {text: text}, [[text]]]}
    odd = difference(
        "file-edited", text, text, what=text, expected=evil, observed=text, source=text, advice=text, changed_at=text, last_good=text
    )
    spoiled = look(
        odd,
        {**odd, "name": text},
        {**odd, "route": text},
        roles=[text],
        last_converge=text,
        unknown=[{"item": text, "reason": text}, text, evil],
        upgrades=[{"name": text, "installed": text, "offered": text}, text],
        facts={"live_restore": text, "running": text},
        window_open=text,
    )
    whole = look(odd, last_converge=text, unknown=[{"item": text, "reason": text}], upgrades=[{"name": text, "installed": text, "offered": text}])
    return [
        {"name": text, "looks": [spoiled]},
        {"name": text, "looks": [whole, whole]},
        {"name": text, "looks": [whole, look()]},
        {"name": "failed", "looks": [{"failed": True, "msg": text}]},
        {"name": "lost", "looks": [{"unreachable": True, "msg": text}]},
    ]
