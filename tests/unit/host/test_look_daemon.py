# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""How the daemon was started and set up, from a tree that stands for /proc and from its files."""

from __future__ import annotations

import json
import os
import socket

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import look_daemon
from ansible_collections.bulkhead.docker.plugins.module_utils.host.look_daemon import NOT_SHOWN, Daemon, find, look

PID = 700
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


class Proc:
    def __init__(self, top):
        self.top = top

    def __str__(self):
        return str(self.top)

    def process(self, pid, name="dockerd", arguments=("-H", "fd://"), mount="mnt:[1]", environment="PATH=/usr/bin\0"):
        directory = self.top / str(pid)
        (directory / "ns").mkdir(parents=True)
        (directory / "fd").mkdir()
        (directory / "net").mkdir()
        (directory / "comm").write_text(f"{name}\n")
        (directory / "cmdline").write_bytes(b"\0".join(word.encode() for word in (f"/usr/bin/{name}", *arguments)) + b"\0")
        (directory / "environ").write_bytes(environment.encode("utf-8", "surrogateescape"))
        os.symlink(mount, directory / "ns" / "mnt")
        os.symlink("pid:[1]", directory / "ns" / "pid")
        os.symlink(f"/usr/bin/{name}", directory / "exe")
        self.table(pid, "tcp", [])
        return directory

    def table(self, pid, name, rows):
        lines = [f"   0: {address} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0\n" for address, state, inode in rows]
        (self.top / str(pid) / "net" / name).write_text(HEAD + "".join(lines))


@pytest.fixture
def proc(tmp_path):
    made = Proc(tmp_path / "proc")
    (tmp_path / "proc" / "self" / "ns").mkdir(parents=True)
    os.symlink("mnt:[1]", tmp_path / "proc" / "self" / "ns" / "mnt")
    os.symlink("pid:[1]", tmp_path / "proc" / "self" / "ns" / "pid")
    return made


def pid_file(proc, text):
    path = proc.top / "docker.pid"
    path.write_text(text)
    return [str(path)]


def test_the_daemon_of_the_pid_file(proc):
    proc.process(PID, arguments=("-H", "fd://", "--debug"))
    proc.process(PID + 1)
    found = find(pid_file(proc, f"{PID}\n"), str(proc))
    assert (found.pid, found.arguments, found.program, found.reason) == (PID, ["-H", "fd://", "--debug"], "/usr/bin/dockerd", "")
    assert found.flags == {"host": ["fd://"], "debug": ["true"]}


@pytest.mark.parametrize("text", ["", "x", "999999", "-1", "9" * 100, f"{PID + 5}"])
def test_a_pid_file_that_is_stale(proc, text):
    proc.process(PID)
    proc.process(PID + 5, name="nginx")
    assert find(pid_file(proc, text), str(proc)).pid == PID


def test_what_systemd_says(proc):
    proc.process(PID)
    proc.process(PID + 1)
    assert find([], str(proc), lambda: PID + 1).pid == PID + 1
    asked = []
    find(pid_file(proc, str(PID)), str(proc), lambda: asked.append(1) or 0)
    assert asked == []


def test_a_daemon_in_a_container_is_another(proc):
    proc.process(PID + 1, mount="mnt:[2]")
    assert find([], str(proc)).reason == "dockerd does not run"
    proc.process(PID)
    assert find([], str(proc)).pid == PID


def test_several_daemons(proc):
    proc.process(PID)
    proc.process(PID + 1)
    found = find([], str(proc))
    assert (found.pid, found.arguments) == (0, None)
    assert found.reason == "several daemons run, and none of them says which is the one"


def test_a_daemon_that_was_replaced_on_the_disk(proc):
    directory = proc.process(PID)
    (directory / "exe").unlink()
    os.symlink("/usr/bin/dockerd (deleted)", directory / "exe")
    assert find([], str(proc)).program == "/usr/bin/dockerd"


def test_denied_arguments_are_unknown(proc):
    directory = proc.process(PID)
    (directory / "cmdline").unlink()
    found = find([], str(proc))
    assert found.arguments is None
    assert look(found, str(proc.top / "none"), str(proc)).flags_error == "denied: this account may not read the arguments of dockerd"


def test_settings_of_the_file(proc, tree):
    tree.write("/etc/docker/daemon.json", '{"icc": false, "seccomp-profile": "/etc/docker/seccomp.json"}')
    tree.write("/etc/docker/seccomp.json", '{"defaultAction": "SCMP_ACT_ERRNO"}')
    proc.process(PID)
    found = look(find([], str(proc)), proc=str(proc), root=str(tree.top))
    assert found.config == {"icc": False, "seccomp-profile": "/etc/docker/seccomp.json"}
    assert found.config_text.startswith("{")
    assert found.config_file == "/etc/docker/daemon.json"
    assert found.seccomp_profile == {"defaultAction": "SCMP_ACT_ERRNO"}
    assert (found.flags, found.flags_error, found.listening) == ({"host": ["fd://"]}, "", ())


def test_tokens_and_passwords_are_taken_out(proc, tree):
    config = {"log-opts": {"splunk-token": "hunter2", "splunk-url": "https://s"}, "proxies": {"http-proxy": "http://me:hunter2@proxy:3128"}}
    tree.write("/etc/docker/daemon.json", json.dumps(config))
    found = look(Daemon(arguments=("--log-opt", "splunk-token=hunter2", "--https-proxy=http://me:hunter2@p")), proc=str(proc), root=str(tree.top))
    assert found.config["log-opts"]["splunk-url"] == "https://s"
    assert set(found.flags) == {"log-opt", "https-proxy"}
    assert "hunter2" not in repr((found.config, found.flags))


def test_another_file_and_profile_by_flags(proc, tree):
    tree.write("/srv/d.json", "{}")
    tree.write("/srv/s.json", "{}")
    proc.process(PID, arguments=("--config-file", "/srv/d.json", "--seccomp-profile=/srv/s.json"))
    found = look(find([], str(proc)), proc=str(proc), root=str(tree.top))
    assert (found.config_file, found.config, found.seccomp_profile) == ("/srv/d.json", {}, {})


def test_no_file_is_an_empty_one(proc, tree):
    found = look(Daemon(arguments=()), proc=str(proc), root=str(tree.top))
    assert (found.config, found.config_text, found.config_error, found.listening) == ({}, "", "", None)


@pytest.mark.parametrize(
    ("text", "error"),
    [("{", "daemon.json"), ('{"icc": false, "icc": true}', "daemon.json"), ("[]", "daemon.json"), ("\ud800\udcff", "UTF-8"), ("[" * 100000, "daemon.json")],
)
def test_a_file_that_cannot_be_read_is_no_empty_one(proc, tree, text, error):
    (tree.top / "etc" / "docker").mkdir(parents=True)
    (tree.top / "etc" / "docker" / "daemon.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    found = look(Daemon(arguments=()), proc=str(proc), root=str(tree.top))
    assert found.config is None
    assert error in found.config_error
    assert str(tree.top) not in found.config_error


def test_a_file_that_may_not_be_read(proc, tree, monkeypatch):
    tree.write("/etc/docker/daemon.json", "{}")

    def read_text(path, *_arguments):
        raise look_daemon.files.FileError(f"{path} cannot be read: Permission denied")

    monkeypatch.setattr(look_daemon.files, "read_text", read_text)
    found = look(Daemon(arguments=()), proc=str(proc), root=str(tree.top))
    assert found.config is None
    assert found.config_error == "/etc/docker/daemon.json cannot be read: Permission denied"


@pytest.mark.parametrize("text", ["", "[]", "{", "x"])
def test_a_profile_that_is_none(proc, tree, text):
    tree.write("/s.json", text)
    daemon = Daemon(arguments=("--seccomp-profile=/s.json",))
    assert look(daemon, proc=str(proc), root=str(tree.top)).seccomp_profile is None
    assert look(Daemon(arguments=("--seccomp-profile=unconfined",)), proc=str(proc), root=str(tree.top)).seccomp_profile is None


def address(text):
    # As the kernel of this machine prints it.
    return f"{int.from_bytes(socket.inet_pton(socket.AF_INET, text), __import__('sys').byteorder):08X}"


def address6(text):
    packed = socket.inet_pton(socket.AF_INET6, text)
    return "".join(f"{int.from_bytes(packed[place : place + 4], __import__('sys').byteorder):08X}" for place in range(0, 16, 4))


def test_where_it_listens(proc):
    directory = proc.process(PID)
    proc.table(
        PID,
        "tcp",
        [
            (f"{address('0.0.0.0')}:0947", "0A", 11),
            (f"{address('127.0.0.1')}:1F90", "0A", 12),
            (f"{address('10.1.2.3')}:0947", "01", 13),
            (f"{address('10.1.2.3')}:0016", "0A", 99),
        ],
    )
    proc.table(PID, "tcp6", [(f"{address6('::')}:0949", "0A", 14), (f"{address6('fd00::1')}:0949", "0A", 15)])
    for number, inode in enumerate((11, 12, 13, 14, 15)):
        os.symlink(f"socket:[{inode}]", directory / "fd" / str(number))
    os.symlink("/dev/null", directory / "fd" / "77")
    # Port 22 belongs to somebody else, and an accepted connection listens nowhere.
    assert look_daemon.listening(PID, str(proc)) == ("0.0.0.0:2375", "127.0.0.1:8080", "[::]:2377", "[fd00::1]:2377")


def test_denied_descriptors_are_unknown(proc, monkeypatch):
    proc.process(PID)
    proc.table(PID, "tcp", [(f"{address('0.0.0.0')}:0947", "0A", 11)])

    def listdir(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(look_daemon.os, "listdir", listdir)
    assert look_daemon.listening(PID, str(proc)) is None
    assert look_daemon.listening(PID + 1, str(proc)) is None


def test_only_variables_of_docker_and_only_harmless_values(proc):
    proc.process(PID, environment="PATH=/x\0DOCKER_RAMDISK=1\0DOCKER_AUTH=hunter2\0HTTP_PROXY=http://u:p@h\0DOCKER_TMPDIR=/t\0DOCKER_\0\0x")
    assert look_daemon.environment(PID, str(proc)) == {"DOCKER_RAMDISK": "1", "DOCKER_AUTH": NOT_SHOWN, "DOCKER_TMPDIR": "/t"}
    assert look_daemon.environment(PID + 1, str(proc)) is None
    assert look_daemon.environment(0) is None


def test_where_it_looks_for_programs(proc):
    proc.process(PID, environment="PATH=/opt/bin:relative::/usr/bin\0")
    assert look_daemon.search_path(PID, str(proc)) == ("/opt/bin", "/usr/bin")
    assert "/usr/sbin" in look_daemon.search_path(PID + 1, str(proc))
    assert "/usr/sbin" in look_daemon.search_path(0)


def test_the_addresses_of_a_node(tree):
    state = {"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": "10.0.0.1:2377", "DataPathAddr": "", "JoinAddr": "x", "JoinToken": "SWMTKN-secret"}
    tree.write("/data/swarm/docker-state.json", json.dumps(state))
    assert look_daemon.swarm_state("/data", str(tree.top)) == {"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": "10.0.0.1:2377", "DataPathAddr": ""}
    assert look_daemon.swarm_state("/none", str(tree.top)) is None
    for text in ("", "[]", "{"):
        tree.write("/data/swarm/docker-state.json", text)
        assert look_daemon.swarm_state("/data", str(tree.top)) is None


def test_arguments_of_a_process(proc):
    proc.process(PID, name="containerd", arguments=("--config", "/x"))
    assert look_daemon.arguments_of(PID, str(proc)) == ["--config", "/x"]
    assert look_daemon.arguments_of(0, str(proc)) == look_daemon.arguments_of(PID + 1, str(proc)) == []
