# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What the collection remembers on the host about the daemon's configuration, between two runs.

PRIVATE to the collection: no stability is promised to other users.

The order of writes makes a crash harmless: what is pending is recorded before a file is replaced and cleared after the
daemon was proved to run with it, and until then the last proved files are kept here.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

SCHEMA = 1
PENDING = ("", "reload", "restart")
#: What the name of a memory ends in that could not be read and was put aside.
KEPT = ".unreadable"


@dataclasses.dataclass(frozen=True)
class Files:
    """The texts of daemon.json and of our seccomp profile; None where there is no file."""

    config: str | None = None
    seccomp: str | None = None


@dataclasses.dataclass(frozen=True)
class State:
    """The memory of one host.

    Attributes:
        managed: the paths of daemon.json that are ours.
        good: the files with which the daemon was last proved to serve, or None when that never happened.
        pending: what the daemon still needs to run with the files: nothing, reload or restart.
        since: when keys that only new containers get were given their present value, in seconds since the epoch.
        stale: the names of containers that were found to be older than that.
        unapplied: keys of the default bridge that were written and may not have reached it yet.
        reset: keys that are not ours any more, with the value that we left in the file because the daemon takes it
            on SIGHUP while it would keep the old one if the key were absent; they go at the next restart.
        reloaded: what a daemon that waits for its restart took at SIGHUP since it had good.
        invocation: systemd's id of the run of dockerd that is known to have the restart-only settings of good; empty
            where that is not known.
    """

    managed: tuple[str, ...] = ()
    good: Files | None = None
    pending: str = ""
    since: dict[str, float] = dataclasses.field(default_factory=dict)
    stale: tuple[str, ...] = ()
    unapplied: tuple[str, ...] = ()
    reset: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    reloaded: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    invocation: str = ""


def parse(text: str | None, path: str) -> tuple[State, str]:
    """Return the state in a file's text, and a warning where the text is damaged.

    Args:
        text: the content, or None where there is no file.
        path: of the file, for the warning.
    """
    if text is None:
        return State(), ""
    try:
        value = json.loads(text)
        if value["schema"] > SCHEMA:
            return State(), (
                f"{path} was written by a newer release of the collection and is not used, "
                "so no key counts as managed by it until the next change; it is kept as "
                f"{path}{KEPT} when this run writes its own; use that release again"
            )
        good = value["good"]
        state = State(
            managed=tuple(str(path) for path in value["managed"]),
            good=None if good is None else Files(_text(good["config"]), _text(good["seccomp"])),
            pending=str(value["pending"]),
            since={str(key): float(moment) for key, moment in value["since"].items()},
            stale=tuple(str(name) for name in value["stale"]),
            unapplied=tuple(str(key) for key in value["unapplied"]),
            # A memory of an earlier release has none of these.
            reset=dict(value.get("reset", {})),
            reloaded=dict(value.get("reloaded", {})),
            invocation=str(value.get("invocation", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        state = State(pending="?")
    if state.pending not in PENDING:
        return State(), (
            f"{path} is damaged and is not used, so no key counts as managed by an earlier run; "
            "keys that were dropped since then stay in the daemon's configuration until somebody removes them; it is "
            f"kept as {path}{KEPT} when this run writes its own"
        )
    return state, ""


def render(state: State) -> str:
    """Return the text that is written for a state."""
    return json.dumps({"schema": SCHEMA, **dataclasses.asdict(state)}, indent=2, sort_keys=True) + "\n"


def _text(value: t.Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError("not a text")
    return value
