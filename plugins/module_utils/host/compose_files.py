# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The files of a compose project, read with bounds.

PRIVATE to the collection: no stability is promised to other users.

A compose file names further files: it includes and extends them, takes variables and profiles from them. Whoever judges a
file that somebody else wrote must not hang at a pipe, read a device, or read without end; links are followed, since
projects are full of them.
"""

from __future__ import annotations

import errno
import os
import stat

from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose.tree import ComposeError

LARGEST = 1024 * 1024
MOST_FILES = 200
MOST_BYTES = 16 * 1024 * 1024


class ComposeFiles:
    """Reads each file once, and not more than MOST_FILES of them.

    Args:
        current: the directory in which relative paths begin; absolute.
    """

    def __init__(self, current: str) -> None:
        self._current = current
        self._texts: dict[str, str | None] = {}
        self._bytes = 0

    def text(self, path: str) -> str | None:
        """Return the text of a file, None where nothing lies at the path.

        Raises:
            ComposeError: it is no regular file, too large, not UTF-8, may not be read, or is one file too many.
        """
        place = os.path.normpath(os.path.join(self._current, path))
        if place not in self._texts:
            if len(self._texts) >= MOST_FILES:
                raise ComposeError(f"is one file more than the {MOST_FILES} that are read for a project", path)
            self._texts[place] = self._read(place, path)
        return self._texts[place]

    def _read(self, place: str, path: str) -> str | None:
        try:
            # Merely opening a device can do something to it, such as starting a watchdog.
            if not stat.S_ISREG(os.stat(place).st_mode):
                raise ComposeError("is no regular file; name the file itself", path)
            # Without O_NONBLOCK opening a pipe that nobody writes to never ends.
            descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError as error:
            raise ComposeError("is no path that a file can have", path) from error
        except OSError as error:
            loop = error.errno == errno.ELOOP
            raise ComposeError(f"cannot be read: {'its links go in a circle' if loop else error.strerror}", path) from error
        with os.fdopen(descriptor, "rb") as handle:
            if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
                raise ComposeError("is no regular file; name the file itself", path)
            content = handle.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ComposeError(f"is larger than {LARGEST} bytes; no compose file is", path)
        self._bytes += len(content)
        if self._bytes > MOST_BYTES:
            raise ComposeError(f"is too much: the files of the project are larger than {MOST_BYTES} bytes together", path)
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise ComposeError("is not UTF-8 text; save it as UTF-8", path, line) from error
