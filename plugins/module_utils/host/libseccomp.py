# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""Asking the host's libseccomp, the library by which runc makes filters, which system calls it knows.

PRIVATE to the collection: no stability is promised to other users.

Source: seccomp_syscall_resolve_name(3).
"""

from __future__ import annotations

import ctypes
import typing as t

from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_lint import Calls

_LIBRARY = "libseccomp.so.2"
_UNKNOWN = -1
# Beyond the numbers of all 64-bit architectures; those of MIPS start at 5000 and have no probe.
_NUMBERS = range(1024)


def calls(names: t.Iterable[str]) -> tuple[Calls | None, str]:
    """Return what the library knows of the given calls, or None and the reason why it cannot be asked."""
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        return None, f"{_LIBRARY} cannot be loaded ({error})"
    library.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
    library.seccomp_syscall_resolve_name.restype = ctypes.c_int
    numbers = {name: library.seccomp_syscall_resolve_name(name.encode()) for name in names}
    return Calls(
        numbers={name: None if number == _UNKNOWN else number for name, number in numbers.items()},
        names=_native_names(library),
    ), ""


def _native_names(library: t.Any) -> frozenset[str]:
    library.seccomp_arch_native.restype = ctypes.c_uint32
    library.seccomp_syscall_resolve_num_arch.argtypes = [ctypes.c_uint32, ctypes.c_int]
    # The text is the caller's to free, which a pointer of type char would hide.
    library.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p
    free = ctypes.CDLL(None).free
    free.argtypes = [ctypes.c_void_p]
    native = library.seccomp_arch_native()
    found = set()
    for number in _NUMBERS:
        pointer = library.seccomp_syscall_resolve_num_arch(native, number)
        if pointer:
            found.add((ctypes.string_at(pointer)).decode())
            free(pointer)
    return frozenset(found)
