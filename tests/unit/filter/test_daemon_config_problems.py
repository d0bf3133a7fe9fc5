# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.bulkhead.docker.plugins.filter.daemon_config_problems import (
    FilterModule,
    daemon_config_problems,
)


def test_a_dictionary():
    assert daemon_config_problems({"icc": False}) == []
    assert daemon_config_problems({"ICC": False}, version="28.5.2") == [
        "ICC: is unknown: keys are written in lower case; write icc."
    ]


def test_a_text():
    assert daemon_config_problems(json.dumps({"icc": False})) == []
    assert daemon_config_problems('{"icc": true, "icc": false}') == [
        "daemon.json: line 1 holds the key 'icc' a second time; keep one of the two."
    ]


@pytest.mark.parametrize(("version", "count"), [("28.5.2", 1), ("29.7", 0), (None, 0)])
def test_the_version_decides(version, count):
    assert len(daemon_config_problems({"default-stop-timeout": 5}, version=version)) == count


def test_swarm():
    assert daemon_config_problems({"live-restore": True}, swarm=True)


@pytest.mark.parametrize("value", [None, 5, ["icc"], {"icc": object()}])
def test_wrong_types(value):
    with pytest.raises(AnsibleFilterError, match="daemon_config_problems: "):
        daemon_config_problems(value)


def test_a_wrong_version():
    with pytest.raises(AnsibleFilterError, match="not a version"):
        daemon_config_problems({}, version="latest")


def test_registered():
    assert FilterModule().filters() == {"daemon_config_problems": daemon_config_problems}
