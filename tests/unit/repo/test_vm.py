# SPDX-License-Identifier: Apache-2.0
"""The lab's virtual machines: what can be said of them without one."""

from __future__ import annotations

import os
import pathlib

import pytest
import vm

CPUINFO = "processor : 0\nvendor_id : GenuineIntel\nflags : fpu vme {} sse2\nbugs : svm\n"


@pytest.mark.parametrize(
    "flag, opens, accelerated",
    [("vmx", True, "kvm"), ("svm", True, "kvm"), ("vmx", False, "tcg"), ("", True, "tcg"), ("vmx_x", True, "tcg"), ("", False, "tcg")],
)
def test_kvm_is_asked_for_only_where_the_processor_shows_it(flag, opens, accelerated):
    assert vm.accelerator(CPUINFO.format(flag), opens).split(",")[0] == accelerated


@pytest.mark.parametrize("text, size", [("4G", 4 * 1024**3), ("512M", 512 * 1024**2)])
def test_sizes(text, size):
    assert vm.size_in_bytes(text) == size


@pytest.mark.parametrize("text", ["", "0G", "4", "4g", "-1G", "4G ", "4GiB", "1T"])
def test_other_sizes_are_refused(text):
    with pytest.raises(vm.MachineError, match="size of a disk"):
        vm.size_in_bytes(text)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    image = tmp_path / "image"
    image.mkdir()
    for name in vm.vm_image.FILES:
        (image / name).write_text(f"{name} ssh-ed25519\n", encoding="ascii")
    monkeypatch.setattr(vm.vm_image, "ensure", lambda: image)
    monkeypatch.setattr(vm.subprocess, "run", run)
    return vm.Machine("one", tmp_path / "machines")


def run(command, **_options):
    """Stand in for cp and ssh-keygen."""
    if command[0] == "cp":
        pathlib.Path(command[-1]).write_bytes(pathlib.Path(command[-2]).read_bytes())
    else:
        pathlib.Path(command[-1] + ".pub").write_text("ssh-ed25519 AAAA lab\n", encoding="ascii")


def test_a_machine_has_its_disks_by_serial_number_and_order(machine):
    machine.create({"data": "1M", "spare": "2M"})
    assert machine.disks == ["data", "spare"]
    assert os.path.getsize(machine.image_of("spare")) == 2 * 1024**2
    command = vm.command_line(machine.directory, 2222, "key", {"data": "spare"}, "tcg")
    assert [word for word in command if "serial=" in word] == [
        "virtio-blk-pci,drive=drive-root,serial=root", "virtio-blk-pci,drive=drive-data,serial=data",
    ]
    assert any(word.startswith(f"file={machine.directory}/spare.img,if=none,id=drive-data,") for word in command)


def test_a_machine_reaches_no_network_and_answers_on_the_loopback_device_only(machine):
    machine.create({})
    (network,) = [word for word in vm.command_line(machine.directory, 2222, "key", {}, "tcg") if word.startswith("user,")]
    assert "restrict=on" in network and "hostfwd=tcp:127.0.0.1:2222-:22" in network
    assert machine.variables()["ansible_ssh_common_args"].count("StrictHostKeyChecking=yes") == 1


def test_disks_are_copied_grown_and_never_shrunk(machine):
    machine.create({"data": "1M"})
    machine.image_of("data").write_bytes(b"mine" + bytes(1024**2 - 4))
    machine.clone_disk("data", "copy")
    machine.grow_disk("copy", "3M")
    assert machine.image_of("copy").read_bytes()[:4] == b"mine"
    assert os.path.getsize(machine.image_of("copy")) == 3 * 1024**2
    with pytest.raises(vm.MachineError, match="larger than 1M already"):
        machine.grow_disk("copy", "1M")
    machine.remove_disk("copy")
    assert machine.disks == ["data"]


@pytest.mark.parametrize("serial", ["root", "data", "../x", "x,y", "a" * 21, "", "Data"])
def test_serial_numbers_that_are_none_are_refused(machine, serial):
    machine.create({"data": "1M"})
    with pytest.raises(vm.MachineError, match="cannot be the serial number"):
        machine.add_disk(serial, "1M")
    assert machine.disks == ["data"]


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "X"])
def test_names_that_are_none_are_refused(name):
    with pytest.raises(vm.MachineError, match="name"):
        vm.Machine(name)


def test_a_machine_that_is_there_is_not_made_again(machine):
    machine.create({})
    with pytest.raises(vm.MachineError, match="destroy it first"):
        machine.create({})


def test_a_foreign_process_of_a_stale_pid_file_is_never_touched(machine):
    machine.create({})
    (machine.directory / "pid").write_text(str(os.getpid()), encoding="ascii")
    assert machine.pid() is None
    machine.cut()


def test_booting_without_a_disk_that_is_none_is_refused(machine):
    machine.create({"data": "1M"})
    with pytest.raises(vm.MachineError, match="has no disk sdz"):
        machine.start(without=["sdz"])
