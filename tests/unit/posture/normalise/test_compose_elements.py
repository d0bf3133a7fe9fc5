# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ansible_collections.bulkhead.docker.plugins.module_utils.posture import model, vocabulary
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.compose import project
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.model import Unknown
from ansible_collections.bulkhead.docker.plugins.module_utils.posture.normalise import compose_elements


def subjects(text):
    loaded = project.load([project.Source("c.yml", text)], project.NoFiles(), project.Options(current="/srv/shop", env_files=()))
    return {(subject.kind, subject.name): subject for subject in compose_elements.subjects(loaded)}


def test_all_facts_with_their_lines():
    found = subjects(
        "services:\n  web: {networks: [n], volumes: ['vol:/v']}\n  db: {volumes: ['vol:/v', 'other:/o']}\n"
        "networks:\n  n:\n    internal: true\n    driver_opts:\n      a: b\n"
        "volumes:\n  vol:\n    driver_opts: {type: none, o: 'bind,ro', device: ./data}\n    labels: [a=b]\n"
    )
    network, volume = found[model.NETWORK, "n"], found[model.VOLUME, "vol"]
    assert set(network.facts) == set(vocabulary.NETWORK)
    assert set(volume.facts) == set(vocabulary.VOLUME)
    assert (network.value("driver"), network.value("internal"), network.value("containers")) == ("bridge", True, ("web",))
    assert network.fact("driver")[1:] == ("networks.n", "c.yml", 7)
    assert (volume.value("device"), volume.value("options"), volume.value("users")) == ("/srv/shop/data", ("bind", "ro"), ("web", "db"))
    assert (volume.file, volume.line, volume.identity) == ("c.yml", 10, {"labels": {"a": "b"}})


def test_what_is_not_defined_here_is_left_out():
    text = "services: {web: {}}\nnetworks: {a: , b: {external: true}, c: {external: {name: x}}, d: {driver: host}}\nvolumes: {a: , b: {external: 'true'}}\n"
    assert list(subjects(text)) == []


def test_what_depends_on_a_variable_is_unknown():
    found = subjects("services: {web: {}}\nnetworks: {n: {driver: '$D'}}\nvolumes: {v: {driver_opts: {device: '$D'}}}\n")
    for subject, key in ((found[model.NETWORK, "n"], "driver"), (found[model.VOLUME, "v"], "device")):
        assert isinstance(subject.facts[key], Unknown)
        assert subject.facts[key].reason == "depends on ${D}, which is not set"
