# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What profiles of somebody's own open."""

from __future__ import annotations

import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import seccomp_builtin, seccomp_model, versions
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_openers import OPENERS
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import seccomp
from hypothesis import given, settings
from hypothesis import strategies as st


def profile(*rules: dict, default: str = "SCMP_ACT_ERRNO") -> dict:
    return {"defaultAction": default, "syscalls": list(rules)}


def rule(*names: str, action: str = "SCMP_ACT_ALLOW", **more: object) -> dict:
    return {"names": list(names), "action": action, **more}


@pytest.mark.parametrize("version", [versions.NEWEST_KNOWN, versions.OLDEST_KNOWN])
def test_the_engines_own_profile_opens_nothing(version):
    text = seccomp_model.render(seccomp_builtin.builtin(version))
    # 20.10 opened io_uring and the like, which later releases closed.
    expected = () if version == versions.NEWEST_KNOWN else ("io_uring_enter", "io_uring_setup")
    assert seccomp.opened(text) == expected


def test_calls_that_all_may_make_are_opened():
    assert seccomp.opened(profile(rule("read", "bpf", "mount"))) == ("bpf", "mount")
    assert seccomp.opened(profile({"name": "bpf", "action": "SCMP_ACT_LOG"})) == ("bpf",)


def test_conditions_close_what_they_do_not_hold_for():
    capable = rule("mount", includes={"caps": ["CAP_SYS_ADMIN"]})
    some = rule("unshare", args=[{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}])
    assert seccomp.opened(profile(capable, some)) == ()


@pytest.mark.parametrize("given_profile", [{}, profile(default="SCMP_ACT_ALLOW"), profile(default="SCMP_ACT_LOG"), {"syscalls": []}])
def test_a_profile_without_a_refusing_default_opens_all(given_profile):
    assert set(seccomp.opened(given_profile)) == set(OPENERS)


def test_what_such_a_profile_refuses_is_closed():
    closing = profile(
        rule("mount", "bpf", action="SCMP_ACT_ERRNO"), rule("unshare", action="SCMP_ACT_ERRNO", includes={"caps": ["CAP_SYS_ADMIN"]}), default="SCMP_ACT_ALLOW"
    )
    opened = seccomp.opened(closing)
    assert not {"mount", "bpf"} & set(opened)
    assert "unshare" in opened


@pytest.mark.parametrize(
    "broken", ["", "{", "[]", "7", '{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": {"a": 1}}', '{"syscalls": [7]}', "[" * 100_000, '{"defaultAction": 7}']
)
def test_what_is_no_profile_says_so(broken):
    for _time in range(2):
        with pytest.raises(seccomp.Unreadable):
            seccomp.opened(broken)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["defaultAction", "syscalls", "names", "name", "action", "includes", "caps", "args"]), inner, max_size=4)
    ),
    max_leaves=15,
)


@settings(deadline=None)
@given(ANY)
def test_no_profile_is_too_odd(value):
    for form in (value, json.dumps(value)):
        try:
            found = seccomp.opened(form)
        except seccomp.Unreadable:
            continue
        assert set(found) <= set(OPENERS)
