# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
import socket
import subprocess

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import daemon_addresses, daemon_facts


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    monkeypatch.setattr(daemon_addresses, "problems", lambda _config, _predicting: [])


def problems(config):
    return daemon_facts.problems(config, None, predicting=True, own_seccomp="/own")


@pytest.mark.parametrize("state, managed, told", [("failed", False, True), ("failed", True, False), ("activating", False, False), ("", False, False)])
def test_a_containerd_that_has_failed_is_told_unless_dockerd_runs_its_own(tmp_path, monkeypatch, tools, state, managed, told):
    pid = tmp_path / "containerd.pid"
    if managed:
        pid.write_text("7", encoding="ascii")
    monkeypatch.setattr(daemon_facts, "_MANAGED_CONTAINERD", str(pid))
    tools.answer("systemctl show --property ActiveState", f"ActiveState={state}\n")
    assert ["containerd.service: has failed" in str(found) for found in daemon_facts.containerd_problems()] == [True] * told


def plugin_socket(tmp_path, monkeypatch):
    monkeypatch.setattr(daemon_facts, "_PLUGIN_SOCKETS", (str(tmp_path),))
    return str(tmp_path / "judge.sock")


def test_a_plugin_that_answers(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(plugin_socket(tmp_path, monkeypatch))
        listener.listen()
        assert problems({"authorization-plugins": ["judge"]}) == []


def test_a_plugin_that_nobody_serves(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(plugin_socket(tmp_path, monkeypatch))
    found = problems({"authorization-plugins": ["judge"]})
    assert "nobody answers on its socket" in str(found[0])


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A key and a certificate for it, and the key of somebody else."""
    tool = shutil.which("openssl")
    if tool is None:
        pytest.skip("openssl makes the certificates")
    place = tmp_path_factory.mktemp("pair")
    for name in ("own", "other"):
        subprocess.run(
            [tool, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
            + ["-subj", "/CN=lab", "-keyout", str(place / f"{name}.key"), "-out", str(place / f"{name}.pem")],
            check=True,
            capture_output=True,
        )
    subprocess.run(
        [tool, "ec", "-in", str(place / "own.key"), "-aes256", "-passout", "pass:x", "-out", str(place / "locked.key")],
        check=True,
        capture_output=True,
    )
    place.joinpath("garbage.pem").write_text("no certificate\n", encoding="utf-8")
    return place


@pytest.mark.parametrize(
    "authority, certificate, key, expected",
    [
        ("own.pem", "own.pem", "own.key", []),
        ("garbage.pem", "own.pem", "own.key", ["tlscacert"]),
        ("own.pem", "garbage.pem", "own.key", ["tlscert"]),
        ("own.pem", "own.pem", "other.key", ["tlscert"]),
        ("own.pem", "own.pem", "locked.key", ["tlscert"]),
        ("missing.pem", "garbage.pem", "own.key", ["tlscacert"]),
    ],
)
def test_certificates(pair, authority, certificate, key, expected):
    config = {"tlscacert": str(pair / authority), "tlscert": str(pair / certificate), "tlskey": str(pair / key)}
    assert [problem.where for problem in problems({**config, "tlsverify": True})] == expected
    assert problems(config) == []
