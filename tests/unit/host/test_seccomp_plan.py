# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import struct
import types

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import (
    seccomp_builtin,
    seccomp_elf,
    seccomp_model,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_changes import Merged
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_state import Files, State
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_lint import Calls
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.seccomp_model import Machine
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.versions import parse
from ansible_collections.bulkhead.docker.plugins.module_utils.host import seccomp_plan
from ansible_collections.bulkhead.docker.plugins.module_utils.host.docker_api import ApiError
from ansible_collections.bulkhead.docker.plugins.module_utils.host.seccomp_host import Run

OWN = "/etc/docker/seccomp-bulkhead.json"
VERSION = parse("28.5.2")
CHOICE = {"base": "builtin", "deny": ["chmod"]}
EBADF, EPERM = -9, -1
BUILTIN_TEXT = seccomp_model.render(seccomp_builtin.builtin(VERSION))


class FakeSeccomp:
    """A host with two calls that counts its probes and lets a test say what containers answer."""

    def __init__(self):
        self.runs = 0
        self.known = Calls({"chmod": 90, "read": 0}, frozenset({"chmod", "read"}))
        self.texts = {}
        self.machine_name = "x86_64"
        self.filtered = lambda: printed(EPERM, EBADF)
        self.free = lambda: printed(EBADF, EBADF)

    def machine(self):
        return Machine(self.machine_name, "6.1.0")

    def calls(self, names):
        if self.known is None:
            return None, "libseccomp.so.2 cannot be loaded"
        return Calls({name: self.known.numbers.get(name, -1000) for name in names}, self.known.names), ""

    def text(self, path):
        return self.texts.get(path)

    def run(self, api, program):
        self.runs += 1
        return self.filtered(), self.free()


def printed(*answers, status="Seccomp:\t2\nNoNewPrivs:\t0\n", failure=""):
    return Run(status.encode() + seccomp_elf.MARK + struct.pack(f"<{len(answers)}q", *answers), failure)


@pytest.fixture
def host():
    return types.SimpleNamespace(
        seccomp=FakeSeccomp(),
        seccomp_file=OWN,
        api=lambda: None,
        engine_version=lambda: "28.5.2+dfsg3",
        coming_version=lambda: None,
    )


def plan(host, wanted=None, good=None, before=None, found=None, **config):
    wanted = CHOICE if wanted is None else wanted
    text = seccomp_plan.choose(host, wanted, VERSION, False).text if wanted != "builtin" else None
    after = {**config, **({"seccomp-profile": OWN} if text else {})}
    return types.SimpleNamespace(
        before=before or {},
        found=Files(json.dumps(before or {}), found),
        wanted=Files(json.dumps(after), text),
        merged=Merged(after, (), ()),
        state=State(good=good),
        version=VERSION,
        unit=types.SimpleNamespace(flags={}),
    )


def prove(host, the_plan):
    warnings = []
    return seccomp_plan.prove(host, the_plan, warnings), warnings


def test_the_engines_own_profile_asks_the_host_nothing():
    assert seccomp_plan.choose(None, "builtin", VERSION, False) == ("builtin", (), ())


@pytest.mark.parametrize("form", [lambda value: value, json.dumps])
def test_a_choice_is_rendered(host, form):
    chosen = seccomp_plan.choose(host, form(CHOICE), VERSION, False)
    assert (chosen.problems, chosen.warnings) == ((), ())
    assert chosen.text == BUILTIN_TEXT.replace('        "chmod",\n', "")


@pytest.mark.parametrize("form", [json.loads, lambda text: text])
def test_a_profile_stays_as_it_is(host, form):
    chosen = seccomp_plan.choose(host, form(BUILTIN_TEXT), VERSION, False)
    assert json.loads(chosen.text) == json.loads(BUILTIN_TEXT)
    assert chosen.problems == ()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{}", "would switch seccomp off"),
        ({}, "would switch seccomp off"),
        ("nonsense", "is not JSON"),
        ({"base": "builtin", "dney": []}, "did you mean 'deny'"),
    ],
)
def test_what_cannot_be_used_is_refused(host, given, words):
    assert words in str(seccomp_plan.choose(host, given, VERSION, False).problems[0])
    assert words in str(seccomp_plan.problems(host, given)[0])


def test_without_libseccomp_that_is_said_unless_it_may_still_come(host):
    host.seccomp.known = None
    assert "is not known: libseccomp.so.2 cannot be loaded" in seccomp_plan.choose(host, CHOICE, VERSION, False).warnings[0]
    assert seccomp_plan.choose(host, CHOICE, VERSION, True).warnings == ()


def test_an_engine_that_the_table_does_not_know_is_said_to_be_so(host):
    assert "newer than the tables" in seccomp_plan.choose(host, CHOICE, parse("30.0"), False).warnings[0]


def test_a_profile_that_does_what_it_says(host):
    assert prove(host, plan(host)) == ([], [])
    assert host.seccomp.runs == 1


def test_what_was_proved_is_not_proved_again(host):
    proved = plan(host).wanted
    assert prove(host, plan(host, good=proved)) == ([], [])
    assert prove(host, plan(host, wanted="builtin")) == ([], [])
    assert host.seccomp.runs == 0


def test_what_was_written_earlier_and_not_proved_is_proved_now(host):
    later = plan(host, good=Files("{}", None), before={"seccomp-profile": OWN}, found=plan(host).wanted.seccomp)
    assert prove(host, later) == ([], [])
    assert host.seccomp.runs == 1


@pytest.mark.parametrize(
    ("filtered", "words"),
    [
        (printed(EBADF, EBADF), "closes chmod, but a container is let through"),
        (printed(EPERM, EPERM), "opens read, but a container is refused"),
        (printed(EPERM), "a program ends when it calls read"),
        (printed(EPERM, EBADF, status="Seccomp:\t0\n"), "no filter is in force"),
        (Run(b"", ""), "cannot even start and print"),
        (Run(b"", "OCI runtime create failed"), "no container starts, while one without it does (OCI runtime create failed)"),
    ],
)
def test_a_profile_that_does_not(host, filtered, words):
    host.seccomp.filtered = lambda: filtered
    odd, warnings = prove(host, plan(host))
    assert words in odd[0]
    assert warnings == []


def test_no_new_privileges_has_to_reach_containers(host):
    assert "although no-new-privileges is set" in prove(host, plan(host, **{"no-new-privileges": True}))[0][0]


@pytest.mark.parametrize("free", [Run(b"", "cannot start"), Run(b"", ""), printed(EBADF)])
def test_what_fails_without_a_filter_too_says_nothing_about_the_profile(host, free):
    host.seccomp.free = lambda: free
    odd, warnings = prove(host, plan(host))
    assert odd == []
    assert "could not be tried out" in warnings[0]


def test_an_engine_that_makes_no_container_is_a_warning(host):
    def refuse():
        raise ApiError("the plugin denies it")

    host.seccomp.filtered = refuse
    odd, warnings = prove(host, plan(host))
    assert odd == []
    assert "could not be tried out: the plugin denies it" in warnings[0]


def test_a_machine_without_a_program_is_a_warning(host):
    host.seccomp.machine_name = "s390x"
    assert "knows no programs for s390x" in prove(host, plan(host))[1][0]


def test_changes_in_words(host):
    host.seccomp.texts["/etc/docker/theirs.json"] = BUILTIN_TEXT
    assert str(seccomp_plan.changes(host, plan(host))) == "closed: chmod"
    assert str(seccomp_plan.changes(host, plan(host, before={"seccomp-profile": "/etc/docker/theirs.json"}))) == "closed: chmod"
    assert str(seccomp_plan.changes(host, plan(host, before={"seccomp-profile": "/gone.json"}))) == ""
    free = seccomp_plan.changes(host, plan(host, before={"seccomp-profile": "unconfined"}))
    assert {"chmod", "keyctl"} < set(free.closed)
