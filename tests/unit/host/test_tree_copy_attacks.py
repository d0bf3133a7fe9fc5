# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What a container could do to the root process that copies its files."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import trees
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_copy import copy
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_measure import measure
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_notes import HashNotes
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_verify import verify
from ansible_collections.bulkhead.docker.plugins.module_utils.host.trees import Moved, Tree, TreeError
from ansible_collections.bulkhead.docker.tests.unit.host.trees_for_tests import look, needs_root, write

pytestmark = needs_root
SECRET = b"the host's own secret"
_EXCHANGE = 2


@pytest.fixture
def places(tmp_path):
    """A source, a target, and what belongs to the host and to nobody else."""
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    write(f"{tmp_path}/host/file", SECRET)
    write(f"{tmp_path}/host/inner/file", SECRET)
    return str(tmp_path / "source"), str(tmp_path / "target"), str(tmp_path / "host")


def exchange(first, second):
    """Swap two names at once, so that there is no moment in which one of them is missing (renameat2(2))."""
    if ctypes.CDLL(None, use_errno=True).renameat2(-100, os.fsencode(first), -100, os.fsencode(second), _EXCHANGE):
        raise OSError(ctypes.get_errno(), "renameat2")


@contextlib.contextmanager
def attacker(*pairs):
    """Swap pairs of names all the time, in a process of its own."""
    code = (
        "import ctypes, os, sys\n"
        "swap = ctypes.CDLL(None).renameat2\n"
        "pairs = list(zip(sys.argv[1::2], sys.argv[2::2]))\n"
        "print(flush=True)\n"
        "while True:\n"
        "    for first, second in pairs:\n"
        "        swap(-100, first.encode(), -100, second.encode(), 2)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, *(name for pair in pairs for name in pair)], stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def copied_bytes(root):
    return b"".join(content or b"" for *_status, content, _attributes in look(root)[0].values())


def leaks_to_cp(source, place, host, pairs):
    """Tell whether cp -a copies the host's files when its source is attacked in the same way."""
    with attacker(*pairs):
        for number in range(60):
            target = f"{place}.cp{number}"
            subprocess.run(["cp", "-a", source, target], check=False, capture_output=True)
            if SECRET in copied_bytes(target):
                return True
            shutil.rmtree(target)
    return False


@pytest.mark.parametrize("workers", [1, 2])
def test_a_directory_swapped_for_a_link_leads_nowhere(places, workers):
    source, target, host = places
    for number in range(30):
        write(f"{source}/{number}/inner/file", b"of the container")
        os.symlink(host, f"{source}/{number}.link")
    pairs = [(f"{source}/{number}", f"{source}/{number}.link") for number in range(0, 30, 3)]
    before = look(host)
    refused = 0
    end = time.monotonic() + 4
    with attacker(*pairs):
        while time.monotonic() < end:
            done = copy(source, target, notes=HashNotes(), workers=workers)
            measure(source)
            found = verify(source, target, workers=workers)
            refused += len(done.changing) + len(found)
            assert SECRET not in copied_bytes(target)
            assert look(host) == before
    assert refused, "the attack never hit"
    copy(source, target)
    assert verify(source, target) == []


def test_cp_is_led_away_by_the_same_attack(places):
    source, target, host = places
    for number in range(300):
        write(f"{source}/{number}/inner/file", b"of the container")
        os.symlink(host, f"{source}/{number}.link")
    pairs = [(f"{source}/{number}", f"{source}/{number}.link") for number in range(300)]
    if not leaks_to_cp(source, target, host, pairs):
        pytest.skip("cp won every race this time; the test beside this one says nothing about cp")


def test_a_file_swapped_for_a_link_a_pipe_or_a_device_is_never_opened(places):
    source, target, host = places
    for number in range(40):
        write(f"{source}/{number}", b"of the container")
    for number in range(0, 40, 4):
        os.symlink(f"{host}/file", f"{source}/{number}.swap")
        os.mkfifo(f"{source}/{number + 1}.swap")
        # Opening a terminal's master makes a new terminal, which can be seen.
        os.mknod(f"{source}/{number + 2}.swap", stat.S_IFCHR | 0o666, os.makedev(5, 2))
    pairs = [(f"{source}/{number}", f"{source}/{number}.swap") for number in range(40) if number % 4 < 3]
    opened = []
    real = os.open

    def watched(path, flags, *more, **options):
        descriptor = real(path, flags, *more, **options)
        if not flags & os.O_PATH and not stat.S_IFMT(os.fstat(descriptor).st_mode) & (stat.S_IFREG | stat.S_IFDIR):
            opened.append(path)
        return descriptor

    changed = 0
    end = time.monotonic() + 4
    patched = pytest.MonkeyPatch()
    patched.setattr(os, "open", watched)
    try:
        with attacker(*pairs):
            while time.monotonic() < end:
                changed += len(copy(source, target, workers=1).changing)
                verify(source, target, workers=1)
                assert SECRET not in copied_bytes(target)
    finally:
        patched.undo()
    assert opened == []
    assert changed, "the attack never hit"


@pytest.mark.parametrize("kind", ["link", "pipe", "device", "socket", "directory", "nothing"])
def test_what_takes_the_place_of_a_file_is_refused_at_once(places, kind):
    source, _target, host = places
    path = f"{source}/file"
    makes = {
        "link": lambda: os.symlink(f"{host}/file", path), "pipe": lambda: os.mkfifo(path), "directory": lambda: os.mkdir(path),
        "device": lambda: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(5, 2)), "socket": lambda: os.mknod(path, stat.S_IFSOCK | 0o600),
        "nothing": lambda: None,
    }
    makes[kind]()
    tree = Tree(source)
    with pytest.raises(Moved):
        tree.file(tree.directory(""), "file", "file")
    tree.close()


def test_a_lease_on_a_file_blocks_nobody(places):
    source, target, _host = places
    write(f"{source}/leased", b"leased")
    write(f"{source}/other", b"other")
    held = os.open(f"{source}/leased", os.O_RDWR)
    # This signal would end the process that holds the lease.
    old = signal.signal(signal.SIGIO, signal.SIG_IGN)
    try:
        fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        begin = time.monotonic()
        assert copy(source, target).changing == ["leased"]
        assert time.monotonic() - begin < 20, "the kernel lets an opening wait for 45 seconds"
        assert sorted(os.listdir(target)) == ["other"]
    finally:
        os.close(held)
        signal.signal(signal.SIGIO, old)
    assert copy(source, target).changing == []


def test_a_directory_that_is_moved_while_it_is_held_stays_itself(places):
    source, _target, host = places
    write(f"{source}/one/inner/file", b"of the container")
    tree = Tree(source)
    held = tree.directory("one")
    os.rename(f"{source}/one", f"{source}/away")
    os.symlink(host, f"{source}/one")
    assert list(tree.entries(held, "one")) == ["inner"]
    inner = tree.directory("one/inner")
    opened, status = tree.file(inner, "file", "one/inner/file")
    assert (os.read(opened, 100), status.st_size) == (b"of the container", 16)
    tree.directory("")
    with pytest.raises(Moved):
        tree.directory("one")
    tree.close()


@pytest.mark.parametrize("path", ["..", "one/..", "one/../../host"])
def test_nothing_above_is_reached(places, path):
    source, _target, host = places
    os.mkdir(f"{source}/one")
    tree = Tree(source)
    assert set(tree.entries(tree.directory(""), "")) == {"one"}
    with pytest.raises(TreeError, match="is no plain path below"):
        tree.directory(path)
    tree.close()


def test_links_in_the_target_are_replaced_and_not_written_through(places):
    source, target, host = places
    write(f"{source}/dir/inner/file", b"new")
    write(f"{source}/file", b"new")
    os.link(f"{source}/file", f"{source}/name")
    os.mkfifo(f"{source}/pipe", 0o600)
    os.symlink(f"{host}/inner", f"{target}/dir")
    for name in ("file", "name", "pipe"):
        os.symlink(f"{host}/file", f"{target}/{name}")
    os.symlink(host, f"{target}/gone")
    before = look(host)
    copy(source, target)
    assert look(host) == before and look(target) == look(source)


def test_a_name_of_a_host_file_in_the_target_is_cut_and_not_written_through(places):
    source, target, host = places
    for name in ("file", "one"):
        write(f"{source}/{name}", b"new content")
    os.link(f"{source}/one", f"{source}/two")
    for name in ("file", "one", "gone"):
        os.link(f"{host}/file", f"{target}/{name}")
    before = os.stat(f"{host}/file")
    copy(source, target)
    after = os.stat(f"{host}/file")
    assert pathlib.Path(f"{host}/file").read_bytes() == SECRET
    assert (after.st_mode, after.st_uid, after.st_mtime_ns, after.st_nlink) == (before.st_mode, before.st_uid, before.st_mtime_ns, before.st_nlink - 3)
    assert look(target) == look(source)


def test_files_that_grow_shrink_and_vanish_while_they_are_copied(places):
    source, target, _host = places
    for number in range(60):
        write(f"{source}/{number % 7}/{number}", os.urandom(200_000))
    stop = threading.Event()

    def change():
        number = 0
        while not stop.is_set():
            number += 1
            path = f"{source}/{number % 7}/{number % 61}"
            with contextlib.suppress(OSError):
                if number % 5 == 0:
                    os.unlink(path)
                elif number % 5 == 1:
                    os.truncate(path, number % 1000)
                elif number % 5 == 2:
                    os.rename(path, f"{source}/{(number + 3) % 7}/{number % 61}")
                else:
                    write(path, os.urandom(number % 300_000))

    writer = threading.Thread(target=change)
    notes = HashNotes()
    writer.start()
    try:
        for _round in range(6):
            copy(source, target, notes=notes)
            verify(source, target, notes=notes)
    finally:
        stop.set()
        writer.join()
    copy(source, target, notes=notes)
    assert verify(source, target, notes=notes) == []
    assert look(target) == look(source)


def test_a_source_that_is_removed_while_it_is_copied_is_no_error(places):
    source, target, _host = places
    for number in range(200):
        write(f"{source}/{number % 20}/{number}", os.urandom(20_000))
    remover = subprocess.Popen(["rm", "-rf", source])
    with contextlib.suppress(trees.SourceGone):
        while True:
            copy(source, target)
    remover.wait()


def test_a_root_that_is_gone_removes_nothing(places, monkeypatch):
    source, target, _host = places
    write(f"{target}/precious")
    flush = trees.flush

    def removed(descriptor, root):
        flush(descriptor, root)
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(source)

    monkeypatch.setattr(trees, "flush", removed)
    copy(source, target)
    assert os.path.exists(f"{target}/precious")
