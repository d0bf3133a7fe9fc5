# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import contextlib
import dataclasses

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.engine.packages import Known, PackagePlan
from ansible_collections.bulkhead.docker.plugins.module_utils.host import (
    commands,
    engine,
    files,
    package_move,
    packages,
    rpm_packages,
    systemd,
)
from ansible_collections.bulkhead.docker.plugins.module_utils.host.package_plan import Outcome

PLAN = PackagePlan(install=("docker-ce=2",), remove=("docker.io",), engine_before="1", engine_after="2", back=("docker.io=1",))
OUTCOME = Outcome(PLAN, (), (), ("apt-get", "install", "docker-ce=2", "docker.io-"), ("docker.io=1",))


class Host:
    """A host whose engine answers with what a list says, call by call; the last answer stays."""

    def __init__(self, answers, kept=("/back/docker.io_1.deb",), failing=()):
        self.answers, self.kept, self.failing = list(answers), list(kept), list(failing)
        self.ran, self.held_back, self.active = [], 0, True
        self.unsigned = ""

    def run(self, command, **_options):
        line = " ".join(command)
        self.ran.append(line)
        failed = any(word in line for word in self.failing)
        return commands.CommandResult(100 if failed else 0, "", "E: something broke\n" if failed else "")

    def serving(self):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @contextlib.contextmanager
    def nothing_started(self):
        self.held_back += 1
        yield


@pytest.fixture
def move(monkeypatch):
    def invoke(host, outcome=OUTCOME):
        monkeypatch.setattr(commands, "run", host.run)
        monkeypatch.setattr(engine, "serving_version", host.serving)
        monkeypatch.setattr(files, "ensure_directory", lambda *_arguments, **_options: None)
        monkeypatch.setattr(packages, "download", lambda _entries, _directory: host.kept)
        monkeypatch.setattr(packages, "known", lambda names, **_options: {name: Known("1", held=True) for name in names})
        monkeypatch.setattr(packages, "nothing_started", host.nothing_started)
        monkeypatch.setattr(systemd, "is_active", lambda _unit: host.active)
        monkeypatch.setattr(systemd, "has_failed", lambda _unit: False)
        monkeypatch.setattr(systemd, "reset_failed", lambda _unit: None)
        monkeypatch.setattr(systemd, "start", lambda _unit: None)
        monkeypatch.setattr(systemd, "restart", lambda _unit: host.ran.append("restart"))
        monkeypatch.setattr(rpm_packages, "prepare", lambda _command: host.unsigned)
        monkeypatch.setattr(rpm_packages, "transaction", lambda _command, start: host.ran.append(f"transaction {start}"))
        monkeypatch.setattr(rpm_packages, "hold", lambda names: host.ran.append(f"hold {' '.join(names)}"))
        monkeypatch.setattr(rpm_packages, "enable", lambda unit: host.ran.append(f"enable {unit}"))
        monkeypatch.setattr(package_move.Daemon, "journal_cursor", lambda _host: "mark")
        monkeypatch.setattr(package_move.Daemon, "journal_reason", lambda _host, _mark="": "it broke")
        return package_move.run(outcome, probe_timeout=0)

    return invoke


def test_a_move_that_serves(move):
    host = Host(["1", "2"])
    assert move(host) == package_move.Result("2")
    assert (len(host.ran), host.held_back) == (1, 0)


def test_an_old_engine_that_goes_on_is_restarted_and_never_taken_for_the_new_one(move):
    host = Host(["1", "1", "2"])
    assert move(host) == package_move.Result("2")
    assert host.ran[-1] == "restart"
    with pytest.raises(package_move.MoveError, match="does not serve"):
        move(Host(["1"]))


def test_an_engine_that_did_not_serve_is_not_started(move):
    host = Host([None])
    assert move(host) == package_move.Result(None)
    assert host.held_back == 1


def test_back_when_the_new_engine_does_not_serve(move):
    host = Host(["1", "2", None, "1"])
    with pytest.raises(package_move.MoveError, match=r"does not serve within 0 seconds: it broke. The host is back at docker.io=1, which serves again as 1"):
        move(host)
    assert host.ran[1].endswith("install /back/docker.io_1.deb docker-ce-")
    assert host.ran[2] == "apt-mark hold docker.io"


def test_back_when_the_transaction_fails(move):
    with pytest.raises(package_move.MoveError, match="something broke. The host is back at docker.io=1, which does not serve either"):
        move(Host(["1", None], failing=["docker-ce=2"]))


def test_dockerd_is_asked_why_where_apt_does_not_say(move):
    host = Host(["1", None], failing=["docker-ce=2"])
    host.active = False
    with pytest.raises(package_move.MoveError, match=r"something broke \(dockerd: it broke\). The host is back"):
        move(host)


def test_no_way_back_is_told_before_and_after(move):
    assert "There is no way back" in move(Host(["1", "2"], kept=[])).warnings[0]
    with pytest.raises(package_move.MoveError, match="It stays so: docker.io=1 cannot be had any more"):
        move(Host(["1", None], kept=[]))


def test_a_way_back_that_fails_names_the_command(move):
    with pytest.raises(package_move.MoveError, match="failed too .* apt-get install --allow-downgrades"):
        move(Host(["1", None], failing=["apt-get"]))


FRESH = Outcome(PackagePlan(install=("docker-ce=2",), engine_after="2"), (), (), ("dnf", "install"), (), to_hold=("docker-ce",), manager="dnf")


def test_dnf_installs_enables_and_holds_a_new_engine_and_starts_nothing(move):
    host = Host([None])
    assert move(host, FRESH) == package_move.Result(None)
    assert host.ran == ["transaction False", "enable docker.service", "hold docker-ce"]


def test_packages_that_no_key_vouches_for_change_nothing(move):
    host = Host([None])
    host.unsigned = "is not signed"
    with pytest.raises(package_move.MoveError, match=r"is not signed; nothing was changed\."):
        move(host, FRESH)
    assert host.ran == []


def test_a_hold_alone(move):
    host = Host(["2"])
    assert move(host, dataclasses.replace(FRESH, command=())) == package_move.Result("2")
    assert host.ran == ["hold docker-ce"]
