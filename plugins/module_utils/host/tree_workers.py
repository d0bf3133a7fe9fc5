# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Spreading a walk over processes.

PRIVATE to the collection: no stability is promised to other users.

Most of the work on small files is Python's own, which one process does on one processor only; hence processes and not threads.
They are forked when there is enough to do, know all that was known then, and die with the process that made them, so that
nothing goes on writing after a kill.
"""

from __future__ import annotations

import ctypes
import gc
import multiprocessing.connection
import os
import signal
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.host.trees import TreeError

# So many tasks are done here before others are asked to help.
_ALONE = 16
# A message to a worker costs as much as a dozen small files, so it holds some tasks.
_BATCH = 16
_MOST = 4
_PR_SET_PDEATHSIG = 1

Report = t.Callable[[int], None]
Work = t.Callable[[t.Sequence[t.Any]], t.Any]


def spread(first: t.Any, make: t.Callable[[Report], Work], finish: t.Callable[[t.Any], t.Iterable[t.Any]], report: Report, workers: int = 0) -> None:
    """Do a task and all that follow from it.

    Args:
        first: the first task.
        make: returns what does some tasks and has one result; called in each process that does any, with what it reports bytes
            to meanwhile.
        finish: called here with each result; returns further tasks.
        report: told here about bytes.
        workers: how many processes; 0 for as many as there are processors, four at most.

    Raises:
        TreeError: a task failed, or a worker died.
    """
    size = workers or min(_MOST, len(os.sched_getaffinity(0)))
    waiting = [first]
    work = make(report)
    alone = 0
    while waiting and (size == 1 or alone < _ALONE):
        waiting.extend(finish(work([waiting.pop()])))
        alone += 1
    if waiting:
        _together(waiting, make, finish, report, size)


def _together(waiting: list[t.Any], make: t.Callable[[Report], Work], finish: t.Callable[[t.Any], t.Iterable[t.Any]], report: Report, size: int) -> None:
    crew: dict[multiprocessing.connection.Connection, int] = {}
    busy: set[multiprocessing.connection.Connection] = set()
    try:
        for _number in range(size):
            mine, theirs = multiprocessing.connection.Pipe()
            parent = os.getpid()
            pid = os.fork()
            if pid == 0:
                for other in (*crew, mine):
                    other.close()
                _serve(theirs, make, parent)
            theirs.close()
            crew[mine] = pid
        while waiting or busy:
            # Only one that has answered gets more: it reads, so that neither side can wait for the other with a full pipe.
            for connection in crew:
                if waiting and connection not in busy:
                    connection.send(_batch(waiting, size))
                    busy.add(connection)
            for ready in multiprocessing.connection.wait(list(busy)):
                connection = t.cast(multiprocessing.connection.Connection, ready)
                kind, value = connection.recv()
                if kind == "bytes":
                    report(value)
                    continue
                busy.remove(connection)
                if kind == "error":
                    raise TreeError(value)
                waiting.extend(finish(value))
    except (EOFError, BrokenPipeError, ConnectionResetError) as error:
        raise TreeError("a process that helped was killed, by the kernel when memory was short or by somebody; run it again, what is done stays") from error
    finally:
        for connection, pid in crew.items():
            connection.close()
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _batch(waiting: list[t.Any], size: int) -> list[t.Any]:
    """Take tasks for one message, fewer when few are left, so that all processes end at about the same time."""
    count = max(1, min(_BATCH, len(waiting) // (2 * size)))
    taken = waiting[-count:]
    del waiting[-count:]
    return taken[::-1]


def _serve(connection: multiprocessing.connection.Connection, make: t.Callable[[Report], Work], parent: int) -> t.NoReturn:
    status = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        # The parent may have died before the kernel was told.
        if os.getppid() == parent:
            # What was known before is shared with the parent for as long as no collection writes to it.
            gc.freeze()
            work = make(lambda read: connection.send(("bytes", read)))
            while True:
                tasks = connection.recv()
                result: tuple[str, t.Any]
                try:
                    result = ("done", work(tasks))
                except TreeError as error:
                    result = ("error", str(error))
                except Exception as error:  # pylint: disable=broad-except
                    result = ("error", f"{type(error).__name__}: {error}")
                connection.send(result)
    except (EOFError, OSError):
        status = 0
    finally:
        os._exit(status)
