# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import packages
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.packages import Known, Policy, Wanted

ENGINE = Wanted("docker.io")
OLD_AND_NEW = Known("26.1", "28.5", ("28.5", "26.1"), held=True)


CE = (Wanted("docker-ce", "28.5"), Wanted("docker-ce-cli", with_engine=True), Wanted("containerd.io"))
NEW, OLD = "5:28.5.2-1~debian.13~trixie", "5:26.1.5-1~debian.13~trixie"


def plan(*wanted, known=None, upgrade=False, hold=True, downgrade=False, replace=False, strict=True, **named):
    known = known or {name.replace("_", "."): found for name, found in named.items()}
    return packages.plan(wanted, known, Policy(upgrade, downgrade, replace, hold, strict))


@pytest.mark.parametrize(
    ("wanted", "known", "upgrade", "install"),
    [
        (ENGINE, Known(candidate="28.5"), False, ("docker.io=28.5",)),
        (ENGINE, OLD_AND_NEW, False, ()),
        (ENGINE, OLD_AND_NEW, True, ("docker.io=28.5",)),
        (ENGINE, Known("28.5"), True, ()),
        (Wanted("docker.io", "*"), Known(candidate="28.5"), False, ("docker.io=28.5",)),
        (Wanted("docker.io", "26.1"), OLD_AND_NEW, True, ()),
        (Wanted("docker.io", "26.*"), OLD_AND_NEW, True, ()),
        (Wanted("docker.io", "28.*"), OLD_AND_NEW, False, ("docker.io=28.5",)),
        (Wanted("docker.io", "26.1.5"), Known("", NEW, (NEW, OLD)), False, (f"docker.io={OLD}",)),
        (Wanted("docker.io", "28.5"), Known("", NEW, (NEW, OLD)), False, (f"docker.io={NEW}",)),
        (Wanted("docker.io", "2*"), Known("", "28.5", ("29.1", "28.5")), False, ("docker.io=28.5",)),
    ],
)
def test_what_is_installed(wanted, known, upgrade, install):
    result = plan(wanted, upgrade=upgrade, docker_io=known)
    assert (result.install, result.problems) == (install, ())
    assert len(result.changes) == len(install)


def test_a_change_is_told_in_words():
    assert plan(ENGINE, docker_io=Known(candidate="28.5")).changes == ("docker.io not installed -> 28.5",)
    assert plan(ENGINE, upgrade=True, docker_io=OLD_AND_NEW).changes == ("docker.io 26.1 -> 28.5",)


@pytest.mark.parametrize(("known", "offered"), [(OLD_AND_NEW, "28.5, 26.1;"), (Known("26.1"), "nothing;")])
def test_a_version_that_nobody_offers_is_refused(known, offered):
    (problem,) = plan(Wanted("docker.io", "30.*"), docker_io=known).problems
    assert "version 30.* is asked for" in str(problem)
    assert f"offer {offered}" in str(problem)


def test_an_unknown_package_may_become_known_and_an_optional_one_may_lack():
    result = plan(ENGINE, Wanted("docker-cli", optional=True), strict=False)
    assert (result.unknown, result.install, result.hold, result.problems) == (("docker.io",), (), (), ())


@pytest.mark.parametrize(
    ("wanted", "held", "hold", "expected"),
    [
        (ENGINE, False, True, ("docker.io",)),
        (ENGINE, True, True, ()),
        (ENGINE, False, False, ()),
        (Wanted("docker.io", held=False), False, True, ()),
    ],
)
def test_what_is_held(wanted, held, hold, expected):
    assert plan(wanted, hold=hold, docker_io=Known("28.5", "28.5", held=held)).hold == expected


def test_what_moves_is_held_again_because_apt_releases_it():
    result = plan(Wanted("docker.io", "28.5"), Wanted("runc"), docker_io=Known("26.1", "28.5", held=True), runc=Known("1.2", "1.2", held=True))
    assert (result.install, result.hold) == (("docker.io=28.5",), ("docker.io",))


def test_what_nobody_offers_is_refused_once_the_lists_are_new():
    (problem,) = plan(ENGINE).problems
    assert "offered by none" in str(problem)
    assert plan(Wanted("docker.io", "30.*"), docker_io=OLD_AND_NEW, strict=False).unknown == ("docker.io",)


def test_a_downgrade_has_to_be_asked_for():
    known = {"docker.io": Known("28.5", "28.5", ("28.5", "20.10"))}
    (problem,) = plan(Wanted("docker.io", "20.*"), known=known).problems
    assert "docker_engine_downgrade" in str(problem)
    asked = plan(Wanted("docker.io", "20.*"), known=known, downgrade=True)
    assert (asked.install, asked.back, asked.moves_engine) == (("docker.io=20.10",), ("docker.io=28.5",), True)


@pytest.mark.parametrize("name", ["docker-ce", "docker-ce-cli", "containerd.io", "docker-ee", "docker-engine", "podman-docker", "moby-engine"])
def test_an_engine_of_another_source_is_refused_while_it_is_installed(name):
    def problems(known):
        return plan(ENGINE, Wanted("docker-cli", optional=True), Wanted("containerd"), known={
            name: known, "docker.io": OLD_AND_NEW, "containerd": Known("1", "1")}).problems

    assert [problem.where for problem in problems(Known(installed="5:29.0"))] == [name]
    assert problems(Known(candidate="5:29.0")) == ()


def test_a_source_is_replaced_only_when_asked():
    known = {"docker-ce": Known("", NEW, (NEW, OLD)), "docker-ce-cli": Known("", NEW, (NEW, OLD)), "containerd.io": Known("", "2.1.9-1"),
             "docker.io": Known("26.1.5+dfsg1-9"), "docker-cli": Known("26.1.5+dfsg1-9"), "runc": Known("1.1")}  # fmt: skip
    assert len(plan(*CE, known=known).problems) == 3
    asked = plan(*CE, known=known, replace=True)
    assert asked.problems == ()
    assert asked.remove == ("docker.io", "docker-cli", "runc")
    assert asked.back == ("docker.io=26.1.5+dfsg1-9", "docker-cli=26.1.5+dfsg1-9", "runc=1.1")
    assert (asked.engine_before, asked.engine_after, asked.moves_engine) == ("26.1.5+dfsg1-9", NEW, True)


def test_the_cli_follows_the_engine():
    known = {"docker-ce": Known(OLD, NEW, (NEW, OLD)), "containerd.io": Known("1.7", "2.1")}
    known["docker-ce-cli"] = Known(OLD, "5:29.0.0-1", ("5:29.0.0-1", NEW, OLD))
    assert plan(*CE, known=known).install == (f"docker-ce={NEW}", f"docker-ce-cli={NEW}")
    known["docker-ce-cli"] = Known(OLD, "5:29.0.0-1", ("5:29.0.0-1", OLD))
    (problem,) = plan(*CE, known=known).problems
    assert "must have the version of the engine" in str(problem)


def test_what_apt_would_remove_beyond_the_plan_is_refused():
    made = plan(*CE, known={"docker-ce": Known("", NEW), "docker.io": Known("26.1")}, replace=True, strict=False)
    assert [problem.where for problem in packages.judge_simulation(made, {"docker.io": "26.1", "docker-compose": "1.29"})] == ["docker-compose"]


def test_an_older_engine_of_another_source_is_a_downgrade_too():
    known = {"docker-ce": Known(installed=NEW), "docker.io": Known("", "26.1.5+dfsg1-9")}
    (problem,) = plan(ENGINE, known=known, replace=True).problems
    assert "docker_engine_downgrade" in str(problem)
    assert plan(ENGINE, known=known, replace=True, downgrade=True).problems == ()
