# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The program of the seccomp probe: a static ELF file that tries system calls and prints what each returned.

PRIVATE to the collection: no stability is promised to other users.

It is put together here byte by byte, so a host needs neither a compiler nor an image from elsewhere. It prints
/proc/self/status, MARK, and eight bytes for each call as soon as it has returned, so that it is known which one ended it.
Sources: elf(5), syscall(2); the Intel and Arm manuals for the few instructions.
"""

from __future__ import annotations

import struct
import typing as t

MARK = b"\n\0probe\n"
#: Machines that a program can be made for, as uname(2) names them.
MACHINES = ("x86_64", "aarch64")

_BASE = 0x400000
_HEADERS = 64 + 56
_STATUS = b"/proc/self/status\0"
_BUFFER = 4096
_AT_FDCWD = -100
_ENTRY = 7 * 8


class Call(t.NamedTuple):
    """A system call by number, with its arguments as unsigned numbers of 64 bits."""

    number: int
    args: tuple[int, int, int, int, int, int]


def program(machine: str, calls: t.Sequence[Call]) -> bytes:
    """Return the file.

    Args:
        machine: one of MACHINES.
        calls: at least one, in the order in which they are tried.
    """
    path = _BASE + _HEADERS
    mark = path + len(_STATUS)
    table = (mark + len(MARK) + 7) // 8 * 8
    code = table + len(calls) * _ENTRY
    data = (_STATUS + MARK).ljust(table - path, b"\0")
    data += b"".join(struct.pack("<7Q", call.number, *call.args) for call in calls)
    make = {"x86_64": _x86_64, "aarch64": _aarch64}[machine]
    body = data + make(path, mark, table, len(calls))
    return _headers(machine, code, _HEADERS + len(body)) + body


def _headers(machine: str, entry: int, size: int) -> bytes:
    number = {"x86_64": 62, "aarch64": 183}[machine]
    ident = b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8)
    header = ident + struct.pack("<HHIQQQIHHHHHH", 2, number, 1, entry, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    # One segment, readable and executable; what is written lies on the stack.
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)


def _x86_64(path: int, mark: int, table: int, count: int) -> bytes:
    def load(opcode: int, value: int) -> bytes:
        return bytes([opcode]) + struct.pack("<I", value)

    eax, edi, esi, edx, ebx = 0xB8, 0xBF, 0xBE, 0xBA, 0xBB
    syscall = b"\x0f\x05"
    buffer = b"\x48\x89\xe6"  # mov rsi, rsp
    write = load(eax, 1) + load(edi, 1)
    status = load(eax, 257) + b"\x48\xc7\xc7" + struct.pack("<i", _AT_FDCWD) + load(esi, path)
    status += b"\x31\xd2\x4d\x31\xd2" + syscall  # no flags, no mode
    status += b"\x89\xc7\x31\xc0" + buffer + load(edx, _BUFFER) + syscall  # read what openat returned
    say = b"\x89\xc2" + write + buffer + syscall
    start = b"\x48\x81\xec" + struct.pack("<I", _BUFFER) + status
    start += b"\x85\xc0\x7e" + bytes([len(say)]) + say  # nothing to say if nothing was read
    start += write + load(esi, mark) + load(edx, len(MARK)) + syscall
    start += load(ebx, table) + b"\x41\xbc" + struct.pack("<I", count)  # r12d counts
    loop = b"\x48\x8b\x03\x48\x8b\x7b\x08\x48\x8b\x73\x10\x48\x8b\x53\x18"  # rax, rdi, rsi, rdx
    loop += b"\x4c\x8b\x53\x20\x4c\x8b\x43\x28\x4c\x8b\x4b\x30" + syscall  # r10, r8, r9
    loop += b"\x48\x89\x04\x24"  # mov [rsp], rax
    loop += write + buffer + load(edx, 8) + syscall
    loop += b"\x48\x83\xc3" + bytes([_ENTRY]) + b"\x41\xff\xcc"  # next entry
    loop += b"\x0f\x85" + struct.pack("<i", -(len(loop) + 6))
    return start + loop + load(eax, 231) + b"\x31\xff" + syscall + load(eax, 60) + syscall + b"\x0f\x0b"


def _aarch64(path: int, mark: int, table: int, count: int) -> bytes:
    openat, read, write, leave, leave_thread = 56, 63, 64, 94, 93
    svc, stack = 0xD4000001, 31

    def number(register: int, value: int) -> list[int]:
        # movz and movk; movn for the one negative number.
        if value < 0:
            return [0x92800000 | ~value << 5 | register]
        return [0xD2800000 | (value & 0xFFFF) << 5 | register, 0xF2A00000 | value >> 16 << 5 | register]

    def copy(target: int, source: int) -> int:
        return 0xAA0003E0 | source << 16 | target

    def load(target: int, base: int, offset: int) -> int:
        return 0xF9400000 | offset // 8 << 10 | base << 5 | target

    buffer = [0x91000000 | stack << 5 | 1]  # add x1, sp, #0
    say = [*number(8, write), *number(0, 1)]
    words = [0xD1400000 | 1 << 10 | stack << 5 | stack]  # sub sp, sp, #4096
    words += [*number(8, openat), *number(0, _AT_FDCWD), *number(1, path), *number(2, 0), *number(3, 0), svc]
    words += [*number(8, read), *buffer, *number(2, _BUFFER), svc]
    told = [copy(2, 0), *say, *buffer, svc]
    words += [0xF100001F, 0x54000000 | (len(told) + 1) << 5 | 0xD, *told]  # cmp x0, #0; b.le past it
    words += [*say, *number(1, mark), *number(2, len(MARK)), svc]
    words += [*number(19, table), *number(20, count)]
    loop = [load(8, 19, 0), *(load(register, 19, 8 + 8 * register) for register in range(6)), svc]
    loop += [0xF9000000 | stack << 5, *say, *buffer, *number(2, 8), svc]  # str x0, [sp]
    loop += [0x91000000 | _ENTRY << 10 | 19 << 5 | 19, 0xF1000400 | 20 << 5 | 20]  # next entry
    loop += [0x54000000 | (-len(loop) & 0x7FFFF) << 5 | 1]  # b.ne
    words += [*loop, *number(8, leave), *number(0, 0), svc, *number(8, leave_thread), svc, 0]
    return b"".join(struct.pack("<I", word) for word in words)
