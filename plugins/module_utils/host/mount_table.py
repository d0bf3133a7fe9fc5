# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The kernel's table of mounts, without anything else.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import re
import typing as t

_OCTAL = re.compile(r"\\([0-7]{3})")


class MountInfo(t.NamedTuple):
    """A line of /proc/self/mountinfo (proc_pid_mountinfo(5)); number is the device's major:minor.

    The options are those of the mount and those of the filesystem.
    """

    number: str
    root: str
    target: str
    fstype: str
    source: str
    options: tuple[str, ...] = ()


def mountinfo() -> list[MountInfo]:
    """Return every mount that this process sees, in the order in which they were made."""
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as handle:
        for line in handle:
            fields = line.split()
            tail = fields[fields.index("-") + 1:]
            options = (*fields[5].split(","), *(tail[2].split(",") if len(tail) > 2 else ()))
            found.append(MountInfo(fields[2], unescaped(fields[3]), unescaped(fields[4]), tail[0], unescaped(tail[1]), options))
    return found


def unescaped(text: str) -> str:
    """Return a field of mountinfo or fstab with its escapes resolved (fstab(5): blanks and tabs are octal)."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
