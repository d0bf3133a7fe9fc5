# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine import packages
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.packages import Known, Wanted

ENGINE = Wanted("docker.io")
OLD_AND_NEW = Known("26.1", "28.5", ("28.5", "26.1"), held=True)


def plan(*wanted, upgrade=False, hold=True, **known):
    return packages.plan(wanted, {name.replace("_", "."): found for name, found in known.items()}, upgrade, hold)


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
        (Wanted("docker.io", "20.*"), Known("28.5", "28.5", ("28.5", "20.10")), False, ("docker.io=20.10",)),
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
    result = plan(ENGINE, Wanted("docker-cli", optional=True))
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


@pytest.mark.parametrize("name", packages.FOREIGN)
def test_an_engine_of_another_source_is_refused_while_it_is_installed(name):
    def problems(known):
        return packages.plan([ENGINE], {name: known, "docker.io": OLD_AND_NEW}, upgrade=False).problems

    assert [problem.where for problem in problems(Known(installed="5:29.0"))] == [name]
    assert problems(Known(candidate="5:29.0")) == ()
