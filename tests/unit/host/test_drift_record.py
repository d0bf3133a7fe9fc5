# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift import manifest
from ansible_collections.bulkhead.docker.plugins.module_utils.drift.kinds import UNKNOWN
from ansible_collections.bulkhead.docker.plugins.module_utils.host import drift_items, drift_record, manifest_file

SECTIONS = {"docker_engine": {"inputs": "aa", "packages": ["runc", {"name": "python3-docker", "held": False}]}}


class Eyes:
    seen = {}

    def __init__(self, *_arguments):
        pass

    def observe(self, thing, recorded=None):
        return dict(self.seen[thing])


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host with two packages and a unit file, and its manifest."""
    path = str(tmp_path / "bulkhead" / "manifest.json")
    read, write, confirm = manifest_file.read, manifest_file.write, manifest_file.confirm
    monkeypatch.setattr(manifest_file, "read", lambda: read(path, "here"))
    monkeypatch.setattr(manifest_file, "write", lambda text: write(text, path))
    monkeypatch.setattr(manifest_file, "confirm", lambda: confirm(path))
    monkeypatch.setattr(manifest_file, "machine_id", lambda: "here")
    monkeypatch.setattr(drift_record.drift_look, "Eyes", Eyes)
    monkeypatch.setattr(drift_items.drift_look, "fragment_of", lambda unit: ("/u/docker.service", False))
    Eyes.seen = {
        "package:runc": {"type": "installed", "version": "1", "held": True, "_source": "dpkg"},
        "package:python3-docker": {"type": "installed", "version": "5", "held": False},
        "foreign_file:/u/docker.service": {
            "type": "regular file",
            "sha256": "s",
            "mode": "0644",
            "owner": "0:0",
            "_text": "SECRET",
            "_changed_at": 1.0,
        },
    }
    return lambda: read(path, "here")


def record(sections=None, now=0.0, version="0.1.0"):
    made = drift_record.make(SECTIONS if sections is None else sections, version, now)
    drift_record.write(made)
    return made


def test_what_is_recorded_and_what_is_only_seen(host):
    made = record()
    section = host().manifest.sections["docker_engine"]
    assert (made.changed, made.recorded, made.changed_sections) == (True, {"docker_engine": 3}, ("docker_engine",))
    assert (section.inputs, section.collection, section.at) == ("aa", "0.1.0", "1970-01-01T00:00:00Z")
    assert section.items["package:runc"] == {"type": "installed", "version": "1", "held": True}
    # Nobody asked for it to be held, so it is nobody's business.
    assert section.items["package:python3-docker"] == {"type": "installed", "version": "5"}
    assert section.items["foreign_file:/u/docker.service"] == {
        "type": "regular file",
        "sha256": "s",
        "mode": "0644",
        "owner": "0:0",
        "_text": "SECRET",
    }


def test_a_second_run_changes_nothing_but_the_time_of_the_file(host):
    record()
    text = host().text
    again = record(now=99.0)
    assert (again.changed, again.changed_sections, host().text) == (False, (), text)


def test_predicting_writes_nothing(host):
    assert drift_record.make(SECTIONS, "0.1.0").changed
    assert host().manifest is None


def test_the_difference_shows_no_texts_of_files(host):
    shown = drift_record.make(SECTIONS, "0.1.0").diff()
    assert "package:runc" in shown["after"] and "SECRET" not in json.dumps(shown)


def test_other_sections_stay(host):
    record()
    Eyes.seen.update({"ranges:u": {"uid": [], "gid": []}, "account:u": {"type": "present"}})
    made = record({"docker_userns": {"user": "u"}})
    assert made.changed_sections == ("docker_userns",) and set(host().manifest.sections) == {
        "docker_engine",
        "docker_userns",
    }


def test_what_cannot_be_seen_is_said(host):
    Eyes.seen["package:runc"] = {"type": UNKNOWN, "version": UNKNOWN, "held": UNKNOWN, "_why": "dpkg is gone"}
    assert record().unknown == ({"item": "package:runc", "role": "docker_engine", "reason": "dpkg is gone"},)


def test_a_damaged_manifest_is_written_anew_with_a_warning(host):
    manifest_file.write("{}")
    made = record()
    assert made.changed and "damaged" in made.warnings[0]
    assert host().manifest.sections


def test_a_slice_comes_and_goes(host):
    state = {"type": "loaded", "fragment": "/f", "enabled": "static", "active": "active", "drop_ins": []}
    assert drift_record._kept("unit:containers.slice", state, {}) == {
        "type": "loaded",
        "fragment": "/f",
        "drop_ins": [],
    }
    assert drift_record._kept("unit:docker.service", state, {}) == state


def test_a_mount_point_that_nobody_protects():
    assert drift_record._kept("mount_point:/m", {"immutable": False, "shadowed": []}, {"immutable": False}) == {
        "shadowed": []
    }


@pytest.mark.parametrize(
    "sections, why",
    [
        ({"docker_x": {}}, "nothing to record"),
        ({"docker_engine": "x"}, "dictionary"),
        ({"docker_storage": {"targets": [{}]}}, "cannot be used"),
    ],
)
def test_what_cannot_be_recorded(host, sections, why):
    with pytest.raises(drift_record.RecordError, match=why):
        drift_record.make(sections, "0.1.0")


def test_the_path_is_the_manifests():
    assert drift_record.Record.path == manifest.PATH


def test_what_a_role_will_put_back_is_not_predicted_to_be_recorded(host):
    record()
    Eyes.seen["package:runc"] = {**Eyes.seen["package:runc"], "held": False}
    assert not drift_record.make(SECTIONS, "0.1.0", predicting=True).changed
    assert drift_record.make(SECTIONS, "0.1.0").changed
    other = {"docker_engine": {**SECTIONS["docker_engine"], "inputs": "bb"}}
    assert drift_record.make(other, "0.1.0", predicting=True).changed
    accepting = {"docker_engine": {**SECTIONS["docker_engine"], "accept": ["package:*"]}}
    assert drift_record.make(accepting, "0.1.0", predicting=True).changed


def test_the_directory_of_the_manifest_is_recorded_as_writing_leaves_it():
    assert drift_record._kept("directory:/var/lib/bulkhead", {"type": "directory", "mode": "0777", "owner": "7:7"}, {}) == {
        "type": "directory",
        "mode": "0700",
        "owner": "0:0",
    }
