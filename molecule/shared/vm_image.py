# SPDX-License-Identifier: Apache-2.0
"""Build the root filesystem and the kernel of the lab's virtual machines from Debian packages, unless they are there: vm_image.py

Prints the directory with root.img, vmlinuz, initrd and the machine's ssh host key. It is named after its recipe, so a
changed recipe is a new image.
"""

from __future__ import annotations

import fcntl
import hashlib
import pathlib
import shlex
import shutil
import subprocess
import sys
import time

from images import HERE, MAX_AGE, BuildError
from images import OPTIONS as BASE_OPTIONS

SUITE = "trixie"
STATE = pathlib.Path("/var/lib/bulkhead-lab/vm")
RECIPE = ("vm.sh", "busybox.sh")
ROOT_SIZE = "6G"
ROOT_LABEL = "lab-root"
FILES = ("root.img", "vmlinuz", "initrd", "host_key.pub")
# Everything that the roles would install: under an emulated processor installing the engine takes minutes.
INSTALLED = (
    "linux-image-cloud-amd64", "initramfs-tools", "zstd", "systemd-sysv", "udev", "dbus", "openssh-server", "python3", "python3-apt",
    "docker.io", "docker-cli", "containerd", "runc", "python3-docker", "iptables", "nftables", "iproute2", "procps", "util-linux", "mount",
    "fdisk", "e2fsprogs", "xfsprogs", "quota", "parted", "lvm2", "dmsetup", "apparmor", "auditd", "attr", "acl", "kmod", "rsync",
    "busybox-static", "ca-certificates",
)
OPTIONS = tuple(option for option in BASE_OPTIONS if option != "--skip=cleanup/apt")


def digest() -> str:
    found = hashlib.sha256(repr((SUITE, ROOT_SIZE, INSTALLED, OPTIONS, FILES)).encode())
    for name in RECIPE:
        found.update(HERE.joinpath(name).read_bytes())
    return found.hexdigest()[:12]


def is_fresh(directory: pathlib.Path, now: float) -> bool:
    files = [directory / name for name in FILES]
    return all(path.is_file() for path in files) and now - files[0].stat().st_mtime < MAX_AGE.total_seconds()


def call(*command: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{command[0]} failed for the image of the lab's machines: {(done.stderr or done.stdout).strip()[-1500:]}")


def build(directory: pathlib.Path) -> None:
    work = directory.with_suffix(".new")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    tree = work / "tree"
    hook = " ".join(["sh", shlex.quote(str(HERE / "vm.sh")), '"$1"', shlex.quote(str(HERE))])
    try:
        call("mmdebstrap", *OPTIONS, f"--include={','.join(INSTALLED)}", f"--customize-hook={hook}", SUITE, str(tree))
        for name, pattern in (("vmlinuz", "vmlinuz-*"), ("initrd", "initrd.img-*")):
            shutil.copyfile(next(tree.joinpath("boot").glob(pattern)), work / name)
        shutil.copyfile(tree / "etc/ssh/ssh_host_ed25519_key.pub", work / "host_key.pub")
        call("truncate", "--size", ROOT_SIZE, str(work / "root.img"))
        call("mkfs.ext4", "-q", "-L", ROOT_LABEL, "-E", "root_owner=0:0", "-d", str(tree), str(work / "root.img"))
        subprocess.run(["rm", "--recursive", "--force", "--one-file-system", str(tree)], check=True)
        shutil.rmtree(directory, ignore_errors=True)
        work.rename(directory)
    finally:
        subprocess.run(["rm", "--recursive", "--force", "--one-file-system", str(work)], check=True)


def ensure() -> pathlib.Path:
    """Return the directory of the image, building it first if need be."""
    directory = STATE / f"image-{digest()}"
    STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(STATE / "image.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_fresh(directory, time.time()):
            print("building the image of the lab's virtual machines (about a minute and a half)", file=sys.stderr, flush=True)
            build(directory)
            # A machine has a copy of its own, so an older image is of use to nobody.
            for other in STATE.glob("image-*"):
                if other.is_dir() and other != directory:
                    shutil.rmtree(other, ignore_errors=True)
    return directory


def main() -> int:
    try:
        print(ensure())
    except (BuildError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
