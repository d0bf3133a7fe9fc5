# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import fault_marks
import pytest
from lab_docker import for_test
from vm import Machine

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parent)]
EPHEMERAL = pathlib.Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
NAME = "vm"
ROOT = "/var/lib/docker/100000.100000"


def pytest_configure(config):
    config.pluginmanager.register(fault_marks)


@pytest.fixture(scope="session")
def machine():
    """The power plug, the disks and the console of the host."""
    return Machine(NAME)


@pytest.fixture(scope="session")
def root():
    """The effective root of the first range that is allocated on an empty host."""
    return ROOT


@pytest.fixture
def docker(host, request):
    """The engine of the host; containers and volumes of the test go when it ends."""
    yield from for_test(host, request)


class Controller:
    """Ansible as a user runs it."""

    def start(self, *command: str, **variables: t.Any) -> subprocess.Popen[str]:
        environment = {**os.environ, "ANSIBLE_INVENTORY": str(EPHEMERAL / "inventory")}
        given = ["--extra-vars", json.dumps(variables)] if variables else []
        return subprocess.Popen([*command, *given], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def finish(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        said = process.communicate(timeout=900)[0]
        return process.returncode, said

    def play(self, playbook: str, *options: str, **variables: t.Any) -> tuple[int, str]:
        """Run a playbook; return its exit status and what it said."""
        return self.finish(self.start("ansible-playbook", *options, playbook, **variables))

    def start_module(self, module: str, **arguments: t.Any) -> subprocess.Popen[str]:
        """Begin to run one module on the host."""
        return self.start("ansible", NAME, "-m", module, "-a", json.dumps(arguments))

    def module(self, module: str, **arguments: t.Any) -> dict[str, t.Any]:
        """Run one module on the host and return its result, also that of a failure."""
        environment = {**os.environ, "ANSIBLE_INVENTORY": str(EPHEMERAL / "inventory"), "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
        environment.update({"ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal"})
        command = ["ansible", NAME, "-m", module, "-a", json.dumps(arguments)]
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False)
        assert "=> {" in done.stdout, done.stdout + done.stderr
        return json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("=> {") + 3 :])[0]


@pytest.fixture(scope="session")
def ansible():
    return Controller()


def daemon_settings(machine: Machine) -> dict[str, t.Any]:
    return json.loads(machine.run("cat /etc/docker/daemon.json").stdout)
