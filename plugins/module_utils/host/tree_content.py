# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The content of files: reading, copying and hashing in one go, holes left out.

PRIVATE to the collection: no stability is promised to other users.

A hash is of the size and of all pieces of 1 MiB that hold anything but zeros, each with its number. So a hole and zeros on
the disk are the same content, as they are to whoever reads the file, and a file of terabytes that is nearly all holes costs
what is in it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import struct
import typing as t

PIECE = 1024 * 1024
_ZEROS = bytes(PIECE)
_NUMBER = struct.Struct("<Q")
# How much is read between two reports.
_REPORT = 256 * PIECE
# Opening the original as well costs more than the hash of less than this.
LEAST_COMPARED = 16384
# Up to here it costs little to find out in the middle that a file is not in memory.
_MOST_COMPARED = 64 * PIECE
_FROM_MEMORY_ONLY = getattr(os, "RWF_NOWAIT", None)


def _algorithm() -> str:
    """Return the faster of two good hashes: SHA-256 where the processor has instructions for it, else BLAKE2b."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as handle:
            for line in handle:
                if line.startswith(("flags", "Features")):
                    return "sha256" if {"sha_ni", "sha2"} & set(line.split()) else "blake2b"
    except OSError:
        pass
    return "blake2b"


ALGORITHM = _algorithm()


def _new_hash() -> t.Any:
    return hashlib.sha256() if ALGORITHM == "sha256" else hashlib.blake2b(digest_size=32)


class Contents:
    """Reads files with one buffer.

    Args:
        report: told how many bytes were read, at times while a large file is read.
    """

    def __init__(self, report: t.Callable[[int], None] | None = None) -> None:
        self._buffer = bytearray(PIECE)
        self._view = memoryview(self._buffer)
        self._other = memoryview(bytearray(PIECE))
        self._report = report or (lambda read: None)

    def digest(self, source: int, status: os.stat_result) -> bytes:
        """Return the hash of an open file."""
        return self._run(source, status, None)

    def transfer(self, source: int, status: os.stat_result, target: int) -> bytes:
        """Copy an open file into an empty one, holes as holes; return the hash of what was copied."""
        return self._run(source, status, target)

    def equal_in_memory(self, source: int, size: int, copied: int) -> bool:
        """Read a copy; tell whether it is byte for byte an open file that still is in memory, so that no disk reads that again.

        This costs much less than a hash. False says nothing: hashes have to tell then.
        """
        if _FROM_MEMORY_ONLY is None or size > _MOST_COMPARED:
            return False
        for start in range(0, size, PIECE):
            length = min(PIECE, size - start)
            try:
                if os.preadv(source, [self._view[:length]], start, _FROM_MEMORY_ONLY) != length:
                    return False
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.EOPNOTSUPP):
                    return False
                raise
            part = self._other[:length]
            # Of two views each byte would be an object of Python's.
            if _fill(copied, part, start) != length or not self._buffer.startswith(part):
                return False
        return True

    def _run(self, source: int, status: os.stat_result, target: int | None) -> bytes:
        found = _new_hash()
        size = status.st_size
        holes = status.st_blocks * 512 < size
        start = unreported = 0
        if size == 0:
            # What says that it is empty may have content all the same, in filesystems of the kernel; none is copied.
            return t.cast(bytes, found.digest())
        while start < size:
            if holes:
                data = _next_data(source, start)
                if data is None:
                    break
                start = data - data % PIECE
            part = self._view[: min(PIECE, size - start)]
            length = _fill(source, part, start)
            if length == 0:
                break
            if length < len(part):
                part = part[:length]
            if self._buffer[0] or not self._is_zero(length):
                found.update(_NUMBER.pack(start // PIECE))
                found.update(part)
            if target is not None:
                if holes:
                    self._write_data(source, start, length, target)
                else:
                    _write(target, part, start)
            unreported += length
            if unreported >= _REPORT:
                self._report(unreported)
                unreported = 0
            start += PIECE
        found.update(_NUMBER.pack(size))
        if target is not None and holes:
            os.ftruncate(target, size)
        return t.cast(bytes, found.digest())

    def _is_zero(self, length: int) -> bool:
        return self._buffer == _ZEROS if length == PIECE else self._buffer.startswith(_ZEROS[:length])

    def _write_data(self, source: int, start: int, length: int, target: int) -> None:
        end = start + length
        position = start
        while position < end:
            data = _next_data(source, position)
            if data is None or data >= end:
                return
            hole = min(os.lseek(source, data, os.SEEK_HOLE), end)
            _write(target, self._view[data - start: hole - start], data)
            position = hole


def data_bytes(source: int, size: int) -> tuple[int, int]:
    """Return how many bytes of a file are not in holes, and in how many parts they lie."""
    position = total = parts = 0
    while position < size:
        data = _next_data(source, position)
        if data is None:
            break
        position = os.lseek(source, data, os.SEEK_HOLE)
        total += position - data
        parts += 1
    return total, parts


def _fill(source: int, into: memoryview, position: int) -> int:
    """Read what fits; return how much that was, which is less at the end of the file only."""
    length = 0
    while length < len(into):
        read = os.preadv(source, [into[length:] if length else into], position + length)
        if read == 0:
            break
        length += read
    return length


def _next_data(source: int, position: int) -> int | None:
    try:
        return os.lseek(source, position, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return None
        raise


def _write(target: int, content: memoryview, position: int) -> None:
    while content:
        written = os.pwrite(target, content, position)
        if written == len(content):
            return
        content = content[written:]
        position += written
