# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Somebody who takes over when a run is killed half-way.

PRIVATE to the collection: no stability is promised to other users.
"""

from __future__ import annotations

import contextlib
import os
import signal
import typing as t

_ALIVE = b"."


@contextlib.contextmanager
def watched(rescue: t.Callable[[], None]) -> t.Iterator[None]:
    """Run the body while a process of its own watches: if this process dies in it, the other one calls the rescue.

    It holds what this process holds, locks included, until it is done. A body that ends in any way of its own, an error
    included, needs no rescue; one that somebody interrupts (SIGINT) does. What kills the whole session or the machine, kills
    the watcher too.

    Args:
        rescue: called at most once, without anybody to report to; what it raises is lost.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _watch(reader, writer, rescue)
    os.close(reader)
    ended = False
    try:
        yield
        ended = True
    except Exception:
        ended = True
        raise
    finally:
        if ended:
            # Somebody may have killed the watcher, which is no reason for the run to fail.
            with contextlib.suppress(BrokenPipeError):
                os.write(writer, _ALIVE)
        os.close(writer)
        os.waitpid(child, 0)


def _watch(reader: int, writer: int, rescue: t.Callable[[], None]) -> t.NoReturn:
    try:
        # Whoever waits for the end of this process's output must not wait for ours, nor its terminal's end be ours.
        os.setsid()
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        os.close(writer)
        if os.read(reader, 1) != _ALIVE:
            rescue()
    finally:
        # Not sys.exit: nothing that the other process set up for its own end may run here.
        os._exit(0)
