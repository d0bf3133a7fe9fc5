# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The variables that systemd gives a unit.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import os
import shlex
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import text_lines
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files


def environment(shown: t.Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a unit as systemd reads them (systemd.exec(5), Environment= and EnvironmentFile=).

    Args:
        shown: its properties Environment and EnvironmentFiles.
    """
    found: dict[str, str] = {}
    try:
        words = shlex.split(shown["Environment"])
    except ValueError:
        words = []
    for word in words:
        name, separator, value = word.partition("=")
        if separator:
            found[name] = value
    for entry in shown["EnvironmentFiles"].split(")"):
        path = entry.strip().partition(" (")[0]
        if not path.startswith("/"):
            continue
        for line in text_lines.lines_of(files.read_text(os.path.realpath(path)) or ""):
            name, separator, value = line.strip().partition("=")
            if separator and name.isidentifier():
                value = value.strip()
                found[name] = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
    return found
