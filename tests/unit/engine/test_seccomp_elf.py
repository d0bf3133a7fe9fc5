# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import platform
import struct
import subprocess

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import seccomp_elf, seccomp_probe

WRONG = (2**64 - 1,) * 6
GETPPID = {"x86_64": 110, "aarch64": 173}
CLOSE = {"x86_64": 3, "aarch64": 57}


def program(machine):
    return seccomp_elf.program(
        machine, [seccomp_elf.Call(GETPPID[machine], WRONG), seccomp_elf.Call(CLOSE[machine], WRONG)]
    )


@pytest.mark.parametrize(("machine", "number"), [("x86_64", 62), ("aarch64", 183)])
def test_the_file_is_an_elf_program_that_never_writes_to_itself(machine, number):
    content = program(machine)
    assert content[:7] == b"\x7fELF\x02\x01\x01"
    kind, arch, _version, entry, headers = struct.unpack_from("<HHIQQ", content, 16)
    assert (kind, arch, headers) == (2, number, 64)
    load, flags, offset, address, _physical, size, memory, _align = struct.unpack_from("<IIQQQQQQ", content, 64)
    assert (load, flags, offset, address, size, memory) == (1, 5, 0, 0x400000, len(content), len(content))
    assert address + 120 < entry < address + size
    assert len(content) < 4096


def test_instructions_of_arm_are_whole_words_and_call_the_kernel():
    content = program("aarch64")
    entry = struct.unpack_from("<Q", content, 24)[0] - 0x400000
    words = [word for (word,) in struct.iter_unpack("<I", content[entry:])]
    assert (entry % 8, words.count(0xD4000001)) == (0, 8)
    # The branch back leads to the first instruction of the loop, which loads the call's number.
    back = next(index for index, word in enumerate(words) if word & 0xFF00001F == 0x54000001)
    distance = words[back] >> 5 & 0x7FFFF
    assert words[back + distance - 2**19] == 0xF9400268


@pytest.mark.skipif(platform.machine() not in seccomp_elf.MACHINES, reason="no program for this machine")
def test_the_program_prints_its_status_and_what_each_call_returned(tmp_path):
    path = tmp_path / "probe"
    path.write_bytes(program(platform.machine()))
    path.chmod(0o755)
    done = subprocess.run([str(path)], capture_output=True, timeout=10, check=True)
    output = seccomp_probe.read(done.stdout)
    assert output.answers == (os.getpid(), -9)
    assert output.status["Name"] == "probe"
