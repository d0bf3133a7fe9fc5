# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import processes, watch

DIES = """
import os, pathlib, signal, sys
from ansible_collections.bulkhead.docker.plugins.module_utils.host import watch
with watch.watched(lambda: pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_that_is_killed_is_taken_over(tmp_path):
    note = tmp_path / "rescued"
    paths = os.pathsep.join(sys.path)
    done = subprocess.run([sys.executable, "-c", DIES, str(note)], env={**os.environ, "PYTHONPATH": paths}, check=False, timeout=30)
    assert done.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 10
    while not note.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert int(note.read_text()) != os.getpid()


def test_a_run_that_ends_by_itself_is_left_alone(tmp_path):
    note = pathlib.Path(tmp_path / "rescued")
    with watch.watched(lambda: note.write_text("called")):
        pass
    with pytest.raises(ValueError, match="mine"), watch.watched(lambda: note.write_text("called")):
        raise ValueError("mine")
    assert not note.exists()


def test_a_run_that_somebody_interrupts_is_mended_before_it_ends(tmp_path):
    note = pathlib.Path(tmp_path / "rescued")
    with pytest.raises(KeyboardInterrupt), watch.watched(lambda: note.write_text("called")):
        raise KeyboardInterrupt
    assert note.read_text() == "called"


def test_a_run_goes_on_without_its_watcher(monkeypatch):
    children = []
    fork = os.fork
    monkeypatch.setattr(os, "fork", lambda: children.append(fork()) or children[-1])
    with watch.watched(lambda: None):
        os.kill(children[0], signal.SIGKILL)
        os.waitid(os.P_PID, children[0], os.WEXITED | os.WNOWAIT)


def test_the_start_of_a_process():
    began = time.time()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert began - 0.1 <= processes.started(process.pid) <= time.time() + 0.1
        process.communicate(b"\n")
    assert processes.started(0) == 0.0
    assert processes.started(2**22 + 1) == 0.0
