# SPDX-License-Identifier: Apache-2.0
"""The machine boots again in good order: filesystems, guards, engine, containers; and it is as it was left."""

from __future__ import annotations

import pytest
from lab_docker import Docker, mounted


@pytest.fixture(scope="module")
def booted(host, machine):
    """An engine with a container that is to come back, after the boot."""
    engine = Docker(host, "boot")
    engine.wait_until_serving()
    volume = engine.volume("kept")
    name = engine.start("back", "--restart", "always", "--volume", f"{volume}:/data")
    engine.call("exec", name, "sh", "-c", "echo kept > /data/file; echo kept > /file")
    machine.reboot()
    engine.wait_until_serving()
    yield engine
    engine.close()


def test_the_filesystems_are_back(booted, host, root):
    assert mounted(host, f"{root}/overlay2") and mounted(host, f"{root}/volumes")
    assert host.check_output("systemctl --failed --no-legend --plain") == ""


def test_the_guard_let_the_engine_start(booted, host):
    shown = host.check_output("systemctl show --property ExecStartPre docker.service")
    assert "mount-guard" in shown and "status=0" in shown


def test_the_container_is_back_with_its_data(booted):
    assert booted.call("exec", "boot-back", "cat", "/data/file", "/file").split() == ["kept", "kept"]
