# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    seccomp_builtin,
    seccomp_choice,
    seccomp_model,
    seccomp_probe,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_model import Machine
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import parse

MACHINE = Machine("x86_64", "6.1.0")
DEFAULT = seccomp_probe.DEFAULT_CAPABILITIES
OPEN, CLOSED = (True, 1), (False, 1)


def render(release="28.5.2", **sides):
    choice, found = seccomp_choice.read({"base": "builtin", **sides})
    assert found == []
    return seccomp_choice.render(choice, parse(release))


def answer(profile, name, *args, caps=DEFAULT, machine=MACHINE):
    """What the filter does with a call: whether it lets it through, and its error."""
    rules = seccomp_model.in_container(seccomp_model.on_machine(profile, machine), frozenset(caps))
    mine = [rule for rule in rules if name in rule.names]
    found = seccomp_probe._answer(mine, [*args, 0, 0, 0, 0, 0, 0][:6], profile)
    return found if found is None or not found[0] else OPEN


def test_nothing_asked_for_is_the_engines_own():
    assert render() == seccomp_builtin.builtin(parse("28.5.2"))


def test_a_name_opens_and_closes_for_all():
    profile = render(allow=["keyctl", "unshare"], deny=["chmod"])
    assert [answer(profile, name) for name in ("keyctl", "unshare", "chmod", "read")] == [OPEN, OPEN, CLOSED, OPEN]
    assert answer(profile, "chmod", caps=seccomp_choice.CAPABILITIES) == CLOSED


def test_what_is_denied_goes_before_what_is_allowed():
    profile = render(
        allow=["unshare"], deny=[{"name": "unshare", "args": [{"index": 0, "op": "masked_eq", "value": 0x40000000, "value_two": 0x40000000}]}]
    )
    assert answer(profile, "unshare", 0x10000000) == OPEN
    assert answer(profile, "unshare", 0x50000000) == CLOSED
    assert answer(profile, "unshare", 0x50000000, caps=["CAP_SYS_ADMIN"]) == CLOSED


def test_an_error_of_its_own():
    profile = render(deny=[{"names": ["chmod", "fchmod"], "errno": 38}])
    assert (answer(profile, "chmod"), answer(profile, "fchmod")) == ((False, 38), (False, 38))


def test_allowing_what_the_engine_answers_with_an_error_leaves_one_answer():
    profile = render(allow=["clone3"])
    assert (answer(profile, "clone3"), answer(profile, "clone3", caps=["CAP_SYS_ADMIN"])) == (OPEN, OPEN)
    assert [rule for rule in profile.rules if "clone3" in rule.names and not rule.opens] == []


@pytest.mark.parametrize("release", ["20.10.24", "26.1.5", "29.7.2"])
def test_a_denied_argument_is_denied_whatever_the_upper_half_holds(release):
    profile = render(release, deny=[{"name": "socket", "args": [{"index": 0, "op": "eq", "value": 16}], "errno": 97}])
    assert [answer(profile, "socket", domain) for domain in (1, 15, 17, 39)] == [OPEN] * 4
    assert [answer(profile, "socket", domain) for domain in (16, 16 + 2**32, 16 + 2**63)] == [(False, 97)] * 3
    if release != "20.10.24":
        assert [answer(profile, "socket", domain) for domain in (40, 40 + 2**32)] == [CLOSED] * 2
    untouched = seccomp_builtin.builtin(parse("26.1.5"))
    assert [answer(untouched, "socket", domain) for domain in (40, 40 + 2**32)] == [CLOSED, OPEN]


def test_two_arguments_of_an_entry_both_have_to_match():
    profile = render(deny=[{"name": "socket", "args": [{"index": 0, "op": "eq", "value": 2}, {"index": 1, "op": "eq", "value": 3}]}])
    assert answer(profile, "socket", 2, 3) == CLOSED
    assert [answer(profile, "socket", *args) for args in ((2, 1), (1, 3), (1, 1))] == [OPEN] * 3


def test_capabilities_of_an_entry():
    profile = render(allow=[{"name": "keyctl", "capabilities": ["net_admin"]}], deny=[{"name": "mknod", "capabilities": ["CAP_MKNOD"]}])
    assert answer(profile, "keyctl") == CLOSED
    assert answer(profile, "keyctl", caps=["CAP_NET_ADMIN"]) == OPEN
    assert answer(profile, "mknod", caps=["CAP_MKNOD"]) == CLOSED
    assert answer(profile, "mknod", caps=[]) == OPEN


def test_architectures_of_an_entry():
    profile = render(deny=[{"name": "chown", "architectures": ["x86_64"]}, {"name": "arch_prctl", "architectures": ["amd64"]}])
    assert answer(profile, "chown") == CLOSED
    assert answer(profile, "chown", machine=Machine("aarch64", "6.1.0")) == OPEN
    assert answer(profile, "arch_prctl") == CLOSED


def test_the_engines_own_condition_on_the_same_argument_stays():
    profile = render(deny=[{"name": "clone", "args": [{"index": 0, "op": "masked_eq", "value": 0x100, "value_two": 0x100}]}])
    assert answer(profile, "clone", 0x200) == OPEN
    assert [answer(profile, "clone", flags) for flags in (0x300, 0x10000200)] == [CLOSED] * 2


def test_what_a_filter_has_no_room_for_is_refused():
    entries = [{"name": "socket", "args": [{"index": index, "op": "eq", "value": 3}]} for index in (0, 1)]
    choice, found = seccomp_choice.read({"base": "builtin", "deny": entries})
    assert found == []
    with pytest.raises(ValueError, match="denies socket for so many arguments that a filter has no room"):
        seccomp_choice.render(choice, parse("28.5.2"))
    both = {"name": "socket", "args": [entry["args"][0] for entry in entries]}
    assert answer(render(deny=[both, "chmod"]), "socket", 3, 3) == CLOSED


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"base": "none"}, "starts from the base 'none'; write 'base: builtin'"),
        ({"allow": ["keyctl"]}, "starts from the base None"),
        ({"base": "builtin", "alow": []}, "unknown key 'alow' (did you mean 'allow'?)"),
        ({"base": "builtin", "allow": "keyctl"}, "allow: is not a list"),
        ({"base": "builtin", "allow": [7]}, "neither the name of a system call nor a dictionary"),
        ({"base": "builtin", "allow": [{"nmae": "keyctl"}]}, "unknown key 'nmae' (did you mean 'name'?)"),
        ({"base": "builtin", "allow": [{}]}, "needs one of name and names"),
        ({"base": "builtin", "allow": [{"name": "a", "names": ["b"]}]}, "needs one of name and names"),
        ({"base": "builtin", "allow": [{"name": "a", "errno": 1}]}, "gives a an errno"),
        ({"base": "builtin", "deny": [{"name": "a", "errno": 0}]}, "has the errno 0"),
        ({"base": "builtin", "deny": [{"name": "a", "errno": 4096}]}, "has the errno 4096"),
        ({"base": "builtin", "deny": [{"name": "a", "args": {}}]}, None),
        ({"base": "builtin", "deny": [{"name": "a", "args": "x"}]}, "args that are not a list"),
        ({"base": "builtin", "deny": [{"name": "a", "args": ["x"]}]}, "argument that is not a dictionary"),
        ({"base": "builtin", "deny": [{"name": "a", "args": [{"index": 6, "op": "eq", "value": 1}]}]}, "argument index 6"),
        ({"base": "builtin", "deny": [{"name": "a", "args": [{"index": 0, "op": "equals", "value": 1}]}]}, "has the op 'equals'"),
        ({"base": "builtin", "deny": [{"name": "a", "args": [{"index": 0, "op": "eq", "value": "1"}]}]}, "not a number"),
        ({"base": "builtin", "deny": [{"name": "a", "args": [{"index": 0, "op": "lt", "value": 0}]}]}, "which no value fulfils"),
        (
            {"base": "builtin", "deny": [{"name": "a", "args": [{"index": 0, "op": "ge", "value": 1}, {"index": 0, "op": "le", "value": 9}]}]},
            "two conditions on the same argument",
        ),
        ({"base": "builtin", "deny": [{"name": "a", "architectures": ["x86-64"]}]}, "did you mean 'x86_64'"),
        ({"base": "builtin", "deny": [{"name": "a", "capabilities": ["SYS_ADMN"]}]}, "did you mean 'CAP_SYS_ADMIN'"),
        ({"base": "builtin", "allow": ["a"], "deny": ["a"]}, "names a in both allow and deny"),
    ],
)
def test_what_cannot_be_understood_is_named(given, words):
    found = " / ".join(str(problem) for problem in seccomp_choice.read(given)[1])
    assert (found == "") if words is None else words in found


@pytest.mark.parametrize(
    ("given", "expected"),
    [({"base": "builtin"}, True), ({"alow": []}, True), ({}, False), ({"defaultAction": "x"}, False), ({"syscalls": []}, False), ("builtin", False)],
)
def test_what_is_a_choice(given, expected):
    assert seccomp_choice.is_choice(given) is expected
