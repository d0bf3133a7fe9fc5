# SPDX-License-Identifier: Apache-2.0
"""What the outcome of a cell is, by what was seen before, during and after: no opinion of the run that is judged."""

from __future__ import annotations

import typing as t

from fault_matrix import AUDIT, BOOT, CHANGE, CHECK, FIRST, HEALED, LAST_GOOD, REFUSED, RESTART

Json = dict[str, t.Any]
CONFIG = "/etc/docker/daemon.json"
#: What a run that changes the configuration changes.
CHANGED = {CONFIG}


def differing(before: Json, after: Json, top: str = "") -> list[str]:
    """Return how two looks differ, each as where, before and after."""
    found = []
    for key in sorted(before.keys() | after.keys()):
        one, other = before.get(key), after.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            found += differing(one, other, f"{top}{key} ")
        elif one != other:
            found.append(f"{top}{key}: {one!r} -> {other!r}")
    return found


def _state(look: Json, without: t.Collection[str] = ()) -> Json:
    """Return what of a look has to be the same on a host in order."""
    files = {path: what for path, what in look["files"].items() if path not in without}
    return {**{key: value for key, value in look.items() if key not in ("invocation", "listening", "disks")}, "files": files}


def unhealthy(before: Json, after: Json, phase: str = "") -> list[str]:
    """Return what keeps a host from being as it was when it was in order."""
    return differing(_state(before, CHANGED if phase == CHANGE else ()), _state(after, CHANGED if phase == CHANGE else ()))


def not_made(look: Json) -> list[str]:
    """Return what keeps a host that was provisioned for the first time from being one."""
    wanted = {
        "the engine does not answer": bool(look["engine"]),
        "no user namespaces": look["engine"].get("userns") is True,
        "no filesystems of its own": len(look["mounts"]) >= 2 and all(mount["uuid"] for mount in look["mounts"].values()),
        "bare mount points can be written": all(place["immutable"] for place in look["under"].values()),
        "data under a mount": not any(place["entries"] for place in look["under"].values()),
        "no manifest": look["manifest"] == "in order",
        "no packages, or half of them": look["packages"]["there"] and not look["packages"]["half"],
        "more than one root": len(look["roots"]) == 1,
    }
    return [sentence for sentence, fulfilled in wanted.items() if not fulfilled]


def forbidden(before: Json, look: Json) -> list[str]:
    """Return what must never be, at any moment."""
    found = []
    for path, place in look["under"].items():
        if place["entries"] and place["entries"] != before["under"].get(path, {}).get("entries"):
            found.append(f"data was written under {path}: {place['entries']}")
    new = sorted(set(look["roots"]) - set(before["roots"]))
    if new and before["engine"]:
        found.append(f"Docker made another root: {new}")
    opened = sorted(set(look["listening"]) - set(before["listening"]))
    if opened:
        found.append(f"opened {opened}")
    mounted = before["mounts"]
    if look["engine"] and look["invocation"] != before["invocation"] and before["engine"]:
        if not look["engine"]["userns"] or look["engine"]["root"] != before["engine"]["root"]:
            found.append(f"dockerd was started without what it has to have: {look['engine']}")
        for path, mount in mounted.items():
            now = look["mounts"].get(path)
            if now is None or now["uuid"] != mount["uuid"]:
                found.append(f"dockerd was started with {now} on {path} instead of {mount}")
    return found


def lost(before: Json, after: Json) -> list[str]:
    """Return what of the data is not as it was."""
    return [f"{key} changed: {before[key]} -> {after[key]}" for key in ("volumes", "layer") if before[key] != after[key]]


def outcome(phase: str, seen: Json) -> tuple[str, list[str]]:
    """Return a cell's outcome, and what is wrong with it; the outcome is empty where it is none that may be."""
    before, during, after = seen["before"], seen["during"], seen["after"]
    wrong = [*forbidden(before, during), *forbidden(before, after)]
    if seen["cut"] and not seen["refused"]:
        wrong.append("the run was not cut off")
    if phase == FIRST:
        if seen["refused"] and not (seen["heals"] or seen["cut"]):
            wrong += differing({"disks": before["disks"], "engine": before["engine"]}, {"disks": after["disks"], "engine": after["engine"]})
        else:
            wrong += not_made(after)
    else:
        wrong += lost(before, after)
        wrong += [f"not healed: {sentence}" for sentence in unhealthy(before, after)]
    if wrong:
        return "", wrong
    serves = during["engine"] == before["engine"] and bool(during["engine"])
    restarted = during["invocation"] != before["invocation"]
    if seen["cut"] or seen["heals"]:
        # Somebody ended the run, or two were in each other's way; what counts is the next one.
        return HEALED, []
    if seen["refused"]:
        same = not differing(_files(before), _files(during))
        if phase == CHANGE and serves and restarted and same:
            return LAST_GOOD, []
        return REFUSED, []
    if phase in (CHECK, AUDIT):
        return ("", ["a look passed in silence"]) if seen["lasts"] else (HEALED, [])
    if phase in (RESTART, BOOT) and seen["lasts"]:
        return (LAST_GOOD, []) if serves else ("", ["the start passed in silence, and nobody serves"])
    silent = [] if phase == FIRST else unhealthy(before, during, phase)
    if silent and not seen["lasts"]:
        return "", [f"passed in silence with {sentence}" for sentence in silent]
    if seen["lasts"] and not silent and serves:
        return LAST_GOOD, []
    return (HEALED, []) if not silent else ("", [f"passed in silence with {sentence}" for sentence in silent])


def _files(look: Json) -> Json:
    return {"config": look["files"].get(CONFIG), "engine": bool(look["engine"])}
