# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What is known about files that were read, so that nothing is read twice.

PRIVATE to the collection: no stability is promised to other users.

A note says: the inode with this device, number, size, time of change of the content and time of change of the status had
this hash and these extended attributes. It holds as long as all five are the same.

**Why the time of change of the status (ctime) can be trusted.** The kernel sets it to its clock whenever content, owner,
mode, names or attributes change; no call sets it to a value of one's choice, unlike the time of the content (utimensat(2)).
Three gaps are closed:

- The kernel's clock for it has ticks (up to 10 ms). A change in the tick in which the file was read would leave the same
  time. Hence no note is made of a file whose ctime is not older than the beginning of the pass, less a margin.
- A write through mmap(2) sets the times when a clean page is first written to, not again while that page is dirty. So a pass
  begins with a flush of the whole filesystem (syncfs(2)), which makes pages clean and protects them: a write after it is
  noticed by the kernel and sets ctime to after the beginning of the pass. Then the first rule keeps that file from being
  noted. A file that is noted had no dirty page when it was read, and the next write through mmap changes its ctime.
  (Filesystems in memory, such as tmpfs, do not set times on such writes; Docker's data does not lie there.)
- The clock may be set back. A ctime in the future is no older than the beginning of the pass, so there is no note; that a
  later change falls on exactly the same nanoseconds as an earlier one, with the same size and time of the content, is what
  is left.

In the last pass the containers are stopped, so nobody writes, and all that was written since its note has another ctime.

Notes about the target are made right after writing, as nobody else writes there; they say whether the file was read back,
because only that counts when both trees are compared.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import stat
import time
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.host import files, tree_content

# More than a tick of any kernel.
_MARGIN = 20_000_000
_VERSION = 1
_LIMIT = 4 * 1024**3
_BOOT = "/proc/sys/kernel/random/boot_id"


class Note(t.NamedTuple):
    """What is known of an inode.

    Attributes:
        size, modified, changed: st_size, st_mtime_ns and st_ctime_ns for which it holds.
        digest: of the content.
        attributes: the extended attributes, in the order of their names.
        read_back: whether the content was read from there, not only written to it.
    """

    size: int
    modified: int
    changed: int
    digest: bytes
    attributes: tuple[tuple[str, bytes], ...] = ()
    read_back: bool = True


# A note on its way: device, inode and what a Note has, flat, as that costs a fifth of a Note when it goes to another process.
Made = tuple[int, int, int, int, int, bytes, tuple[tuple[str, bytes], ...], bool]


class HashNotes:
    """All notes of a migration, and which directories were its source and target."""

    def __init__(self) -> None:
        self._notes: dict[tuple[int, int], Note] = {}
        self._roots: dict[str, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._notes)

    def of(self, status: os.stat_result) -> Note | None:
        """Return the note about a file if it still holds."""
        note = self._notes.get((status.st_dev, status.st_ino))
        if note is not None and note.changed == status.st_ctime_ns and note.modified == status.st_mtime_ns and note.size == status.st_size:
            return note
        return None

    def add(self, made: t.Iterable[Made]) -> None:
        """Add notes; later ones replace earlier ones."""
        self._notes.update((one[:2], Note(*one[2:])) for one in made)

    def same_root(self, root: str, status: os.stat_result) -> bool:
        """Tell whether a root is the directory that it was when it was first asked for, and remember it."""
        key = (status.st_dev, status.st_ino)
        return self._roots.setdefault(root, key) == key

    def save(self, path: str) -> None:
        """Write all notes to a file that only root reads."""
        head = {"version": _VERSION, "hash": tree_content.ALGORITHM, "boot": _boot(), "roots": self._roots}
        lines = [json.dumps(head)]
        for (device, inode), note in self._notes.items():
            coded = [[name, base64.b64encode(value).decode("ascii")] for name, value in note.attributes]
            lines.append(
                f"{device} {inode} {note.size} {note.modified} {note.changed} {note.digest.hex()} {int(note.read_back)}"
                + (f" {json.dumps(coded)}" if coded else "")
            )
        files.write_text(path, "\n".join(lines) + "\n", mode=0o600)

    @classmethod
    def load(cls, path: str) -> HashNotes:
        """Read notes; none where there is no such file, or it cannot be believed.

        It cannot be believed when it is not root's alone, or from before the last boot: devices may have got other numbers,
        and what was written may not have reached the disk. Then everything is read again.
        """
        notes = cls()
        try:
            status = os.lstat(path)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
                return notes
            text = files.read_text(path, _LIMIT)
            first, _newline, rest = (text or "").partition("\n")
            head = json.loads(first)
            if (head["version"], head["hash"], head["boot"]) != (_VERSION, tree_content.ALGORITHM, _boot()):
                return notes
            roots = {str(root): (int(device), int(inode)) for root, (device, inode) in head["roots"].items()}
            notes.add(_read(line) for line in rest.splitlines())
        except (OSError, files.FileError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, binascii.Error):
            return cls()
        notes._roots = roots
        return notes


class Moment:
    """The beginning of a pass, before the filesystem is flushed."""

    def __init__(self) -> None:
        self._begin = time.time_ns() - _MARGIN

    def note(self, status: os.stat_result, digest: bytes, attributes: dict[str, bytes]) -> list[Made]:
        """Return the note about a file that was the same before and after it was read, or none if it may have changed all the same."""
        return [made(status, digest, attributes, read_back=True)] if status.st_ctime_ns < self._begin else []


def made(status: os.stat_result, digest: bytes, attributes: dict[str, bytes], read_back: bool) -> Made:
    """Return a note about a file that nobody else changes."""
    held = tuple(sorted(attributes.items())) if attributes else ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, digest, held, read_back


def same(before: os.stat_result, after: os.stat_result) -> bool:
    """Tell whether nothing changed between two looks at a file."""
    return (
        before.st_ctime_ns == after.st_ctime_ns
        and before.st_mtime_ns == after.st_mtime_ns
        and before.st_size == after.st_size
        and before.st_ino == after.st_ino
    )


def _read(line: str) -> Made:
    device, inode, size, modified, changed, digest, read_back, *rest = line.split(" ", 7)
    coded = json.loads(rest[0]) if rest else []
    attributes = tuple((str(name), base64.b64decode(value, validate=True)) for name, value in coded)
    return int(device), int(inode), int(size), int(modified), int(changed), bytes.fromhex(digest), attributes, read_back == "1"


def _boot() -> str:
    try:
        with open(_BOOT, encoding="ascii") as handle:
            return handle.read().strip()
    except OSError:
        # Without it nothing that is read later can be believed.
        return f"unknown {time.time_ns()}"
