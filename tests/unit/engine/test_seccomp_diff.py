# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    seccomp_builtin,
    seccomp_choice,
    seccomp_diff,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_model import Machine, Rule
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import parse

MACHINE = Machine("x86_64", "6.1.0")
BUILTIN = seccomp_builtin.builtin(parse("28.5.2"))


def chosen(**sides):
    return seccomp_choice.render(seccomp_choice.read({"base": "builtin", **sides})[0], parse("28.5.2"))


def test_no_change():
    assert str(seccomp_diff.between(BUILTIN, BUILTIN, MACHINE)) == ""
    assert str(seccomp_diff.between(None, None, MACHINE)) == ""


def test_order_and_comments_are_no_change():
    rules = tuple(dataclasses.replace(rule, comment="other", names=rule.names[::-1]) for rule in BUILTIN.rules[::-1])
    assert str(seccomp_diff.between(BUILTIN, dataclasses.replace(BUILTIN, rules=rules), MACHINE)) == ""


@pytest.mark.parametrize(
    ("sides", "words"),
    [
        ({"allow": ["keyctl"]}, "opened: keyctl"),
        ({"allow": [{"name": "keyctl", "capabilities": ["BPF"]}]}, "opened: keyctl (with CAP_BPF)"),
        ({"deny": ["chmod", {"name": "chown", "errno": 38}]}, "closed: chmod, chown (error 38)"),
        ({"allow": ["unshare"]}, "changed: unshare"),
        ({"deny": [{"name": "socket", "args": [{"index": 0, "op": "eq", "value": 16}]}]}, "changed: socket (only argument 0 is not 16 or 40)"),
        ({"deny": [{"name": "chown", "capabilities": ["CHOWN"]}]}, "changed: chown (without CAP_CHOWN)"),
        ({"deny": [{"name": "chown", "architectures": ["arm64"]}]}, ""),
    ],
)
def test_words(sides, words):
    assert str(seccomp_diff.between(BUILTIN, chosen(**sides), MACHINE)) == words


def test_back_to_the_engines_own():
    changes = seccomp_diff.between(chosen(allow=["clone"], deny=["chmod"]), BUILTIN, MACHINE)
    assert changes.as_dict() == {
        "opened": ["chmod"],
        "closed": [],
        "changed": ["clone (only without CLONE_NEW* without CAP_SYS_ADMIN; or with CAP_SYS_ADMIN)"],
    }


def test_a_newer_engine():
    changes = seccomp_diff.between(seccomp_builtin.builtin(parse("24.0.9")), BUILTIN, MACHINE)
    assert {"cachestat", "fchmodat2", "mseal"} < set(changes.opened)
    assert changes.closed == ("io_uring_enter", "io_uring_register", "io_uring_setup")


def test_a_filter_where_there_was_none():
    changes = seccomp_diff.between(None, BUILTIN, MACHINE)
    assert {"keyctl", "kexec_load", "io_uring_setup"} < set(changes.closed)
    assert "mount (with CAP_SYS_ADMIN)" in changes.changed
    assert "keyctl" in seccomp_diff.between(BUILTIN, None, MACHINE).opened


def test_rules_for_another_kernel_do_not_count():
    profile = dataclasses.replace(BUILTIN, rules=(*BUILTIN.rules, Rule(("keyctl",), kernel="9.0")))
    assert str(seccomp_diff.between(BUILTIN, profile, MACHINE)) == ""
