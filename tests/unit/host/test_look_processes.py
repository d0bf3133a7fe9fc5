# Copyright: The Bulkhead authors
# SPDX-License-Identifier: Apache-2.0
"""What the kernel says about the first processes of containers, from trees that stand for /proc and the control groups."""

from __future__ import annotations

import os
import threading

import pytest
from ansible_collections.bulkhead.docker.plugins.module_utils.host import look_processes
from ansible_collections.bulkhead.docker.plugins.module_utils.host.look_processes import Processes
from ansible_collections.bulkhead.docker.tests.unit.host.fake_proc import FakeProc

ID = "a" * 64
PID = 4000


@pytest.fixture(params=[True, False], ids=["cgroup2", "cgroup1"])
def both(request, tmp_path):
    return FakeProc(tmp_path, request.param)


@pytest.fixture
def proc(tmp_path):
    return FakeProc(tmp_path)


def looked(proc, pid=PID, identifier=ID):
    return Processes(str(proc.proc), str(proc.cgroups)).read(pid, identifier)


def test_a_running_container(proc):
    proc.container(PID, ID, programs=("nginx", "sshd"))
    found = looked(proc)
    assert found.error == ""
    assert found.status["Uid"] == "101\t101\t101\t101"
    assert (found.status["NoNewPrivs"], found.status["Seccomp"], found.status["CapBnd"]) == ("1", "2", "0" * 16)
    assert "Name" not in found.status
    assert found.uid_map == ((0, 165536, 65536),)
    assert found.label == "docker-default (enforce)"
    assert found.namespaces["pid"] != found.host_namespaces["pid"]
    assert found.host_namespaces["ipc"] == 4026531001
    assert ("/etc/nginx/conf.d", "ro,relatime", "xfs") in found.mounts
    assert ("/proc", "rw,nosuid,nodev,noexec,relatime", "proc") in found.mounts
    assert found.limits["cpu.max"] == "50000 100000"
    assert found.programs == {"nginx", "sshd"}


def test_threads_that_ask_at_once_all_see_the_namespaces_of_the_host(proc, monkeypatch):
    # Whoever came second saw none, and a container on the host's namespaces was taken at its engine's word.
    proc.container(PID, ID)
    processes = Processes(str(proc.proc), str(proc.cgroups))
    first_reads, others_done = threading.Event(), threading.Event()
    read = look_processes._namespaces

    def slow(directory):
        if threading.current_thread() is not threading.main_thread():
            first_reads.set()
            others_done.wait(10)
        return read(directory)

    monkeypatch.setattr(look_processes, "_namespaces", slow)
    thread = threading.Thread(target=processes._of_host)
    thread.start()
    assert first_reads.wait(10)
    seen = processes._of_host()
    others_done.set()
    thread.join()
    assert seen["pid"] == processes._of_host()["pid"] != 0


def test_limits_of_both_versions_of_control_groups(both):
    both.container(PID, ID)
    found = looked(both)
    assert found.limits["memory.max"] == "268435456"
    assert found.limits["pids.max"] == "200"
    assert ("cpu.max" in found.limits) is both.unified
    assert both.unified or found.limits["cpu.cfs_quota_us"] == "50000"
    assert found.programs == {"nginx"}


def test_groups_that_an_init_made_in_the_container(both):
    # The limits are those of the group that the engine made, and the programs are in groups below it.
    both.container(PID, ID, nested="/init.scope", programs=("systemd", "sshd"))
    found = looked(both)
    assert found.limits["memory.max"] == "268435456"
    assert found.programs == {"systemd", "sshd"}


def test_a_process_of_somebody_else_is_not_taken_for_the_containers(proc):
    proc.container(PID, "b" * 64)
    found = looked(proc)
    assert found.error == f"process {PID} does not belong to the container any more"
    assert (found.status, found.namespaces, found.limits, found.programs) == ({}, {}, {}, None)


def test_without_control_groups_the_shim_shows_whose_it_is(proc):
    proc.container(PID, ID, group="/user.slice/session.scope")
    (proc.proc / "1" / "cmdline").write_bytes(b"/usr/bin/containerd-shim-runc-v2\0-namespace\0moby\0-id\0" + ID.encode() + b"\0")
    found = looked(proc)
    assert found.error == ""
    # What else runs in that group is not the container's, and neither are its limits.
    assert (found.programs, found.limits) == (None, {})
    (proc.proc / "1" / "cmdline").write_bytes(b"/usr/bin/containerd-shim-runc-v2\0-id\0" + ID[:-1].encode() + b"\0")
    assert "does not belong" in looked(proc).error


def test_a_process_that_is_not_there(proc):
    assert looked(proc).error == f"there is no process {PID} that this account may see"


@pytest.mark.parametrize("name", ["status", "uid_map", "mountinfo", "cgroup"])
def test_a_process_that_ends_meanwhile(proc, name):
    proc.container(PID, ID)
    (proc.proc / str(PID) / name).unlink()
    found = looked(proc)
    assert found.error == "the process ended while it was looked at"
    assert (found.status, found.mounts, found.programs) == ({}, (), None)


def test_a_number_that_another_process_gets_meanwhile(proc, monkeypatch):
    """Everything is read through one directory, which stays that of the process that ended."""
    proc.container(PID, ID)
    real = os.readlink
    moved = []

    def readlink(path, **options):
        if not moved:
            moved.append(True)
            (proc.proc / str(PID)).rename(proc.proc / "gone")
            proc.container(PID, "b" * 64, uid=0, group="/system.slice/ssh.service")
        return real(path, **options)

    monkeypatch.setattr(look_processes.os, "readlink", readlink)
    found = looked(proc)
    assert moved
    assert found.status["Uid"].startswith("101")
    assert found.namespaces["pid"] == 4026540000 + PID * 10 + 4


def test_denied_without_root(proc, monkeypatch):
    proc.container(PID, ID)

    def readlink(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(look_processes.os, "readlink", readlink)
    assert looked(proc).error == "denied: reading about processes of others needs root"


def test_a_link_in_place_of_a_file_is_not_followed(proc, tmp_path):
    proc.container(PID, ID)
    (tmp_path / "elsewhere").write_text("         0          0 4294967295\n")
    (proc.proc / str(PID) / "uid_map").unlink()
    os.symlink(tmp_path / "elsewhere", proc.proc / str(PID) / "uid_map")
    assert looked(proc).error


def test_no_security_module(proc):
    proc.container(PID, ID)
    (proc.proc / str(PID) / "attr" / "apparmor" / "current").unlink()
    assert looked(proc).label == ""
    (proc.proc / str(PID) / "attr" / "current").write_bytes(b"system_u:system_r:container_t:s0:c1,c2\0")
    assert looked(proc).label == "system_u:system_r:container_t:s0:c1,c2"


def test_names_with_blanks_and_odd_bytes(proc):
    proc.container(PID, ID, programs=("ng\x1b[31m inx",))
    mountinfo = proc.proc / str(PID) / "mountinfo"
    mountinfo.write_bytes(mountinfo.read_bytes() + b"999 900 0:1 / /a\\040b\\011c rw - ext4 /dev/x rw\n999 broken\n\n998 900 0:1 / /\xff rw - ext4 x rw\n")
    found = looked(proc)
    assert ("/a b\tc", "rw", "ext4") in found.mounts
    assert found.programs == {"ng\x1b[31m inx"}
    assert len(found.mounts) == len(FakeProc.mounts().splitlines()) + 2


def test_too_many_programs_are_not_known(proc, monkeypatch):
    monkeypatch.setattr(look_processes, "_MOST_PROGRAMS", 3)
    proc.container(PID, ID, programs=("a", "b", "c"))
    assert looked(proc).programs == {"a", "b", "c"}
    proc.container(PID + 1, "b" * 64, programs=("a", "b", "c", "d"))
    assert looked(proc, PID + 1, "b" * 64).programs is None


def test_more_than_is_read_is_not_taken_for_the_whole(proc, monkeypatch):
    monkeypatch.setattr(look_processes, "_LARGEST", 3000)
    proc.container(PID, ID)
    assert looked(proc).error == ""
    (proc.proc / str(PID) / "mountinfo").write_text(FakeProc.mounts() * 5)
    assert looked(proc).error == f"what the kernel says about process {PID} is longer than 3000 bytes"


def test_files_that_come_in_pieces_are_read_to_their_end(proc, monkeypatch):
    real = os.read
    monkeypatch.setattr(look_processes.os, "read", lambda descriptor, _size: real(descriptor, 100))
    proc.container(PID, ID, programs=[f"program{number}" for number in range(100)])
    found = looked(proc)
    assert len(found.programs) == 100
    assert len(found.mounts) == len(FakeProc.mounts().splitlines())


def test_a_group_that_cannot_be_listed(proc):
    proc.container(PID, ID)
    (proc.cgroups / "system.slice" / f"docker-{ID}.scope" / "cgroup.procs").unlink()
    assert looked(proc).programs is None


def test_a_group_outside_of_the_tree_is_not_read(proc):
    proc.container(PID, ID)
    (proc.proc / str(PID) / "cgroup").write_text(f"0::/../../docker-{ID}.scope\n")
    found = looked(proc)
    assert (found.limits, found.programs) == ({}, None)


def test_what_the_engine_says_about_the_process(proc):
    proc.container(PID, ID)
    processes = Processes(str(proc.proc), str(proc.cgroups))
    assert processes.look({"Id": ID, "State": {"Pid": PID, "Running": True}}).error == ""
    assert processes.look({"Id": ID, "State": {"Pid": 0, "Running": False}}) is None
    assert processes.look({"Id": ID, "State": {"Pid": 0, "Running": True}}).error == "the engine does not say which process it is"
    assert processes.look({"Id": ID, "State": {"Pid": "1", "Running": True}}).error
    assert processes.look({"Id": ID}) is None
    assert processes.look({"State": {"Pid": PID}}) is None


def test_this_process():
    """The real files of the kernel are read as well, as far as they are there."""
    if not os.path.exists("/proc/self/uid_map"):
        pytest.skip("no /proc")
    found = Processes().read(os.getpid(), "")
    assert found.error == "" or "denied" in found.error
    if not found.error:
        assert found.status["Uid"].split()[0] == str(os.getuid())
        assert found.uid_map
        assert any(target == "/" for target, _options, _kind in found.mounts)


def test_a_host_that_is_a_container_has_a_branch_of_the_tree(proc):
    # The kernel tells paths from the top of the tree, of which only a branch is mounted.
    proc.container(PID, ID, programs=("nginx",))
    group = proc.proc / str(PID) / "cgroup"
    group.write_text(group.read_text(encoding="ascii").replace("0::/", "0::/lab/host/"), encoding="ascii")
    (proc.proc / "self").mkdir(exist_ok=True)
    (proc.proc / "self" / "mountinfo").write_text(f"84 83 0:38 /lab/host {proc.cgroups} rw - cgroup2 cgroup rw\n", encoding="ascii")
    found = looked(proc)
    assert found.programs == {"nginx"}
    assert found.limits["pids.max"] == "200"
