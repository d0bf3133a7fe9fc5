# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Hosts that fail and pass the rules of rules/audit_rules.py."""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import audit_watch, model
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.vocabulary import AuditWatch

PLACE = "/usr/bin/containerd"


def _case(watched: audit_watch.Watched) -> dict[str, t.Any]:
    path = {"audited_paths": {watched.name: {PLACE: audit_watch.FILE}}}
    directory = {"audited_paths": {watched.name: {PLACE: audit_watch.DIRECTORY}}}
    mounted = {"audited_paths": {watched.name: {PLACE: audit_watch.MOUNT_POINT}}}
    single, whole, people = AuditWatch(PLACE, "wa"), AuditWatch(PLACE, "wa", True), AuditWatch(PLACE, "wa", True, True)
    fails = [
        {"audit_enabled": False},
        {"audit_watches": ()},
        {**path, "audit_watches": (AuditWatch(f"{PLACE}-shim", "rwxa"),)},
        {**path, "audit_watches": (AuditWatch("/usr/bin/contain", "rwxa", True),)},
        {**path, "audit_watches": (AuditWatch(PLACE, "w"),)},
        {**path, "audit_watches": (AuditWatch(PLACE, "rx"), AuditWatch(PLACE, "a"))},
        {**path, "audit_watches": (AuditWatch("/usr/bin", "wa"),)},
        {"audited_paths": {watched.name: {PLACE: audit_watch.FILE, "/usr/local/bin/other": audit_watch.FILE}}, "audit_watches": (single,)},
        # The kernel does not step into what is mounted on a watched path.
        {**mounted, "audit_watches": (single,)},
    ]
    passes = [
        {**path, "audit_watches": (single,)},
        {**path, "audit_watches": (AuditWatch(PLACE, "w"), AuditWatch(PLACE, "rxa"))},
        {**path, "audit_watches": (AuditWatch("/usr", "wa", True),)},
        {**path, "audit_watches": (AuditWatch("/", "wa", True),)},
        {**directory, "audit_watches": (whole,)},
        {**mounted, "audit_watches": (whole,)},
    ]
    (fails if watched.recursive else passes).append({**directory, "audit_watches": (single,)})
    (passes if watched.busy else fails).append({**directory, "audit_watches": (people,)})
    (passes if watched.busy else fails).append({**mounted, "audit_watches": (people,)})
    return {"kind": model.HOST, "fails": fails, "passes": passes}


CASES = {watched.name: _case(watched) for watched in audit_watch.WATCHED}
