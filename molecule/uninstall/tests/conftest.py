# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import os
import pathlib

import pytest

STORIES = {"trixie": "fresh", "bookworm": "docker_before"}


@pytest.fixture
def told(host):
    """What the host's story has noted."""
    story = STORIES[host.ansible.get_variables()["inventory_hostname"]]
    return json.loads((pathlib.Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / f"uninstall-{story}.json").read_text(encoding="utf-8"))


@pytest.fixture
def fresh(host, told):
    """The story of the host that had nothing; other hosts are passed over."""
    if host.ansible.get_variables()["inventory_hostname"] != "trixie":
        pytest.skip("another host's story")
    return told


@pytest.fixture
def docker_before(host, told):
    """The story of the host that had Docker; other hosts are passed over."""
    if host.ansible.get_variables()["inventory_hostname"] != "bookworm":
        pytest.skip("another host's story")
    return told
