# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses
import time

import pytest
from lab_docker import Docker

USER = "shipwright"


@dataclasses.dataclass(frozen=True)
class Person:
    """A user of a lab host, and how root runs something as that user."""

    host: object
    name: str
    uid: int
    gid: int

    @property
    def runtime(self):
        return f"/run/user/{self.uid}"

    def run(self, *words):
        """Run a command as the user and return it finished, whatever its exit status."""
        prefix = ("setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--init-groups", "env", "--chdir=/", f"XDG_RUNTIME_DIR={self.runtime}")
        words = (*prefix, *words)
        return self.host.run(" ".join(["%s"] * len(words)), *words)

    def check(self, *words):
        done = self.run(*words)
        assert done.rc == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def systemctl(self, *words):
        return self.run("systemctl", "--user", *words)

    def journal(self, lines=20):
        return self.host.run("journalctl --no-pager --output=cat --lines=%s _SYSTEMD_USER_UNIT=docker.service _UID=%s", str(lines), str(self.uid)).stdout


class UserDocker(Docker):
    """The engine of a user, asked through the user's socket."""

    def __init__(self, person, prefix):
        self.person = person
        super().__init__(person.host, prefix)

    def call(self, *arguments):
        return super().call("--host", f"unix://{self.person.runtime}/docker.sock", *arguments)

    def attempt(self, *arguments):
        return super().attempt("--host", f"unix://{self.person.runtime}/docker.sock", *arguments)

    def wait_until_serving(self, seconds=60):
        deadline = time.monotonic() + seconds
        while self.attempt("info").rc != 0:
            assert time.monotonic() < deadline, self.person.journal()
            time.sleep(0.5)


@pytest.fixture
def person(host):
    account = host.user(USER)
    return Person(host, USER, account.uid, account.gid)


@pytest.fixture
def docker(person, request):
    """The engine of the user; containers and volumes of the test go when it ends."""
    engine = UserDocker(person, request.node.originalname.replace("_", "-")[:40])
    engine.wait_until_serving()
    yield engine
    engine.wait_until_serving()
    engine.close()
