# SPDX-License-Identifier: Apache-2.0
"""Which flags of a unit clash with which keys: what dockerd names is what the model names."""

from __future__ import annotations

import re

from ansible_collections.bulkhead.docker.plugins.module_utils.engine import unit_flags
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.daemon_keys import KEYS
from cases import FLAGS, WITHOUT_CLASH

# Some of a section of proxies clash, and dockerd names the flag.
SECTIONS = {"http-proxy": "proxies"}


def named(words):
    """Return the keys that dockerd finds in both places."""
    clashes = words.partition("both as a flag and in the configuration file: ")[2]
    names = re.findall(r"(?:^|, )([a-z0-9-]+): \(from flag", clashes)
    return {SECTIONS.get(name, name) for name in names}


def test_every_key_is_asked_about():
    assert set(KEYS) == set(FLAGS) | set(WITHOUT_CLASH)


def test_the_model_names_the_clashes_that_dockerd_names(engine):
    given = engine.result["clashes"]["given"]
    config = {key: value for key, (value, _words) in given.items()}
    words = [word for _value, words in given.values() for word in words]
    found = unit_flags.problems(unit_flags.parse(words), config, "/etc/docker/daemon.json")
    assert len(given) >= 60
    assert {problem.where for problem in found} == named(engine.result["clashes"]["words"]) == set(given)


def test_what_was_left_out_is_what_the_engine_does_not_know(engine):
    given = set(engine.result["clashes"]["given"])
    unknown = {name for name in FLAGS if not KEYS[name].known_to(engine.version)}
    # Keys that have no effect any more, or are refused by name, and whose flag is still there.
    assert unknown & given <= {"allow-nondistributable-artifacts", "api-cors-header"}
    # A flag that came later than its key.
    assert set(FLAGS) - unknown - given <= {"features"}
