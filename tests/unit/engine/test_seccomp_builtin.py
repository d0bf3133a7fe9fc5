# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import seccomp, seccomp_builtin, seccomp_model
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import parse

# Of moby's own default.json at the release from which on it was so: the digest of its rules in the form that `digest`
# makes of them, the number of calls and of calls with conditions. All 145 releases up to 29.7.2 were compared.
MOBY = [
    ("20.10.0", "1b5b8c6d82f5d60b", 386, 395),
    ("20.10.4", "ba8f30f803639402", 395, 404),
    ("20.10.10", "29c4562a63f708ad", 396, 406),
    ("20.10.18", "a50375a002f1b47a", 404, 414),
    ("20.10.22", "164d5255155db695", 404, 414),
    ("20.10.23", "a50375a002f1b47a", 404, 414),
    ("20.10.24", "a50375a002f1b47a", 404, 414),
    ("20.10.26", "e669603064bc0997", 404, 414),
    ("23.0.0", "3f4067d6cca8ed9e", 410, 424),
    ("23.0.7", "7ad1914084d88acf", 410, 424),
    ("23.0.10", "1173a69edd6b98da", 417, 431),
    ("24.0.0", "3f4067d6cca8ed9e", 410, 424),
    ("24.0.9", "7ad1914084d88acf", 410, 424),
    ("25.0.0", "1c904298d6955f8b", 407, 421),
    ("25.0.3", "089cdc4daa8fb43e", 414, 428),
    ("26.1.5", "089cdc4daa8fb43e", 414, 428),
    ("28.1.1", "089cdc4daa8fb43e", 414, 428),
    ("28.5.2", "93eb2bba9e52efb5", 426, 440),
    ("29.4.1", "93eb2bba9e52efb5", 426, 440),
    ("29.4.2", "1ab00f661e315cb9", 426, 442),
    ("29.7.2", "3faa9bcbb435a604", 426, 442),
]


def cases(profile):
    return {
        json.dumps(
            [
                name,
                rule.action,
                rule.errno,
                sorted([arg.index, arg.op, arg.value, arg.value_two] for arg in rule.args),
                sorted(rule.caps),
                sorted(rule.arches),
                rule.kernel,
                sorted(rule.not_caps),
                sorted(rule.not_arches),
                rule.not_kernel,
            ]
        )
        for rule in profile.rules
        for name in rule.names
    }


def digest(profile):
    top = [profile.default_action, profile.default_errno, sorted([arch, sorted(subs)] for arch, subs in profile.arch_map)]
    text = json.dumps(top) + "\n" + "\n".join(sorted(cases(profile)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@pytest.mark.parametrize(("release", "expected", "names", "conditions"), MOBY)
def test_the_table_is_mobys(release, expected, names, conditions):
    profile = seccomp_builtin.builtin(parse(release))
    found = cases(profile)
    assert (len({json.loads(case)[0] for case in found}), len(found)) == (names, conditions)
    assert digest(profile) == expected


@pytest.mark.parametrize("release", [release for release, *_rest in MOBY])
def test_what_is_rendered_is_in_order_and_reads_back(release):
    profile = seccomp_builtin.builtin(parse(release))
    text = seccomp_model.render(profile)
    assert seccomp.problems(text) == []
    assert seccomp_model.parse(json.loads(text)) == profile


def test_every_boundary_changes_the_profile():
    for boundary in seccomp_builtin.boundaries():
        version = parse(boundary)
        before = version._replace(patch=version.patch - 1) if version.patch else version._replace(major=version.major - 1, minor=99)
        assert digest(seccomp_builtin.builtin(version)) != digest(seccomp_builtin.builtin(before)), boundary


def test_a_release_that_the_table_does_not_know_is_said_to_be_so():
    assert seccomp_builtin.warning(parse("29.7.2")) == ""
    assert "30.0.0 is newer than the tables" in seccomp_builtin.warning(parse("30.0.0"))
    assert seccomp_builtin.builtin(parse("30.0.0")) == seccomp_builtin.builtin(parse("29.7.2"))


def test_the_capabilities_that_open_calls():
    assert {"CAP_SYS_ADMIN", "CAP_BPF", "CAP_SYS_PTRACE"} < set(seccomp_builtin.capabilities())
