# SPDX-License-Identifier: Apache-2.0
"""Drift on a machine that booted meanwhile: none of itself, and what somebody did is found and mended."""

from __future__ import annotations

import json

import pytest

CONFIG = "/etc/docker/daemon.json"


@pytest.fixture
def look(ansible, tmp_path):
    def run(**variables):
        status, said = ansible.play("bulkhead.docker.drift", docker_drift_directory=str(tmp_path), docker_drift_formats=["json"], **variables)
        assert status == 0, said
        return json.loads((tmp_path / "drift.json").read_text(encoding="utf-8"))["hosts"][0]

    return run


def test_a_boot_is_no_drift(look, machine):
    found = look()
    assert found["verdict"] == "clean", found["differences"]


def test_what_somebody_did_is_found_and_mended_around_a_running_container(look, host, docker):
    name = docker.start("bystander")
    pid = docker.pid(name)
    host.check_output("""python3 -c 'import json; c = json.load(open("%s")); c["icc"] = True; open("%s", "w").write(json.dumps(c))'""" % (CONFIG, CONFIG))
    found = look(docker_drift_mend="all")
    assert [difference["item"] for difference in found["differences"]] == [f"file:{CONFIG}"]
    assert [difference["standing"] for difference in found["differences"]] == ["mended"]
    assert json.loads(host.file(CONFIG).content_string)["icc"] is False
    docker.wait_until_serving()
    assert docker.pid(name) == pid
