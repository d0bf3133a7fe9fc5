# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import fcntl
import mmap
import os
import pathlib
import struct
import subprocess
import time

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_shift import Shift
from ansible_collections.bulkhead.docker.plugins.module_utils.host import tree_content, tree_copy, tree_notes, trees
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_content import Contents
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_copy import copy
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_measure import measure
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_notes import HashNotes
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_verify import verify
from ansible_collections.bulkhead.docker.plugins.module_utils.host.trees import Outside, Scope, SourceGone, TreeError
from ansible_collections.bulkhead.docker.tests.unit.host.trees_for_tests import ON, RANGE, fill, look, needs_root, write

pytestmark = needs_root


@pytest.fixture
def both(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    return str(source), str(target)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("shift", [None, ON], ids=["kept", "shifted"])
def test_everything_is_copied_and_verified(both, workers, shift):
    source, target = both
    missing = fill(source)
    scope, notes = Scope(shift), HashNotes()
    before = look(source)
    done = copy(source, target, scope, notes, workers=workers)
    assert look(target) == look(source, shift) and look(source) == before
    assert verify(source, target, scope, notes, workers=workers) == []
    assert verify(source, target, scope, workers=workers, from_disk=True) == []
    assert (done.removed, done.changing, done.mounts, done.outside) == (0, [], [], [])
    assert os.stat(f"{target}/hole").st_blocks == 0 and os.stat(f"{target}/sparse").st_blocks < 1024
    again = copy(source, target, scope, notes, workers=workers)
    assert (again.files, again.mended, again.removed) == (0, 0, 0) and again.unchanged == done.files
    without_notes = copy(source, target, scope, workers=workers)
    assert (without_notes.files, without_notes.mended) == (0, 0)
    assert missing == [], "nothing of this was tested"


def test_measure(both):
    source, _target = both
    fill(source)
    usage = measure(source, Scope(ON))
    assert (usage.files, usage.directories, usage.links, usage.hard_links) == (607, 6, 3, 3)
    assert usage.special == 4 and usage.outside == [] and usage.mounts == []
    assert 3 * 2**20 < usage.disk_bytes < 8 * 2**20 and usage.apparent_bytes > 2**41
    assert 3 * 2**20 <= usage.largest < 4 * 2**20


def change_content(root):
    status = os.stat(f"{root}/many/0300")
    with open(f"{root}/many/0300", "r+b") as handle:
        handle.write(b"XYZ")
    os.utime(f"{root}/many/0300", ns=(status.st_atime_ns, status.st_mtime_ns))


def swap_kinds(root):
    os.unlink(f"{root}/pipe")
    os.mkdir(f"{root}/pipe")
    write(f"{root}/pipe/inside")
    subprocess.run(["rm", "-r", f"{root}/many"], check=True)
    os.symlink("etc", f"{root}/many")


def break_names(root):
    os.unlink(f"{root}/etc/second")
    write(f"{root}/etc/second", b"of its own")
    os.link(f"{root}/etc/second", f"{root}/etc/fourth")
    os.unlink(f"{root}/bin/third")


def another_whiteout(root):
    os.unlink(f"{root}/whiteout")
    os.mknod(f"{root}/whiteout", 0o020600, os.makedev(0, 5))


CHANGES = {
    "content with the old size and time": change_content,
    "more content": lambda root: write(f"{root}/empty", b"now there is"),
    "less content": lambda root: os.truncate(f"{root}/large", 5),
    "a hole filled": lambda root: write(f"{root}/sparse", b"dense"),
    "owner": lambda root: os.chown(f"{root}/bin/su", 1, 1),
    "mode": lambda root: os.chmod(f"{root}/empty", 0o4711),
    "mode of a directory": lambda root: os.chmod(f"{root}/etc", 0o700),
    "time": lambda root: os.utime(f"{root}/empty", ns=(3, 4)),
    "attribute": lambda root: os.setxattr(f"{root}/empty", "user.new", b"1"),
    "attribute gone": lambda root: os.removexattr(f"{root}/bin/su", "security.capability"),
    "list gone": lambda root: os.removexattr(f"{root}/sticky", "system.posix_acl_default"),
    "attribute of a directory gone": lambda root: os.removexattr(f"{root}/many", "trusted.overlay.opaque"),
    "attribute of a link": lambda root: os.setxattr(f"{root}/dangling", "trusted.of.link", b"9", follow_symlinks=False),
    "gone": lambda root: os.unlink(f"{root}/etc/passwd"),
    "gone with all in it": lambda root: subprocess.run(["rm", "-r", f"{root}/many"], check=True),
    "renamed": lambda root: os.rename(f"{root}/many", f"{root}/etc/many"),
    "another kind": swap_kinds,
    "another link": lambda root: (os.unlink(f"{root}/dangling"), os.symlink("elsewhere", f"{root}/dangling")),
    "another device": another_whiteout,
    "names of their own": break_names,
    "a further name": lambda root: os.link(f"{root}/empty", f"{root}/many/empty"),
    "a new file below an access list": lambda root: write(f"{root}/sticky/new"),
}


@pytest.mark.parametrize("with_notes", [True, False], ids=["notes", "no notes"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_second_pass_follows_any_change_and_a_comparison_finds_it(both, change, with_notes):
    source, target = both
    fill(source)
    scope, notes = Scope(ON), HashNotes()
    copy(source, target, scope, notes, workers=1)
    assert verify(source, target, scope, notes, workers=1) == []
    CHANGES[change](source)
    known = notes if with_notes else None
    assert verify(source, target, scope, known, workers=1), "the comparison is blind"
    if change == "content with the old size and time":
        assert [(one.path, one.what) for one in verify(source, target, scope, known, workers=1)] == [("many/0300", "content")]
    copy(source, target, scope, known, workers=1)
    assert look(target) == look(source, ON)
    assert verify(source, target, scope, known, workers=1) == []


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_copy_is_found_and_undone(both, change):
    source, target = both
    fill(source)
    notes = HashNotes()
    copy(source, target, notes=notes, workers=1)
    assert verify(source, target, notes=notes, workers=1) == []
    CHANGES[change](target)
    assert verify(source, target, notes=notes, workers=1)
    copy(source, target, notes=notes, workers=1)
    assert look(target) == look(source)
    assert verify(source, target, notes=notes, workers=1) == []


def test_a_difference_says_where_and_what(both):
    source, target = both
    write(f"{source}/bad \n\udcff", b"1")
    copy(source, target)
    os.chmod(f"{target}/bad \n\udcff", 0o600)
    (found,) = verify(source, target)
    assert str(found) == "bad \n\\xff differs in mode: 0644 is expected, 0600 was found"


def test_what_was_only_written_is_read_before_it_counts(both):
    source, target = both
    write(f"{source}/file", b"good")
    notes = HashNotes()
    copy(source, target, notes=notes)
    assert notes.of(os.stat(f"{target}/file")).read_back is False
    # As a disk that loses what was written: other content under the same note.
    key = (os.stat(f"{target}/file").st_dev, os.stat(f"{target}/file").st_ino)
    with open(f"{target}/file", "r+b") as handle:
        handle.write(b"evil")
    os.utime(f"{target}/file", ns=(0, os.stat(f"{source}/file").st_mtime_ns))
    status = os.stat(f"{target}/file")
    notes.add([(*key, *notes._notes[key]._replace(changed=status.st_ctime_ns))])
    assert [(one.path, one.what) for one in verify(source, target, notes=notes)] == [("file", "content")]


def corrupted(both, notes, size):
    """Copy a file, and have other content lie in the target under the note about what was written, as after a loss by the disk."""
    source, target = both
    write(f"{source}/file", b"good" * size)
    time.sleep(0.1)
    copy(source, target, notes=notes)
    written = os.stat(f"{target}/file")
    note = notes.of(written)
    write(f"{target}/file", b"evil" * size)
    os.utime(f"{target}/file", ns=(0, written.st_mtime_ns))
    notes.add([(written.st_dev, written.st_ino, *note._replace(changed=os.stat(f"{target}/file").st_ctime_ns))])


def test_a_large_copy_is_compared_with_what_is_in_memory_and_else_by_its_hash(both, monkeypatch):
    source, target = both
    hashed = []
    digest = Contents.digest
    monkeypatch.setattr(Contents, "digest", lambda self, *opened: hashed.append(opened) or digest(self, *opened))
    contents = {"empty": b"", "small": b"a" * 5, "piece": os.urandom(tree_content.PIECE), "large": os.urandom(3 * tree_content.PIECE + 7)}
    for name, content in contents.items():
        write(f"{source}/{name}", content)
    time.sleep(0.1)
    for in_memory in (os.RWF_NOWAIT, None):
        monkeypatch.setattr(tree_content, "_FROM_MEMORY_ONLY", in_memory)
        notes = HashNotes()
        copy(source, f"{target}", notes=notes, workers=1)
        time.sleep(0.1)
        hashed.clear()
        assert verify(source, target, notes=notes, workers=1) == []
        assert len(hashed) == (2 if in_memory else len(contents))
        assert all(notes.of(os.stat(f"{target}/{name}")).read_back for name in contents)
        assert all(notes.of(os.stat(f"{target}/{name}")).digest == notes.of(os.stat(f"{source}/{name}")).digest for name in contents)
        for name in contents:
            os.unlink(f"{target}/{name}")


@pytest.mark.parametrize("size", [1, tree_content.LEAST_COMPARED])
@pytest.mark.parametrize("in_memory", [os.RWF_NOWAIT, None])
def test_a_disk_that_loses_what_was_written_is_noticed(both, monkeypatch, in_memory, size):
    monkeypatch.setattr(tree_content, "_FROM_MEMORY_ONLY", in_memory)
    notes = HashNotes()
    corrupted(both, notes, size)
    assert [(one.path, one.what) for one in verify(*both, notes=notes)] == [("file", "content")]


def test_an_original_that_changes_while_it_is_compared_lends_no_hash(both, monkeypatch):
    notes = HashNotes()
    corrupted(both, notes, tree_content.LEAST_COMPARED)

    def changed(self, source, size, copied):
        write(f"{both[0]}/file", b"evil" * tree_content.LEAST_COMPARED)
        return True

    monkeypatch.setattr(Contents, "equal_in_memory", changed)
    assert [(one.path, one.what) for one in verify(*both, notes=notes, workers=1)] == [("file", "content")]


def test_what_is_not_in_memory_is_not_compared(both):
    source, target = both
    content = os.urandom(tree_content.PIECE)
    for place in both:
        write(f"{place}/file", content)
    opened, copied = (os.open(f"{place}/file", os.O_RDONLY) for place in (source, target))
    contents = Contents()
    assert contents.equal_in_memory(opened, len(content), copied)
    assert not contents.equal_in_memory(opened, len(content) + 1, copied), "there is less of it"
    os.fsync(opened)
    os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
    assert not contents.equal_in_memory(opened, len(content), copied)
    os.pread(opened, len(content), 0)
    assert contents.equal_in_memory(opened, len(content), copied)
    write(f"{target}/file", content[:-1] + b"?" if content[-1:] != b"?" else content[:-1] + b"!")
    assert not contents.equal_in_memory(opened, len(content), copied)
    os.close(opened)
    os.close(copied)


def test_what_a_directory_gives_to_new_files_does_not_stay_with_them(both):
    source, target = both
    write(f"{source}/file", b"1")
    write(f"{source}/inner/file", b"2")
    # user::rwx, user:1:rwx, group::r-x, mask::rwx, other::---
    entries = ((0x01, 7, 0xFFFFFFFF), (0x02, 7, 1), (0x04, 5, 0xFFFFFFFF), (0x10, 7, 0xFFFFFFFF), (0x20, 0, 0xFFFFFFFF))
    os.setxattr(target, "system.posix_acl_default", struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries))
    copy(source, target)
    assert verify(source, target) == []
    assert [os.listxattr(f"{target}/{name}") for name in ("", "file", "inner", "inner/file")] == [[], [], [], []]


def test_a_file_that_changes_in_the_tick_of_its_reading_is_not_believed(both):
    source, target = both
    write(f"{source}/file", b"1")
    moment = tree_notes.Moment()
    status = os.stat(f"{source}/file")
    assert moment.note(status, b"", {}) == []


def test_a_write_through_a_mapping_is_noticed(both):
    source, target = both
    write(f"{source}/base", b"a" * 8192)
    notes = HashNotes()
    with open(f"{source}/base", "r+b") as handle, mmap.mmap(handle.fileno(), 8192) as mapped:
        mapped[0:1] = b"b"
        time.sleep(0.1)
        copy(source, target, notes=notes)
        verify(source, target, notes=notes)
        mapped[5000:5001] = b"c"
        copy(source, target, notes=notes)
        assert verify(source, target, notes=notes) == []
    assert look(target) == look(source)


def test_ids_are_shifted_once_however_often_it_runs(both):
    source, target = both
    write(f"{source}/file")
    os.chown(f"{source}/file", 5, 6)
    for notes in (HashNotes(), None, HashNotes()):
        copy(source, target, Scope(ON), notes)
        assert (os.stat(f"{target}/file").st_uid, os.stat(f"{target}/file").st_gid) == (100005, 200006)


def test_only_what_is_named_is_shifted(both):
    source, target = both
    for path in ("overlay2/one/diff/etc/file", "overlay2/one/link", "overlay2/l/x", "volumes/data/_data/file", "volumes/metadata.db"):
        write(f"{source}/{path}")
    scope = Scope(ON, below=("overlay2/*/diff", "/volumes/*/_data/"))
    copy(source, target, scope)
    owners = {path: os.stat(f"{target}/{path}").st_uid for path in ("overlay2", "overlay2/one/diff", "overlay2/one/diff/etc/file", "volumes/data/_data")}
    assert owners == {"overlay2": 0, "overlay2/one/diff": 100000, "overlay2/one/diff/etc/file": 100000, "volumes/data/_data": 100000}
    assert {os.stat(f"{target}/{path}").st_uid for path in ("overlay2/one", "overlay2/one/link", "overlay2/l/x", "volumes/data", "volumes/metadata.db")} == {0}
    assert verify(source, target, scope) == []
    assert {one.path for one in verify(source, target)} >= {"overlay2/one/diff", "volumes/data/_data/file"}


def test_ids_outside_are_refused_or_kept_and_always_listed(both):
    source, target = both
    write(f"{source}/inside")
    write(f"{source}/outside")
    os.chown(f"{source}/outside", 70000, 5)
    listed = [Outside("outside", 70000, 5)]
    assert measure(source, Scope(ON)).outside == listed
    with pytest.raises(TreeError, match="source/outside has ids that are no container's: it belongs to 70000:5; give it to"):
        copy(source, target, Scope(ON))
    keep = Scope(ON, keep_outside=True)
    assert copy(source, target, keep).outside == listed
    assert (os.stat(f"{target}/outside").st_uid, os.stat(f"{target}/outside").st_gid) == (70000, 200005)
    assert verify(source, target, keep) == []
    with pytest.raises(TreeError, match="ids that are no container's"):
        verify(source, target, Scope(ON))
    back = Shift(RANGE, None)
    assert [(one.path, one.uid) for one in measure(target, Scope(back)).outside] == [("outside", 70000)]


def test_what_is_excluded_is_left_alone_on_both_sides(both):
    source, target = both
    for path in ("keep/file", "out/of/source", "out/side"):
        write(f"{source}/{path}")
    for path in ("out/of/target", "elsewhere/100000.100000/data", "elsewhere/extra", "lost+found/1"):
        write(f"{target}/{path}")
    scope = Scope(exclude=("out/of", "elsewhere/100000.100000"))
    copy(source, target, scope)
    there = {path.decode() for path in look(target)[0]}
    assert there == {
        ".", "keep", "keep/file", "out", "out/side", "out/of", "out/of/target",
        "elsewhere", "elsewhere/100000.100000", "elsewhere/100000.100000/data", "lost+found", "lost+found/1",
    }
    assert verify(source, target, scope) == []
    write(f"{target}/elsewhere/again")
    assert [(one.path, one.what) for one in verify(source, target, scope)] == [("elsewhere/again", "extra")]


def test_a_copy_into_the_source_and_back(tmp_path):
    source = tmp_path / "docker"
    write(f"{source}/volumes/file")
    target = source / "100000.100000"
    target.mkdir()
    for first, second in ((source, target), (target, source)):
        with pytest.raises(TreeError, match="would be copied into itself; exclude it"):
            copy(str(first), str(second))
        copy(str(first), str(second), Scope(exclude=("100000.100000",)))
        assert verify(str(first), str(second), Scope(exclude=("100000.100000",))) == []
    assert (target / "volumes" / "file").read_bytes() == (source / "volumes" / "file").read_bytes() == b"content"
    with pytest.raises(TreeError, match="the same directory"):
        copy(str(source), str(source))


def test_no_source_removes_nothing(both, tmp_path):
    _source, target = both
    write(f"{target}/precious")
    with pytest.raises(SourceGone, match="is no directory"):
        copy(str(tmp_path / "missing"), target)
    assert os.path.exists(f"{target}/precious")


def test_a_root_that_was_unmounted_or_replaced_meanwhile_is_refused(both):
    source, target = both
    write(f"{source}/precious")
    notes = HashNotes()
    copy(source, target, notes=notes)
    os.rename(source, f"{source}.away")
    os.mkdir(source)
    for again in (copy, verify):
        with pytest.raises(TreeError, match="look whether its filesystem is mounted there"):
            again(source, target, notes=notes)
    assert os.path.exists(f"{target}/precious")


def test_a_link_as_root_is_refused(both, tmp_path):
    source, target = both
    os.symlink(source, tmp_path / "link")
    with pytest.raises(TreeError):
        copy(str(tmp_path / "link"), target)
    with pytest.raises(TreeError):
        copy(source, str(tmp_path / "link"))


def test_two_copies_to_one_target_do_not_mix(both, monkeypatch):
    source, target = both
    monkeypatch.setattr(tree_copy, "_PATIENCE", 0.2)
    other = os.open(target, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(TreeError, match="another copy to .* is running"):
        copy(source, target)
    os.close(other)
    copy(source, target)


def test_progress(both):
    source, target = both
    fill(source)
    seen = []
    copy(source, target, progress=seen.append, workers=2)
    assert [one.files for one in seen] == sorted(one.files for one in seen)
    assert seen[-1].files > 610 and seen[-1].bytes > 2**21


def test_notes_are_kept_in_a_file_of_roots_own(both, tmp_path, monkeypatch):
    source, target = both
    fill(source)
    notes, path = HashNotes(), str(tmp_path / "notes")
    copy(source, target, Scope(ON), notes)
    verify(source, target, Scope(ON), notes)
    notes.save(path)
    again = HashNotes.load(path)
    assert (again._notes, again._roots) == (notes._notes, notes._roots) and len(again) > 1000
    os.chmod(path, 0o644)
    assert len(HashNotes.load(path)) == 0, "others may read it, so others may have made it"
    os.chmod(path, 0o600)
    monkeypatch.setattr(tree_notes, "_boot", lambda: "another")
    assert len(HashNotes.load(path)) == 0
    monkeypatch.undo()
    text = pathlib.Path(path).read_text(encoding="utf-8")
    for broken in (text[:50], "{}\n", text + "1 2 3\n", text.replace(" 1\n", " 1 [[3]]\n", 1), ""):
        write(path, broken.encode())
        assert len(HashNotes.load(path)) == 0
    assert len(HashNotes.load(str(tmp_path / "missing"))) == 0


def test_what_is_mounted_in_the_source_is_not_entered(both, tmp_path):
    source, target = both
    write(f"{tmp_path}/outside/secret")
    os.makedirs(f"{source}/merged")
    write(f"{source}/file")
    # A bind mount of the same filesystem has the same device number.
    if subprocess.run(["mount", "--bind", f"{tmp_path}/outside", f"{source}/merged"], check=False, capture_output=True).returncode:
        pytest.skip("this process may not mount")
    try:
        done = copy(source, target)
        assert done.mounts == ["merged"] and measure(source).mounts == ["merged"]
        assert [(one.path, one.what) for one in verify(source, target)] == [("merged", "mounted")], "a volume must not be lost without a word"
        assert verify(source, target, Scope(exclude=["merged"])) == []
    finally:
        subprocess.run(["umount", f"{source}/merged"], check=True)
    assert sorted(os.listdir(target)) == ["file", "merged"] and os.listdir(f"{target}/merged") == []
    copy(source, target)
    assert look(source) == look(target)


@pytest.fixture
def small(tmp_path):
    """A filesystem of its own with little room."""
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,nr_inodes=200,mode=700", "small", str(place)], check=False, capture_output=True).returncode:
        pytest.skip("this process may not mount")
    yield str(place)
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_no_space_is_one_sentence_and_more_room_is_enough(both, small, workers):
    source, _target = both
    for number in range(40):
        write(f"{source}/{number}/file", os.urandom(100_000))
    with pytest.raises(TreeError, match=f"^{small} has no space left; make room there or choose a larger target, then run it again: what was copied stays$"):
        copy(source, small, workers=workers)
    subprocess.run(["mount", "-o", "remount,size=20m", small], check=True)
    copy(source, small, workers=workers)
    assert verify(source, small) == []


def test_no_inode_is_said_so(both, small):
    source, _target = both
    for number in range(300):
        write(f"{source}/{number}", b"")
    with pytest.raises(TreeError, match="has no inode left; make room"):
        copy(source, small)


def test_a_worker_that_is_killed_is_one_sentence(both, monkeypatch):
    source, target = both
    for number in range(60):
        write(f"{source}/{number}/file")
    place = tree_copy._Copier._place
    parent = os.getpid()

    def die(self, *given):
        if os.getpid() != parent:
            os.kill(os.getpid(), 9)
        place(self, *given)

    monkeypatch.setattr(tree_copy._Copier, "_place", die)
    with pytest.raises(TreeError, match="a process that helped was killed"):
        copy(source, target, workers=2)
    monkeypatch.undo()
    copy(source, target, workers=2)
    assert verify(source, target) == []


def test_too_deep_is_refused_by_name(both):
    source, target = both
    path = source
    for _level in range(trees.MOST_DEEP + 2):
        path += "/d"
    os.makedirs(path)
    with pytest.raises(TreeError, match=f"holds directories {trees.MOST_DEEP} levels deep"):
        copy(source, target)


def test_as_deep_as_allowed(both):
    source, target = both
    os.makedirs(source + "/d" * trees.MOST_DEEP)
    copy(source, target)
    assert verify(source, target) == []
    os.rmdir(source + "/d" * trees.MOST_DEEP)
    os.rename(f"{source}/d", f"{source}/e")
    copy(source, target)
    assert verify(source, target) == []


def test_messages_longer_than_a_pipe_holds(both):
    source, target = both
    for number in range(6000):
        write(f"{source}/{number:0250}", b"")
    notes = HashNotes()
    copy(source, target, notes=notes, workers=2)
    assert verify(source, target, notes=notes, workers=2) == []
    assert len(os.listdir(target)) == 6000


def test_no_descriptor_is_left_open(both):
    source, target = both
    fill(source)
    before = len(os.listdir("/proc/self/fd"))
    copy(source, target, workers=2)
    verify(source, target, workers=2)
    measure(source)
    assert len(os.listdir("/proc/self/fd")) == before
