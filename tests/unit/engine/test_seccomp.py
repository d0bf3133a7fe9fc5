# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import seccomp

GOOD = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 1,
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
    "syscalls": [
        {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
        {
            "names": ["personality"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}],
            "includes": {"minKernel": "4.8", "caps": ["CAP_SYS_ADMIN"]},
            "excludes": {"arches": ["s390"]},
            "comment": "why",
        },
        {"name": "exit", "action": "SCMP_ACT_ALLOW"},
    ],
}


def messages(profile):
    text = profile if isinstance(profile, str) else json.dumps(profile)
    return " / ".join(str(problem) for problem in seccomp.problems(text))


def test_good():
    assert seccomp.problems(json.dumps(GOOD)) == []


@pytest.mark.parametrize("action", seccomp.REFUSING_ACTIONS)
def test_actions_that_refuse_are_good_defaults(action):
    assert seccomp.problems(json.dumps({**GOOD, "defaultAction": action})) == []


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ("{}", "would switch seccomp off"),
        ({"defaultAction": "SCMP_ACT_ALLOW"}, "would switch seccomp off"),
        ({**GOOD, "defaultAction": "SCMP_ACT_LOG"}, "would switch seccomp off"),
        ({**GOOD, "defaultAction": "SCMP_ACT_TRACE"}, "would switch seccomp off"),
        ({**GOOD, "defaultAction": "ERRNO"}, "unknown"),
        ("not json", "is not JSON"),
        ("[]", "not a JSON object"),
        ({**GOOD, "syscalls": []}, "no list of syscalls"),
        ({**GOOD, "syscalls": {}}, "no list of syscalls"),
        ({**GOOD, "syscals": []}, "unknown key 'syscals'"),
        ({**GOOD, "architectures": ["SCMP_ARCH_X86_64"]}, "both archMap and architectures"),
        ({**GOOD, "syscalls": ["read"]}, "not an object"),
        ({**GOOD, "syscalls": [{"action": "SCMP_ACT_ALLOW"}]}, "names no system call"),
        ({**GOOD, "syscalls": [{"names": [], "action": "SCMP_ACT_ALLOW"}]}, "names no system call"),
        (
            {**GOOD, "syscalls": [{"names": ["read"], "name": "read", "action": "SCMP_ACT_ALLOW"}]},
            "both name and names",
        ),
        ({**GOOD, "syscalls": [{"names": ["READ"], "action": "SCMP_ACT_ALLOW"}]}, "cannot be a system call"),
        ({**GOOD, "syscalls": [{"names": ["read"], "action": "ALLOW"}]}, "unknown"),
        ({**GOOD, "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "arg": []}]}, "unknown key 'arg'"),
        (
            {**GOOD, "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "op": "EQ"}]}]},
            "the operator 'EQ'",
        ),
        (
            {
                **GOOD,
                "syscalls": [
                    {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 6, "op": "SCMP_CMP_EQ"}]}
                ],
            },
            "argument index 6",
        ),
        (
            {**GOOD, "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": {"cap": []}}]},
            "includes with the unknown key 'cap'",
        ),
        (
            {**GOOD, "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "excludes": {"kernel": "5"}}]},
            "excludes with the unknown key 'kernel'",
        ),
        ({**GOOD, "archMap": {}}, "archMap is not a list of objects"),
        ({**GOOD, "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ""}]}, "archMap is not a list of objects"),
        ({**GOOD, "archMap": None, "architectures": ""}, "architectures are not a list of words"),
        ({**GOOD, "flags": "SECCOMP_FILTER_FLAG_LOG"}, "flags are not a list of words"),
        ({**GOOD, "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": {}}]}, "args that are not a list"),
        ({**GOOD, "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": []}]}, "includes that are not an object"),
        ({**GOOD, "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": {}}}]}, "caps that is not a list of words"),
        ({**GOOD, "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "comment": 5}]}, "a comment that is no text"),
    ],
)
def test_bad(profile, words):
    assert words in messages(profile)
