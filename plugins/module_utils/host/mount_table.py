# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The kernel's table of mounts, and whether a mounted filesystem serves, without anything else.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import errno
import os
import re
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import text_lines

_OCTAL = re.compile(rb"\\([0-3][0-7]{2})")


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
    # The kernel escapes blanks, tabs, line feeds and backslashes. All else that a name may hold, such as a carriage return or a
    # no-break space, divides nothing; neither does a source that is empty.
    with open("/proc/self/mountinfo", "rb") as handle:
        text = handle.read().decode("utf-8", "surrogateescape")
    for line in text_lines.lines_of(text):
        fields = line.split(" ")
        if "-" not in fields[6:]:
            continue
        tail = [*fields[fields.index("-", 6) + 1:], "", ""]
        options = (*fields[5].split(","), *(tail[2].split(",") if tail[2] else ()))
        found.append(MountInfo(fields[2], unescaped(fields[3]), unescaped(fields[4]), tail[0], unescaped(tail[1]), options))
    return found


def unescaped(text: str) -> str:
    """Return a field of mountinfo or fstab with its escapes resolved (fstab(5): blanks and tabs are octal), each of which is a byte."""
    content = _OCTAL.sub(lambda match: bytes([int(match[1], 8)]), text.encode("utf-8", "surrogateescape"))
    return content.decode("utf-8", "surrogateescape")


def broken(path: str) -> str:
    """Return why a mounted filesystem serves no more: after an error of its disk it shuts itself down and stays mounted.

    XFS says so when its top is opened, ext4 when that is to be flushed, which writes nothing that was not to be written anyway.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        return "" if error.errno in (errno.EROFS, errno.EINVAL) else f"{path} serves no more: {error.strerror}; see the kernel's log"
    return ""
