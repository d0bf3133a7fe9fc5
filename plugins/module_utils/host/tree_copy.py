# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Making one tree equal to another, ids shifted, while containers write in the one.

PRIVATE to the collection: no stability is promised to other users.

It is not done by cp or rsync, as both reach what lies deeper by paths: a container that swaps a directory for a link at the
right moment has them read the host's files into the copy, or write outside it. Nor could either shift the ids of access
control lists and capabilities, or say of what it read that it is the same still. See `trees` for how the way is kept.

The order makes every kill harmless. A file in the target counts as good only by its hash: a note says what was written and
when (`tree_notes`), or it is read and compared. What a killed run left half is thus replaced, and what it finished is kept.
Ids in the target are always computed from the source's, so that they are shifted once however often it runs.

The work is done directory by directory, each in one task of one of several processes (`tree_workers`). What a task cannot do
alone follows in the end: names of files that have several, and the times of directories that were changed meanwhile.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import os
import stat
import time
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_shift import CAPABILITY, Shift
from ansible_collections.bulkhead.docker.plugins.module_utils.host import tree_notes, tree_workers, trees
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_content import Contents
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_notes import HashNotes, Made, Moment
from ansible_collections.bulkhead.docker.plugins.module_utils.host.trees import (
    Crossing,
    Moved,
    Outside,
    Scope,
    Tree,
    TreeError,
)

# So many files of a directory are one task.
_FILES = 256
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_HOLD = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# Seconds that another copy to the same target may take to end.
_PATIENCE = 10.0
_MOST_NAMED = 5


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a pass is: what it has looked at, and the bytes it has read."""

    files: int
    bytes: int


@dataclasses.dataclass
class Copied:
    """What a pass did.

    Attributes:
        files, bytes: made or replaced in the target, directories not counted; and the size of those that are regular.
        unchanged: how many were good already.
        mended: how many had the right content and another owner, mode, time or attribute.
        removed: how many were removed from the target because they are gone, directories and what they held counted.
        changing: paths that changed, or were taken away, while they were read: another pass is needed.
        mounts: where something else is mounted, which was not entered.
        outside: what has ids that are no container's, and keeps them.
    """

    files: int = 0
    bytes: int = 0
    unchanged: int = 0
    mended: int = 0
    removed: int = 0
    changing: list[str] = dataclasses.field(default_factory=list)
    mounts: list[str] = dataclasses.field(default_factory=list)
    outside: list[Outside] = dataclasses.field(default_factory=list)

    def add(self, other: Copied) -> None:
        """Count what another part of the pass did."""
        for field in dataclasses.fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


class _Task(t.NamedTuple):
    """A directory, or names in it that are left to do; fresh if the pass made it, so that in the target there is nothing yet."""

    path: str
    names: tuple[str, ...] | None = None
    fresh: bool = False


class _Pair(t.NamedTuple):
    """A directory on both sides, held open; bare if in the target it has no extended attribute, so that nothing inherits any."""

    source: int
    target: int
    bare: bool


@dataclasses.dataclass
class _Done:
    """What some tasks did, and what follows from it."""

    copied: Copied = dataclasses.field(default_factory=Copied)
    read: int = 0
    tasks: list[_Task] = dataclasses.field(default_factory=list)
    linked: list[tuple[int, str]] = dataclasses.field(default_factory=list)
    late: list[str] = dataclasses.field(default_factory=list)
    notes: list[Made] = dataclasses.field(default_factory=list)


def copy(
    source: str,
    target: str,
    scope: Scope | None = None,
    notes: HashNotes | None = None,
    progress: t.Callable[[Progress], None] | None = None,
    workers: int = 0,
) -> Copied:
    """Make the target equal to the source; what is gone from the source is removed from the target.

    May be called again at any time: after a kill, after the source changed, while it changes. All that was written is on the
    disk when it returns.

    Args:
        source, target: directories; neither may be a link. The target's own owner, mode, times and attributes become the
            source's as well.
        scope: what is left alone, and what happens to ids.
        notes: what is known from earlier passes; it grows.
        progress: called from time to time.
        workers: how many processes do it; 0 for as many as there are processors, four at most.

    Raises:
        SourceGone: there is no source; nothing was removed.
        TreeError: it cannot be done; what was copied stays, and another call goes on from there.
    """
    scope = scope or Scope()
    notes = HashNotes() if notes is None else notes
    with contextlib.ExitStack() as held:
        origin = Tree(source)
        held.callback(origin.close)
        copied_to = _target(target)
        held.callback(copied_to.close)
        trees.refuse_nesting(origin, copied_to, scope)
        _lock(copied_to)
        refuse_other_roots(notes, origin, copied_to)
        return _Pass(origin, copied_to, scope, notes, progress, workers).run()


def refuse_other_roots(notes: HashNotes, *roots: Tree) -> None:
    """Refuse a root that is not the directory that earlier passes saw there.

    Raises:
        TreeError: something was mounted or unmounted there meanwhile, so that an empty directory could pass for the data.
    """
    for tree in roots:
        if not notes.same_root(tree.root, tree.status):
            raise TreeError(f"{tree.root} is not the directory that it was in an earlier pass; look whether its filesystem is mounted there")


class _Pass:
    """One call of `copy`."""

    def __init__(
        self, source: Tree, target: Tree, scope: Scope, notes: HashNotes, progress: t.Callable[[Progress], None] | None, workers: int
    ) -> None:
        self._source, self._target, self._scope, self._notes = source, target, scope, notes
        self._workers = workers
        self._tell = progress or (lambda far: None)
        self._copied = Copied()
        self._looked = self._read = 0
        self._linked: dict[int, list[str]] = {}
        self._late: set[str] = set()
        self._moment = Moment()

    def run(self) -> Copied:
        trees.flush(self._source.descriptor, self._source.root)
        tree_workers.spread(_Task(""), lambda report: self._copier(report).directories, self._finish, self._report, self._workers)
        if not self._source.gone():
            self._names_and_times()
        trees.flush(self._target.descriptor, self._target.root)
        for paths in (self._copied.changing, self._copied.mounts, self._copied.outside):
            t.cast("list[t.Any]", paths).sort()
        return self._copied

    def _copier(self, report: t.Callable[[int], None]) -> _Copier:
        return _Copier(self._source, self._target, self._scope, self._notes, self._moment, report)

    def _names_and_times(self) -> None:
        """Do what no task could do alone."""
        copier = self._copier(self._report)
        taken: dict[int, int] = {}
        for inode, paths in sorted(self._linked.items(), key=lambda item: item[1]):
            self._finish(copier.names(inode, sorted(paths), taken))
        for path in sorted(self._late):
            self._finish(copier.finish(path))

    def _finish(self, done: _Done) -> list[_Task]:
        self._copied.add(done.copied)
        self._notes.add(done.notes)
        for inode, path in done.linked:
            self._linked.setdefault(inode, []).append(path)
        self._late.update(done.late)
        self._looked += done.copied.files + done.copied.unchanged + done.copied.mended
        self._report(done.read)
        return done.tasks

    def _report(self, read: int) -> None:
        self._read += read
        self._tell(Progress(self._looked, self._read))


class _Copier:
    """Does tasks, in whichever process it lives."""

    def __init__(self, source: Tree, target: Tree, scope: Scope, notes: HashNotes, moment: Moment, report: t.Callable[[int], None]) -> None:
        self._source, self._target, self._scope, self._notes, self._moment = source, target, scope, notes, moment
        self._contents = Contents(report)
        self._owners: dict[tuple[int, int], tuple[int, int] | None] = {}
        self._done = _Done()

    def directories(self, tasks: t.Iterable[_Task]) -> _Done:
        """Do some directories, or some of their files."""
        done = self._done = _Done()
        for task in tasks:
            try:
                self._directory(task)
            except Moved:
                done.copied.changing.append(task.path)
            except Crossing:
                done.copied.mounts.append(task.path)
            except OSError as error:
                raise self._failed(error, task.path) from error
        return done

    def finish(self, path: str) -> _Done:
        """Give a directory its owner, mode, attributes and times, after all else in it was done."""
        done = self._done = _Done()
        try:
            self._finish(path, self._pair(path))
        except Moved:
            done.copied.changing.append(path)
        except Crossing:
            done.copied.mounts.append(path)
        except OSError as error:
            raise self._failed(error, path) from error
        return done

    def names(self, inode: int, paths: t.Sequence[str], taken: dict[int, int]) -> _Done:
        """Make one thing of all names of a file.

        Args:
            inode: of the file in the source.
            paths: its names.
            taken: from inodes of the target to the one of the source that each stands for; it grows.
        """
        done = self._done = _Done()
        first: tuple[str, os.stat_result] | None = None
        for path in paths:
            try:
                first = self._name(path, inode, first, taken)
            except Moved:
                done.copied.changing.append(path)
            except Crossing:
                done.copied.mounts.append(path)
            except OSError as error:
                raise self._failed(error, path) from error
        if first is not None:
            self._renote(*first)
        return done

    def _directory(self, task: _Task) -> None:
        path = task.path
        pair = self._pair(path)
        if task.names is not None:
            self._files(path, pair, trees.look_at(pair.source, task.names), {} if task.fresh else trees.look_at(pair.target, task.names))
            return
        entries = self._source.entries(pair.source, path)
        if self._source.gone():
            raise Moved(path)
        existing = {} if task.fresh else self._target.entries(pair.target, path)
        if self._scope.holds_excluded(path):
            entries = {name: status for name, status in entries.items() if not self._scope.excludes(trees.below(path, name))}
        for name, status in existing.items():
            if name not in entries:
                self._remove(pair.target, name, status, trees.below(path, name))
        files: dict[str, os.stat_result] = {}
        for name, status in entries.items():
            if stat.S_ISDIR(status.st_mode):
                made = self._make_directory(pair.target, name, existing.get(name), trees.below(path, name))
                self._done.tasks.append(_Task(trees.below(path, name), fresh=made))
            elif status.st_nlink > 1:
                self._done.linked.append((status.st_ino, trees.below(path, name)))
            else:
                files[name] = status
        names = list(files)
        for start in range(_FILES, len(names), _FILES):
            self._done.tasks.append(_Task(path, tuple(names[start: start + _FILES]), task.fresh))
        self._files(path, pair, {name: files[name] for name in names[:_FILES]}, existing)
        if len(names) > _FILES:
            self._done.late.append(path)
        else:
            self._finish(path, pair)

    def _files(self, path: str, pair: _Pair, entries: t.Mapping[str, os.stat_result], existing: t.Mapping[str, os.stat_result]) -> None:
        start = trees.below(path, "")
        for name, status in entries.items():
            below = start + name
            try:
                if stat.S_ISDIR(status.st_mode) or status.st_nlink > 1:
                    raise Moved(below)
                old = existing.get(name)
                if old is not None and (stat.S_ISDIR(old.st_mode) or old.st_nlink > 1):
                    # Other names of it may be good: this one gets a file of its own.
                    self._remove(pair.target, name, old, below)
                    old = None
                self._place(pair, name, below, status, old)
            except Moved:
                self._done.copied.changing.append(below)
            except Crossing:
                self._done.copied.mounts.append(below)

    def _name(
        self, path: str, inode: int, first: tuple[str, os.stat_result] | None, taken: dict[int, int]
    ) -> tuple[str, os.stat_result] | None:
        """Make one of several names; return the first of them, and what lay there when it was made."""
        parent, _slash, name = path.rpartition("/")
        pair = self._pair(parent)
        target = pair.target
        status = trees.look(pair.source, name)
        old = trees.look(target, name)
        if status is None or status.st_ino != inode:
            raise Moved(path)
        if first is not None and old is not None and old.st_ino == first[1].st_ino:
            self._done.copied.unchanged += 1
            return first
        if old is not None and (first is not None or stat.S_ISDIR(old.st_mode) or taken.get(old.st_ino, inode) != inode):
            self._remove(target, name, old, path)
            old = None
        before = os.fstat(target).st_mtime_ns
        if first is None:
            self._place(pair, name, path, status, old)
            found = trees.look(target, name)
            if found is None:
                return None
            taken[found.st_ino] = inode
            first = path, found
        else:
            self._link(first[0], target, name)
            target = self._into(parent)
            self._done.copied.files += 1
        if os.fstat(target).st_mtime_ns != before or old is None:
            self._done.late.append(parent)
        return first

    def _link(self, first: str, target: int, name: str) -> None:
        # The walk to the first name may close the directory that the other one is made in.
        target = os.dup(target)
        try:
            parent, _slash, there = first.rpartition("/")
            os.link(there, name, src_dir_fd=self._into(parent), dst_dir_fd=target, follow_symlinks=False)
        finally:
            os.close(target)

    def _renote(self, path: str, before: os.stat_result) -> None:
        """Keep the note about a file that only got further names, which changed its ctime."""
        parent, _slash, name = path.rpartition("/")
        after = trees.look(self._into(parent), name)
        known = HashNotes()
        known.add(self._done.notes)
        note = known.of(before) or self._notes.of(before)
        if after is not None and note is not None:
            self._done.notes.append((before.st_dev, before.st_ino, *note._replace(changed=after.st_ctime_ns)))

    def _place(self, pair: _Pair, name: str, path: str, status: os.stat_result, old: os.stat_result | None) -> None:
        """Make anything that is no directory, or mend what lies there."""
        if old is not None and stat.S_IFMT(old.st_mode) != stat.S_IFMT(status.st_mode):
            self._remove(pair.target, name, old, path)
            old = None
        if stat.S_ISREG(status.st_mode):
            self._place_file(pair, name, path, status, old)
        else:
            self._place_special(pair.source, pair.target, name, path, status, old)

    def _place_file(self, pair: _Pair, name: str, path: str, status: os.stat_result, old: os.stat_result | None) -> None:
        there = self._notes.of(old) if old is not None else None
        known = self._notes.of(status) if there is not None else None
        if old is not None and there is not None and known is not None and known.digest == there.digest:
            owner = self._owner(path, status)
            wanted = self._attributes(path, status, dict(known.attributes)) if known.attributes else {}
            if _alike(status, owner, old) and (wanted == dict(there.attributes) if there.attributes else not wanted):
                self._done.copied.unchanged += 1
                return
            self._mend_file(pair.target, name, path, status, owner, wanted, there.digest, there.read_back)
            return
        self._copy_file(pair, name, path, old)

    def _copy_file(self, pair: _Pair, name: str, path: str, old: os.stat_result | None) -> None:
        """Make a file, unless what lies there turns out to be good."""
        reading, before = self._source.file(pair.source, name, path)
        try:
            if old is not None:
                if (old.st_size, old.st_mtime_ns) == (before.st_size, before.st_mtime_ns) and self._good(reading, before, pair.target, name, path, old):
                    return
                os.unlink(name, dir_fd=pair.target)
            self._make_file(reading, before, pair, name, path)
        finally:
            os.close(reading)

    def _good(self, reading: int, before: os.stat_result, target: int, name: str, path: str, old: os.stat_result) -> bool:
        """Compare a file with what lies in the target by reading both; mend all but the content; tell whether that was the same."""
        digest = self._digest(reading, before)
        there = self._notes.of(old)
        if there is None:
            copied, _status = self._target.file(target, name, path)
            try:
                there_digest = self._digest(copied, old)
            finally:
                os.close(copied)
        else:
            there_digest = there.digest
        if digest != there_digest:
            return False
        after = os.fstat(reading)
        found = _attributes_of(reading, path)
        if tree_notes.same(before, after):
            self._done.notes += self._moment.note(after, digest, found)
        else:
            self._done.copied.changing.append(path)
        read_back = there is None or there.read_back
        self._mend_file(target, name, path, after, self._owner(path, after), self._attributes(path, after, found), digest, read_back)
        return True

    def _mend_file(
        self, target: int, name: str, path: str, status: os.stat_result, owner: tuple[int, int], wanted: dict[str, bytes], digest: bytes, read_back: bool
    ) -> None:
        copied, found = self._target.file(target, name, path)
        try:
            mended = not _alike(status, owner, found) or wanted != _attributes_of(copied, path)
            if mended:
                self._dress(copied, path, status, owner, wanted)
                self._done.copied.mended += 1
            else:
                self._done.copied.unchanged += 1
            self._done.notes.append(tree_notes.made(os.fstat(copied), digest, wanted, read_back))
        finally:
            os.close(copied)

    def _make_file(self, reading: int, before: os.stat_result, pair: _Pair, name: str, path: str) -> None:
        writing = os.open(name, _CREATE, 0o600, dir_fd=pair.target)
        try:
            try:
                digest = self._contents.transfer(reading, before, writing)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    raise Moved(path) from error
                raise
            self._done.read += before.st_size
            after = os.fstat(reading)
            found = _attributes_of(reading, path)
            wanted = self._attributes(path, after, found)
            self._dress(writing, path, after, self._owner(path, after), wanted, bare=pair.bare)
            if tree_notes.same(before, after):
                self._done.notes += self._moment.note(after, digest, found)
                self._done.notes.append(tree_notes.made(os.fstat(writing), digest, wanted, read_back=False))
            else:
                self._done.copied.changing.append(path)
        finally:
            os.close(writing)
        self._done.copied.files += 1
        self._done.copied.bytes += before.st_size

    def _digest(self, reading: int, status: os.stat_result) -> bytes:
        self._done.read += status.st_size
        return self._contents.digest(reading, status)

    def _place_special(self, source: int, target: int, name: str, path: str, status: os.stat_result, old: os.stat_result | None) -> None:
        """Make a link, device, pipe or socket, none of which is ever opened."""
        link = stat.S_ISLNK(status.st_mode)
        text = self._source.link_text(source, name, path) if link else ""
        found = self._source.attributes(source, name, path)
        if old is not None and (self._target.link_text(target, name, path) != text if link else old.st_rdev != status.st_rdev):
            os.unlink(name, dir_fd=target)
            old = None
        fresh = old is None
        if old is None:
            if link:
                os.symlink(text, name, dir_fd=target)
            else:
                os.mknod(name, stat.S_IFMT(status.st_mode) | 0o600, status.st_rdev, dir_fd=target)
        owner = self._owner(path, status)
        wanted = self._attributes(path, status, found)
        if old is not None and _alike(status, owner, old) and wanted == self._target.attributes(target, name, path):
            self._done.copied.unchanged += 1
            return
        os.chown(name, *owner, dir_fd=target, follow_symlinks=False)
        if not link:
            hold = os.open(name, _HOLD, dir_fd=target)
            try:
                os.chmod(f"/proc/self/fd/{hold}", stat.S_IMODE(status.st_mode))
            finally:
                os.close(hold)
        self._set_attributes(f"/proc/self/fd/{target}/{name}", path, wanted)
        os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=target, follow_symlinks=False)
        if fresh:
            self._done.copied.files += 1
        else:
            self._done.copied.mended += 1

    def _make_directory(self, target: int, name: str, old: os.stat_result | None, path: str) -> bool:
        """Make a directory; tell whether there was none."""
        if old is not None and not stat.S_ISDIR(old.st_mode):
            self._remove(target, name, old, path)
            old = None
        if old is None:
            os.mkdir(name, 0o700, dir_fd=target)
        return old is None

    def _finish(self, path: str, pair: _Pair) -> None:
        status, old = os.fstat(pair.source), os.fstat(pair.target)
        owner = self._owner(path, status)
        wanted = self._attributes(path, status, _attributes_of(pair.source, path))
        if not _alike(status, owner, old) or wanted != _attributes_of(pair.target, path):
            self._dress(pair.target, path, status, owner, wanted)

    def _dress(
        self, target: int, path: str, status: os.stat_result, owner: tuple[int, int], wanted: dict[str, bytes], bare: bool = False
    ) -> None:
        """Give an open file or directory all but its content; the order is that in which nothing undoes what was done."""
        os.fchown(target, *owner)
        os.fchmod(target, stat.S_IMODE(status.st_mode))
        if wanted or not bare:
            self._set_attributes(target, path, wanted)
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _set_attributes(self, where: int | str, path: str, wanted: dict[str, bytes]) -> None:
        follow = not isinstance(where, str)
        try:
            have = trees.attributes(where, follow)
            if have == wanted:
                return
            for name in have:
                if name not in wanted:
                    os.removexattr(where, name, follow_symlinks=follow)
            for name in sorted(wanted, key=lambda name: (name == CAPABILITY, name)):
                if have.get(name) != wanted[name]:
                    os.setxattr(where, name, wanted[name], follow_symlinks=follow)
        except OSError as error:
            if error.errno in _FULL and self._has_room():
                raise TreeError(f"{self._shown(path)} has more extended attributes than this filesystem can hold; use XFS for the target") from error
            if error.errno == errno.ENOTSUP:
                raise TreeError(f"{self._shown(path)} cannot have its extended attributes: the filesystem has none of this kind; use XFS or ext4") from error
            raise

    def _owner(self, path: str, status: os.stat_result) -> tuple[int, int]:
        shift = self._scope.shift_at(path)
        if shift is None:
            return status.st_uid, status.st_gid
        key = (status.st_uid, status.st_gid)
        if key not in self._owners:
            uid, gid = shift.uid(key[0]), shift.gid(key[1])
            self._owners[key] = None if uid is None or gid is None else (uid, gid)
        owner = self._owners[key]
        if owner is None:
            self._outside(Outside(path, *key))
            uid, gid = shift.uid(key[0]), shift.gid(key[1])
            return key[0] if uid is None else uid, key[1] if gid is None else gid
        return owner

    def _attributes(self, path: str, status: os.stat_result, found: dict[str, bytes]) -> dict[str, bytes]:
        if not found:
            return found
        wanted, outside = shifted_attributes(self._scope.shift_at(path), path, status, found)
        for one in outside:
            self._outside(one)
        return wanted

    def _outside(self, found: Outside) -> None:
        if not self._scope.keep_outside:
            what = f"its {found.attribute} names {', '.join(map(str, found.ids))}" if found.attribute else f"it belongs to {found.uid}:{found.gid}"
            raise TreeError(
                f"{trees.shown(self._source.root, found.path)} has ids that are no container's: {what}; give it to a container's user or remove it, "
                "or say that such files keep their ids"
            )
        self._done.copied.outside.append(found)

    def _remove(self, directory: int, name: str, status: os.stat_result, path: str) -> None:
        """Remove anything from the target, with all that lies in it, but for what is left alone."""
        if self._scope.excludes(path):
            return
        if not stat.S_ISDIR(status.st_mode):
            os.unlink(name, dir_fd=directory)
            self._done.copied.removed += 1
            return
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        try:
            if os.fstat(inner).st_dev != os.fstat(directory).st_dev:
                raise TreeError(f"{self._shown(path)} is not in the source and something is mounted there; unmount it or exclude it")
            for below, found in self._target.entries(inner, path).items():
                self._remove(inner, below, found, f"{path}/{below}")
        finally:
            os.close(inner)
        if not self._scope.holds_excluded(path):
            os.rmdir(name, dir_fd=directory)
            self._done.copied.removed += 1

    def _pair(self, path: str) -> _Pair:
        source, target = self._source.directory(path), self._into(path)
        return _Pair(source, target, not _attributes_of(target, path))

    def _into(self, path: str) -> int:
        """Return a directory of the target."""
        try:
            return self._target.directory(path)
        except Crossing as error:
            raise TreeError(f"{self._shown(path)} is a mount point; copy to it by itself and exclude it here") from error

    def _has_room(self) -> bool:
        return os.fstatvfs(self._target.descriptor).f_bavail > 0

    def _failed(self, error: OSError, path: str) -> TreeError:
        if error.errno in _FULL:
            free = os.fstatvfs(self._target.descriptor)
            what = "inode" if free.f_files and not free.f_ffree else "space"
            return TreeError(f"{self._target.root} has no {what} left; make room there or choose a larger target, then run it again: what was copied stays")
        if error.errno == errno.EMLINK:
            return TreeError(f"{self._shown(path)} has more names than a file of this filesystem can have; use XFS for the target")
        return TreeError(f"{self._shown(path)} cannot be copied to {self._target.root}: {error.strerror}")

    def _shown(self, path: str) -> str:
        return trees.shown(self._target.root, path)


def shifted_attributes(shift: Shift | None, path: str, status: os.stat_result, found: t.Mapping[str, bytes]) -> tuple[dict[str, bytes], list[Outside]]:
    """Return the extended attributes that a copy has to have, and those that hold ids that are no container's."""
    if shift is None:
        return dict(found), []
    wanted, outside = {}, []
    for name, value in found.items():
        wanted[name], ids = shift.attribute(name, value)
        if ids:
            outside.append(Outside(path, status.st_uid, status.st_gid, name, ids))
    return wanted, outside


def _alike(status: os.stat_result, owner: tuple[int, int], old: os.stat_result) -> bool:
    """Tell whether a copy has the owner that it has to have, and mode and time of the original."""
    if owner != (old.st_uid, old.st_gid) or status.st_mtime_ns != old.st_mtime_ns:
        return False
    return stat.S_ISLNK(status.st_mode) or stat.S_IMODE(status.st_mode) == stat.S_IMODE(old.st_mode)


def _attributes_of(descriptor: int, path: str) -> dict[str, bytes]:
    try:
        return trees.attributes(descriptor)
    except OSError as error:
        raise TreeError(f"the extended attributes of {trees.shown('', path)[1:]} cannot be read: {error.strerror}") from error


def _target(path: str) -> Tree:
    try:
        return Tree(path)
    except trees.SourceGone as error:
        raise TreeError(f"{path} is no directory; make it first") from error


def _lock(target: Tree) -> None:
    """Wait until no other copy writes there; the processes that help hold the lock as well, until the last is dead."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(target.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > end:
                raise TreeError(f"another copy to {target.root} is running; wait for its end") from error
        time.sleep(0.05)
