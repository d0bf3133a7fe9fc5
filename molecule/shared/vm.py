# SPDX-License-Identifier: Apache-2.0
"""Virtual machines with a kernel, disks and a power plug of their own: vm.py VERB NAME [ARGUMENT...]

    create NAME [SERIAL=SIZE...]    a machine with these blank disks, /dev/disk/by-id/virtio-SERIAL, not running yet
    boot NAME [--without SERIAL]... start it and wait for it, with all of its disks but those
    up NAME                         the same unless it runs, and wait for it
    ssh NAME [COMMAND...]           a command in it, or a shell
    cut NAME                        pull the plug: what it has not written is lost
    stop NAME                       shut it down
    add NAME SERIAL=SIZE            one more blank disk, from its next boot on
    clone NAME SERIAL NEW           one more disk, with the content of another, from its next boot on
    grow NAME SERIAL SIZE           make a disk larger, from its next boot on
    show NAME                       its address as JSON
    destroy NAME                    pull the plug and forget everything
    clean all                       so with every machine

In Python: `from vm import Machine`. A machine answers on a port of the loopback device, to a key of its own, and reaches
no network.
"""

from __future__ import annotations

import base64
import json
import os
import pathlib
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import typing as t

import vm_image

MACHINES = vm_image.STATE / "machines"
NAME = re.compile(r"^[a-z][a-z0-9-]{0,30}$")
# What virtio keeps of a serial number.
SERIAL = re.compile(r"^[a-z][a-z0-9-]{0,19}$")
SIZE = re.compile(r"^([1-9][0-9]*)([MG])$")
MEMORY_MIB = 3072
PROCESSORS = 2
BOOT_SECONDS = 420
KERNEL_ARGUMENTS = (
    f"root=LABEL={vm_image.ROOT_LABEL} rw console=ttyS0 net.ifnames=0 mitigations=off quiet loglevel=4 systemd.show_status=0 systemd.ssh_auto=no"
    " tsc=reliable audit_backlog_limit=8192 raid=noautodetect panic=5"
)


class MachineError(Exception):
    pass


def size_in_bytes(text: str) -> int:
    found = SIZE.match(text)
    if not found:
        raise MachineError(f"{text!r} is not the size of a disk; write a number and M or G, as in 4G.")
    return int(found.group(1)) * {"M": 1024**2, "G": 1024**3}[found.group(2)]


def accelerator(cpuinfo: str, kvm_opens: bool) -> str:
    """Return the accelerator to ask for: /dev/kvm alone proves nothing, a guest may hang in it."""
    flags = {word for line in cpuinfo.splitlines() if line.startswith("flags") for word in line.partition(":")[2].split()}
    return "kvm" if kvm_opens and flags & {"vmx", "svm"} else "tcg,thread=multi,tb-size=1024"


def _kvm_opens() -> bool:
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def free_port() -> int:
    """Return a port that is free now, below those that outgoing connections take while the machine is off."""
    while True:
        port = random.randint(20000, 32000)
        if is_free(port):
            return port


def is_free(port: int) -> bool:
    """Tell whether nobody listens on a port of the loopback; connections that are closing do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def ended(pid: int) -> bool:
    """Tell whether a process holds nothing any more: its command line vanishes before its sockets do."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0] in ("Z", "X")
    except OSError:
        return True


def command_line(directory: pathlib.Path, port: int, public_key: str, disks: t.Mapping[str, str], accelerated: str) -> list[str]:
    """Return how qemu is called for a machine; its root disk is vda, the others follow in their order.

    Args:
        disks: from serial numbers to the images that hold their content.
    """
    key = base64.b64encode(public_key.encode()).decode()
    command = [
        "qemu-system-x86_64", "-name", f"bulkhead-lab-{directory.name}", "-nodefaults", "-no-user-config", "-machine", "q35", "-accel", accelerated,
        "-cpu", "max,la57=off" if accelerated.startswith("tcg") else "host", "-smp", str(PROCESSORS), "-m", str(MEMORY_MIB), "-display", "none",
        "-serial", f"file:{directory}/console.log", "-kernel", str(directory / "vmlinuz"), "-initrd", str(directory / "initrd"),
        "-append", f"{KERNEL_ARGUMENTS} systemd.set_credential_binary=ssh.authorized_keys.root:{key}",
        "-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22", "-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci",
    ]
    for serial, image in {"root": "root", **disks}.items():
        # The plug that is pulled is the guest's: what it has flushed is in this machine's memory and outlives qemu.
        drive = f"file={directory}/{image}.img,if=none,id=drive-{serial},format=raw,cache=unsafe,discard=unmap"
        command += ["-drive", drive, "-device", f"virtio-blk-pci,drive=drive-{serial},serial={serial}"]
    return command


class Machine:
    """One virtual machine; everything that it is lies in its directory."""

    def __init__(self, name: str, top: pathlib.Path = MACHINES) -> None:
        if not NAME.match(name):
            raise MachineError(f"The machine's name {name!r} is not one of small letters, digits and dashes.")
        self.name = name
        self.directory = top / name

    @property
    def _settings(self) -> pathlib.Path:
        return self.directory / "machine.json"

    @property
    def settings(self) -> dict[str, t.Any]:
        """The machine's port, image and disks."""
        if not self._settings.exists():
            raise MachineError(f"There is no machine {self.name}; make it with `vm.py create {self.name}`.")
        return t.cast("dict[str, t.Any]", json.loads(self._settings.read_text(encoding="utf-8")))

    def _keep(self, **settings: t.Any) -> None:
        self._settings.write_text(json.dumps(settings), encoding="utf-8")

    @property
    def disks(self) -> list[str]:
        """The serial numbers of the machine's disks besides its root disk, in the order vdb, vdc ..."""
        return list(self.settings["disks"])

    def image_of(self, serial: str) -> pathlib.Path:
        return self.directory / f"{serial}.img"

    def create(self, disks: t.Mapping[str, str]) -> None:
        """Make a machine that was never booted, with these blank disks: serial numbers and sizes."""
        image = vm_image.ensure()
        if self.directory.exists():
            raise MachineError(f"There is a machine {self.name} already; destroy it first.")
        self.directory.mkdir(mode=0o700, parents=True)
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(image / "root.img"), str(self.image_of("root"))], check=True)
        for name in ("vmlinuz", "initrd"):
            shutil.copyfile(image / name, self.directory / name)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(self.directory / "key")], stdin=subprocess.DEVNULL, check=True)
        port = free_port()
        host_key = (image / "host_key.pub").read_text(encoding="ascii")
        (self.directory / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}", encoding="ascii")
        self._keep(port=port, disks=[])
        for serial, size in disks.items():
            self.add_disk(serial, size)

    def _note_disk(self, serial: str) -> pathlib.Path:
        settings = self.settings
        if not SERIAL.match(serial) or serial == "root" or serial in settings["disks"]:
            raise MachineError(f"{serial!r} cannot be the serial number of a new disk of {self.name}: at most 20 small letters, digits and dashes, not taken.")
        settings["disks"].append(serial)
        self._keep(**settings)
        return self.image_of(serial)

    def add_disk(self, serial: str, size: str) -> None:
        """Give the machine a blank disk, which its next boot shows as /dev/disk/by-id/virtio-SERIAL."""
        length = size_in_bytes(size)
        with open(self._note_disk(serial), "xb") as image:
            image.truncate(length)

    def clone_disk(self, serial: str, new: str) -> None:
        """Give the machine a disk with the content of another one, identifiers included."""
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(self.image_of(serial)), str(self._note_disk(new))], check=True)

    def grow_disk(self, serial: str, size: str) -> None:
        """Make a disk larger; the next boot shows it."""
        length, image = size_in_bytes(size), self.image_of(serial)
        if length < image.stat().st_size:
            raise MachineError(f"The disk {serial} of {self.name} is larger than {size} already.")
        os.truncate(image, length)

    def remove_disk(self, serial: str) -> None:
        settings = self.settings
        settings["disks"].remove(serial)
        self._keep(**settings)
        self.image_of(serial).unlink()

    def pid(self) -> int | None:
        """Process id of the running machine; a stale pid file may name somebody else's process."""
        try:
            pid = int((self.directory / "pid").read_text(encoding="ascii"))
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return pid if f"file:{self.directory}/console.log".encode() in command.split(b"\0") else None

    def start(self, without: t.Collection[str] = (), instead: t.Mapping[str, str] | None = None) -> None:
        """Switch the machine on and return at once.

        Args:
            without: the disks that are not there.
            instead: from the serial number of a disk to the disk whose content it has this time.
        """
        if self.pid() is not None:
            raise MachineError(f"The machine {self.name} is running.")
        settings = self.settings
        content = dict(instead or {})
        unknown = sorted({*without, *content, *content.values()} - set(settings["disks"]))
        if unknown:
            raise MachineError(f"The machine {self.name} has no disk {unknown[0]}; it has {', '.join(settings['disks'])}.")
        accelerated = accelerator(pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"), _kvm_opens())
        public = (self.directory / "key.pub").read_text(encoding="ascii")
        # Two that write to one image would destroy it.
        away = {*without, *content.values()} - set(content)
        disks = {serial: content.get(serial, serial) for serial in settings["disks"] if serial not in away}
        command = command_line(self.directory, settings["port"], public, disks, accelerated)
        with open(self.directory / "qemu.log", "ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        (self.directory / "pid").write_text(str(process.pid), encoding="ascii")
        time.sleep(0.3)
        if process.poll() is not None:
            raise MachineError(f"qemu did not start for {self.name}: {self._tail('qemu.log')}")

    def boot(self, without: t.Collection[str] = (), instead: t.Mapping[str, str] | None = None, seconds: float = BOOT_SECONDS) -> str:
        """Switch the machine on and wait for it; see `start` and `wait`."""
        self.start(without, instead)
        return self.wait(seconds)

    def wait(self, seconds: float = BOOT_SECONDS, unlike: str = "") -> str:
        """Wait until every unit has started or failed, in a boot with another id than the given one; return the id of the boot."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.pid() is None:
                raise MachineError(f"The machine {self.name} ended while it was waited for: {self._tail('qemu.log')}")
            left = max(1.0, deadline - time.monotonic())
            found = self.run("cat /proc/sys/kernel/random/boot_id; systemctl is-system-running --wait", check=False, timeout=left)
            # "degraded" is up as well: what somebody wants to know of failed units, they ask.
            words = found.stdout.split()
            if len(words) == 2 and words[0] != unlike and words[1] in ("running", "degraded"):
                return words[0]
            time.sleep(1)
        raise MachineError(f"The machine {self.name} did not come up within {seconds:g} s: {self._tail('console.log')}")

    def reboot(self) -> str:
        """Let the machine restart itself in good order, and wait for it; return the id of the boot."""
        before = self.run("cat /proc/sys/kernel/random/boot_id").stdout.strip()
        self.run("systemctl reboot", check=False)
        return self.wait(unlike=before)

    def cut(self) -> None:
        """Pull the plug."""
        pid = self.pid()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            self._gone(pid, 60)

    def stop(self, seconds: float = 180) -> None:
        """Shut the machine down in good order."""
        pid = self.pid()
        if pid is not None:
            self.run("systemctl poweroff", check=False)
            self._gone(pid, seconds)

    def _gone(self, pid: int, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        # The first thread may be gone while others still hold what the process had open.
        while not ended(pid) or not is_free(self.settings["port"]):
            if time.monotonic() > deadline:
                raise MachineError(f"The machine {self.name} did not end within {seconds:g} s: {self._tail('console.log')}")
            time.sleep(0.1)
        (self.directory / "pid").unlink(missing_ok=True)

    def destroy(self) -> None:
        self.cut()
        shutil.rmtree(self.directory, ignore_errors=True)

    def variables(self) -> dict[str, t.Any]:
        """How Ansible reaches the machine."""
        return {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": self.settings["port"],
            "ansible_user": "root",
            "ansible_become": False,
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_private_key_file": str(self.directory / "key"),
            "ansible_ssh_common_args": " ".join(map(shlex.quote, self._ssh_options())),
            "lab_machine": self.name,
            "lab_disks": [f"/dev/disk/by-id/virtio-{serial}" for serial in self.disks],
        }

    def _ssh_options(self) -> list[str]:
        given = {
            "UserKnownHostsFile": self.directory / "known_hosts", "StrictHostKeyChecking": "yes", "IdentitiesOnly": "yes", "BatchMode": "yes",
            "ConnectTimeout": 20, "ServerAliveInterval": 20, "ServerAliveCountMax": 6, "LogLevel": "ERROR",
        }
        return [word for name, value in given.items() for word in ("-o", f"{name}={value}")]

    def ssh_command(self, *command: str) -> list[str]:
        port = str(self.settings["port"])
        shared = ["-o", "ControlMaster=auto", "-o", f"ControlPath={self.directory}/ssh", "-o", "ControlPersist=60"]
        return ["ssh", *self._ssh_options(), *shared, "-F", "none", "-i", str(self.directory / "key"), "-p", port, "root@127.0.0.1", *command]

    def run(self, script: str, check: bool = True, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a script of sh in the machine."""
        command = self.ssh_command("sh", "-s")
        try:
            done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired as error:
            done = subprocess.CompletedProcess(command, 255, "", f"no answer within {error.timeout:g} s")
        if check and done.returncode:
            raise MachineError(f"{self.name}: {script!r} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def _tail(self, name: str) -> str:
        path = self.directory / name
        return path.read_text(encoding="utf-8", errors="replace")[-1500:].strip() if path.exists() else ""


def destroy_all() -> None:
    for path in sorted(MACHINES.glob("*")):
        Machine(path.name).destroy()


def _disks(words: t.Sequence[str]) -> dict[str, str]:
    return dict(t.cast("tuple[str, str]", tuple(word.split("=", 1))) for word in words)


def _ssh(machine: Machine, *command: str) -> None:
    os.execvp("ssh", machine.ssh_command(*command))


VERBS: dict[str, t.Callable[..., t.Any]] = {
    "create": lambda machine, *words: machine.create(_disks(words)),
    "boot": lambda machine, *words: machine.boot([word for word in words if word != "--without"]),
    "up": lambda machine: machine.wait() if machine.pid() else machine.boot(),
    "ssh": _ssh,
    "cut": lambda machine: machine.cut(),
    "stop": lambda machine: machine.stop(),
    "add": lambda machine, word: machine.add_disk(*word.split("=", 1)),
    "clone": lambda machine, serial, new: machine.clone_disk(serial, new),
    "grow": lambda machine, serial, size: machine.grow_disk(serial, size),
    "show": lambda machine: print(json.dumps(machine.variables())),
    "destroy": lambda machine: machine.destroy(),
    "clean": lambda machine: destroy_all(),
}


def main() -> int:
    if len(sys.argv) < 3 or sys.argv[1] not in VERBS:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        VERBS[sys.argv[1]](Machine(sys.argv[2]), *sys.argv[3:])
    except (MachineError, vm_image.BuildError, OSError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
