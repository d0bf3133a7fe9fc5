# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    seccomp_builtin,
    seccomp_elf,
    seccomp_model,
    seccomp_probe,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_model import (
    Argument,
    Machine,
    Profile,
    Rule,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_probe import Attempt, Output
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import parse

MACHINE = Machine("x86_64", "6.1.0")
WRONG = (2**64 - 1,) * 6
STATUS = {"Seccomp": "2", "NoNewPrivs": "1"}
CALL = seccomp_elf.Call(1, WRONG)


def attempts(*rules, names=("keyctl", "socket", "chmod", "exit", "fork"), action="SCMP_ACT_ERRNO"):
    profile = Profile(action, 1, (), (), tuple(rules))
    found = seccomp_probe.attempts(profile, MACHINE, {name: number for number, name in enumerate(names)})
    return {attempt.text: (attempt.opened, attempt.errno) for attempt in found}


def test_each_call_is_tried_and_judged_by_its_rules():
    found = attempts(Rule(("chmod", "exit", "fork")), Rule(("keyctl",), seccomp_model.ERRNO, 38))
    assert found == {"chmod": (True, 1), "keyctl": (False, 38), "socket": (False, 1)}


def test_arguments_that_rules_name_are_tried_with_a_bit_in_the_upper_half_too():
    found = attempts(Rule(("socket",), args=(Argument(0, "SCMP_CMP_NE", 40),)))
    assert found == {
        "chmod": (False, 1),
        "keyctl": (False, 1),
        "socket": (True, 1),
        "socket(39)": (True, 1),
        "socket(40)": (False, 1),
        f"socket({40 + 2**32})": (True, 1),
    }


def test_rules_for_other_containers_do_not_count():
    found = attempts(Rule(("keyctl",), caps=("CAP_SYS_ADMIN",)), Rule(("chmod",), caps=("CAP_CHOWN",)))
    assert (found["keyctl"], found["chmod"]) == ((False, 1), (True, 1))


@pytest.mark.parametrize("action", ["SCMP_ACT_KILL", "SCMP_ACT_TRAP", "SCMP_ACT_KILL_PROCESS"])
def test_what_would_kill_the_probe_is_not_tried(action):
    assert attempts(Rule(("chmod",)), action=action) == {"chmod": (True, 1)}


def test_calls_that_other_machines_have_are_passed_over():
    profile = seccomp_builtin.builtin(parse("28.5.2"))
    assert seccomp_probe.attempts(profile, MACHINE, {"chown32": -10088, "chmod": None}) == ()


def test_every_call_that_is_never_tried_has_a_reason():
    profile = seccomp_builtin.builtin(parse("28.5.2"))
    assert not seccomp_probe.candidates(profile) & set(seccomp_probe.NEVER)
    assert all(seccomp_probe.NEVER.values())
    assert {"exit", "fork", "kill", "pause", "reboot", "uretprobe"} < set(seccomp_probe.NEVER)


def test_reading():
    answers = struct.pack("<3q", -1, 5, -9) + struct.pack("<Q", 2**32 - 38)
    output = seccomp_probe.read(b"Name:\tprobe\nSeccomp:\t2\n" + seccomp_elf.MARK + answers + b"cut")
    assert output == Output({"Name": "probe", "Seccomp": "2"}, (-1, 5, -9, -38))
    assert seccomp_probe.read(b"exec failed") is None


@pytest.mark.parametrize(
    ("opened", "filtered", "free", "verdict"),
    [
        (True, -9, -9, "open"),
        (True, 4, 5, "open"),
        (True, -1, -1, "undecided"),
        (True, -1, -9, "opens keyctl, but a container is refused"),
        (True, -38, -9, "opens keyctl, but a container is refused"),
        (False, -1, -9, "closed"),
        (False, -38, -9, "closed"),
        (False, -1, -1, "undecided"),
        (False, -9, -9, "closes keyctl, but a container is let through"),
        (False, 4, 4, "closes keyctl, but a container is let through"),
    ],
)
def test_a_call_is_judged_only_where_the_kernel_itself_would_answer_otherwise(opened, filtered, free, verdict):
    found = seccomp_probe.judge([Attempt("keyctl", CALL, opened, 1)], Output(STATUS, (filtered,)), Output({}, (free,)), 1, True)
    expected = {"open": (), "closed": (), "undecided": ()}.get(verdict)
    if expected is None:
        assert verdict in found.disagreements[0]
    else:
        assert found.disagreements == ()
        assert {"open": found.proved_open, "closed": found.proved_closed, "undecided": found.undecided}[verdict] == ("keyctl",)


def test_an_error_of_its_own_is_expected():
    tried = [Attempt("socket", CALL, False, 97)]
    assert seccomp_probe.judge(tried, Output(STATUS, (-97,)), Output({}, (4,)), 1, True).proved_closed == ("socket",)
    assert seccomp_probe.judge(tried, Output(STATUS, (-1,)), Output({}, (4,)), 1, True).disagreements


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"Seccomp": "0", "NoNewPrivs": "1"}, "Seccomp: 0, which means that no filter"),
        ({"Seccomp": "2", "NoNewPrivs": "0"}, "without no_new_privs"),
        ({}, None),
    ],
)
def test_the_status_counts(status, words):
    found = seccomp_probe.judge([], Output(status, ()), Output({}, ()), 1, True).disagreements
    assert (found == ()) if words is None else words in found[0]


def test_a_program_that_ends_says_where():
    tried = [Attempt("keyctl", CALL, True, 1), Attempt("chmod", CALL, True, 1)]
    found = seccomp_probe.judge(tried, Output(STATUS, (-9,)), Output({}, (-9, -9)), 1, True)
    assert found.disagreements == ("a program ends when it calls chmod",)
