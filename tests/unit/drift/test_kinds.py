# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import string

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift import kinds, model
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.kinds import ABSENT, KINDS, UNKNOWN

FILE = {"type": "regular file", "sha256": "a", "mode": "0644", "owner": "0:0"}


def names(thing, wanted, seen):
    return [difference.name for difference in kinds.compare(thing, wanted, seen, "role", "then")]


@pytest.mark.parametrize("kind, field", [(kind, field) for kind, fields in KINDS.items() for field in fields])
def test_every_aspect_is_whole(kind, field):
    aspect = KINDS[kind][field]
    assert aspect.route in model.ROUTES
    assert aspect.blast in model.BLASTS
    assert bool(aspect.advice) == (aspect.route == model.PERSON)
    assert bool(aspect.gone) == bool(aspect.gone_says) and bool(aspect.came) == bool(aspect.came_says)
    for sentence in filter(None, (aspect.says, aspect.gone_says, aspect.came_says)):
        assert {name for _text, name, _format, _conversion in string.Formatter().parse(sentence) if name} <= {
            "name",
            "expected",
            "observed",
        }
        assert "{name}" in sentence


def test_a_thing_that_is_as_it_was_is_no_difference():
    assert names("file:/a", FILE, dict(FILE)) == []


@pytest.mark.parametrize(
    "thing, wanted, seen, expected",
    [
        ("file:/a", FILE, {**FILE, "sha256": "b"}, ["file-edited"]),
        ("file:/a", FILE, {**FILE, "mode": "0666", "owner": "1:1"}, ["file-mode", "file-owner"]),
        ("file:/a", FILE, {"type": ABSENT}, ["file-missing"]),
        ("file:/a", FILE, {"type": "symbolic link", "mode": "0777", "owner": "0:0"}, ["file-replaced"]),
        ("foreign_file:/a", {"type": ABSENT}, FILE, ["foreign-file-appeared"]),
        ("foreign_file:/a", FILE, {**FILE, "sha256": "b"}, ["foreign-file-edited"]),
        (
            "directory:/a",
            {"type": "directory", "on": "/", "mode": "0710"},
            {"type": "directory", "on": "/a", "mode": "1777"},
            ["directory-covered"],
        ),
        (
            "unit:a.service",
            {"type": "loaded", "enabled": "enabled"},
            {"type": "masked", "enabled": "masked"},
            ["unit-masked"],
        ),
        (
            "unit:a.service",
            {"type": "loaded", "enabled": "enabled", "active": "active"},
            {"type": "loaded", "enabled": "disabled", "active": "inactive"},
            ["unit-enablement", "unit-not-running"],
        ),
        ("unit:a.service", {"drop_ins": []}, {"drop_ins": ["/x"]}, ["unit-drop-ins"]),
        (
            "package:a",
            {"type": "installed", "version": "1", "held": True},
            {"type": "installed", "version": "2", "held": False},
            ["package-changed", "hold-removed"],
        ),
        ("package:a", {"type": "installed", "version": "1"}, {"type": ABSENT}, ["package-removed"]),
        ("package:a", {"type": ABSENT}, {"type": "installed", "version": "1"}, ["package-installed"]),
        ("mount:/m", {"type": "mounted", "hidden": False, "uuid": "1"}, {"type": ABSENT}, ["mount-lost"]),
        (
            "mount:/m",
            {"type": "mounted", "hidden": False, "uuid": "1"},
            {"type": "mounted", "hidden": True, "uuid": "2"},
            ["mount-hidden"],
        ),
        (
            "mount:/m",
            {"type": "mounted", "uuid": "1", "options": ["rw"]},
            {"type": "mounted", "uuid": "2", "options": ["ro"]},
            ["mount-replaced", "mount-options"],
        ),
        (
            "mount_point:/m",
            {"immutable": True, "shadowed": []},
            {"immutable": False, "shadowed": ["x"]},
            ["mount-point-unprotected", "data-shadowed"],
        ),
        ("ranges:u", {"uid": ["1:2"], "gid": ["1:2"]}, {"uid": [], "gid": ["1:2"]}, ["uid-ranges-changed"]),
        ("apparmor:p", {"mode": "enforce"}, {"mode": ABSENT}, ["profile-unloaded"]),
        ("apparmor:p", {"mode": "enforce"}, {"mode": "complain"}, ["profile-mode"]),
        ("firewall:iptables", {"missing": []}, {"missing": ["nat chain DOCKER"]}, ["firewall-rules-missing"]),
        (
            "timer:a.timer",
            {"type": "loaded", "enabled": "enabled"},
            {"type": "loaded", "enabled": "disabled"},
            ["timer-disabled"],
        ),
        ("sysctl:a", {"value": "1"}, {"value": ABSENT}, ["sysctl-changed"]),
        ("something:new", {"type": "a"}, {"type": "b"}, []),
    ],
)
def test_differences_by_name(thing, wanted, seen, expected):
    assert names(thing, wanted, seen) == expected


@pytest.mark.parametrize(
    "wanted, seen", [({"missing": []}, {"missing": UNKNOWN}), ({"missing": UNKNOWN}, {"missing": ["x"]})]
)
def test_what_is_not_known_is_compared_with_nothing(wanted, seen):
    assert names("firewall:iptables", wanted, seen) == []


def test_what_was_recorded_and_cannot_be_seen_is_named():
    assert kinds.not_seen(
        "mount_point:/m", {"immutable": True, "shadowed": []}, {"immutable": UNKNOWN, "shadowed": []}
    ) == ["immutable"]
    assert kinds.not_seen("mount_point:/m", {"immutable": UNKNOWN}, {"immutable": UNKNOWN}) == []


def test_a_difference_says_where_and_since_when_of_each_field():
    seen = {
        "uid": ["3:4"],
        "gid": ["3:4"],
        "_source_uid": "/etc/subuid",
        "_changed_at_uid": 5.0,
        "_source": "elsewhere",
        "_changed_at": 1.0,
    }
    first, second = kinds.compare("ranges:u", {"uid": ["1:2"], "gid": ["1:2"]}, seen, "docker_userns", "then")
    assert (first.source, first.changed_at, first.role, first.last_good) == (
        "/etc/subuid",
        5.0,
        "docker_userns",
        "then",
    )
    assert (second.source, second.changed_at) == ("elsewhere", 1.0)


@pytest.mark.parametrize(
    "value, text",
    [
        ([], "none"),
        (["a", "b"], "a, b"),
        (True, "yes"),
        (None, "nothing"),
        ("a\nb\tc", "a b c"),
        (list("abcdefgh"), "a, b, c, d, e, f, and 2 more"),
        ("x" * 400, "x" * 300 + " …"),
        (3, "3"),
    ],
)
def test_sentences_are_one_line_and_end(value, text):
    assert kinds.shown(value) == text


def test_names_that_are_no_text_can_be_told():
    assert model.readable({"a": ["\udc80<b>", ("é", 1)], "\udcff": None}) == {"a": ["\\x80<b>", ["é", 1]], "\\xff": None}
