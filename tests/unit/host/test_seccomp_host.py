# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ctypes
import io
import tarfile

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import libseccomp
from ansible_collections.bulkhead.docker.plugins.module_utils.host.docker_api import ApiError
from ansible_collections.bulkhead.docker.plugins.module_utils.host.seccomp_host import Run, SeccompHost


class Refusal(Exception):
    def __init__(self, explanation):
        super().__init__("500 Server Error")
        self.explanation = explanation


class FakeClient:
    """An engine that keeps images and containers in lists."""

    def __init__(self):
        self.kept = {"images": ["left behind"], "containers": ["left behind"]}
        self.imported = b""
        self.settings = []
        self.started = []
        self.refuse = {}

    def import_image_from_data(self, data, repository, tag, changes):
        self.imported = data
        self.kept["images"].append(f"{repository}:{tag}")
        return '{"status": "sha256:1"}'

    def create_host_config(self, **options):
        return options

    def create_container(self, image, command, name, labels, host_config):
        assert image == self.kept["images"][-1]
        self.settings.append(host_config)
        self.kept["containers"].append(name)
        return {"Id": name}

    def attach(self, identifier, **options):
        return iter([b"out", b"put"])

    def start(self, identifier):
        security = tuple(self.settings[-1]["security_opt"])
        if security in self.refuse:
            raise self.refuse[security]
        self.started.append(identifier)

    def wait(self, identifier, timeout):
        assert identifier in self.started

    def containers(self, **options):
        return [{"Id": name} for name in self.kept["containers"]]

    def remove_container(self, identifier, force, v):
        self.kept["containers"].remove(identifier)

    def images(self, filters):
        return [{"Id": name} for name in self.kept["images"]]

    def remove_image(self, identifier, force):
        self.kept["images"].remove(identifier)


class FakeApi:
    def __init__(self):
        self.client = FakeClient()

    def ask(self, question):
        try:
            return question(self.client)
        except (Refusal, TimeoutError) as error:
            raise ApiError(f"the Docker engine does not answer: {error}") from error


@pytest.fixture
def api():
    return FakeApi()


def nothing_is_left(api):
    return api.client.kept == {"images": [], "containers": []}


def test_two_containers_run_and_nothing_is_left_behind(api):
    assert SeccompHost().run(api, b"\x7fELF") == (Run(b"output", ""), Run(b"output", ""))
    assert nothing_is_left(api)
    assert [settings["security_opt"] for settings in api.client.settings] == [["seccomp=unconfined"], []]
    for settings in api.client.settings:
        assert (settings["network_mode"], settings["read_only"], settings["log_config"]["type"]) == ("none", True, "none")
    with tarfile.open(fileobj=io.BytesIO(api.client.imported)) as tar:
        assert [(entry.name, entry.mode, entry.size) for entry in tar] == [("bulkhead-seccomp-probe", 0o755, 4)]


def test_a_refusal_to_start_is_the_answer(api):
    api.client.refuse = {(): Refusal("OCI runtime create failed")}
    assert SeccompHost().run(api, b"x") == (Run(b"", "OCI runtime create failed"), Run(b"output", ""))
    assert nothing_is_left(api)


@pytest.mark.parametrize("error", [TimeoutError("timed out"), Refusal(None)])
def test_silence_is_no_answer(api, error):
    api.client.refuse = {(): error}
    with pytest.raises(ApiError):
        SeccompHost().run(api, b"x")
    assert nothing_is_left(api)


def test_an_import_that_fails_says_why(api):
    api.client.import_image_from_data = lambda *_given, **_options: '{"error": "no space left on device"}'
    with pytest.raises(ApiError, match="no space left on device"):
        SeccompHost().run(api, b"x")
    assert nothing_is_left(api)


def test_a_host_without_libseccomp_gives_the_reason(monkeypatch):
    def fail(name):
        raise OSError("cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", fail)
    assert libseccomp.calls(["read"]) == (None, "libseccomp.so.2 cannot be loaded (cannot open shared object file)")


def test_libseccomp_tells_calls_from_typing_errors():
    calls, reason = libseccomp.calls(["read", "unsahre", "socketcall", "s390_pci_mmio_read"])
    if calls is None:
        pytest.skip(reason)
    assert {"read", "openat"} < calls.names
    assert calls.numbers["read"] >= 0
    assert calls.numbers["unsahre"] is None
    assert min(calls.numbers["socketcall"], calls.numbers["s390_pci_mmio_read"]) < 0
