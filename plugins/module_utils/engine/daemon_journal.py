# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Finding the one line of dockerd's journal that says why it does not run.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import re
import typing as t

# What dockerd prints last when it gives up (moby cmd/dockerd, since 29 daemon/command), best first.
_FINAL = (
    re.compile(r"failed to start daemon\b.*|failed to start cluster component\b.*"),
    re.compile(r"unable to configure the Docker daemon with file\b.*"),
    re.compile(r"(invalid argument|unknown flag|failed to load listeners|failed to create|Error starting daemon)\b.*"),
)
_FIELD = re.compile(r'\b(?P<name>level|msg|error)=(?P<value>"(?:[^"\\]|\\.)*"|\S+)')
_SYSTEMD = re.compile(
    r"^(docker\.service|Starting|Stopping|Stopped|Started|Failed to start|Dependency failed|Scheduled)\b"
    # What runs a user's daemon says only that it ended; the shell of its script traces every command.
    r"|^\[rootlesskit:|^\++ "
)


def reason(lines: t.Sequence[str]) -> str:
    """Return why the daemon does not run, from its journal, oldest line first; empty when dockerd itself said nothing."""
    for pattern in _FINAL:
        for line in reversed(lines):
            match = pattern.search(_message(line)[1])
            if match:
                return _trimmed(match.group())
    for wanted in ("fatal", "error"):
        for line in reversed(lines):
            level, message = _message(line)
            if level == wanted:
                return _trimmed(message)
    for line in reversed(lines):
        level, message = _message(line)
        if not level and not _SYSTEMD.match(line):
            return _trimmed(message)
    return ""


def verdict(lines: t.Sequence[str]) -> str:
    """Return systemd's own last word about the unit, such as ``start operation timed out``; empty when there is none."""
    for word in ("timed out", "Failed with result", "ailed"):
        for line in reversed(lines):
            if word in line:
                return _trimmed(line)
    return ""


def _message(line: str) -> tuple[str, str]:
    found = {match["name"]: _unquoted(match["value"]) for match in _FIELD.finditer(line)}
    if "msg" not in found:
        return found.get("level", ""), line
    detail = f": {found['error']}" if found.get("error") else ""
    return found.get("level", ""), found["msg"] + detail


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _trimmed(message: str) -> str:
    one_line = " ".join(message.split()).rstrip(".")
    return one_line if len(one_line) <= 600 else one_line[:600] + " …"
