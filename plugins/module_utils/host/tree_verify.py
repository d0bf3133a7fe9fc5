# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Whether one tree is another's copy: every file by hash, and all else that makes it the same to a container.

PRIVATE to the collection: no stability is promised to other users.

Where a note tells the hash of a large original that is still in memory, the copy is compared with it byte by byte instead, which
says as much and costs less. Either way all of the copy is read.

This shares with the copying only the way to read trees and the arithmetic of ids. A file is not read again while a note about
it holds (`tree_notes`), so that a comparison while containers run leaves only what changed since for the one after they
stopped. What was only written counts as unread.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import stat
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_shift import Shift
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    tree_content,
    tree_copy,
    tree_notes,
    tree_workers,
    trees,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_content import Contents
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_copy import Progress
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_notes import HashNotes, Made, Moment, Note
from ansible_collections.bulkhead.docker.plugins.module_utils.host.trees import (
    Crossing,
    Moved,
    Outside,
    Scope,
    Tree,
    TreeError,
)

_FILES = 256
# Filesystems put holes on blocks of their own; a part may be so much longer at its ends.
_BLOCK = 65536
_TOLD = {
    "missing": "is missing in the copy",
    "extra": "is in the copy only",
    "changing": "changed while it was read",
    "mounted": "is where something is mounted, which was neither copied nor compared",
}


class Difference(t.NamedTuple):
    """Something in which the copy is not what it has to be.

    Attributes:
        path: below the roots.
        what: "missing", "extra", "type", "content", "size", "mode", "owner", "time", "attributes", "link", "device",
            "hard links", "sparse", "changing" for what changed while it was read, or "mounted" where something is mounted,
            which was neither copied nor compared.
        expected, found: both sides, in words.
    """

    path: str
    what: str
    expected: str = ""
    found: str = ""

    def __str__(self) -> str:
        path = trees.shown("", self.path)[1:] or "the directory itself"
        if self.what in _TOLD:
            return f"{path} {_TOLD[self.what]}"
        return f"{path} differs in {self.what}: {self.expected} is expected, {self.found} was found"


# A hash and extended attributes.
_Content = tuple[bytes, tuple[tuple[str, bytes], ...]]


class _Task(t.NamedTuple):
    path: str
    names: tuple[str, ...] | None = None


@dataclasses.dataclass
class _Done:
    differences: list[Difference] = dataclasses.field(default_factory=list)
    files: int = 0
    read: int = 0
    tasks: list[_Task] = dataclasses.field(default_factory=list)
    linked: list[tuple[str, int, int]] = dataclasses.field(default_factory=list)
    notes: list[Made] = dataclasses.field(default_factory=list)


def verify(
    source: str,
    target: str,
    scope: Scope | None = None,
    notes: HashNotes | None = None,
    progress: t.Callable[[Progress], None] | None = None,
    workers: int = 0,
    from_disk: bool = False,
) -> list[Difference]:
    """Compare a tree with its copy.

    Args:
        source, target, scope, notes, progress, workers: see `tree_copy.copy`.
        from_disk: have what is read in the target come from its disk, not from memory.

    Returns:
        All differences by path; none means that the copy is good.

    Raises:
        TreeError: one of them cannot be read, or something has ids that are no container's and may not keep them.
    """
    scope = scope or Scope()
    notes = HashNotes() if notes is None else notes
    with contextlib.ExitStack() as held:
        origin = Tree(source)
        held.callback(origin.close)
        copied_to = Tree(target)
        held.callback(copied_to.close)
        trees.refuse_nesting(origin, copied_to, scope)
        tree_copy.refuse_other_roots(notes, origin, copied_to)
        return _Pass(origin, copied_to, scope, notes, progress, workers, from_disk).run()


class _Pass:
    def __init__(
        self, source: Tree, target: Tree, scope: Scope, notes: HashNotes, progress: t.Callable[[Progress], None] | None, workers: int, from_disk: bool
    ) -> None:
        self._source, self._target, self._scope, self._notes = source, target, scope, notes
        self._tell = progress or (lambda far: None)
        self._workers, self._from_disk = workers, from_disk
        self._differences: list[Difference] = []
        self._linked: list[tuple[str, int, int]] = []
        self._looked = self._read = 0
        self._moment = Moment()

    def run(self) -> list[Difference]:
        trees.flush(self._source.descriptor, self._source.root)
        if self._source.status.st_dev != self._target.status.st_dev:
            trees.flush(self._target.descriptor, self._target.root)
        tree_workers.spread(_Task(""), self._make, self._finish, self._report, self._workers)
        self._names()
        return sorted(self._differences)

    def _make(self, report: t.Callable[[int], None]) -> t.Callable[[t.Iterable[_Task]], _Done]:
        return _Comparer(self._source, self._target, self._scope, self._notes, self._moment, report, self._from_disk).directories

    def _finish(self, done: _Done) -> list[_Task]:
        self._differences += done.differences
        self._linked += done.linked
        self._notes.add(done.notes)
        self._looked += done.files
        self._report(done.read)
        return done.tasks

    def _report(self, read: int) -> None:
        self._read += read
        self._tell(Progress(self._looked, self._read))

    def _names(self) -> None:
        """Find names that are of one file on one side and of several on the other."""
        copies: dict[int, int] = {}
        originals: dict[int, int] = {}
        for path, original, copied in sorted(self._linked):
            if copies.setdefault(original, copied) != copied:
                self._differences.append(Difference(path, "hard links", "one file with other names", "a file of its own"))
            elif originals.setdefault(copied, original) != original:
                self._differences.append(Difference(path, "hard links", "a file of its own", "one file with other names"))


class _Comparer:
    def __init__(
        self, source: Tree, target: Tree, scope: Scope, notes: HashNotes, moment: Moment, report: t.Callable[[int], None], from_disk: bool
    ) -> None:
        self._source, self._target, self._scope, self._notes, self._moment = source, target, scope, notes, moment
        self._contents = Contents(report)
        self._from_disk = from_disk
        self._ids: dict[tuple[int, int], tuple[int, int]] = {}
        self._done = _Done()

    def directories(self, tasks: t.Iterable[_Task]) -> _Done:
        """Compare some directories, or some of the files in them."""
        done = self._done = _Done()
        for task in tasks:
            try:
                self._directory(task)
            except Moved as moved:
                self._differ(str(moved), "changing")
            except Crossing:
                self._differ(task.path, "mounted")
            except OSError as error:
                raise TreeError(f"{trees.shown(self._source.root, task.path)} cannot be compared with its copy: {error.strerror}") from error
        return done

    def _directory(self, task: _Task) -> None:
        path = task.path
        source, target = self._source.directory(path), self._target.directory(path)
        if task.names is not None:
            self._files(path, source, target, trees.look_at(source, task.names), trees.look_at(target, task.names))
            return
        originals, copies = self._source.entries(source, path), self._target.entries(target, path)
        if self._scope.holds_excluded(path):
            originals = {name: status for name, status in originals.items() if not self._scope.excludes(trees.below(path, name))}
        for name, status in copies.items():
            if name not in originals:
                self._extra(target, name, status, trees.below(path, name))
        original, copied = os.fstat(source), os.fstat(target)
        self._status(path, original, copied)
        self._attributes(path, original, trees.attributes(source), trees.attributes(target))
        files = {}
        for name, status in originals.items():
            other = copies.get(name)
            if other is None:
                self._differ(trees.below(path, name), "missing")
            elif stat.S_IFMT(status.st_mode) != stat.S_IFMT(other.st_mode):
                self._differ(trees.below(path, name), "type", _kind(status), _kind(other))
            elif stat.S_ISDIR(status.st_mode):
                self._done.tasks.append(_Task(trees.below(path, name)))
            else:
                files[name] = status
        names = list(files)
        for start in range(_FILES, len(names), _FILES):
            self._done.tasks.append(_Task(path, tuple(names[start: start + _FILES])))
        self._files(path, source, target, {name: files[name] for name in names[:_FILES]}, copies)

    def _extra(self, directory: int, name: str, status: os.stat_result, path: str) -> None:
        """Name what only the copy has, but for what is left alone and the directories that hold it."""
        if self._scope.excludes(path):
            return
        if not stat.S_ISDIR(status.st_mode) or not self._scope.holds_excluded(path):
            self._differ(path, "extra")
            return
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        try:
            for below, found in self._target.entries(inner, path).items():
                self._extra(inner, below, found, trees.below(path, below))
        finally:
            os.close(inner)

    def _files(
        self, path: str, source: int, target: int, originals: t.Mapping[str, os.stat_result], copies: t.Mapping[str, os.stat_result]
    ) -> None:
        start = trees.below(path, "")
        self._done.files += len(originals)
        for name, status in originals.items():
            below = start + name
            other = copies.get(name)
            try:
                kind = stat.S_IFMT(status.st_mode)
                if other is None or kind == stat.S_IFDIR or kind != stat.S_IFMT(other.st_mode):
                    raise Moved(below)
                if status.st_nlink > 1 or other.st_nlink > 1:
                    self._done.linked.append((below, status.st_ino, other.st_ino))
                self._status(below, status, other)
                if kind == stat.S_IFREG:
                    self._file(source, target, name, below, status, other)
                else:
                    self._special(source, target, name, below, status, other)
            except Moved:
                self._differ(below, "changing")
            except Crossing:
                self._differ(below, "mounted")

    def _file(self, source: int, target: int, name: str, path: str, status: os.stat_result, other: os.stat_result) -> None:
        if status.st_size != other.st_size:
            self._differ(path, "size", str(status.st_size), str(other.st_size))
            return
        known, there = self._notes.of(status), self._notes.of(other)
        sparse = status.st_blocks * 512 < status.st_size
        read_back = there is not None and there.read_back
        if known is not None and not sparse and (read_back or status.st_size < tree_content.LEAST_COMPARED):
            digest, found = known.digest, known.attributes
            copied_digest, copied_found = self._copied(target, name, path, other, there)
        else:
            reading = self._open(self._source, source, name, path, status)
            try:
                digest, found = self._read(reading, path, status, known)
                copied_digest, copied_found = self._copied(target, name, path, other, there, reading, sparse)
            finally:
                os.close(reading)
        if digest != copied_digest:
            self._differ(path, "content", f"the hash {digest.hex()[:16]}…", f"{copied_digest.hex()[:16]}…")
        if found or copied_found:
            self._attributes(path, status, dict(found), dict(copied_found))

    def _open(self, tree: Tree, directory: int, name: str, path: str, expected: os.stat_result) -> int:
        opened, status = tree.file(directory, name, path)
        if not tree_notes.same(expected, status):
            os.close(opened)
            raise Moved(path)
        return opened

    def _copied(
        self, target: int, name: str, path: str, status: os.stat_result, note: Note | None, original: int | None = None, sparse: bool = False
    ) -> _Content:
        """Return hash and attributes of a copy, from the note if what it says was read; compare holes if there are any."""
        if note is not None and note.read_back and not sparse:
            return note.digest, note.attributes
        copied = self._open(self._target, target, name, path, status)
        try:
            if self._from_disk:
                os.posix_fadvise(copied, 0, 0, os.POSIX_FADV_DONTNEED)
            content = self._read(copied, path, status, note, original)
            if sparse and original is not None:
                self._holes(path, original, copied, status.st_size)
        finally:
            os.close(copied)
        return content

    def _read(
        self, reading: int, path: str, before: os.stat_result, note: Note | None, original: int | None = None
    ) -> _Content:
        """Return hash and attributes of an open file, from the note if what it says was read."""
        if note is not None and note.read_back:
            return note.digest, note.attributes
        digest = self._noted(original, before.st_size, reading) if original is not None else None
        if digest is None:
            digest = self._contents.digest(reading, before)
        self._done.read += before.st_size
        after = os.fstat(reading)
        found = trees.attributes(reading)
        if not tree_notes.same(before, after):
            raise Moved(path)
        self._done.notes += self._moment.note(after, digest, found)
        return digest, tuple(found.items())

    def _noted(self, original: int, size: int, copied: int) -> bytes | None:
        """Return the hash that is known of a file if its copy is found to be the same, byte for byte.

        The note has to hold after that: then the original was not written to since its hash was made, not even by a mapping.
        """
        if not self._contents.equal_in_memory(original, size, copied):
            return None
        note = self._notes.of(os.fstat(original))
        return note.digest if note is not None else None

    def _holes(self, path: str, reading: int, copied: int, size: int) -> None:
        held, parts = tree_content.data_bytes(reading, size)
        copied_held, _parts = tree_content.data_bytes(copied, size)
        if copied_held > held + (parts + 1) * _BLOCK:
            self._differ(path, "sparse", f"{held} bytes outside holes", str(copied_held))

    def _special(self, source: int, target: int, name: str, path: str, status: os.stat_result, other: os.stat_result) -> None:
        if stat.S_ISLNK(status.st_mode):
            text, copied = self._source.link_text(source, name, path), self._target.link_text(target, name, path)
            if text != copied:
                self._differ(path, "link", repr(text), repr(copied))
        elif status.st_rdev != other.st_rdev:
            self._differ(path, "device", _device(status), _device(other))
        self._attributes(path, status, self._source.attributes(source, name, path), self._target.attributes(target, name, path))

    def _status(self, path: str, status: os.stat_result, other: os.stat_result) -> None:
        if status.st_mode != other.st_mode and not stat.S_ISLNK(status.st_mode) and stat.S_IMODE(status.st_mode) != stat.S_IMODE(other.st_mode):
            self._differ(path, "mode", f"{stat.S_IMODE(status.st_mode):04o}", f"{stat.S_IMODE(other.st_mode):04o}")
        owner = self._owner(path, status)
        if owner != (other.st_uid, other.st_gid):
            self._differ(path, "owner", "{}:{}".format(*owner), f"{other.st_uid}:{other.st_gid}")
        if status.st_mtime_ns != other.st_mtime_ns:
            self._differ(path, "time", str(status.st_mtime_ns), str(other.st_mtime_ns))

    def _owner(self, path: str, status: os.stat_result) -> tuple[int, int]:
        shift = self._scope.shift_at(path)
        have = status.st_uid, status.st_gid
        if shift is None:
            return have
        if have not in self._ids:
            self._ids[have] = self._shifted(shift, path, have)
        return self._ids[have]

    def _shifted(self, shift: Shift, path: str, have: tuple[int, int]) -> tuple[int, int]:
        uid, gid = shift.uid(have[0]), shift.gid(have[1])
        if uid is not None and gid is not None:
            return uid, gid
        self._refuse_outside(Outside(path, *have))
        return have[0] if uid is None else uid, have[1] if gid is None else gid

    def _attributes(self, path: str, status: os.stat_result, found: t.Mapping[str, bytes], copied: t.Mapping[str, bytes]) -> None:
        if not found and not copied:
            return
        wanted, outside = tree_copy.shifted_attributes(self._scope.shift_at(path), path, status, found)
        for one in outside:
            self._refuse_outside(one)
        for name in sorted({*wanted, *copied}):
            if wanted.get(name) != copied.get(name):
                self._differ(path, "attributes", _attribute(name, wanted), _attribute(name, copied))

    def _refuse_outside(self, found: Outside) -> None:
        if not self._scope.keep_outside:
            raise TreeError(f"{trees.shown(self._source.root, found.path)} has ids that are no container's; give it to a container's user or remove it")

    def _differ(self, path: str, what: str, expected: str = "", found: str = "") -> None:
        self._done.differences.append(Difference(path, what, expected, found))


def _kind(status: os.stat_result) -> str:
    kinds = {
        stat.S_IFREG: "a file", stat.S_IFDIR: "a directory", stat.S_IFLNK: "a symbolic link", stat.S_IFCHR: "a character device",
        stat.S_IFBLK: "a block device", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(status.st_mode), "something else")


def _device(status: os.stat_result) -> str:
    return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"


def _attribute(name: str, attributes: t.Mapping[str, bytes]) -> str:
    value = attributes.get(name)
    return f"no {name}" if value is None else f"{name}={value.hex()[:64]}"
