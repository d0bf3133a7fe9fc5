# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift import manifest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.manifest import Manifest, ManifestError, Section

ONE = Section("hash", "0.1.0", "2026-01-01T00:00:00Z", {"file:/a": {"type": "regular file", "_text": "ä\n"}})
WHOLE = Manifest("machine", {"docker_daemon": ONE})


def test_what_is_written_is_read():
    assert manifest.parse(manifest.render(WHOLE)) == WHOLE


@pytest.mark.parametrize(
    "text, why",
    [
        ("", "damaged"),
        ("[]", "damaged"),
        ("null", "damaged"),
        ("{}", "damaged"),
        ("[" * 100000, "damaged"),
        (manifest.render(WHOLE)[:-20], "damaged"),
        (manifest.render(WHOLE).replace("regular", "singular"), "edited"),
        (manifest.render(WHOLE).replace('"schema": 1', '"schema": 2'), "newer"),
        (manifest.render(WHOLE).replace('"schema": 1', '"schema": true'), "damaged"),
    ],
)
def test_what_cannot_be_used_is_said(text, why):
    with pytest.raises(ManifestError, match=why):
        manifest.parse(text)


def test_the_seal_is_of_the_content_not_of_its_form():
    assert manifest.parse(json.dumps(json.loads(manifest.render(WHOLE)))) == WHOLE


def test_recording_one_role_leaves_the_others():
    other = Section("x", "0.1.0", "2026-02-02T00:00:00Z", {})
    after = manifest.recorded(WHOLE, "machine", {"docker_engine": other})
    assert after.sections == {"docker_daemon": ONE, "docker_engine": other}


def test_a_section_that_says_the_same_keeps_its_time():
    again = Section(ONE.inputs, ONE.collection, "2026-03-03T00:00:00Z", dict(ONE.items))
    assert manifest.recorded(WHOLE, "machine", {"docker_daemon": again}) == WHOLE


def test_of_another_machine_nothing_is_kept():
    assert manifest.recorded(WHOLE, "other", {}) == Manifest("other", {})
