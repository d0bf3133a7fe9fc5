# SPDX-License-Identifier: Apache-2.0
"""What cannot be moved was refused in one sentence, with everything running on."""

from __future__ import annotations

import json

import pytest

WORDS = {
    "data in the way without leave": "docker_storage_existing_data",
    "a container that would be gone": "container cased: was started with --rm",
    "a resting container that would be gone": "container cased: was made with --rm and rests",
    "something mounted in a volume": "volumes/mounted/_data: has something mounted on it",
    "a volume behind a link": "volumes/linked/_data: is a symbolic link to /var/lib/docker/volumes/odd/_data",
    "too little room": "has room for",
    "a node of a swarm": "swarm",
    "a daemon that is silent": "start docker.service first",
    "ids outside the range": "volumes/odd/_data/foreign (70000:0)",
    "a privileged container": "container cased: uses privileged mode",
    "a directory of the old root in a container": "container cased: mounts /var/lib/docker/volumes/odd/_data",
}


@pytest.fixture(scope="module")
def said(host):
    return json.loads(host.file("/root/lab/refusals.json").content_string)


def test_each_case_is_refused_by_its_own_sentence(said):
    assert set(said) <= set(WORDS)
    assert {case: text for case, text in said.items() if WORDS[case] not in text} == {}


def test_nothing_was_written(said):
    assert all("nothing was written" in text for text in said.values())


def test_a_container_that_cannot_be_stopped_ends_the_move_with_everything_as_it_was(host, name):
    if name != "trixie":
        pytest.skip("tried on trixie")
    text = host.file("/root/lab/unstoppable").content_string
    assert "leaning" in text
    assert "Docker serves from /var/lib/docker as before" in text
    assert set(host.file("/root/lab/unstoppable.running").content_string.split()) >= {"serving", "leaning"}
    assert host.file("/root/lab/unstoppable.root").content_string.strip() == "/var/lib/docker"
