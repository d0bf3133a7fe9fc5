# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Reading and judging a seccomp profile before a daemon is told to use it.

PRIVATE to the collection: no stability is promised to other users.

dockerd parses the file only when a container starts, and a profile that says nothing switches the filter off without a
word. Source: moby profiles/seccomp/seccomp.go (since 28: github.com/moby/profiles), runc libcontainer/specconv, and
libseccomp's names of actions, operators and architectures.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.problems import Problem

_TOP = (
    "defaultAction",
    "defaultErrnoRet",
    "archMap",
    "architectures",
    "flags",
    "listenerPath",
    "listenerMetadata",
    "syscalls",
)
_RULE = ("name", "names", "action", "errnoRet", "args", "comment", "includes", "excludes")
_FILTER = ("caps", "arches", "minKernel")
_ARGUMENT = ("index", "value", "valueTwo", "op")
REFUSING_ACTIONS = ("SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP")
_ACTIONS = (*REFUSING_ACTIONS, "SCMP_ACT_TRACE", "SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY")
_OPERATORS = (
    "SCMP_CMP_NE",
    "SCMP_CMP_LT",
    "SCMP_CMP_LE",
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_MASKED_EQ",
)
_SYSCALL = re.compile(r"[a-z_][a-z0-9_]*")
_KERNEL = re.compile(r"\d{1,3}\.\d{1,3}")
#: The largest number that a call may return as an error (linux/err.h).
LARGEST_ERRNO = 4095


def text_of(given: t.Any) -> str:
    """Return the text of a profile that may come as text or, as older templating has it, as what the text says."""
    return given if isinstance(given, str) else json.dumps(given, indent=2)


def problems(text: str, where: str = "seccomp_profile") -> list[Problem]:
    """Return what forbids the use of a profile; nothing where it can be used.

    Args:
        text: the JSON text of the profile.
        where: how the problems call the profile.
    """
    try:
        profile = json.loads(text)
    except ValueError as error:
        return [Problem(where, f"the profile is not JSON ({error}); give the text of a profile, or 'builtin'")]
    if not isinstance(profile, dict):
        return [Problem(where, "the profile is not a JSON object; give the text of a profile, or 'builtin'")]
    found = _default_action(profile, where)
    for name in profile:
        if name not in _TOP:
            found.append(
                Problem(
                    where,
                    f"the profile holds the unknown key '{name}', which the engine ignores; known are "
                    f"{', '.join(_TOP)}",
                )
            )
    if profile.get("archMap") and profile.get("architectures"):
        found.append(
            Problem(where, "the profile holds both archMap and architectures, with which no container starts; keep one")
        )
    found += [Problem(where, f"the profile {message}") for message in _errno("defaultErrnoRet", profile.get("defaultErrnoRet"))]
    found += [Problem(where, message) for message in _architectures(profile)]
    rules = profile.get("syscalls")
    if not isinstance(rules, list) or not rules:
        found.append(
            Problem(
                where,
                "the profile has no list of syscalls, so no program could run under it, or all could; list what is "
                "allowed",
            )
        )
        return found
    for number, rule in enumerate(rules):
        found += [Problem(f"{where} syscalls[{number}]", message) for message in _rule(rule)]
    return found


def _default_action(profile: dict[str, t.Any], where: str) -> list[Problem]:
    action = profile.get("defaultAction")
    if action in REFUSING_ACTIONS:
        return []
    if not action:
        return [
            Problem(
                where,
                "the profile has no defaultAction, and the engine would switch seccomp off for every container; set "
                "it to SCMP_ACT_ERRNO",
            )
        ]
    if action in ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE", "SCMP_ACT_NOTIFY"):
        return [
            Problem(
                where,
                f"the profile's defaultAction is {action}, which would switch seccomp off for all calls that it "
                "does not list; set it to SCMP_ACT_ERRNO",
            )
        ]
    return [Problem(where, f"the profile's defaultAction is {action!r}, which is unknown; set it to SCMP_ACT_ERRNO")]


def _architectures(profile: dict[str, t.Any]) -> list[str]:
    found = []
    entries = _given(profile, "archMap", [])
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict)
        and isinstance(entry.get("architecture"), str)
        and _words(_given(entry, "subArchitectures", []))
        for entry in entries
    ):
        found.append("the profile's archMap is not a list of objects with architecture and subArchitectures")
    if not _words(_given(profile, "architectures", [])):
        found.append("the profile's architectures are not a list of words")
    if not _words(_given(profile, "flags", [])):
        found.append("the profile's flags are not a list of words")
    return found


def _given(holder: t.Mapping[str, t.Any], key: str, otherwise: t.Any) -> t.Any:
    # Only null counts as absent: on an empty value of another kind the engine gives the whole profile up.
    value = holder.get(key)
    return otherwise if value is None else value


def _rule(rule: t.Any) -> list[str]:
    if not isinstance(rule, dict):
        return ["is not an object; write names and action"]
    found = [f"holds the unknown key '{name}'; known are {', '.join(_RULE)}" for name in rule if name not in _RULE]
    single, several = rule.get("name"), rule.get("names")
    if single and several:
        found.append("holds both name and names, with which no container starts; keep names")
    names = several if several is not None else [single] if single else []
    if not isinstance(names, list) or not names:
        found.append("names no system call; list them in names")
    else:
        found += [
            f"names {name!r}, which cannot be a system call"
            for name in names
            if not isinstance(name, str) or not _SYSCALL.fullmatch(name)
        ]
    action = rule.get("action")
    if action not in _ACTIONS:
        found.append(f"has the action {action!r}, which is unknown; use one of {', '.join(_ACTIONS)}")
    found += _errno("errnoRet", rule.get("errnoRet"))
    if not isinstance(_given(rule, "comment", ""), str):
        found.append("has a comment that is no text, with which no container starts")
    arguments = _given(rule, "args", [])
    if not isinstance(arguments, list):
        return [*found, "has args that are not a list"]
    for argument in arguments:
        found += _argument(argument)
    for side in ("includes", "excludes"):
        condition = _given(rule, side, {})
        if not isinstance(condition, dict):
            found.append(f"has {side} that are not an object")
            continue
        found += [
            f"has {side} with the unknown key '{name}'; known are {', '.join(_FILTER)}"
            for name in condition
            if name not in _FILTER
        ]
        found += [
            f"has {side} with {name} that is not a list of words"
            for name in ("caps", "arches")
            if not _words(_given(condition, name, []))
        ]
        kernel = condition.get("minKernel") or "1.0"
        if not isinstance(kernel, str) or not _KERNEL.fullmatch(kernel) or kernel == "0.0":
            found.append(
                f"has {side} with the minKernel {kernel!r}, with which no container starts; write two numbers, such as '4.8'"
            )
    return found


def _words(value: t.Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def is_number(value: t.Any, least: int, most: int) -> bool:
    """Tell whether a value of JSON is a whole number within bounds; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _errno(key: str, value: t.Any) -> list[str]:
    if value is None or is_number(value, 0, LARGEST_ERRNO):
        return []
    return [f"has the {key} {value!r}; an error is a number from 1 to {LARGEST_ERRNO}"]


def _argument(argument: t.Any) -> list[str]:
    if not isinstance(argument, dict):
        return ["has an argument that is not an object"]
    found = [
        f"has an argument with the unknown key '{name}'; known are {', '.join(_ARGUMENT)}"
        for name in argument
        if name not in _ARGUMENT
    ]
    if argument.get("op") not in _OPERATORS:
        found.append(f"has the operator {argument.get('op')!r}, which is unknown; use one of {', '.join(_OPERATORS)}")
    for key in ("value", "valueTwo"):
        value = argument.get(key, 0)
        if not is_number(value, 0, 2**64 - 1):
            found.append(f"has an argument with the {key} {value!r}; it is a number from 0 to 2^64 - 1")
    index = argument.get("index")
    if not is_number(index, 0, 5):
        found.append(f"has the argument index {index!r}; a system call has the arguments 0 to 5")
    return found
