# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Whether directory entries of a filesystem tell what they name (d_type of readdir(3)), which overlay depends on.

PRIVATE to the collection: no stability is promised to other users.

Python reads the type and falls back on stat(2) without saying so; hence the look through the C library. XFS made with
ftype=0 has no types.
"""

from __future__ import annotations

import ctypes
import os

_UNKNOWN = 0


class _Entry(ctypes.Structure):
    # struct dirent64 of glibc, and struct dirent of musl (readdir(3)).
    _fields_ = [
        ("number", ctypes.c_uint64),
        ("offset", ctypes.c_int64),
        ("length", ctypes.c_ushort),
        ("type", ctypes.c_ubyte),
    ]


def supported(directory: str) -> bool | None:
    """Tell whether the entries "." and ".." of a directory have a type; None where it cannot be read."""
    library = ctypes.CDLL(None, use_errno=True)
    library.opendir.restype = ctypes.c_void_p
    library.closedir.argtypes = [ctypes.c_void_p]
    read = getattr(library, "readdir64", None) or library.readdir
    read.argtypes = [ctypes.c_void_p]
    read.restype = ctypes.POINTER(_Entry)
    stream = library.opendir(os.fsencode(directory))
    if not stream:
        return None
    try:
        entry = read(stream)
        return bool(entry.contents.type != _UNKNOWN) if entry else None
    finally:
        library.closedir(stream)
