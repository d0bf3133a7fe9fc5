# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Whether containers log as new ones would, and if not, why: an older default, or a setting of their own.

PRIVATE to the collection: no stability is promised to other users.

The engine writes driver and options into a container when it is created (moby daemon/logs.go, mergeAndVerifyLogConfig):
options of the default go only to containers of the same driver, and a change of the default reaches no existing one. A
container does not say which of its options were given to it and which are defaults of that day, but a value that never
was a default was given.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.log_budget import LogConfig

CURRENT = "current"
#: It has what the default once was, so creating it again changes it.
FORMER = "former default"
#: It has what no default that we know of ever was, so creating it again does not change it.
OWN = "own setting"

#: What the engine does when nobody configured anything.
BUILT_IN = LogConfig("", "json-file", {})


def default_of(config: t.Mapping[str, t.Any], flags: t.Mapping[str, t.Sequence[str]] | None = None) -> LogConfig:
    """Return what new containers get from a configuration, or from the unit's flags where it leaves that open."""
    given = flags or {}
    options = config.get("log-opts")
    if options is None:
        options = dict(entry.partition("=")[::2] for entry in given.get("log-opt", []))
    driver = config.get("log-driver") or [*given.get("log-driver", []), BUILT_IN.driver][0]
    return LogConfig("", str(driver), {str(name): str(value) for name, value in options.items()})


def of_container(inspected: t.Mapping[str, t.Any]) -> LogConfig:
    """Return the log settings in an answer of ``GET /containers/<id>/json``."""
    own = (inspected.get("HostConfig") or {}).get("LogConfig") or {}
    name = str(inspected.get("Name") or inspected.get("Id") or "").lstrip("/")
    return LogConfig(name, str(own.get("Type") or BUILT_IN.driver), dict(own.get("Config") or {}))


def state(own: LogConfig, default: LogConfig, formers: t.Iterable[LogConfig]) -> str:
    """Return CURRENT, FORMER or OWN.

    Args:
        own: of the container.
        default: what a new container gets.
        formers: what new containers got before, as far as that is known.
    """
    differing = _differing(own, default)
    if not differing:
        return CURRENT
    alike = [former for former in (*formers, BUILT_IN) if former.driver == own.driver]
    if own.driver != default.driver:
        return FORMER if any(not _differing(own, former) for former in alike) else OWN
    # A container of the default's driver has defaults where it has no values of its own: one old default is enough.
    for name in differing:
        if any(own.options.get(name) == former.options.get(name) for former in alike):
            return FORMER
    return OWN


def differences(own: LogConfig, default: LogConfig) -> list[str]:
    """Return in words how a container's settings differ from those of a new one."""
    if own.driver != default.driver:
        return [f"it logs through {own.driver}, the default is {default.driver}"]
    return [
        f"{name} of log-opts is {own.options.get(name, 'absent')}, the default is {default.options.get(name, 'absent')}"
        for name in _differing(own, default)
    ]


def unlike(
    existing: t.Iterable[LogConfig], default: LogConfig, formers: t.Sequence[LogConfig]
) -> list[dict[str, t.Any]]:
    """Return the containers that log otherwise than new ones: name, driver, state and why, in the order of their names."""
    found = [
        {"name": own.name, "driver": own.driver, "state": state(own, default, formers), "why": differences(own, default)}
        for own in existing
    ]
    return sorted((entry for entry in found if entry["state"] != CURRENT), key=lambda entry: str(entry["name"]))


def _differing(own: LogConfig, other: LogConfig) -> list[str]:
    """Return the names of the options that differ; all of both when the drivers do, and the driver's name if none has any."""
    names = sorted({*own.options, *other.options})
    if own.driver != other.driver:
        return names or ["log-driver"]
    return [name for name in names if own.options.get(name) != other.options.get(name)]
