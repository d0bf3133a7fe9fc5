# SPDX-License-Identifier: Apache-2.0
"""What moving data costs against `cp -a` of the same data on the same filesystem: 2 GB in 50,000 files, in turn, as ratios.

Both end with the data on the disk: what cp leaves in memory is flushed, as the copy flushes what it wrote. Each copy gets a
directory of its own and nothing is removed between, because ext4 avoids for a while what was freed just before, so that whoever
comes next would pay.

A move is: copy and comparison while containers run, then, after some files changed, copy and comparison while they are
stopped. What stopping and starting the engine takes is not in it. The seconds of processors tell more than those of the
clock when the machine does other things as well.

Started by `make bench`, or as: move.py [ROUNDS [FILES [DIRECTORY]]]
"""

from __future__ import annotations

import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_ranges import Mapping, Range
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.id_shift import Shift
from ansible_collections.bulkhead.docker.plugins.module_utils.host import trees
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_copy import copy
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_notes import HashNotes
from ansible_collections.bulkhead.docker.plugins.module_utils.host.tree_verify import verify
from ansible_collections.bulkhead.docker.plugins.module_utils.host.trees import Scope

ROUNDS = 3
FILES = 50_000
BYTES = 2_000_000_000
# Files that change while the first pass runs: one in a hundred.
CHANGED = 0.01
# Against cp: at least this throughput of the copy; and at most this share of a move while the engine is stopped.
LEAST_THROUGHPUT, MOST_DOWNTIME = 0.8, 0.2
SCOPE = Scope(Shift(None, Mapping((Range("dockremap", 100000, 65536),), (Range("dockremap", 100000, 65536),))))


def fill(source: pathlib.Path, files: int) -> None:
    """Make files of very different sizes whose mean is that of the data set, twenty in a directory."""
    chance = random.Random(1)
    mean = BYTES / FILES
    block = chance.randbytes(16 * 2**20)
    for number in range(files):
        directory = source / f"{number // 2000}" / f"{number // 20}"
        if number % 20 == 0:
            directory.mkdir(parents=True)
        # Of three files two are small, as in images: the third brings the mean up.
        size = int(chance.uniform(0.05, 0.35) * mean) if number % 3 else int(chance.uniform(1.2, 4.0) * mean)
        start = chance.randrange(len(block) - size)
        (directory / f"file{number}").write_bytes(block[start: start + size])


def change(source: pathlib.Path, files: int, seed: int) -> None:
    """Write to some files, as containers would."""
    chance = random.Random(seed)
    for number in chance.sample(range(files), int(files * CHANGED)):
        with open(source / f"{number // 2000}" / f"{number // 20}" / f"file{number}", "ab") as handle:
            handle.write(b"changed")


def processor_seconds() -> float:
    return sum(os.times()[:4])


def timed(action: t.Callable[[], t.Any]) -> tuple[float, t.Any]:
    begin = time.monotonic()
    result = action()
    return time.monotonic() - begin, result


def flush(directory: pathlib.Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    trees.flush(descriptor, str(directory))
    os.close(descriptor)


def plain(source: pathlib.Path, target: pathlib.Path) -> None:
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)
    flush(target)


def move(source: pathlib.Path, target: pathlib.Path, files: int, seed: int) -> tuple[float, float, float]:
    """Return the seconds of the first copy, of all, and of what is done while containers are stopped."""
    target.mkdir()
    notes = HashNotes()

    def compared() -> list[t.Any]:
        return verify(str(source), str(target), SCOPE, notes)

    def copied() -> t.Any:
        return copy(str(source), str(target), SCOPE, notes)

    first, _done = timed(copied)
    looked, differences = timed(compared)
    if differences:
        sys.exit(f"the copy is not equal: {differences[0]}")
    change(source, files, seed)
    last, done = timed(copied)
    final, differences = timed(compared)
    if differences or done.files != int(files * CHANGED):
        sys.exit(f"the last copy is not equal, or copied {done.files} files")
    return first, first + looked + last + final, last + final


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    files = int(sys.argv[2]) if len(sys.argv) > 2 else FILES
    place = sys.argv[3] if len(sys.argv) > 3 else None
    if os.geteuid():
        sys.exit("only root can shift ids")
    with tempfile.TemporaryDirectory(dir=place) as work:
        top = pathlib.Path(work)
        source = top / "source"
        source.mkdir()
        fill(source, files)
        flush(top)
        print(f"moving {files} files, ids shifted, against cp -a and a flush; {rounds} rounds in turn; throughput as cp's seconds / ours")
        print(f"  {'cp -a':>8} {'copy':>8} {'move':>8} {'stopped':>8} {'copy/cp':>8} {'move/cp':>8} {'downtime':>9} {'cp cpu':>7} {'move cpu':>9}")
        found = []
        for number in range(rounds):
            begin = processor_seconds()
            cp, _nothing = timed(lambda number=number: plain(source, top / f"cp{number}"))
            between = processor_seconds()
            first, whole, stopped = move(source, top / f"move{number}", files, number)
            found.append((cp / first, cp / whole, stopped / whole))
            print(
                f"  {cp:8.2f} {first:8.2f} {whole:8.2f} {stopped:8.2f} {cp / first:8.2f} {cp / whole:8.2f} {stopped / whole:9.0%}"
                f" {between - begin:7.2f} {processor_seconds() - between:9.2f}",
                flush=True,
            )
        copying, moving, down = (statistics.median(values) for values in zip(*found))
    print(f"  median: copying {copying:.2f} x cp, whole move with both comparisons {moving:.2f} x cp, downtime {down:.0%} of the move")
    missed = [
        text
        for text, within in (
            (f"{LEAST_THROUGHPUT} x the throughput of cp -a", copying >= LEAST_THROUGHPUT),
            (f"downtime of {MOST_DOWNTIME:.0%}", down <= MOST_DOWNTIME),
        )
        if not within
    ]
    if missed:
        sys.exit(f"missed: {'; '.join(missed)}")


if __name__ == "__main__":
    main()
