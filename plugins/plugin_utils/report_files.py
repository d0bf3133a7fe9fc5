# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Files of reports on the controller: their names and modes, and whether they changed by more than their time.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import hashlib
import os
import re
import typing as t

from ansible.errors import AnsibleActionFail
from ansible_collections.bulkhead.docker.plugins.module_utils.host import files

_LARGEST = 1024 * 1024 * 1024
UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


def mode(action: str, options: t.Mapping[str, t.Any], key: str) -> int:
    """Return a mode that is written in octal digits.

    Args:
        action: its name, for the message.
    """
    if not re.match(r"0?[0-7]{3}\Z", options[key]):
        raise AnsibleActionFail(f"{action}: {key} is {options[key]!r}; write it as octal digits in quotes, such as '0640'.")
    return int(options[key], 8)


def file_name(name: str) -> str:
    """Return a name that is a name of a file and nothing else; two names never become the same."""
    safe = UNSAFE.sub("_", name).lstrip(".")[:100] or "_"
    return safe if safe == name else f"{safe}-{hashlib.sha256(name.encode('utf-8')).hexdigest()[:8]}"


class Target:
    """A directory of the controller, or in check mode what would become of it."""

    def __init__(self, directory: str, mode: int, directory_mode: int, check: bool) -> None:
        self._directory = directory
        self._mode = mode
        self._directory_mode = directory_mode
        self._check = check

    def write(self, name: str, content: str, digest: str) -> dict[str, t.Any]:
        """Write a file that holds a digest wherever it holds anything, and tell path, size and whether it is another one."""
        path = os.path.join(self._directory, name)
        changed = self._differs(path, content, digest)
        if not self._check:
            for directory in (self._directory, os.path.dirname(path)):
                files.ensure_directory(directory, self._directory_mode)
            files.write_text(path, content, self._mode)
        return {"path": path, "size": len(content.encode("utf-8")), "changed": changed}

    def _differs(self, path: str, content: str, digest: str) -> bool:
        try:
            old = files.read_text(path, _LARGEST)
        except files.NotText:
            return True
        if old is None or files.attributes_differ(path, self._mode, os.geteuid(), os.getegid()):
            return True
        return old != content and (digest not in old or digest not in content)
