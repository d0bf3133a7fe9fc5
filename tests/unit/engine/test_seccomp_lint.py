# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import seccomp_builtin, seccomp_lint
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_lint import Calls
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_model import (
    ERRNO,
    Argument,
    Machine,
    Profile,
    Rule,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import parse

VERSION = parse("28.5.2")
MACHINE = Machine("x86_64", "6.1.0")
NAMES = ("read", "write", "unshare", "keyctl", "chmod", "mount", "open")
BASE = Profile(ERRNO, 1, (), (), (Rule(("read", "write")),))


def judge(*rules, machine=MACHINE, version=VERSION, known=NAMES, asked=(), **fields):
    profile = dataclasses.replace(BASE, rules=(*BASE.rules, *rules), **fields)
    calls = Calls(dict.fromkeys(known, 1), frozenset(known))
    return seccomp_lint.judge(profile, machine, version, calls, asked=asked)


def problems(*rules, **options):
    return " / ".join(str(problem) for problem in judge(*rules, **options).problems)


def warnings(*rules, **options):
    return " / ".join(judge(*rules, **options).warnings)


def test_nothing_to_say():
    assert judge(Rule(("chmod",))) == seccomp_lint.Verdict((), ())


@pytest.mark.parametrize("release", ["20.10.24", "26.1.5", "29.7.2"])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "ppc64le", "riscv64"])
def test_the_engines_own_profile_is_in_order(release, machine):
    profile = seccomp_builtin.builtin(parse(release))
    calls = Calls(dict.fromkeys(seccomp_builtin.known_names(), 1), frozenset())
    verdict = seccomp_lint.judge(profile, Machine(machine, "6.1.0"), parse(release), calls, shared=profile.rules)
    assert verdict == seccomp_lint.Verdict((), ())


def test_a_call_that_nobody_knows():
    found = problems(Rule(("unsahre",)))
    assert "names the system call 'unsahre'" in found
    assert "did you mean 'unshare'?" in found


def test_a_call_that_was_asked_for_and_is_not_in_the_profile_any_more():
    assert "did you mean 'keyctl'?" in problems(asked=("keyctrl",))


def test_a_newer_call_with_a_kernel_is_a_warning():
    assert problems(Rule(("brand_new",), kernel="7.1")) == ""
    assert "does not know brand_new yet" in warnings(Rule(("brand_new",), kernel="7.1"), machine=Machine("x86_64", "7.2.0"))


def test_what_the_engines_own_profile_names_is_never_unknown():
    assert problems(Rule(("mseal",))) == ""


def test_without_libseccomp_names_are_not_judged():
    assert seccomp_lint.judge(dataclasses.replace(BASE, rules=(Rule(("unsahre",)),)), MACHINE, VERSION, None).problems == ()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"architectures": ("SCMP_ARCH_X86_64",)}, ""),
        ({"architectures": ("SCMP_ARCH_AARCH64",)}, "is made for SCMP_ARCH_AARCH64, but this host is SCMP_ARCH_X86_64"),
        ({"arch_map": (("SCMP_ARCH_AARCH64", ("SCMP_ARCH_ARM",)),)}, "but this host is SCMP_ARCH_X86_64"),
        ({"architectures": ("SCMP_ARCH_X86_46",)}, "did you mean 'SCMP_ARCH_X86_64'"),
    ],
)
def test_architectures(fields, words):
    found = problems(**fields)
    assert words in found
    assert bool(words) == bool(found)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule(("chmod",), caps=("CAP_KILL",), not_caps=("CAP_KILL",)), "includes and excludes the capability CAP_KILL"),
        (Rule(("chmod",), arches=("arm64",), not_arches=("arm64", "arm")), "includes and excludes the architecture arm64"),
        (Rule(("chmod",), kernel="5.10", not_kernel="5.2"), "kernel from 5.10 on that is older than 5.2"),
        (Rule(("chmod",), args=(Argument(0, "SCMP_CMP_LT", 0),)), "no value fulfils argument 0 < 0"),
        (Rule(("chmod",), args=(Argument(0, "SCMP_CMP_MASKED_EQ", 1, 2),)), "no value fulfils argument 0 & 1 = 2"),
        (Rule(("chmod",), caps=("CAP_SYS_ADMN",)), "did you mean 'CAP_SYS_ADMIN'"),
        (Rule(("read",), ERRNO, 38), "gives read two answers for the same case"),
    ],
)
def test_rules_that_cannot_be(rule, words):
    assert words in problems(rule)


def test_rules_that_can_be():
    rule = Rule(("chmod",), kernel="5.2", not_kernel="5.10", arches=("amd64", "arm64"), not_arches=("arm64",))
    assert problems(rule) == ""


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule(("chmod", "chmod")), "names chmod twice"),
        (Rule(("read",)), "says the same of read more than once"),
        (Rule(("chmod",), errno=38), "has an errnoRet, which SCMP_ACT_ALLOW does not use"),
        (Rule(("chmod",), ERRNO, 0), "programs believe that it succeeded"),
        (Rule(("chmod",), ERRNO), "says what defaultAction says anyway"),
        (Rule(("chmod",), arches=("x86_64",)), "'x86_64' (did you mean 'amd64'?), which the engine never matches"),
        (
            Rule(("chmod",), args=(Argument(0, "SCMP_CMP_GE", 2), Argument(0, "SCMP_CMP_LE", 4))),
            "two conditions on one argument",
        ),
        (Rule(("socket",), args=(Argument(0, "SCMP_CMP_NE", 40),)), "passes by with a bit set in the upper half"),
        (Rule(("ioctl",), ERRNO, 38, args=(Argument(1, "SCMP_CMP_EQ", 0x5412),)), "passes by with a bit set"),
        (Rule(("unshare",)), "lets every container call unshare, which opens new namespaces"),
        (Rule(("keyctl",), arches=("amd64",)), "lets every container call keyctl"),
    ],
)
def test_rules_that_are_odd(rule, words):
    assert words in warnings(rule)


@pytest.mark.parametrize(
    "rule",
    [
        Rule(("unshare",), caps=("CAP_SYS_ADMIN",)),
        Rule(("unshare",), args=(Argument(0, "SCMP_CMP_EQ", 0x10000000),)),
        Rule(("keyctl",), arches=("arm64",)),
        Rule(("socket",), args=(Argument(0, "SCMP_CMP_EQ", 1),)),
        Rule(("ioctl",), args=(Argument(2, "SCMP_CMP_NE", 1),)),
    ],
)
def test_rules_that_are_not(rule):
    assert warnings(rule) == ""


def test_ptrace_on_an_old_kernel():
    assert "lets every container call ptrace" in warnings(Rule(("ptrace",)), machine=Machine("x86_64", "4.4.0"))
    assert warnings(Rule(("ptrace",)), machine=MACHINE) == ""


def test_what_an_old_engine_passes_over():
    assert "passes over defaultErrnoRet" in warnings(version=parse("20.10.24"))


def test_an_error_that_is_none():
    assert "programs believe that they succeeded" in warnings(default_errno=0)
    assert warnings(default_errno=38) == ""
