# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Any tree: a copy of it compares equal, and one change anywhere is found by name."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile

from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_copy import copy
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_notes import HashNotes
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_verify import verify
from ansible_collections.bulkhead.docker.plugins.module_utils.host.trees import Scope
from ansible_collections.bulkhead.docker.tests.unit.host.trees_for_tests import ON, look, needs_root
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = needs_root

NAMES = st.one_of(
    st.sampled_from([b"a", b"b", b"c"]),
    st.binary(min_size=1, max_size=8).map(lambda name: name.replace(b"/", b"_").replace(b"\0", b"_")).filter(lambda name: name not in (b".", b"..")),
)
CONTENT = st.one_of(st.binary(max_size=64), st.integers(0, 3 * 2**20).map(bytes), st.integers(4000, 5000).map(lambda size: b"x" * size))
ITEM = st.tuples(
    st.sampled_from(["file", "directory", "sparse", "symlink", "pipe", "whiteout", "hard link"]),
    NAMES,
    CONTENT,
    st.integers(0, 0o7777),
    st.integers(0, 65535),
    st.integers(-(2**31), 2**40),
    st.dictionaries(st.sampled_from(["user.a", "trusted.overlay.opaque", "trusted.b"]), st.binary(max_size=20), max_size=2),
)
TREES = st.lists(st.tuples(st.integers(0, 1000), ITEM), max_size=25)


def build(root, items):
    """Make a tree from numbers; return the paths of what lies in it."""
    directories, files, made = [root], [], []
    for place, (kind, name, content, mode, owner, time, attributes) in items:
        path = os.path.join(directories[place % len(directories)], name)
        if os.path.lexists(path):
            continue
        if kind == "directory":
            os.mkdir(path)
            directories.append(path)
        elif kind == "symlink":
            os.symlink(content.replace(b"\0", b"_")[:200] or b".", path)
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "whiteout":
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(0, 0))
        elif kind == "hard link" and files:
            os.link(files[place % len(files)], path, follow_symlinks=False)
        else:
            with open(path, "wb") as handle:
                if kind == "sparse":
                    handle.seek(place * 4096)
                handle.write(content)
                if kind == "sparse":
                    handle.truncate(place * 5000)
        if kind != "directory":
            files.append(path)
        made.append((path, mode, owner, time, attributes))
    for path, mode, owner, _time, attributes in made:
        link = os.path.islink(path)
        os.lchown(path, owner, owner)
        if not link:
            os.chmod(path, mode)
        for name, value in attributes.items():
            # Links and pipes have no attributes of users.
            with contextlib.suppress(PermissionError):
                os.setxattr(path, name, value, follow_symlinks=False)
    for path, _mode, _owner, time, _attributes in reversed(made):
        os.utime(path, ns=(time, time), follow_symlinks=False)
    return [path for path, *_rest in made]


@contextlib.contextmanager
def two_directories():
    top = tempfile.mkdtemp()
    try:
        for name in ("source", "target"):
            os.mkdir(os.path.join(top, name))
        yield os.path.join(top, "source"), os.path.join(top, "target")
    finally:
        shutil.rmtree(top)


SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SETTINGS
@given(TREES, TREES, st.booleans())
def test_a_copy_is_equal_and_becomes_equal_to_any_other_tree(first, second, shifted):
    scope = Scope(ON if shifted else None)
    with two_directories() as (source, target):
        notes = HashNotes()
        for items in (first, second):
            for name in os.listdir(source):
                path = os.path.join(source, name)
                if os.path.isdir(path) and not os.path.islink(path):
                    shutil.rmtree(path)
                else:
                    os.unlink(path)
            build(os.fsencode(source), items)
            copy(source, target, scope, notes, workers=1)
            assert look(target) == look(source, scope.shift)
            assert verify(source, target, scope, notes, workers=1) == []
            assert verify(source, target, scope, workers=1) == []


def change(path, way):
    """Change one thing; return what the comparison has to call it."""
    status = os.lstat(path)
    link = stat.S_ISLNK(status.st_mode)
    if way == "owner":
        os.lchown(path, status.st_uid + 1, status.st_gid)
        if not link:
            # The kernel takes setuid and setgid away with the owner (chown(2)).
            os.chmod(path, stat.S_IMODE(status.st_mode))
        return way
    if way == "time" or link:
        os.utime(path, ns=(0, status.st_mtime_ns + 1), follow_symlinks=False)
        return "time"
    if way == "content" and stat.S_ISREG(status.st_mode) and status.st_size:
        with open(path, "r+b") as handle:
            handle.seek(status.st_size // 2)
            old = handle.read(1)
            handle.seek(status.st_size // 2)
            handle.write(bytes([old[0] ^ 1]))
        os.utime(path, ns=(0, status.st_mtime_ns))
        os.chmod(path, stat.S_IMODE(status.st_mode))
        return way
    if way == "attributes" and not stat.S_ISFIFO(status.st_mode):
        os.setxattr(path, "trusted.new", b"")
        return way
    os.chmod(path, stat.S_IMODE(status.st_mode) ^ 0o100)
    return "mode"


@SETTINGS
@given(TREES, st.sampled_from(["content", "owner", "time", "mode", "attributes"]), st.integers(0, 1000), st.booleans(), st.booleans())
def test_one_change_is_found_by_name(items, way, which, in_the_copy, with_notes):
    with two_directories() as (source, target):
        made = build(os.fsencode(source), items)
        notes = HashNotes()
        copy(source, target, notes=notes, workers=1)
        assert verify(source, target, notes=notes, workers=1) == []
        if not made:
            return
        relative = os.path.relpath(made[which % len(made)], os.fsencode(source))
        what = change(os.path.join(os.fsencode(target if in_the_copy else source), relative), way)
        found = verify(source, target, notes=notes if with_notes else None, workers=1)
        assert (os.fsdecode(relative), what) in {(one.path, one.what) for one in found}
        assert {one.what for one in found} == {what}
