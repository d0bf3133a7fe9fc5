# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""A copy that is killed, at any moment, and run again."""

from __future__ import annotations

import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_copy import copy
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_notes import HashNotes
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_verify import verify
from ansible_collections.bulkhead.docker.plugins.module_utils.host.trees import Scope
from ansible_collections.bulkhead.docker.tests.unit.host.trees_for_tests import ON, fill, look, needs_root, write

pytestmark = needs_root

CODE = """
import os, signal, sys
from ansible_collections.bulkhead.docker.plugins.module_utils.host import tree_copy, tree_notes, tree_verify, trees
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_ranges import Mapping, Range
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_shift import Shift
source, target, saved, calls, workers = sys.argv[1:]
left = int(calls)

def counted(name):
    real = getattr(os, name)
    def call(*given, **options):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*given, **options)
    setattr(os, name, call)

for name in ("open", "pwrite", "mkdir", "unlink", "rmdir", "link", "symlink", "mknod", "chown", "fchown", "chmod", "fchmod", "setxattr", "utime", "rename"):
    counted(name)
scope = trees.Scope(Shift(None, Mapping((Range("dockremap", 100000, 65536),), (Range("dockremap", 200000, 65536),))))
notes = tree_notes.HashNotes.load(saved)
print(flush=True)
tree_copy.copy(source, target, scope, notes, workers=int(workers))
notes.save(saved)
tree_verify.verify(source, target, scope, notes, workers=int(workers))
notes.save(saved)
"""


def start(source, target, saved, calls, workers):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", CODE, source, target, saved, str(calls), str(workers)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)


def change_a_little(source, chance):
    """Change some of the source between two runs, once so that size and time stay."""
    number = chance.randrange(600)
    path = f"{source}/many/{number:04}"
    if os.path.exists(path):
        status = os.stat(path)
        with open(path, "r+b") as handle:
            handle.write(bytes([65 + chance.randrange(26)]))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    write(f"{source}/new/{number}", os.urandom(chance.randrange(5000)))
    if os.path.exists(f"{source}/new/{number + 1}"):
        os.unlink(f"{source}/new/{number + 1}")


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_call(tmp_path, seed):
    """The process kills itself before its nth call that changes something, for many n, in a source that goes on changing."""
    source, target, saved = str(tmp_path / "source"), str(tmp_path / "target"), str(tmp_path / "notes")
    for path in (source, target):
        os.mkdir(path)
    fill(source)
    chance = random.Random(seed)
    killed = 0
    for _round in range(8):
        process = start(source, target, saved, chance.choice([3, 30, 300, 900, 1500, 2500]) + chance.randrange(200), workers=1)
        _output, errors = process.communicate(timeout=120)
        assert process.returncode in (0, -signal.SIGKILL), errors
        killed += process.returncode != 0
        change_a_little(source, chance)
    assert killed > 2
    notes = HashNotes.load(saved)
    copy(source, target, Scope(ON), notes)
    assert verify(source, target, Scope(ON), notes) == []
    assert look(target) == look(source, ON)


def test_killed_from_outside_takes_its_helpers_with_it(tmp_path):
    source, target, saved = str(tmp_path / "source"), str(tmp_path / "target"), str(tmp_path / "notes")
    for path in (source, target):
        os.mkdir(path)
    for number in range(3000):
        write(f"{source}/{number % 100}/{number}", os.urandom(5000))
    chance = random.Random(1)
    helped = 0
    for _round in range(6):
        process = start(source, target, saved, 10**9, workers=3)
        process.stdout.readline()
        until_helped(process)
        time.sleep(chance.random() * 0.2)
        helpers = helpers_of(process.pid)
        process.kill()
        process.communicate()
        helped += len(helpers)
        # The next copy waits for the lock that helpers hold as well, so it cannot begin before they are dead.
        copy(source, target, Scope(ON))
        assert [pid for pid in helpers if os.path.exists(f"/proc/{pid}") and not is_zombie(pid)] == []
        assert verify(source, target, Scope(ON)) == []
        for name in chance.sample(os.listdir(target), 40):
            subprocess.run(["rm", "-r", f"{target}/{name}"], check=True)
    assert helped, "it was always killed too early or too late"


def until_helped(process):
    """Wait for the first helper, or for the end of a copy that was faster than this look."""
    while process.poll() is None and not helpers_of(process.pid):
        time.sleep(0.001)


def helpers_of(pid):
    try:
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []


def is_zombie(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
