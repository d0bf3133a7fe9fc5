# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""The whole audit, from an engine and a tree that do not exist to the numbers: what cannot be seen is unknown, never a pass."""

from __future__ import annotations

import datetime
import json
import os
import tempfile

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import audit, commands, look_processes
from ansible_collections.bulkhead.docker.plugins.module_utils.host.machine import Machine
from ansible_collections.bulkhead.docker.plugins.module_utils.host.mounts import MountInfo
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import model, registry, result
from ansible_collections.bulkhead.docker.plugins.module_utils.posture import waivers as waiver_list
from ansible_collections.bulkhead.docker.tests.unit.host import fake_engine
from ansible_collections.bulkhead.docker.tests.unit.host.fake_engine import State, container_id
from ansible_collections.bulkhead.docker.tests.unit.host.fake_proc import FakeProc

FIRST = 5000
OF_CONTAINERS = {rule.id for rule in registry.RULES if model.CONTAINER in rule.applies_to}
OF_DAEMON = {rule.id for rule in registry.RULES if model.DAEMON in rule.applies_to}
ALL = model.STATUSES


def no_tool(arguments, **_options):
    raise commands.CommandError(f"{arguments[0]} is not installed on this host")


@pytest.fixture
def lab(tmp_path, tree):
    """A host with as many containers as a test asks for."""

    class Lab:
        state = State(3)
        machine = None

        def __init__(self):
            tree.top.chmod(0o755)
            for path in ("/usr/bin/runc", "/usr/bin/dockerd", "/run/lock", "/var/lib/x"):
                tree.write(path, "")
            os.symlink("../run", tree.top / "var" / "run")
            tree.write("/etc/docker/daemon.json", '{"log-driver": "local", "log-opts": {"splunk-token": "hunter2-do-not-tell"}}')
            base = tmp_path / "kernel"
            base.mkdir()
            self.proc = FakeProc(base)
            for number in range(3):
                self.proc.container(FIRST + number, container_id(number))
            self.state = State(3, [FIRST, FIRST + 1, FIRST + 2])
            self.machine = Machine(
                root=str(tree.top),
                proc=str(self.proc.proc),
                cgroups=str(self.proc.cgroups),
                trusted=(0, os.getuid()),
                run=no_tool,
                find=lambda _name: None,
                mounts=lambda: [MountInfo("254:1", "/", "/", "ext4", "/dev/vda1")],
                profiles=lambda: {"docker-default": "enforce"},
                members=lambda _name: {"alice"},
                home=lambda uid: "/home/alice" if uid == 1000 else "",
            )

        def run(self, **options):
            with tempfile.TemporaryDirectory(dir="/tmp") as directory:
                # The socket lies in the tree of the host, whose path is too long for one.
                os.symlink(tree.top, f"{directory}/root")
                machine = Machine(**{**vars(self.machine), "root": f"{directory}/root"})
                with fake_engine.serving(f"{directory}/root/run/docker.sock", self.state):
                    return audit.run(audit.Request(include=options.pop("include", ALL), **options), machine)

    return Lab()


def by_rule(found, kind=""):
    grouped = {}
    for finding in found["findings"]:
        if not kind or finding["kind"] == kind:
            grouped.setdefault(finding["rule"], []).append(finding)
    return grouped


def statuses(found, kind):
    return {finding["status"] for finding in found["findings"] if finding["kind"] == kind}


def silent(found):
    """Tell whether all that is said of the daemon is that it does not answer, which is a failure, and nothing else is known."""
    said = {finding["rule"]: finding["status"] for finding in found["findings"] if finding["kind"] == model.DAEMON}
    return said.pop("engine-answers") == model.FAIL and set(said.values()) == {model.UNKNOWN}


def test_a_host(lab):
    found = lab.run(host="one")
    assert found["subjects"]["container"] == 3
    assert found["engine"]["version"] == "28.5.2"
    assert "error" not in found["engine"]
    assert found["api_calls"] == sum(lab.state.asked.values())
    assert found["duration"] > 0
    assert {finding["host"] for finding in found["findings"]} == {"one"}
    rules = by_rule(found)
    assert [one["status"] for one in rules["container-not-privileged"]] == [model.PASS] * 3
    assert {one["subject"] for one in rules["docker-group-is-trusted"]} == {"the host"}
    # What the kernel says of the processes is known.
    assert not [one for one in by_rule(found, model.CONTAINER).values() for one in one if "process" in one["reason"]]
    assert found["score"]["percent"] is not None
    assert found["coverage"]["percent"] > 80
    assert set(rules) >= {rule.id for rule in registry.RULES if model.HOST in rule.applies_to}


def test_only_what_is_asked_for_is_returned(lab):
    everything = lab.run()
    default = lab.run(include=result.DEFAULT_INCLUDE)
    assert {finding["status"] for finding in default["findings"]} <= {model.FAIL, model.UNKNOWN}
    assert len(default["findings"]) < len(everything["findings"]) / 2
    assert (default["score"], default["coverage"]) == (everything["score"], everything["coverage"])
    json.dumps(default)


def test_no_secret_is_returned(lab):
    found = lab.run()
    assert [finding for finding in found["findings"] if fake_engine.SECRET in json.dumps(finding)] == []
    assert fake_engine.SECRET not in json.dumps(found)


def test_where_the_engine_does_not_answer_nothing_of_it_passes(lab):
    found = audit.run(audit.Request(docker_host="unix:///none/docker.sock", include=ALL), lab.machine)
    assert "no engine answers" in found["engine"]["error"]
    for kind in (model.CONTAINER, model.IMAGE, model.NETWORK, model.VOLUME, model.SWARM):
        assert statuses(found, kind) == {model.UNKNOWN}, kind
    assert silent(found)
    assert set(by_rule(found, model.CONTAINER)) == OF_CONTAINERS
    assert set(by_rule(found, model.DAEMON)) == OF_DAEMON
    assert all("no engine answers" in one["reason"] for one in found["findings"] if one["kind"] == model.CONTAINER)
    assert found["coverage"]["percent"] < 50
    # The host can be judged all the same.
    assert model.FAIL in statuses(found, model.HOST)


@pytest.mark.parametrize("url", ["gopher://x", "unix://", "x" * 5000])
def test_an_address_that_is_none_is_no_crash(lab, url):
    found = audit.run(audit.Request(docker_host=url, timeout=1), lab.machine)
    assert found["engine"]["error"]
    assert statuses(found, model.CONTAINER) == {model.UNKNOWN}


def test_an_engine_that_denies_everything(lab):
    lab.state.denied = ("/",)
    found = lab.run()
    assert found["engine"]["error"].startswith("denied")
    assert statuses(found, model.CONTAINER) == {model.UNKNOWN}
    assert silent(found)


def test_an_engine_that_denies_its_containers(lab):
    lab.state.denied = ("/containers",)
    found = lab.run()
    assert statuses(found, model.CONTAINER) == {model.UNKNOWN}
    assert set(by_rule(found, model.CONTAINER)) == OF_CONTAINERS
    assert "containers: denied" in found["engine"]["unanswered"]


def test_one_container_that_is_denied(lab):
    lab.state.denied = (f"/containers/{container_id(1)}",)
    found = lab.run()
    of_one = [one for one in found["findings"] if one["subject"] == "shop-web-1" and one["kind"] == model.CONTAINER]
    assert {one["status"] for one in of_one} == {model.UNKNOWN}
    assert len({one["rule"] for one in of_one}) == len(OF_CONTAINERS)


def test_an_engine_that_is_too_slow(lab):
    lab.state.slow = {"/containers/json": 1.0}
    found = lab.run(timeout=0.3)
    assert statuses(found, model.CONTAINER) == {model.UNKNOWN}
    assert any("did not answer within 0.3 seconds" in one["reason"] for one in found["findings"])


def test_a_container_that_vanishes_is_not_judged(lab):
    lab.state.gone = {container_id(0)}
    found = lab.run()
    assert found["subjects"]["container"] == 2
    assert not [one for one in found["findings"] if one["subject"] == "shop-web-0"]


def test_a_process_that_vanishes_leaves_what_only_the_kernel_tells_unknown(lab):
    (lab.proc.proc / str(FIRST) / "status").unlink()
    found = [one for one in lab.run()["findings"] if one["subject"] == "shop-web-0" and one["kind"] == model.CONTAINER]
    unknown = [one for one in found if one["status"] == model.UNKNOWN]
    assert unknown
    assert all("process" in one["reason"] for one in unknown)


def test_podmans_socket(lab):
    lab.state.version, lab.state.server = fake_engine.PODMAN_VERSION, "Libpod/5.4.2 (linux)"
    found = lab.run()
    assert found["engine"]["product"] == "podman"
    assert statuses(found, model.CONTAINER) == {model.UNKNOWN}
    assert silent(found)
    assert all("podman" in one["reason"] for one in found["findings"] if one["kind"] == model.CONTAINER)


def test_without_root(lab, monkeypatch):
    """The kernel refuses what is about processes of others, and auditctl, and files of root."""

    def refuse(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    real, follow = os.lstat, os.readlink
    # Only what is read through a directory that is open is about a process.
    monkeypatch.setattr(look_processes.os, "readlink", lambda path, **options: refuse() if options else follow(path))
    monkeypatch.setattr(os, "lstat", lambda path, **options: refuse() if str(path).endswith("/etc/docker/daemon.json") else real(path, **options))
    refused = commands.CommandResult(4, "", "You must be root to run this program.")
    lab.machine = Machine(**{**vars(lab.machine), "find": lambda name: f"/usr/sbin/{name}", "run": lambda *_arguments, **_options: refused})
    found = lab.run()
    rules = by_rule(found)
    assert [one["status"] for one in rules["file-daemon-json"]] == [model.UNKNOWN]
    assert "Permission denied" in rules["file-daemon-json"][0]["reason"]
    assert [one["status"] for one in rules["audit-dockerd"]] == [model.UNKNOWN]
    assert "You must be root" in rules["audit-dockerd"][0]["reason"]
    of_processes = [one for one in found["findings"] if "needs root" in one["reason"]]
    assert of_processes
    assert {one["status"] for one in of_processes} == {model.UNKNOWN}


def test_mounts_lead_to_the_socket(lab, tree):
    one = lab.state.containers[container_id(0)]
    os.makedirs(tree.top / "srv")
    os.symlink("/run", tree.top / "srv" / "innocent")
    one["Mounts"] = [{"Type": "bind", "Source": "/srv/innocent", "Destination": "/x", "Mode": "ro", "RW": False, "Propagation": "rprivate"}]
    failed = [one["rule"] for one in lab.run()["findings"] if one["subject"] == "shop-web-0" and one["status"] == model.FAIL]
    assert any("socket" in rule for rule in failed), failed


def test_waivers_and_the_gate(lab):
    accepted, problems = waiver_list.parse(
        [{"rule": "docker-data-on-own-filesystem", "owner": "me", "reason": "so", "expires": "2030-01-01"}], result.RULE_IDS
    )
    assert problems == []
    today = datetime.date(2029, 1, 1)
    found = lab.run(waivers=accepted, today=today, fail_on="medium")
    assert found["waived"] == 1
    assert not any("docker-data-on-own-filesystem" in sentence for sentence in found["stopped"])
    assert any("docker-data-on-own-filesystem" in sentence for sentence in lab.run(today=today, fail_on="medium")["stopped"])
    assert lab.run(today=today)["stopped"] == []


def test_two_looks_are_alike(lab):
    first, second = lab.run(), lab.run()
    assert first["findings"] == second["findings"]
    assert first["score"] == second["score"]


def test_what_fails_beside_is_not_lost():
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        audit._Later(fail).get()
    assert audit._Later(lambda: 5).get() == 5


def test_where_the_daemon_says_that_it_listens(lab, tree):
    tree.write("/etc/docker/daemon.json", '{"hosts": ["tcp://127.0.0.1:2375", "unix:///srv/api.sock"]}')
    found = audit.run(audit.Request(), lab.machine)
    assert found["engine"]["error"].endswith("/srv/api.sock")


def test_the_daemon_of_a_user(lab, tree):
    tree.write("/home/alice/.config/docker/daemon.json", '{"icc": false}')
    tree.write("/run/user/1000/docker.pid", "4242\n")
    directory = lab.proc.proc / "4242"
    directory.mkdir()
    (directory / "comm").write_text("dockerd\n")
    (directory / "cmdline").write_bytes(b"dockerd\0--debug\0")
    seen = audit.look(audit.Request(docker_host="unix:///run/user/1000/docker.sock"), lab.machine)
    assert seen.daemon.config_file == "/home/alice/.config/docker/daemon.json"
    assert seen.daemon.config == {"icc": False}
    assert seen.daemon.flags == {"debug": ["true"]}
    assert seen.facts["file_places"].value["file-daemon-json"] == ("/home/alice/.config/docker/daemon.json",)
    # Root's own daemon is another one.
    for url in ("", "unix:///run/user/1001/docker.sock", "unix:///srv/run/user/1000/docker.sock"):
        assert audit.look(audit.Request(docker_host=url), lab.machine).daemon.config_file == "/etc/docker/daemon.json"
